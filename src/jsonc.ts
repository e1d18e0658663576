// JSON as people write it: read with comments and trailing commas, faults named by line and column,
// and changed so that comments and layout stay. Touches no file.

import { AppError } from "./errors.ts";
import { MAX_JSON_DEPTH } from "./limits.ts";
import { isObject, type JsonObject } from "./server.ts";
import { quoteText } from "./text.ts";
import { scanJson } from "./wire.ts";

/** JSON with comments as an object; an `invalid` error names `shownPath`, line and column. */
export async function parseDocument(text: string, shownPath: string): Promise<JsonObject> {
  const name = `Config ${quoteText(shownPath)}`;
  // Most files are plain JSON, and the parser that takes comments costs more to load than a command.
  const document = parsePlainJson(text) ?? await parseWithComments(text, name, shownPath);
  if (!isObject(document)) throw new AppError("invalid", `${name} must hold a JSON object`);
  return document;
}

/** The value of JSON text; undefined where it is none, or nested too deep. */
export function parsePlainJson(text: string): unknown {
  // How deep a parser may go depends on the thread it runs in.
  if (scanJson(text).depth > MAX_JSON_DEPTH) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function parseWithComments(text: string, name: string, file: string): Promise<unknown> {
  await checkJson(text, { name, file, comments: true });
  const { parse } = await import("jsonc-parser");
  return parse(text, [], { allowTrailingComma: true });
}

/**
 * Throws an `invalid` error with the place in `file` of the first fault in JSON text: what is no
 * JSON, or nested too deep. With `comments`, these and trailing commas are none.
 */
async function checkJson(
  text: string,
  { name, file, comments = false }: { name: string; file: string; comments?: boolean },
): Promise<void> {
  const { printParseErrorCode, visit } = await import("jsonc-parser");
  const fail = (what: string, offset: number): never => {
    throw new AppError("invalid", `${name} ${what}`, { at: { file, ...positionAt(text, offset) } });
  };
  // The parser recurses, and how deep it may do so depends on the thread: a bound of our own first.
  let depth = 0;
  const open = (offset: number) => {
    if (++depth > MAX_JSON_DEPTH) fail(`is nested deeper than ${MAX_JSON_DEPTH}`, offset);
  };
  const close = () => {
    depth--;
  };
  visit(text, {
    onObjectBegin: open,
    onArrayBegin: open,
    onObjectEnd: close,
    onArrayEnd: close,
    onError(error, offset) {
      const words = printParseErrorCode(error).replace(/(?<=[a-z])(?=[A-Z])/g, " ");
      fail(`is not valid JSON: ${words.toLowerCase()}`, offset);
    },
  }, { disallowComments: !comments, allowTrailingComma: comments });
}

/** Line and column of an offset, both from 1. */
function positionAt(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: offset - lineStart + 1 };
}

/** The value of JSON text; `what` names it. Throws an `invalid` error with line and column. */
export async function parseJsonText(text: string, what: string): Promise<unknown> {
  const name = `Value of ${what}`;
  const value = parsePlainJson(text);
  if (value !== undefined) return value;
  await checkJson(text, { name, file: what });
  throw new AppError("invalid", `${name} is not valid JSON`);
}

/**
 * JSON text with the value at `path` put in, replaced, or taken out (`undefined`); comments stay. One
 * that is put in takes the place of the line `insteadOf`, a comment, where its object has it; one that
 * is taken out from below the line `explainedBy` leaves that comment there again, and `withGroup` its
 * object goes along when nothing is left in that. Throws an `invalid` error where no value can be put,
 * or where another one would still hold.
 */
export async function setInJson(
  text: string,
  path: readonly string[],
  value: unknown,
  { insteadOf, explainedBy, withGroup }: {
    readonly insteadOf?: string;
    readonly explainedBy?: string;
    readonly withGroup?: boolean;
  } = {},
): Promise<string> {
  const { parse } = await import("jsonc-parser");
  const holds = (changed: string) => {
    let held: unknown = parse(changed, [], { allowTrailingComma: true });
    for (const key of path) held = isObject(held) ? held[key] : undefined;
    return JSON.stringify(held) === JSON.stringify(value);
  };
  if (value !== undefined && insteadOf !== undefined) {
    const changed = await replaceComment(text, path, { value, comment: insteadOf });
    // The line may stand within a longer comment, where nothing is read.
    if (changed !== undefined && holds(changed)) return changed;
  }
  let changed = value === undefined
    ? await takeOutOfJson(text, path, { insteadOf, explainedBy })
    : await putIntoJson(text, path, value);
  if (withGroup && await isBare(changed, path.slice(0, -1))) {
    changed = await takeOutOfJson(changed, path.slice(0, -1), {});
  }
  // The first of two members of one name is changed, the last one is read.
  if (holds(changed)) return changed;
  throw new AppError(
    "invalid",
    `Key ${quoteText(path.join("."))} cannot be changed: a part of it stands twice`,
  );
}

async function putIntoJson(
  text: string,
  path: readonly string[],
  value: unknown,
): Promise<string> {
  const { applyEdits, modify } = await import("jsonc-parser");
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? "  ";
  try {
    return applyEdits(
      text,
      modify(text, [...path], value, {
        formattingOptions: {
          insertSpaces: !indent.includes("\t"),
          tabSize: indent.includes("\t") ? 1 : indent.length,
          eol: text.includes("\r\n") ? "\r\n" : "\n",
        },
      }),
    );
  } catch {
    // The only reason: something that is no object stands on the way.
    throw new AppError("invalid", `Value of "${path[0]}" is not an object`);
  }
}

/** A new member in place of the line `comment` of its object; undefined where that is not there. */
async function replaceComment(
  text: string,
  path: readonly string[],
  { value, comment }: { value: unknown; comment: string },
): Promise<string | undefined> {
  const { findNodeAtLocation, parseTree } = await import("jsonc-parser");
  const tree = parseTree(text, [], { allowTrailingComma: true });
  const parent = tree && findNodeAtLocation(tree, path.slice(0, -1));
  if (parent?.type !== "object" || findNodeAtLocation(tree!, [...path]) !== undefined) return;
  const lines = text.slice(parent.offset, parent.offset + parent.length).split("\n");
  const at = lines.findIndex((line) => line.replace(/,?\r?$/, "") === comment);
  if (at < 0) return;
  const start = parent.offset + lines.slice(0, at).join("\n").length + 1;
  const members = parent.children ?? [];
  const before = members.findLast(({ offset }) => offset < start);
  const isLast = before === members.at(-1);
  const member = `${/^[ \t]*/.exec(comment)![0]}${JSON.stringify(path.at(-1))}: ${
    JSON.stringify(value)
  }${isLast ? "" : ","}`;
  const ending = lines[at]!.endsWith("\r") ? "\r" : "";
  const changed = text.slice(0, start) + member + ending + text.slice(start + lines[at]!.length);
  if (before === undefined) return changed;
  const end = before.offset + before.length;
  return await commaAfter(text, end) === undefined
    ? `${changed.slice(0, end)},${changed.slice(end)}`
    : changed;
}

/** Where the comma behind the value that ends at `from` stands; undefined where there is none. */
async function commaAfter(text: string, from: number): Promise<number | undefined> {
  const { createScanner } = await import("jsonc-parser");
  const scanner = createScanner(text, true);
  scanner.setPosition(from);
  scanner.scan();
  const found = scanner.getTokenOffset();
  return text[found] === "," ? found : undefined;
}

/** Whether nothing is in the object at `path`, not even a comment; never of the document itself. */
async function isBare(text: string, path: readonly string[]): Promise<boolean> {
  const { findNodeAtLocation, parseTree } = await import("jsonc-parser");
  const tree = parseTree(text, [], { allowTrailingComma: true });
  const group = path.length === 0 ? undefined : tree && findNodeAtLocation(tree, [...path]);
  return group !== undefined &&
    /^\{\s*\}$/.test(text.slice(group.offset, group.offset + group.length));
}

// The library's own removal takes the white space around along, or puts its neighbours in order.
async function takeOutOfJson(
  text: string,
  path: readonly string[],
  { insteadOf, explainedBy }: {
    readonly insteadOf?: string | undefined;
    readonly explainedBy?: string | undefined;
  },
): Promise<string> {
  const { findNodeAtLocation, parseTree } = await import("jsonc-parser");
  const tree = parseTree(text, [], { allowTrailingComma: true });
  const property = tree && findNodeAtLocation(tree, [...path])?.parent;
  if (property === undefined || property.type !== "property") return text;
  const siblings = property.parent?.children ?? [];
  const before = siblings[siblings.indexOf(property) - 1];
  const isLast = siblings.at(-1) === property;
  let start = property.offset;
  let end = property.offset + property.length;
  let left = "";
  const comma = await commaAfter(text, end);
  if (comma !== undefined) end = comma + 1;
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  const rest = /^[ \t]*(?:\/\/[^\n]*)?(?:\r?\n|$)/.exec(text.slice(end));
  if (text.slice(lineStart, start).trim() === "" && rest !== null) {
    start = lineStart;
    end += rest[0].length;
    const above = text.slice(0, lineStart).split("\n").at(-2)?.replace(/\r$/, "");
    if (insteadOf !== undefined && above === explainedBy) {
      const more = /^\s*\}/.test(text.slice(end)) ? "" : ",";
      left = `${insteadOf}${more}${rest[0].endsWith("\r\n") ? "\r\n" : "\n"}`;
    }
  } else if (!isLast) {
    end += /^[ \t]*/.exec(text.slice(end))![0].length;
  }
  // A comma before the last one would be an error to strict readers.
  const stray = isLast && before !== undefined && comma === undefined
    ? await commaAfter(text, before.offset + before.length)
    : undefined;
  const head = stray === undefined
    ? text.slice(0, start)
    : text.slice(0, stray) + text.slice(stray + 1, start);
  return head + left + text.slice(end);
}
