// E-T4 S22: every error that the host causes is the guest's own
// expect: ok []
const ways = {
  refused: () => callTool("a", "fail"),
  wrong: () => callTool(1),
  large: () => callTool("a", "b", { s: "x".repeat(2e6) }),
  file: () => readFile("/nope"),
  folder: () => listFiles("/nope"),
  module: () => import("node:fs"),
  url: () => new URL("nope"),
  memory: () => new Uint8Array(300 << 20),
};
const foreign = [];
for (const [name, way] of Object.entries(ways)) {
  try {
    await way();
    foreign.push(name + " did not fail");
  } catch (error) {
    const all = error.constructor.constructor("return globalThis")();
    if (all !== globalThis || !(error instanceof Error)) foreign.push(name);
    for (let at = error; at !== null; at = Object.getPrototypeOf(at)) {
      if (at === Object.prototype) break;
      if (Object.getPrototypeOf(at) === null) foreign.push(name + " has a foreign prototype");
    }
  }
}
export default foreign;
