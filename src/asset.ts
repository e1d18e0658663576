// Finds the engine's WebAssembly file, checks it against its known hash and gives it metered and
// compiled: beside the bundle, from the caller's store, or made from the package's own file.

import { AppError } from "./errors.ts";
import { IMAGE_SHA256 } from "./prepared.ts";

/** SHA-256 of the engine file of the pinned package. */
const ENGINE_SHA256 = "105c3bed22d457e43e3d1c3c1c6959fda62a8fe06f0fc8a985303c3a2be72232";
/** SHA-256 of that file after `prepareEngine`; changes with the rewriting in `fuel.ts`. */
export const PREPARED_SHA256 = "2b589c0001f1a88ef17fcc5e4c2eaa24f3ff2a0cbc9028277e8957b10a7b622a";

/** Keeps the prepared engine between processes; both may fail without harm. */
export interface EngineStore {
  /** The bytes that were saved last; they are checked before use. */
  load(): Promise<Uint8Array | undefined>;
  save(bytes: Uint8Array): Promise<void>;
}

/** What a sandbox is started from. */
export interface EngineFiles {
  /** The metered engine. */
  readonly module: WebAssembly.Module;
  /** Its memory once the prelude has run, from a bundle only. */
  readonly image: Uint8Array | undefined;
}

let loaded: Promise<EngineFiles> | undefined;

/** Both, checked, and read once in a process; an `integrity` error when one is not the known one. */
export function loadEngineFiles(store?: EngineStore): Promise<EngineFiles> {
  loaded ??= readEngineFiles(store).catch((error) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function compileEngine(store?: EngineStore): Promise<WebAssembly.Module> {
  if (import.meta.url.endsWith(".ts")) return await WebAssembly.compile(await readEngine(store));
  // Both go on in the background while the caller starts a worker; none of it is used unchecked.
  const bytes = readBeside("quickjs.wasm");
  const compiling = WebAssembly.compile(bytes);
  compiling.catch(() => {}); // what it says of another file is no news
  await checkHash(bytes, PREPARED_SHA256);
  return await compiling;
}

async function readEngineFiles(store?: EngineStore): Promise<EngineFiles> {
  const engine = compileEngine(store);
  const image = IMAGE_SHA256 === undefined ? undefined : readBeside("prelude.bin");
  const [module] = await Promise.all([engine, image && checkHash(image, IMAGE_SHA256!)]);
  return { module, image };
}

/** The package's engine file `stock`, checked and metered; also what the build writes. */
export async function prepareEngine(
  stock: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  await checkHash(stock, ENGINE_SHA256);
  const { meterModule } = await import("./fuel.ts");
  return meterModule(stock);
}

/** The package's engine file as it came, from source only. */
export async function readStockEngine(): Promise<Uint8Array<ArrayBuffer>> {
  // An import brings the package into an empty cache; to resolve one of its files does not.
  await import("@jitl/quickjs-wasmfile-release-sync/ffi");
  return await Deno.readFile(
    new URL(import.meta.resolve("@jitl/quickjs-wasmfile-release-sync/wasm")),
  );
}

/**
 * The metered engine's bytes, checked, from source only; what `store` kept is ignored when it is not
 * the known file.
 */
export async function readEngine(store?: EngineStore): Promise<Uint8Array<ArrayBuffer>> {
  const kept = await store?.load().catch(() => undefined);
  const known = kept && new Uint8Array(kept);
  if (known !== undefined && await sha256(known) === PREPARED_SHA256) return known;
  const bytes = await prepareEngine(await readStockEngine());
  await store?.save(bytes).catch(() => {});
  return bytes;
}

// The chunk this code ends up in lies beside the entry or one folder below.
function readBeside(name: string): Uint8Array<ArrayBuffer> {
  for (const folder of ["./", "../"]) {
    try {
      return Deno.readFileSync(new URL(`${folder}${name}`, import.meta.url));
    } catch {
      // Said below.
    }
  }
  throw new AppError("integrity", `Engine file "${name}" is not there`, {
    hint: "install mcp-exec again",
  });
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

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
