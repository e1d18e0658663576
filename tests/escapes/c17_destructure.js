// E-C17 S10: closing an iterator that loops
// expect: limit fuel
const [first] = {
  [Symbol.iterator]: () => ({
    next: () => ({ value: 1, done: false }),
    return() {
      for (;;);
    },
  }),
};
export default first;
