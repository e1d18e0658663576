// E-T4 S22: nothing of the host is in reach
// expect: ok ["undefined","undefined","undefined","undefined","undefined","undefined","undefined"]
const all = Function("return this")();
export default [
  typeof __host,
  typeof all.process,
  typeof all.Deno,
  typeof all.WebAssembly,
  typeof all.SharedArrayBuffer,
  typeof all.std,
  typeof all.postMessage,
];
