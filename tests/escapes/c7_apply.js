// E-C7 S1: METHOD with an endless list of arguments
// expect: limit fuel | limit memory | guest
// each: apply construct bind fromCharCode
const long = { length: 2 ** 53 - 1 };
const acts = {
  apply: () => Reflect.apply(Math.max, null, long),
  construct: () => Reflect.construct(Array, long),
  bind: () => Math.max.apply(null, { length: 2 ** 31 }),
  fromCharCode: () => String.fromCharCode.apply(null, { length: 2 ** 25 }),
};
acts["METHOD"]();
