// E-M1 S13: globals without end
// expect: limit fuel | limit memory
// fuel: 3e7
for (let i = 0;; i++) globalThis["name" + i] = new Array(1000).fill(i);
