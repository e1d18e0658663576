// E-R1 S9: a thrown METHOD that is huge
// expect: guest | limit fuel
// each: message name stack symbol text many
const long = "x".repeat(1e7);
const acts = {
  message: () => new Error(long),
  name: () => Object.assign(new Error("a"), { name: long }),
  stack: () => Object.assign(new Error("a"), { stack: long }),
  symbol: () => Symbol(long),
  text: () => long,
  many: () => new AggregateError(Array.from({ length: 1e5 }, () => new Error("one")), "many"),
};
throw acts["METHOD"]();
