// E-T1 S23: replaced intrinsics before a call
// expect: ok {"tool":"b","params":{"n":1}}
JSON.stringify = () => "forged";
JSON.parse = () => "forged";
Map.prototype.get = () => "forged";
Promise.prototype.then = function () {
  return this;
};
Object.prototype.then = undefined;
Array.prototype[Symbol.iterator] = function* () {};
Reflect.apply = () => "forged";
Function.prototype.call = () => "forged";
Function.prototype.apply = () => "forged";
globalThis.Promise = class {};
export default await callTool("a", "b", { n: 1 });
