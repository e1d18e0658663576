// E-C7 S1: METHOD of an endless iterator
// expect: limit fuel | limit memory
// each: set map weakSet typed entries array rest call
const endless = {
  *[Symbol.iterator]() {
    for (let i = 0;; i++) yield [i, i];
  },
};
const acts = {
  set: () => new Set(endless),
  map: () => new Map(endless),
  weakSet: () =>
    new WeakSet(function* () {
      for (;;) yield {};
    }()),
  typed: () => new Uint8Array(endless),
  entries: () => Object.fromEntries(endless),
  array: () => Array.from(endless, (x) => x),
  rest: () => {
    const [...all] = endless;
    return all;
  },
  call: () => Math.max(...endless),
  group: () => Object.groupBy(endless, ([i]) => i % 2),
};
acts["METHOD"]();
