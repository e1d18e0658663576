// The only way from a program to a server: every call is judged by policy, checked, held to its
// rate, answered from what is kept or sent, checked again and written to the journal here, whoever
// asks.

import { type Asker, type AskOptions, createAsking } from "./asking.ts";
import {
  type CacheSettings,
  createMemoryCache,
  createResultCache,
  DEFAULT_CACHE,
  optedInFor,
  type ResultCache,
} from "./cache.ts";
import { type CallTrace, type Progress, startReport } from "./call_report.ts";
import type { Catalog } from "./catalog.ts";
import type { Environment } from "./context.ts";
import { AppError, toAppError } from "./errors.ts";
import { expandSpec } from "./expand.ts";
import { fingerprintOf } from "./fingerprints.ts";
import type { Digest } from "./hash.ts";
import type { Journal } from "./journal.ts";
import { bucketKey, createLimiter, type Limiter, rateOf, type RateRule } from "./limiter.ts";
import { createListings, type WantedTool } from "./listings.ts";
import { nearestHint, type ServerName, type ToolName, toToolName } from "./names.ts";
import {
  checkAnswer,
  checkParams,
  checkResult,
  NO_PARAMS,
  type SentParams,
  type ToolResult,
} from "./payloads.ts";
import { decide, decisionText, type PolicyLayer, refusal, refusalOfServer } from "./policy.ts";
import { createPool, type OpenOptions, type PoolBounds, type ServerConnections } from "./pool.ts";
import { credentialsOf } from "./secrets.ts";
import type { JsonObject, ServerInfo, ServerSpec, ToolDefinition } from "./server.ts";
import { cleanLine, quoteText } from "./text.ts";
import { timeoutOf, type TimeoutRule } from "./timeouts.ts";
import type { Connection } from "./transport.ts";
import { createSchemaChecker } from "./validate.ts";
import { type Clock, interruption, orInterrupted, type SlotBounds } from "./waiting.ts";

export { unknownTool } from "./listings.ts";
export type { CallTrace } from "./call_report.ts";
export type { ToolResult } from "./payloads.ts";

/** In the `_meta` of a call: how often this program stands above it. */
export const DEPTH_KEY = "io.github.mcp-exec/depth";

/** What a caller may set for one call. */
export interface CallOptions extends AskOptions {
  /** Servers the caller is narrowed to; every server of the bridge when absent. */
  readonly only?: ReadonlySet<ServerName>;
  /** Size of the parameters as JSON, where it is not `MAX_PARAMS_BYTES`. */
  readonly maxParamsBytes?: number;
  /** Gets the call's trace when it has ended, well or not. */
  readonly onCall?: (trace: CallTrace) => void;
}

/** The gate between programs and servers. */
export interface McpBridge {
  /** Names of all servers that may be called. */
  readonly servers: readonly ServerName[];
  /** What a server offers, read from it once in the life of the bridge. */
  describe(server: string, options?: CallOptions): Promise<ServerInfo>;
  /** Loads what calls need, while something else is waited for. */
  prepare(): void;
  /**
   * Calls one tool. Throws `usage` for an unknown server, `denied` for one the caller is not
   * narrowed to and for what a policy refuses, `invalid` for an unknown tool or parameters that are
   * bad, too large or break its schema, `limit` for a result that is too large and for too many
   * calls, `protocol` for a result that breaks the tool's promise, `ToolError` when the tool says it
   * failed, `interrupted` once the signal is aborted, and what connecting and the connection throw.
   */
  callTool(
    server: string,
    tool: string,
    params: unknown,
    options?: CallOptions,
  ): Promise<ToolResult>;
  /** How each server is connected to that was asked for so far. */
  connections(): ServerConnections[];
  /**
   * Asks a server for something beside tools, such as `resources/read`; rules meet the method as
   * if it were a tool. Throws what `callTool` does, and `invalid` where the server does not offer
   * what is `needed`. The answer is an object within bounds, and nothing more is known of it.
   */
  request(server: string, asked: ServerRequest, options?: CallOptions): Promise<JsonObject>;
  /** Ends every connection and leaves no process behind. */
  close(): Promise<void>;
}

/** What is asked of a server beside its tools. */
export interface ServerRequest {
  readonly method: "resources/list" | "resources/templates/list" | "resources/read" | "prompts/get";
  readonly params: JsonObject;
  /** The capability it takes. */
  readonly needed: "resources" | "prompts";
}

/** What a bridge is made of. */
export interface BridgeOptions {
  readonly specs: ReadonlyMap<ServerName, ServerSpec>;
  /** Why a configured server cannot be used, for whoever asks for it. */
  readonly unusable?: ReadonlyMap<ServerName, AppError>;
  /** Connections that are open already, by the name they go under. */
  readonly connections?: ReadonlyMap<ServerName, Connection>;
  readonly catalog: Catalog;
  readonly journal: Journal;
  readonly env: Environment;
  readonly now: () => number;
  readonly warn: (message: string) => void;
  /** Told before a server is connected to. */
  readonly onConnect?: (name: ServerName) => void;
  /** Shows what takes a while. */
  readonly progress?: NonNullable<OpenOptions["progress"]>;
  /** Sign-ins at servers over HTTP. */
  readonly signIns?: NonNullable<OpenOptions["signIns"]>;
  /** A way to connections that outlive this bridge. */
  readonly connect?: NonNullable<OpenOptions["connect"]>;
  /** Counts the tokens of parameters and values, for reports that show them. */
  readonly countTokens?: (text: string) => number;
  /** Once it is aborted, whatever is under way ends and nothing more is opened. */
  readonly signal?: AbortSignal;
  /** Which calls are allowed, the widest layer first; all where there is none. */
  readonly policy?: readonly PolicyLayer[];
  /** How fast tools may be called, where that is not the default. */
  readonly rates?: readonly RateRule[];
  /** How long calls of some tools may take, where that is not what their servers' entries say. */
  readonly timeouts?: readonly TimeoutRule[];
  /** Holds calls to their rates: shared with other bridges, or one of its own. */
  readonly limiter?: Limiter;
  /** Which results are kept. */
  readonly cache?: CacheSettings;
  /** Keeps results: shared with other bridges, or one of its own. */
  readonly results?: ResultCache;
  /** How many connections there may be, and for how long. */
  readonly bounds?: PoolBounds;
  /** How many calls may be under way at once and how many may wait, of one owner and of all. */
  readonly queue?: Partial<SlotBounds>;
  /** How time passes for connections that nobody uses. */
  readonly clock?: Clock;
}

/** A call on its way. */
interface Asked extends WantedTool, Asker {
  readonly params: JsonObject;
  readonly sent: SentParams;
  readonly session: string;
}

/** A bridge over `specs`; opens nothing until something is asked of it. */
export function createBridge(options: BridgeOptions): McpBridge {
  const { policy = [], rates = [], timeouts = [], cache = DEFAULT_CACHE, warn } = options;
  const now = () => performance.now();
  const limiter = options.limiter ?? createLimiter({ now });
  const results = options.results ?? createResultCache(createMemoryCache({ now, ...cache }));
  const checker = createSchemaChecker({ warn });
  const closing = new AbortController();
  const ending = options.signal === undefined
    ? closing.signal
    : AbortSignal.any([closing.signal, options.signal]);
  const fingerprint = onceEach(fingerprintOf);
  const credentials = onceEach((spec) => credentialsOf(expandSpec(spec, options.env)));
  const versions = new Map<ServerName, string>();
  const pool = createPool({
    ...options,
    signal: ending,
    onOpen(name, connection) {
      const changed = () => {
        listings.onChanged(name);
        forget({ server: fingerprint(options.specs.get(name)!) });
      };
      connection.onNotification((method) => {
        if (method === "notifications/tools/list_changed") changed();
      });
      // One that was replaced while it was not connected to cannot tell.
      const { version } = connection.identity;
      if ((versions.get(name) ?? version) !== version) changed();
      versions.set(name, version);
    },
  });
  const { ask, askerFor } = createAsking({ pool, ending, queue: options.queue });
  const listings = createListings({
    catalog: options.catalog,
    take: (spec) => pool.take(spec),
    warn,
    signal: ending,
    onStale: (spec, tool) => forget({ server: fingerprint(spec), tool }),
    progress: options.progress,
  });

  function specOf(server: string, only: ReadonlySet<ServerName> | undefined): ServerSpec {
    const name = server as ServerName;
    const spec = options.specs.get(name);
    if (spec !== undefined && (only === undefined || only.has(name))) return spec;
    if (spec !== undefined) {
      throw new AppError("denied", `Server "${name}" is not among those this run may call`, {
        hint: `add --server ${name}`,
      });
    }
    const reason = options.unusable?.get(name);
    if (reason !== undefined) throw reason;
    throw new AppError("usage", `Server ${quoteText(server)} is not configured`, {
      hint: nearestHint(server, {
        known: only ?? options.specs.keys(),
        otherwise: "give it with --stdio or --http, or add it to the configuration",
      }),
    });
  }

  function forget(group: Parameters<ResultCache["forget"]>[0]): void {
    results.forget(group).catch((error) => warn(toAppError(error).message));
  }

  /** Throws `denied` for a call that policy refuses, as far as that can be told by now. */
  function judge(
    asked: Asked,
    progress: Progress,
    definition?: Pick<ToolDefinition, "annotations">,
  ): void {
    const { spec, tool, params } = asked;
    const decision = decide({
      server: spec.name,
      tool,
      params,
      ...(definition !== undefined && { annotations: definition.annotations ?? {} }),
      ...(spec.trustAnnotations === true && { trustAnnotations: true }),
    }, policy);
    if (decision === undefined) return;
    progress.decision = decisionText(decision);
    if (decision.decide === "deny") throw refusal(decision, calledAs(asked));
  }

  async function perform(asked: Asked, progress: Progress): Promise<ToolResult> {
    const { spec, tool, params, signal } = asked;
    // What can be told without the definition is refused before its server is connected to.
    judge(asked, progress);
    const found = await listings.find(asked);
    progress.definition = found.digest;
    if (progress.decision === undefined) judge(asked, progress, found);
    const definition = await listings.hold(
      asked,
      found,
      (tool) => checker.checkArguments({ server: spec.name, tool }, params),
    );
    if (definition !== found) {
      progress.definition = definition.digest;
      judge(asked, progress, definition);
    }
    const server = await inRate(asked, progress);
    const load = (signal = asked.signal) => send({ ...asked, signal }, definition);
    if (!cache.isOn) {
      progress.source = "server";
      return await load();
    }
    const { answer, source } = await results.ask({
      server,
      tool: definition.digest,
      credentials: () => credentials(spec),
      arguments: asked.sent.digest,
      ttlMs: optedInFor(cache, { server: spec.name, tool }),
      signal,
    }, load);
    progress.source = source;
    return answer;
  }

  /** Waits until the rate allows the call; gives the fingerprint of its server. */
  async function inRate(asked: Asked, progress: Progress): Promise<Digest> {
    const { spec, tool, signal } = asked;
    const server = fingerprint(spec);
    progress.waitedMs = await limiter.take({
      key: bucketKey({ session: asked.session, server, tool }),
      called: calledAs(asked),
      rate: rateOf(rates, { spec, tool }),
      signal,
    });
    return server;
  }

  async function send(asked: Asked, definition: ToolDefinition): Promise<ToolResult> {
    const { spec, tool } = asked;
    const raw = await ask(asked, {
      method: "tools/call",
      params: {
        name: tool,
        arguments: asked.params,
        ...(asked.depth !== undefined && { _meta: { [DEPTH_KEY]: asked.depth } }),
      },
      timeoutMs: timeoutOf(timeouts, { server: spec.name, tool }),
    });
    const result = checkResult(spec.name, tool, raw);
    await listings.hold(
      asked,
      definition,
      (tool) => checker.checkResult({ server: spec.name, tool }, result.raw),
    );
    return result;
  }

  function askedOf(
    asker: Asker,
    { tool, params, call, progress }: {
      readonly tool: ToolName;
      readonly params: unknown;
      readonly call: CallOptions;
      readonly progress: Progress;
    },
  ): Asked {
    if (asker.notices !== undefined) progress.notices = asker.notices;
    progress.sent = checkParams({ server: asker.spec.name, tool }, params, {
      maxBytes: call.maxParamsBytes,
    });
    const { sent } = progress;
    return { ...asker, tool, params: params as JsonObject, sent, session: call.session ?? "" };
  }

  /** Does `work` and tells how it went. */
  async function account(
    called: { readonly server: string; readonly tool: string },
    call: CallOptions,
    work: (progress: Progress) => Promise<ToolResult>,
  ): Promise<ToolResult> {
    const report = startReport(called, { ...options, ...call });
    const progress: Progress = { sent: NO_PARAMS };
    try {
      if (call.signal?.aborted) throw interruption(call.signal);
      if (call.run !== undefined) options.journal.requireWritable();
      const result = await work(progress);
      report(progress, { result });
      return result;
    } catch (error) {
      const failure = toAppError(error);
      report(progress, { error: failure });
      throw failure;
    }
  }

  return {
    servers: [...options.specs.keys()],
    prepare: () => checker.prepare(),
    async describe(server, call = {}) {
      const spec = specOf(server, call.only);
      const refused = refusalOfServer(spec.name, policy);
      if (refused !== undefined) throw refusal(refused, `Server "${spec.name}"`);
      return await orInterrupted(listings.describe(spec), call.signal);
    },
    callTool: (server, tool, params, call = {}) =>
      account({ server, tool }, call, async (progress) => {
        const asker = askerFor(specOf(server, call.only), call);
        const name = toToolName(tool, "invalid");
        return await perform(askedOf(asker, { tool: name, params, call, progress }), progress);
      }),
    async request(server, { method, params, needed }, call = {}) {
      const { raw } = await account({ server, tool: method }, call, async (progress) => {
        const asker = askerFor(specOf(server, call.only), call);
        const tool = method as string as ToolName;
        const asked = askedOf(asker, { tool, params, call, progress });
        judge(asked, progress, {});
        await inRate(asked, progress);
        return checkAnswer(
          { server: asker.spec.name, method },
          await ask(asked, { method, params, needed }),
        );
      });
      return raw;
    },
    connections: () => pool.state(),
    async close() {
      closing.abort();
      await pool.close();
    },
  };
}

/** `make` for each server, once. */
function onceEach(make: (spec: ServerSpec) => Digest): (spec: ServerSpec) => Digest {
  const made = new Map<ServerName, Digest>();
  return (spec) => {
    const digest = made.get(spec.name) ?? make(spec);
    made.set(spec.name, digest);
    return digest;
  };
}

function calledAs({ spec, tool }: Asked): string {
  return `Call of "${spec.name}/${cleanLine(tool, 80)}"`;
}
