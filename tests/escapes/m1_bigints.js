// E-M1 S13: bigints without end
// expect: limit fuel | limit memory
// fuel: 3e7
const all = [];
for (let i = 1;; i++) all.push(7n ** BigInt(i * 100));
