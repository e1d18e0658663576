// E-C4: a specifier's toString swallows the interrupt
// expect: limit fuel
for (;;) {
  import({
    toString() {
      for (;;);
    },
  }).catch(() => {});
}
