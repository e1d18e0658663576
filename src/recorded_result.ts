// What is kept of a program's result to tell later whether another run gave the same: a digest, a
// size and a form. The result itself is never kept by it.

import { digestOf } from "./hash.ts";
import type { RunResult } from "./journal.ts";
import { formatBytes, MAX_RECORDED_RESULT_BYTES } from "./limits.ts";
import { shapeOf } from "./preview.ts";
import { byteLength } from "./text.ts";

const QUOTED_KEY = /"(?:[^"\\]|\\.)*"(?=\??: )/g;

/** The record of a result, `undefined` for none; undefined where it is too large to be looked at. */
export function recordResult(
  value: unknown,
  { args, entry }: { readonly args?: unknown; readonly entry?: string | undefined },
): RunResult | undefined {
  const text = JSON.stringify(value) ?? "";
  if (text.length > MAX_RECORDED_RESULT_BYTES) return undefined;
  return {
    digest: digestOf(text),
    bytes: byteLength(text),
    // A key that is no name may be data: an address, a title.
    shape: value === undefined ? "nothing" : shapeOf(value).replace(QUOTED_KEY, '"..."'),
    ...(args !== undefined && { argsDigest: digestOf(JSON.stringify(args)) }),
    ...(entry !== undefined && { entry }),
  };
}

/** How two results differ, in lines that are safe to show; none where they are the same. */
export function compareResults(
  before: Pick<RunResult, "digest" | "bytes" | "shape">,
  after: RunResult | undefined,
): string[] {
  if (after?.digest === before.digest) return [];
  const now = after === undefined
    ? "now: too large to compare"
    : `now: ${after.shape}, ${formatBytes(after.bytes)}, ${after.digest}`;
  return [
    `recorded: ${before.shape}, ${formatBytes(before.bytes)}, ${before.digest}`,
    now,
    ...(after?.shape === before.shape ? ["the form is the same, values in it differ"] : []),
  ];
}
