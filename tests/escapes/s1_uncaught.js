// E-S1 S21: endless recursion that nobody catches
// expect: limit stack
function f() {
  f();
}
f();
