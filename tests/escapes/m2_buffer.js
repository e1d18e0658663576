// E-M2: one buffer beyond the limit
// expect: ok "caught"
let result = "made";
try {
  new Uint8Array(300 << 20);
} catch {
  result = "caught";
}
export default result;
