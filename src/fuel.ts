// Rewrites a WebAssembly module so that native work counts: every loop takes one unit of an
// exported counter, bulk memory its size, and below zero the module asks its interrupt import.
// Never guesses: an opcode or section it does not know is an error.

import { AppError } from "./errors.ts";

/** The export that holds the units left, an i32: the host fills it again when asked. */
export const FUEL_EXPORT = "mcp_exec_fuel";

/** The export that holds the table of functions, of a module that has one of its own. */
export const TABLE_EXPORT = "mcp_exec_table";

/** Units in the counter at instantiation, enough for the module's own constructors. */
export const FUEL_AT_START = 1_000_000;

/**
 * The imported function of type `(i32) -> i32` that is asked with -1 when the units are gone, under
 * the short name that the engine's build gave it.
 */
const INTERRUPT = { module: "a", name: "i" };

const SECTION = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  global: 6,
  export: 7,
  code: 10,
} as const;
const LAST_SECTION = 12;
const I32 = 0x7f;
/** One unit for this many bytes copied or filled, as a power of two: about 10 ns either way. */
const BULK_SHIFT = 6;

/**
 * The same module with the counter. Of the largest function the loops that span most of it are left
 * alone: it is the interpreter, which polls by itself, and to charge every step would cost a fifth
 * of the speed. Its small loops count like all others: a step may walk a long chain of prototypes.
 */
export function meterModule(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  const reader = new Reader(wasm);
  if (reader.u32le() !== 0x6d736100 || reader.u32le() !== 1) {
    throw unknown("no module of version 1");
  }
  const parts: Uint8Array[] = [wasm.subarray(0, 8)];
  const types: { params: number; interrupt: boolean }[] = [];
  let interrupt = -1;
  let importedGlobals = 0;
  let functions: number[] = [];
  let counter = -1;
  let loops = 0;
  let exported = false;
  let tables = 0;

  while (reader.at < wasm.length) {
    const id = reader.byte();
    const size = reader.unsigned();
    const start = reader.at;
    let body: Uint8Array | undefined;
    if (id === SECTION.type) {
      reader.repeat(() => types.push(readType(reader)));
    } else if (id === SECTION.import) {
      const found = readImports(reader, types);
      interrupt = found.interrupt;
      importedGlobals = found.globals;
    } else if (id === SECTION.function) {
      functions = reader.repeat(() => reader.unsigned());
    } else if (id === SECTION.table) {
      tables = reader.unsigned();
      reader.at = start + size;
    } else if (id === SECTION.global) {
      const count = reader.unsigned();
      counter = importedGlobals + count;
      const rest = wasm.subarray(reader.at, start + size);
      body = join([unsigned(count + 1), rest, [I32, 1, 0x41], signed(FUEL_AT_START), [0x0b]]);
      reader.at = start + size;
    } else if (id === SECTION.export) {
      const count = reader.unsigned();
      const rest = wasm.subarray(reader.at, start + size);
      const added = [exportEntry(FUEL_EXPORT, [3, ...unsigned(counter)])];
      if (tables > 0) added.push(exportEntry(TABLE_EXPORT, [1, 0]));
      body = join([unsigned(count + added.length), rest, ...added]);
      exported = counter >= 0;
      reader.at = start + size;
    } else if (id === SECTION.code) {
      if (interrupt < 0 || !exported) throw unknown("no interrupt import, globals or exports");
      const bodies = reader.repeat(() => {
        const length = reader.unsigned();
        reader.at += length;
        return { start: reader.at - length, end: reader.at };
      });
      if (bodies.length !== functions.length) throw unknown("functions without bodies");
      const largest = bodies.reduce((best, one) =>
        one.end - one.start > best.end - best.start ? one : best
      );
      const written = bodies.map((one, index) => {
        const type = types[functions[index]!];
        if (type === undefined) throw unknown("a function without a type");
        const rewriter = new Rewriter(wasm, one, { params: type.params, counter, interrupt });
        const code = rewriter.run(one === largest);
        loops += rewriter.loops;
        return join([unsigned(code.length), code]);
      });
      body = join([unsigned(bodies.length), ...written]);
    } else {
      if (id > LAST_SECTION) throw unknown(`section ${id}`);
      reader.at = start + size;
    }
    if (reader.at !== start + size) throw unknown(`section ${id} of another size`);
    body ??= wasm.subarray(start, start + size);
    parts.push(join([[id], unsigned(body.length), body]));
  }
  if (loops === 0) throw unknown("no loops");
  return join(parts);
}

function exportEntry(name: string, item: readonly number[]): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  return join([unsigned(bytes.length), bytes, item]);
}

function readType(reader: Reader): { params: number; interrupt: boolean } {
  if (reader.byte() !== 0x60) throw unknown("a type that is not a function");
  const params = reader.repeat(() => reader.byte());
  const results = reader.repeat(() => reader.byte());
  const interrupt = params.length === 1 && params[0] === I32 && results.length === 1 &&
    results[0] === I32;
  return { params: params.length, interrupt };
}

function readImports(
  reader: Reader,
  types: readonly { interrupt: boolean }[],
): { interrupt: number; globals: number } {
  const found = { interrupt: -1, globals: 0 };
  let functions = 0;
  reader.repeat(() => {
    const module = reader.name();
    const name = reader.name();
    const kind = reader.byte();
    if (kind === 0) {
      const type = types[reader.unsigned()];
      if (module === INTERRUPT.module && name === INTERRUPT.name) {
        if (type?.interrupt !== true) throw unknown("an interrupt import of another type");
        found.interrupt = functions;
      }
      functions++;
    } else if (kind === 1 || kind === 2) {
      if (kind === 1) reader.byte();
      const limits = reader.byte();
      reader.unsigned();
      if (limits === 1) reader.unsigned();
      else if (limits !== 0) throw unknown("shared or 64 bit memory");
    } else if (kind === 3) {
      reader.at += 2;
      found.globals++;
    } else throw unknown(`import kind ${kind}`);
  });
  return found;
}

interface RewriteOptions {
  readonly params: number;
  readonly counter: number;
  readonly interrupt: number;
}

// Copies one function body and puts the charges between its instructions.
class Rewriter {
  loops = 0;
  readonly #reader: Reader;
  readonly #check: readonly number[];
  readonly #counter: readonly number[];

  constructor(
    private readonly wasm: Uint8Array,
    private readonly body: { start: number; end: number },
    private readonly options: RewriteOptions,
  ) {
    this.#reader = new Reader(wasm);
    this.#reader.at = body.start;
    this.#counter = [...unsigned(options.counter)];
    // counter < 0 -> ask the import with -1; any answer but 0 ends the module.
    const call = [0x41, 0x7f, 0x10, ...unsigned(options.interrupt), 0x04, 0x40, 0x00, 0x0b];
    this.#check = [0x23, ...this.#counter, 0x41, 0x00, 0x48, 0x04, 0x40, ...call, 0x0b];
  }

  run(isInterpreter: boolean): Uint8Array {
    const reader = this.#reader;
    const groups: { count: number; type: number }[] = [];
    reader.repeat(() => groups.push({ count: reader.unsigned(), type: reader.byte() }));
    const first = reader.at;
    const dispatch = isInterpreter ? this.#longLoops() : NONE;
    reader.at = first;
    const local = groups.reduce((sum, group) => sum + group.count, this.options.params);
    const take = [0x6b, 0x24, ...this.#counter, ...this.#check];
    const loopCharge = [0x23, ...this.#counter, 0x41, 0x01, ...take];
    const index = [...unsigned(local)];
    const size = [0x20, ...index, 0x41, BULK_SHIFT, 0x76];
    const bulkCharge = [0x22, ...index, 0x23, ...this.#counter, ...size, ...take];

    const parts: (Uint8Array | readonly number[])[] = [];
    let copied = first;
    let isBulk = false;
    const insert = (at: number, code: readonly number[]) => {
      parts.push(this.wasm.subarray(copied, at), code);
      copied = at;
    };
    while (reader.at < this.body.end) {
      const at = reader.at;
      const kind = skipInstruction(reader);
      if (kind === "loop" && !dispatch.has(at)) {
        insert(reader.at, loopCharge);
        this.loops++;
      } else if (kind === "bulk") {
        insert(at, bulkCharge);
        isBulk = true;
      }
    }
    if (reader.at !== this.body.end) throw unknown("a body of another size");
    parts.push(this.wasm.subarray(copied, this.body.end));
    if (isBulk) groups.push({ count: 1, type: I32 });
    const locals = groups.flatMap((group) => [...unsigned(group.count), group.type]);
    return join([unsigned(groups.length), locals, ...parts]);
  }

  // Where the loops begin that are longer than half of the function.
  #longLoops(): ReadonlySet<number> {
    const { start, end } = this.body;
    const reader = this.#reader;
    const open: { readonly at: number; readonly isLoop: boolean }[] = [];
    const found = new Set<number>();
    while (reader.at < end) {
      const at = reader.at;
      const opcode = this.wasm[at]!;
      const isLoop = skipInstruction(reader) === "loop";
      if (opcode >= 0x02 && opcode <= 0x04) open.push({ at, isLoop });
      else if (opcode === 0x0b) {
        const block = open.pop();
        if (block?.isLoop && at - block.at > (end - start) / 2) found.add(block.at);
      }
    }
    return found;
  }
}

const NONE: ReadonlySet<number> = new Set();

function skipInstruction(reader: Reader): "loop" | "bulk" | undefined {
  const opcode = reader.byte();
  if (opcode === 0x02 || opcode === 0x03 || opcode === 0x04) { // block, loop, if
    reader.leb();
    return opcode === 0x03 ? "loop" : undefined;
  }
  if (opcode === 0x0e) { // br_table
    reader.repeat(() => reader.leb());
    reader.leb();
  } else if (opcode === 0x11) { // call_indirect
    reader.leb();
    reader.leb();
  } else if (opcode >= 0x28 && opcode <= 0x3e) { // loads and stores
    if (reader.unsigned() > 4) throw unknown("an alignment beyond 16 bytes");
    reader.leb();
  } else if (opcode === 0x43) reader.at += 4; // f32.const
  else if (opcode === 0x44) reader.at += 8; // f64.const
  else if (opcode === 0xfc) {
    const sub = reader.unsigned();
    if (sub === 10 || sub === 11) { // memory.copy, memory.fill
      reader.at += sub === 10 ? 2 : 1;
      return "bulk";
    }
    if (sub > 7) throw unknown(`opcode 0xfc ${sub}`);
  } else if (
    opcode === 0x0c || opcode === 0x0d || opcode === 0x10 || opcode === 0x3f || opcode === 0x40 ||
    opcode === 0x41 || opcode === 0x42 || (opcode >= 0x20 && opcode <= 0x24)
  ) reader.leb();
  else if (
    !(opcode <= 0x01 || opcode === 0x05 || opcode === 0x0b || opcode === 0x0f ||
      opcode === 0x1a || opcode === 0x1b || (opcode >= 0x45 && opcode <= 0xc4))
  ) throw unknown(`opcode 0x${opcode.toString(16)}`);
  return undefined;
}

class Reader {
  at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  byte(): number {
    const value = this.bytes[this.at++];
    if (value === undefined) throw unknown("an early end");
    return value;
  }

  u32le(): number {
    return (this.byte() | this.byte() << 8 | this.byte() << 16 | this.byte() << 24) >>> 0;
  }

  unsigned(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw unknown("a number of more than 32 bits");
  }

  leb(): void {
    let length = 1;
    while (this.byte() >= 0x80) if (++length > 10) throw unknown("a number of more than 64 bits");
  }

  name(): string {
    const length = this.unsigned();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }

  repeat<T>(read: () => T): T[] {
    const items: T[] = [];
    for (let left = this.unsigned(); left > 0; left--) items.push(read());
    return items;
  }
}

function unsigned(value: number): Uint8Array {
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value === 0 ? low : low | 0x80);
  } while (value !== 0);
  return Uint8Array.from(bytes);
}

function signed(value: number): Uint8Array {
  const bytes: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    const done = (value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return Uint8Array.from(bytes);
  }
}

function join(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

function unknown(what: string): AppError {
  return new AppError("integrity", `Engine module cannot be metered: it has ${what}`);
}
