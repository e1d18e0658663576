// E-C4 S8: a top-level await of a then that loops
// expect: limit fuel
await {
  then() {
    for (;;);
  },
};
