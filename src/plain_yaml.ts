// The part of YAML that programs write into configuration files: mappings and lists by indentation,
// plain and quoted scalars, text blocks. Everything else is refused, never guessed.

import { AppError } from "./errors.ts";
import { MAX_JSON_DEPTH } from "./limits.ts";
import { cleanLine, quoteText } from "./text.ts";

interface Line {
  readonly number: number;
  readonly indent: number;
  readonly text: string;
}

const KEY =
  /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'#&*!|>%@`[\]{},?:-](?:[^#:]|:(?=\S)|(?<=\S)#)*?|-(?=\S)(?:[^#:]|:(?=\S))*?):(?:\s+(?!\s)(.*))?$/;

/** The value of YAML text; an `invalid` error names line and `what` for anything beyond the part. */
export function parsePlainYaml(text: string, what: string): unknown {
  const lines: Line[] = text.split(/\r?\n/).map((line, index) => ({
    number: index + 1,
    indent: line.length - line.trimStart().length,
    text: line.trim(),
  }));
  let next = 0;
  const refuse = (why: string, line = lines[next]): never => {
    throw new AppError("invalid", `Config ${quoteText(what)} is not plain YAML: ${why}`, {
      at: { file: what, line: line?.number ?? lines.length },
    });
  };
  /** The next line that says something; undefined at the end. */
  const peek = (): Line | undefined => {
    while (next < lines.length && /^(?:#.*|---)?$/.test(lines[next]!.text)) next++;
    return lines[next];
  };
  const block = (indent: number, depth: number): unknown => {
    if (depth > MAX_JSON_DEPTH) refuse(`nested deeper than ${MAX_JSON_DEPTH}`);
    const first = peek();
    if (first === undefined || first.indent < indent) return null;
    return /^-(?: |$)/.test(first.text) ? list(first.indent, depth) : mapping(first.indent, depth);
  };
  const list = (indent: number, depth: number): unknown[] => {
    const items: unknown[] = [];
    for (let line = peek(); line?.indent === indent; line = peek()) {
      const rest = /^-(?: +(?! )(.*))?$/.exec(line.text);
      if (rest === null) break;
      const inner = rest[1] ?? "";
      if (KEY.test(inner)) {
        // A mapping that begins on the line of its dash stands where its first key stands.
        lines[next] = { ...line, indent: indent + line.text.length - inner.length, text: inner };
        items.push(mapping(lines[next]!.indent, depth + 1));
      } else {
        next++;
        items.push(inner === "" ? block(indent + 1, depth + 1) : scalar(inner, indent, line));
      }
    }
    return items;
  };
  const mapping = (indent: number, depth: number): Record<string, unknown> => {
    if (depth > MAX_JSON_DEPTH) refuse(`nested deeper than ${MAX_JSON_DEPTH}`);
    const members = new Map<string, unknown>();
    for (let line = peek(); line !== undefined && line.indent >= indent; line = peek()) {
      if (line.indent > indent) refuse("a line belongs to no key");
      const [, name, rest = ""] = KEY.exec(line.text) ?? refuse("a line is no key");
      const key = String(scalar(name!, indent, line));
      if (members.has(key)) refuse(`key ${quoteText(key)} stands twice`);
      next++;
      const value = rest.startsWith("#") ? "" : rest;
      const below = peek();
      // A list may stand at the indentation of its key.
      const at = below?.indent === indent && /^-(?: |$)/.test(below.text) ? indent : indent + 1;
      members.set(key, value === "" ? block(at, depth + 1) : scalar(value, indent, line));
    }
    return Object.fromEntries(members);
  };
  const scalar = (raw: string, indent: number, line: Line): unknown => {
    if (/^[|>][+-]?$/.test(raw)) return textBlock(indent, raw);
    const flow = /^\[(.*)\]$/.exec(raw);
    if (flow !== null) {
      const items = flow[1]!.match(/"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,\s][^,]*/g) ?? [];
      if (items.some((item) => item.startsWith("["))) {
        refuse("a list in a list is not read here", line);
      }
      return items.map((item) => scalar(item.trim(), indent, line));
    }
    if (raw === "{}") return {};
    if (raw.startsWith('"')) {
      const [, body] = /^("(?:[^"\\]|\\.)*")(?:\s+#.*)?$/.exec(raw) ??
        refuse("a quoted text is not closed", line);
      try {
        return JSON.parse(body!);
      } catch {
        return refuse("a quoted text has an escape that is not known", line);
      }
    }
    if (raw.startsWith("'")) {
      const [, body] = /^'((?:[^']|'')*)'(?:\s+#.*)?$/.exec(raw) ??
        refuse("a quoted text is not closed", line);
      return body!.replaceAll("''", "'");
    }
    if (/^[&*!|>%@`[\]{},]|^[?:-](?:\s|$)/.test(raw)) {
      refuse(`${quoteText(cleanLine(raw, 20))} is not read here`, line);
    }
    const plain = raw.replace(/\s#.*$/, "").trimEnd();
    // A text that goes on in the next line would be read as half of itself.
    const below = peek();
    if (below !== undefined && below.indent > indent) refuse("a text goes on in the next line");
    if (/^(?:~|null|Null|NULL)$/.test(plain)) return null;
    if (/^(?:true|True|TRUE)$/.test(plain)) return true;
    if (/^(?:false|False|FALSE)$/.test(plain)) return false;
    return /^[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[-+]?\d+)?$/i.test(plain) ? Number(plain) : plain;
  };
  const textBlock = (indent: number, style: string): string => {
    const kept: Line[] = [];
    while (next < lines.length && (lines[next]!.indent > indent || lines[next]!.text === "")) {
      kept.push(lines[next++]!);
    }
    const joined = kept.map((line) => line.text).join(style.startsWith("|") ? "\n" : " ");
    return style.endsWith("-") ? joined.trimEnd() : `${joined.trimEnd()}\n`;
  };
  const tab = text.split("\n").findIndex((line) => /^ *\t\s*\S/.test(line));
  if (tab >= 0) refuse("a tab indents it", lines[tab]);
  const value = block(0, 0);
  if (peek() !== undefined) refuse("a line belongs to no key");
  return value;
}
