// E-M3: running out of memory inside of finally and catch
// expect: limit memory | limit fuel | ok
// fuel: 1e9
let count = 0;
function eat(depth) {
  const kept = [];
  try {
    for (;;) kept.push(new Uint8Array(4 << 20).fill(1));
  } catch {
    count++;
  } finally {
    if (depth < 20) eat(depth + 1);
  }
}
eat(0);
export default count > 0;
