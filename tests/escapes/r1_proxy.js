// E-R1 S9: a thrown proxy that loops
// expect: limit fuel
throw new Proxy({}, {
  get() {
    for (;;);
  },
  getPrototypeOf() {
    for (;;);
  },
});
