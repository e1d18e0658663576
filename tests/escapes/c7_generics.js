// E-C7 S1: METHOD of a huge array-like
// expect: limit fuel
// each: indexOf lastIndexOf includes reverse forEach every some copyWithin splice unshift shift concat map join find fill
const huge = { length: 2 ** 53 - 1, [Symbol.isConcatSpreadable]: true };
const method = Array.prototype.METHOD;
if ("METHOD" === "concat") [].concat(huge);
method.call(huge, "METHOD" === "copyWithin" ? 1 : () => true, 0);
