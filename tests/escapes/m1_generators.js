// E-M1 S13: generators without end
// expect: limit fuel | limit memory
// fuel: 3e7
const all = [];
for (;;) {
  const one = (function* () {
    yield 1;
  })();
  one.next();
  all.push(one);
}
