// E-C13: recursion that tries twice
// expect: limit fuel
function f() {
  try {
    f();
  } catch {
    f();
  }
}
f();
