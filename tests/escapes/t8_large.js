// E-T8 S18: parameters of 2 MB
// expect: guest Request too large
// calls: 0
await callTool("a", "b", { s: "x".repeat(2e6) });
