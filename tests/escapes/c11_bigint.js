// E-C11 S6: powers of BigInt
// expect: limit fuel | guest BigInt | guest RangeError
let a = 3n;
for (let i = 0; i < 30; i++) a = a * a;
export default (3n ** 20000000n).toString().length;
