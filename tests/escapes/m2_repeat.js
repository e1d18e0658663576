// E-M2: one string beyond the limit
// expect: ok "caught"
let result = "made";
try {
  "x".repeat(2 ** 29);
} catch {
  result = "caught";
}
export default result;
