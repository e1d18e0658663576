// E-T5: a program that imports itself
// expect: ok 1 | guest Module not found | guest
const self = await import("./attack.js").catch((error) => error);
export default self instanceof Error ? 1 : Object.keys(self).length;
