// E-R7 S12: calls after the result
// expect: ok 1
export default 1;
(async () => {
  for (;;) await callTool("a", "b");
})();
