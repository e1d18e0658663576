// E-R1 S9: a thrown proxy whose traps throw
// expect: guest unprintable error
throw new Proxy({}, {
  get() {
    throw 1;
  },
  getPrototypeOf() {
    throw 1;
  },
});
