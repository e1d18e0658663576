// E-M1 S13: METHOD without end
// expect: limit memory | limit fuel
// each: closures maps arrays binds
// fuel: 2e8
const make = {
  closures: (x) => () => x,
  maps: (x) => new Map([[x, x]]),
  arrays: (x) => [x, x, x],
  binds: (x) => Math.max.bind(null, x),
}.METHOD;
let kept = null;
for (;;) kept = make({ kept, pad: new Uint8Array(4096) });
