// E-T9 S16: keys of state without end
// expect: limit host calls | limit fuel
// fuel: 1e9
for (let i = 0;; i++) await setState("key" + i, i).catch(() => {});
