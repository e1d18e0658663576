// E-T8: cyclic parameters
// expect: guest TypeError
// calls: 0
const a = {};
a.a = a;
await callTool("a", "b", a);
