// One connection to one MCP server: over a process's standard streams, over HTTP, or in-process.
// What goes wrong on the way becomes an error with its kind here. It never shows a server's text
// uncleaned and never shows a secret.

import type { Client, Transport } from "@modelcontextprotocol/client";
import {
  Channel,
  type NotificationListener,
  type RequestOptions,
  TIMEOUT_HINT,
} from "./channel.ts";
import type { Environment } from "./context.ts";
import { AppError } from "./errors.ts";
import { type HttpLink, openHttp } from "./http.ts";
import { CLOSE_GRACE_MS, CONNECT_TIMEOUT_MS, formatDuration } from "./limits.ts";
import type { ServerName } from "./names.ts";
import { settles } from "./process.ts";
import { growingMask, type Mask, maskValue } from "./secrets.ts";
import type { JsonObject, ProtocolEra, ServerInfo, ServerSpec } from "./server.ts";
import type { ServerSignIn, SignIns } from "./sign_ins.ts";
import { StdioTransport } from "./stdio.ts";
import { cleanLine, quoteText, type Secret } from "./text.ts";
import { REFUSED_CODE } from "./wire.ts";

export type { RequestOptions } from "./channel.ts";

/** An open connection to one server. */
export interface Connection {
  readonly spec: ServerSpec;
  /** The name and version the server gave itself; untrusted text. */
  readonly identity: ServerInfo["identity"];
  readonly protocolVersion: string;
  /** Worth remembering: given back as `ConnectOptions.era` it spares the probe. */
  readonly era: ProtocolEra;
  readonly capabilities: JsonObject;
  readonly instructions?: string;
  /**
   * The server's raw result. `timeoutMs` is the whole time allowed, whatever arrives meanwhile.
   * Throws `timeout`, `connect` (connection lost), `protocol`, `sign-in`, `interrupted`, or
   * `server` for a JSON-RPC error, whose code stands in the message.
   */
  request(method: string, params: JsonObject, options: RequestOptions): Promise<unknown>;
  /** Adds a listener for the server's notifications; `params` is untrusted. */
  onNotification(listener: NotificationListener): void;
  /** Settles when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;
  readonly isOpen: boolean;
  /** The last lines of the server's stderr, cleaned; empty unless it is a process. */
  stderrTail(): string[];
  /** Gives the server another name, for `spec` and all messages from now on. */
  rename(name: ServerName): void;
  /** Ends the connection and, for a process, its whole group. Never rejects. */
  close(): Promise<void>;
}

/** What connecting needs besides the spec. */
export interface ConnectOptions {
  /** Where a process's short environment is taken from. */
  readonly env: Environment;
  readonly signal?: AbortSignal;
  /** The whole time for starting and the handshake; default the spec's or `CONNECT_TIMEOUT_MS`. */
  readonly timeoutMs?: number;
  /** The era this server was found to speak before. */
  readonly era?: ProtocolEra;
  /** Gets one-line warnings that are safe to show. */
  readonly warn: (message: string) => void;
  /** The program's version, as the server is told. */
  readonly clientVersion: string;
  /** Sign-ins at servers over HTTP. */
  readonly signIns?: Pick<SignIns, "of">;
}

/**
 * Connects to a server and shakes hands. Throws `connect`, `timeout`, `protocol`, `sign-in`,
 * `server` or `interrupted`; nothing of a failed attempt is left running.
 */
export async function connect(wanted: ServerSpec, options: ConnectOptions): Promise<Connection> {
  const spec = { ...wanted }; // of its own: see `rename`
  const timeoutMs = options.timeoutMs ?? spec.timeoutMs ?? CONNECT_TIMEOUT_MS;
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  options.signal?.addEventListener("abort", onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  const timer = setTimeout(onAbort, timeoutMs);
  try {
    const sdk = await import("@modelcontextprotocol/client");
    let first: Failure | undefined;
    let last: Failure | undefined;
    for (const way of waysTo(spec, options.era)) {
      if (last !== undefined && !isWorthTrying(spec, way, last)) continue;
      const outcome = await tryWay(spec, { way, sdk, options, timeoutMs, stop: stop.signal });
      if ("connection" in outcome) return outcome.connection;
      last = outcome;
      if (first === undefined || outcome.error.kind === "sign-in") first = outcome;
      if (stop.signal.aborted) break;
    }
    throw (stop.signal.aborted ? last : first)!.error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
  }
}

type Sdk = typeof import("@modelcontextprotocol/client");

/** `auto` asks for the modern era first, `legacy` shakes hands at once, `sse` is the oldest HTTP. */
type Way = "auto" | "legacy" | "sse";

interface Failure {
  readonly error: AppError;
  /** The HTTP status that was answered. */
  readonly status?: number | undefined;
  /** Whether the server answered something that shows no protocol, or another one. */
  readonly isUnclear: boolean;
}

interface Attempt {
  readonly way: Way;
  readonly sdk: Sdk;
  readonly options: ConnectOptions;
  readonly timeoutMs: number;
  readonly stop: AbortSignal;
}

// A process is not probed: one that does not know the question may end, and starts for nothing.
function waysTo(spec: ServerSpec, era: ProtocolEra | undefined): readonly Way[] {
  const modernFirst = era === "modern" || (era === undefined && spec.transport === "http");
  const ways: Way[] = modernFirst ? ["auto", "legacy"] : ["legacy", "auto"];
  return spec.transport === "http" ? [...ways, "sse"] : ways;
}

// The statuses of the rule for old servers in the specification's section on compatibility.
const OLD_SERVER_STATUSES: ReadonlySet<number> = new Set([400, 404, 405]);

function isWorthTrying(spec: ServerSpec, way: Way, { status, isUnclear }: Failure): boolean {
  if (way === "sse") return status !== undefined && OLD_SERVER_STATUSES.has(status);
  // `auto` over HTTP has tried the legacy way too, unless the probe itself broke the server.
  if (way === "legacy" && status !== undefined) return status >= 500;
  return isUnclear || (status !== undefined && OLD_SERVER_STATUSES.has(status)) ||
    (way === "legacy" && spec.transport !== "http");
}

async function tryWay(
  spec: ServerSpec,
  attempt: Attempt,
): Promise<{ connection: Connection } | Failure> {
  const { way, sdk, options, timeoutMs, stop } = attempt;
  const { mask, add } = growingMask(spec);
  const link = await openLink(spec, attempt, { mask, add });
  const explain = (error: unknown, method: string) => explainError(spec, { error, method, mask });
  const channel = new Channel({
    transport: link.transport,
    server: spec,
    warn: options.warn,
    mask,
    explain: (error, method) => {
      const failure = error === undefined ? link.takeFailure() : undefined;
      if (statusOf(error) !== 404) return failure ?? explain(error, method);
      // Only a new connection brings a new session; this one ends when its error is on its way.
      queueMicrotask(() => channel.close());
      return new AppError("connect", `Server "${spec.name}" has ended the session`);
    },
    ended: (method) => link.ended(`before it answered ${method}`),
  });
  link.onLost(() => channel.close());
  const client = new sdk.Client({ name: "mcp-exec", version: options.clientVersion }, {
    capabilities: {},
    versionNegotiation: { mode: way === "auto" ? "auto" : "legacy" },
    inputRequired: { autoFulfill: false },
  });
  try {
    // The SDK's own deadline is set behind ours, which counts from the start of the process.
    await Promise.race([client.connect(channel, { timeout: 2 * timeoutMs }), rejectOn(stop)]);
  } catch (error) {
    await channel.close();
    const detail = link.stderrTail();
    return {
      status: statusOf(error),
      isUnclear: !channel.isLost && channel.handshake === undefined &&
        appErrorIn(error) === undefined,
      error: options.signal?.aborted
        ? interrupted(spec, options.signal)
        : stop.aborted
        ? noAnswer(spec, timeoutMs, detail)
        : unknownVersion(spec, sdk, channel.handshake) ?? appErrorIn(error) ?? link.takeFailure() ??
          (channel.isLost ? link.ended("before the handshake") : explain(error, "initialize")),
    };
  }
  return { connection: connectionOver(spec, { channel, client, link, sdk, options, mask }) };
}

function connectionOver(
  spec: ServerSpec,
  { channel, client, link, sdk, options, mask }: {
    channel: Channel;
    client: Client;
    link: Link;
    sdk: Sdk;
    options: ConnectOptions;
    mask: Mask;
  },
): Connection {
  const version = client.getNegotiatedProtocolVersion()!;
  const era = client.getProtocolEra() ?? "legacy";
  const identity = client.getServerVersion();
  const instructions = client.getInstructions();
  if (era === "modern") {
    channel.envelope = {
      [sdk.PROTOCOL_VERSION_META_KEY]: version,
      [sdk.CLIENT_INFO_META_KEY]: { name: "mcp-exec", version: options.clientVersion },
      [sdk.CLIENT_CAPABILITIES_META_KEY]: {},
    };
  }
  const capabilities = { ...client.getServerCapabilities() };
  const hasLog = capabilities.logging !== undefined;
  if (hasLog && era === "modern") channel.logRequest = { [sdk.LOG_LEVEL_META_KEY]: LOG_LEVEL };
  let asksForLog = hasLog && era === "legacy";
  if (era === "modern" && capabilities.tools?.listChanged) {
    channel.listen({ toolsListChanged: true });
  }
  return {
    spec,
    identity: {
      name: mask(identity?.name ?? ""),
      version: mask(identity?.version ?? ""),
      ...(identity?.title !== undefined && { title: mask(identity.title) }),
    },
    protocolVersion: version,
    era,
    capabilities,
    ...(instructions !== undefined && { instructions: mask(instructions) }),
    request: async (method, params, bounds) => {
      if (asksForLog && bounds.listener !== undefined) {
        asksForLog = false;
        // It goes ahead of the request; whether the server heeds it is its own affair.
        channel.request("logging/setLevel", { level: LOG_LEVEL }, { timeoutMs: LOG_TIMEOUT_MS })
          .catch(() => {});
      }
      const given = await channel.request(method, params, bounds);
      // A list and a failure are to be read, not data: no server needs to repeat its secrets there.
      const isText = method.endsWith("/list") || given["isError"] === true;
      const result = isText ? maskValue(given, mask) : given;
      if (era === "legacy" || result["resultType"] !== "input_required") return result;
      throw new AppError("server", `Server "${spec.name}" asks for input to go on with ${method}`, {
        hint: "this program has nobody to ask: call a tool that needs no input",
      });
    },
    onNotification: (listener) => channel.onNotification(listener),
    closed: channel.closed,
    get isOpen() {
      return channel.isOpen;
    },
    stderrTail: () => link.stderrTail(),
    rename: (name) => void Object.assign(spec, { name }),
    async close() {
      if (channel.isOpen) await settles(link.farewell(), CLOSE_GRACE_MS);
      await channel.close();
    },
  };
}

// What a person who traces a run wants to know.
const LOG_LEVEL = "info";
const LOG_TIMEOUT_MS = 10_000;

/** One way to a server, not yet open. */
interface Link extends HttpLink {
  /** The error for a connection that has ended; `when` ends the message. */
  ended(when: string): AppError;
  stderrTail(): string[];
}

async function openLink(
  spec: ServerSpec,
  { way, sdk, options }: Attempt,
  { mask, add }: ReturnType<typeof growingMask>,
): Promise<Link> {
  const plain = {
    ended: (when: string) =>
      new AppError("connect", `Connection to server "${spec.name}" was closed ${when}`),
    takeFailure: () => undefined,
    stderrTail: () => [],
    onLost: () => {},
    farewell: () => Promise.resolve(),
  };
  if (spec.transport === "embedded") {
    return { ...plain, transport: await spec.open() as Transport };
  }
  if (spec.transport === "http") {
    const { clientVersion, signIns } = options;
    const signIn = signIns && watched(signIns.of(spec.url), add);
    const parts = { sdk, sse: way === "sse", clientVersion, mask, signIn };
    return { ...plain, ...openHttp(spec, parts) };
  }
  const { env, warn } = options;
  const transport = new StdioTransport(spec, { env, warn, mask });
  return {
    ...plain,
    transport,
    ended: (when) => transport.ended(when),
    stderrTail: () => transport.stderrTail(),
  };
}

/** A sign-in of which every token that is given out is told to `add`. */
function watched(signIn: ServerSignIn, add: (token: Secret) => void): ServerSignIn {
  const tell = (token: Secret | undefined) => {
    if (token !== undefined) add(token);
    return token;
  };
  return {
    ...signIn,
    token: async () => tell(await signIn.token()),
    renewed: async (used) => tell(await signIn.renewed(used)),
  };
}

function explainError(
  spec: ServerSpec,
  { error, method, mask }: { error: unknown; method: string; mask: (text: string) => string },
): AppError {
  const own = appErrorIn(error);
  if (own !== undefined) return own;
  const name = spec.name;
  if (error === undefined) {
    return new AppError("connect", `Server "${name}" broke off before it answered ${method}`);
  }
  const status = statusOf(error);
  if (status !== undefined) {
    return new AppError("server", `Server "${name}" answered ${method} with HTTP ${status}`, {
      ...(OLD_SERVER_STATUSES.has(status) && {
        hint: "check the path of the URL: many servers listen at /mcp or /sse",
      }),
    });
  }
  const { code, message } = error as { code?: unknown; message?: unknown };
  const text = typeof message === "string" ? cleanLine(mask(message)) : "";
  if (code === REFUSED_CODE) {
    return new AppError("protocol", `Answer of server "${name}" to ${method} refused: ${text}`);
  }
  if (Number.isInteger(code)) {
    return new AppError(
      "server",
      `Server "${name}" answered ${method} with error ${code}: ${text}`,
    );
  }
  return new AppError(
    "protocol",
    `Server "${name}" answered ${method} with something unreadable`,
    {
      ...(text !== "" && { detail: [cleanLine(text, 200)] }),
    },
  );
}

// The SDK wraps what its transports throw, sometimes twice.
function appErrorIn(error: unknown): AppError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof AppError) return cause;
  }
  return undefined;
}

function statusOf(error: unknown): number | undefined {
  const status = error instanceof Error && "status" in error ? error.status : undefined;
  return typeof status === "number" ? status : undefined;
}

function unknownVersion(
  spec: ServerSpec,
  sdk: Sdk,
  handshake: JsonObject | undefined,
): AppError | undefined {
  const version = handshake?.["protocolVersion"];
  const known = sdk.SUPPORTED_PROTOCOL_VERSIONS;
  if (typeof version !== "string" || known.includes(version)) return undefined;
  return new AppError(
    "protocol",
    `Server "${spec.name}" speaks protocol version ${quoteText(version)}, this program ` +
      [...known].sort().join(", "),
  );
}

function noAnswer(spec: ServerSpec, timeoutMs: number, detail: readonly string[]): AppError {
  return new AppError(
    "timeout",
    `Server "${spec.name}" gave no answer to initialize within ${formatDuration(timeoutMs)}`,
    {
      limit: { name: "connect", limit: timeoutMs },
      hint: (spec.transport === "stdio" ? "a first start may have to download: " : "") +
        TIMEOUT_HINT,
      ...(detail.length > 0 && { detail }),
    },
  );
}

function interrupted(spec: ServerSpec, signal: AbortSignal): AppError {
  if (signal.reason instanceof AppError) return signal.reason;
  return new AppError("interrupted", `Interrupted while connecting to server "${spec.name}"`);
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
