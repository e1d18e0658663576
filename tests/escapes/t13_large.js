// E-T13 S18: a handle of 2 MB
// expect: guest Request too large
// calls: 0
await readResult("h".repeat(2e6));
