// E-S1 S21: endless async recursion
// expect: limit stack | limit fuel | limit memory | guest
async function f() {
  await f();
}
await f();
