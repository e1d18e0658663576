// E-C8: a quadratic search
// expect: limit fuel
"a".repeat(5e6).indexOf("a".repeat(2.5e6) + "b");
