// E-C6 S5: matchAll with an exec that never ends
// expect: limit fuel
class Endless extends RegExp {
  exec() {
    return Object.assign(["a"], { index: 0 });
  }
}
for (const _ of "a".matchAll(new Endless("a", "g")));
