// E-C12 S13: iterating METHOD that grows meanwhile
// expect: limit fuel | limit memory
// each: array map set forIn
const acts = {
  array: () => {
    const all = [1];
    for (const one of all) all.push(one);
  },
  map: () => {
    const all = new Map([[0, 0]]);
    for (const [key] of all) all.set(key + 1, key);
  },
  set: () => {
    const all = new Set([0]);
    all.forEach((one) => all.add(one + 1));
  },
  forIn: () => {
    for (;;) {
      const all = { a: 1 };
      for (const key in all) all[key + "a"] = 1;
    }
  },
};
acts["METHOD"]();
