// The names that cross a boundary, as validated brands: a ServerName, ToolName, SkillName or
// SessionId exists only after it passed here. Also near names for "did you mean".

import { AppError, type ErrorKind } from "./errors.ts";
import { MAX_SEGMENT_BYTES, MAX_TOOL_NAME_BYTES } from "./limits.ts";
import { byteLength, isPlain, quoteText } from "./text.ts";

declare const brand: unique symbol;

/** A server as configuration and programs name it: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`. */
export type ServerName = string & { readonly [brand]: "server" };
/** A tool's name byte for byte as its server gave it: 1 to 256 bytes without invisible characters. */
export type ToolName = string & { readonly [brand]: "tool" };
/** A skill's name and folder: 1 to 64 of `[a-z0-9]` in groups joined by single hyphens. */
export type SkillName = string & { readonly [brand]: "skill" };
/** A session: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`. */
export type SessionId = string & { readonly [brand]: "session" };

/** The name of the server that is built in. */
export const DEMO_SERVER = "demo" as ServerName;

const SERVER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const SKILL_NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const SESSION_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
// Names that Windows reserves whatever their ending, and that end a path segment oddly elsewhere.
const DEVICE_NAME = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i;
// A control, format, private or otherwise invisible character, or a lone surrogate: not text.
// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f]|\p{DI}|\p{Cf}|\p{Cs}|\p{Co}|\p{Zl}|\p{Zp}/u;

function isUnprintable(text: string): boolean {
  return isPlain(text) ? /[\t\n]/.test(text) : UNPRINTABLE.test(text);
}

/** `text` as a server name; throws an error of `kind` that says what is allowed. */
export function toServerName(text: string, kind: ErrorKind = "usage"): ServerName {
  if (!isServerName(text)) {
    throw new AppError(
      kind,
      `Server name ${quoteText(text)} is not valid: letters, digits, ".", "_" and "-", at most 64`,
    );
  }
  return text;
}

/** Whether `text` is a valid server name. */
export function isServerName(text: string): text is ServerName {
  return SERVER_NAME.test(text) && !DEVICE_NAME.test(text) && !text.endsWith(".") &&
    !(text in Object.prototype);
}

/** A valid server name made from any text, `fallback` when nothing of it is left. */
export function slugServerName(text: string, fallback = "server"): ServerName {
  const slug = text.normalize("NFKD").replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "").slice(0, 64).replace(/[^A-Za-z0-9]+$/, "");
  return isServerName(slug) ? slug : toServerName(fallback);
}

/** `text` as a tool name; throws an error of `kind` for empty, oversized or unprintable names. */
export function toToolName(text: string, kind: ErrorKind = "usage"): ToolName {
  const bytes = byteLength(text);
  if (bytes === 0 || bytes > MAX_TOOL_NAME_BYTES || isUnprintable(text)) {
    throw new AppError(
      kind,
      `Tool name ${quoteText(text)} is not valid: 1 to ${MAX_TOOL_NAME_BYTES} printable bytes`,
    );
  }
  return text as ToolName;
}

/** `text` as a skill name; throws a `usage` error that says what is allowed. */
export function toSkillName(text: string): SkillName {
  if (text.length > 64 || !SKILL_NAME.test(text) || DEVICE_NAME.test(text)) {
    throw new AppError(
      "usage",
      `Skill name ${quoteText(text)} is not valid: groups of a-z and 0-9 joined by "-", at most 64`,
    );
  }
  if (/claude|anthropic/.test(text)) {
    throw new AppError("usage", `Skill name ${quoteText(text)} holds a reserved word`);
  }
  return text as SkillName;
}

/** `text` as a session id; throws a `usage` error that says what is allowed. */
export function toSessionId(text: string): SessionId {
  if (!SESSION_ID.test(text)) {
    throw new AppError(
      "usage",
      `Session ${quoteText(text)} is not valid: letters, digits, "_" and "-", at most 64`,
    );
  }
  return text as SessionId;
}

/**
 * Whether `segment` is one safe part of a path on every system: 1 to 255 bytes of visible, composed
 * text, no separator, no drive, no percent escape, no `.` or `..`, no device, no space at either end, no dot last.
 */
export function isPathSegment(segment: string): boolean {
  return segment.length > 0 && byteLength(segment) <= MAX_SEGMENT_BYTES &&
    !/[\\/:*?"<>|]|%[0-9a-f]{2}|^ |[. ]$/i.test(segment) && !isUnprintable(segment) &&
    !DEVICE_NAME.test(segment) && segment.normalize("NFC") === segment;
}

/**
 * The names of `known` nearest to `wanted`, best first, at most three: those within a third of
 * its length by edit distance (ignoring case), then those that contain it.
 */
export function nearestNames(wanted: string, known: Iterable<string>): string[] {
  const target = wanted.toLowerCase().slice(0, 64);
  const bound = Math.max(1, Math.floor(target.length / 3));
  const scored: { name: string; score: number }[] = [];
  for (const name of known) {
    const candidate = name.toLowerCase().slice(0, 64);
    // The distance is never below the difference of the lengths, and costs far more to find.
    const distance = Math.abs(candidate.length - target.length) > bound
      ? Infinity
      : editDistance(target, candidate);
    if (distance <= bound) scored.push({ name, score: distance });
    else if (target.length > 2 && candidate.includes(target)) scored.push({ name, score: 100 });
  }
  scored.sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1));
  return scored.slice(0, 3).map((entry) => entry.name);
}

/** A hint that asks whether one of the nearest names was meant; `otherwise` where none is near. */
export function nearestHint(
  wanted: string,
  { known, otherwise }: { known: Iterable<string>; otherwise: string },
): string {
  const near = nearestNames(wanted, known).map((name) => quoteText(name));
  return near.length > 0 ? `did you mean ${near.join(" or ")}?` : otherwise;
}

/** The `usage` error for `what`, a word that is none of `known`. */
export function unknownError(
  what: string,
  wanted: string,
  names: { known: Iterable<string>; otherwise: string },
): AppError {
  return new AppError("usage", `${what} is not known`, { hint: nearestHint(wanted, names) });
}

// Optimal string alignment distance: insert, delete, replace and swap of neighbours cost one.
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        last[column]! + 1,
        current[column - 1]! + 1,
        last[column - 1]! + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, before[column - 2]! + 1);
      }
      current.push(cost);
    }
    before = last;
    last = current;
  }
  return last[b.length]!;
}
