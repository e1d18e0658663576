// Learns from the engine which promises were rejected and handled by nobody. The engine has a hook
// for that, but exports no way to set it: here its place in the runtime is found and filled.

import { AppError } from "./errors.ts";

/** The reasons kept of one run; further ones are counted only. */
export const MAX_KEPT_REASONS = 5;
/** Rejections beyond these are counted, but the promises are not told apart. */
const MAX_TRACKED = 10_000;
/** How much of the runtime is searched for the hook, in words of four bytes. */
const RUNTIME_WORDS = 256;

/** What of an engine this needs. */
export interface RejectionSource {
  readonly memory: WebAssembly.Memory;
  /** The engine's table of functions. */
  readonly table: WebAssembly.Table;
  /** Told of every promise that is rejected, or handled after all. */
  onEvent(): void;
  /** Keeps the value at an address alive; gives the address it can be used and freed by. */
  keep(pointer: number): number;
  free(pointer: number): void;
  /** Eight bytes of the guest's memory to work with. */
  readonly scratch: number;
}

/** The promises of one engine that are rejected without a handler at the moment. */
export interface Rejections {
  readonly count: number;
  /** Kept reasons of the first of them, in order, by address. */
  reasons(): number[];
}

interface Rejection {
  /** Address of the promise, a negative number once another promise has it. */
  key: number;
  readonly reason: bigint;
  /**
   * The one just before, where its reason is the same: a module that throws rejects a promise of
   * the engine's own as well, which nobody can handle, and then the one of its import.
   */
  readonly twin: Rejection | undefined;
  /** Where the reason is kept. */
  readonly kept: number | undefined;
}

// (module (import "h" "f" (func (param i32 i64 i64 i32 i32))) (export "f" (func 0)))
// deno-fmt-ignore
const HOOK = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  1, 9, 1, 0x60, 5, 0x7f, 0x7e, 0x7e, 0x7f, 0x7f, 0,
  2, 7, 1, 1, 0x68, 1, 0x66, 0, 0,
  7, 5, 1, 1, 0x66, 0, 0,
]);
let hook: WebAssembly.Module | undefined;

/**
 * Where the hook stands in the runtime, as an address: right behind the handler of interrupts and
 * its argument, so `enable`, which sets that handler and nothing else, shows the place.
 */
export function findHook(
  memory: WebAssembly.Memory,
  { runtime, enable }: { readonly runtime: number; readonly enable: () => void },
): number {
  const words = () => new Uint32Array(memory.buffer, runtime, RUNTIME_WORDS).slice();
  const before = words();
  enable();
  const after = words();
  const changed = Array.from(after.keys()).filter((at) => after[at] !== before[at]);
  const at = changed[0];
  if (changed.length !== 1 || before[at!] !== 0 || after[at! + 2] !== 0 || after[at! + 3] !== 0) {
    throw new AppError("integrity", "Engine's runtime is not laid out as it should be");
  }
  return runtime + 4 * (at! + 2);
}

/** Fills the hook of an engine, at the address that `findHook` gave. */
export function trackRejections(hookAt: number, source: RejectionSource): Rejections {
  const { memory, table, scratch } = source;
  const open = new Map<number, Rejection>();
  let last: Rejection | undefined;
  let collected = 0;
  let others = 0;
  let kept = 0;
  function remove(rejection: Rejection | undefined): void {
    if (rejection === undefined || !open.delete(rejection.key)) return;
    if (rejection.kept === undefined) return;
    kept--;
    source.free(rejection.kept);
  }
  function keep(reason: bigint): number | undefined {
    if (kept >= MAX_KEPT_REASONS) return undefined;
    kept++;
    new DataView(memory.buffer).setBigUint64(scratch, BigInt.asUintN(64, reason), true);
    return source.keep(scratch);
  }
  const onRejection = (
    _context: number,
    promise: bigint,
    reason: bigint,
    isHandled: number,
  ): void => {
    source.onEvent();
    const key = Number(BigInt.asUintN(32, promise));
    const known = open.get(key);
    if (isHandled !== 0) {
      if (known === undefined) others = Math.max(0, others - 1);
      remove(known);
      return remove(known?.twin);
    }
    // A promise that was collected gives its address free, and stays counted.
    if (known !== undefined) {
      open.delete(key);
      known.key = -++collected;
      open.set(known.key, known);
    }
    if (open.size >= MAX_TRACKED) return void others++;
    const twin = last?.reason === reason ? last : undefined;
    last = { key, reason, twin, kept: keep(reason) };
    open.set(key, last);
  };
  hook ??= new WebAssembly.Module(HOOK);
  const { f } = new WebAssembly.Instance(hook, { h: { f: onRejection } }).exports;
  const slot = table.grow(1);
  table.set(slot, f as CallableFunction);
  new DataView(memory.buffer).setUint32(hookAt, slot, true);
  return {
    get count() {
      return open.size + others;
    },
    reasons: () => Array.from(open.values(), (one) => one.kept).filter((at) => at !== undefined),
  };
}
