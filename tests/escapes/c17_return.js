// E-C17 S10: a generator's return that loops
// expect: limit fuel
function* g() {
  try {
    yield 1;
  } finally {
    for (;;);
  }
}
for (const x of g()) break;
