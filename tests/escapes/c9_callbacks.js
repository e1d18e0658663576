// E-C9 S8: METHOD of JSON that loops
// expect: limit fuel
// each: reviver replacer toJSON proxy
const acts = {
  reviver: () =>
    JSON.parse("[1]", () => {
      for (;;);
    }),
  replacer: () =>
    JSON.stringify([1], () => {
      for (;;);
    }),
  toJSON: () =>
    JSON.stringify({
      toJSON() {
        for (;;);
      },
    }),
  proxy: () =>
    JSON.stringify(
      new Proxy({}, {
        ownKeys() {
          for (;;);
        },
      }),
    ),
};
acts["METHOD"]();
