// E-M2 S13: METHOD of 2**32 elements
// expect: limit fuel | limit memory | guest
// each: join fill spread typed arguments
const acts = {
  join: () => new Array(2 ** 32 - 1).join("ab"),
  fill: () => new Array(2 ** 32 - 1).fill(0),
  spread: () => [...new Array(2 ** 32 - 1)],
  typed: () => new Float64Array(2 ** 32 - 1),
  arguments: () => Math.max(...new Array(5e7)),
};
acts["METHOD"]();
