// E-C14: a function of two million terms
// expect: limit fuel | limit memory | guest SyntaxError | limit stack
for (;;) new Function("return 1" + "+1".repeat(2e6));
