// Untrusted text to one place in generated TypeScript, Markdown, YAML or shell text: one function
// per position. Invisible characters are made visible first and the position's own ends escaped
// second; the other order could rebuild a comment end. Identifiers are made by `identifiers.ts`.

import { MAX_DESCRIPTION_BYTES } from "./limits.ts";
import { cleanLine, cleanText } from "./text.ts";

// Most text is plain ASCII; recognising that is several times cheaper than cleaning it.
const PLAIN = /^[\t\n\x20-\x7e]*$/;
const PLAIN_LINE = /^[\x20-\x7e]*$/;
// Words with one space between them.
const TIDY = /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/;
const PLAIN_KEY = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/**
 * `text` for a doc comment, as lines without `*` in front: `*\/` stands for a comment end and
 * `\@` for an at-sign that would begin a tag; removing that one backslash gives the text back.
 */
export function docText(text: string, maxChars = MAX_DESCRIPTION_BYTES): string[] {
  const plain = text.length <= maxChars && PLAIN.test(text);
  const safe = neutralise(plain ? text : cleanText(text, maxChars)).trim();
  return safe === "" ? [] : safe.split("\n").map((line) => line.trimEnd());
}

/** `text` for the value of a doc tag or the rest of one doc line: as `docText`, on one line. */
export function docTagText(text: string, maxChars = 500): string {
  return neutralise(plainLine(text, maxChars));
}

/** `text` safe to show on one line: as `cleanLine` gives it, cheaper where it is plain ASCII. */
export function plainLine(text: string, maxChars = 500): string {
  if (text.length <= maxChars && TIDY.test(text)) return text;
  if (text.length > maxChars * 4) return cleanLine(text, maxChars);
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= maxChars && PLAIN_LINE.test(line) ? line : cleanLine(text, maxChars);
}

/** `text` when it has at most `maxChars` characters, else so many of them, dots included. */
export function firstChars(text: string, maxChars: number): string {
  return text.length <= maxChars ? text : withDots(text.slice(0, maxChars - 3));
}

/** As `firstChars`, cut behind a word where there is more than one. */
export function firstWords(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  return withDots(text.slice(0, maxChars - 3).replace(/\s+\S*$/, ""));
}

/**
 * Lines that `docText` and `docTagText` gave as a whole doc comment that ends in a line feed, each
 * line behind `indent`; the empty string when there is no line.
 */
export function docComment(lines: readonly string[], indent = ""): string {
  if (lines.length === 0) return "";
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  let text = `${indent}/**\n`;
  for (const line of lines) text += line === "" ? `${indent} *\n` : `${indent} * ${line}\n`;
  return `${text}${indent} */\n`;
}

/** A JSON value as indented text that ends in a line feed, unsafe characters as escapes. */
export function jsonText(value: unknown): string {
  const text = `${JSON.stringify(value, null, 2)}\n`;
  return PLAIN.test(text) ? text : text.replace(/[^\n\x20-\x7e]/gu, escapeUnsafe);
}

/** A JSON value as text on one line, unsafe characters as escapes. */
export function jsonLine(value: unknown): string {
  const text = JSON.stringify(value);
  return PLAIN_LINE.test(text) ? text : text.replace(/[^\x20-\x7e]/gu, escapeUnsafe);
}

/** `text` as a double-quoted literal, valid in TypeScript and JSON, of exactly that value. */
export function stringLiteral(text: string): string {
  return jsonLine(text);
}

/** `text` as the key of a type member: bare when it is a plain ASCII name, else a literal. */
export function propertyKey(text: string): string {
  return PLAIN_KEY.test(text) ? text : stringLiteral(text);
}

/** `text` for the inside of a template literal type, of exactly that value. */
export function templateText(text: string): string {
  return stringLiteral(text).slice(1, -1).replaceAll('\\"', '"').replace(/`|\$(?=\{|$)/g, "\\$&");
}

/**
 * `text` as words of a line of Markdown, on one line: nothing in it is markup, and it begins no
 * heading, list, rule or fence even where it stands first.
 */
export function markdownText(text: string, maxChars = 500): string {
  return plainLine(text, maxChars)
    .replace(/[\\`*_#<>|[\]~]|&(?=#|[A-Za-z])/g, "\\$&")
    .replace(/^[-+=]/, "\\$&")
    .replace(/^(\d{1,9})([.)])/, "$1\\$2");
}

/** `text` as a block quotation in Markdown that ends in a line feed, each line as `markdownText`. */
export function markdownQuote(text: string, maxChars = MAX_DESCRIPTION_BYTES): string {
  const lines = cleanText(text.trim(), maxChars).split("\n");
  return lines.map((line) => `> ${markdownText(line, Infinity)}`.trimEnd() + "\n").join("");
}

/** `text` as a code span in Markdown, on one line: its fence is longer than any inside. */
export function codeSpan(text: string, maxChars = 500): string {
  const line = plainLine(text, maxChars);
  const fence = "`".repeat(longestTicks(line) + 1);
  const pad = /^[` ]|[` ]$/.test(line) || line === "" ? " " : "";
  return `${fence}${pad}${line}${pad}${fence}`;
}

/** Lines of code as a fenced block in Markdown that ends in a line feed. */
export function codeBlock(code: string, language: string): string {
  const fence = "`".repeat(Math.max(3, longestTicks(code) + 1));
  return `${fence}${language}\n${code.trimEnd()}\n${fence}\n`;
}

const MAX_YAML_CHARS = 2_000;

/**
 * `text` as a double-quoted YAML scalar on one line; hyphens that a careless reader takes for the
 * end of the front matter are written as escapes.
 */
export function yamlString(text: string): string {
  return stringLiteral(plainLine(text, MAX_YAML_CHARS))
    .replace(/-{3,}/g, (run) => "\\x2d".repeat(run.length));
}

/** `text` as one word of a POSIX shell, of exactly that value; line feeds stay. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

// Without half of a character in front of them.
function withDots(start: string): string {
  return `${start.replace(/[\ud800-\udbff]$/, "")}...`;
}

function longestTicks(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 0);
}

// A comment end, and an at-sign that is not inside a word such as an address: each gets one
// backslash in front of its last character, behind those that were there.
function neutralise(text: string): string {
  const closed = text.includes("*") ? text.replace(/\*(\\*)\//g, "*$1\\/") : text;
  return closed.includes("@") ? closed.replace(/(?<![A-Za-z0-9_])@/g, "\\@") : closed;
}

// The escape in UTF-16 units, which JSON knows too, for what must not be seen as it is.
function escapeUnsafe(char: string): string {
  if (cleanText(char) === char) return char;
  let text = "";
  for (let unit = 0; unit < char.length; unit++) {
    text += `\\u${char.charCodeAt(unit).toString(16).padStart(4, "0")}`;
  }
  return text;
}
