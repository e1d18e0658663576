// Which servers there are for a command: flags, our own configuration, the files of clients and of
// the project, and the built-in one. Nothing is connected to, expanded or started here.

import type { Catalog } from "./catalog.ts";
import {
  type Config,
  EMPTY_CONFIG,
  httpSpec,
  readConfig,
  refuseLoaderVariables,
  wrapAll,
} from "./config.ts";
import { configPath, type Context, pathFrom } from "./context.ts";
import { discoverServers, type NamedEntry, nameEntries, NOTHING_FOUND } from "./discovery.ts";
import { AppError } from "./errors.ts";
import type { Digest } from "./hash.ts";
import type { Log } from "./log.ts";
import {
  DEMO_SERVER,
  nearestHint,
  type ServerName,
  slugServerName,
  toServerName,
} from "./names.ts";
import { lockingLayer, type PolicyLayer } from "./policy.ts";
import { loadPolicy, refuseLocked, refuseUnattended } from "./policy_layers.ts";
import { isThere } from "./read.ts";
import type { ServerSpec } from "./server.ts";
import { maskHome, quoteText } from "./text.ts";
import type { TrustStore } from "./trust.ts";
import { addCommand } from "./well_known.ts";

/** The flags that say which servers there are. */
export interface ServerFlags {
  /** `[NAME=]command args`, each. */
  readonly stdio?: readonly string[];
  /** `[NAME=]URL`, each. */
  readonly http?: readonly string[];
  /** `NAME=value`, for the one ad hoc server. */
  readonly env?: readonly string[];
  /** `Name: value`, for the one ad hoc server. */
  readonly header?: readonly string[];
  /** Whether entries of the project's files may be used in this command. */
  readonly trust?: boolean;
  /** Instead of the configuration file in its usual place. */
  readonly config?: string;
  /** Servers, or `server/tool` with "*", that alone may be called. */
  readonly allow?: readonly string[];
  /** Those that may not be called. */
  readonly deny?: readonly string[];
}

/** The servers of one command. */
export interface ServerSet {
  readonly specs: ReadonlyMap<ServerName, ServerSpec>;
  /** Servers given by flag, in order. */
  readonly adHoc: readonly ServerName[];
  /** Those of `adHoc` whose name was made up, until the server tells its own. */
  readonly unnamed: ReadonlySet<ServerName>;
  /** Configured servers that cannot be used, with the reason. */
  readonly unusable: ReadonlyMap<ServerName, AppError>;
  /** What the files of clients and of the project hold; empty when they were not read. */
  readonly found: readonly NamedEntry[];
  readonly config: Config;
  /** Which calls are allowed, the widest layer first. */
  readonly policy: readonly PolicyLayer[];
}

/**
 * Collects the servers of a command. Ad hoc ones come first, then our own configuration, then those
 * of clients and of the project, whose files are read only when a server of `wanted` (all, when it
 * is absent) is in neither. Warns of what was left out. Throws `usage` and `invalid` errors for
 * flags and for an own file that is unusable.
 */
export async function loadServers(
  context: Context,
  flags: ServerFlags,
  options: { embedded: () => Promise<unknown>; log: Log; wanted?: readonly string[] },
): Promise<ServerSet> {
  const { log, wanted } = options;
  const config = await readOwnConfig(context, flags.config);
  for (const warning of config.warnings) log.warn(warning);
  const policy = await loadPolicy(context, { own: config, flags, warn: (text) => log.warn(text) });
  const isLocked = lockingLayer(policy) !== undefined;
  await refuseOtherFile(context, { config: flags.config, policy });
  if ((flags.stdio ?? flags.http) !== undefined) refuseLocked(policy, "Servers given by flag");
  if (flags.trust) refuseUnattended(context, policy, "Servers trusted by --trust");
  const own = new Set([
    ...config.servers.keys(),
    ...config.disabled,
    ...config.unusable.keys(),
  ]);
  const known = new Set<string>([...own, ...givenNames(flags), DEMO_SERVER]);
  const isNeeded = wanted === undefined || wanted.some((name) => !known.has(name));
  const discovery = isNeeded ? await discoverServers(context) : NOTHING_FOUND;
  for (const warning of discovery.warnings) log.warn(warning);
  const { entries: found, ambiguous } = nameEntries(discovery.entries, own);
  const environment = !isLocked || context.isTerminal.in;
  const trusted = await trustedEntries(context, found, { all: flags.trust === true, environment });
  if (!environment && context.env.get("MCP_EXEC_TRUST") && found.length > 0) {
    const { file = "" } = lockingLayer(policy)!;
    log.warn(`MCP_EXEC_TRUST is not used: the policy of ${quoteText(file)} is locked`);
  }

  const specs = new Map<ServerName, ServerSpec>();
  const configured = new Set([...own, ...found.map(({ name }) => name)]);
  const { adHoc, unnamed } = addFlagServers(specs, flags, {
    log,
    configured,
    isWindows: context.platform === "windows",
  });
  for (const [name, spec] of config.servers) addSpec(specs, name, spec);
  const unusable = new Map<ServerName, AppError>();
  for (const { name, state, spec, problem, file } of found) {
    if (problem !== undefined) {
      if (!unusable.has(name)) unusable.set(name, problem);
      // A person's other clients are not this command's business, its project is.
      if (file.scope === "project") log.warn(problem.message);
    } else if (state === "used" && spec !== undefined) {
      const isTrusted = file.scope === "user" || trusted.has(spec.digest!);
      addSpec(specs, name, isTrusted ? spec : { ...spec, untrusted: true });
    }
  }
  for (const [name, others] of ambiguous) {
    const choice = others.map((other) => `"${other}"`).join(" or ");
    const message = `Server "${name}" is configured differently by several clients`;
    unusable.set(name, new AppError("usage", message, { hint: `name ${choice}` }));
  }
  specs.set(DEMO_SERVER, {
    transport: "embedded",
    name: DEMO_SERVER,
    origin: "built-in",
    open: options.embedded,
  });
  for (const [name, reason] of config.unusable) unusable.set(name, reason);
  for (const name of config.disabled) {
    const message = `Server "${name}" is disabled in ${quoteText(config.file ?? "")}`;
    unusable.set(name, new AppError("usage", message, { hint: "take that out of its entry" }));
  }
  return { specs, adHoc, unnamed, unusable, found, config, policy };
}

/** The names that were given to ad hoc servers. */
function givenNames({ stdio = [], http = [] }: ServerFlags): string[] {
  return [...stdio, ...http].flatMap((text) => splitNamed(text).name ?? []);
}

/** The digests of the project's entries that may be started. */
async function trustedEntries(
  context: Context,
  found: readonly NamedEntry[],
  by: { readonly all: boolean; readonly environment: boolean },
): Promise<Set<Digest>> {
  const asked = found.filter(({ file, state }) => file.scope === "project" && state === "used")
    .map(({ digest }) => digest);
  // No store is opened where there is nothing to look up.
  if (by.all || asked.length === 0) return new Set(asked);
  const { isTrustedByEnvironment } = await import("./trust.ts");
  const trusted = new Set(
    asked.filter((digest) => by.environment && isTrustedByEnvironment(context.env, digest)),
  );
  if (trusted.size === asked.length) return trusted;
  await withTrustStore(context, {
    warn: () => {}, // told by whoever uses the database for more than a look
    work: (store) => {
      for (const digest of asked) if (store.has(context.cwd, digest)) trusted.add(digest);
    },
  });
  return trusted;
}

/** Runs `work` with the store of trusted entries, which is closed afterwards. */
export async function withTrustStore<Result>(
  context: Context,
  { warn, work }: { warn: (message: string) => void; work: (store: TrustStore) => Result },
): Promise<Result> {
  const { withDatabase } = await import("./database.ts");
  const { createTrustStore } = await import("./trust.ts");
  return await withDatabase(context, {
    warn,
    work: (database) => work(createTrustStore(database, { now: context.now })),
  });
}

/** What the index has of a server; undefined when nothing was kept of it. */
export async function readIndex(
  context: Context,
  { spec, warn }: { spec: ServerSpec; warn: (message: string) => void },
): Promise<ReturnType<Catalog["load"]>> {
  const { withDatabase } = await import("./database.ts");
  const { createCatalog } = await import("./catalog.ts");
  return await withDatabase(context, {
    warn,
    work: (database) => createCatalog(database, { now: context.now, warn }).load(spec),
  });
}

/**
 * The server named by `text`. Throws a `usage` error with the nearest names when there is none.
 * A URL is not a name: whoever takes URLs turns them into `ServerFlags.http` first.
 */
export function findServer(servers: ServerSet, text: string): ServerSpec {
  const spec = servers.specs.get(text as ServerName);
  if (spec !== undefined) return spec;
  const reason = servers.unusable.get(text as ServerName);
  if (reason !== undefined) throw reason;
  throw new AppError("usage", `Server ${quoteText(text)} is not configured`, {
    hint: addCommand(text) ?? nearestHint(text, {
      known: servers.specs.keys(),
      otherwise: `mcp-exec server add configures one; --stdio and --http give one in place`,
    }),
  });
}

function addSpec(specs: Map<ServerName, ServerSpec>, name: ServerName, spec: ServerSpec): void {
  if (!specs.has(name)) specs.set(name, spec);
}

/** Our own configuration file: the one that `--config` or `MCP_EXEC_CONFIG` names, or the usual. */
export function ownConfigFile(
  context: Pick<Context, "env" | "paths">,
  flag: string | undefined,
): { path: string; shownPath: string; isAsked: boolean } {
  const file = configPath(context, flag);
  return { ...file, shownPath: maskHome(file.path, context.paths.home) };
}

/** Throws `denied` where a locked policy rules out `what` for want of a terminal. */
export async function requireUnlocked(
  context: Context,
  { config, what }: { config: string | undefined; what: string },
): Promise<void> {
  if (context.isTerminal.in) return;
  // A file that is yet to be made rules out nothing.
  const isThereYet = isThere(pathFrom(context.cwd, ownConfigFile(context, config).path));
  const own = isThereYet ? await readOwnConfig(context, config) : EMPTY_CONFIG;
  const policy = await loadPolicy(context, { own, flags: {}, warn: () => {} });
  await refuseOtherFile(context, { config, policy });
  refuseUnattended(context, policy, what);
}

/**
 * Throws `denied` where another file than the usual one is our configuration, without a terminal,
 * and the machine's policy or the usual file's is locked: it would bring servers of its own.
 */
async function refuseOtherFile(
  context: Context,
  { config, policy }: { config: string | undefined; policy: readonly PolicyLayer[] },
): Promise<void> {
  const { path, isAsked } = ownConfigFile(context, config);
  const { path: usual } = ownConfigFile({ ...context, env: NO_ENVIRONMENT }, undefined);
  if (!isAsked || path === usual || context.isTerminal.in) return;
  const managed = policy.filter(({ name }) => name === "managed");
  const { policy: own } = await readOwnConfig({ ...context, env: NO_ENVIRONMENT }, undefined);
  refuseUnattended(
    context,
    own === undefined ? managed : [...managed, own],
    "Other configuration files than the usual one",
  );
}

const NO_ENVIRONMENT = { get: () => undefined, toObject: () => ({}) };

/** Our own configuration, an empty one where there is no file; throws what reading it does. */
export async function readOwnConfig(
  context: Pick<Context, "cwd" | "env" | "paths">,
  flag: string | undefined,
): Promise<Config> {
  const { path, shownPath, isAsked } = ownConfigFile(context, flag);
  // Only a file that was asked for has to be there.
  if (!isAsked && !isThere(path)) return EMPTY_CONFIG;
  return await readConfig(path, { origin: "user", shownPath, from: context.cwd });
}

function addFlagServers(
  specs: Map<ServerName, ServerSpec>,
  flags: ServerFlags,
  { log, configured, isWindows }: {
    log: Log;
    configured: ReadonlySet<ServerName>;
    isWindows: boolean;
  },
): { adHoc: ServerName[]; unnamed: ReadonlySet<ServerName> } {
  const stdio = flags.stdio ?? [];
  const http = flags.http ?? [];
  const adHoc: ServerName[] = [];
  const unnamed = new Set<ServerName>();
  if (stdio.length + http.length !== 1) {
    for (const flag of ["env", "header"] as const) {
      if ((flags[flag] ?? []).length > 0) {
        throw new AppError("usage", `--${flag} goes with exactly one --stdio or --http server`);
      }
    }
  }
  if (stdio.length > 0 && (flags.header ?? []).length > 0) {
    throw new AppError("usage", "--header goes with --http, not with --stdio");
  }
  if (http.length > 0 && (flags.env ?? []).length > 0) {
    throw new AppError("usage", "--env goes with --stdio, not with --http");
  }
  // A name that was made up must not hide a configured server; one that was given may.
  const isTaken = (name: ServerName) =>
    specs.has(name) || configured.has(name) || name === DEMO_SERVER;
  const claim = (given: string | undefined, made: () => string): ServerName => {
    const name = given === undefined
      ? freeName(slugServerName(made()), isTaken)
      : toServerName(given);
    if (name === DEMO_SERVER) {
      throw new AppError("usage", `Server name "${name}" stands for the built-in server`);
    }
    if (specs.has(name)) throw new AppError("usage", `Server name "${name}" is given twice`);
    adHoc.push(name);
    if (given === undefined) unnamed.add(name);
    return name;
  };
  for (const text of stdio) {
    const { name, value } = splitNamed(text);
    const words = splitCommand(value, { shown: text, isWindows });
    const base = { name: claim(name, () => commandName(words)), origin: "flag" as const };
    const variables = readVariables(flags.env ?? []);
    const warn = (message: string) => log.warn(message);
    refuseLoaderVariables(Object.keys(variables), base.name, { origin: "flag", warn });
    const [command, ...args] = words as [string, ...string[]];
    specs.set(base.name, { ...base, transport: "stdio", command, args, env: wrapAll(variables) });
  }
  for (const text of http) {
    const { name, value } = splitNamed(text);
    const host = () => URL.canParse(value) ? new URL(value).hostname : "server";
    const base = { name: claim(name, host), origin: "flag" as const };
    specs.set(base.name, httpSpec(base, value, readHeaders(flags.header ?? [])));
  }
  return { adHoc, unnamed };
}

/** `name` itself, or with the lowest `-2`, `-3`, ... that is not taken. */
export function freeName(name: ServerName, isTaken: (name: ServerName) => boolean): ServerName {
  if (!isTaken(name)) return name;
  for (let number = 2;; number++) {
    const candidate = slugServerName(`${name.slice(0, 58)}-${number}`);
    if (!isTaken(candidate)) return candidate;
  }
}

// `NAME=` counts only where NAME could be one: an `=` of a URL's query comes after a slash.
function splitNamed(text: string): { name: string | undefined; value: string } {
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(.*)$/s.exec(text);
  return match === null ? { name: undefined, value: text } : { name: match[1], value: match[2]! };
}

// The part of a command line that says most: the package of a launcher, else the program.
function commandName(words: readonly string[]): string {
  const launchers = /^(?:npx|bunx|pnpx|uvx|deno|node|python3?|docker)$/;
  const program = words[0]!.replace(/^.*[\\/]/, "");
  const subject = launchers.test(program)
    ? words.slice(1).find((word) => !word.startsWith("-") && word !== "run") ?? program
    : program;
  return subject.replace(/^.*[\\/]/, "").replace(/(?<=.)@.*$/, "").replace(/\.[a-z]{2,3}$/, "");
}

/** The variables of `--env`; a `usage` error that repeats no value. */
export function readVariables(flags: readonly string[]): Record<string, string> {
  const variables = new Map<string, string>();
  for (const text of flags) {
    const cut = text.indexOf("=");
    // The value may be a secret whose name was forgotten: it is not repeated.
    if (cut < 1) throw new AppError("usage", "--env needs NAME=value");
    const name = text.slice(0, cut);
    if (variables.has(name)) {
      throw new AppError("usage", `Variable ${quoteText(name)} is given twice`);
    }
    variables.set(name, text.slice(cut + 1));
  }
  return Object.fromEntries(variables);
}

/** The headers of `--header`; a `usage` error that repeats no value. */
export function readHeaders(flags: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const text of flags) {
    const match = /^([^:\s]+):\s*(.*)$/s.exec(text);
    if (match === null) throw new AppError("usage", `--header needs "Name: value"`);
    if (Object.hasOwn(headers, match[1]!)) {
      throw new AppError("usage", `Header ${quoteText(match[1]!)} is given twice`);
    }
    headers[match[1]!] = match[2]!;
  }
  return headers;
}

/**
 * The words of a command line, split as a POSIX shell splits them: spaces, quotes and backslashes;
 * nothing is expanded and no shell is asked. On Windows, where backslashes stand in paths, one
 * counts before a double quote only. Throws a `usage` error that names `shown` for an unclosed quote
 * and for no words at all.
 */
export function splitCommand(
  text: string,
  { shown = text, isWindows = false }: { shown?: string; isWindows?: boolean } = {},
): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    const next = text[index + 1];
    const escapes = char === "\\" && quote !== "'" && next !== undefined &&
      (isWindows ? next === '"' : quote === "" || /["\\$`\n]/.test(next));
    if (escapes) {
      // A backslash at the end of a line joins it with the next one.
      if (text[++index] !== "\n") word = (word ?? "") + text[index]!;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== "") {
    throw new AppError("usage", `Command ${quoteText(shown)} has a quote that is not closed`);
  }
  if (word !== undefined) words.push(word);
  if (words.length === 0 || words[0] === "") {
    throw new AppError("usage", "--stdio needs a command, got an empty one");
  }
  return words;
}
