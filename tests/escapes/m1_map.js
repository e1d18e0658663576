// E-M1 S13: map without end
// expect: limit fuel | limit memory
// fuel: 3e7
const all = new Map();
for (let i = 0;; i++) all.set(i, { i });
