// E-C4: a thenable's getter swallows the interrupt
// expect: limit fuel
for (;;) {
  Promise.resolve({
    get then() {
      for (;;);
    },
  });
}
