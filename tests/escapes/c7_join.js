// E-C7 S1: join of a sparse array
// expect: limit fuel
new Array(2 ** 32 - 1).join("");
