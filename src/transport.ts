// One connection to one MCP server: over a process's standard streams, over HTTP, or in-process.
// The only module that fetches. It never shows a server's text uncleaned and never shows a secret.

import type { Environment } from "./context.ts";
import { AppError } from "./errors.ts";
import type { JsonObject, ProtocolEra, ServerInfo, ServerSpec } from "./server.ts";

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
  onNotification(listener: (method: string, params: unknown) => void): void;
  /** Settles when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;
  readonly isOpen: boolean;
  /** The last lines of the server's stderr, cleaned; empty unless it is a process. */
  stderrTail(): string[];
  /** Ends the connection and, for a process, its whole group. Never rejects. */
  close(): Promise<void>;
}

/** The bounds of one request. */
export interface RequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
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
}

/**
 * Connects to a server and shakes hands. Throws `connect`, `timeout`, `protocol`, `sign-in`,
 * `server` or `interrupted`; nothing of a failed attempt is left running.
 */
export function connect(spec: ServerSpec, _options: ConnectOptions): Promise<Connection> {
  return Promise.reject(new AppError("connect", `Server "${spec.name}" cannot be reached yet`));
}
