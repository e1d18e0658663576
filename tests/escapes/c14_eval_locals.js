// E-C14: eval of 70,000 variables
// expect: limit fuel | guest SyntaxError | ok
const names = Array.from({ length: 70000 }, (_, i) => "v" + i);
for (;;) eval("var " + names.join(","));
