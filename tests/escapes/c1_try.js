// E-C1 S2: an endless loop whose end is caught
// expect: limit fuel
// calls: 0
for (;;) {
  try {
    for (;;);
  } catch {
    await callTool("a", "b");
  }
}
