import assert from "node:assert/strict";
import { FUEL_AT_START, FUEL_EXPORT, meterModule, TABLE_EXPORT } from "../src/fuel.ts";

const I32 = 0x7f;

interface Parts {
  readonly body: readonly number[];
  readonly importName?: string;
  readonly table?: boolean;
}

// A module with the import `a.i`, a memory, and two functions: `body` exported as `f` with one
// parameter, and a larger one that stands for the interpreter.
function buildModule({ body, importName = "i", table = false }: Parts): Uint8Array {
  const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
  const code = (bytes: readonly number[]) => [bytes.length + 2, 0, ...bytes, 0x0b];
  // A loop over nearly all of it, with a small one inside.
  const largest = [0x03, 0x40, ...Array(100).fill(0x01), 0x03, 0x40, 0x0b, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 2, 0x60, 1, I32, 1, I32, 0x60, 1, I32, 0),
    ...section(2, 1, 1, 0x61, 1, importName.charCodeAt(0), 0, 0),
    ...section(3, 2, 1, 1),
    ...(table ? section(4, 1, 0x70, 0, 3) : []),
    ...section(5, 1, 0, 1),
    ...section(6, 1, I32, 0, 0x41, 0, 0x0b),
    ...section(7, 1, 1, 0x66, 0, 1),
    ...section(10, 2, ...code(body), ...code(largest)),
  ]);
}

// loop: take 1 from the parameter; again while it is not 0.
const COUNT_DOWN = [0x03, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b];
// memory.fill(0, 0, parameter)
const FILL = [0x41, 0, 0x41, 0, 0x20, 0, 0xfc, 0x0b, 0];

function start(bytes: BufferSource, interrupt: (from: number) => number) {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { a: { i: interrupt } });
  return {
    run: instance.exports.f as (n: number) => void,
    counter: instance.exports[FUEL_EXPORT] as WebAssembly.Global,
  };
}

Deno.test("meterModule takes one unit for each turn of a loop", () => {
  const { run, counter } = start(meterModule(buildModule({ body: COUNT_DOWN })), () => 0);
  assert.equal(counter.value, FUEL_AT_START);
  run(1000);
  assert.equal(counter.value, FUEL_AT_START - 1000);
});

Deno.test("meterModule takes one unit for every 64 bytes of bulk memory", () => {
  // A loop is there as well, because a module without one is refused.
  const body = [...FILL, 0x03, 0x40, 0x0b];
  const { run, counter } = start(meterModule(buildModule({ body })), () => 0);
  run(6400);
  assert.equal(counter.value, FUEL_AT_START - 100 - 1);
});

Deno.test("meterModule asks the import with -1 below zero, and its throw ends the loop", () => {
  const bytes = meterModule(buildModule({ body: COUNT_DOWN }));
  const asked: number[] = [];
  const { run, counter } = start(bytes, (from) => {
    asked.push(from);
    if (asked.length === 3) throw new Error("enough");
    counter.value = 10;
    return 0;
  });
  assert.throws(() => run(0), { message: "enough" });
  assert.deepEqual(asked, [-1, -1, -1]);
});

Deno.test("meterModule traps when the import wants to stop", () => {
  const bytes = meterModule(buildModule({ body: COUNT_DOWN }));
  const { run } = start(bytes, () => 1);
  assert.throws(() => run(0), WebAssembly.RuntimeError);
});

Deno.test("meterModule exports the table of a module that has one", () => {
  const exportsOf = (table: boolean) =>
    WebAssembly.Module.exports(
      new WebAssembly.Module(
        meterModule(buildModule({ body: COUNT_DOWN, table })),
      ),
    ).map(({ name }) => name);
  assert.deepEqual(exportsOf(true), ["f", FUEL_EXPORT, TABLE_EXPORT]);
  assert.deepEqual(exportsOf(false), ["f", FUEL_EXPORT]);
});

Deno.test("meterModule refuses what it does not know", () => {
  const refused = (bytes: Uint8Array, what: RegExp) =>
    assert.throws(() => meterModule(bytes), { kind: "integrity", message: what });
  refused(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), /no module/);
  refused(buildModule({ body: [0xfd, 0x0c] }), /opcode 0xfd/);
  refused(buildModule({ body: [0x12, 0] }), /opcode 0x12/);
  refused(buildModule({ body: [0xfc, 0x08, 0, 0] }), /opcode 0xfc 8/);
  refused(buildModule({ body: COUNT_DOWN, importName: "x" }), /no interrupt import/);
  refused(buildModule({ body: COUNT_DOWN }).subarray(0, 60), /early end|another size/);
});
