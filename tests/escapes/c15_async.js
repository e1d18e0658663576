// E-C15: cancelling what swallows interrupts
// expect: interrupted
// cancel: 50
// fuel: 1e12
for (;;) {
  (async () => {
    for (;;);
  })();
}
