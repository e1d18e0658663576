// E-T4 S22: evaluated code sees the same limits
// expect: limit fuel
// each: eval Function generator async timer
const acts = {
  eval: () => eval("for (;;);"),
  Function: () => new Function("for (;;);")(),
  generator: () => (function* () {}).constructor("for (;;);")().next(),
  async: () => (async () => {}).constructor("for (;;);")(),
  timer: () =>
    new Promise(() =>
      setTimeout(() => {
        for (;;);
      }, 0)
    ),
};
await acts["METHOD"]();
