// E-R2 S8: a result whose toJSON loops
// expect: limit fuel
export default {
  toJSON() {
    for (;;);
  },
};
