// The only way from a program to a server: every call is checked, bounded, sent, checked again and
// written to the journal here, whoever asks. Connections are opened when first needed and shared.

import type { Catalog } from "./catalog.ts";
import type { Environment } from "./context.ts";
import { AppError, ExitCode, toAppError, ToolError } from "./errors.ts";
import { expandSpec } from "./expand.ts";
import { type Digest, digestOfJson } from "./hash.ts";
import { introspect } from "./introspect.ts";
import type { Journal, RunId } from "./journal.ts";
import {
  CALL_TIMEOUT_MS,
  formatBytes,
  MAX_CALLS_IN_FLIGHT,
  MAX_JSON_DEPTH,
  MAX_PARAMS_BYTES,
  MAX_RESULT_BYTES,
} from "./limits.ts";
import { nearestHint, type ServerName, type ToolName, toToolName } from "./names.ts";
import {
  describeSpec,
  type JsonObject,
  type ServerInfo,
  type ServerSpec,
  type ToolDefinition,
} from "./server.ts";
import { byteLength, cleanLine, quoteText } from "./text.ts";
import { connect, type Connection } from "./transport.ts";
import { VERSION } from "./version.ts";
import { depthOf, scanJson } from "./wire.ts";

/** What a tool answered. */
export interface ToolResult {
  /** What a program gets: see `toolValue`. */
  readonly value: unknown;
  /** `value` as JSON text. */
  readonly json: string;
  /** The answer as the server gave it. */
  readonly raw: JsonObject;
}

/** One call as a report of a run shows it. */
export interface CallTrace {
  readonly server: string;
  readonly tool: string;
  readonly ok: boolean;
  readonly startedAt: number;
  readonly ms: number;
  /** Sizes of the parameters and of the value handed to the program, as JSON. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Tokens of both, where the bridge was asked to count them. */
  readonly sentTokens?: number;
  readonly receivedTokens?: number;
  readonly error?: { readonly kind: string; readonly message: string };
}

/** What a caller may set for one call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** The run the call belongs to, for the journal. */
  readonly run?: RunId;
  /** Servers the caller is narrowed to; every server of the bridge when absent. */
  readonly only?: ReadonlySet<ServerName>;
  /** Gets the call's trace when it has ended, well or not. */
  readonly onCall?: (trace: CallTrace) => void;
  /** Called before connecting to the server; what it gives is called when that has ended. */
  readonly onConnecting?: () => () => void;
}

/** The gate between programs and servers. */
export interface McpBridge {
  /** Names of all servers that may be called. */
  readonly servers: readonly ServerName[];
  /** What a server offers, read from it once in the life of the bridge. */
  describe(server: string, options?: CallOptions): Promise<ServerInfo>;
  /**
   * Calls one tool. Throws `usage` for an unknown server, `denied` for one the caller is not
   * narrowed to, `invalid` for an unknown tool or parameters that are bad or too large, `limit` for
   * a result that is, `ToolError` when the tool says it failed, `interrupted` once the signal is
   * aborted, and what connecting and the connection throw.
   */
  callTool(
    server: string,
    tool: string,
    params: unknown,
    options?: CallOptions,
  ): Promise<ToolResult>;
  /** Ends every connection and leaves no process behind. */
  close(): Promise<void>;
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
  /** Counts the tokens of parameters and values, for reports that show them. */
  readonly countTokens?: (text: string) => number;
  /** Once it is aborted, whatever is under way ends and nothing more is opened. */
  readonly signal?: AbortSignal;
}

/** What `openConnection` needs of a bridge's options. */
export type OpenOptions = Pick<
  BridgeOptions,
  "catalog" | "env" | "warn" | "onConnect" | "signal"
>;

/**
 * Connects to one server: refuses an entry nobody trusted (`untrusted`), puts in variables and
 * remembers which era of the protocol the server speaks.
 */
export async function openConnection(spec: ServerSpec, options: OpenOptions): Promise<Connection> {
  if (spec.untrusted === true) {
    throw new AppError(
      "untrusted",
      `Server "${spec.name}" of ${quoteText(spec.file ?? "a project file")} is not trusted`,
      {
        hint: `look at it and trust it: mcp-exec server trust ${spec.name}`,
        detail: [cleanLine(describeSpec(spec))],
      },
    );
  }
  options.onConnect?.(spec.name);
  const era = options.catalog.era(spec);
  const connection = await connect(expandSpec(spec, options.env), {
    env: options.env,
    warn: options.warn,
    clientVersion: VERSION,
    ...(era !== undefined && { era }),
    ...(options.signal !== undefined && { signal: options.signal }),
  });
  if (connection.era !== era) options.catalog.rememberEra(spec, connection.era);
  return connection;
}

/** The error for a tool that a server does not have, with the nearest names or where they are. */
export function unknownTool(tool: string, { name, tools }: ServerInfo): AppError {
  return new AppError("invalid", `Server "${name}" has no tool ${quoteText(tool)}`, {
    hint: nearestHint(tool, {
      known: tools.map((item) => item.name),
      otherwise: `mcp-exec introspect ${name} lists its tools`,
    }),
  });
}

/** A bridge over `specs`; opens nothing until something is asked of it. */
export function createBridge(options: BridgeOptions): McpBridge {
  const pool = new Map<ServerName, Promise<Connection>>();
  const connected = new Set<ServerName>(options.connections?.keys());
  for (const [name, connection] of options.connections ?? []) {
    pool.set(name, Promise.resolve(connection));
  }
  const described = new Map<ServerName, Promise<ServerInfo>>();
  const slots = createSlots(MAX_CALLS_IN_FLIGHT);
  const closing = new AbortController();
  const ending = options.signal === undefined
    ? closing.signal
    : AbortSignal.any([closing.signal, options.signal]);

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

  /** The server's open connection; a lost one is replaced, one attempt for all who wait. */
  async function connectionTo(spec: ServerSpec): Promise<Connection> {
    if (ending.aborted) throw interruption(ending);
    const current = pool.get(spec.name);
    if (current !== undefined) {
      const connection = await current;
      if (connection.isOpen) return connection;
      if (pool.get(spec.name) === current) pool.delete(spec.name);
      connected.delete(spec.name);
      return await connectionTo(spec);
    }
    const opening = openConnection(spec, { ...options, signal: ending });
    pool.set(spec.name, opening);
    try {
      const connection = await opening;
      connected.add(spec.name);
      return connection;
    } catch (error) {
      if (pool.get(spec.name) === opening) pool.delete(spec.name);
      throw error;
    }
  }

  async function list(spec: ServerSpec): Promise<ServerInfo> {
    const connection = await connectionTo(spec);
    const info = {
      ...await introspect(connection, {
        signal: ending,
        reconnect: () => connectionTo(spec),
      }),
      name: spec.name,
    };
    for (const warning of info.warnings) options.warn(warning);
    options.catalog.save(spec, info);
    return info;
  }

  /** The listing is shared, so who no longer waits for it does not end it. */
  async function describeSpecified(spec: ServerSpec): Promise<ServerInfo> {
    const listing = described.get(spec.name) ?? list(spec);
    described.set(spec.name, listing);
    try {
      return await listing;
    } catch (error) {
      described.delete(spec.name);
      throw error;
    }
  }

  /** What `connect` gives; the caller is told of the time it takes to be connected. */
  async function whenConnected<Result>(
    spec: ServerSpec,
    call: CallOptions,
    connect: () => Promise<Result>,
  ): Promise<Result> {
    const ended = connected.has(spec.name) ? undefined : call.onConnecting?.();
    try {
      return await orInterrupted(connect(), call.signal);
    } finally {
      ended?.();
    }
  }

  /** The tool's definition; asks the server only when the index lacks the tool. */
  async function findTool(
    spec: ServerSpec,
    tool: ToolName,
    call: CallOptions,
  ): Promise<ToolDefinition> {
    const named = (info: ServerInfo | undefined) => info?.tools.find((item) => item.name === tool);
    const saved = described.has(spec.name) ? undefined : options.catalog.load(spec)?.info;
    const known = named(saved);
    if (known !== undefined) return known;
    const info = await whenConnected(spec, call, () => describeSpecified(spec));
    const live = named(info);
    if (live !== undefined) return live;
    throw unknownTool(tool, info);
  }

  async function send(
    spec: ServerSpec,
    call: CallOptions & { readonly tool: ToolName; readonly params: JsonObject },
  ): Promise<ToolResult> {
    const connection = await whenConnected(spec, call, () => connectionTo(spec));
    const params = { name: call.tool, arguments: call.params };
    const raw = await connection.request("tools/call", params, {
      timeoutMs: spec.timeoutMs ?? CALL_TIMEOUT_MS,
      signal: call.signal === undefined ? ending : AbortSignal.any([call.signal, ending]),
    });
    return checkResult(spec.name, call.tool, raw);
  }

  return {
    servers: [...options.specs.keys()],
    describe: async (server, call = {}) =>
      await orInterrupted(describeSpecified(specOf(server, call.only)), call.signal),
    async callTool(server, tool, params, call = {}) {
      const startedAt = options.now();
      const started = performance.now();
      let sent: SentParams = NO_PARAMS;
      let definition: Digest | undefined;
      const report = (result: ToolResult | undefined, error: AppError | undefined) => {
        const names = { server: cleanLine(server, 64), tool: cleanLine(tool, 256) };
        const ms = performance.now() - started;
        const receivedBytes = result === undefined ? 0 : byteLength(result.json);
        call.onCall?.({
          ...names,
          ok: error === undefined,
          startedAt,
          ms,
          sentBytes: sent.bytes,
          receivedBytes,
          ...(options.countTokens && {
            sentTokens: options.countTokens(sent.json),
            ...(result !== undefined && { receivedTokens: options.countTokens(result.json) }),
          }),
          ...(error !== undefined && { error: { kind: error.kind, message: error.message } }),
        });
        if (call.run === undefined) return;
        options.journal.recordCall(call.run, {
          ...names,
          ...(definition !== undefined && { definition }),
          startedMs: startedAt,
          ms,
          argumentsDigest: sent.digest,
          arguments: sent.json,
          decision: error?.exitCode === ExitCode.refused ? "deny" : "allow",
          outcome: error === undefined
            ? "ok"
            : error instanceof ToolError
            ? "tool-error"
            : error.kind,
          bytesIn: sent.bytes,
          bytesOut: receivedBytes,
          ...(result !== undefined && { result: result.json }),
          ...(error !== undefined && { error: error.message }),
        });
      };
      try {
        if (call.signal?.aborted) throw interruption(call.signal);
        const spec = specOf(server, call.only);
        const name = toToolName(tool, "invalid");
        sent = checkParams(spec.name, name, params);
        const release = await slots.take(call.signal);
        try {
          definition = (await findTool(spec, name, call)).digest;
          const asked = { ...call, tool: name, params: params as JsonObject };
          const result = await send(spec, asked);
          report(result, undefined);
          return result;
        } finally {
          release();
        }
      } catch (error) {
        const failure = toAppError(error);
        report(undefined, failure);
        throw failure;
      }
    },
    async close() {
      closing.abort();
      const open = await Promise.allSettled(pool.values());
      pool.clear();
      await Promise.all(
        open.map((item) => item.status === "fulfilled" ? item.value.close() : undefined),
      );
    },
  };
}

interface SentParams {
  readonly json: string;
  readonly bytes: number;
  readonly digest: Digest;
}

const NO_PARAMS: SentParams = { json: "{}", bytes: 2, digest: digestOfJson({}) };

/** The parameters' JSON text and digest; they must be an object, bounded in size and depth. */
function checkParams(server: ServerName, tool: ToolName, params: unknown): SentParams {
  const called = `Call of "${server}/${cleanLine(tool, 80)}"`;
  if (typeof params !== "object" || params === null || Array.isArray(params)) {
    throw new AppError("invalid", `${called} needs an object as parameters`);
  }
  if (depthOf(params) > MAX_JSON_DEPTH) {
    throw new AppError("invalid", `${called} has parameters nested deeper than ${MAX_JSON_DEPTH}`, {
      limit: { name: "depth", limit: MAX_JSON_DEPTH },
    });
  }
  const json = JSON.stringify(params);
  const bytes = byteLength(json);
  if (bytes <= MAX_PARAMS_BYTES) return { json, bytes, digest: digestOfJson(params) };
  throw new AppError(
    "invalid",
    `${called} has parameters of ${formatBytes(bytes)}, over the limit of ${
      formatBytes(MAX_PARAMS_BYTES)
    }`,
    { limit: { name: "params", limit: MAX_PARAMS_BYTES, value: bytes } },
  );
}

/** A server's answer to `tools/call` as a result; it must have content and fit the bound. */
function checkResult(server: ServerName, tool: ToolName, raw: unknown): ToolResult {
  const called = `Tool "${server}/${cleanLine(tool, 80)}"`;
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    throw new AppError("protocol", `${called} answered without a result object`);
  }
  const answer = raw as JsonObject;
  const content = answer["content"] ?? [];
  if (!Array.isArray(content) || !content.every((item) => typeof item === "object" && item)) {
    throw new AppError("protocol", `${called} answered with content that is not a list of blocks`);
  }
  if (answer["isError"] === true) {
    const words = content.map((block) => typeof block.text === "string" ? block.text : "");
    const text = cleanLine(words.join("\n"), 2000);
    throw new ToolError(
      server,
      tool,
      `${called} failed: ${text === "" ? "no reason given" : text}`,
    );
  }
  const value = toolValue(answer);
  const json = JSON.stringify(value) ?? "null";
  const bytes = byteLength(json);
  if (bytes <= MAX_RESULT_BYTES) return { value, json, raw: answer };
  throw new AppError(
    "limit",
    `${called} answered with ${formatBytes(bytes)}, over the limit of ${
      formatBytes(MAX_RESULT_BYTES)
    }`,
    { limit: { name: "result", limit: MAX_RESULT_BYTES, value: bytes } },
  );
}

/**
 * What a program gets of a tool's answer: the structured content when there is one, else a lone
 * text block (parsed when it is a JSON object or array of bounded depth), else the content blocks.
 */
export function toolValue(answer: JsonObject): unknown {
  const structured = answer["structuredContent"];
  if (structured !== undefined && structured !== null) return structured;
  const content = (answer["content"] ?? []) as readonly JsonObject[];
  const lone = content.length === 1 ? content[0]! : undefined;
  if (lone?.["type"] !== "text" || typeof lone["text"] !== "string") return content;
  const text = lone["text"];
  if (!/^\s*[[{]/.test(text)) return text;
  if (scanJson(text).depth > MAX_JSON_DEPTH) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function interruption(signal: AbortSignal): AppError {
  if (signal.reason instanceof AppError) return signal.reason;
  return new AppError("interrupted", "Interrupted before the server was asked");
}

/** What `work` gives, or an `interrupted` error as soon as `signal` is aborted. */
async function orInterrupted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(interruption(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** At most `count` holders at once; the others wait in order, or until their signal is aborted. */
function createSlots(count: number): { take(signal?: AbortSignal): Promise<() => void> } {
  const waiting: (() => void)[] = [];
  let free = count;
  const release = () => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  };
  return {
    async take(signal) {
      if (free > 0) {
        free--;
        return release;
      }
      await new Promise<void>((resolve, reject) => {
        const onTurn = () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        };
        const onAbort = () => {
          waiting.splice(waiting.indexOf(onTurn), 1);
          reject(interruption(signal!));
        };
        waiting.push(onTurn);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
      return release;
    },
  };
}
