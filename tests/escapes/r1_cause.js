// E-R1 S9: a cause that loops
// expect: guest outer | limit fuel
throw new Error("outer", {
  cause: {
    get message() {
      for (;;);
    },
  },
});
