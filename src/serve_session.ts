// The working set of a server that stays: one session of servers and sandbox for all clients, the
// tools over it, and word to the clients when what is known of servers changes.

import type { McpRequestContext, McpServer, McpServerFactory } from "@modelcontextprotocol/server";
import type { Context, Environment } from "./context.ts";
import { startExecutor } from "./executor.ts";
import type { Invocation } from "./flags.ts";
import type { RunLimits } from "./limits.ts";
import { DEMO_SERVER, type ServerName, type SessionId } from "./names.ts";
import { refusalOfServer } from "./policy.ts";
import { createServeCatalog } from "./serve_catalog.ts";
import { createSessionKeys, type SessionKeys } from "./serve_keys.ts";
import { createServerFactory, depthOfProcess, type Peer, type Sdk } from "./serve_protocol.ts";
import { createSkillAttachment } from "./serve_skills.ts";
import { createServeTools, type ServeTools } from "./serve_tools.ts";
import type { ServerSet } from "./servers.ts";
import { openSession, type Session } from "./session.ts";
import { type SkillStore, skillStoreOver } from "./skills.ts";
import { createSecretMask } from "./secrets.ts";
import { maskHome } from "./text.ts";

/** How servers are served. */
export interface ServeOptions {
  /** The widest limits of a run. */
  readonly limits: RunLimits;
  /** The only servers that are served; all that may be used when absent. */
  readonly only?: readonly ServerName[] | undefined;
  readonly concurrency: number;
  /** Whether tools can be called without a program. */
  readonly plain: boolean;
  /** What names of sessions are marked with; without it with a key of this process. */
  readonly secret?: string | undefined;
  /** The names of another one, to accept them. */
  readonly keys?: SessionKeys | undefined;
}

/** What is served. */
export interface Serving {
  readonly sdk: Sdk;
  readonly keys: SessionKeys;
  readonly tools: ServeTools;
  readonly skills: SkillStore;
  readonly session: Session;
  /** Makes the factory of SDK servers, given who asks; `onServer` gets each that was made. */
  factory(
    peerOf: (context: McpRequestContext) => Peer,
    onServer?: (server: McpServer) => void,
  ): McpServerFactory;
  /** Calls `listener` when the tools' definitions are no longer the same. */
  onToolsChanged(listener: () => void): void;
  /** Whatever clients ask from now on is answered by `next`: they turned out to be elsewhere. */
  follow(next: Pick<Serving, "tools" | "skills">): void;
  /** Asks every server of which nothing is known yet; settles when they answered or cannot. */
  fill(): Promise<void>;
  /** Nothing of a client's session is left. */
  endSession(session: SessionId): void;
  /** Ends what is under way and leaves no process behind. */
  close(): Promise<void>;
}

/** The variable that tells a process how deep it stands below another one of its kind. */
const DEPTH_VARIABLE = "MCP_EXEC_DEPTH";
/** The variable with what clients have to show over HTTP. */
const TOKEN_VARIABLE = "MCP_EXEC_SERVE_TOKEN";
/** Servers are often listed at the same time. */
const CHANGE_MS = 200;
/** How long the journal may grow before what is too old is taken out. */
const TIDY_MS = 3_600_000;

/** Opens the working set; connects to nothing. */
export async function openServing(
  { context, log }: Pick<Invocation, "context" | "log">,
  servers: ServerSet,
  options: ServeOptions,
): Promise<Serving> {
  const sdk = await import("@modelcontextprotocol/server");
  const depth = depthOfProcess(context.env.get(DEPTH_VARIABLE));
  const inside: Context = { ...context, env: serveEnvironment(context, depth + 1) };
  const { concurrency, limits, plain } = options;
  const executor = startExecutor(context, { concurrency });
  const closing = new AbortController();
  const listeners: (() => void)[] = [];
  let changes: ReturnType<typeof setTimeout> | undefined;
  let known = "";
  let tidiedAt = context.now();
  let next: Pick<Serving, "tools" | "skills"> | undefined;
  const session = await openSession(inside, servers, {
    log,
    executor,
    onConnect: (name) => log.debug(`Connecting to "${name}"`),
    onListed() {
      changes ??= setTimeout(onChange, CHANGE_MS);
    },
  }).catch(async (error) => {
    await executor.close();
    throw error;
  });
  const usable = usableNames(servers, options.only);
  const names = options.only === undefined ? withoutDemo(usable) : usable;
  const catalog = createServeCatalog({ ...session, policy: servers.policy }, names);
  const keys = options.keys ?? createSessionKeys(options.secret);
  const maskSecrets = createSecretMask(servers.specs.values(), inside.env);
  const mask = (text: string) => maskSecrets(maskHome(text, context.paths.home));
  const skills = skillStoreOver(context, session.database);
  const attachSkills = await createSkillAttachment(() => (next ?? { skills }).skills, log);
  const tools = createServeTools({
    session,
    catalog,
    keys,
    skills,
    log,
    limits,
    servers: names,
    skillServers: usable,
    concurrency,
    plain,
    mask,
    onRun: tidy,
  });
  const definitions = () => JSON.stringify(tools.list());
  known = definitions();

  // Who does not stay does so at the end.
  function tidy(): void {
    if (context.now() - tidiedAt < TIDY_MS) return;
    tidiedAt = context.now();
    session.journal.prune();
  }

  function onChange(): void {
    changes = undefined;
    catalog.refresh();
    const now = definitions();
    if (now === known) return;
    known = now;
    for (const listener of listeners) listener();
  }

  return {
    sdk,
    keys,
    tools,
    skills,
    session,
    factory: (peerOf, onServer) =>
      createServerFactory(
        {
          sdk,
          tools: () => (next ?? { tools }).tools,
          journal: session.journal,
          keys,
          mask,
          depth,
          attachSkills,
        },
        peerOf,
        onServer,
      ),
    onToolsChanged: (listener) => void listeners.push(listener),
    follow(other) {
      next = other;
      for (const listener of listeners) listener();
    },
    // Below another one of its kind nothing is started that nobody asked for.
    fill: () => depth > 0 ? Promise.resolve() : catalog.fill(closing.signal),
    endSession: (id) => session.state.clear(id),
    async close() {
      closing.abort();
      clearTimeout(changes);
      await executor.close();
      await session.close();
      clearTimeout(changes);
    },
  };
}

/** Those that may be used at all. */
function usableNames(
  { specs, policy }: ServerSet,
  only: readonly ServerName[] | undefined,
): ServerName[] {
  return [...specs.values()].filter(({ name, untrusted }) =>
    !untrusted && only?.includes(name) !== false && refusalOfServer(name, policy) === undefined
  ).map(({ name }) => name).sort();
}

/** The built-in one is offered only where there is no other. */
function withoutDemo(names: readonly ServerName[]): readonly ServerName[] {
  const others = names.filter((name) => name !== DEMO_SERVER);
  return others.length > 0 ? others : names;
}

const UNIX_FOLDERS = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin"];
const HOME_FOLDERS = [".local/bin", ".deno/bin", ".bun/bin", ".cargo/bin", ".volta/bin"];

/**
 * The environment of servers: what a program that was started from a desktop finds too little of on
 * its PATH is added behind it, and how deep they stand. What clients have to show is not for them.
 */
export function serveEnvironment(
  { env, paths, platform }: Pick<Context, "env" | "paths" | "platform">,
  depth: number,
): Environment {
  const added = new Map([[DEPTH_VARIABLE, `${depth}`]]);
  if (platform !== "windows") {
    const { home } = paths;
    const usual = [
      ...UNIX_FOLDERS,
      ...(home === undefined ? [] : HOME_FOLDERS.map((folder) => `${home}/${folder}`)),
    ];
    const path = (env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
    added.set("PATH", [...new Set([...path, ...usual])].join(":"));
  }
  return {
    get: (name) => name === TOKEN_VARIABLE ? undefined : added.get(name) ?? env.get(name),
    toObject() {
      const { [TOKEN_VARIABLE]: _, ...others } = env.toObject();
      return { ...others, ...Object.fromEntries(added) };
    },
  };
}
