// E-C4: an async generator swallows the interrupt
// expect: limit fuel
for (;;) {
  (async function* () {
    for (;;);
  })().next().catch(() => {});
}
