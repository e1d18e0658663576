// E-C10: METHOD of a large typed array in a loop
// expect: limit fuel
// each: fill set copyWithin slice
// memory: 256MiB
const a = new Uint8Array(1 << 25), b = new Uint8Array(1 << 25);
const act = {
  fill: () => a.fill(1),
  set: () => a.set(b),
  copyWithin: () => a.copyWithin(1, 0),
  slice: () => a.slice(1),
}.METHOD;
for (;;) act();
