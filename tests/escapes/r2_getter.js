// E-R2 S8: a result whose getter loops
// expect: limit fuel
export default {
  get a() {
    for (;;);
  },
};
