// Finds the engine's WebAssembly file, checks it against its known hash and gives it metered and
// compiled: beside the bundle, from the caller's store, or made from the package's own file.

import { AppError } from "./errors.ts";

/** SHA-256 of the engine file of the pinned package. */
export const ENGINE_SHA256 = "105c3bed22d457e43e3d1c3c1c6959fda62a8fe06f0fc8a985303c3a2be72232";
/** SHA-256 of that file after `prepareEngine`; changes with the rewriting in `fuel.ts`. */
export const PREPARED_SHA256 = "2b589c0001f1a88ef17fcc5e4c2eaa24f3ff2a0cbc9028277e8957b10a7b622a";

/** The engine's import that answers whether to stop, under the short name its build gave it. */
const INTERRUPT_IMPORT = { module: "a", name: "i" };

/** Keeps the prepared engine between processes; both may fail without harm. */
export interface EngineStore {
  /** The bytes that were saved last; they are checked before use. */
  load(): Promise<Uint8Array | undefined>;
  save(bytes: Uint8Array): Promise<void>;
}

let compiled: Promise<WebAssembly.Module> | undefined;

/** The metered engine, made once in a process; an `integrity` error when a file is not the known one. */
export function loadEngine(store?: EngineStore): Promise<WebAssembly.Module> {
  compiled ??= readEngine(store).then((bytes) => WebAssembly.compile(bytes)).catch((error) => {
    compiled = undefined;
    throw error;
  });
  return compiled;
}

/** The package's engine file `stock`, checked and metered; also what the build writes. */
export async function prepareEngine(
  stock: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  await checkHash(stock, ENGINE_SHA256);
  const { meterModule } = await import("./fuel.ts");
  return meterModule(stock, { interrupt: INTERRUPT_IMPORT }).bytes;
}

/** The package's engine file as it came, from source only. */
export async function readStockEngine(): Promise<Uint8Array<ArrayBuffer>> {
  // An import brings the package into an empty cache; to resolve one of its files does not.
  await import("@jitl/quickjs-wasmfile-release-sync/ffi");
  return await Deno.readFile(
    new URL(import.meta.resolve("@jitl/quickjs-wasmfile-release-sync/wasm")),
  );
}

/** The metered engine's bytes, checked; what `store` kept is ignored when it is not the known file. */
export async function readEngine(store?: EngineStore): Promise<Uint8Array<ArrayBuffer>> {
  if (!import.meta.url.endsWith(".ts")) {
    const bytes = await readBeside();
    await checkHash(bytes, PREPARED_SHA256);
    return bytes;
  }
  const kept = await store?.load().catch(() => undefined);
  if (kept !== undefined && await sha256(kept) === PREPARED_SHA256) return new Uint8Array(kept);
  const bytes = await prepareEngine(await readStockEngine());
  await store?.save(bytes).catch(() => {});
  return bytes;
}

// The chunk this code ends up in lies beside the entry or one folder below.
async function readBeside(): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(new URL("./quickjs.wasm", import.meta.url));
  } catch {
    return await Deno.readFile(new URL("../quickjs.wasm", import.meta.url));
  }
}

async function checkHash(bytes: Uint8Array<ArrayBuffer>, wanted: string): Promise<void> {
  const found = await sha256(bytes);
  if (found === wanted) return;
  throw new AppError(
    "integrity",
    `Engine file is not the known one: SHA-256 ${found.slice(0, 16)}, wanted ${
      wanted.slice(0, 16)
    }`,
    { hint: "install mcp-exec again" },
  );
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
