// E-T9 S11: callTools with METHOD
// expect: limit calls | limit fuel | limit memory | guest
// each: endless many getters notList
const acts = {
  endless: () => Object.defineProperty([], "length", { value: 2 ** 32 - 1 }),
  many: () => Array.from({ length: 5000 }, () => ({ server: "a", tool: "b" })),
  getters: () => [{
    get server() {
      for (;;);
    },
  }],
  notList: () => ({ length: 1e9 }),
};
await callTools(acts["METHOD"](), { concurrency: 64 });
