// Runs of the journal as text and as documents: the list of them, and one with its code, calls and
// decisions. Texts of programs and servers are made safe to show here.

import { AppError, changeTexts, type ErrorDocument } from "./errors.ts";
import { tableLines } from "./figure_views.ts";
import { keptTokens } from "./figures.ts";
import type { RunEntry, RunSummary } from "./journal.ts";
import { formatBytes, formatCount, formatDuration } from "./limits.ts";
import { countOf, formatAge, formatMs, type Output } from "./render.ts";
import { cleanLine, cleanText } from "./text.ts";

/** A time as JSON has it. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** A table of runs. */
export function summaryLines(
  runs: readonly RunSummary[],
  { nowMs, width }: { readonly nowMs: number; readonly width: number },
): string[] {
  return tableLines(
    [
      ["run", "began", "command", "outcome", "calls", "time", "session"],
      ...runs.map((run) => [
        run.id,
        formatAge(nowMs - run.startedMs),
        cleanLine(run.command, 20),
        outcomeOf(run),
        run.callCount,
        run.end === undefined ? "-" : formatMs(run.end.ms),
        run.session ?? "",
      ]),
    ],
    "llllrr",
    { width },
  );
}

function outcomeOf({ end }: RunSummary): string {
  return outcomeText(end?.outcome ?? "unfinished");
}

/** An outcome as people read it: a `guest` error is one of the program. */
export function outcomeText(outcome: string): string {
  return outcome === "guest" ? "program" : outcome;
}

/** A run as the audit trail has it; `mask` is applied to texts of ours. */
export function entryDocument(run: RunEntry, mask: (text: string) => string) {
  const { startedMs, calls, end, ...rest } = run;
  return {
    ...rest,
    started: iso(startedMs),
    ...(end !== undefined && {
      end: { ...end, ...(end.error !== undefined && { error: maskError(end.error, mask) }) },
    }),
    calls: calls.map(({ startedMs, error, ...call }) => ({
      ...call,
      ...(error !== undefined && { error: mask(error) }),
      started: iso(startedMs),
    })),
  };
}

function maskError(error: ErrorDocument, mask: (text: string) => string): ErrorDocument {
  return changeTexts(new AppError(error.kind, error.message, error), mask).toJSON();
}

/** Everything the journal has of a run. */
export function entryText(run: RunEntry, { style, mask }: Pick<Output, "style" | "mask">): string {
  const { end } = run;
  const used = end === undefined ? [] : [
    formatMs(end.ms),
    ...(end.fuel === undefined ? [] : [`${formatCount(end.fuel)} fuel`]),
    ...(end.memory === undefined ? [] : [formatBytes(end.memory)]),
  ];
  const { fuel, wallMs, memory, calls } = run.limits;
  const error = end?.error && mask(end.error.message);
  return [
    `${style.bold(`run ${run.id}`)}: ${[outcomeOf(run), ...used].join(", ")}`,
    `command   ${cleanLine(run.command, 20)}, began ${iso(run.startedMs)}`,
    ...(run.session === undefined ? [] : [`session   ${run.session}`]),
    `servers   ${run.servers.join(", ") || "none"}`,
    `limits    ${formatDuration(wallMs)}, ${formatCount(fuel)} fuel, ${formatBytes(memory)}, ${
      countOf(calls, "call")
    }`,
    ...(error === undefined ? [] : [`error     ${cleanLine(error, 1_000)}`]),
    ...tokenLines(end),
    "",
    style.bold("calls"),
    ...callRows(run, mask),
    "",
    `${style.bold("code")} ${run.codeDigest}`,
    ...cleanText(run.code, Infinity).trimEnd().split("\n").map((line) => `  | ${line}`.trimEnd()),
  ].join("\n");
}

function tokenLines(end: RunEntry["end"]): string[] {
  if (end?.tokens === undefined) return [];
  const { tokenizer, definitions, results, program, answer } = end.tokens;
  const sent = formatCount(end.tokens.arguments);
  return [
    `tokens    ${formatCount(keptTokens(end.tokens))} kept out of context, ${
      cleanLine(tokenizer, 60)
    }:`,
    `          ${formatCount(definitions)} definitions + ${sent} arguments + ${
      formatCount(results)
    } results - ${formatCount(program)} program - ${formatCount(answer)} answer`,
  ];
}

const SHOWN_PAYLOAD_CHARS = 200;

function callRows({ calls }: RunEntry, mask: (text: string) => string): string[] {
  if (calls.length === 0) return ["  none"];
  const rows = tableLines(
    calls.map((call) => [
      `  ${cleanLine(`${call.server}/${call.tool}`, 80)}`,
      cleanLine(call.decision, 60),
      call.source === "cache" || call.source === "shared" ? call.source : outcomeText(call.outcome),
      formatMs(call.ms),
      `${formatBytes(call.bytesIn)} sent`,
      `${formatBytes(call.bytesOut)} received`,
      call.error === undefined ? "" : cleanLine(mask(call.error), 200),
    ]),
    "lllrrr",
  );
  // Where the journal keeps payloads: the start of them, all of it is in the JSON form.
  return rows.flatMap((row, at) => [
    row,
    ...[["sent", calls[at]!.arguments], ["received", calls[at]!.result]].flatMap(([what, text]) =>
      text === undefined ? [] : [`    ${what!.padEnd(8)}  ${cleanLine(text, SHOWN_PAYLOAD_CHARS)}`]
    ),
  ]);
}
