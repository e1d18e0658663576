// E-M3: catching a thousand failures
// expect: ok 1000 | limit fuel
let count = 0;
for (let i = 0; i < 1000; i++) {
  try {
    new Uint8Array(300 << 20);
  } catch {
    count++;
  }
}
export default count;
