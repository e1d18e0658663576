// E-C2 S3: an async function swallows the interrupt
// expect: limit fuel
for (;;) {
  (async () => {
    for (;;);
  })();
}
