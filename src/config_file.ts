// Changes our own configuration file: comments stay, the file is whole at every moment, and what
// would not be read afterwards is refused. The table of settings that have a name is here, too.

import { parseConfig } from "./config.ts";
import { ensureFolder, writeFileAtomic, type WriteOptions } from "./disk.ts";
import { AppError } from "./errors.ts";
import { parseDocument, parsePlainJson } from "./jsonc.ts";
import { withLock } from "./lock.ts";
import { nearestNames } from "./names.ts";
import { isThere, readTextFile } from "./read.ts";
import { isObject, type JsonObject } from "./server.ts";
import { quoteText } from "./text.ts";

/** A setting with a name. */
export interface Setting {
  readonly key: string;
  /** `patterns`: texts with commas between them, or a JSON list; `json`: any JSON value. */
  readonly kind: "duration" | "size" | "count" | "boolean" | "patterns" | "json";
  readonly brief: string;
  /** What holds when the file says nothing. */
  readonly fallback: string | number | boolean | object;
  /** The only values there are, where they are few. */
  readonly values?: readonly string[];
  /** What it might say, where the default says little. */
  readonly example?: unknown;
}

/** Every setting that `config` gets and sets. */
export const SETTINGS: readonly Setting[] = [
  {
    key: "limits.timeout",
    kind: "duration",
    brief: "Wall clock of a run, connecting not counted",
    fallback: "30s",
  },
  { key: "limits.memory", kind: "size", brief: "Memory of the sandbox", fallback: "256MiB" },
  { key: "limits.fuel", kind: "count", brief: "Computing of a run", fallback: 1e9 },
  { key: "limits.calls", kind: "count", brief: "Tool calls of a run", fallback: 1000 },
  {
    key: "limits.rate",
    kind: "json",
    brief: "How fast tools may be called; 50 a second over HTTP if not set",
    fallback: [],
    example: [{ tool: "github/*", perSecond: 5, burst: 20 }],
  },
  {
    key: "limits.callTimeouts",
    kind: "json",
    brief: "How long one call of a tool may take, by tool; a minute if not set",
    fallback: {},
    example: { "github/search_*": "2m" },
  },
  {
    key: "limits.idle",
    kind: "duration",
    brief: "How long a connection that nobody uses stays open",
    fallback: "5m",
  },
  {
    key: "policy.default",
    kind: "json",
    brief: "What holds where no rule fits a call",
    fallback: "allow",
    values: ["allow", "deny"],
  },
  {
    key: "policy.rules",
    kind: "json",
    brief: "Which calls are allowed or denied; the first rule that fits decides",
    fallback: [],
    example: [{ tool: "github/delete_*", decide: "deny" }],
  },
  {
    key: "policy.locked",
    kind: "boolean",
    brief: "Whether servers by flag are ruled out, and trust without a terminal",
    fallback: false,
  },
  {
    key: "cache.tools",
    kind: "patterns",
    brief: "Tools whose results are kept for a minute, or as long as is said",
    fallback: [],
    example: ["docs/get_*", { tool: "github/list_*", ttl: "5m" }],
  },
  { key: "cache.entries", kind: "count", brief: "Results kept at most", fallback: 1000 },
  { key: "cache.size", kind: "size", brief: "What they take at most", fallback: "64MiB" },
  {
    key: "journal.payloads",
    kind: "boolean",
    brief: "Whether the journal keeps arguments and results whole",
    fallback: false,
  },
  {
    key: "journal.required",
    kind: "boolean",
    brief: "Whether nothing runs that the journal cannot show",
    fallback: false,
  },
  {
    key: "daemon.keepWarm",
    kind: "boolean",
    brief: "Whether commands start a daemon that keeps servers warm",
    fallback: false,
  },
  {
    key: "daemon.idle",
    kind: "duration",
    brief: "How long it stays when no command uses it",
    fallback: "15m",
  },
  {
    key: "output.format",
    kind: "json",
    brief: "How results are printed; auto is pretty on a terminal and text elsewhere",
    fallback: "auto",
    values: ["auto", "json", "text", "pretty"],
  },
  {
    key: "output.color",
    kind: "boolean",
    brief: "Whether a terminal gets colours",
    fallback: true,
  },
  {
    key: "validate.ignore",
    kind: "patterns",
    brief: "What server validate leaves out, as --ignore does",
    fallback: [],
    example: ["no-output-schema", "github/heavy-tool:search_code"],
  },
];

/** The setting named `key`; throws a `usage` error with the nearest names when there is none. */
export function findSetting(key: string): Setting {
  const setting = SETTINGS.find((item) => item.key === key);
  if (setting !== undefined) return setting;
  if (/^mcpServers(?:\.|$)/.test(key)) {
    throw new AppError("usage", `Key ${quoteText(key)} is not a setting`, {
      hint: "servers are changed by mcp-exec server add and remove",
    });
  }
  const near = nearestNames(key, SETTINGS.map((item) => item.key));
  throw new AppError("usage", `Key ${quoteText(key)} is not known`, {
    hint: near.length > 0
      ? `did you mean ${near.map((name) => `"${name}"`).join(" or ")}?`
      : "mcp-exec config show lists the keys",
  });
}

/** `text` as the value of a setting in the file; its bounds are checked when the file is changed. */
export function parseSetting({ key, kind, values }: Setting, text: string): unknown {
  if (values !== undefined) {
    if (values.includes(text)) return text;
    throw new AppError("usage", `Value of "${key}" cannot be ${quoteText(text)}`, {
      hint: `it is one of ${values.join(", ")}`,
    });
  }
  if (kind === "patterns" && !/^\s*\[/.test(text)) {
    return text.split(",").map((item) => item.trim()).filter((item) => item !== "");
  }
  if (kind === "json" || kind === "patterns") return parseJson(key, text);
  if (kind === "boolean") {
    if (/^(?:true|false)$/.test(text)) return text === "true";
    throw new AppError("usage", `Value of "${key}" must be true or false, got ${quoteText(text)}`);
  }
  if (kind !== "count") return text;
  if (!/^\d{1,15}(?:e\d{1,2})?$/.test(text)) {
    throw new AppError("usage", `Value of "${key}" must be a whole number, got ${quoteText(text)}`);
  }
  return Number(text);
}

function parseJson(key: string, text: string): unknown {
  const value = parsePlainJson(text);
  if (value !== undefined) return value;
  throw new AppError("usage", `Value of "${key}" must be JSON, got ${quoteText(text)}`, {
    hint: `such as ${JSON.stringify(SETTINGS.find((item) => item.key === key)!.example)}`,
  });
}

/** What `document` has at a setting's place; undefined when it says nothing. */
export function settingIn(document: JsonObject, { key }: Setting): unknown {
  let value: unknown = document;
  for (const part of key.split(".")) {
    if (!isObject(value) || !Object.hasOwn(value, part)) return undefined;
    value = value[part];
  }
  return value;
}

/** A setting as a file names it, commented out, with its default or an example. */
export function commentedSetting({ key, fallback, example }: Setting): string {
  return `    // ${JSON.stringify(lastPart(key))}: ${JSON.stringify(example ?? fallback)}`;
}

/** The comment above a setting's line, which says what it is for. */
export function explainedSetting({ brief, values }: Setting): string {
  return `    // ${brief}${values === undefined ? "" : `: ${values.join(", ")}`}`;
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf(".") + 1);
}

/** A configuration file to change, and how it is shown. */
export interface ConfigFile {
  readonly path: string;
  readonly shownPath: string;
}

/** The file's text and what it holds; an empty object when it is not there. */
export async function readConfigFile(
  { path, shownPath }: ConfigFile,
): Promise<{ text: string; document: JsonObject; exists: boolean }> {
  const exists = isThere(path);
  if (!exists) return { text: "{}\n", document: {}, exists };
  const text = await readTextFile(path);
  return { text, document: await parseDocument(text, shownPath), exists };
}

/**
 * Replaces the file's text by what `change` makes of it, one process at a time. Gives false when
 * nothing changed. Refuses (`invalid`) a file that cannot be read, and a change that would leave
 * something in it that is not used; the file is then as it was.
 */
export async function editConfig(
  file: ConfigFile,
  change: (
    text: string,
    read: { document: JsonObject; exists: boolean },
  ) => string | Promise<string>,
  options: Pick<WriteOptions, "operations"> = {},
): Promise<boolean> {
  const cut = Math.max(file.path.lastIndexOf("/"), file.path.lastIndexOf("\\"));
  const folder = cut < 0 ? "." : file.path.slice(0, cut) || "/";
  await ensureFolder(folder, options);
  // The lock of a write is taken anew by it; this one holds from reading to writing.
  return await withLock(`${folder}/.${file.path.slice(cut + 1)}.edit`, async () => {
    const { text, document, exists } = await readConfigFile(file);
    const read = { origin: "user", shownPath: file.shownPath } as const;
    const known = new Set((await parseConfig(text, read)).warnings);
    const changed = await change(text, { document, exists });
    const { warnings } = await parseConfig(changed, read);
    const problem = warnings.find((warning) => !known.has(warning));
    // What is odd but used costs a warning each time; it is no reason to refuse.
    if (problem !== undefined && !/ which loads code into it$/.test(problem)) {
      throw new AppError("invalid", `Not changed: ${problem}`);
    }
    if (exists && changed === text) return false;
    await writeFileAtomic(file.path, changed, options);
    return true;
  }, { ...options, guarded: file.path });
}
