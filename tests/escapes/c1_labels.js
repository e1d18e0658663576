// E-C1 S1: nested labels that continue one another
// expect: limit fuel
outer: for (;;) {
  for (;;) {
    try {
      continue outer;
    } finally {
      continue outer;
    }
  }
}
