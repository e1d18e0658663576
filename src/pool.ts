// The open connections of a bridge: opened when first needed, shared, kept warm for a while,
// replaced when lost or silent, and all ended with it. Nothing is connected to that nobody trusted,
// and a server that keeps failing is left alone for a while.

import { type Backoff, createBackoff } from "./backoff.ts";
import type { Catalog } from "./catalog.ts";
import type { Environment } from "./context.ts";
import { AppError, toAppError } from "./errors.ts";
import { expandSpec } from "./expand.ts";
import {
  CALLS_PER_CONNECTION,
  CHECK_AFTER_MS,
  CHECK_TIMEOUT_MS,
  CONNECTION_WAIT_MS,
  formatDuration,
  IDLE_CONNECTION_MS,
  MAX_CONNECTIONS,
  MAX_HTTP_CONNECTIONS,
} from "./limits.ts";
import type { ServerName } from "./names.ts";
import type { Progress } from "./progress.ts";
import { describeSpec, type ServerSpec } from "./server.ts";
import type { SignIns } from "./sign_ins.ts";
import { cleanLine, quoteText } from "./text.ts";
import { connect, type Connection, type ConnectOptions } from "./transport.ts";
import { VERSION } from "./version.ts";
import { type Clock, createSlots, interruption, MACHINE_CLOCK } from "./waiting.ts";

/** A way to a connection: `connect` itself, or one that keeps connections between uses. */
export type Connect = (spec: ServerSpec, options: ConnectOptions) => Promise<Connection>;

/** What `openConnection` needs besides the server. */
export interface OpenOptions {
  readonly catalog: Catalog;
  readonly env: Environment;
  readonly warn: (message: string) => void;
  /** Told before a server is connected to. */
  readonly onConnect?: (name: ServerName) => void;
  /** Shows what takes a while. */
  readonly progress?: Progress;
  /** Sign-ins at servers over HTTP. */
  readonly signIns?: Pick<SignIns, "of">;
  readonly signal?: AbortSignal;
  readonly connect?: Connect;
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
    const connection = await (options.connect ?? connect)(expandSpec(spec, options.env), {
      env: options.env,
      warn: options.warn,
      clientVersion: VERSION,
      ...(era !== undefined && { era }),
      ...(options.signIns !== undefined && { signIns: options.signIns }),
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
  /**
   * A connection to the server for one use. Throws what `openConnection` throws; `connect` for a
   * server that keeps failing, until it may be tried again; `limit` when all connections stay in
   * use; `interrupted` once the pool is closed.
   */
  take(spec: ServerSpec): Promise<Lease>;
  /** The same at once where a connection is open and was used lately; undefined where not. */
  takeNow(spec: ServerSpec): Lease | undefined;
  /** Whether a connection to the server is open and was used lately. */
  isConnected(name: ServerName): boolean;
  /** How each server is connected to that was ever asked for. */
  state(): ServerConnections[];
  /** Ends every connection; `take` throws `interrupted` from then on. */
  close(): Promise<void>;
}

/** The use of a connection, until it is given back. */
export interface Lease {
  readonly connection: Connection;
  /** Ends the use; a connection `inDoubt`, as after a deadline, is asked before its next one. */
  release(inDoubt?: boolean): void;
}

/** How a server is connected to just now. */
export interface ServerConnections {
  readonly server: ServerName;
  /** Those that are open, and how many of them nobody uses. */
  readonly connections: number;
  readonly idle: number;
  /** Uses under way, with those that wait for a connection to open. */
  readonly inFlight: number;
  /** How often in a row it could not be connected to, or was lost soon after. */
  readonly failures: number;
  /** Milliseconds until it may be tried again; 0 for at once. */
  readonly nextTry: number;
}

/** How many connections there may be and for how long, where that is not the default. */
export interface PoolBounds {
  readonly connections?: number;
  /** How long a use may wait for one of them, in milliseconds. */
  readonly waitMs?: number;
  /** How long one that nobody uses stays open, in milliseconds. */
  readonly idleMs?: number;
  /** How long one that was idle for long has to say that it is still there, in milliseconds. */
  readonly checkMs?: number;
}

/** What a pool is made of. */
export interface PoolOptions extends OpenOptions {
  /** Aborted when the bridge closes. */
  readonly signal: AbortSignal;
  /** Connections that are open already, by the name they go under. */
  readonly connections?: ReadonlyMap<ServerName, Connection> | undefined;
  /** Gets each connection once, when it is open. */
  readonly onOpen: (name: ServerName, connection: Connection) => void;
  readonly bounds?: PoolBounds | undefined;
  readonly clock?: Clock | undefined;
}

interface Entry {
  readonly server: Server;
  /** The round of failures that it was opened in. */
  readonly round: number;
  opening: Promise<Connection>;
  /** Undefined while it opens. */
  connection?: Connection;
  openedAt: number;
  uses: number;
  /** When the last use ended. */
  usedAt: number;
  isInDoubt: boolean;
  checking?: Promise<boolean> | undefined;
}

interface Server {
  readonly name: ServerName;
  /** The oldest first. */
  readonly entries: Set<Entry>;
  readonly backoff: Backoff;
  /** Until when it is not connected to once more, having refused that. */
  fullUntil: number;
}

/** A pool that opens nothing until it is asked to. */
export function createPool(options: PoolOptions): Pool {
  const { clock = MACHINE_CLOCK, signal, bounds = {} } = options;
  const { connections: most = MAX_CONNECTIONS, idleMs = IDLE_CONNECTION_MS } = bounds;
  const { waitMs = CONNECTION_WAIT_MS, checkMs = CHECK_TIMEOUT_MS } = bounds;
  const servers = new Map<ServerName, Server>();
  const places = createSlots({ places: most });
  const ending = new Set<Promise<void>>();
  let stopTimer: (() => void) | undefined;

  for (const [name, connection] of options.connections ?? []) {
    const place = places.take();
    const entry = addEntry(serverOf(name), () => Promise.resolve(connection));
    attach(entry, connection, () => void place.then((leave) => leave()));
  }

  function serverOf(name: ServerName): Server {
    const known = servers.get(name) ??
      { name, entries: new Set(), backoff: createBackoff(name, clock.now), fullUntil: -Infinity };
    servers.set(name, known);
    return known;
  }

  function addEntry(server: Server, open: (entry: Entry) => Promise<Connection>): Entry {
    const time = clock.now();
    const { round } = server.backoff;
    const times = { openedAt: time, usedAt: time };
    const entry = { server, round, ...times, uses: 0, isInDoubt: false } as unknown as Entry;
    server.entries.add(entry);
    entry.opening = open(entry);
    return entry;
  }

  function attach(entry: Entry, connection: Connection, leave: () => void): void {
    const { server } = entry;
    entry.connection = connection;
    entry.openedAt = entry.usedAt = clock.now();
    options.onOpen(server.name, connection);
    connection.closed.then(() => {
      leave();
      // One that was closed from here is not among them any more.
      if (!server.entries.delete(entry)) return;
      const detail = connection.stderrTail();
      const error = new AppError("connect", `Connection to server "${server.name}" was lost`, {
        ...(detail.length > 0 && { detail }),
      });
      server.backoff.failed(entry.round, { heldMs: clock.now() - entry.openedAt, error });
    });
  }

  async function open(spec: ServerSpec, entry: Entry): Promise<Connection> {
    const { entries, backoff } = entry.server;
    try {
      const leave = await takePlace();
      try {
        const connection = await openConnection(spec, options);
        attach(entry, connection, leave);
        return connection;
      } catch (error) {
        leave();
        throw error;
      }
    } catch (thrown) {
      const error = toAppError(thrown);
      entries.delete(entry);
      backoff.failed(entry.round, { heldMs: 0, error });
      throw error;
    }
  }

  async function takePlace(): Promise<() => void> {
    if (!places.isFull) return await places.take();
    retireIdle();
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(tooMany(most, waitMs)), waitMs);
    try {
      return await places.take({ signal: AbortSignal.any([signal, late.signal]) });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes the one of all idle connections that was not used for the longest. */
  function retireIdle(): void {
    const [oldest] = idleEntries().sort((a, b) => a.usedAt - b.usedAt);
    if (oldest !== undefined) retire(oldest);
  }

  function idleEntries(): Entry[] {
    return [...servers.values()].flatMap(({ entries }) =>
      [...entries].filter(({ connection, uses }) => connection !== undefined && uses === 0)
    );
  }

  function retire(entry: Entry): void {
    entry.server.entries.delete(entry);
    const end = entry.connection!.close().finally(() => ending.delete(end));
    ending.add(end);
  }

  function sweep(): void {
    const time = clock.now();
    let next = Infinity;
    for (const entry of idleEntries()) {
      const left = entry.usedAt + idleMs - time;
      if (left <= 0) retire(entry);
      else next = Math.min(next, left);
    }
    stopTimer = next === Infinity ? undefined : clock.later(next, sweep);
  }

  // The oldest that has room, so that a server which keeps something by connection sees one
  // connection for as long as it can take all calls.
  function choose(spec: ServerSpec): Entry {
    const server = serverOf(spec.name);
    let least: Entry | undefined;
    for (const entry of server.entries) {
      if (entry.connection?.isOpen === false) continue;
      if (entry.uses < CALLS_PER_CONNECTION) return entry;
      if (least === undefined || entry.uses < least.uses) least = entry;
    }
    if (least !== undefined) {
      const mayGrow = spec.transport === "http" && !places.isFull &&
        clock.now() >= server.fullUntil && server.entries.size < MAX_HTTP_CONNECTIONS;
      if (!mayGrow) return least;
    }
    const refusal = least === undefined ? server.backoff.refusal() : undefined;
    if (refusal !== undefined) throw refusal;
    return addEntry(server, (entry) => open(spec, entry));
  }

  function giveBack(entry: Entry): void {
    entry.usedAt = clock.now();
    if (--entry.uses > 0 || !entry.server.entries.has(entry)) return;
    if (places.waiting > 0 && entry.connection !== undefined) retire(entry);
    else stopTimer ??= clock.later(idleMs, sweep);
  }

  async function take(spec: ServerSpec): Promise<Lease> {
    for (;;) {
      if (signal.aborted) throw interruption(signal);
      const entry = choose(spec);
      entry.uses++;
      let isTaken = false;
      try {
        const connection = entry.connection ?? await entry.opening;
        if (connection.isOpen && await isWell(entry, connection)) {
          isTaken = true;
          return leaseOf(entry, connection);
        }
      } catch (error) {
        const others = [...entry.server.entries];
        if (!others.some(({ connection }) => connection?.isOpen)) throw error;
        // One more was not to be had: those that are open have to do.
        entry.server.fullUntil = clock.now() + IDLE_CONNECTION_MS;
      } finally {
        if (!isTaken) giveBack(entry);
      }
    }
  }

  function leaseOf(entry: Entry, connection: Connection): Lease {
    const { backoff } = entry.server;
    if (backoff.failures > 0) backoff.held(clock.now() - entry.openedAt);
    return {
      connection,
      release(inDoubt = false) {
        entry.isInDoubt ||= inDoubt;
        giveBack(entry);
      },
    };
  }

  // Most calls come here: nothing is waited for.
  function takeNow(spec: ServerSpec): Lease | undefined {
    for (const entry of servers.get(spec.name)?.entries ?? []) {
      const { connection, uses } = entry;
      if (!connection?.isOpen || !isWarm(entry) || entry.checking !== undefined) continue;
      if (uses >= CALLS_PER_CONNECTION && spec.transport === "http") continue;
      entry.uses++;
      return leaseOf(entry, connection);
    }
    return undefined;
  }

  // What others use at the moment shows by itself whether it still answers.
  const isWarm = ({ uses, usedAt, isInDoubt }: Entry) =>
    uses > 0 || (!isInDoubt && clock.now() - usedAt < CHECK_AFTER_MS);

  /** Whether a connection still answers; one that was not used for long is asked. */
  function isWell(entry: Entry, connection: Connection): boolean | Promise<boolean> {
    if (entry.checking !== undefined) return entry.checking;
    if (isWarm({ ...entry, uses: entry.uses - 1 })) return true;
    return entry.checking = answers(connection, checkMs).then((isThere) => {
      entry.checking = undefined;
      entry.usedAt = clock.now();
      entry.isInDoubt = false;
      if (!isThere && entry.server.entries.has(entry)) retire(entry);
      return isThere;
    });
  }

  return {
    take,
    takeNow,
    isConnected: (name) =>
      [...servers.get(name)?.entries ?? []].some((entry) =>
        entry.connection?.isOpen && isWarm(entry)
      ),
    state: () =>
      [...servers.values()].map(({ name, entries, backoff }) => {
        const open = [...entries].filter(({ connection }) => connection?.isOpen);
        for (const { openedAt } of open) backoff.held(clock.now() - openedAt);
        return {
          server: name,
          connections: open.length,
          idle: open.filter(({ uses }) => uses === 0).length,
          inFlight: [...entries].reduce((sum, { uses }) => sum + uses, 0),
          failures: backoff.failures,
          nextTry: Math.ceil(backoff.wait()),
        };
      }),
    async close() {
      stopTimer?.();
      const all = [...servers.values()].flatMap(({ entries }) => [...entries]);
      await Promise.allSettled(all.map(({ opening }) => opening));
      for (const entry of all) if (entry.connection !== undefined) retire(entry);
      await Promise.all(ending);
    },
  };
}

/**
 * Whether the server still answers, within `timeoutMs`. Any answer will do, a refusal too; the modern
 * era over HTTP has no session that could be lost.
 */
export async function answers(connection: Connection, timeoutMs: number): Promise<boolean> {
  const { era, spec: { transport } } = connection;
  if (transport === "embedded" || (transport === "http" && era === "modern")) return true;
  const method = era === "modern" ? "server/discover" : "ping";
  try {
    await connection.request(method, {}, { timeoutMs });
  } catch (error) {
    if (toAppError(error).kind !== "server") return false;
  }
  return connection.isOpen;
}

function tooMany(most: number, waitMs: number): AppError {
  return new AppError(
    "limit",
    `All ${most} connections to servers stayed in use for ${formatDuration(waitMs)}`,
    {
      limit: { name: "connections", limit: most },
      hint: "call fewer servers at once",
    },
  );
}
