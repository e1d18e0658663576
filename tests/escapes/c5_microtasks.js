// E-C5 S3: microtasks that double
// expect: limit fuel | limit memory
function f() {
  Promise.resolve().then(f);
  Promise.resolve().then(f);
}
f();
await new Promise(() => {});
