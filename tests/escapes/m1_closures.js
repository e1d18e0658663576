// E-M1 S13: closures without end
// expect: limit fuel | limit memory
// fuel: 3e7
const all = [];
for (let i = 0;; i++) all.push(() => i);
