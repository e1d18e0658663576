// S8 S9: console shows METHOD
// expect: limit fuel | ok
// each: getter proxy prototype name tag text format wide
const acts = {
  getter: () => ({
    get a() {
      for (;;);
    },
  }),
  proxy: () =>
    new Proxy({}, {
      get() {
        for (;;);
      },
      ownKeys() {
        for (;;);
      },
    }),
  prototype: () =>
    new Proxy(class {}, {
      getPrototypeOf() {
        for (;;);
      },
    }),
  name: () =>
    Object.defineProperty(() => {}, "name", {
      get() {
        for (;;);
      },
    }),
  tag: () => ({
    get [Symbol.toStringTag]() {
      for (;;);
    },
  }),
  text: () => ({
    toString() {
      for (;;);
    },
  }),
  format: () => "%s %o %j %d %%".repeat(1e5),
  wide: () => Array.from({ length: 1e6 }, (_, i) => i),
};
console.log(acts["METHOD"]());
export default 1;
