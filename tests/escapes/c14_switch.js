// E-C14: a switch of 200,000 cases
// expect: limit fuel | limit memory | guest SyntaxError | limit stack
const cases = Array.from({ length: 2e5 }, (_, i) => "case " + i + ":" + i + ";");
for (;;) new Function("x", "switch (x) {" + cases.join("") + "}");
