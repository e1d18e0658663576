// E-T13 S16: slices without end
// expect: limit host calls | limit fuel
// fuel: 1e9
for (let start = 0;; start++) await readResult("h", { start, end: start + 1 }).catch(() => {});
