// What every command that runs a program prints of the run, texts of it made safe to show. Decides
// nothing about it.

import type { CallTrace } from "./bridge.ts";
import { AppError, changeTexts } from "./errors.ts";
import type { Invocation } from "./flags.ts";
import { formatBytes, formatCount, MAX_LOG_BYTES } from "./limits.ts";
import { noticeText } from "./notices.ts";
import type { Preview } from "./preview.ts";
import { countOf, formatMs, type Output, roundMs } from "./render.ts";
import type { LogEntry } from "./sandbox.ts";
import type { RunOutcome } from "./session.ts";
import { byteLength, cleanText } from "./text.ts";

/** Prints the result of a run; throws why it failed, with the calls that had succeeded by then. */
export function showRun({ output, log }: Invocation, outcome: RunOutcome): void {
  for (const line of [...outcome.warnings, ...outcome.truncated]) log.warn(line);
  if (output.format === "json") output.document(runDocument(outcome, output.mask));
  else if (outcome.preview !== undefined) showPreview(output, outcome.preview);
  else if (outcome.ok && outcome.hasValue) output.value(outcome.value);
  log.info(runLine(outcome));
  if (outcome.error === undefined) return;
  const succeeded = outcome.calls.filter((call) => call.ok);
  if (succeeded.length === 0) throw outcome.error;
  throw new AppError(outcome.error.kind, outcome.error.message, {
    ...outcome.error,
    detail: [
      ...outcome.error.detail ?? [],
      `calls that had succeeded: ${succeeded.length}`,
      ...callLines(succeeded).map((line) => `  ${line}`),
    ],
  });
}

/** Prints the start of a large value, then what the whole is and how to get it. */
export function showPreview(output: Pick<Output, "value" | "print">, preview: Preview): void {
  const { shape, bytes, tokens, handle } = preview;
  const shown = byteLength(preview.preview);
  output.value(preview.preview);
  output.print([
    `... ${shown} of ${bytes} bytes, about ${tokens} tokens`,
    `shape: ${shape}`,
    `rest: mcp-exec result ${handle} --slice ${shown}:`,
  ].join("\n"));
}

/** Lists every call of a run on stderr with what servers told meanwhile, as `--trace` asks for. */
export function showTrace({ note }: Invocation, { calls }: Pick<RunOutcome, "calls">): void {
  note(calls.flatMap((call) => {
    const { notices = [], noticesDropped = 0 } = call;
    const told = notices.map((notice) => `[notice] ${call.server}: ${noticeText(notice)}`);
    if (noticesDropped > 0) told.push(`[notice] ${call.server}: and ${noticesDropped} more`);
    return [...callLines([call]).map((line) => `[call] ${line}`), ...told];
  }));
}

/** The document form of a run; `mask` is that of the output. */
export function runDocument(outcome: RunOutcome, mask: Output["mask"]) {
  const { ok, run, error, calls, log, fuel, memory, ms, truncated, warnings } = outcome;
  return {
    ok,
    run,
    ...(ok && outcome.hasValue && (outcome.preview ?? { result: outcome.value })),
    ...(error !== undefined && { error: changeTexts(error, mask) }),
    calls: calls.map(({ error, ...call }) => ({
      ...call,
      ms: roundMs(call.ms),
      ...(error !== undefined && { error: { ...error, message: mask(error.message) } }),
    })),
    log,
    fuel,
    memory,
    ms: roundMs(ms),
    truncated,
    ...(warnings.length > 0 && { warnings: warnings.map(mask) }),
  };
}

/** A run in one line: its name in the journal, and what it used. */
export function runLine({ run, ok, calls, ms, fuel, memory }: RunOutcome): string {
  return `run ${run}: ${ok ? "ok" : "failed"}, ${countOf(calls.length, "call")}, ${formatMs(ms)}, ${
    formatCount(fuel)
  } fuel, ${formatBytes(memory)}`;
}

/** What a program wrote to its log, each line marked so that none passes for one of ours. */
export function logLines({ level, text }: LogEntry): string[] {
  return cleanText(text, MAX_LOG_BYTES).split("\n").map((line) => `[${level}] ${line}`);
}

/** One line for each call of a run, at most `max` and a count of the rest. */
export function callLines(calls: readonly CallTrace[], max = 20): string[] {
  const lines = calls.slice(0, max).map((call) =>
    `${call.server}/${call.tool} ${call.ok ? "ok" : `failed (${call.error?.kind ?? "failure"})`}, ${
      formatMs(call.ms)
    }${call.source === undefined ? "" : `, ${SOURCES[call.source]}`}, ${
      formatBytes(call.sentBytes)
    } sent, ${formatBytes(call.receivedBytes)} received`
  );
  if (calls.length > max) lines.push(`and ${calls.length - max} more`);
  return lines;
}

const SOURCES = { cache: "from the cache", shared: "shared with another call" } as const;
