// E-C15: cancelling bulk copies
// expect: interrupted
// cancel: 50
// fuel: 1e12
const a = new Uint8Array(1 << 25);
for (;;) a.fill(1);
