// E-M1 S13: promises without end
// expect: limit fuel | limit memory
// fuel: 3e7
const all = [];
for (;;) all.push(new Promise(() => {}));
