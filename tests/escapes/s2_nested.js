// E-S2 S19: source nested in METHOD
// expect: guest | limit stack | limit fuel | ok
// each: paren array object template arrow not power block ternary
const n = 1e5;
const sources = {
  paren: () => "(".repeat(n) + "1" + ")".repeat(n),
  array: () => "[".repeat(n) + "]".repeat(n),
  object: () => "({a:".repeat(n) + "1" + "})".repeat(n),
  template: () => "`${".repeat(n) + "1" + "}`".repeat(n),
  arrow: () => "()=>".repeat(n) + "1",
  not: () => "!".repeat(n) + "1",
  power: () => "2**".repeat(n) + "1",
  block: () => "{".repeat(n) + "}".repeat(n),
  ternary: () => "1?".repeat(n) + "1" + ":1".repeat(n),
};
eval(sources.METHOD());
export default 1;
