// Which layers of policy hold for a command: the machine's, the person's, the project's, the
// flags', each of which may only narrow the ones before it. Reads files, and judges no call.

import type { Config } from "./config.ts";
import type { Context } from "./context.ts";
import { AppError } from "./errors.ts";
import { parseDocument } from "./jsonc.ts";
import { nearestHint } from "./names.ts";
import { fits, flagPolicy, lockingLayer, parsePolicy, type PolicyLayer } from "./policy.ts";
import { isThere, readTextFile } from "./read.ts";
import { isObject } from "./server.ts";
import { quoteText } from "./text.ts";

const PROJECT_FILE = ".mcp-exec.json";

const KEYS = {
  managed: ["$schema", "policy", "journal"],
  // Its servers are read with those of other clients.
  project: ["$schema", "policy", "mcpServers"],
};

/** What a command says of policy itself. */
export interface PolicyFlags {
  /** Servers, or `server/tool` with "*", that alone may be called. */
  readonly allow?: readonly string[] | undefined;
  /** Those that may not. */
  readonly deny?: readonly string[] | undefined;
}

/**
 * The layers of a command, the widest first. Throws a `usage` error for flags and an `invalid` one
 * for a file of the machine that cannot be read; a project's one is then left out with a warning.
 */
export async function loadPolicy(
  context: Pick<Context, "cwd" | "paths">,
  options: {
    readonly own: Pick<Config, "policy">;
    readonly flags: PolicyFlags;
    readonly warn: (message: string) => void;
  },
): Promise<PolicyLayer[]> {
  const { own, flags, warn } = options;
  const { managed } = context.paths;
  const given = flagPolicy(flags);
  const layers = [
    managed === undefined
      ? undefined
      : await readLayer("managed", managed, { shown: managed, warn }),
    own.policy,
    await readProjectLayer(`${context.cwd}/${PROJECT_FILE}`, warn),
    given,
  ];
  return layers.filter((layer) => layer !== undefined);
}

async function readProjectLayer(
  path: string,
  warn: (message: string) => void,
): Promise<PolicyLayer | undefined> {
  try {
    return await readLayer("project", path, { shown: PROJECT_FILE, warn });
  } catch (error) {
    // Its servers are left out with a warning of their own.
    if (!(error instanceof AppError)) throw error;
    warn(`${error.message}; its policy does not hold`);
    return undefined;
  }
}

async function readLayer(
  name: "managed" | "project",
  path: string,
  { shown, warn }: { shown: string; warn: (message: string) => void },
): Promise<PolicyLayer | undefined> {
  if (!isThere(path)) return undefined;
  const text = await readTextFile(path);
  const document = await parseDocument(text, shown);
  const unread = Object.keys(document).filter((key) => !KEYS[name].includes(key));
  if (unread.length > 0) {
    const named = unread.slice(0, 5).map((key) => quoteText(key)).join(", ");
    const rest = unread.length > 5 ? ` and ${unread.length - 5} more` : "";
    warn(`${shown}: not used in this file: ${named}${rest}`);
  }
  const { policy, journal } = document;
  // What is not understood must not let anything run unseen.
  const isRequired = name === "managed" && isObject(journal) &&
    (journal["required"] ?? false) !== false;
  if (policy === undefined && !isRequired) return undefined;
  const layer = parsePolicy(policy ?? {}, {
    name,
    file: shown,
    warn: (message) => warn(`${shown}: ${message}`),
  });
  return isRequired ? { ...layer, requiresJournal: true } : layer;
}

/** Throws a `usage` error for a rule of `--allow` or `--deny` that none of `servers` fits. */
export function requireServers(
  layers: readonly PolicyLayer[],
  servers: readonly string[],
): void {
  const rules = layers.filter(({ name }) => name === "flags").flatMap(({ rules }) => rules);
  for (const { server, text } of rules) {
    if (server === undefined || servers.some((name) => fits(server, name))) continue;
    throw new AppError("usage", `No server fits ${text}`, {
      hint: nearestHint(server.join(""), {
        known: servers,
        otherwise: "mcp-exec server list shows their names",
      }),
    });
  }
}

/** Throws `denied` where a locked policy rules out `what`, such as "Servers given by flag". */
export function refuseLocked(layers: readonly PolicyLayer[], what: string, hint?: string): void {
  const layer = lockingLayer(layers);
  if (layer === undefined) return;
  throw new AppError(
    "denied",
    `${what} are ruled out: the policy of ${quoteText(layer.file ?? "")} is locked`,
    hint === undefined ? {} : { hint },
  );
}

/** Throws `denied` where a locked policy rules out `what` because nobody sits at a terminal. */
export function refuseUnattended(
  { isTerminal }: Pick<Context, "isTerminal">,
  layers: readonly PolicyLayer[],
  what: string,
): void {
  if (isTerminal.in) return;
  refuseLocked(layers, `${what} without a terminal`, "run this at a terminal");
}
