// E-T8: a BigInt among parameters
// expect: guest TypeError
// calls: 0
await callTool("a", "b", { n: 1n });
