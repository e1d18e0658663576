// E-T3: "mcp:host" gives the real functions, whatever became of the globals
// expect: ok {"tool":"b","params":{}}
try {
  Object.defineProperty(globalThis, "callTool", { value: () => "forged" });
} catch {
  // Refusing is as good.
}
const { callTool: real } = await import("mcp:host");
export default await real("a", "b");
