// What is told of each call once it has ended, well or not: its trace to whoever made it, and its
// row to the journal.

import type { AnswerSource } from "./cache.ts";
import { type AppError, ExitCode, ToolError } from "./errors.ts";
import type { Digest } from "./hash.ts";
import type { Journal, RunId } from "./journal.ts";
import type { Notice, Notices } from "./notices.ts";
import type { SentParams, ToolResult } from "./payloads.ts";
import { byteLength, cleanLine } from "./text.ts";

/** One call as a report of a run shows it. */
export interface CallTrace {
  readonly server: string;
  readonly tool: string;
  readonly ok: boolean;
  readonly startedAt: number;
  readonly ms: number;
  /** Sizes of the parameters and of the value handed to the program, as JSON. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Tokens of both, where the bridge was asked to count them. */
  readonly sentTokens?: number;
  readonly receivedTokens?: number;
  /** Set when the server was not asked: the result was kept, or another call was waiting for it. */
  readonly source?: "cache" | "shared";
  /** What the server told meanwhile, where that was asked for, and how much more it told. */
  readonly notices?: readonly Notice[];
  readonly noticesDropped?: number;
  readonly error?: { readonly kind: string; readonly message: string };
}

/** How far a call came, for its reports. */
export interface Progress {
  sent: SentParams;
  definition?: Digest;
  decision?: string;
  source?: AnswerSource;
  /** Milliseconds it was held back for its rate. */
  waitedMs?: number;
  notices?: Notices;
}

/** Who is told of a call. */
export interface ReportOptions {
  readonly journal: Journal;
  /** The run the call belongs to; without one the journal is not told. */
  readonly run?: RunId | undefined;
  readonly now: () => number;
  readonly countTokens?: (text: string) => number;
  readonly onCall?: (trace: CallTrace) => void;
}

/** Begins to measure a call; what it gives tells its caller and the journal how the call ended. */
export function startReport(
  called: { readonly server: string; readonly tool: string },
  options: ReportOptions,
) {
  const startedAt = options.now();
  const started = performance.now();
  const names = { server: cleanLine(called.server, 64), tool: cleanLine(called.tool, 256) };
  return (
    { sent, definition, decision, source, waitedMs = 0, notices }: Progress,
    { result, error }: { readonly result?: ToolResult; readonly error?: AppError },
  ): void => {
    const ms = performance.now() - started;
    const receivedBytes = result === undefined ? 0 : byteLength(result.json);
    options.onCall?.({
      ...names,
      ok: error === undefined,
      startedAt,
      ms,
      sentBytes: sent.bytes,
      receivedBytes,
      ...(options.countTokens && {
        sentTokens: options.countTokens(sent.json),
        ...(result !== undefined && { receivedTokens: options.countTokens(result.json) }),
      }),
      ...((source === "cache" || source === "shared") && { source }),
      ...(notices && notices.list.length > 0 && { notices: notices.list }),
      ...(notices && notices.dropped > 0 && { noticesDropped: notices.dropped }),
      ...(error !== undefined && { error: { kind: error.kind, message: error.message } }),
    });
    if (options.run === undefined) return;
    options.journal.recordCall(options.run, {
      ...names,
      ...(definition !== undefined && { definition }),
      startedMs: startedAt,
      ms,
      argumentsDigest: sent.digest(),
      arguments: sent.json,
      decision: error?.exitCode === ExitCode.refused && !decision?.startsWith("deny")
        ? "deny"
        : decision ?? "allow",
      outcome: error === undefined ? "ok" : error instanceof ToolError ? "tool-error" : error.kind,
      bytesIn: sent.bytes,
      bytesOut: receivedBytes,
      ...(source !== undefined && { source }),
      ...(waitedMs > 0 && { waitedMs }),
      ...(error?.limit !== undefined && { met: error.limit.name }),
      ...(result !== undefined && { result: result.json }),
      ...(error !== undefined && { error: error.message }),
    });
  };
}
