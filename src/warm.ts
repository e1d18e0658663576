// What a process that stays keeps for the commands it runs: connections that one of them has ended
// with and the next may use, and a started sandbox. A connection has one user at a time, and is only
// given to who would have opened exactly the same one: same command or URL, sign-in, secrets,
// variables, folder.

import { type Context, pathFrom } from "./context.ts";
import { toAppError } from "./errors.ts";
import { startExecutor } from "./executor.ts";
import { type Digest, digestOfJson } from "./hash.ts";
import {
  CHECK_AFTER_MS,
  CHECK_TIMEOUT_MS,
  IDLE_CONNECTION_MS,
  MAX_CONNECTIONS,
  MAX_DAEMON_RUNS,
} from "./limits.ts";
import type { ServerName } from "./names.ts";
import { answers, type Connect } from "./pool.ts";
import { childEnvironment } from "./process.ts";
import type { CodeExecutor } from "./sandbox.ts";
import { credentialsOf } from "./secrets.ts";
import type { ServerSpec } from "./server.ts";
import { connect, type Connection, type ConnectOptions } from "./transport.ts";
import { type Clock, MACHINE_CLOCK } from "./waiting.ts";

/** What outlives a command. */
export interface Warm {
  /** Runs programs of all commands; they do not close it. */
  readonly executor: CodeExecutor;
  /** Connects as a command in the folder `cwd` would; closing such a connection gives it back. */
  connectIn(cwd: string): Connect;
  /** The connections that are open, by server. */
  connections(): WarmServer[];
  /** Ends all that nobody uses, and keeps nothing from then on. */
  close(): Promise<void>;
}

/** The connections of one server. */
export interface WarmServer {
  readonly server: ServerName;
  readonly connections: number;
  readonly idle: number;
}

/** One connection, kept between uses. */
interface Kept {
  readonly key: Digest;
  readonly connection: Connection;
  idleSince: number;
  /** Who hears of it; nobody between two uses. */
  user: User | undefined;
  /** Told when it ends in the middle of a use. */
  onLost: (() => void) | undefined;
  /** Whether the server announced other tools while nobody listened. */
  hasNews: boolean;
}

interface User {
  readonly warn: (message: string) => void;
  readonly listeners: ((method: string, params: unknown) => void)[];
}

const NEWS = "notifications/tools/list_changed";

/** Keeps connections for `idleMs` milliseconds without use. */
export function createWarm(
  context: Pick<Context, "paths">,
  { idleMs = IDLE_CONNECTION_MS, clock = MACHINE_CLOCK }: {
    readonly idleMs?: number | undefined;
    readonly clock?: Clock;
  } = {},
): Warm {
  const executor = startExecutor(context, { concurrency: MAX_DAEMON_RUNS });
  const all = new Set<Kept>();
  const ending = new Set<Promise<void>>();
  let isClosed = false;
  let stopTimer: (() => void) | undefined;

  const idle = () =>
    [...all].filter(({ user }) => user === undefined).sort((a, b) => a.idleSince - b.idleSince);

  function end(kept: Kept): Promise<void> {
    all.delete(kept);
    const ended = kept.connection.close().finally(() => ending.delete(ended));
    ending.add(ended);
    return ended;
  }

  function sweep(): void {
    stopTimer?.();
    const unused = idle();
    const now = clock.now();
    const spare = Math.max(0, unused.length - MAX_CONNECTIONS);
    const over = unused.filter((kept, at) => at < spare || now - kept.idleSince >= idleMs);
    for (const kept of over) end(kept);
    const next = unused.find((kept) => !over.includes(kept));
    stopTimer = next && clock.later(next.idleSince + idleMs - now, sweep);
  }

  /** A kept connection that still answers; the one used last first. */
  async function takeKept(key: Digest, user: User): Promise<Kept | undefined> {
    for (;;) {
      const kept = idle().findLast((kept) => kept.key === key);
      if (kept === undefined) return undefined;
      kept.user = user;
      // A process may have ended a moment ago, and is asked in no time.
      const isDoubtful = kept.connection.spec.transport === "stdio" ||
        clock.now() - kept.idleSince >= CHECK_AFTER_MS;
      const isWell = kept.connection.isOpen &&
        (!isDoubtful || await answers(kept.connection, CHECK_TIMEOUT_MS));
      if (isWell) return kept;
      end(kept);
    }
  }

  function keep(key: Digest, connection: Connection, user: User): Kept {
    const kept: Kept = { key, connection, idleSince: 0, user, onLost: undefined, hasNews: false };
    all.add(kept);
    connection.onNotification((method, params) => {
      const listeners = kept.user?.listeners ?? [];
      // Whoever has just got it does not listen yet.
      if (listeners.length === 0) kept.hasNews ||= method === NEWS;
      for (const listener of listeners) listener(method, params);
    });
    connection.closed.then(() => {
      all.delete(kept);
      kept.onLost?.();
    });
    return kept;
  }

  function giveBack(kept: Kept, isWell: boolean): Promise<void> | undefined {
    kept.user = undefined;
    if (!isWell || isClosed || !kept.connection.isOpen) return end(kept);
    kept.idleSince = clock.now();
    sweep();
    return undefined;
  }

  return {
    executor,
    connectIn: (cwd) => async (wanted, options) => {
      if (wanted.transport === "embedded" || isClosed) return await connect(wanted, options);
      const spec = wanted.transport === "stdio"
        // This process stands in another folder.
        ? { ...wanted, cwd: wanted.cwd === undefined ? cwd : pathFrom(cwd, wanted.cwd) }
        : wanted;
      const user: User = { warn: options.warn, listeners: [] };
      const key = await keyOf(spec, options);
      let kept = await takeKept(key, user);
      if (kept === undefined) {
        let opened: Kept | undefined;
        const warn = (message: string) =>
          (opened === undefined ? user : opened.user)?.warn(message);
        kept = opened = keep(key, await connect(spec, { ...options, warn }), user);
      } else kept.connection.rename(spec.name);
      return use(kept, user, giveBack);
    },
    connections() {
      const byServer = Map.groupBy(all, ({ connection }) => connection.spec.name);
      return [...byServer].map(([server, kept]) => ({
        server,
        connections: kept.length,
        idle: kept.filter(({ user }) => user === undefined).length,
      }));
    },
    async close() {
      isClosed = true;
      stopTimer?.();
      for (const kept of idle()) end(kept);
      await Promise.all([executor.close(), ...ending]);
    },
  };
}

/** The use of a connection as one of its own. */
function use(
  kept: Kept,
  user: User,
  giveBack: (kept: Kept, isWell: boolean) => Promise<void> | undefined,
): Connection {
  const { connection } = kept;
  const { promise: closed, resolve: markClosed } = Promise.withResolvers<void>();
  // A race with the end of the connection would stay with that after each use.
  kept.onLost = markClosed;
  if (!connection.isOpen) markClosed();
  let underWay = 0;
  let isWell = true;
  let isOver = false;
  let closing: Promise<void> | undefined;
  return {
    ...connection,
    get isOpen() {
      return !isOver && connection.isOpen;
    },
    closed,
    onNotification(listener) {
      user.listeners.push(listener);
      if (!kept.hasNews) return;
      kept.hasNews = false;
      queueMicrotask(() => listener(NEWS, {})); // it is still being set up
    },
    async request(method, params, options) {
      underWay++;
      try {
        return await connection.request(method, params, options);
      } catch (error) {
        // The server may still be at it, or have lost its way: the next one gets another.
        isWell &&= toAppError(error).kind === "server";
        throw error;
      } finally {
        underWay--;
      }
    },
    close() {
      return closing ??= (async () => {
        isOver = true;
        kept.onLost = undefined;
        await giveBack(kept, isWell && underWay === 0);
        markClosed();
      })();
    },
  };
}

/** Tells all apart that would not have been opened the same way. */
async function keyOf(
  spec: ServerSpec,
  { env, signIns }: Pick<ConnectOptions, "env" | "signIns">,
): Promise<Digest> {
  const parts = [credentialsOf(spec), spec.timeoutMs ?? null];
  // Whoever has signed in anew since is somebody else to the server.
  if (spec.transport === "http") parts.push(await signIns?.of(spec.url).identity() ?? null);
  if (spec.transport !== "stdio") return digestOfJson(parts);
  const { cwd, inheritEnv = false } = spec;
  return digestOfJson([...parts, cwd!, inheritEnv, childEnvironment(env, {}, inheritEnv)]);
}
