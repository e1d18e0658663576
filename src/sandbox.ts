// Runs one agent-written program in a worker without permissions and gives back what it made.
// Knows nothing of servers, disks or processes: the caller's host functions are the only way out.

import type { AppError } from "./errors.ts";
import type { RunLimits } from "./limits.ts";

/** One line that a program wrote with `console` or `log`; the text is the guest's, not cleaned. */
export interface LogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
}

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
  readonly limits: RunLimits;
}

/** The asynchronous host functions of a run, answered on the main thread. */
export interface HostFunctions {
  /**
   * Answers one call. `name` is `callTool`, `searchTools`, `getState` or `setState`; `argsJson` is
   * a JSON array of its arguments: `[server, tool, params]`, `[query, options]`, `[key]`,
   * `[key, value]`. Gives the JSON of the answer, an empty string for `undefined`. What it throws
   * reaches the program as a catchable error; an `AppError` keeps its kind when nobody catches it.
   */
  call(name: string, argsJson: string, signal: AbortSignal): Promise<string>;
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

/** Keeps the prepared engine between processes; both may fail without harm. */
export interface EngineStore {
  load(): Promise<Uint8Array | undefined>;
  save(bytes: Uint8Array): Promise<void>;
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
  /** Stops what runs and gives back the workers. */
  close(): Promise<void>;
}

/** An executor whose first worker starts at once, so that the caller can connect meanwhile. */
export function createExecutor(_options: ExecutorOptions = {}): CodeExecutor {
  throw new Error("Executor is not there yet");
}
