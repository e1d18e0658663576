// E-R7 S26: a second result does not replace the first
// expect: ok 1
Promise.resolve().then(() => {
  for (let i = 0; i < 10; i++) queueMicrotask(() => console.log(i));
});
export default { toJSON: () => 1 };
