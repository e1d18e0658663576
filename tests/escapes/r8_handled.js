// E-R8: rejections that are handled, however late
// expect: ok 4
// warns: nothing
const early = Promise.reject(new Error("early"));
const derived = Promise.reject(1).then(() => 2);
await null;
let caught = 0;
for (const one of [early, derived, import("mcp:nowhere")]) await one.catch(() => caught++);
await Promise.allSettled([
  Promise.reject(2),
  (async () => {
    throw 3;
  })(),
]);
try {
  throw 4;
} catch {
  caught++;
}
export default caught;
