// E-S3: a tower of bound functions
// expect: guest | limit stack | limit fuel | limit memory
let f = () => 1;
for (let i = 0; i < 1e5; i++) f = f.bind(null);
f();
