// What there is to say of configured servers without connecting: where each stands, how it is
// reached and whether it may be used. Every text of a file is made safe, every secret masked.

import type { Environment } from "./context.ts";
import type { NamedEntry } from "./discovery.ts";
import type { AppError } from "./errors.ts";
import { missingVariables } from "./expand.ts";
import { tableLines } from "./figure_views.ts";
import type { ServerName } from "./names.ts";
import { describeSpec, secretNames, type ServerSpec } from "./server.ts";
import type { ServerSet } from "./servers.ts";
import { cleanLine } from "./text.ts";

/** Whether a server can be used, and why not; `unset` where a variable of its entry has no value. */
export type ServerState =
  | "ready"
  | "unset"
  | "trusted"
  | "untrusted"
  | "disabled"
  | "shadowed"
  | "unusable";

/** One configured server. */
export interface ServerView {
  readonly name: string;
  /** The name its client gives it, where that is another one. */
  readonly clientName?: string;
  readonly state: ServerState;
  readonly transport?: ServerSpec["transport"];
  /** Whose configuration it is: ours, a client's, the project's, or built in. */
  readonly origin: string;
  readonly file?: string;
  /** Command or URL, masked. */
  readonly target?: string;
  /** Names of its variables or headers. */
  readonly secrets?: readonly string[];
  /** Names of variables that its entry needs and that are not set. */
  readonly missing?: readonly string[];
  /** Why it cannot be used, or under which name it can. */
  readonly note?: string;
  /** What trust in an entry of a project is bound to. */
  readonly digest?: string;
}

/**
 * Every server of a set, own ones first; those that cannot be used with the reason. Of `env` it only
 * shows which variables are not set.
 */
export function viewServers(servers: ServerSet, env: Environment): ServerView[] {
  const { config } = servers;
  const file = config.file === undefined ? {} : { file: config.file };
  const own = [...config.servers.values()].map((spec): ServerView => ({
    ...viewSpec(spec),
    ...usableState(spec, "ready", env),
    origin: "mcp-exec",
  }));
  const off = [...config.disabled].map((name): ServerView => ({
    name,
    state: "disabled",
    origin: "mcp-exec",
    ...file,
  }));
  const bad = [...config.unusable].map(([name, error]): ServerView => ({
    name,
    state: "unusable",
    origin: "mcp-exec",
    ...file,
    note: noteOf(error),
  }));
  const builtIn = [...servers.specs.values()].filter(({ origin }) => origin === "built-in")
    .map((spec): ServerView => ({ ...viewSpec(spec), state: "ready", origin: "built in" }));
  const found = servers.found.map((entry) => viewFound(entry, servers, env));
  return [...own, ...off, ...bad, ...found, ...builtIn];
}

function viewSpec(spec: ServerSpec): Omit<ServerView, "state" | "origin"> {
  const secrets = secretNames(spec);
  return {
    name: spec.name,
    transport: spec.transport,
    ...(spec.file !== undefined && { file: spec.file }),
    ...(spec.transport !== "embedded" && { target: cleanLine(describeSpec(spec)) }),
    ...(secrets.length > 0 && { secrets: secrets.map((name) => cleanLine(name, 80)) }),
  };
}

function usableState(
  spec: ServerSpec,
  state: ServerState,
  env: Environment,
): Pick<ServerView, "state" | "missing"> {
  const missing = missingVariables(spec, env);
  return missing.length === 0
    ? { state }
    : { state: "unset", missing: missing.map((name) => cleanLine(name, 80)) };
}

function viewFound(entry: NamedEntry, servers: ServerSet, env: Environment): ServerView {
  const { name, rawName, file, shownPath, spec, problem } = entry;
  const isProject = file.scope === "project";
  const note = problem !== undefined
    ? noteOf(problem)
    : entry.state === "shadowed"
    ? shadowNote(name, servers)
    : undefined;
  const state = entry.state !== "used"
    ? entry.state
    : !isProject
    ? "ready"
    : servers.specs.get(name)?.untrusted
    ? "untrusted"
    : "trusted";
  const isUsable = state === "ready" || state === "trusted";
  return {
    ...(spec !== undefined && viewSpec(spec)),
    name,
    ...(rawName !== name && { clientName: cleanLine(rawName, 80) }),
    ...(isUsable && spec !== undefined ? usableState(spec, state, env) : { state }),
    origin: isProject ? `project (${file.title})` : file.title,
    file: shownPath,
    ...(note !== undefined && { note }),
    ...(isProject && problem === undefined && { digest: entry.digest }),
  };
}

function shadowNote(name: ServerName, { config }: ServerSet): string {
  return config.servers.has(name) || config.disabled.has(name) || config.unusable.has(name)
    ? "your own entry of that name is used"
    : "the same server as another one of that name";
}

// The message of an entry that was left out begins with what the other columns say.
function noteOf(error: AppError): string {
  return error.message.replace(/^Server "[^"]*" of "[^"]*" is left out: /, "");
}

function stateText({ state, missing = [] }: ServerView, most = missing.length): string {
  if (missing.length === 0) return state;
  const more = missing.length > most ? ` and ${missing.length - most} more` : "";
  return `needs ${missing.slice(0, most).join(", ")}${more}`;
}

/** Servers as the lines of a table, at most `width` columns wide. */
export function serverTable(views: readonly ServerView[], width: number): string[] {
  const rows = views.map((view) => [
    view.name,
    view.transport ?? "-",
    stateText(view, 1),
    view.origin,
    [
      view.target,
      view.clientName === undefined ? undefined : `named "${view.clientName}" there`,
      view.note,
    ].filter((part) => part !== undefined).join("; "),
  ]);
  return tableLines(rows, "lllll", { width });
}

/** A server as lines of `key  value`. */
export function serverLines(view: ServerView): string[] {
  const rows: (readonly [string, string | undefined])[] = [
    ["name", view.name],
    ["named there", view.clientName],
    ["state", stateText(view)],
    ["note", view.note],
    ["transport", view.transport],
    ["reached at", view.target],
    [view.transport === "http" ? "headers" : "variables", view.secrets?.join(", ")],
    ["from", view.file === undefined ? view.origin : `${view.origin}, ${view.file}`],
    ["digest", view.digest],
  ];
  return rows.filter(([, value]) => value !== undefined).map(([key, value]) =>
    `${key.padEnd(12)}${value}`
  );
}
