// E-R1 S9: an error whose message loops
// expect: limit fuel
const error = new Error();
Object.defineProperty(error, "message", {
  get() {
    for (;;);
  },
});
throw error;
