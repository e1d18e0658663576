// E-R8 E-R7: a reason that calls the host and changes the result
// expect: ok 1
// warns: nobody handled it
// calls: 0
const result = {
  value: 1,
  toJSON() {
    return this.value;
  },
};
const reason = new Error("x");
Object.defineProperty(reason, "message", {
  get() {
    callTool("a", "b");
    result.value = 2;
    throw 3;
  },
});
Promise.reject(reason);
export default result;
