// E-M1 S13: jobs without end
// expect: limit fuel | limit memory
// fuel: 3e7
for (;;) Promise.resolve(new Array(1000).fill(1)).then((one) => one);
