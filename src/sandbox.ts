// Runs one agent-written program in a worker without permissions and gives back what it made.
// Knows nothing of servers, disks or processes: the caller's host functions are the only way out.

import { type EngineFiles, type EngineStore, loadEngineFiles } from "./asset.ts";
import { AppError, type ErrorDocument, toAppError } from "./errors.ts";
import type {
  FromWorker,
  GuestCall,
  GuestReport,
  HostAnswer,
  LogEntry,
  MissingFunction,
  ServerFunctions,
  ToWorker,
} from "./messages.ts";
import {
  formatBytes,
  MAX_CALLS_IN_FLIGHT,
  MAX_CONNECTING_MS,
  MAX_RESULT_BYTES,
  MAX_RUNS_PER_WORKER,
  MAX_WORKERS,
  RECYCLE_MEMORY_BYTES,
  type RunLimits,
} from "./limits.ts";
import { cleanLine } from "./text.ts";
import { after, createHolds, type Holds } from "./wall_clock.ts";

export type { EngineStore } from "./asset.ts";
export type { LogEntry, MissingFunction, ServerFunctions } from "./messages.ts";

/** What to run. */
export interface Program {
  /** TypeScript or JavaScript: a module, or a bare async body that ends in `return`. */
  readonly source: string;
  /** The name errors show, such as `main.ts`; relative imports start from its folder. */
  readonly path: string;
  /** The export that is the result; `default` when left out. */
  readonly entry?: string;
  /** What a result that is a function is called with; a JSON value. */
  readonly args?: unknown;
  /** The virtual files by absolute path. Not to be changed after it was handed in. */
  readonly files: ReadonlyMap<string, string>;
  /** Servers whose functions can be imported although their packages are not among the files. */
  readonly servers?: ServerFunctions;
  /** Folders whose files are read by the host function `readFile` and listed by `listFiles`. */
  readonly hostFolders?: readonly string[];
  readonly limits: RunLimits;
}

/** The asynchronous host functions of a run, answered on the main thread. */
export interface HostFunctions {
  /**
   * Answers one call. `name` is that of a function of `mcp:host`, such as `callTool`; `argsJson` is
   * a JSON array of its arguments, such as `[server, tool, params]`. Gives the JSON of the answer,
   * an empty string for `undefined`. What it throws reaches the program as a catchable error; an
   * `AppError` keeps its kind when nobody catches it.
   */
  call(name: string, argsJson: string, call: HostCall): Promise<string>;
}

/** One call on its way. */
export interface HostCall {
  /** Aborted when the run has ended. */
  readonly signal: AbortSignal;
  /** Lets the run's wall clock stand still until the function it gives is called. */
  holdClock(): () => void;
}

/** What a run gave. */
export interface RunReport {
  readonly ok: boolean;
  /** The result, a JSON value; only with `hasValue`. */
  readonly value?: unknown;
  /** False where the program gave nothing that JSON can hold: no export, undefined, a symbol. */
  readonly hasValue: boolean;
  /** Why it failed; only without `ok`. Messages are cleaned. */
  readonly error?: AppError;
  /** A function that it imported from a server and that is not there. */
  readonly missing?: MissingFunction;
  readonly log: LogEntry[];
  /** Units of about 10 ns; the same for the same program. */
  readonly fuel: number;
  /** Largest size of the guest's linear memory in bytes. */
  readonly memory: number;
  /** Milliseconds from the guest's start to its end. */
  readonly ms: number;
  /** One line for each thing that was cut. */
  readonly truncated: string[];
  readonly warnings: string[];
}

/** How an executor is made. */
export interface ExecutorOptions {
  /** Where the prepared engine is kept; without it each process prepares its own (about 35 ms). */
  readonly engine?: EngineStore;
  /** Programs that may run at once; more wait in order. One per core up to four by default. */
  readonly concurrency?: number;
}

/** What one run may be given besides its program. */
export interface ExecuteOptions {
  /** Stops the run; the report's error is then of the kind `interrupted`. */
  readonly signal?: AbortSignal;
  /** Gets each log line soon after it was written. */
  readonly onLog?: (entry: LogEntry) => void;
}

/** Runs programs, each in a fresh engine. */
export interface CodeExecutor {
  /** Runs one program; a program that fails or meets a limit gives a report, not an exception. */
  execute(program: Program, host: HostFunctions, options?: ExecuteOptions): Promise<RunReport>;
  /** The specifiers a source imports statically, in order; a `guest` error when it cannot be read. */
  imports(source: string, path: string): Promise<readonly string[]>;
  /** Settles when the first worker has its engine, or cannot have one; never rejects. */
  readonly ready: Promise<void>;
  /** Stops what runs and gives back the workers. */
  close(): Promise<void>;
}

/** Beyond a run's own deadline: then its worker no longer answers and is given up. */
const LOST_AFTER_MS = 10_000;
/** A worker that was given up is replaced when the caller had time to end. */
const REFILL_AFTER_MS = 50;

/** An executor whose first worker starts at once, so that the caller can connect meanwhile. */
export function createExecutor(options: ExecutorOptions = {}): CodeExecutor {
  return new WorkerPool(options);
}

class WorkerPool implements CodeExecutor {
  readonly ready: Promise<void>;
  readonly #options: ExecutorOptions;
  readonly #most: number;
  readonly #idle: GuestWorker[] = [];
  readonly #busy = new Set<GuestWorker>();
  readonly #running = new Set<Promise<RunReport>>();
  readonly #waiting = new Set<() => void>();
  readonly #closing = new AbortController();
  #refill: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#most = options.concurrency ?? Math.min(navigator.hardwareConcurrency, MAX_WORKERS);
    const first = this.#spawn();
    this.#idle.push(first);
    this.ready = first.ready.catch(() => {});
  }

  execute(
    program: Program,
    host: HostFunctions,
    options: ExecuteOptions = {},
  ): Promise<RunReport> {
    const running = this.#run(program, host, options).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  async #run(
    program: Program,
    host: HostFunctions,
    options: ExecuteOptions,
  ): Promise<RunReport> {
    const signal = options.signal === undefined
      ? this.#closing.signal
      : AbortSignal.any([options.signal, this.#closing.signal]);
    const worker = await this.#take(signal);
    if (worker === undefined) return notRun(interrupted());
    try {
      return await worker.run(program, host, { ...options, signal });
    } finally {
      this.#give(worker);
    }
  }

  async imports(source: string, path: string): Promise<readonly string[]> {
    const worker = this.#idle.at(-1);
    if (worker !== undefined) return await worker.imports(source, path);
    const { prepareSource } = await import("./source.ts");
    return prepareSource(source, { path }).imports;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#refill !== undefined) clearTimeout(this.#refill);
    await Promise.allSettled(this.#running);
    for (const worker of this.#idle.splice(0)) worker.close();
  }

  #spawn(): GuestWorker {
    return new GuestWorker(loadEngineFiles(this.#options.engine));
  }

  // In order of asking; undefined when there is no more need.
  async #take(signal: AbortSignal): Promise<GuestWorker | undefined> {
    while (!signal.aborted) {
      const worker = this.#idle.pop() ?? (this.#busy.size < this.#most ? this.#spawn() : undefined);
      if (worker !== undefined) {
        this.#busy.add(worker);
        return worker;
      }
      await this.#turn(signal);
    }
    this.#wakeNext();
    return undefined;
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    this.#waiting.add(wake);
    signal.addEventListener("abort", wake);
    await promise;
    signal.removeEventListener("abort", wake);
    this.#waiting.delete(wake);
  }

  #fill(): void {
    this.#refill = undefined;
    if (this.#idle.length + this.#busy.size === 0) this.#idle.push(this.#spawn());
  }

  #wakeNext(): void {
    if (this.#idle.length === 0 && this.#busy.size >= this.#most) return;
    const [wake] = this.#waiting;
    wake?.();
  }

  #give(worker: GuestWorker): void {
    this.#busy.delete(worker);
    if (this.#closing.signal.aborted) return worker.close();
    // An idle worker gives its memory back when it ends, and only then.
    if (worker.isSpent) {
      worker.close();
      this.#refill ??= setTimeout(() => this.#fill(), REFILL_AFTER_MS);
    } else this.#idle.push(worker);
    this.#wakeNext();
  }
}

interface ActiveRun {
  readonly id: number;
  readonly host: HostFunctions;
  readonly calls: AbortController;
  readonly errors: Map<number, AppError>;
  readonly log: LogEntry[];
  readonly onLog: ((entry: LogEntry) => void) | undefined;
  readonly queue: (() => void)[];
  readonly answers: HostAnswer[];
  inFlight: number;
  readonly clock: Holds;
  readonly settle: (report: GuestReport) => void;
}

class GuestWorker {
  /** Whether it should be replaced before the next run. */
  isSpent = false;
  readonly #worker: Worker;
  /** Rejects where there is no engine for it. */
  readonly ready: Promise<void>;
  readonly #flag = new Int32Array(new SharedArrayBuffer(4));
  readonly #questions = new Map<number, (answer: FromWorker & { type: "imports" }) => void>();
  #active: ActiveRun | undefined;
  #runs = 0;
  #lastQuestion = 0;
  #broken: AppError | undefined;

  constructor(engine: Promise<EngineFiles>) {
    const entry = import.meta.url.endsWith(".ts") ? "./guest.ts" : "./src/guest.js";
    this.#worker = new Worker(new URL(entry, import.meta.url), {
      type: "module",
      deno: { permissions: "none" },
    });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#onMessage(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new AppError("failure", `Sandbox worker failed: ${cleanLine(event.message)}`));
    };
    this.ready = engine.then((files) => this.#post({ type: "engine", ...files }));
    this.ready.catch(() => {});
  }

  async run(
    program: Program,
    host: HostFunctions,
    { signal, onLog }: ExecuteOptions & { signal: AbortSignal },
  ): Promise<RunReport> {
    await this.ready;
    if (this.#broken !== undefined) throw this.#broken;
    if (signal.aborted) return notRun(interrupted());
    const id = ++this.#runs;
    const done = Promise.withResolvers<GuestReport>();
    const run: ActiveRun = {
      id,
      host,
      calls: new AbortController(),
      errors: new Map(),
      log: [],
      onLog,
      queue: [],
      answers: [],
      inFlight: 0,
      clock: createHolds((stands) => {
        if (this.#active === run) this.#post({ type: "clock", run: id, stands });
      }),
      settle: done.resolve,
    };
    this.#active = run;
    Atomics.store(this.#flag, 0, 0);
    const { source, path, files, servers = new Map(), hostFolders = [], limits } = program;
    const args = program.args === undefined ? undefined : JSON.stringify(program.args);
    const entry = program.entry ?? "default";
    const stop = () => {
      Atomics.store(this.#flag, 0, 1);
      this.#post({ type: "stop", run: id });
    };
    this.#post({
      type: "run",
      run: id,
      program: { source, path, entry, args, files, servers, hostFolders, limits },
      flag: this.#flag,
    });
    signal.addEventListener("abort", stop, { once: true });
    const found = after(limits.wallMs + MAX_CONNECTING_MS + LOST_AFTER_MS, () => {
      this.#fail(new AppError("failure", "Sandbox worker no longer answers"));
    });
    const report = await done.promise;
    found();
    signal.removeEventListener("abort", stop);
    this.#active = undefined;
    run.clock.end();
    run.calls.abort();
    this.isSpent ||= this.#runs >= MAX_RUNS_PER_WORKER || report.memory > RECYCLE_MEMORY_BYTES;
    return toReport(report, run);
  }

  async imports(source: string, path: string): Promise<readonly string[]> {
    const request = ++this.#lastQuestion;
    const answer = await new Promise<FromWorker & { type: "imports" }>((resolve) => {
      this.#questions.set(request, resolve);
      if (this.#broken !== undefined) this.#fail(this.#broken);
      else this.#post({ type: "imports", request, source, path });
    });
    if (answer.error !== undefined) throw toError(answer.error);
    return answer.imports ?? [];
  }

  close(): void {
    this.#worker.terminate();
    this.#fail(interrupted());
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #fail(error: AppError): void {
    this.#broken = error;
    this.isSpent = true;
    for (const [request, answer] of this.#questions) {
      answer({ type: "imports", request, error: error.toJSON() });
    }
    this.#questions.clear();
    this.#active?.settle({ ...NOTHING, ok: false, error: error.toJSON() });
  }

  #onMessage(message: FromWorker): void {
    if (message.type === "imports") {
      this.#questions.get(message.request)?.(message);
      this.#questions.delete(message.request);
      return;
    }
    const run = this.#active;
    // A message of an earlier run is late: its program has its report already.
    if (run === undefined || message.run !== run.id) return;
    if (message.type === "done") return run.settle(message.report);
    if (message.type === "log") {
      for (const entry of message.entries) {
        run.log.push(entry);
        run.onLog?.(entry);
      }
      return;
    }
    for (const call of message.calls) run.queue.push(() => void this.#answer(run, call));
    this.#startCalls(run);
  }

  // Answers that come at the same moment go together: a message costs more than a call.
  #send(run: ActiveRun, answer: HostAnswer): void {
    run.answers.push(answer);
    if (run.answers.length > 1) return;
    queueMicrotask(() => {
      const answers = run.answers.splice(0);
      if (this.#active === run) this.#post({ type: "answers", run: run.id, answers });
    });
  }

  #startCalls(run: ActiveRun): void {
    while (run.inFlight < MAX_CALLS_IN_FLIGHT && this.#active === run) {
      const start = run.queue.shift();
      if (start === undefined) return;
      run.inFlight++;
      start();
    }
  }

  async #answer(run: ActiveRun, { id, name, json }: GuestCall): Promise<void> {
    try {
      const { clock, calls } = run;
      const answer = await run.host.call(name, json, {
        signal: calls.signal,
        holdClock: () => clock.hold(),
      });
      checkAnswer(answer);
      this.#send(run, { id, json: answer });
    } catch (thrown) {
      const error = toAppError(thrown);
      run.errors.set(id, error);
      // Detail stays here: it may hold what a server wrote about its machine.
      const { kind, message, hint, content } = error;
      const failure = {
        kind,
        message,
        ...(hint !== undefined && { hint }),
        ...(content !== undefined && { content }),
      };
      this.#send(run, { id, failure });
    }
    run.inFlight--;
    this.#startCalls(run);
  }
}

const NOTHING = { fuel: 0, memory: 0, ms: 0, truncated: [], warnings: [] };

function interrupted(): AppError {
  return new AppError("interrupted", "Run was interrupted");
}

function notRun(error: AppError): RunReport {
  return { ...NOTHING, ok: false, hasValue: false, error, log: [] };
}

function checkAnswer(json: string): void {
  if (json.length <= MAX_RESULT_BYTES) return;
  const size = `${formatBytes(json.length)}, more than ${formatBytes(MAX_RESULT_BYTES)}`;
  throw new AppError("limit", `Result of the call is too large: ${size}`, {
    limit: { name: "result", limit: MAX_RESULT_BYTES, value: json.length },
  });
}

function toReport(report: GuestReport, run: ActiveRun): RunReport {
  const { json, error, call, ...rest } = report;
  return {
    ...rest,
    log: run.log,
    hasValue: json !== undefined,
    ...(json !== undefined && { value: JSON.parse(json) }),
    ...(error !== undefined && { error: toError(error, run.errors.get(call ?? 0)) }),
  };
}

// An error of the host that the program let through keeps its kind and gets the author's place.
function toError(document: ErrorDocument, origin?: AppError): AppError {
  const { kind, message, ...parts } = { ...document, ...origin?.toJSON() };
  const detail = [...document.detail ?? [], ...origin?.detail ?? []];
  return new AppError(kind, message, {
    ...parts,
    ...(document.at !== undefined && { at: document.at }),
    ...(detail.length > 0 && { detail }),
  });
}
