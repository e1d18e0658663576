// E-T8 S17: odd arguments of host functions
// expect: ok true
// fuel: 5e8
const odd = [undefined, null, 1, "", {}, [], Symbol("x"), () => 1, 1n, new Proxy({}, {})];
const functions = [callTool, callTools, readFile, listFiles, searchTools, getState, setState];
for (const run of functions) {
  for (const a of odd) {
    for (const b of odd) {
      try {
        await run(a, b, b);
      } catch {
        // Refused, which is as good.
      }
    }
  }
}
for (const a of odd) {
  for (
    const run of [setTimeout, clearTimeout, setInterval, queueMicrotask, structuredClone, atob]
  ) {
    try {
      clearInterval(run(a, a));
    } catch {
      // Refused.
    }
  }
  console.log(a, [a], { a });
}
export default true;
