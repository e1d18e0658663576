// E-T4: nothing that threads share
// expect: ok ["undefined","undefined","undefined","undefined"]
export default [typeof SharedArrayBuffer, typeof Worker, typeof postMessage, typeof WebAssembly];
