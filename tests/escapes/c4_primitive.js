// E-C4 S8: Symbol.toPrimitive that loops, awaited
// expect: limit fuel
const slow = {
  [Symbol.toPrimitive]() {
    for (;;);
  },
};
for (;;) Promise.resolve().then(() => `${slow}`), await new Promise((done) => done(`${slow}`));
