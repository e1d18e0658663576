// The errors a run can end with, as texts: which limit was met, with its value and what to do.

import { AppError, type ErrorParts, type SourcePosition } from "./errors.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  GUEST_STACK_BYTES,
  MAX_HOST_CALLS,
  MAX_OPEN_BYTES,
  MAX_OUTPUT_BYTES,
  MAX_PARAMS_BYTES,
  MAX_RUN_RECEIVED_BYTES,
  MAX_RUN_SENT_BYTES,
  MAX_TIMERS,
  type RunLimits,
} from "./limits.ts";
import type { CallFailure, GuestFailure } from "./prelude.ts";
import { cleanLine } from "./text.ts";

/** Why a run was stopped from outside the program. */
export type StopReason =
  | "fuel"
  | "wall"
  | "memory"
  | "stack"
  | "output"
  | "timers"
  | "calls"
  | "host calls"
  | "sent"
  | "received"
  | "cancelled";

/** What a stopped run had come to. */
export interface StopFacts {
  readonly limits: RunLimits;
  readonly fuel: number;
  readonly memory: number;
  readonly ms: number;
  readonly calls: number;
  /** Calls without an answer yet. */
  readonly open: number;
  /** Where the program was, when that is known. */
  readonly place: Pick<ErrorParts, "at" | "detail"> | undefined;
}

/** The error of a run that was stopped: of the kind `limit` and named so, or `interrupted`. */
export function stopError(reason: StopReason, facts: StopFacts): AppError {
  if (reason === "cancelled") {
    return new AppError("interrupted", "Run was interrupted", facts.place);
  }
  const { message, hint, limit, value } = describeLimit(reason, facts);
  return new AppError("limit", message, {
    ...facts.place,
    ...(hint !== undefined && { hint }),
    limit: { name: reason, limit, ...(value !== undefined && { value }) },
  });
}

interface LimitText {
  readonly message: string;
  readonly hint?: string;
  readonly limit: number;
  readonly value?: number;
}

function describeLimit(reason: Exclude<StopReason, "cancelled">, facts: StopFacts): LimitText {
  const { fuel, wallMs, memory, calls } = facts.limits;
  switch (reason) {
    case "fuel":
      return {
        message: `Program used up its fuel of ${formatCount(fuel)} units`,
        hint: "look for an endless loop, else raise --fuel",
        limit: fuel,
        value: facts.fuel,
      };
    case "wall":
      return {
        message: `Program took longer than ${formatDuration(wallMs)}`,
        hint: facts.open > 0
          ? `it was waiting for ${count(facts.open, "call")}: raise --timeout`
          : "raise --timeout",
        limit: wallMs,
        value: Math.round(facts.ms),
      };
    case "memory":
      return {
        message: `Program needs more memory than ${formatBytes(memory)}`,
        hint: "keep less at once, else raise --memory",
        limit: memory,
        value: facts.memory,
      };
    case "stack":
      return {
        message: `Program recursed deeper than its stack of ${formatBytes(GUEST_STACK_BYTES)}`,
        limit: GUEST_STACK_BYTES,
      };
    case "output":
      return {
        message: `Result is larger than ${formatBytes(MAX_OUTPUT_BYTES)}`,
        hint: "give back less: a count, a summary, the first entries",
        limit: MAX_OUTPUT_BYTES,
      };
    case "timers":
      return { message: `Program has more than ${count(MAX_TIMERS, "timer")}`, limit: MAX_TIMERS };
    case "calls":
      return {
        message: `Program made more than ${count(calls, "tool call")}`,
        hint: "raise --max-calls",
        limit: calls,
        value: facts.calls,
      };
    case "host calls":
      return {
        message: `Program made more than ${
          count(MAX_HOST_CALLS, "call")
        } for state, search and files`,
        limit: MAX_HOST_CALLS,
      };
    case "sent":
      return {
        message: `Program sent more than ${formatBytes(MAX_RUN_SENT_BYTES)} to tools in all`,
        limit: MAX_RUN_SENT_BYTES,
      };
    case "received":
      return {
        message: `Tools gave more than ${formatBytes(MAX_RUN_RECEIVED_BYTES)} in all`,
        hint: "ask for less: filter, page, or fewer fields",
        limit: MAX_RUN_RECEIVED_BYTES,
      };
  }
}

const REQUEST_LIMITS = { Request: MAX_PARAMS_BYTES, "Open requests": MAX_OPEN_BYTES } as const;

/** What the prelude gets instead of a call, as JSON, when a request or all open ones are too large. */
export function refusal(what: keyof typeof REQUEST_LIMITS, bytes: number): string {
  const limit = formatBytes(REQUEST_LIMITS[what]);
  const message = `${what} too large: ${formatBytes(bytes)}, more than ${limit}`;
  const failure: CallFailure = { kind: "limit", message };
  return JSON.stringify(failure);
}

/** The message of an error for what a program threw: safe to show, never empty. */
export function failureText(failure: GuestFailure): string {
  const { plain, call } = failure;
  return cleanLine(`${plain && call === 0 ? "Program threw " : ""}${thrownText(failure)}`) ||
    "Program failed";
}

/** A warning for each promise that was rejected and not handled, and one that counts the others. */
export function unhandledWarnings(
  known: readonly GuestFailure[],
  { unhandled, place }: {
    readonly unhandled: number;
    readonly place: (stack: string) => SourcePosition | undefined;
  },
): string[] {
  const warnings = known.map((failure) => {
    const at = place(failure.stack);
    const where = at === undefined ? "" : ` at ${at.file}:${at.line}:${at.column}`;
    return `Promise was rejected and nobody handled it: ${cleanLine(thrownText(failure))}${where}`;
  });
  const others = unhandled - known.length;
  if (others <= 0) return warnings;
  const thing = known.length === 0 ? "promise" : "more promise";
  return [...warnings, `${count(others, thing)} rejected and handled by nobody`];
}

// An error that came from a call says by its message what it is.
function thrownText({ name, message, call }: GuestFailure): string {
  if (name === "" || call !== 0) return message;
  return message === "" ? name : `${name}: ${message}`;
}

/** `number` and `thing`, with an `s` where there is not exactly one. */
export function count(number: number, thing: string): string {
  return `${formatCount(number)} ${thing}${number === 1 ? "" : "s"}`;
}
