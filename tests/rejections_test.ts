import assert from "node:assert/strict";
import { findHook, MAX_KEPT_REASONS, trackRejections } from "../src/rejections.ts";

const HOOK_AT = 64;
const [CONTEXT, UNUSED] = [0, 0];
const REJECTED = 0;
const HANDLED = 1;

// The engine's part: it calls whatever stands in the slot that the hook names.
function createEngine() {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 3 });
  const kept = new Map<number, bigint>();
  let next = 1000;
  let events = 0;
  const rejections = trackRejections(HOOK_AT, {
    memory,
    table,
    scratch: 8,
    onEvent: () => events++,
    keep(pointer) {
      kept.set(++next, new DataView(memory.buffer).getBigUint64(pointer, true));
      return next;
    },
    free: (pointer) => assert.ok(kept.delete(pointer)),
  });
  const slot = new DataView(memory.buffer).getUint32(HOOK_AT, true);
  const hook = table.get(slot) as CallableFunction;
  return {
    rejections,
    kept,
    eventCount: () => events,
    reject: (promise: bigint, reason: bigint) => hook(CONTEXT, promise, reason, REJECTED, UNUSED),
    handle: (promise: bigint, reason: bigint) => hook(CONTEXT, promise, reason, HANDLED, UNUSED),
    reasons: () => rejections.reasons().map((pointer) => kept.get(pointer)),
  };
}

Deno.test("trackRejections counts promises until they are handled, E-R8", () => {
  const { reject, handle, rejections, reasons, kept, eventCount } = createEngine();
  assert.equal(rejections.count, 0);
  reject(16n, 7n);
  reject(32n, 8n);
  assert.deepEqual([rejections.count, reasons()], [2, [7n, 8n]]);
  handle(16n, 7n);
  assert.deepEqual([rejections.count, reasons()], [1, [8n]]);
  assert.deepEqual([kept.size, eventCount()], [1, 3]);
});

Deno.test("trackRejections tells a promise from one that had its address before", () => {
  const { reject, handle, rejections, reasons } = createEngine();
  reject(16n, 7n);
  reject(16n, 8n);
  assert.equal(rejections.count, 2);
  handle(16n, 8n);
  assert.deepEqual([rejections.count, reasons()], [1, [7n]]);
});

Deno.test("trackRejections forgets the engine's own promise of a module that throws", () => {
  const { reject, handle, rejections } = createEngine();
  reject(16n, 7n);
  reject(32n, 7n);
  handle(32n, 7n);
  assert.equal(rejections.count, 0);
});

Deno.test("trackRejections keeps few reasons and counts any number of promises", () => {
  const { reject, handle, rejections, reasons, kept } = createEngine();
  for (let n = 1; n <= 12_000; n++) reject(BigInt(16 * n), BigInt(n));
  assert.equal(rejections.count, 12_000);
  assert.deepEqual(reasons(), [1n, 2n, 3n, 4n, 5n].slice(0, MAX_KEPT_REASONS));
  for (let n = 1; n <= 12_000; n++) handle(BigInt(16 * n), BigInt(n));
  assert.deepEqual([rejections.count, kept.size], [0, 0]);
});

Deno.test("findHook finds the words behind the one that was set, and refuses another layout", () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const words = new Uint32Array(memory.buffer);
  words.fill(5, 0, 30);
  const enable = () => void (words[33] = 9);
  assert.equal(findHook(memory, { runtime: 0, enable }), 4 * 35);
  const refused = (change: () => void) =>
    assert.throws(() => findHook(memory, { runtime: 0, enable: change }), { kind: "integrity" });
  refused(() => {});
  refused(() => void (words[3] = 9));
  refused(() => words.fill(8, 40, 42));
  words[52] = 1;
  refused(() => void (words[50] = 9));
});
