// E-M2: a resizable buffer beyond the limit
// expect: ok "caught"
let result = "made";
try {
  const buffer = new ArrayBuffer(1024, { maxByteLength: 1 << 30 });
  buffer.resize(1 << 30);
} catch {
  result = "caught";
}
export default result;
