// E-T9 S11: 20,000 parallel calls
// expect: limit calls
await Promise.all(Array.from({ length: 20000 }, (_, i) => callTool("a", "b", { i })));
