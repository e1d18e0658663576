// The front matter of a SKILL.md that somebody else may have written: the small part of YAML that
// skills use, read strictly. No alias, anchor, tag or document is ever expanded.

import { AppError } from "./errors.ts";
import { MAX_FRONT_MATTER_BYTES, MAX_FRONT_MATTER_LINES } from "./limits.ts";
import { quoteText } from "./text.ts";

/** What is used of the front matter; texts are untrusted. */
export interface FrontMatter {
  readonly name: string;
  readonly description: string;
}

const KEY = /^([A-Za-z0-9_-]{1,64}):(?:[ ]+(?! )(.*))?$/;
const BLOCK = /^([|>])([+-]?)$/;

/**
 * The front matter at the start of `text`, all of it read. Throws an `invalid` error that names the
 * line for what is missing, doubled, beyond the bounds, or YAML that a skill has no need of (K13).
 */
export function readFrontMatter(text: string, what: string): FrontMatter {
  const refuse = (why: string, line?: number): never => {
    const at = line === undefined ? {} : { at: { file: what, line } };
    throw new AppError("invalid", `Front matter of ${quoteText(what)} ${why}`, at);
  };
  const lines = frontLines(text, refuse);
  const values = new Map<string, string>();
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    if (line.includes("\t")) refuse("holds a tab", at + 2);
    if (line.startsWith(" ")) refuse("has a line that belongs to no key", at + 2);
    const [, key, rest = ""] = KEY.exec(line) ?? refuse("has a line that is no key", at + 2);
    if (values.has(key!)) refuse(`has the key ${quoteText(key!)} twice`, at + 2);
    const below = indentedBelow(lines, at);
    if (key === "metadata" && rest.trim() === "") {
      const names = new Set<string>();
      for (const [offset, item] of below.entries()) {
        if (item.trim() === "") continue;
        const refuseItem = (why: string) => refuse(why, at + 3 + offset);
        const [, name, value = ""] = KEY.exec(item.trimStart()) ??
          refuseItem("has metadata that is no flat list of keys");
        if (names.has(name!)) refuseItem(`has metadata ${quoteText(name!)} twice`);
        names.add(name!);
        scalar(value, refuseItem);
      }
      values.set(key, "");
    } else {
      const block = BLOCK.exec(rest.trim());
      const value = block !== null
        ? blockText(below, block[1] === "|")
        : rest.trim() === "" && below.length > 0
        // A list, such as that of allowed tools: kept as it stands, nothing of it is used.
        ? below.map((item) => item.trim()).join(" ")
        : scalar([rest, ...below.map((item) => item.trim())].join(" "), (why) =>
          refuse(why, at + 2));
      values.set(key!, value);
    }
    at += below.length;
  }
  const take = (key: string): string => {
    const value = values.get(key)?.trim() ?? "";
    if (value === "") refuse(`has no ${key}`);
    return value;
  };
  return { name: take("name"), description: take("description") };
}

type Refuse = (why: string, line?: number) => never;

// The lines between the two `---`, whichever line ends the file has.
function frontLines(text: string, refuse: Refuse): string[] {
  const start = text.slice(0, MAX_FRONT_MATTER_BYTES + 8);
  const lines = start.split(/\r?\n/);
  if (lines[0] !== "---") refuse("does not begin with ---", 1);
  const end = lines.indexOf("---", 1);
  if (end < 0) {
    refuse(
      text.length > start.length
        ? `is longer than ${MAX_FRONT_MATTER_BYTES} bytes`
        : "does not end with ---",
    );
  }
  if (end > MAX_FRONT_MATTER_LINES) refuse(`has more than ${MAX_FRONT_MATTER_LINES} lines`);
  return lines.slice(1, end);
}

function indentedBelow(lines: readonly string[], at: number): string[] {
  let end = at + 1;
  while (end < lines.length && (lines[end]!.startsWith(" ") || lines[end]!.trim() === "")) end++;
  while (end > at + 1 && lines[end - 1]!.trim() === "") end--;
  return lines.slice(at + 1, end);
}

function blockText(lines: readonly string[], keepsLines: boolean): string {
  return lines.map((line) => line.trim()).join(keepsLines ? "\n" : " ").trim();
}

function scalar(text: string, refuse: (why: string) => never): string {
  const value = text.trim();
  if (value.includes("\t")) refuse("holds a tab");
  if (value.startsWith('"')) {
    const quoted = /^"(?:[^"\\]|\\.)*"/.exec(value)?.[0];
    if (quoted === undefined || !isComment(value.slice(quoted.length))) {
      return refuse("has a quoted value that does not end");
    }
    // JSON knows all escapes but these of YAML.
    const json = quoted.replace(
      /\\(x[0-9A-Fa-f]{2}|\\|.)/gs,
      (all, code: string) =>
        code.startsWith("x") && code.length === 3 ? `\\u00${code.slice(1)}` : all,
    );
    try {
      return JSON.parse(json) as string;
    } catch {
      return refuse("has a quoted value with an escape that is not known");
    }
  }
  if (value.startsWith("'")) {
    const quoted = /^'(?:[^']|'')*'/.exec(value)?.[0];
    if (quoted === undefined || !isComment(value.slice(quoted.length))) {
      return refuse("has a quoted value that does not end");
    }
    return quoted.slice(1, -1).replaceAll("''", "'");
  }
  if (/^[&*!%@`]/.test(value)) refuse("uses an anchor, alias, tag or reserved sign");
  if (/^[|>]/.test(value)) refuse("has a block with an indicator that is not known");
  return value.replace(/\s#.*$/, "");
}

function isComment(rest: string): boolean {
  return rest.trim() === "" || /^\s+#/.test(rest);
}
