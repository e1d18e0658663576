// E-T6 S25 V7: a path with NUL
// expect: ok ["refused","refused","refused","hello"]
// files: {"/ok/x":"hello"}
const read = (path) => readFile(path).catch(() => "refused");
export default [
  await read("/ok/x\0/../../etc/passwd"),
  await read("/../etc/passwd"),
  await read("/etc/passwd"),
  await read("//ok/./x"),
];
