// E-M1 S13: doubling without end
// expect: limit fuel | limit memory | guest
// fuel: 3e7
let text = "x";
const all = [];
for (;;) all.push(text += text);
