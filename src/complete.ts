// What a shell may put where the cursor stands: commands, flags, their values, and names of servers,
// tools and skills as they are known here. Connects to nothing, warns of nothing and never fails.

import type { Command } from "@stricli/core";
import type { Context } from "./context.ts";
import type { Database } from "./database.ts";
import type { CommandGroup, Invocation } from "./flags.ts";
import type { Log } from "./log.ts";
import { formatBytes, MAX_SKILLS } from "./limits.ts";
import { DEMO_SERVER } from "./names.ts";
import type { ServerSpec, ToolDefinition } from "./server.ts";
import type { ServerSet } from "./servers.ts";
import { cleanLine } from "./text.ts";

/** The word that asks for candidates, before the shell's name and what was typed. */
export const COMPLETE_WORD = "__complete";

/** One thing that may stand at the cursor. */
export interface Candidate {
  readonly value: string;
  readonly about?: string;
}

/** What the command line knows of itself. */
export interface CommandTable {
  readonly commands: Readonly<
    Record<string, {
      readonly brief: string;
      readonly load: () => Promise<Command<Invocation> | CommandGroup>;
    }>
  >;
  readonly globalFlags: readonly string[];
}

/** Stands for the names of files, which the shell knows best. */
const FILES: Candidate = { value: ":files" };

const ABOUT_CHARS = 60;
// Words that no shell takes apart or expands: names come from servers, and a shell would obey some.
const PLAIN = /^[\p{L}\p{N}_/.][\p{L}\p{N}_./:=+-]*$/u;
const FLAG = /^--[a-z-]+(?:=[\p{L}\p{N}_./:+-]*)?$/u;

/**
 * Prints a candidate a line, a tab and a few words about it behind it: `args` are the shell, then
 * the words up to the cursor, or for shells that hand on the whole line that line (and for bash the
 * characters at which it splits words).
 */
export async function printCandidates(context: Context, table: CommandTable): Promise<void> {
  const [shell, ...given] = context.args.slice(1);
  const byLine = shell === "bash" || shell === "powershell";
  try {
    const words = byLine ? await splitLine(given[0] ?? "", shell === "powershell") : given;
    const last = words.at(-1) ?? "";
    const found = await findCandidates(words, { context, table });
    const form = last.startsWith("-") ? FLAG : PLAIN;
    const fitting = found.filter((item) =>
      item === FILES || (item.value.startsWith(last) && form.test(item.value))
    );
    // Bash puts candidates in place of what follows the last character at which it splits.
    const breaks = shell === "bash" ? [...given[1] ?? ""].filter((char) => /[:=]/.test(char)) : [];
    const kept = Math.max(0, ...breaks.map((char) => last.lastIndexOf(char) + 1));
    context.writeOut(
      fitting.map(({ value, about }) => {
        if (shell === "bash") return `${value === FILES.value ? value : value.slice(kept)}\n`;
        return about === undefined ? `${value}\n` : `${value}\t${about}\n`;
      }).join(""),
    );
  } catch {
    // Whoever presses Tab is in the middle of a line: nothing is offered, nothing is said.
  }
}

/** The words of an unfinished line behind the program's name; the last one may be empty. */
async function splitLine(line: string, isPowerShell: boolean): Promise<string[]> {
  const { splitCommand } = await import("./servers.ts");
  for (const quote of ["", '"', "'"]) {
    try {
      const words = splitCommand(line + quote, { isWindows: isPowerShell }).slice(1);
      return quote === "" && /\s$/.test(line) ? [...words, ""] : words;
    } catch {
      // A quote is open: the next round closes it.
    }
  }
  return [];
}

/** What stands before the cursor. */
interface Line {
  readonly name: string | undefined;
  readonly command: Command<Invocation> | CommandGroup | undefined;
  readonly positionals: readonly string[];
  /** Values of flags by their key, in order. */
  readonly given: ReadonlyMap<string, readonly string[]>;
  /** The flag whose value is next. */
  readonly pending: string | undefined;
  readonly literal: boolean;
}

interface Surroundings {
  readonly context: Context;
  readonly table: CommandTable;
}

/** Everything that may stand in place of the last of `words`, whatever it begins with. */
async function findCandidates(
  words: readonly string[],
  { context, table }: Surroundings,
): Promise<readonly Candidate[]> {
  const line = await readLine(words.slice(0, -1), table);
  const last = words.at(-1) ?? "";
  if (line.pending !== undefined) return await flagValues(line.pending, { line, context });
  const assigned = line.literal ? null : /^(--[a-z-]+)=/.exec(last);
  if (assigned !== null) {
    const values = await flagValues(keyOf(assigned[1]!), { line, context });
    return values.map((item) =>
      item === FILES ? item : { ...item, value: `${assigned[0]}${item.value}` }
    );
  }
  const { command } = line;
  if (command === undefined) {
    if (last.startsWith("-")) return table.globalFlags.map((value) => ({ value }));
    if (line.name !== undefined) return [];
    return Object.entries(table.commands).map(([value, { brief }]) => ({ value, about: brief }));
  }
  if ("commands" in command) {
    return Object.entries(command.commands).map(([value, { brief }]) => ({ value, about: brief }));
  }
  if (last.startsWith("-") && !line.literal) return flagNames(command, line, table.globalFlags);
  return await positionalValues(command, { line, context, last });
}

async function readLine(words: readonly string[], table: CommandTable): Promise<Line> {
  let name: string | undefined;
  let command: Command<Invocation> | CommandGroup | undefined;
  let pending: string | undefined;
  let literal = false;
  const positionals: string[] = [];
  const given = new Map<string, string[]>();
  const give = (key: string, value: string) => given.set(key, [...given.get(key) ?? [], value]);
  for (const word of words) {
    if (pending !== undefined) {
      give(pending, word);
      pending = undefined;
    } else if (word === "--" && !literal) {
      literal = true;
    } else if (/^-./.test(word) && !literal) {
      const [, flag = word, value] = /^(--[a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
      const single = command === undefined || "commands" in command ? undefined : command;
      const aliases: Partial<Record<string, string>> = single?.parameters.aliases ?? {};
      const key = flag.startsWith("--") ? keyOf(flag) : aliases[flag.slice(1)] ?? flag;
      if (value !== undefined) give(key, value);
      else if (takesValue(key, single)) pending = key;
      else give(key, "");
    } else if (name === undefined) {
      if (word === "help") continue;
      name = word;
      if (Object.hasOwn(table.commands, word)) command = await table.commands[word]!.load();
    } else if (command !== undefined && "commands" in command) {
      command = Object.hasOwn(command.commands, word) ? command.commands[word] : undefined;
    } else {
      positionals.push(word);
    }
  }
  return { name, command, positionals, given, pending, literal };
}

const GLOBAL_VALUES: Readonly<Record<string, readonly Candidate[]>> = {
  format: ["json", "text", "pretty"].map((value) => ({ value })),
  config: [FILES],
};

function keyOf(flag: string): string {
  return flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

type Flags = NonNullable<Command<Invocation>["parameters"]["flags"]>;

function flagsOf(command: Command<Invocation> | undefined): Flags {
  return command?.parameters.flags ?? {};
}

function takesValue(key: string, command: Command<Invocation> | undefined): boolean {
  if (Object.hasOwn(GLOBAL_VALUES, key)) return true;
  const flag = flagsOf(command)[key];
  return flag !== undefined && flag.kind !== "boolean" && flag.kind !== "counter" &&
    !("inferEmpty" in flag && flag.inferEmpty);
}

function flagNames(
  command: Command<Invocation>,
  { given }: Line,
  globalFlags: readonly string[],
): Candidate[] {
  const own = Object.entries(flagsOf(command)).filter(([key, flag]) =>
    !given.has(key) || ("variadic" in flag && flag.variadic)
  ).map(([key, { brief }]) => ({
    value: `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    about: brief,
  }));
  const global = globalFlags.filter((flag) => !given.has(keyOf(flag)));
  return [...own, ...global.map((value) => ({ value }))];
}

interface Place {
  readonly line: Line;
  readonly context: Context;
  /** What is typed of an argument. */
  readonly last?: string;
}

async function flagValues(key: string, place: Place): Promise<readonly Candidate[]> {
  if (Object.hasOwn(GLOBAL_VALUES, key)) return GLOBAL_VALUES[key]!;
  const { command } = place.line;
  const flag = command === undefined || "commands" in command ? undefined : flagsOf(command)[key];
  if (flag === undefined) return [];
  if (flag.kind === "enum") return flag.values.map((value) => ({ value }));
  const choices = choicesOf(flag.placeholder);
  if (choices.length > 0) return choices;
  if (/^(?:FILE|DIR)$/.test(flag.placeholder ?? "")) return [FILES];
  return await valuesOf(key, place);
}

/** The values that a placeholder such as `user|project` spells out. */
function choicesOf(placeholder = ""): Candidate[] {
  const isChoice = /^[a-z0-9-]+(?:\|[a-z0-9-]+)+$/.test(placeholder);
  return isChoice ? placeholder.split("|").map((value) => ({ value })) : [];
}

async function positionalValues(
  { parameters }: Command<Invocation>,
  place: Place,
): Promise<readonly Candidate[]> {
  const { positional } = parameters;
  const { positionals } = place.line;
  if (positional === undefined) return [];
  const isList = positional.kind === "array";
  const placeholder = isList
    ? positional.parameter.placeholder
    : positional.parameters[positionals.length]?.placeholder;
  if (placeholder === undefined) return [];
  const choices = choicesOf(placeholder);
  if (choices.length > 0) return choices;
  if (isList && placeholder === "tool") return await callValues(place);
  const values = await valuesOf(placeholder, place);
  return isList ? values.filter(({ value }) => !positionals.includes(value)) : values;
}

/** Values by what a flag or an argument is called; none where nothing is known of it. */
async function valuesOf(what: string, place: Place): Promise<readonly Candidate[]> {
  switch (what) {
    case "server":
      return serverNames(await openServers(place));
    case "tool":
      return toolNames(await knownTools(place, place.line.positionals[0]));
    case "skill":
      return await skillNames(place);
    case "session":
    case "run":
      return await journalNames(what, place);
    case "handle":
      return await handleNames(place);
    case "key":
    case "value": {
      const { SETTINGS } = await import("./config_file.ts");
      if (what === "key") return SETTINGS.map(({ key, brief }) => ({ value: key, about: brief }));
      const setting = SETTINGS.find(({ key }) => key === place.line.positionals[0]);
      const values = setting?.kind === "boolean" ? ["true", "false"] : setting?.values;
      return (values ?? []).map((value) => ({ value }));
    }
    case "install": {
      const { clientNames } = await import("./serve_install.ts");
      return clientNames(place.context).map((value) => ({ value }));
    }
    case "file":
      return [FILES];
    case "program":
      return [FILES, ...await skillNames(place)];
    default:
      return [];
  }
}

/** Of `call`: a server unless a flag gives one, its tool, then the tool's parameters. */
async function callValues(place: Place): Promise<readonly Candidate[]> {
  const { given, positionals } = place.line;
  const isAdHoc = given.has("stdio") || given.has("http");
  const [server, tool] = isAdHoc ? [undefined, positionals[0]] : positionals;
  if (!isAdHoc && server === undefined) return serverNames(await openServers(place));
  const tools = await knownTools(place, server);
  if (tool === undefined) return toolNames(tools);
  const schema = tools.find(({ name }) => name === tool)?.inputSchema;
  const properties = Object.entries((schema?.["properties"] ?? {}) as Record<string, unknown>);
  const begun = /^([^:=@]+)=/.exec(place.last ?? "")?.[1];
  const choices = begun === undefined ? [] : choicesIn(new Map(properties).get(begun));
  if (choices.length > 0) return choices.map((value) => ({ value: `${begun}=${value}` }));
  const isSet = (key: string) => positionals.some((word) => /^[^:=@]+/.exec(word)?.[0] === key);
  return properties.filter(([key]) => !isSet(key)).map(([key, property]) => {
    const { type, description } = (property ?? {}) as { type?: unknown; description?: unknown };
    const isJson = type === "object" || type === "array";
    return { value: `${key}${isJson ? ":=" : "="}`, ...about(description) };
  });
}

/** The values that a parameter takes, where its schema lists them. */
function choicesIn(schema: unknown): string[] {
  const { type, enum: values } = (schema ?? {}) as { type?: unknown; enum?: unknown };
  if (!Array.isArray(values)) return type === "boolean" ? ["true", "false"] : [];
  return values.slice(0, MAX_CHOICES).flatMap((value) =>
    typeof value === "object" ? [] : `${value}`
  );
}

const MAX_CHOICES = 100;
const SILENT: Log = { debug() {}, info() {}, warn() {} };

/** The servers there are; the files of other clients are read only where `wanted` is not ours. */
async function openServers({ context, line }: Place, wanted?: string): Promise<ServerSet> {
  const { loadServers } = await import("./servers.ts");
  const { given } = line;
  const config = given.get("config")?.at(-1);
  return await loadServers(context, {
    ...(given.has("stdio") && { stdio: given.get("stdio")! }),
    ...(given.has("http") && { http: given.get("http")! }),
    ...(config !== undefined && { config }),
  }, {
    embedded: () => Promise.reject(new Error("Nothing is opened here")),
    log: SILENT,
    ...(wanted !== undefined && { wanted: [wanted] }),
  });
}

function serverNames({ specs, unnamed }: ServerSet): Candidate[] {
  return [...specs].filter(([name]) => !unnamed.has(name)).map(([value, spec]) => ({
    value,
    about: value === DEMO_SERVER ? "built in, works offline" : placeOf(spec),
  }));
}

function placeOf(spec: ServerSpec): string {
  return `${spec.transport}${spec.untrusted === true ? ", not trusted yet" : ""}`;
}

function toolNames(tools: readonly ToolDefinition[]): Candidate[] {
  return tools.map(({ name, title, description }) => ({
    value: name,
    ...about(description ?? title),
  }));
}

function about(text: unknown): { about?: string } {
  if (typeof text !== "string" || text.trim() === "") return {};
  const line = cleanLine(text.slice(0, 4 * ABOUT_CHARS), 4 * ABOUT_CHARS);
  const sentence = /^.*?[.!?](?= |$)/.exec(line)?.[0] ?? line;
  return {
    about: sentence.length > ABOUT_CHARS ? `${sentence.slice(0, ABOUT_CHARS - 3)}...` : sentence,
  };
}

/** What the index holds of a server's tools; of the only one given by flag where none is named. */
async function knownTools(place: Place, name?: string): Promise<readonly ToolDefinition[]> {
  const servers = await openServers(place, name);
  const chosen = name ?? (servers.adHoc.length === 1 ? servers.adHoc[0] : undefined);
  const spec = [...servers.specs.values()].find((item) => item.name === chosen);
  if (spec === undefined) return [];
  const { readIndex } = await import("./servers.ts");
  return (await readIndex(place.context, { spec, warn() {} }))?.info.tools ?? [];
}

async function fromDatabase<Result>(
  context: Context,
  work: (database: Database) => Result,
): Promise<Result> {
  const { withDatabase } = await import("./database.ts");
  return await withDatabase(context, { warn() {}, work });
}

const MAX_KEPT_NAMES = 50;

/** Sessions or runs, the last first; a run also as `last`. */
async function journalNames(what: "session" | "run", { context }: Place): Promise<Candidate[]> {
  const column = what === "session" ? "session" : "id";
  const rows = await fromDatabase(
    context,
    (database) =>
      database.all<{ value: string; command: string }>(
        `select ${column} as value, command, max(started) from runs where ${column} is not null
       group by ${column} order by max(started) desc limit ?`,
        MAX_KEPT_NAMES,
      ),
  );
  const found = rows.map(({ value, command }) => ({ value, ...about(command) }));
  return what === "run" ? [{ value: "last", about: "the run that began last" }, ...found] : found;
}

/** What can still be shown again, the last first. */
async function handleNames({ context }: Place): Promise<Candidate[]> {
  const rows = await fromDatabase(
    context,
    (database) =>
      database.all<{ id: string; type: string; bytes: number }>(
        "select id, type, bytes from handles where expires > ? order by kept desc limit ?",
        context.now(),
        MAX_KEPT_NAMES,
      ),
  );
  return rows.map(({ id, type, bytes }) => ({
    value: id,
    ...about(`${type}, ${formatBytes(bytes)}`),
  }));
}

// A look at the folders, without the store that verifies what is in them.
async function skillNames({ context }: Place): Promise<Candidate[]> {
  const { lookAt, namesIn, skillPlaces } = await import("./skill_places.ts");
  const found = new Map<string, Candidate>();
  for (const place of skillPlaces(context)) {
    for (const name of namesIn(place, MAX_SKILLS).names) {
      const skill = found.has(name)
        ? undefined
        : lookAt(`${place.folder}/${name}`, { name, origin: place.origin });
      if (skill !== undefined) found.set(name, { value: name, ...about(skill.description) });
    }
  }
  // What was written with --output goes by its name, too.
  const folders = await fromDatabase(
    context,
    (database) =>
      database.all<{ folder: string }>(
        "select folder from skill_folders order by noted desc limit ?",
        MAX_KEPT_NAMES,
      ),
  );
  for (const { folder } of folders) {
    const name = folder.split(/[/\\]/).at(-1)!;
    const skill = found.has(name) ? undefined : lookAt(folder, { name, origin: "output" });
    if (skill !== undefined) found.set(name, { value: name, ...about(skill.description) });
  }
  return [...found.values()];
}
