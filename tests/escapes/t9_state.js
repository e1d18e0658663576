// E-T9 S16: a state of 2 MB
// expect: guest Request too large
// calls: 0
await setState("k", "x".repeat(2e6));
