// The open connections of a bridge: opened when first needed, shared, replaced when lost, and all
// ended with it. Nothing is sent here, and nothing is connected to that nobody trusted.

import type { Catalog } from "./catalog.ts";
import type { Environment } from "./context.ts";
import { AppError } from "./errors.ts";
import { expandSpec } from "./expand.ts";
import type { ServerName } from "./names.ts";
import type { Progress } from "./progress.ts";
import { describeSpec, type ServerSpec } from "./server.ts";
import { cleanLine, quoteText } from "./text.ts";
import { connect, type Connection } from "./transport.ts";
import { VERSION } from "./version.ts";
import { interruption } from "./waiting.ts";

/** What `openConnection` needs besides the server. */
export interface OpenOptions {
  readonly catalog: Catalog;
  readonly env: Environment;
  readonly warn: (message: string) => void;
  /** Told before a server is connected to. */
  readonly onConnect?: (name: ServerName) => void;
  /** Shows what takes a while. */
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

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
  const activity = options.progress?.begin(`Connecting to "${spec.name}"`);
  try {
    const connection = await connect(expandSpec(spec, options.env), {
      env: options.env,
      warn: options.warn,
      clientVersion: VERSION,
      ...(era !== undefined && { era }),
      ...(options.signal !== undefined && { signal: options.signal }),
    });
    if (connection.era !== era) options.catalog.rememberEra(spec, connection.era);
    return connection;
  } finally {
    activity?.end();
  }
}

/** Open connections by server. */
export interface Pool {
  /** The server's open connection; a lost one is replaced, one attempt for all who wait. */
  connect(spec: ServerSpec): Promise<Connection>;
  /** Whether the last connection to a server was opened, and not found lost since. */
  isConnected(name: ServerName): boolean;
  /** Ends every connection; `connect` throws `interrupted` from then on. */
  close(): Promise<void>;
}

/** What a pool is made of. */
export interface PoolOptions extends OpenOptions {
  /** Aborted when the bridge closes. */
  readonly signal: AbortSignal;
  /** Connections that are open already, by the name they go under. */
  readonly connections?: ReadonlyMap<ServerName, Connection> | undefined;
  /** Gets each connection once, when it is open. */
  readonly onOpen: (name: ServerName, connection: Connection) => void;
}

/** A pool that opens nothing until it is asked to. */
export function createPool(options: PoolOptions): Pool {
  const open = new Map<ServerName, Promise<Connection>>();
  const connected = new Set<ServerName>();
  for (const [name, connection] of options.connections ?? []) {
    open.set(name, Promise.resolve(connection));
    connected.add(name);
    options.onOpen(name, connection);
  }

  async function connectTo(spec: ServerSpec): Promise<Connection> {
    if (options.signal.aborted) throw interruption(options.signal);
    const { name } = spec;
    const current = open.get(name);
    if (current !== undefined) {
      const connection = await current;
      if (connection.isOpen) return connection;
      if (open.get(name) === current) open.delete(name);
      connected.delete(name);
      return await connectTo(spec);
    }
    const opening = openConnection(spec, options);
    open.set(name, opening);
    try {
      const connection = await opening;
      connected.add(name);
      options.onOpen(name, connection);
      return connection;
    } catch (error) {
      if (open.get(name) === opening) open.delete(name);
      throw error;
    }
  }

  return {
    connect: connectTo,
    isConnected: (name) => connected.has(name),
    async close() {
      const all = await Promise.allSettled(open.values());
      open.clear();
      await Promise.all(
        all.map((item) => item.status === "fulfilled" ? item.value.close() : undefined),
      );
    },
  };
}
