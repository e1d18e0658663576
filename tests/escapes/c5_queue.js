// E-C5 S3: microtasks that queue themselves
// expect: limit fuel
const again = () => queueMicrotask(again);
again();
await new Promise(() => {});
