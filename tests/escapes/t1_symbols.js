// E-T1 S22 S23: replaced iterators and species before calls
// expect: ok [{"ok":true,"value":{"tool":"b","params":{}}}]
// calls: 1
Array.prototype[Symbol.iterator] = () => {
  throw new Error("iterated");
};
Object.defineProperty(Array, Symbol.species, {
  get() {
    throw new Error("species");
  },
});
Function.prototype.call = Function.prototype.apply = () => {
  throw new Error("called");
};
Array.prototype.push = Array.prototype.map = () => {
  throw new Error("used");
};
export default callTools([{ server: "a", tool: "b" }]);
