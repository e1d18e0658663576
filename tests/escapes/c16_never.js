// E-C16 S4: a promise that never settles
// expect: guest can never settle
await new Promise(() => {});
