// E-S1 S21: a tower of prototypes
// expect: limit fuel
let top = { end: 1 };
for (let i = 0; i < 1e5; i++) top = Object.create(top);
for (;;) if (top.end !== 1) break;
