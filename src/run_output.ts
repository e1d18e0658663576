// What every command that runs a program prints of the run. Decides nothing about it.

import { AppError } from "./errors.ts";
import type { Invocation } from "./flags.ts";
import { noticeText } from "./notices.ts";
import type { Preview } from "./preview.ts";
import { callLines, type Output, runDocument, runLine } from "./render.ts";
import type { RunOutcome } from "./session.ts";
import { byteLength } from "./text.ts";

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
