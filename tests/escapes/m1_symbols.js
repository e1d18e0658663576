// E-M1 S13: symbols without end
// expect: limit fuel | limit memory
// fuel: 3e7
const all = [];
for (let i = 0;; i++) all.push(Symbol("s" + i), Symbol.for("t" + i));
