// E-R2 S8: a result whose then loops
// expect: limit fuel
export default {
  get then() {
    for (;;);
  },
};
