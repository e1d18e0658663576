// E-T1 S23: a species of promises that throws harms the program alone
// expect: guest Program can never settle
Object.defineProperty(Promise, Symbol.species, {
  get() {
    throw new Error("species");
  },
});
export default callTool("a", "b");
