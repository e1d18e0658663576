// E-T13: METHOD counts as a call
// each: readResource listResources getPrompt
// expect: limit calls
// calls: 1000
// fuel: 1e9
for (;;) await METHOD("a", "b").catch(() => {});
