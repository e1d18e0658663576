// Finds the engine's glue code. The build swaps this file for one that imports the glue statically,
// because the package hides it and a bundle has no package folder.

import { QuickJSFFI } from "@jitl/quickjs-wasmfile-release-sync/ffi";

/** The functions of the engine, bound to one instance. */
export type EngineFunctions = QuickJSFFI;
/** One instance as the glue gives it: heap views, allocation, and slots for callbacks. */
export type EngineInstance = ConstructorParameters<typeof QuickJSFFI>[0];
/** Makes an instance; the options are those of emscripten's glue. */
export type EngineGlue = (options: {
  readonly wasmMemory: WebAssembly.Memory;
  readonly instantiateWasm: (
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance) => void,
  ) => void;
  readonly print: (line: string) => void;
  readonly printErr: (line: string) => void;
}) => Promise<EngineInstance>;

/** The glue that needs no `node:` module (19 ms less), and the class of its functions. */
export async function loadGlue(): Promise<{ glue: EngineGlue; functions: typeof QuickJSFFI }> {
  const wasm = import.meta.resolve("@jitl/quickjs-wasmfile-release-sync/wasm");
  const loaded = await import(new URL("emscripten-module.browser.mjs", wasm).href);
  return { glue: loaded.default, functions: QuickJSFFI };
}
