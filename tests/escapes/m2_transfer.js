// E-M2: a buffer that grows in transfer
// expect: ok "caught"
let result = "made";
try {
  new ArrayBuffer(1024).transfer(1 << 30);
} catch {
  result = "caught";
}
export default result;
