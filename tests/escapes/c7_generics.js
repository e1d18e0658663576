// E-C7 S1: METHOD of a huge array-like
// expect: limit fuel | limit memory
// each: indexOf lastIndexOf includes reverse forEach every some find copyWithin splice unshift shift concat join fill flat
const huge = (length) => ({ length, [Symbol.isConcatSpreadable]: true });
const last = 2 ** 53 - 1;
const method = Array.prototype.METHOD;
const acts = {
  lastIndexOf: () => method.call(huge(last), 1),
  some: () => method.call(huge(last), () => false),
  find: () => method.call(huge(last), () => false),
  copyWithin: () => method.call(huge(last), 1, 0),
  splice: () => method.call(huge(last - 1), 0, 0, 1),
  unshift: () => method.call(huge(last - 1), 1),
  concat: () => method.call([], huge(last)),
  flat: () => method.call(huge(last)),
};
const act = acts["METHOD"] ?? (() => method.call(huge(last), () => true, 0));
act();
