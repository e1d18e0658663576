// E-R5 S23: a module that exports then
// expect: ok 5
export function then(resolve) {
  resolve({ default: "forged", main: { default: "forged" } });
}
export default 5;
