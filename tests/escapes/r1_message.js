// E-R1 S9: a message that loops
// expect: limit fuel | guest
throw {
  get message() {
    for (;;);
  },
};
