// E-C4 S22: Symbol.species of a promise that loops
// expect: limit fuel
class Slow extends Promise {
  static get [Symbol.species]() {
    for (;;);
  }
}
for (;;) {
  try {
    Slow.resolve(1).then(() => 2);
  } catch {
    // Goes on.
  }
}
