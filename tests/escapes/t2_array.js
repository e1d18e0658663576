// E-T2 S23: setters on Array.prototype see no answers
// expect: ok 0
// calls: 3
let seen = 0;
const trap = { __proto__: null, configurable: true };
// The engine's own JSON.stringify sets what it is given, which is the program's own.
trap.set = (value) => {
  if (value === "b" || Object.hasOwn(Object(value), "tool")) seen++;
};
for (let i = 0; i < 50; i++) {
  Object.defineProperty(Array.prototype, i, trap);
}
for (const key of ["ok", "value", "id", "resolve", "message", "kind"]) {
  Object.defineProperty(Object.prototype, key, trap);
}
await callTool("a", "b");
await callTools([{ server: "a", tool: "b" }, { server: "a", tool: "fail" }]);
export default seen;
