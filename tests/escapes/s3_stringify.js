// E-S3: JSON of a deep object
// expect: guest | limit stack | limit fuel | limit memory
let a = [];
for (let i = 0; i < 2e5; i++) a = [a];
export default JSON.stringify(a);
