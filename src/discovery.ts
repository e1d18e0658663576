// Finds the servers that other clients and the project have configured, and gives each a name of
// its own. Reads files; expands, starts and sends nothing, and never fails for a broken file.

import { type ClientFile, clientFiles, type ClientPlace, entriesOf } from "./clients.ts";
import { readEntry } from "./config.ts";
import { AppError, toAppError } from "./errors.ts";
import { type Digest, digestOfJson } from "./hash.ts";
import { parseDocument } from "./jsonc.ts";
import { MAX_CLIENT_FILE_BYTES, MAX_CLIENT_SERVERS, MAX_JSON_DEPTH } from "./limits.ts";
import { DEMO_SERVER, isServerName, type ServerName, slugServerName } from "./names.ts";
import { isThere, readTextFile } from "./read.ts";
import { isObject, type JsonObject, type ServerSpec } from "./server.ts";
import { maskHome, quoteText } from "./text.ts";
import { depthOf } from "./wire.ts";

/** An entry of a client's file. Holds no secret that is not wrapped. */
export interface FoundEntry {
  /** As the client names it; untrusted. */
  readonly rawName: string;
  readonly file: ClientFile;
  readonly shownPath: string;
  /** Over the name, the file's place in the project and the whole entry. */
  readonly digest: Digest;
  /** Equal for entries that start the same server in the same way. */
  readonly identity: Digest;
  /** Under the name that fits; absent when the entry is switched off or cannot be used. */
  readonly spec?: ServerSpec;
  readonly problem?: AppError;
}

/** What the files of clients hold. */
export interface Discovery {
  readonly entries: readonly FoundEntry[];
  /** Files that could not be read, one line each, safe to show. */
  readonly warnings: readonly string[];
}

/** An entry and the name it goes by. */
export interface NamedEntry extends FoundEntry {
  readonly name: ServerName;
  /** Whether the name stands for it; why not, otherwise. */
  readonly state: "used" | "disabled" | "shadowed" | "unusable";
}

/** A discovery that found nothing. */
export const NOTHING_FOUND: Discovery = { entries: [], warnings: [] };

/** Reads every file of the table that is there. An entry that starts this program is left out. */
export async function discoverServers(place: ClientPlace): Promise<Discovery> {
  const files = await Promise.all(
    clientFiles(place).filter(({ path }) => isThere(path)).map(async (file) => {
      const shownPath = file.path.startsWith(`${place.cwd}/`) && file.scope === "project"
        ? file.path.slice(place.cwd.length + 1)
        : maskHome(file.path, place.paths.home);
      try {
        const entries = await readClientFile(file, shownPath);
        const found = entries.flatMap((entry) => readFound(entry, { file, shownPath }));
        return { found, warning: [] };
      } catch (error) {
        const { message, at } = toAppError(error);
        const where = at === undefined
          ? ""
          : ` at line ${at.line}${at.column === undefined ? "" : `, column ${at.column}`}`;
        return { found: [], warning: [`${message}${where}; its servers are left out`] };
      }
    }),
  );
  return {
    entries: files.flatMap(({ found }) => found).filter((entry) => !isOwnProgram(entry.spec)),
    warnings: files.flatMap(({ warning }) => warning),
  };
}

/** The entries of a file by the client's names, in our shape where they have one. */
async function readClientFile(
  file: ClientFile,
  shownPath: string,
): Promise<(readonly [name: string, entry: JsonObject])[]> {
  const info = statFile(file.path, shownPath);
  if (info === undefined) return [];
  // Anything else than a file might never come to an end.
  if (!info.isFile) throw new AppError("invalid", `${quoteText(shownPath)} is no regular file`);
  const text = await readTextFile(file.path, { maxBytes: MAX_CLIENT_FILE_BYTES });
  if (text.trim() === "") return [];
  const entries = Object.entries(
    entriesOf(file, await parseClientText(text, file.syntax, shownPath)),
  );
  if (entries.length > MAX_CLIENT_SERVERS) {
    throw new AppError(
      "invalid",
      `${quoteText(shownPath)} has more than ${MAX_CLIENT_SERVERS} servers`,
    );
  }
  return entries as [string, JsonObject][];
}

function statFile(path: string, shownPath: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    // A link to nothing is nothing.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
    throw new AppError("invalid", `File ${quoteText(shownPath)} cannot be read`);
  }
}

/** What the text of a client's file holds; throws an `invalid` error that names the place. */
export async function parseClientText(
  text: string,
  syntax: ClientFile["syntax"],
  shownPath: string,
): Promise<JsonObject> {
  let value: unknown;
  if (syntax === "json") {
    try {
      value = JSON.parse(text);
    } catch {
      return await parseDocument(text, shownPath);
    }
  } else if (syntax === "yaml") {
    value = (await import("./plain_yaml.ts")).parsePlainYaml(text, shownPath);
  } else {
    const { parse, TomlError } = await import("smol-toml");
    try {
      const parsed = parse(text, { maxDepth: MAX_JSON_DEPTH });
      // Its own bound leaves out what dotted keys nest.
      if (depthOf(parsed) > MAX_JSON_DEPTH) {
        const what = `Config ${quoteText(shownPath)} is nested deeper than ${MAX_JSON_DEPTH}`;
        throw new AppError("invalid", what);
      }
      // Dates and other values of its own become what JSON has.
      value = JSON.parse(JSON.stringify(parsed));
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      const { line, column } = error;
      throw new AppError("invalid", `Config ${quoteText(shownPath)} is not valid TOML`, {
        at: { file: shownPath, line, column },
      });
    }
  }
  if (isObject(value)) return value;
  throw new AppError("invalid", `Config ${quoteText(shownPath)} must hold an object`);
}

/**
 * An entry of a client's file: without a spec where it is switched off, with the problem where it
 * cannot be used. None for what is no server of its own, such as an extension of the client.
 */
export function readFound(
  [rawName, raw]: readonly [string, unknown],
  { file, shownPath }: Pick<FoundEntry, "file" | "shownPath">,
): FoundEntry[] {
  const base = { rawName, file, shownPath };
  const none = digestOfJson(null);
  try {
    if (rawName in Object.prototype) throw new AppError("invalid", "its name is reserved");
    if (depthOf(raw) > MAX_JSON_DEPTH) throw new AppError("invalid", "it is nested too deeply");
    if (!isObject(raw)) throw new AppError("invalid", "an entry must be an object");
    const entry = file.toEntry(raw);
    if (entry === undefined) return [];
    const digest = digestOfJson([rawName, file.scope === "project" ? shownPath : "", raw]);
    const name = nameOf(rawName);
    const { command, args = [], env = {}, cwd, url, httpUrl, serverUrl, headers = {} } = entry;
    const address = url ?? httpUrl ?? serverUrl;
    const identity = digestOfJson(
      address === undefined ? [command, args, env, cwd] : [address, headers],
    );
    const spec = readEntry(name, entry, { origin: file.scope, shownPath, warn: () => {} });
    const found = { ...base, digest, identity };
    if (spec === undefined) return [found];
    return [{ ...found, spec: { ...spec, client: file.client, digest } }];
  } catch (error) {
    const { kind, message, hint } = toAppError(error);
    const problem = new AppError(
      kind,
      `Server ${quoteText(rawName)} of ${quoteText(shownPath)} is left out: ${message}`,
      hint === undefined ? {} : { hint },
    );
    return [{ ...base, digest: none, identity: none, problem }];
  }
}

function nameOf(rawName: string): ServerName {
  if (rawName === DEMO_SERVER) return slugServerName("demo-server");
  return isServerName(rawName) ? rawName : slugServerName(rawName);
}

/** Whether an entry starts this program as a server: it would call itself. */
function isOwnProgram(spec: ServerSpec | undefined): boolean {
  if (spec?.transport !== "stdio" || !spec.args.includes("serve")) return false;
  const nameOfFile = (path: string) =>
    path.replace(/^.*[\\/]/, "").replace(/(?<=.)@.*$/, "").replace(/\.(?:exe|cmd|js|ts)$/i, "");
  const own = Deno.mainModule.replace(/^file:\/\//, "");
  return [spec.command, ...spec.args].some((word) =>
    nameOfFile(word) === "mcp-exec" || word === own
  );
}

/**
 * Gives every entry its name. A name that our own configuration has (`own`) stays with it. Entries
 * that start the same server are one; of different ones the person's own stand before a project's,
 * and where two of the same kind are left each is `name-client` and the name alone stands for none.
 */
export function nameEntries(
  entries: readonly FoundEntry[],
  own: ReadonlySet<string>,
): { entries: NamedEntry[]; ambiguous: ReadonlyMap<ServerName, readonly ServerName[]> } {
  const named: NamedEntry[] = [];
  const ambiguous = new Map<ServerName, ServerName[]>();
  const groups = Map.groupBy(entries, (entry) => nameOf(entry.rawName));
  const taken = new Set<string>([...own, ...groups.keys(), DEMO_SERVER]);
  for (const [name, group] of groups) {
    const usable: FoundEntry[] = [];
    for (const entry of group) {
      const isSame = (other: FoundEntry) => other.identity === entry.identity;
      if (entry.problem !== undefined) named.push({ ...entry, name, state: "unusable" });
      else if (entry.spec === undefined) named.push({ ...entry, name, state: "disabled" });
      else if (own.has(name) || usable.some(isSame)) {
        named.push({ ...entry, name, state: "shadowed" });
      } else usable.push(entry);
    }
    const users = usable.filter(({ file }) => file.scope === "user");
    const first = users.length > 0 ? users : usable;
    for (const entry of usable) {
      const isAlone = first.length === 1 && entry === first[0];
      const given = isAlone ? name : tagged(name, { tag: entry.file.tag, taken });
      if (first.length > 1 && first.includes(entry)) {
        ambiguous.set(name, [...ambiguous.get(name) ?? [], given]);
      }
      named.push({ ...entry, name: given, spec: { ...entry.spec!, name: given }, state: "used" });
    }
  }
  // In the order of the table, so that a list of them does not jump about.
  const order = new Map(entries.map((entry, index) => [entry.shownPath + entry.rawName, index]));
  const placeOf = (entry: FoundEntry) => order.get(entry.shownPath + entry.rawName)!;
  return { entries: named.sort((a, b) => placeOf(a) - placeOf(b)), ambiguous };
}

function tagged(
  name: ServerName,
  { tag, taken }: { tag: string; taken: Set<string> },
): ServerName {
  for (let number = 1;; number++) {
    const ending = number === 1 ? `-${tag}` : `-${tag}-${number}`;
    const candidate = slugServerName(`${name.slice(0, 64 - ending.length)}${ending}`);
    if (taken.has(candidate)) continue;
    taken.add(candidate);
    return candidate;
  }
}
