// E-T4 S22: METHOD finds nothing of the host
// expect: ok true
// each: callTool promise namespace console error generator async url indirect nested
const real = Function("return this")();
const acts = {
  callTool: () => callTool.constructor("return this")(),
  promise: () => callTool("a", "b").constructor.constructor("return this")(),
  namespace: async () => (await import("mcp:host")).log.constructor("return this")(),
  console: () => console.log.constructor("return this")(),
  error: () => new ToolError("x").constructor.constructor("return this")(),
  generator: () => (function* () {}).constructor("return this")().next().value,
  async: () => (async () => {}).constructor("return this")(),
  url: () => URL.constructor("return this")(),
  indirect: () => (0, eval)("this"),
  nested: () => new Function("return new Function('return this')()")(),
};
const found = await acts["METHOD"]();
export default (found === real || found === undefined) && typeof found?.process === "undefined" &&
  typeof found?.Deno === "undefined";
