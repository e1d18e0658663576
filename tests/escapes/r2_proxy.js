// E-R2 S8: a result whose METHOD trap loops
// expect: limit fuel
// each: get ownKeys getPrototypeOf
export default new Proxy({}, {
  METHOD() {
    for (;;);
  },
});
