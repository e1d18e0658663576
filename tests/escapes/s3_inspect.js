// E-S3 S21: console shows a tower of METHOD
// expect: ok 1 | guest | limit stack | limit fuel
// each: maps sets errors arrays
let top = {};
const acts = {
  maps: () => new Map([[top, top]]),
  sets: () => new Set([top]),
  errors: () => new Error("x", { cause: top }),
  arrays: () => [top],
};
for (let i = 0; i < 5e4; i++) top = acts["METHOD"]();
console.log(top);
export default 1;
