// E-C11 S6: METHOD of large BigInts
// expect: limit fuel | guest
// each: parse text shift divide
const acts = {
  parse: () => {
    for (;;) BigInt("9".repeat(3e5));
  },
  text: () => {
    const big = 3n ** 300000n;
    for (;;) big.toString();
  },
  shift: () => 1n << 2n ** 40n,
  divide: () => {
    const big = 7n ** 200000n;
    for (;;) big / (big >> 100000n);
  },
};
acts["METHOD"]();
