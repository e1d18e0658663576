// E-T8 S18: parameters that throw or are no object
// expect: ok 8
// calls: 0
let refused = 0;
const odd = [
  {
    get a() {
      throw new Error("x");
    },
  },
  {
    toJSON() {
      throw new Error("x");
    },
  },
  { toJSON: () => undefined },
  new Proxy({}, {
    ownKeys() {
      throw 1;
    },
  }),
  [1],
  "text",
  1,
  () => {},
];
for (const params of odd) await callTool("a", "b", params).catch(() => refused++);
export default refused;
