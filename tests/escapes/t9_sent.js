// E-T9 S18: sending without end
// expect: limit calls | limit sent | limit fuel
// fuel: 1e9
const text = "x".repeat(1e5);
for (;;) await callTool("a", "b", { text });
