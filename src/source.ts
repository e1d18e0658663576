// An author's TypeScript made into JavaScript that the engine can run, with its positions kept.
// It runs in the sandbox's worker: it needs no permission and must never run what it is given.

import { AppError } from "./errors.ts";
import {
  formatBytes,
  MAX_PREPARED_CHARS,
  MAX_PREPARED_SOURCES,
  MAX_SOURCE_BYTES,
} from "./limits.ts";
import { mapPositions, type Position } from "./source_map.ts";
import { checkNesting } from "./source_nesting.ts";
import { scanSource, type SourceScan, type Span } from "./source_scan.ts";
import { cleanLine, cleanText, quoteText } from "./text.ts";

export type { Position } from "./source_map.ts";

/** How a source runs: as an ES module, or as the body of an async function that returns. */
export type SourceForm = "module" | "body";

/** How types are taken out: blanked in place, or compiled away with the positions mapped. */
export type StripMode = "strip" | "transform";

/** A source that is ready for the engine. */
export interface PreparedSource {
  /** An ES module; for a body its default export is what the body returned. */
  readonly js: string;
  readonly form: SourceForm;
  /** Specifiers of static imports, re-exports and `import("literal")`, in order and each once. */
  readonly imports: readonly string[];
  /** For each of them the names that are taken from it; undefined where that may be all of them. */
  readonly names: ReadonlyMap<string, readonly string[] | undefined>;
  /** The place in the author's text of a place in `js`. */
  original(position: Position): Position;
  /** Whether a place in `js` is of the author's text, and not of what was put around it. */
  isAuthors(position: Position): boolean;
  /**
   * Where an interrupt of the top level happened, by the place in `js` of the operator or call
   * before it, 1:1 when there is none: that place where it is in a loop, else the next loop.
   */
  interrupted(position: Position): Position | undefined;
}

/** How a source is read. */
export interface PrepareOptions {
  /** The name in error messages, such as `main.ts`. */
  readonly path: string;
  /** Decided from the source itself when left out. */
  readonly form?: SourceForm;
  /** `strip` unless the source needs `transform`, which also drops imports of types. */
  readonly mode?: StripMode;
}

// What may be more than JavaScript; a text with none of it needs no parser of types.
const MAYBE_TYPED = new RegExp(
  "^#!|[:<!@\\ufeff]|\\?(?![.?])|\\bexport\\s*=|\\b(?:import|function|class|as|satisfies|type|" +
    "interface|enum|namespace|module|declare|abstract|accessor|global)\\b",
);

const BODY_START = "export default await(async()=>{";
const BODY_END = "\n})();";
const MAP_START = "\n//# sourceMappingURL=data:application/json;base64,";
// A `;` and what it keeps apart from the line before.
const CONTINUED = /;[ \t\r\n]*[([`+\-/*]/g;

/**
 * `text` as JavaScript. Throws a `guest` error with the author's line and column for what is not
 * valid, and a `limit` error named `source` for what is too large.
 */
export function prepareSource(text: string, options: PrepareOptions): PreparedSource {
  return prepare(text, { ...options, isPlain: false });
}

function prepare(
  text: string,
  options: PrepareOptions & { readonly isPlain: boolean },
): PreparedSource {
  checkSize(text, options.path);
  const { transformable, unterminated } = checkNesting(text, options.path);
  if (unterminated !== undefined) {
    const { what, at } = unterminated;
    throw syntaxError(`Unterminated ${what}`, text, { path: options.path, at: placeOf(text, at) });
  }
  const unread: Stripped = { js: text, original: (position) => position };
  let stripped = options.isPlain ? unread : strip(text, { ...options, transformable });
  const scan = scanSource(stripped.js);
  const isModule = scan.exports || !scan.returns;
  const form = options.form ?? (isModule ? "module" : "body");
  // What is wrapped must have been accepted alone; a plain module is left to the engine.
  if (options.isPlain && form === "body") stripped = strip(text, { ...options, transformable });
  const wrapped = form === "body" ? wrapBody(stripped.js, scan) : { js: stripped.js, shift: 0 };
  const inside = ({ line, column }: Position) => ({
    line,
    column: line === 1 ? Math.max(1, column - wrapped.shift) : column,
  });
  return {
    js: wrapped.js,
    form,
    imports: scan.imports,
    names: scan.names,
    original: (position) => stripped.original(inside(position)),
    isAuthors: ({ line }) => form === "module" || lineOf(wrapped.js, line + 1) !== undefined,
    interrupted(position) {
      const at = offsetOf(stripped.js, inside(position));
      const isIn = ({ start, end }: Span) => start <= at && at < end;
      const isNear = at > 0 && scan.functions.some(isIn) || scan.loops.some(isIn);
      const next = isNear ? undefined : scan.loops.find(({ start }) => start >= at);
      if (next !== undefined) return stripped.original(placeOf(stripped.js, next.start));
      return at === 0 && !isNear ? undefined : this.original(position);
    },
  };
}

const ready = new Map<string, PreparedSource>();
let readyChars = 0;

/**
 * Like `prepareSource`, for the engine: what was prepared lately is kept in this process and not
 * done again, and with no mode given a module that holds nothing like a type is not parsed, so that
 * its mistakes are found by the engine.
 */
export function prepareOnce(text: string, options: PrepareOptions): PreparedSource {
  const key = `${options.form ?? ""} ${options.mode ?? ""}\n${text}`;
  const known = ready.get(key);
  const isPlain = options.mode === undefined && !MAYBE_TYPED.test(text);
  const source = known ?? prepare(text, { ...options, isPlain });
  ready.delete(key);
  ready.set(key, source);
  if (known === undefined) readyChars += key.length;
  for (const oldest of ready.keys()) {
    if (ready.size <= MAX_PREPARED_SOURCES && readyChars <= MAX_PREPARED_CHARS) break;
    ready.delete(oldest);
    readyChars -= oldest.length;
  }
  return source;
}

/**
 * The line of `text` at `position` and a caret below its column, safe to show; the part around the
 * column when the line is longer than `width`. Empty when there is no such line.
 */
export function sourceFrame(text: string, position: Position, width = 100): string[] {
  const line = lineOf(text, position.line);
  if (line === undefined) return [];
  const column = Math.max(position.column, 1) - 1;
  const from = column < width ? 0 : column - Math.floor(width / 2);
  const chars = Array.from(line.slice(0, 2 * (from + width)));
  // Cleaned in two parts, because cleaning can widen what stands before the caret.
  const before = showPart(chars.slice(from, column));
  const after = showPart(chars.slice(column, from + width));
  const start = `${position.line} | ${from > 0 ? "..." : ""}`;
  return [`${start}${before}${after}`.trimEnd(), `${" ".repeat(start.length + before.length)}^`];
}

// The lines that parser and engine count.
function lineOf(text: string, line: number): string | undefined {
  return text.split(/\r?\n/, line)[line - 1];
}

function showPart(chars: readonly string[]): string {
  return cleanText(chars.join("").replaceAll("\t", " "));
}

function checkSize(text: string, path: string): void {
  // A character is at most three bytes of UTF-8, so most sources need no count.
  const size = text.length * 3 <= MAX_SOURCE_BYTES ? 0 : new TextEncoder().encode(text).length;
  if (size <= MAX_SOURCE_BYTES) return;
  throw new AppError(
    "limit",
    `Source ${quoteText(path)} is ${formatBytes(size)}, more than ${formatBytes(MAX_SOURCE_BYTES)}`,
    { limit: { name: "source", limit: MAX_SOURCE_BYTES, value: size } },
  );
}

type StripTypes = typeof import("node:module").stripTypeScriptTypes;

let stripTypes: StripTypes | undefined;

// Loaded when it is needed: that takes longer than the whole run of a short program.
const stripTypeScriptTypes: StripTypes = (...args) => {
  stripTypes ??= process.getBuiltinModule("node:module").stripTypeScriptTypes;
  return stripTypes(...args);
};

interface Stripped {
  readonly js: string;
  readonly original: (position: Position) => Position;
}

function strip(
  text: string,
  { path, mode, transformable }: PrepareOptions & { transformable: boolean },
): Stripped {
  if (mode !== "transform") {
    try {
      const js = restoreSemicolons(text, stripTypeScriptTypes(text));
      return { js, original: (position) => position };
    } catch {
      // Syntax that has to be compiled, or an error: only `transform` says where that is.
    }
  }
  let output: string;
  try {
    if (!transformable) throw new SyntaxError("Not valid TypeScript");
    output = stripTypeScriptTypes(text, { mode: "transform", sourceMap: true });
  } catch (error) {
    throw refusal(error, text, path);
  }
  const at = output.lastIndexOf(MAP_START);
  let map: ReturnType<typeof mapPositions> | undefined;
  return {
    js: output.slice(0, at),
    original: (position) => (map ??= readMap(output.slice(at + MAP_START.length)))(position),
  };
}

function readMap(base64: string): ReturnType<typeof mapPositions> {
  return mapPositions((JSON.parse(atob(base64)) as { mappings: string }).mappings);
}

// Stripping blanks the `;` that ends a type and begins `;(b)`, so that the line above calls `b`.
function restoreSemicolons(text: string, js: string): string {
  let fixed = "";
  let done = 0;
  for (const match of js.length === text.length ? text.matchAll(CONTINUED) : []) {
    const at = match.index;
    const next = at + match[0].length - 1;
    // Inside of a type, what follows is blanked too.
    if (js[at] === ";" || js[next] !== text[next]) continue;
    fixed += `${js.slice(done, at)};`;
    done = at + 1;
  }
  return fixed + js.slice(done);
}

// The one form that is wrapped in text. The wrapping cannot be closed early: the body has been
// parsed alone and is parsed once more as part of a module, where no HTML comment hides anything.
function wrapBody(js: string, scan: SourceScan): { js: string; shift: number } {
  // Imports stand before the function; blanked where they were, so that every line stays.
  let body = "";
  let done = 0;
  for (const { start, end } of scan.declarations) {
    body += js.slice(done, start) + js.slice(start, end).replace(/[^\r\n]/g, " ");
    done = end;
  }
  body = (body + js.slice(done)).replace(/^#!/, "//");
  const start = scan.declarations.map((declaration) => declaration.line).join("") + BODY_START;
  try {
    stripTypeScriptTypes(`${body}\nexport {};`);
  } catch (error) {
    throw new AppError("guest", "Syntax error: The body is not valid inside of an ES module", {
      hint: "Take out HTML comments, and what strict mode forbids",
      cause: error,
    });
  }
  return { js: start + body + BODY_END, shift: start.length };
}

function syntaxError(
  reason: string,
  text: string,
  { path, at, cause }: { path: string; at?: Position | undefined; cause?: unknown },
): AppError {
  return new AppError("guest", `Syntax error: ${cleanLine(reason, 200)}`, {
    ...(at !== undefined && { at: { file: path, ...at }, detail: sourceFrame(text, at) }),
    cause,
  });
}

// The first line says what, the last one where; between them stands a frame of the stripper's.
function refusal(error: unknown, text: string, path: string): AppError {
  const message = error instanceof Error ? error.message : "";
  const reason = /^(?:SyntaxError: )?(.*)/.exec(message)![1]!;
  const place = /:(\d+):(\d+)\s*$/.exec(message);
  const at = place === null ? undefined : readPlace(text, Number(place[1]), Number(place[2]));
  return syntaxError(reason, text, { path, at, cause: error });
}

function placeOf(text: string, at: number): Position {
  const lines = text.slice(0, at).split("\n");
  return { line: lines.length, column: [...lines.at(-1)!].length + 1 };
}

function offsetOf(text: string, { line, column }: Position): number {
  const before = text.split("\n", line - 1).join("\n");
  return before.length + (line > 1 ? 1 : 0) + column - 1;
}

// The stripper shows a tab as two columns.
function readPlace(text: string, line: number, shown: number): Position {
  let column = 1;
  let width = 1;
  for (const char of lineOf(text, line) ?? "") {
    if (width >= shown) break;
    width += char === "\t" ? 2 : 1;
    column++;
  }
  return { line, column };
}
