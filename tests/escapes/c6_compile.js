// E-C6 S5: a regular expression that is slow to compile
// expect: limit fuel
for (;;) new RegExp("(?:" + "a|".repeat(2e5) + "b)");
