// E-C12 S7: sorting a million with a comparator
// expect: limit fuel | limit memory
const a = Array.from({ length: 1e6 }, (_, i) => (i * 7919) % 1000003);
for (;;) a.sort((x, y) => (y - x) * (Math.random() - 0.4));
