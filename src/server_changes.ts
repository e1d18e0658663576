// Changes which servers our own configuration has: adds, removes, and takes entries of other clients
// over. Shows what it changes with every secret masked, and asks before it touches a client's file.

import { readFoundEntry, replaceClientText, switchOff } from "./client_edits.ts";
import { readEntry } from "./config.ts";
import { type ConfigFile, editConfig } from "./config_file.ts";
import type { Context } from "./context.ts";
import type { NamedEntry } from "./discovery.ts";
import { AppError } from "./errors.ts";
import { setInJson } from "./jsonc.ts";
import { DEMO_SERVER, type ServerName } from "./names.ts";
import { isObject, type JsonObject } from "./server.ts";
import { findServer, type ServerSet } from "./servers.ts";
import { cleanLine, maskArguments, maskUrlTemplate, quoteText } from "./text.ts";

/** Puts a server into our file; a `usage` error when it is there, unless `force` is set. */
export async function addServer(
  file: ConfigFile,
  { name, entry, force }: { name: ServerName; entry: JsonObject; force: boolean },
): Promise<void> {
  if (name === DEMO_SERVER) throw new AppError("usage", `Server name "${name}" is reserved`);
  // Throws for what could not be used afterwards.
  readEntry(name, entry, { origin: "user", shownPath: file.shownPath, warn: () => {} });
  await editConfig(file, async (text, { document }) => {
    const servers = document["mcpServers"];
    if (isObject(servers) && Object.hasOwn(servers, name) && !force) {
      throw new AppError("usage", `Server "${name}" is in ${quoteText(file.shownPath)} already`, {
        hint: "choose another name, or replace it with --force",
      });
    }
    return await setInJson(text, ["mcpServers", name], entry);
  });
}

/** Takes a server out of our file; a `usage` error when it is not there. */
export async function removeServer(
  file: ConfigFile,
  { name, servers }: { name: string; servers: ServerSet },
): Promise<void> {
  const { config, found } = servers;
  const isOwn = [config.servers, config.disabled, config.unusable].some((names) =>
    names.has(name as ServerName)
  );
  if (!isOwn) {
    const other = found.find((entry) => entry.name === name);
    if (other === undefined) findServer(servers, name);
    throw new AppError("usage", `Server "${name}" is not in ${quoteText(file.shownPath)}`, {
      ...(other !== undefined && {
        hint: `it stands in ${quoteText(other.shownPath)} of ${other.file.title}`,
      }),
      ...(name === DEMO_SERVER && { hint: "it is built in" }),
    });
  }
  await editConfig(file, (text) => setInJson(text, ["mcpServers", name], undefined));
}

/** What taking over one server changes. */
export interface Takeover {
  readonly name: ServerName;
  /** What goes into our file; absent when our file has the server already. */
  readonly added?: JsonObject;
  /** The client's entries that are switched off. */
  readonly moved: readonly NamedEntry[];
  /** The changes as lines, secrets masked. */
  readonly diff: readonly string[];
}

/**
 * What `importServers` would do for `name`, or for every server of the person's clients. Throws
 * `usage` errors for a name that no client has, and for one of a project that is not trusted.
 */
export async function planImport(
  file: ConfigFile,
  { name, servers, move }: { name: string | undefined; servers: ServerSet; move: boolean },
): Promise<Takeover[]> {
  const { config, found, specs, unusable } = servers;
  const usable = found.filter(({ spec, state }) =>
    spec !== undefined && (state === "used" || state === "shadowed")
  );
  const isOwn = (own: ServerName) => config.servers.has(own) || config.disabled.has(own);
  const names = name === undefined
    // What was imported before is ours by now, and is still to be switched off.
    ? usable.filter(({ name, state, file }) =>
      file.scope === "user" && (state === "used" || (move && isOwn(name)))
    ).map((entry) => entry.name)
    : [name as ServerName];
  const takeovers: Takeover[] = [];
  for (const wanted of new Set(names)) {
    const entries = usable.filter((entry) => entry.name === wanted);
    const first = entries.find(({ state }) => state === "used") ?? entries[0];
    if (first === undefined) {
      const reason = unusable.get(wanted);
      if (reason !== undefined) throw reason;
      if (!isOwn(wanted)) findServer(servers, wanted);
      throw new AppError("usage", `Server "${wanted}" is in no other client's file`);
    }
    if (specs.get(wanted)?.untrusted) {
      throw new AppError("untrusted", `Server "${wanted}" is of the project and not trusted`, {
        hint: `mcp-exec server trust ${wanted}`,
      });
    }
    const moved = move ? entries.filter((entry) => entry.file.scope === "user") : [];
    if (move && moved.length === 0) {
      throw new AppError(
        "usage",
        `Server "${wanted}" is of the project, whose file stays as it is`,
      );
    }
    if (isOwn(wanted) && !move) {
      throw new AppError("usage", `Server "${wanted}" is in ${quoteText(file.shownPath)} already`);
    }
    const taken = isOwn(wanted) ? undefined : await readFoundEntry(first);
    const folder = taken && first.file.folderOf(taken.places.at(-1)!);
    takeovers.push({
      name: wanted,
      moved,
      ...(taken !== undefined && { added: taken.entry }),
      diff: [
        ...(taken === undefined
          ? []
          : [file.shownPath, `  + ${JSON.stringify(wanted)}: ${maskedEntry(taken.entry)}`]),
        ...(folder === undefined
          ? []
          : [`    so far in ${quoteText(folder)} alone, from now on in every folder`]),
        ...(await Promise.all(moved.map(linesOfSwitch))).flat(),
      ],
    });
  }
  return takeovers;
}

/** What switching an entry off changes in its client's file. */
async function linesOfSwitch(found: NamedEntry): Promise<string[]> {
  const { file, rawName, shownPath } = found;
  const off = file.off((await readFoundEntry(found)).places.at(-1)!);
  return [
    shownPath,
    off === undefined
      ? `  - ${quoteText(rawName)}, taken out`
      : `  ~ ${quoteText(rawName)}: ${off[0]} = ${off[1]}`,
  ];
}

/**
 * Takes servers over: ours first, then each client's file, with a copy of it kept beside it. Gives
 * the paths of the copies. A client's file that changed since it was read is left alone.
 */
export async function importServers(
  context: Pick<Context, "now">,
  { file, takeovers }: { file: ConfigFile; takeovers: readonly Takeover[] },
): Promise<string[]> {
  const backups: string[] = [];
  for (const { name, added, moved } of takeovers) {
    if (added !== undefined) await addServer(file, { name, entry: added, force: false });
    for (const found of moved) {
      const stamp = new Date(context.now()).toISOString().replace(/[-:]|\.\d+/g, "");
      backups.push(
        await replaceClientText(found.file.path, {
          mark: `${stamp}-${name}`,
          async change() {
            const { text } = await readFoundEntry(found);
            return { before: text, after: await switchOff(text, found) };
          },
        }),
      );
    }
  }
  return backups;
}

/** An entry on one line, with the values of variables and headers and secret parts masked. */
function maskedEntry(entry: JsonObject): string {
  const masked: Record<string, unknown> = { ...entry };
  for (const key of ["env", "headers"]) {
    const values = entry[key];
    if (!isObject(values)) continue;
    masked[key] = Object.fromEntries(Object.keys(values).map((name) => [name, "***"]));
  }
  if (typeof entry["url"] === "string") masked["url"] = maskUrlTemplate(entry["url"]);
  if (Array.isArray(entry["args"])) masked["args"] = maskArguments(entry["args"] as string[]);
  return cleanLine(JSON.stringify(masked), 2_000);
}
