// E-T1 S23: a replaced Promise constructor gets no answers to forge
// expect: ok {"tool":"b","params":{}}
// calls: 1
const Real = Promise;
globalThis.Promise = class extends Real {
  constructor(run) {
    super((resolve, reject) => run(() => resolve("forged"), reject));
  }
};
Object.defineProperty(Real.prototype, "constructor", { value: globalThis.Promise });
const answer = callTool("a", "b");
export default new Real((resolve) => Reflect.apply(Real.prototype.then, answer, [resolve]));
