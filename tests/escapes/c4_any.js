// E-C4 S3: METHOD of an endless iterator
// expect: limit fuel | limit memory
// each: all allSettled any race
const endless = {
  *[Symbol.iterator]() {
    for (;;) yield 1;
  },
};
await Promise.METHOD(endless);
