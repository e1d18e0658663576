// E-R5 S17: METHOD as result
// expect: ok | none | guest
// each: date regexp weak boxed buffer error generator global
const acts = {
  date: () => new Date(NaN),
  regexp: () => /a/g,
  weak: () => new WeakRef({}),
  boxed: () => Object(1n),
  buffer: () => new ArrayBuffer(8),
  error: () => new Error("x"),
  generator: () => (function* () {})(),
  global: () => undefined,
};
export default acts["METHOD"]();
