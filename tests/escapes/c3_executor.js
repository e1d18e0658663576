// E-C3 S3: a promise's executor swallows the interrupt
// expect: limit fuel
for (;;) {
  new Promise(() => {
    for (;;);
  }).catch(() => {});
}
