// E-T1 S23: replaced errors before a call that fails
// expect: ok "ToolError: No"
Error.prototype.toString = () => "forged";
Object.defineProperty(Error.prototype, "message", {
  set() {
    throw 1;
  },
  get: () => "forged",
});
globalThis.Error = class {};
Error.captureStackTrace = () => {
  throw 1;
};
try {
  await callTool("a", "fail");
} catch (error) {
  globalThis.result = error.name + ": " + error.message;
}
export default result;
