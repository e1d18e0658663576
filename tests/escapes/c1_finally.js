// E-C1 S2: an endless loop in a finally block
// expect: limit fuel
// calls: 0
try {
  for (;;);
} finally {
  callTool("a", "b");
  for (;;);
}
