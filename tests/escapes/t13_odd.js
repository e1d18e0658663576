// E-T13 S18: handles, slices, URIs and prompts that throw or are none
// expect: ok 11
// calls: 0
let refused = 0;
const bad = {
  get handle() {
    throw new Error("x");
  },
};
const odd = [
  () => readResult(),
  () => readResult(5),
  () => readResult(null),
  () => readResult(bad),
  () => readResult({ toJSON: () => undefined }),
  () => readResult("h", bad),
  () => writeFile("/workspace/x", bad),
  () => readResource("a", 5),
  () => listResources({}),
  () => getPrompt("a"),
  () => getPrompt("a", "b", new Proxy({}, { ownKeys: () => ["x", "x"] })),
];
for (const ask of odd) await ask().catch(() => refused++);
export default refused;
