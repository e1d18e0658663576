// What the main thread and a sandbox worker say to each other: texts and numbers, never a value of
// the guest.

import type { ErrorDocument } from "./errors.ts";
import type { RunLimits } from "./limits.ts";
import type { CallFailure } from "./prelude.ts";

/** One line that a program wrote with `console` or `log`; the text is the guest's, not cleaned. */
export interface LogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly text: string;
}

/** The functions of a server's package by name, with the wire name of the tool each calls. */
export type ServerFunctions = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** A program as it crosses to the worker. */
export interface GuestProgram {
  readonly source: string;
  readonly path: string;
  readonly entry: string;
  /** What a result that is a function is called with, as JSON. */
  readonly args: string | undefined;
  readonly files: ReadonlyMap<string, string>;
  readonly servers: ServerFunctions;
  readonly hostFolders: readonly string[];
  readonly limits: RunLimits;
}

/** One call of a host function, its arguments as a JSON array. */
export interface GuestCall {
  readonly id: number;
  readonly name: string;
  readonly json: string;
}

/** What became of a call: the JSON of its answer, or why there is none. */
export type HostAnswer =
  | { readonly id: number; readonly json: string }
  | { readonly id: number; readonly failure: CallFailure };

/** What the main thread sends. */
export type ToWorker =
  | {
    readonly type: "engine";
    readonly module: WebAssembly.Module;
    /** The engine's image as a file, where a build made one. */
    readonly image: Uint8Array | undefined;
  }
  | {
    readonly type: "run";
    readonly run: number;
    readonly program: GuestProgram;
    /** One number that is not 0 once the run must stop, whatever the guest is doing. */
    readonly flag: Int32Array;
  }
  | { readonly type: "answers"; readonly run: number; readonly answers: readonly HostAnswer[] }
  | { readonly type: "stop"; readonly run: number }
  /** Whether the wall clock stands still. */
  | { readonly type: "clock"; readonly run: number; readonly stands: boolean }
  | {
    readonly type: "imports";
    readonly request: number;
    readonly source: string;
    readonly path: string;
  };

/** A function that is not in a server's package, and what is near it, the nearest first. */
export interface MissingFunction {
  readonly server: string;
  readonly name: string;
  readonly near: readonly string[];
}

/** What a run ended with, as it crosses back. */
export interface GuestReport {
  readonly ok: boolean;
  /** The result as JSON; absent when there is none. */
  readonly json?: string;
  readonly error?: ErrorDocument;
  /** The call whose error the program did not catch. */
  readonly call?: number;
  /** A function that a program imported from a server and that is not there. */
  readonly missing?: MissingFunction;
  readonly fuel: number;
  readonly memory: number;
  readonly ms: number;
  readonly truncated: string[];
  readonly warnings: string[];
}

/** What the worker sends. */
export type FromWorker =
  | { readonly type: "calls"; readonly run: number; readonly calls: readonly GuestCall[] }
  | { readonly type: "log"; readonly run: number; readonly entries: LogEntry[] }
  | { readonly type: "done"; readonly run: number; readonly report: GuestReport }
  | {
    readonly type: "imports";
    readonly request: number;
    readonly imports?: readonly string[];
    readonly error?: ErrorDocument;
  };
