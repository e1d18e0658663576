// Reads configuration: our own file and the `mcpServers` of any file that has the shape every
// client uses. Nothing is expanded, started or sent here; one bad entry does not cost the others.

import { type CacheSettings, DEFAULT_CACHE, parseCache } from "./cache.ts";
import type { OutputFormat } from "./context.ts";
import { AppError, prefixError, toAppError } from "./errors.ts";
import { parseDocument } from "./jsonc.ts";
import { parseRates, type RateRule } from "./limiter.ts";
import { parseDuration, parseSize, type RunLimits, toMemoryLimit } from "./limits.ts";
import { DEMO_SERVER, isServerName, type ServerName } from "./names.ts";
import { parsePolicy, type PolicyLayer } from "./policy.ts";
import { readTextFile } from "./read.ts";
import {
  type HttpSpec,
  isObject,
  type JsonObject,
  type Origin,
  type ServerSpec,
  type StdioSpec,
} from "./server.ts";
import { maskUrl, maskUrlTemplate, quoteText, Secret } from "./text.ts";
import { parseTimeouts, type TimeoutRule } from "./timeouts.ts";

/** A configuration file as far as it was valid. */
export interface Config {
  /** The file as it is shown; absent when there is none. */
  readonly file?: string;
  readonly servers: ReadonlyMap<ServerName, ServerSpec>;
  /** Entries that are switched off. */
  readonly disabled: ReadonlySet<ServerName>;
  /** Why an entry was left out, by its name: for whoever asks for that server. */
  readonly unusable: ReadonlyMap<ServerName, AppError>;
  /** The file's own bounds for runs; absent ones keep their defaults. */
  readonly limits: Partial<RunLimits>;
  /** Which calls it allows; absent when it does not say. */
  readonly policy?: PolicyLayer;
  /** How fast tools may be called, where it says so. */
  readonly rates: readonly RateRule[];
  /** How long calls of some tools may take. */
  readonly timeouts: readonly TimeoutRule[];
  /** How long a connection that nobody uses stays open in milliseconds, where that is set. */
  readonly idleMs?: number;
  /** Whether commands start a daemon, and how long it stays without use where that is set. */
  readonly daemon: DaemonSettings;
  /** Which results are kept. */
  readonly cache: CacheSettings;
  /** Whether the journal keeps arguments and results whole, and whether nothing runs without it. */
  readonly journal: { readonly payloads: boolean; readonly required: boolean };
  /** How results are printed where neither flag nor variable says so. */
  readonly output: OutputSettings;
  /** What validation leaves out: `[SERVER/]RULE[:TOOL]`; there may be no such rule. */
  readonly ignoredFindings: readonly string[];
  /** One line for each part that was left out, safe to show. */
  readonly warnings: readonly string[];
}

/** What a file says of the daemon. */
export interface DaemonSettings {
  readonly keepWarm: boolean;
  readonly idleMs?: number;
}

/** What a file says of printing. */
export interface OutputSettings {
  readonly format?: OutputFormat;
  readonly color?: boolean;
}

/** What a file says nothing about. */
export const EMPTY_CONFIG: Config = {
  servers: new Map(),
  disabled: new Set(),
  unusable: new Map(),
  limits: {},
  rates: [],
  timeouts: [],
  daemon: { keepWarm: false },
  cache: DEFAULT_CACHE,
  journal: { payloads: false, required: false },
  output: {},
  ignoredFindings: [],
  warnings: [],
};

/**
 * The configuration in `path`. Throws an `invalid` error with line and column when it is not JSON
 * (comments and trailing commas are allowed), or not an object.
 */
export async function readConfig(
  path: string,
  { from, ...options }: { origin: Origin; shownPath: string; from?: string },
): Promise<Config> {
  const place = from === undefined ? {} : { from };
  return await parseConfig(await readTextFile(path, place), options);
}

/** The configuration in `text`; throws as `readConfig` does. */
export async function parseConfig(
  text: string,
  options: { origin: Origin; shownPath: string },
): Promise<Config> {
  const document = await parseDocument(text, options.shownPath);
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(`${options.shownPath}: ${message}`);
  for (const key of Object.keys(document)) {
    if (!CONFIG_KEYS.has(key) && options.origin === "user") {
      warn(`unknown key ${quoteText(key)} is not used`);
    }
  }
  const { policy, limits } = document;
  const { rate, callTimeouts, idle } = asObject(limits) ?? {};
  const place = { name: "user", file: options.shownPath, warn } as const;
  return {
    file: options.shownPath,
    ...readServers(document["mcpServers"], { ...options, warn }),
    limits: readLimits(limits, warn),
    ...(policy !== undefined && { policy: parsePolicy(policy, place) }),
    rates: parseRates(rate, warn),
    timeouts: parseTimeouts(callTimeouts, warn),
    ...readIdle(idle, "limits.idle", warn),
    daemon: readDaemon(document["daemon"], warn),
    cache: parseCache(document["cache"], warn),
    journal: readJournal(document["journal"], warn),
    output: readOutput(document["output"], warn),
    ignoredFindings: readValidate(document["validate"], warn),
    warnings,
  };
}

const CONFIG_KEYS = new Set(
  ["$schema", "mcpServers", "limits", "policy", "cache", "journal", "output", "daemon", "validate"],
);

/** Where an entry stands, and who is told of what is odd in it. */
export interface EntryPlace {
  readonly origin: Origin;
  readonly shownPath: string;
  readonly warn: (message: string) => void;
}

function readServers(
  value: unknown,
  place: EntryPlace,
): Pick<Config, "servers" | "disabled" | "unusable"> {
  const servers = new Map<ServerName, ServerSpec>();
  const disabled = new Set<ServerName>();
  const unusable = new Map<ServerName, AppError>();
  const file = quoteText(place.shownPath);
  const entries = asObject(value);
  if (value !== undefined && entries === undefined) place.warn(`"mcpServers" must be an object`);
  for (const [name, entry] of Object.entries(entries ?? {})) {
    if (!isServerName(name) || name === DEMO_SERVER) {
      const fault = name === DEMO_SERVER ? "stands for the built-in server" : "is not valid";
      place.warn(`server name ${quoteText(name)} ${fault}; the entry is left out`);
      continue;
    }
    try {
      const spec = readEntry(name, entry, place);
      if (spec !== undefined) servers.set(name, spec);
      else disabled.add(name);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      place.warn(prefixError(`server "${name}" is left out`, error).message);
      unusable.set(name, prefixError(`Server "${name}" of ${file} is left out`, error));
    }
  }
  return { servers, disabled, unusable };
}

/**
 * One entry of `mcpServers` as a spec; undefined when it is disabled. Throws `invalid`, `usage` and
 * `denied` errors that say what is wrong in it.
 */
export function readEntry(
  name: ServerName,
  value: unknown,
  place: EntryPlace,
): ServerSpec | undefined {
  const entry = asObject(value);
  if (entry === undefined) throw new AppError("invalid", "an entry must be an object");
  if (entry["disabled"] === true || entry["enabled"] === false) return undefined;
  const timeoutMs = readTimeout(entry["timeout"], name, place);
  const base = {
    name,
    origin: place.origin,
    file: place.shownPath,
    ...(timeoutMs !== undefined && { timeoutMs }),
    // A project's file may not make a policy allow more.
    ...(entry["trustAnnotations"] === true && place.origin === "user" &&
      { trustAnnotations: true }),
  };
  const url = entry["url"] ?? entry["httpUrl"] ?? entry["serverUrl"];
  if (url !== undefined) {
    return httpSpec(base, readString(url, "url"), readStrings(entry["headers"], "headers"));
  }
  const command = readString(entry["command"], "command");
  const args = entry["args"] ?? [];
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === "string")) {
    throw new AppError("invalid", `"args" must be an array of strings`);
  }
  const cwd = entry["cwd"];
  const env = readStrings(entry["env"], "env");
  refuseLoaderVariables(Object.keys(env), name, place);
  const spec: StdioSpec = {
    ...base,
    transport: "stdio",
    command,
    args,
    env: wrapAll(env),
    ...(cwd !== undefined && { cwd: readString(cwd, "cwd") }),
    ...(entry["inheritEnv"] === true && { inheritEnv: true }),
  };
  return spec;
}

/** An HTTP spec; throws an `invalid` error for a URL that is not http(s) or for twin headers. */
export function httpSpec(
  base: { name: ServerName; origin: Origin; file?: string; timeoutMs?: number },
  url: string,
  headers: Readonly<Record<string, string>>,
): HttpSpec {
  // A variable may stand for any part of the URL, so only what has none can be judged now.
  if (!url.includes("${")) {
    const shown = quoteText(maskUrl(url));
    if (!/^https?:/i.test(url.trim())) {
      throw new AppError("invalid", `URL ${shown} must begin with http:// or https://`);
    }
    if (!URL.canParse(url)) {
      throw new AppError("invalid", `URL ${shown} cannot be read: host or port is not valid`);
    }
  }
  const seen = new Set<string>();
  for (const name of Object.keys(headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
      throw new AppError("usage", `Header name ${quoteText(name)} is not valid`);
    }
    if (seen.has(name.toLowerCase())) {
      throw new AppError("usage", `Header ${quoteText(name)} is given twice`);
    }
    seen.add(name.toLowerCase());
    if (/[\0\r\n]/.test(headers[name]!)) {
      throw new AppError("usage", `Header ${quoteText(name)} has a value of more than one line`);
    }
  }
  return {
    ...base,
    transport: "http",
    url: new Secret(url),
    shownUrl: maskUrlTemplate(url),
    headers: wrapAll(headers),
  };
}

// Variables that make a process load code of somebody's choice, whatever their case.
const LOADER_VARIABLE =
  /^(?:LD_(?:PRELOAD|LIBRARY_PATH|AUDIT)|DYLD_.*|NODE_OPTIONS|NODE_PATH|PYTHONPATH|PYTHONSTARTUP|PERL5OPT|RUBYOPT|BASH_ENV|ENV|BASH_FUNC_.*|DENO_AUTH_TOKENS|JAVA_TOOL_OPTIONS)$/i;

/**
 * Names of variables are checked: letters, digits and `_` only; those that load code into a
 * process are refused (`denied`) unless the person's own file sets them, which costs a warning.
 */
export function refuseLoaderVariables(
  names: readonly string[],
  server: string,
  place: { origin: Origin; warn: (message: string) => void },
): void {
  for (const name of names) {
    const loads = LOADER_VARIABLE.test(name);
    if (loads && place.origin === "user") {
      place.warn(`server ${quoteText(server)} sets ${quoteText(name)}, which loads code into it`);
    } else if (loads) {
      throw new AppError(
        "denied",
        `Variable ${quoteText(name)} of server ${
          quoteText(server)
        } is refused: it loads code into a process`,
        { hint: "set it in your own configuration file if you mean it" },
      );
    } else if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new AppError("usage", `Variable name ${quoteText(name)} is not valid`);
    }
  }
}

/** Every value as a secret. */
export function wrapAll(values: Readonly<Record<string, string>>): Record<string, Secret> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, new Secret(value)]));
}

/** Hears of what a file has that is not used. */
type Warn = (message: string) => void;

/** The members of a group of settings, none where there is no such group; warns of unknown ones. */
function readGroup(
  value: unknown,
  { name, keys, warn }: { name: string; keys: readonly string[]; warn: Warn },
): JsonObject {
  const group = asObject(value);
  if (value !== undefined && group === undefined) warn(`"${name}" must be an object`);
  for (const key of Object.keys(group ?? {})) {
    if (!keys.includes(key)) warn(`unknown key ${quoteText(`${name}.${key}`)} is not used`);
  }
  return group ?? {};
}

function readJournal(value: unknown, warn: Warn): Config["journal"] {
  const keys = ["payloads", "required"] as const;
  const group = readGroup(value, { name: "journal", keys, warn });
  const journal = { ...EMPTY_CONFIG.journal };
  for (const key of keys) {
    const setting = group[key];
    if (typeof setting === "boolean") journal[key] = setting;
    else if (setting !== undefined) {
      warn(`"journal.${key}" must be true or false`);
      // What is not understood must not let anything run unseen.
      journal[key] = key === "required";
    }
  }
  return journal;
}

function readOutput(value: unknown, warn: Warn): OutputSettings {
  const keys = ["format", "color"];
  const { format, color } = readGroup(value, { name: "output", keys, warn });
  const known = (["json", "text", "pretty"] as const).find((item) => item === format);
  if (format !== undefined && format !== "auto" && known === undefined) {
    warn(`"output.format" must be auto, json, text or pretty`);
  }
  if (color !== undefined && typeof color !== "boolean") {
    warn(`"output.color" must be true or false`);
  }
  return {
    ...(known !== undefined && { format: known }),
    ...(typeof color === "boolean" && { color }),
  };
}

function readDaemon(value: unknown, warn: Warn): DaemonSettings {
  const keys = ["keepWarm", "idle"];
  const { keepWarm = false, idle } = readGroup(value, { name: "daemon", keys, warn });
  if (typeof keepWarm !== "boolean") warn(`"daemon.keepWarm" must be true or false`);
  return { keepWarm: keepWarm === true, ...readIdle(idle, "daemon.idle", warn) };
}

function readIdle(value: unknown, key: string, warn: Warn): { readonly idleMs?: number } {
  if (value === undefined) return {};
  try {
    return { idleMs: readDuration(value, "idle") };
  } catch (error) {
    warn(`${key}: ${toAppError(error).message}`);
    return {};
  }
}

// Which rules there are only validation knows: no other command loads them.
function readValidate(value: unknown, warn: Warn): readonly string[] {
  const { ignore = [] } = readGroup(value, { name: "validate", keys: ["ignore"], warn });
  if (!Array.isArray(ignore) || !ignore.every((item) => typeof item === "string")) {
    warn(`"validate.ignore" must be an array of strings`);
    return [];
  }
  return ignore;
}

// `rate`, `callTimeouts` and `idle` are read by whoever keeps to them.
const LIMIT_KEYS = ["timeout", "memory", "fuel", "calls", "rate", "callTimeouts", "idle"];

function readLimits(value: unknown, warn: Warn): Partial<RunLimits> {
  const limits: { -readonly [K in keyof RunLimits]?: RunLimits[K] } = {};
  const group = readGroup(value, { name: "limits", keys: LIMIT_KEYS, warn });
  for (const [key, setting] of Object.entries(group)) {
    try {
      if (key === "timeout") limits.wallMs = readDuration(setting, key);
      else if (key === "memory") limits.memory = toMemoryLimit(readSize(setting));
      else if (key === "fuel") limits.fuel = readCount(setting, key);
      else if (key === "calls") limits.calls = readCount(setting, key);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      warn(`limits.${key}: ${error.message}`);
    }
  }
  return limits;
}

// Clients disagree about the unit of a number: nobody waits 1,000 seconds or 999 milliseconds.
function readTimeout(value: unknown, name: ServerName, { warn }: EntryPlace): number | undefined {
  if (value === undefined) return undefined;
  const isMs = typeof value === "number" && value >= 1000;
  try {
    return readDuration(isMs ? `${value}ms` : value, "timeout");
  } catch (error) {
    warn(prefixError(`"timeout" of server "${name}" is not used`, toAppError(error)).message);
    return undefined;
  }
}

function readDuration(value: unknown, key: string): number {
  if (typeof value !== "string" && typeof value !== "number") {
    throw new AppError("invalid", `${quoteText(key)} must be a duration such as "30s"`);
  }
  return parseDuration(String(value));
}

function readSize(value: unknown): number {
  return parseSize(typeof value === "number" || typeof value === "string" ? String(value) : "");
}

function readCount(value: unknown, key: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
    throw new AppError("invalid", `${quoteText(key)} must be a whole number from 1`);
  }
  return value;
}

function readString(value: unknown, key: string): string {
  if (typeof value !== "string" || value === "" || value.includes("\0")) {
    throw new AppError("invalid", `${quoteText(key)} must be a string that is not empty`);
  }
  return value;
}

function readStrings(value: unknown, key: string): Record<string, string> {
  const entries = value === undefined ? {} : asObject(value);
  if (entries === undefined || !Object.values(entries).every((item) => typeof item === "string")) {
    throw new AppError("invalid", `${quoteText(key)} must be an object of strings`);
  }
  return entries as Record<string, string>;
}

function asObject(value: unknown): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}
