// E-S3: flat of a deep array
// expect: guest | limit stack | limit fuel | limit memory
let a = [];
for (let i = 0; i < 2e5; i++) a = [a];
a.flat(Infinity);
