// E-C6 S5: catastrophic backtracking
// expect: limit fuel
for (;;) /^(a+)+$/.test("a".repeat(35) + "!");
