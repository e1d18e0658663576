// E-C12 S7: a comparator that changes what it sorts
// expect: limit fuel | limit memory
const all = Array.from({ length: 1000 }, (_, i) => i);
for (;;) {
  all.sort((a, b) => {
    all.length = 1000 + Math.floor(Math.random() * 1000);
    return a < b ? 1 : -1;
  });
}
