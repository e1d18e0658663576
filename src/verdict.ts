// The errors a run can end with, as texts: which limit was met, with its value and what to do.

import { AppError, type ErrorParts } from "./errors.ts";
import {
  formatBytes,
  GUEST_STACK_BYTES,
  MAX_HOST_CALLS,
  MAX_OUTPUT_BYTES,
  MAX_RUN_RECEIVED_BYTES,
  MAX_RUN_SENT_BYTES,
  MAX_TIMERS,
  type RunLimits,
} from "./limits.ts";

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
        message: `Program used up its fuel of ${fuel} units`,
        hint: "look for an endless loop, else raise --fuel",
        limit: fuel,
        value: facts.fuel,
      };
    case "wall":
      return {
        message: `Program took longer than ${wallMs} ms`,
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
      return { message: `Program has more than ${MAX_TIMERS} timers`, limit: MAX_TIMERS };
    case "calls":
      return {
        message: `Program made more than ${count(calls, "tool call")}`,
        hint: "raise --max-calls",
        limit: calls,
        value: facts.calls,
      };
    case "host calls":
      return {
        message: `Program made more than ${MAX_HOST_CALLS} calls for state, search and files`,
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

/** `number` and `thing`, with an `s` where there is not exactly one. */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}
