// E-R1 S9: a message that loops
// expect: limit fuel
throw {
  get message() {
    for (;;);
  },
};
