// E-C12 S7: sorting a typed array in a loop
// expect: limit fuel | limit memory
const a = new Float64Array(2e6);
for (;;) a.sort();
