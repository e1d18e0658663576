// E-T9 S11: searching without end
// expect: limit host calls | limit fuel
// fuel: 1e9
for (;;) await searchTools("x", { limit: 1e9 });
