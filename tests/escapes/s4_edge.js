// E-S4: calls from the edge of the stack
// fuel: 1e9
// expect: ok
let made = 0;
function f() {
  made++;
  callTool("a", "b").catch(() => {});
  f();
}
try {
  f();
} catch {
  // Expected.
}
export default (await callTool("a", "b", { last: true })) !== undefined && made > 10;
