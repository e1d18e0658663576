// The worker's side of runs: a fresh engine each, its limits, its timers and its log. It has no
// permission; what a program asks for goes to the main thread as text.

import {
  createEngineMaker,
  type Engine,
  type EngineHost,
  type EngineMaker,
  type GuestText,
  NoMemory,
} from "./engine.ts";
import { AppError, type ErrorDocument, toAppError } from "./errors.ts";
import {
  formatBytes,
  GUEST_STACK_BYTES,
  MAX_HOST_CALLS,
  MAX_LOG_BYTES,
  MAX_LOG_LINES,
  MAX_OUTPUT_BYTES,
  MAX_PARAMS_BYTES,
  MAX_TIMERS,
  type RunLimits,
} from "./limits.ts";
import { createModules, type GuestModules } from "./modules.ts";
import {
  type CallFailure,
  type GuestFailure,
  LOG_LEVELS,
  PRELUDE,
  PRELUDE_NAME,
  ToGuest,
  ToHost,
} from "./prelude.ts";
import { prepareSource } from "./source.ts";
import { cleanLine } from "./text.ts";

/** One line that a program wrote with `console` or `log`; the text is the guest's, not cleaned. */
export interface LogEntry {
  readonly level: (typeof LOG_LEVELS)[number];
  readonly text: string;
}

/** A program as it crosses to the worker. */
export interface GuestProgram {
  readonly source: string;
  readonly path: string;
  readonly entry: string;
  /** What a result that is a function is called with, as JSON. */
  readonly args: string | undefined;
  readonly files: ReadonlyMap<string, string>;
  readonly limits: RunLimits;
}

/** What the main thread sends. */
export type ToWorker =
  | { readonly type: "engine"; readonly module: WebAssembly.Module; readonly memory: number }
  | {
    readonly type: "run";
    readonly run: number;
    readonly program: GuestProgram;
    /** One number that is not 0 once the run must stop, whatever the guest is doing. */
    readonly flag: Int32Array;
  }
  | { readonly type: "answer"; readonly run: number; readonly id: number; readonly json: string }
  | {
    readonly type: "refuse";
    readonly run: number;
    readonly id: number;
    readonly failure: CallFailure;
  }
  | { readonly type: "stop"; readonly run: number }
  | {
    readonly type: "imports";
    readonly request: number;
    readonly source: string;
    readonly path: string;
  };

/** What a run ended with, as it crosses back. */
export interface GuestReport {
  readonly ok: boolean;
  /** The result as JSON; absent when there is none. */
  readonly json?: string;
  readonly error?: ErrorDocument;
  /** The call whose error the program did not catch. */
  readonly call?: number;
  readonly fuel: number;
  readonly memory: number;
  readonly ms: number;
  readonly truncated: string[];
  readonly warnings: string[];
}

/** What the worker sends. */
export type FromWorker =
  | {
    readonly type: "call";
    readonly run: number;
    readonly id: number;
    readonly name: string;
    readonly json: string;
  }
  | { readonly type: "log"; readonly run: number; readonly entries: LogEntry[] }
  | { readonly type: "done"; readonly run: number; readonly report: GuestReport }
  | {
    readonly type: "imports";
    readonly request: number;
    readonly imports?: readonly string[];
    readonly error?: ErrorDocument;
  };

const MAX_URL_BYTES = 64 * 1024;
const MAX_WARNINGS = 20;
const JOBS_PER_TURN = 256;
const LOG_LINES_PER_MESSAGE = 64;
const URL_PARTS = [
  ...["href", "protocol", "username", "password", "host", "hostname", "port", "pathname"],
  ...["search", "hash"],
] as const;

type StopReason = "fuel" | "wall" | "calls" | "host calls" | "timers" | "output" | "cancelled";
type Outcome =
  | { readonly json: string | undefined }
  | { readonly failure: GuestFailure }
  | { readonly exports: readonly string[] };

type Timer = ReturnType<typeof setTimeout>;

/** Ends the engine from within; the guest cannot catch it. */
class Stop extends Error {}

class Run implements EngineHost {
  readonly #start: {
    readonly run: number;
    readonly program: GuestProgram;
    readonly flag: Int32Array;
  };
  readonly #limits: RunLimits;
  #modules: GuestModules | undefined;
  #engine: Engine | undefined;
  #started = 0;
  #deadline: Timer | undefined;
  #outcome: Outcome | undefined;
  #ended = false;
  #stop: StopReason | undefined;
  #interrupted = false;
  #grace = 1;
  #calls = 0;
  #hostCalls = 0;
  readonly #open = new Set<number>();
  readonly #timers = new Map<number, Timer>();
  #lines: LogEntry[] = [];
  #logLines = 0;
  #logBytes = 0;
  #lostLines = 0;
  readonly #warnings: string[] = [];

  constructor(start: { run: number; program: GuestProgram; flag: Int32Array }) {
    this.#start = start;
    this.#limits = start.program.limits;
  }

  async begin(retry = false): Promise<void> {
    const { program } = this.#start;
    try {
      this.#modules = createModules(program, retry ? "transform" : undefined);
      this.#engine = await takeEngine(this.#limits.memory);
    } catch (error) {
      return this.#end({ error: toAppError(error).toJSON() });
    }
    this.#engine.host = this;
    this.#started = performance.now();
    this.#deadline = setTimeout(() => this.#halt("wall"), this.#limits.wallMs);
    const args = program.args === undefined ? "[]" : `[${program.args}]`;
    const start = `{"entry":${JSON.stringify(program.entry)},"args":${args}}`;
    this.#turn((engine) => engine.send(ToGuest.start, randomSeed(), start));
  }

  answer(id: number, json: string): void {
    if (!this.#open.delete(id)) return;
    this.#turn((engine) => engine.send(ToGuest.answer, id, json));
  }

  refuse(id: number, failure: CallFailure): void {
    if (!this.#open.delete(id)) return;
    this.#turn((engine) => engine.send(ToGuest.refuse, id, JSON.stringify(failure)));
  }

  cancel(): void {
    this.#halt("cancelled");
  }

  interrupts(native: boolean): boolean {
    this.#stop ??= this.#due();
    if (this.#stop === undefined) return false;
    // First a polite interrupt, which tells where the program was; what swallows it is thrown out.
    if (!native && !this.#interrupted) return this.#interrupted = true;
    if (native && !this.#interrupted && this.#grace-- > 0) return false;
    throw new Stop();
  }

  resolve(specifier: string, base: string) {
    return this.#modules!.resolve(specifier, base);
  }

  load(name: string) {
    return this.#modules!.load(name);
  }

  call(kind: number, id: number, text: GuestText): string | undefined {
    if (this.#outcome !== undefined) return undefined;
    if (this.#stop !== undefined && kind !== ToHost.fail) return undefined;
    switch (kind) {
      case ToHost.call:
        return this.#onHostCall(id, text);
      case ToHost.done:
        return this.#onDone(id, text);
      case ToHost.fail:
        this.#outcome = { failure: JSON.parse(text.read()) };
        return undefined;
      case ToHost.log:
        return this.#onLog(id, text);
      case ToHost.timer:
        return this.#onTimer(id, Number(text.read()));
      case ToHost.clearTimer:
        clearTimeout(this.#timers.get(id));
        this.#timers.delete(id);
        return undefined;
      case ToHost.readFile:
        return this.#onRead(text, (path) => this.#modules!.read(path));
      case ToHost.listFiles:
        return this.#onRead(text, (path) => this.#modules!.list(path));
      case ToHost.url:
        return this.#onUrl(text);
      case ToHost.random:
        return this.#onRandom(id);
      case ToHost.now:
        return (performance.now() - this.#started).toFixed(2);
      case ToHost.warn:
        if (this.#warnings.length < MAX_WARNINGS) {
          this.#warnings.push(cleanLine(String(JSON.parse(text.read()))));
        }
    }
    return undefined;
  }

  #onHostCall(id: number, text: GuestText): string | undefined {
    if (text.bytes > MAX_PARAMS_BYTES) {
      const size = `${formatBytes(text.bytes)}, more than ${formatBytes(MAX_PARAMS_BYTES)}`;
      return JSON.stringify({ kind: "limit", message: `Request too large: ${size}` });
    }
    const body = text.read();
    const space = body.indexOf(" ");
    const name = body.slice(0, space);
    const over = name === "callTool"
      ? ++this.#calls > this.#limits.calls && "calls"
      : ++this.#hostCalls > MAX_HOST_CALLS && "host calls";
    if (over !== false) this.#abandon(over);
    this.#open.add(id);
    post({ type: "call", run: this.#start.run, id, name, json: body.slice(space + 1) });
    return undefined;
  }

  #onDone(code: number, text: GuestText): undefined {
    if (text.bytes > MAX_OUTPUT_BYTES) this.#abandon("output");
    this.#outcome = code === 2
      ? { exports: JSON.parse(text.read()) }
      : { json: code === 1 ? text.read() : undefined };
  }

  #onLog(level: number, text: GuestText): undefined {
    this.#logLines++;
    const left = MAX_LOG_BYTES - this.#logBytes;
    if (this.#logLines > MAX_LOG_LINES || left <= 0) {
      this.#lostLines++;
      return;
    }
    this.#logBytes += text.bytes;
    let line = String(JSON.parse(text.read()));
    if (text.bytes > left) {
      this.#lostLines++;
      line = `${line.slice(0, left)}...`;
    }
    this.#lines.push({ level: LOG_LEVELS[level] ?? "info", text: line });
    if (this.#lines.length >= LOG_LINES_PER_MESSAGE) this.#flush();
  }

  #onTimer(id: number, ms: number): undefined {
    if (this.#timers.size >= MAX_TIMERS) this.#abandon("timers");
    const fire = () => {
      this.#timers.delete(id);
      this.#turn((engine) => engine.send(ToGuest.timer, id, ""));
    };
    this.#timers.set(id, setTimeout(fire, Math.min(ms, 2 ** 31 - 1)));
  }

  #onRead(text: GuestText, read: (path: string) => string | string[]): string {
    try {
      if (text.bytes > MAX_URL_BYTES) throw new AppError("invalid", "Path is too long");
      const found = read(String(JSON.parse(text.read())));
      if (typeof found !== "string") return `[${JSON.stringify(found)}`;
      this.#engine!.charge(found.length >> 6);
      // Only what a C string holds may cross raw.
      const raw = !found.includes("\0") && found.isWellFormed();
      return raw ? `=${found}` : `"${JSON.stringify(found)}`;
    } catch (error) {
      return `!${JSON.stringify(toAppError(error).message)}`;
    }
  }

  #onUrl(text: GuestText): string | undefined {
    if (text.bytes > MAX_URL_BYTES) return undefined;
    this.#engine!.charge(100 + text.bytes);
    const [first, second, value] = JSON.parse(text.read()) as (string | undefined)[];
    try {
      const url = value === undefined ? new URL(first!, second ?? undefined) : new URL(first!);
      const part = URL_PARTS.find((name) => name === second);
      if (value !== undefined && part !== undefined) url[part] = value;
      const parts = Object.fromEntries(URL_PARTS.map((name) => [name, url[name]]));
      return JSON.stringify({ ...parts, origin: url.origin });
    } catch {
      return undefined;
    }
  }

  #onRandom(count: number): string {
    const bytes = crypto.getRandomValues(new Uint8Array(Math.min(Math.max(count, 0), 65_536)));
    this.#engine!.charge(bytes.length);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  #due(): StopReason | undefined {
    if (this.#engine!.fuel > this.#limits.fuel) return "fuel";
    if (Atomics.load(this.#start.flag, 0) !== 0) return "cancelled";
    return performance.now() - this.#started > this.#limits.wallMs ? "wall" : undefined;
  }

  #abandon(reason: StopReason): never {
    this.#stop ??= reason;
    throw new Stop();
  }

  #halt(reason: StopReason): void {
    this.#stop ??= reason;
    if (!this.#ended && this.#engine !== undefined) this.#end(this.#limitReport());
  }

  // Lets the guest go on until it has nothing to do, then ends the run or leaves it waiting.
  #turn(act: (engine: Engine) => boolean): void {
    const engine = this.#engine;
    if (this.#ended || engine === undefined) return;
    let fault: unknown;
    let whole = true;
    try {
      whole = act(engine);
      while (this.#outcome === undefined && engine.runJobs(JOBS_PER_TURN)) {
        this.#stop ??= this.#due();
        if (this.#stop !== undefined && !this.#interrupted) throw new Stop();
      }
    } catch (error) {
      fault = error;
    }
    this.#flush();
    const end = this.#judge(fault, whole);
    if (end !== undefined) this.#end(end);
  }

  #judge(fault: unknown, whole: boolean): Partial<GuestReport> | undefined {
    const engine = this.#engine!;
    if (this.#stop !== undefined) return this.#limitReport();
    if (fault !== undefined) {
      // Whatever is thrown through the engine's frames leaves it broken; it is never used again.
      if (fault instanceof NoMemory || engine.refusedMemory) return this.#memoryReport();
      if (fault instanceof RangeError) return this.#stackReport();
      return { error: new AppError("failure", "Sandbox engine failed", { cause: fault }).toJSON() };
    }
    const outcome = this.#outcome;
    if (outcome === undefined) {
      if (engine.refusedMemory && (!whole || this.#open.size + this.#timers.size === 0)) {
        return this.#memoryReport();
      }
      if (whole && this.#open.size + this.#timers.size > 0) return undefined;
      const error = new AppError("guest", "Program can never settle: nothing is left to wait for", {
        hint: "some promise it awaits is never resolved",
      });
      return { error: error.toJSON() };
    }
    if ("failure" in outcome) return this.#failureReport(outcome.failure);
    if ("exports" in outcome) return this.#missingExport(outcome.exports);
    if (this.#open.size > 0) {
      this.#warnings.push(
        `${this.#open.size} calls had not ended when the program did: await them`,
      );
    }
    return { ok: true, ...(outcome.json !== undefined && { json: outcome.json }) };
  }

  #failureReport(failure: GuestFailure): Partial<GuestReport> | undefined {
    const engine = this.#engine!;
    const { name, message, stack, call, internal } = failure;
    const noMemory = message === "null" || internal && message === "out of memory";
    if (engine.refusedMemory && noMemory) return this.#memoryReport();
    const place = this.#modules!.place(stack);
    if (internal && message === "stack overflow") return this.#stackReport(place);
    if (message.startsWith("Could not find export") && this.#isUntouched()) {
      return this.#retry();
    }
    const known = this.#modules!.failure(message);
    if (known !== undefined) return { error: known.toJSON() };
    const text = name === "" || call !== 0 ? message : `${name}: ${message}`;
    const error = new AppError("guest", cleanLine(text) || "Program failed", { ...place });
    return { error: error.toJSON(), ...(call !== 0 && { call }) };
  }

  // Nothing of the program ran yet: an import of a type may only need the other way to strip.
  #isUntouched(): boolean {
    return !this.#retried && this.#calls + this.#hostCalls + this.#logLines === 0;
  }

  #retried = false;
  #retry(): undefined {
    this.#retried = true;
    this.#outcome = undefined;
    clearTimeout(this.#deadline);
    this.#engine = undefined;
    this.begin(true);
  }

  #missingExport(names: readonly string[]): Partial<GuestReport> {
    const { entry } = this.#start.program;
    if (entry === "default") {
      this.#warnings.push('Program has no result: add "export default VALUE"');
      return { ok: true };
    }
    const known = names.length === 0 ? "it exports nothing" : `it exports ${names.join(", ")}`;
    const error = new AppError("guest", `Program has no export "${cleanLine(entry, 80)}"`, {
      hint: cleanLine(known),
    });
    return { error: error.toJSON() };
  }

  #limitReport(): Partial<GuestReport> {
    const reason = this.#stop!;
    const failure = this.#outcome !== undefined && "failure" in this.#outcome
      ? this.#modules!.place(this.#outcome.failure.stack)
      : undefined;
    if (reason === "cancelled") {
      return { error: new AppError("interrupted", "Run was interrupted", { ...failure }).toJSON() };
    }
    const { limit, value, message, hint } = this.#limitText(reason);
    const error = new AppError("limit", message, {
      ...failure,
      ...(hint !== undefined && { hint }),
      limit: { name: reason, limit, value },
    });
    return { error: error.toJSON() };
  }

  #limitText(
    reason: Exclude<StopReason, "cancelled">,
  ): { limit: number; value: number; message: string; hint?: string } {
    const { fuel, wallMs, calls } = this.#limits;
    switch (reason) {
      case "fuel":
        return {
          limit: fuel,
          value: this.#engine!.fuel,
          message: `Program used up its fuel of ${fuel} units`,
          hint: "an endless loop? else raise --fuel",
        };
      case "wall":
        return {
          limit: wallMs,
          value: Math.round(performance.now() - this.#started),
          message: `Program took longer than ${wallMs} ms`,
          hint: this.#open.size > 0
            ? `it was waiting for ${this.#open.size} calls; raise --timeout`
            : "raise --timeout",
        };
      case "calls":
        return {
          limit: calls,
          value: this.#calls,
          message: `Program made more than ${calls} tool calls`,
          hint: "raise --max-calls",
        };
      case "host calls":
        return {
          limit: MAX_HOST_CALLS,
          value: this.#hostCalls,
          message: `Program made more than ${MAX_HOST_CALLS} host calls`,
        };
      case "timers":
        return {
          limit: MAX_TIMERS,
          value: this.#timers.size + 1,
          message: `Program has more than ${MAX_TIMERS} timers`,
        };
      case "output":
        return {
          limit: MAX_OUTPUT_BYTES,
          value: MAX_OUTPUT_BYTES + 1,
          message: `Result is larger than ${formatBytes(MAX_OUTPUT_BYTES)}`,
          hint: "give back less: a summary, a count, the first entries",
        };
    }
  }

  #memoryReport(): Partial<GuestReport> {
    const { memory } = this.#limits;
    const error = new AppError("limit", `Program needs more memory than ${formatBytes(memory)}`, {
      hint: "raise --memory, or keep less at once",
      limit: { name: "memory", limit: memory, value: this.#engine!.memory },
    });
    return { error: error.toJSON() };
  }

  #stackReport(place?: object): Partial<GuestReport> {
    const size = formatBytes(GUEST_STACK_BYTES);
    const error = new AppError("limit", `Program recursed deeper than its stack of ${size}`, {
      ...place,
      limit: { name: "stack", limit: GUEST_STACK_BYTES },
    });
    return { error: error.toJSON() };
  }

  #flush(): void {
    if (this.#lines.length === 0) return;
    post({ type: "log", run: this.#start.run, entries: this.#lines });
    this.#lines = [];
  }

  #end(end: Partial<GuestReport>): void {
    this.#ended = true;
    clearTimeout(this.#deadline);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#flush();
    const engine = this.#engine;
    this.#engine = undefined;
    const lost = this.#lostLines;
    post({
      type: "done",
      run: this.#start.run,
      report: {
        ok: end.error === undefined,
        ...end,
        fuel: engine?.fuel ?? 0,
        memory: engine?.memory ?? 0,
        ms: this.#started === 0 ? 0 : performance.now() - this.#started,
        truncated: lost > 0 ? [`log: ${lost} lines were left out or cut`] : [],
        warnings: this.#warnings,
      },
    });
    if (current === this) current = undefined;
    prepareSpare(this.#limits.memory);
  }
}

// A number costs the guest the same fuel whatever it is, a text would not.
function randomSeed(): number {
  const [low, high] = crypto.getRandomValues(new Uint32Array(2));
  return (high! >>> 11) * 2 ** 32 + low!;
}

let engines: EngineMaker | undefined;
let spare: { readonly memory: number; readonly engine: Promise<Engine> } | undefined;
let current: Run | undefined;
let currentRun = 0;

// The next run's engine is made while nobody waits for it.
function prepareSpare(memory: number): void {
  const engine = engines!.start(memory);
  engine.catch(() => {});
  spare = { memory, engine };
}

function takeEngine(memory: number): Promise<Engine> {
  const ready = spare?.memory === memory ? spare.engine : engines!.start(memory);
  spare = undefined;
  return ready;
}

const scope = self as unknown as {
  postMessage(message: FromWorker): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
};

function post(message: FromWorker): void {
  scope.postMessage(message);
}

scope.onmessage = ({ data }) => {
  switch (data.type) {
    case "engine":
      engines = createEngineMaker({
        module: data.module,
        stack: GUEST_STACK_BYTES,
        prelude: PRELUDE,
        preludeName: PRELUDE_NAME,
      });
      return prepareSpare(data.memory);
    case "run":
      current = new Run(data);
      currentRun = data.run;
      return void current.begin();
    case "imports":
      return post({ type: "imports", request: data.request, ...readImports(data) });
  }
  if (data.run !== currentRun) return;
  if (data.type === "answer") current?.answer(data.id, data.json);
  else if (data.type === "refuse") current?.refuse(data.id, data.failure);
  else current?.cancel();
};

function readImports(
  { source, path }: { source: string; path: string },
): { imports: readonly string[] } | { error: ErrorDocument } {
  try {
    return { imports: prepareSource(source, { path }).imports };
  } catch (error) {
    return { error: toAppError(error).toJSON() };
  }
}
