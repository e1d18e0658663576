// E-T2 S23: setters and toJSON on Object.prototype
// expect: ok 1
Object.defineProperty(Object.prototype, "0", { set() {}, configurable: true });
Object.prototype.toJSON = function () {
  return 1;
};
Object.prototype.get = () => "forged";
export default await callTool("a", "b", { n: 1 });
