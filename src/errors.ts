// What can go wrong, as kinds: each failure gets its kind where it happens, and one table maps
// kinds to exit codes. Nothing here recognises an error by its message.

import { cleanLine } from "./text.ts";

/** What went wrong, for exit codes, JSON output and callers that react to one kind. */
export type ErrorKind =
  | "failure"
  | "stale"
  | "usage"
  | "invalid"
  | "connect"
  | "protocol"
  | "server"
  | "sign-in"
  | "timeout"
  | "guest"
  | "limit"
  | "denied"
  | "untrusted"
  | "integrity"
  | "interrupted";

/** The exit codes of the program; every command ends with one of these. */
export const ExitCode = {
  ok: 0,
  failure: 1,
  usage: 2,
  server: 3,
  timeout: 4,
  guest: 5,
  refused: 6,
  interrupted: 130,
} as const;

/** One of the program's exit codes. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The one table from error kinds to exit codes. */
export const EXIT_CODES: Readonly<Record<ErrorKind, ExitCode>> = {
  failure: ExitCode.failure,
  stale: ExitCode.failure,
  usage: ExitCode.usage,
  invalid: ExitCode.usage,
  connect: ExitCode.server,
  protocol: ExitCode.server,
  server: ExitCode.server,
  "sign-in": ExitCode.server,
  timeout: ExitCode.timeout,
  guest: ExitCode.guest,
  limit: ExitCode.guest,
  denied: ExitCode.refused,
  untrusted: ExitCode.refused,
  integrity: ExitCode.refused,
  interrupted: ExitCode.interrupted,
};

/** A place in a source file; `line` and `column` count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

/** Which bound was met: its name, the bound and, where known, the value that met it. */
export interface LimitReached {
  readonly name: string;
  readonly limit: number;
  readonly value?: number;
}

/** What an `AppError` can carry besides its kind and message. */
export interface ErrorParts {
  /** The next command or change to try, without a prefix. */
  readonly hint?: string;
  /** Where in the author's source it happened. */
  readonly at?: SourcePosition;
  /** Lines shown indented below the message: a source frame, a server's last stderr lines. */
  readonly detail?: readonly string[];
  /** The bound that was met. */
  readonly limit?: LimitReached;
  /** What a failed call gave all the same: untrusted blocks, for programs alone. */
  readonly content?: readonly unknown[];
  /** The error this one was made from; never shown, kept for debugging. */
  readonly cause?: unknown;
}

/** The JSON form of an error, as `--format json` prints it. */
export interface ErrorDocument {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly hint?: string;
  readonly at?: SourcePosition;
  readonly detail?: readonly string[];
  readonly limit?: LimitReached;
}

/**
 * An error that a person or an agent is meant to read. The message is one line that stands alone:
 * it begins with a capital, names the thing and has no full stop. Text from a server or a guest
 * must be cleaned (`text.ts`) before it comes in here.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly kind: ErrorKind;
  readonly hint?: string;
  readonly at?: SourcePosition;
  readonly detail?: readonly string[];
  readonly limit?: LimitReached;
  readonly content?: readonly unknown[];

  constructor(kind: ErrorKind, message: string, parts: ErrorParts = {}) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.kind = kind;
    if (parts.hint !== undefined) this.hint = parts.hint;
    if (parts.at !== undefined) this.at = parts.at;
    if (parts.detail !== undefined) this.detail = parts.detail;
    if (parts.limit !== undefined) this.limit = parts.limit;
    if (parts.content !== undefined) this.content = parts.content;
  }

  /** The exit code that belongs to this error's kind. */
  get exitCode(): ExitCode {
    return EXIT_CODES[this.kind];
  }

  /** The document form, with absent parts left out. */
  toJSON(): ErrorDocument {
    return {
      kind: this.kind,
      message: this.message,
      ...(this.hint !== undefined && { hint: this.hint }),
      ...(this.at !== undefined && { at: this.at }),
      ...(this.detail !== undefined && { detail: this.detail }),
      ...(this.limit !== undefined && { limit: this.limit }),
    };
  }
}

/**
 * A tool that answered "error", as a guest can catch it: the message is the tool's own text,
 * already cleaned. Only the tool failed; its server and the connection are well.
 */
export class ToolError extends AppError {
  constructor(message: string, parts: ErrorParts) {
    super("server", message, parts);
  }
}

/** `error` with what it happened to before its message. */
export function prefixError(prefix: string, error: AppError): AppError {
  const { kind, message } = error;
  const rest = message.replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase());
  return new AppError(kind, `${prefix}: ${rest}`, error);
}

/** `error` with its message, detail lines and hint as `change` gives them. */
export function changeTexts(error: AppError, change: (text: string) => string): AppError {
  return new AppError(error.kind, change(error.message), {
    ...error,
    ...(error.detail !== undefined && { detail: error.detail.map(change) }),
    ...(error.hint !== undefined && { hint: change(error.hint) }),
  });
}

/** `error` itself when it is an `AppError`, else a `failure` with the first line of its message. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("failure", cleanLine(firstLine(error)) || "Unknown failure", {
    cause: error,
  });
}

// Anything can be thrown, even what cannot be turned into text.
function firstLine(error: unknown): string {
  try {
    const text = String(error instanceof Error ? error.message : error);
    return text.trimStart().split("\n", 1)[0]!;
  } catch {
    return "";
  }
}

/** The text form: the message line, then detail lines and the hint, each indented by two spaces. */
export function errorText(error: AppError): string {
  const at = error.at;
  const place = at === undefined
    ? ""
    : ` at ${at.file}:${at.line}${at.column === undefined ? "" : `:${at.column}`}`;
  const lines = [`error: ${error.message}${place}`];
  for (const line of error.detail ?? []) lines.push(`  ${line}`);
  if (error.hint !== undefined) lines.push(`  hint: ${error.hint}`);
  return lines.join("\n");
}
