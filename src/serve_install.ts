// Puts this program into the file of a client: shows what would be written, asks, keeps a copy of
// what was there. The command it writes is the name the program goes by, never where it was unpacked.

import { changedMeanwhile, putEntry, replaceClientText } from "./client_edits.ts";
import { type ClientFile, clientFiles, entriesOf, type Program } from "./clients.ts";
import type { Context } from "./context.ts";
import { parseClientText, readFound } from "./discovery.ts";
import { ensureFolder, writeFileAtomic } from "./disk.ts";
import { AppError } from "./errors.ts";
import { MAX_CLIENT_FILE_BYTES } from "./limits.ts";
import { nearestHint } from "./names.ts";
import { V8_FLAGS } from "./prepared.ts";
import { bundleFlags } from "./process.ts";
import { readTextFile } from "./read.ts";
import type { JsonObject } from "./server.ts";
import { maskHome, quoteText } from "./text.ts";

/** What the entry is called in every client. */
const ENTRY_NAME = "mcp-exec";

/** An entry that is to be written. */
export interface Installation {
  readonly file: ClientFile;
  readonly shownPath: string;
  readonly entry: JsonObject;
  /** A file of the client with nothing else in it. */
  readonly alone: string;
  /** What is in the file now, and what would be; the same when nothing is to be done. */
  readonly before: string | undefined;
  readonly after: string;
  /** The change as lines. */
  readonly diff: readonly string[];
  /** Servers that the client still starts itself. */
  readonly direct: readonly string[];
}

type Place = Pick<Context, "env" | "cwd" | "platform" | "paths">;

// What people call them.
const ALIASES: Readonly<Record<string, string>> = {
  claude: "claude-code",
  code: "vscode",
  "vs-code": "vscode",
  "gemini-cli": "gemini",
};

/** The clients that an entry can be written for. */
export function clientNames(place: Place): string[] {
  const files = clientFiles(place).filter(({ scope }) => scope === "user");
  return [...new Set(files.map(({ client }) => client))];
}

/**
 * What would be written for `client`. Throws `usage` for a client that is not known, `invalid` for
 * a file that cannot be read, `failure` for one that cannot be changed safely.
 */
export async function planInstallation(
  place: Place,
  { client, program }: { readonly client: string; readonly program: Program },
): Promise<Installation> {
  const wanted = ALIASES[client] ?? client;
  const files = clientFiles(place).filter((file) =>
    file.scope === "user" && file.client === wanted
  );
  if (files.length === 0) {
    throw new AppError("usage", `Client ${quoteText(client)} is not known`, {
      hint: nearestHint(client, {
        known: clientNames(place),
        otherwise: `they are ${clientNames(place).join(", ")}`,
      }),
    });
  }
  const texts = await Promise.all(files.map(readIfThere));
  const at = Math.max(0, texts.findIndex((text) => text !== undefined));
  const [file, before] = [files[at]!, texts[at]];
  const shownPath = maskHome(file.path, place.paths.home);
  const entry = file.newEntry(program);
  const document = before === undefined || before.trim() === ""
    ? {}
    : await parseClientText(before, file.syntax, shownPath);
  const entries = entriesOf(file, document);
  const old = entries[ENTRY_NAME];
  const isSame = JSON.stringify(old) === JSON.stringify(entry);
  const change = { file, name: ENTRY_NAME, entry, shownPath };
  return {
    file,
    shownPath,
    entry,
    alone: await putEntry("", change),
    before,
    after: isSame ? before! : await putEntry(before ?? "", change),
    diff: isSame ? [] : [
      shownPath,
      ...(old === undefined ? [] : [`  - ${quoteText(ENTRY_NAME)}: as it is now`]),
      `  + ${quoteText(ENTRY_NAME)}: ${JSON.stringify(entry)}`,
    ],
    direct: Object.entries(entries)
      .filter(([name]) => name !== ENTRY_NAME)
      .flatMap((named) => readFound(named, { file, shownPath }))
      .filter(({ spec, problem }) => spec !== undefined || problem !== undefined)
      .map(({ rawName }) => rawName),
  };
}

/** Writes it; gives the path of the copy of what was there. */
export async function install(
  { now }: Pick<Context, "now">,
  { file, before, after }: Installation,
): Promise<string | undefined> {
  if (before === undefined) {
    // The client may have been started while its person was asked.
    if (await readIfThere(file) !== undefined) throw changedMeanwhile(file.path);
    await ensureFolder(file.path.replace(/[/\\][^/\\]*$/, ""));
    await writeFileAtomic(file.path, after);
    return undefined;
  }
  const stamp = new Date(now()).toISOString().replace(/[-:]|\.\d+/g, "");
  return await replaceClientText(file.path, {
    mark: `${stamp}-${ENTRY_NAME}`,
    change: () => Promise.resolve({ before, after }),
  });
}

async function readIfThere({ path }: ClientFile): Promise<string | undefined> {
  const isThere = await Deno.stat(path).then(() => true, () => false);
  return isThere ? await readTextFile(path, { maxBytes: MAX_CLIENT_FILE_BYTES }) : undefined;
}

/** How this program is started, as far as it can tell. */
export interface Running {
  /** The executable of this process. */
  readonly executable: string;
  /** Whether the executable is the program itself. */
  readonly isStandalone: boolean;
  /** The program's entry, where the executable only runs it. */
  readonly entry: string;
}

/** What stays the same when the program is updated: its name on the PATH, where it has one. */
export async function stableProgram(
  { env, platform }: Pick<Context, "env" | "platform">,
  { executable, isStandalone, entry }: Running,
): Promise<Program> {
  const isWindows = platform === "windows";
  const isSource = entry.endsWith(".ts");
  const folders = isSource ? [] : (env.get("PATH") ?? "").split(isWindows ? ";" : ":");
  for (const folder of folders) {
    for (const ending of isWindows ? [".exe", ".cmd"] : [""]) {
      const path = `${folder}/${ENTRY_NAME}${ending}`;
      // Another program of that name would be started in our place; what a relative folder holds is
      // another one wherever the client starts.
      const real = /^(?:[/\\]|[A-Za-z]:)/.test(folder)
        ? await Deno.realPath(path).catch(() => undefined)
        : undefined;
      if (real !== undefined && (!isStandalone || real === await Deno.realPath(executable))) {
        return { command: path, args: ["serve"] };
      }
    }
  }
  if (isStandalone) return { command: executable, args: ["serve"] };
  return {
    command: executable,
    args: [
      ...["run", "-A", "--unstable-worker-options", `--v8-flags=${V8_FLAGS}`],
      ...bundleFlags(entry),
      ...[entry, "serve"],
    ],
  };
}
