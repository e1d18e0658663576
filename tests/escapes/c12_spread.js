// E-C12: spreading an endless iterator
// expect: limit fuel | limit memory
const endless = {
  *[Symbol.iterator]() {
    for (;;) yield 1;
  },
};
export default [...endless];
