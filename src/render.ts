// Where results are printed: as one JSON document, plain text, or text for a terminal. JSON is never
// coloured, and nothing in it or in a program's text is obeyed by a terminal.

import type { Context, OutputFormat } from "./context.ts";
import { type AppError, errorText } from "./errors.ts";
import { cleanText, isPlain, maskHome } from "./text.ts";

/** Ways to set off a piece of text; each gives its text unchanged where colour is off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
}

/** Where a command prints its results. */
export interface Output {
  readonly format: OutputFormat;
  readonly style: Style;
  /** Columns a line may take: the terminal's, or without bound in a pipe. */
  readonly width: number;
  /** Prints lines of text and a line feed. */
  print(text: string): void;
  /** Prints a result as `text` and `pretty` do: a string as it is, anything else as JSON. */
  value(value: unknown): void;
  /** Prints the one JSON document of a command; further ones are dropped. */
  document(value: unknown): void;
  /** Text of ours for showing: the home folder is written as `~`. */
  mask(text: string): string;
}

/** The output of one command. `color` is what was asked for; JSON and pipes get none anyway. */
export function createOutput(
  context: Pick<Context, "writeOut" | "isTerminal" | "columns" | "paths">,
  options: { format: OutputFormat; color: boolean },
): Output {
  const isTerminal = context.isTerminal.out;
  const pretty = options.format === "pretty";
  let done = false;
  // A pipe gets a program's text as it is; a terminal would obey what is in it.
  const safe = (text: string) => isTerminal ? cleanText(text, Infinity) : text;
  return {
    format: options.format,
    style: createStyle(options.color && pretty && isTerminal),
    width: pretty ? Math.max(40, context.columns) : Infinity,
    print: (text) => void context.writeOut(`${text}\n`),
    value(value) {
      const text = typeof value === "string" ? safe(value) : toJson(value, pretty ? 2 : 0);
      context.writeOut(text.endsWith("\n") ? text : `${text}\n`);
    },
    document(value) {
      if (!done) context.writeOut(`${toJson(value)}\n`);
      done = true;
    },
    mask: (text) => maskHome(text, context.paths.home),
  };
}

/** Colours, or none of them. */
export function createStyle(color: boolean): Style {
  const code = (open: number, close: number) => (text: string) =>
    color ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return { bold: code(1, 22), dim: code(2, 22), red: code(31, 39) };
}

/** JSON text in which characters that a terminal obeys or hides are written as escapes. */
export function toJson(value: unknown, indent = 0): string {
  const text = JSON.stringify(value, null, indent) ?? "null";
  return isPlain(text) ? text : text.replace(
    /[\u007f-\u009f]|\p{Cf}|\p{Co}|\p{Zl}|\p{Zp}/gu,
    (char) => {
      const units = Array.from({ length: char.length }, (_, index) => char.charCodeAt(index));
      return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
    },
  );
}

/** An error as stderr shows it: one line, then indented detail and hint. */
export function errorLines(error: AppError, style: Style): string {
  return errorText(error).replace(/^error:/, style.red("error:"));
}

/** `ms` to two places: a clock's noise says nothing to a reader. */
export function roundMs(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** `ms` as `12 ms` or `3.4 s`. */
export function formatMs(ms: number): string {
  return ms < 1000
    ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
    : `${(ms / 1000).toFixed(1)} s`;
}

/** How long ago something was, in the largest unit that leaves at least 1. */
export function formatAge(ms: number): string {
  const units = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"]] as const;
  const unit = units.find(([size]) => ms >= size);
  return unit === undefined ? "moments ago" : `${countOf(Math.floor(ms / unit[0]), unit[1])} ago`;
}

/** `1 call`, `2 calls`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
