// Takes an entry of another client over: reads it whole, and switches it off in the client's own
// text. A change that does anything else than that is refused; a copy is kept of what is replaced.

import { type ClientFile, entriesOf, objectAt } from "./clients.ts";
import { type FoundEntry, parseClientText } from "./discovery.ts";
import { writeFileAtomic } from "./disk.ts";
import { AppError } from "./errors.ts";
import { digestOfJson } from "./hash.ts";
import { setInJson } from "./jsonc.ts";
import { MAX_CLIENT_FILE_BYTES } from "./limits.ts";
import { withLock } from "./lock.ts";
import { quotePath, readTextFile } from "./read.ts";
import type { JsonObject } from "./server.ts";
import { quoteText } from "./text.ts";

const KEPT = ["command", "args", "env", "cwd", "headers", "timeout", "inheritEnv"];

/**
 * The client's file, the entry in our shape, and where in the file it stands, the last being what
 * holds. The entry holds secrets: it goes into our own file and nowhere else. Throws an `invalid`
 * error when the entry is gone or changed.
 */
export async function readFoundEntry(
  found: FoundEntry,
): Promise<{ text: string; entry: JsonObject; places: readonly (readonly string[])[] }> {
  const { file, rawName, shownPath } = found;
  const text = await readTextFile(file.path, { maxBytes: MAX_CLIENT_FILE_BYTES });
  const document = await parseClientText(text, file.syntax, shownPath);
  const raw = entriesOf(file, document)[rawName];
  const digest = digestOfJson([rawName, file.scope === "project" ? shownPath : "", raw]);
  const whole = digest === found.digest ? file.toEntry(raw as JsonObject) : undefined;
  if (whole === undefined) {
    throw new AppError("invalid", `Entry of ${quoteText(rawName)} changed while it was read`);
  }
  const url = whole["url"] ?? whole["httpUrl"] ?? whole["serverUrl"];
  const kept = KEPT.filter((key) => {
    const value = whole[key];
    const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
    return value !== undefined && !isEmpty && !(url !== undefined && /^(?:env|args)$/.test(key));
  });
  const entry = Object.fromEntries(kept.map((key) => [key, whole[key]]));
  return {
    text,
    entry: url === undefined ? entry : { url, ...entry },
    places: placesWith(document, found),
  };
}

function placesWith(
  document: JsonObject,
  { file, rawName }: FoundEntry,
): readonly (readonly string[])[] {
  return file.placesOf(document).filter((place) =>
    Object.hasOwn(objectAt(document, place), rawName)
  );
}

/**
 * Replaces the text of the client's file at `path` by what `change` makes of it, one process at a
 * time, and gives the path of a copy of it, whose name has `mark` in it. Throws `failure` when the
 * file holds something else than `before`: its client may write it at any moment.
 */
export async function replaceClientText(
  path: string,
  { mark, change }: {
    readonly mark: string;
    readonly change: () => Promise<{ readonly before: string; readonly after: string }>;
  },
): Promise<string> {
  // A person may keep such files elsewhere and link to them.
  const real = await Deno.realPath(path);
  const cut = Math.max(real.lastIndexOf("/"), real.lastIndexOf("\\")) + 1;
  return await withLock(`${real.slice(0, cut)}.${real.slice(cut)}.edit`, async () => {
    const { before, after } = await change();
    const checkUnchanged = async () => {
      if (await readTextFile(real, { maxBytes: MAX_CLIENT_FILE_BYTES }) !== before) {
        throw changedMeanwhile(path);
      }
    };
    await checkUnchanged();
    const mode = ((await Deno.stat(real)).mode ?? 0o600) & 0o777;
    const copy = `${real}.${mark}.bak`;
    await writeFileAtomic(copy, before, { mode });
    // The copy took its time on the disk.
    await checkUnchanged();
    await writeFileAtomic(real, after, { mode });
    return copy;
  }, { guarded: real });
}

/** The error for the client's file at `path` that is not any more what it was. */
export function changedMeanwhile(path: string): AppError {
  return new AppError(
    "failure",
    `File ${quotePath(path)} of the client was changed meanwhile, and is left as it is`,
  );
}

/** `text` of the entry's file with the entry switched off, or taken out, and nothing else changed. */
export async function switchOff(text: string, found: FoundEntry): Promise<string> {
  const { file, rawName, shownPath } = found;
  const { syntax } = file;
  const before = await parseClientText(text, syntax, shownPath);
  const refuse = () => {
    throw new AppError("failure", `Entry of ${quoteText(rawName)} cannot be switched off safely`, {
      hint: `change ${quoteText(shownPath)} by hand`,
    });
  };
  const places = placesWith(before, found);
  let changed = text;
  if (syntax === "json") {
    for (const place of places) {
      const off = file.off(place);
      changed = off === undefined
        ? await setInJson(changed, [...place, rawName], undefined)
        : await setInJson(changed, [...place, rawName, off[0]], off[1]);
    }
  } else {
    changed = syntax === "toml" ? offInToml(text, found) : offInYaml(text, found);
  }
  const after = await parseClientText(changed, syntax, shownPath).catch(refuse);
  const rest = (document: JsonObject) => digestOfJson(without(document, found));
  const isOff = places.every((place) => {
    const off = file.off(place);
    return off === undefined
      ? !Object.hasOwn(objectAt(after!, place), rawName)
      : objectAt(after!, [...place, rawName])[off[0]] === off[1];
  });
  if (changed === text || !isOff || rest(before) !== rest(after!)) refuse();
  return changed;
}

/**
 * `text` of a client's file with `entry` under `name`, whatever stood there, and nothing else
 * changed. Throws `failure` where that cannot be made sure, `invalid` for a file that is broken.
 */
export async function putEntry(
  text: string,
  { file, name, entry, shownPath }: {
    readonly file: ClientFile;
    readonly name: string;
    readonly entry: JsonObject;
    readonly shownPath: string;
  },
): Promise<string> {
  const isEmpty = text.trim() === "";
  const before = isEmpty ? {} : await parseClientText(text, file.syntax, shownPath);
  const place = file.placesOf(before)[0]!;
  const changed = file.syntax === "json"
    ? await setInJson(isEmpty ? "{}\n" : text, [...place, name], entry)
    : file.syntax === "toml"
    ? putInToml(text, { table: place[0]!, name, entry })
    : putInYaml(text, { group: place[0]!, name, entry });
  const after = await parseClientText(changed, file.syntax, shownPath).catch(() => undefined);
  const target = { file, rawName: name };
  const isThere = after !== undefined &&
    digestOfJson(objectAt(after, [...place, name])) === digestOfJson(entry);
  const rest = (document: JsonObject) => digestOfJson(withPlace(without(document, target), place));
  if (isThere && rest(before) === rest(after)) return changed;
  throw new AppError("failure", `Entry of ${quoteText(name)} cannot be written safely`, {
    hint: `put it into ${quoteText(shownPath)} by hand: --print shows it`,
  });
}

// The place of the entries counts as there in both: the first entry makes it.
function withPlace(document: JsonObject, place: readonly string[]): JsonObject {
  const [key, ...rest] = place;
  if (key === undefined) return document;
  return { ...document, [key]: withPlace(objectAt(document, [key]), rest) };
}

function putInToml(
  text: string,
  { table, name, entry }: { table: string; name: string; entry: JsonObject },
): string {
  const lines = [
    `[${table}.${/^[\w-]+$/.test(name) ? name : JSON.stringify(name)}]`,
    ...Object.entries(entry).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
  ];
  const own = tomlTable(text, { table, name });
  if (own === undefined) {
    return `${text.trimEnd()}${text.trim() === "" ? "" : "\n\n"}${lines.join("\n")}\n`;
  }
  return `${text.slice(0, own.start)}${lines.join("\n")}\n${text.slice(own.end)}`;
}

function putInYaml(
  text: string,
  { group, name, entry }: { group: string; name: string; entry: JsonObject },
): string {
  const block = [
    `  ${name}:`,
    ...Object.entries(entry).map(([key, value]) => `    ${key}: ${JSON.stringify(value)}`),
  ];
  const lines = text.trim() === "" ? [] : text.trimEnd().split("\n");
  let at = lines.findIndex((line) => line.trimEnd() === `${group}:`);
  if (at < 0) at = lines.push(`${group}:`) - 1;
  const own = lines.findIndex((line, index) => index > at && line.trimEnd() === `  ${name}:`);
  if (own < 0) lines.splice(at + 1, 0, ...block);
  else {
    const length = lines.slice(own + 1).findIndex((line) => /^ {0,2}\S/.test(line));
    lines.splice(own, length < 0 ? lines.length - own : length + 1, ...block);
  }
  return `${lines.join("\n")}\n`;
}

/** A document without the entry, wherever it stands. */
function without(
  document: JsonObject,
  { file, rawName }: Pick<FoundEntry, "file" | "rawName">,
): JsonObject {
  const copy = structuredClone(document);
  for (const place of file.placesOf(document)) {
    delete (objectAt(copy, place) as Record<string, unknown>)[rawName];
  }
  return copy;
}

const ESCAPED = /[.*+?^${}()|[\]\\]/g;

function offInToml(text: string, { rawName, file }: FoundEntry): string {
  const own = tomlTable(text, { table: file.placesOf({})[0]![0]!, name: rawName });
  if (own === undefined) return text;
  const { from, end } = own;
  const body = text.slice(from, end).replace(/^[ \t]*enabled[ \t]*=[^\n]*\n?/m, "");
  const newline = text[from - 1] === "\n" ? "" : "\n";
  return `${text.slice(0, from)}${newline}enabled = false\n${body}${text.slice(end)}`;
}

/** Where the table of an entry begins, where its header ends, and where the next table begins. */
function tomlTable(
  text: string,
  { table, name }: { readonly table: string; readonly name: string },
): { start: number; from: number; end: number } | undefined {
  const plain = name.replace(ESCAPED, "\\$&");
  const header = new RegExp(
    `^[ \\t]*\\[\\s*${table}\\s*\\.\\s*(?:${plain}|"${plain}"|'${plain}')\\s*\\][^\\n]*(?:\\n|$)`,
    "m",
  );
  const match = header.exec(text);
  if (match === null) return undefined;
  const from = match.index + match[0].length;
  const next = text.slice(from).search(/^[ \t]*\[/m);
  return { start: match.index, from, end: next < 0 ? text.length : from + next };
}

function offInYaml(text: string, { rawName, file }: FoundEntry): string {
  const lines = text.split("\n");
  const group = lines.findIndex((line) => line.trimEnd() === `${file.placesOf({})[0]![0]}:`);
  const start = lines.findIndex((line, index) =>
    index > group &&
    new RegExp(`^\\s+["']?${rawName.replace(ESCAPED, "\\$&")}["']?:\\s*$`).test(line)
  );
  if (group < 0 || start < 0) return text;
  const indent = lines[start]!.search(/\S/);
  for (let index = start + 1; index < lines.length; index++) {
    const line = lines[index]!;
    if (line.trim() !== "" && line.search(/\S/) <= indent) break;
    if (!/^\s+enabled:\s*true\s*$/.test(line)) continue;
    lines[index] = line.replace("true", "false");
    return lines.join("\n");
  }
  return text;
}
