// One fresh QuickJS instance: metered, with a hard cap on its memory, reached by text alone.
// Never lets a value of the guest be inspected by the host, and never reuses an instance in which
// anything but a guest value was thrown.

import { AppError } from "./errors.ts";
import { type EngineFunctions, type EngineInstance, loadGlue } from "./loader.ts";
import { type EngineImage, pagesToKeep, usedPages } from "./engine_image.ts";
import { FUEL_AT_START, FUEL_EXPORT, TABLE_EXPORT } from "./fuel.ts";
import { findHook, type Rejections, trackRejections } from "./rejections.ts";

/** Native units between two questions of the engine: about 10 ms. */
const SLICE = FUEL_AT_START;
/** The interpreter asks once in this many jumps and calls; its own constant. */
const UNITS_PER_POLL = 10_000;
const PAGE_BYTES = 65_536;
const INITIAL_PAGES = 256;
/** The engine's import that grows its memory, under the short name its build gave it. */
const GROW_IMPORT = "k";
/** What the metering calls the interrupt import with. */
const NATIVE_TICK = -1;
/** What a full memory still has to give, else the guest has no chance to do without. */
const LITTLE_BYTES = 1024 * 1024;
const REFUSED_NAME = "refused:/";
/** What the host's part in one rejected promise costs. */
const REJECTION_UNITS = 20;
// Where the engine keeps its innermost frame, in bytes: before the hook for rejections. A frame begins
// with the outer one, and then has its function, whose class tells what is native.
const FRAME_BEFORE_HOOK = 12;
const FUNCTION_IN_FRAME = 8;
const CLASS_IN_OBJECT = 6;
const NATIVE_CLASS = 12;
/** Three arguments of a call, and eight bytes for a value. */
const ARGV_BYTES = 3 * 4 + 4 + 8;

/** Answers an engine's questions. What these throw ends the instance; the guest cannot catch it. */
export interface EngineHost {
  /** The guest's prelude calls; an answer of `undefined` is the guest's undefined. */
  call(kind: number, id: number, text: GuestText): string | undefined;
  /** The full name of the module that `specifier` means in the module `base`. */
  resolve(specifier: string, base: string): ModuleAnswer;
  /** The JavaScript source of the module of that full name. */
  load(name: string): ModuleAnswer;
  /**
   * Asked every now and then while the guest computes: true interrupts it so that no handler of
   * the guest runs, where it is at its own code.
   */
  interrupts(moment: Moment): boolean;
}

/**
 * What the guest is at: its own code, native code that cannot be interrupted, or between the two in
 * a job, where an interrupt would end the job without a trace of whose it was.
 */
export type Moment = "code" | "native" | "job";

/** A module's name or source, or the message of the error that the guest gets instead. */
export type ModuleAnswer = { readonly ok: string } | { readonly error: string };

/** A text of the guest, read only when its size is acceptable. */
export interface GuestText {
  /** Size as UTF-8. */
  readonly bytes: number;
  read(): string;
}

/** What engines are made of. */
export interface EngineOptions {
  /** From `loadEngineFiles`. */
  readonly module: WebAssembly.Module;
  /** Their stack in bytes. */
  readonly stack: number;
  /** Source of a function that takes the host's function and gives the one which `send` calls. */
  readonly prelude: string;
  /** The file name of the prelude in stack traces. */
  readonly preludeName: string;
  /** Modules that every engine has, by full name; no host is asked for them. */
  readonly builtIns: ReadonlyMap<string, string>;
  /** What `captureImage` made of the rest: then no engine runs the prelude. */
  readonly image?: EngineImage | undefined;
}

/** Makes engines that differ in nothing but their guests. */
export interface EngineMaker {
  /** A fresh engine in which only the prelude has run; `memory` is its cap in bytes, whole pages. */
  start(memory: number): Promise<Engine>;
}

/** A JavaScript engine with one guest in it. */
export interface Engine {
  /** Who answers; must be set before the first `send`. */
  host: EngineHost | undefined;
  /** Units spent since the prelude ran: the same number for the same program. */
  readonly fuel: number;
  /** Size of the linear memory in bytes; it never shrinks. */
  readonly memory: number;
  /** Whether the cap refused memory at least once. */
  readonly refusedMemory: boolean;
  /** Adds the cost of work that the host does for the guest. */
  charge(units: number): void;
  /** Calls the prelude's receiver; false when it threw. */
  send(kind: number, id: number, text: string): boolean;
  /** Runs at most `count` jobs; false when none is left. */
  runJobs(count: number): boolean;
  /** Promises that are rejected and handled by nobody. */
  readonly unhandled: number;
  /** Calls the prelude's receiver with what the first of those promises were rejected with. */
  sendUnhandled(kind: number): void;
}

/** The cap on the memory is met, and the guest cannot go on. */
export class NoMemory extends Error {
  override readonly name = "NoMemory";
}

/**
 * A maker of engines. The first runs the prelude; the second too, and its memory is kept: all later
 * ones start from a copy of that, which takes a tenth of the time and gives the same engine.
 */
export function createEngineMaker(options: EngineOptions): EngineMaker {
  let started = 0;
  let image = options.image as MemoryImage | undefined;
  return {
    async start(memory) {
      const parts = await instantiate(options.module, memory);
      const { builtIns } = options;
      if (image !== undefined) return new QuickJs(parts, { image, builtIns });
      if (started++ === 0) return new QuickJs(parts, { options, builtIns });
      const { engine, image: made } = await startAndKeep(parts, options);
      image = made;
      return engine;
    },
  };
}

/** The memory of an engine in which only the prelude has run; `memory` as for `start`. */
export async function captureImage(options: EngineOptions, memory: number): Promise<EngineImage> {
  return (await startAndKeep(await instantiate(options.module, memory), options)).image;
}

async function startAndKeep(
  parts: Parts,
  options: EngineOptions,
): Promise<{ engine: QuickJs; image: MemoryImage }> {
  const before = await usedPages(parts.memory);
  const engine = new QuickJs(parts, { options, builtIns: options.builtIns });
  const { handles } = engine;
  return { engine, image: { handles, pages: await pagesToKeep(parts.memory, before) } };
}

/** Pointers into the memory; the same wherever that memory is copied to. */
type Handles = {
  readonly argv: number;
  /** Where the runtime's hook for rejected promises stands. */
  readonly hook: number;
  readonly runtime: Runtime;
  readonly context: Context;
  readonly receiver: Value;
};

type MemoryImage = EngineImage & { readonly handles: Handles };

interface Parts {
  readonly instance: EngineInstance;
  readonly ffi: EngineFunctions;
  readonly memory: WebAssembly.Memory;
  readonly counter: WebAssembly.Global;
  readonly table: WebAssembly.Table;
  readonly state: { refused: boolean };
}

async function instantiate(module: WebAssembly.Module, memoryBytes: number): Promise<Parts> {
  const { glue, functions } = await (loading ??= loadGlue());
  const memory = new WebAssembly.Memory({
    initial: INITIAL_PAGES,
    maximum: memoryBytes / PAGE_BYTES,
  });
  const state = { refused: false };
  let exported: WebAssembly.Exports = {};
  const instance = await glue({
    wasmMemory: memory,
    instantiateWasm(imports, done) {
      const env = imports.a as Record<string, (size: number) => unknown>;
      const grow = env[GROW_IMPORT]!;
      env[GROW_IMPORT] = (size) => {
        if (grow(size)) return true;
        state.refused = true;
        // A large wish can be refused. Where even little has no room the engine itself would be
        // at a loss: its own code does not check every small allocation.
        if ((size >>> 0) - memory.buffer.byteLength < LITTLE_BYTES) throw new NoMemory();
        return false;
      };
      const made = new WebAssembly.Instance(module, imports);
      exported = made.exports;
      done(made);
    },
    print: () => {},
    printErr: () => {},
  });
  const { [FUEL_EXPORT]: counter, [TABLE_EXPORT]: table } = exported;
  if (!(counter instanceof WebAssembly.Global && table instanceof WebAssembly.Table)) {
    throw new AppError("integrity", "Engine module is not metered");
  }
  return { instance, ffi: new functions(instance), memory, state, counter, table };
}

let loading: ReturnType<typeof loadGlue> | undefined;

type Runtime = ReturnType<EngineFunctions["QTS_NewRuntime"]>;
type Context = ReturnType<EngineFunctions["QTS_NewContext"]>;
type Value = ReturnType<EngineFunctions["QTS_NewObject"]>;
type HeapText = Parameters<EngineFunctions["QTS_NewString"]>[1];

type Origin =
  & { readonly builtIns: ReadonlyMap<string, string> }
  & (
    | { readonly options: EngineOptions }
    | { readonly image: MemoryImage }
  );

class QuickJs implements Engine {
  host: EngineHost | undefined;
  readonly #instance: EngineInstance;
  readonly #ffi: EngineFunctions;
  readonly #parts: Parts;
  readonly handles: Handles;
  readonly #runtime: Runtime;
  readonly #context: Context;
  readonly #malloc: (size: number) => number;
  readonly #builtIns: ReadonlyMap<string, string>;
  readonly #rejections: Rejections;
  readonly #refused = new Map<string, ModuleAnswer>();
  #refusals = 0;
  #polls = 0;
  #native = 0;
  #charged = 0;
  #base = 0;

  constructor(parts: Parts, from: Origin) {
    const { instance, ffi } = parts;
    this.#instance = instance;
    this.#ffi = ffi;
    this.#parts = parts;
    this.#builtIns = from.builtIns;
    const malloc = instance._malloc.bind(instance) as (size: number) => number;
    this.#malloc = (size) => {
      const pointer = malloc(size);
      // The library would write to address 0 and so over the engine's own data.
      if (pointer === 0) throw new NoMemory();
      return pointer;
    };
    instance._malloc = this.#malloc as typeof instance._malloc;
    instance.callbacks = {
      callFunction: (_: unknown, _context: unknown, _self: unknown, _argc: unknown, argv: Value) =>
        this.#onCall(argv),
      shouldInterrupt: (_: unknown, runtime: number) => this.#onInterrupt(runtime),
      loadModuleSource: (_: unknown, _runtime: unknown, _context: unknown, name: string) =>
        this.#load(name),
      normalizeModule: (
        _: unknown,
        _runtime: unknown,
        _context: unknown,
        base: string,
        specifier: string,
      ) => this.#resolve(specifier, base),
      freeHostRef: () => {},
    } as unknown as typeof instance.callbacks;

    if ("image" in from) {
      this.handles = from.image.handles;
      this.#runtime = this.handles.runtime;
      this.#context = this.handles.context;
      for (const { at, bytes } of from.image.pages) instance.HEAPU8.set(bytes, at);
    } else {
      const argv = this.#malloc(ARGV_BYTES);
      const runtime = this.#runtime = ffi.QTS_NewRuntime();
      ffi.QTS_RuntimeSetMaxStackSize(runtime, from.options.stack);
      const hook = findHook(parts.memory, {
        runtime,
        enable: () => ffi.QTS_RuntimeEnableInterruptHandler(runtime),
      });
      ffi.QTS_RuntimeEnableModuleLoader(runtime, 1);
      const context = this.#context = ffi.QTS_NewContext(runtime, 0 as never);
      const receiver = this.#runPrelude(from.options, argv);
      this.handles = { argv, hook, runtime, context, receiver };
      while (this.runJobs(1));
    }
    this.#rejections = this.#trackRejections();
    // Whether the prelude ran here or in the engine of the image, ticks come at the same places.
    this.#parts.counter.value = SLICE;
    this.#base = this.#units();
  }

  get fuel(): number {
    return this.#units() - this.#base;
  }

  get memory(): number {
    return this.#parts.memory.buffer.byteLength;
  }

  get refusedMemory(): boolean {
    return this.#parts.state.refused;
  }

  charge(units: number): void {
    this.#charged += units;
  }

  send(kind: number, id: number, text: string): boolean {
    const ffi = this.#ffi;
    const values = [
      ffi.QTS_NewFloat64(this.#context, kind),
      ffi.QTS_NewFloat64(this.#context, id),
      this.#newString(text),
    ];
    const result = this.#invoke(this.handles.receiver, { argv: this.handles.argv, values });
    for (const value of values) ffi.QTS_FreeValuePointer(this.#context, value);
    return this.#isValue(result);
  }

  runJobs(count: number): boolean {
    const ffi = this.#ffi;
    // What a job throws is of no use: promises take the guest's errors.
    const result = ffi.QTS_ExecutePendingJob(this.#runtime, count, this.handles.argv as never);
    ffi.QTS_FreeValuePointer(this.#context, result);
    return ffi.QTS_IsJobPending(this.#runtime) !== 0;
  }

  get unhandled(): number {
    return this.#rejections.count;
  }

  sendUnhandled(kind: number): void {
    const ffi = this.#ffi;
    this.#rejections.reasons().forEach((reason, index) => {
      const values = [
        ffi.QTS_NewFloat64(this.#context, kind),
        ffi.QTS_NewFloat64(this.#context, index),
        reason as Value,
      ];
      this.#isValue(this.#invoke(this.handles.receiver, { argv: this.handles.argv, values }));
    });
  }

  #trackRejections(): Rejections {
    const ffi = this.#ffi;
    const { argv, hook } = this.handles;
    const { memory, table } = this.#parts;
    return trackRejections(hook, {
      memory,
      table,
      scratch: argv + ARGV_BYTES - 8,
      onEvent: () => {
        this.#charged += REJECTION_UNITS;
      },
      keep: (pointer) => ffi.QTS_DupValuePointer(this.#context, pointer as Value),
      free: (pointer) => ffi.QTS_FreeValuePointer(this.#context, pointer as Value),
    });
  }

  #runPrelude(options: EngineOptions, argv: number): Value {
    const ffi = this.#ffi;
    const code = this.#write(options.prelude);
    const make = ffi.QTS_Eval(
      this.#context,
      code.pointer as HeapText,
      code.bytes,
      options.preludeName,
      0 as never,
      0 as never,
    );
    const host = ffi.QTS_NewFunction(this.#context, "", 3, false, 1 as never);
    const receiver = this.#invoke(make, { argv, values: [host] });
    if (!this.#isValue(receiver, true)) throw new Error("Prelude failed");
    return receiver;
  }

  #units(): number {
    return this.#polls * UNITS_PER_POLL + this.#native + this.#charged + SLICE -
      (this.#parts.counter.value as number);
  }

  #onInterrupt(runtime: number): number {
    const native = runtime === NATIVE_TICK;
    if (native) {
      this.#native += SLICE - (this.#parts.counter.value as number);
      this.#parts.counter.value = SLICE;
    } else this.#polls++;
    if (this.host === undefined) return 0;
    const moment = native ? "native" : this.#isInCode() ? "code" : "job";
    if (!this.host.interrupts(moment)) return 0;
    // 10,000 polls on, a loop would be at the same place again. Three calls are 15 more, and 10,015
    // has no factor in common with the length of most loops: the next polls see all of it.
    if (moment === "job") { for (let call = 0; call < 3; call++) this.send(0, 0, ""); }
    return moment === "code" ? 1 : 0;
  }

  // Outside of it are no frame at all and a lone one of a native function, as what goes on after an
  // `await` has, or settles a promise.
  #isInCode(): boolean {
    const view = new DataView(this.#parts.memory.buffer);
    const frame = view.getUint32(this.handles.hook - FRAME_BEFORE_HOOK, true);
    if (frame === 0) return false;
    if (view.getUint32(frame, true) !== 0) return true;
    const running = view.getUint32(frame + FUNCTION_IN_FRAME, true);
    return view.getUint16(running + CLASS_IN_OBJECT, true) !== NATIVE_CLASS;
  }

  #onCall(argv: Value): Value | 0 {
    const ffi = this.#ffi;
    const context = this.#context;
    const argument = (index: number) => ffi.QTS_ArgvGetJSValueConstPointer(argv, index);
    const pointer = ffi.QTS_GetString(context, argument(2));
    if (pointer === 0) throw new NoMemory();
    const heap = this.#instance.HEAPU8;
    const end = heap.indexOf(0, pointer);
    try {
      const answer = this.host!.call(
        ffi.QTS_GetFloat64(context, argument(0)),
        ffi.QTS_GetFloat64(context, argument(1)),
        { bytes: end - pointer, read: () => decoder.decode(heap.subarray(pointer, end)) },
      );
      return answer === undefined ? 0 : this.#newString(answer);
    } finally {
      ffi.QTS_FreeCString(context, pointer);
    }
  }

  // The library would copy a name from address 0, so a refusal becomes a name that never loads.
  #resolve(specifier: string, base: string): number {
    if (this.#builtIns.has(specifier)) return this.#write(specifier).pointer;
    const answer = this.host!.resolve(specifier, base);
    if ("ok" in answer) return this.#write(answer.ok).pointer;
    const name = `${REFUSED_NAME}${++this.#refusals}`;
    this.#refused.set(name, answer);
    return this.#write(name).pointer;
  }

  #load(name: string): number {
    const refused = this.#refused.get(name);
    this.#refused.delete(name);
    const builtIn = this.#builtIns.get(name);
    if (builtIn !== undefined) return this.#write(builtIn).pointer;
    const answer = refused ?? this.host!.load(name);
    if ("ok" in answer) return this.#write(answer.ok).pointer;
    const ffi = this.#ffi;
    const error = ffi.QTS_NewError(this.#context);
    const key = this.#newString("message");
    const message = this.#newString(answer.error);
    ffi.QTS_SetProp(this.#context, error, key, message);
    ffi.QTS_FreeValuePointer(this.#context, ffi.QTS_Throw(this.#context, error));
    for (const value of [error, key, message]) ffi.QTS_FreeValuePointer(this.#context, value);
    return 0;
  }

  #invoke(target: Value, { argv, values }: { argv: number; values: readonly Value[] }): Value {
    new Uint32Array(this.#parts.memory.buffer, argv, values.length).set(values);
    const nobody = this.#ffi.QTS_GetUndefined();
    return this.#ffi.QTS_Call(this.#context, target, nobody, values.length, argv as never);
  }

  #isValue(value: Value, keep = false): boolean {
    const error = this.#ffi.QTS_ResolveException(this.#context, value);
    if (error !== 0) this.#ffi.QTS_FreeValuePointer(this.#context, error);
    else if (!keep) this.#ffi.QTS_FreeValuePointer(this.#context, value);
    return error === 0;
  }

  #newString(text: string): Value {
    const { pointer } = this.#write(text);
    const value = this.#ffi.QTS_NewString(this.#context, pointer as HeapText);
    this.#instance._free(pointer as never);
    return value;
  }

  #write(text: string): { pointer: number; bytes: number } {
    // Three bytes a unit are the most; a second pass finds the size where that would be wasteful.
    const space = text.length < 1024 ? text.length * 3 : this.#instance.lengthBytesUTF8(text);
    const pointer = this.#malloc(space + 1);
    const heap = this.#instance.HEAPU8;
    const { written } = encoder.encodeInto(text, heap.subarray(pointer, pointer + space));
    heap[pointer + written] = 0;
    return { pointer, bytes: written };
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
