// E-T9: a thousand timers
// expect: limit timers
for (let i = 0; i < 1000; i++) setTimeout(() => {}, 1000);
await new Promise(() => {});
