// E-T6 S17: paths that are no text
// expect: ok 9
// files: {"/ok/x":"hello"}
let refused = 0;
for (
  const odd of [undefined, null, 1, {}, [], Symbol("x"), 1n, () => "/ok/x", {
    toString: () => "/ok/x",
  }]
) {
  await readFile(odd).catch(() => refused++);
}
export default refused;
