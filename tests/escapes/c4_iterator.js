// E-C4: an iterator in Promise.all swallows the interrupt
// expect: limit fuel
for (;;) {
  Promise.all({
    [Symbol.iterator]() {
      for (;;);
    },
  }).catch(() => {});
}
