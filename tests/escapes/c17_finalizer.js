// E-C17: a finalizer that loops
// expect: limit fuel | ok 1
const registry = new FinalizationRegistry(() => {
  for (;;);
});
for (let i = 0; i < 100; i++) registry.register({}, i);
export default 1;
