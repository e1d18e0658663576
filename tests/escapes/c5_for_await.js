// E-C5 S3: an endless async generator
// expect: limit fuel
async function* endless() {
  for (;;) yield Promise.resolve(1);
}
for await (const _ of endless());
