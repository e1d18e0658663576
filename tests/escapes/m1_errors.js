// E-M1 S13: errors without end
// expect: limit fuel | limit memory
// fuel: 3e7
const all = [];
for (let last;;) all.push(last = new Error("x", { cause: last }));
