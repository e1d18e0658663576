// E-M4: an answer when memory is full
// expect: guest out of memory | limit memory | ok
const kept = [];
try {
  for (;;) kept.push(new Uint8Array(1 << 20).fill(7));
} catch {
  // Full.
}
try {
  for (;;) kept.push(new Uint8Array(4096).fill(7));
} catch {
  // Full to the brim.
}
const answer = await callTool("a", "big");
const changed = kept.filter((bytes) => bytes.some((byte) => byte !== 7)).length;
if (changed > 0) throw new Error("memory was overwritten");
export default answer.length;
