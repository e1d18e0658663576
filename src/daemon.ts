// The process that stays: listens on a socket in its person's own folder, and runs command lines as
// their processes would have, with connections and a sandbox that are warm already. Who cannot show
// the token is told nothing; when a command goes, its run ends.

import { type Context, type Environment, pathsOf } from "./context.ts";
import type { AnswerMessage, AskMessage, RunMessage } from "./daemon_client.ts";
import {
  type DaemonPlace,
  type DaemonStatus,
  hasOwnFolder,
  type Hello,
  helloOf,
  type Welcome,
} from "./daemon_place.ts";
import { ensureFolder, removeFile, writeFileAtomic } from "./disk.ts";
import { AppError, type ExitCode } from "./errors.ts";
import { createFrameLink, type Frame, type FrameLink, Kind, objectIn } from "./frames.ts";
import { digestOf, equalDigests } from "./hash.ts";
import {
  DAEMON_ANSWER_MS,
  DAEMON_IDLE_MS,
  DAEMON_LOOK_MS,
  MAX_DAEMON_HELLO_BYTES,
  MAX_DAEMON_REQUEST_BYTES,
  MAX_DAEMON_RUNS,
} from "./limits.ts";
import { withLock } from "./lock.ts";
import { guardGroups, settles } from "./process.ts";
import { createWarm, type Warm } from "./warm.ts";

/** What a daemon is made of. */
export interface DaemonOptions {
  readonly place: DaemonPlace;
  /** How long it stays without a run, in milliseconds. */
  readonly idleMs?: number | undefined;
  /** How long a connection stays open that no command uses, in milliseconds. */
  readonly connectionIdleMs?: number | undefined;
  /** Runs one command line with what is warm, and gives its exit code. */
  readonly runLine: (context: Context, warm: Warm) => Promise<ExitCode>;
  /** Told once, when it listens. */
  readonly onListen: () => void;
}

/**
 * Serves until it is told to end, is not used for long, or its socket or data folder is gone. Throws
 * `timeout` where another one listens, and `denied` where the folder is not its person's own.
 */
export async function serveDaemon(context: Context, options: DaemonOptions): Promise<void> {
  const { place } = options;
  // The data folder itself is looked for as long as it runs.
  for (const folder of [context.paths.data!, place.folder]) await ensureFolder(folder);
  hasOwnFolder(place);
  let daemon: Daemon | undefined;
  await withLock(place.lock, async () => {
    const token = crypto.getRandomValues(new Uint8Array(32)).toHex();
    await writeFileAtomic(place.token, token, { mode: 0o600 });
    await removeFile(place.socket);
    const listener = Deno.listen({ transport: "unix", path: place.socket });
    daemon = new Daemon(context, options, helloOf(context, { want: "run", token }));
    guardGroups();
    options.onListen();
    await daemon.listen(listener);
  }, { timeoutMs: LOCK_WAIT_MS });
  // The next one may listen by now; what was begun here ends here.
  await daemon?.finish();
}

// One that was told to end listens no longer than that; another one goes on listening.
const LOCK_WAIT_MS = 250;
const ACCEPT_AGAIN_MS = 100;
const MIN_LOOK_MS = 50;

class Daemon {
  readonly #context: Context;
  readonly #options: DaemonOptions;
  /** What a command has to say. */
  readonly #expected: Hello;
  readonly #idleMs: number;
  readonly #warm: Warm;
  readonly #startedAt: number;
  readonly #runs = new Map<AbortController, Promise<void>>();
  /** Those who wait for the end. */
  readonly #waiting: FrameLink[] = [];
  readonly #ending = Promise.withResolvers<void>();
  #isEnding = false;
  #usedAt = performance.now();

  constructor(context: Context, options: DaemonOptions, expected: Hello) {
    this.#context = context;
    this.#options = options;
    this.#expected = expected;
    this.#idleMs = options.idleMs ?? DAEMON_IDLE_MS;
    this.#warm = createWarm(context, { idleMs: options.connectionIdleMs });
    this.#startedAt = context.now();
  }

  /** Takes commands until there is a reason to end; nothing listens then. */
  async listen(listener: Deno.UnixListener): Promise<void> {
    const { socket } = this.#options.place;
    const own = await Deno.lstat(socket);
    const isOurs = async () => {
      const found = await Deno.lstat(socket).catch(() => undefined);
      return found?.ino === own.ino && found.dev === own.dev;
    };
    const look = setInterval(async () => {
      const isIdle = this.#runs.size === 0 && performance.now() - this.#usedAt >= this.#idleMs;
      if (isIdle || !await isOurs() || !await isThere(this.#expected.data)) this.#end();
    }, Math.max(MIN_LOOK_MS, Math.min(DAEMON_LOOK_MS, this.#idleMs)));
    const { signal } = this.#context;
    const onAbort = () => {
      this.#interruptAll();
      this.#end();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    this.#accept(listener);
    await this.#ending.promise;
    clearInterval(look);
    signal.removeEventListener("abort", onAbort);
    if (await isOurs()) await removeFile(socket);
    listener.close();
  }

  /** Settles when the runs under way have ended and nothing of them is left. */
  async finish(): Promise<void> {
    await Promise.allSettled(this.#runs.values());
    await this.#warm.close();
    await Promise.all(this.#waiting.map(done));
  }

  async #accept(listener: Deno.UnixListener): Promise<void> {
    for (;;) {
      try {
        const link = createFrameLink(await listener.accept());
        this.#answer(link).catch(() => link.close());
      } catch {
        // Closed from here; or too many files are open, which may pass.
        if (await settles(this.#ending.promise, ACCEPT_AGAIN_MS)) return;
      }
    }
  }

  async #answer(link: FrameLink): Promise<void> {
    const first = await nextInTime(link, MAX_DAEMON_HELLO_BYTES);
    if (first?.kind !== Kind.hello) return link.close();
    const { want, ...hello } = objectIn<Hello>(first);
    const refused = this.#refusalOf(want, hello);
    // Whoever has no token is told nothing, not even the version.
    if (refused === "token") return link.close();
    const { version } = this.#expected;
    const welcome: Welcome = {
      ok: refused === undefined,
      pid: Deno.pid,
      version,
      ...(refused !== undefined && { refused }),
      ...(want === "status" && { status: this.#status() }),
    };
    link.send(Kind.welcome, welcome);
    if (!welcome.ok || want === "status") return await done(link);
    if (want !== "run") {
      this.#waiting.push(link);
      if (want === "stop now") this.#interruptAll();
      return this.#end();
    }
    const stop = new AbortController();
    const run = this.#run(link, stop).finally(() => {
      this.#runs.delete(stop);
      this.#usedAt = performance.now();
    });
    this.#runs.set(stop, run);
    await run;
  }

  #refusalOf(want: unknown, hello: Partial<Hello>): Welcome["refused"] {
    const { token, version, build, data, settings } = this.#expected;
    const isOurs = equalDigests(digestOf(String(hello.token)), digestOf(token));
    if (!isOurs || hello.data !== data) return "token";
    if (want === "status" || want === "stop" || want === "stop now") return undefined;
    if (want !== "run" || hello.version !== version || hello.build !== build) return "version";
    if (JSON.stringify(hello.settings) !== JSON.stringify(settings)) return "settings";
    return this.#isEnding || this.#runs.size >= MAX_DAEMON_RUNS ? "busy" : undefined;
  }

  #status(): DaemonStatus {
    return {
      startedAt: this.#startedAt,
      runs: this.#runs.size,
      memory: Deno.memoryUsage().rss,
      idleMs: this.#idleMs,
      servers: this.#warm.connections(),
    };
  }

  /** Takes no more runs: whoever is on the way here runs by itself. */
  #end(): void {
    this.#isEnding = true;
    this.#ending.resolve();
  }

  #interruptAll(): void {
    for (const stop of this.#runs.keys()) stop.abort(interrupted());
  }

  /** Runs one command line; ends it when its process goes. */
  async #run(link: FrameLink, stop: AbortController): Promise<void> {
    const message = await nextInTime(link, MAX_DAEMON_REQUEST_BYTES);
    if (message?.kind !== Kind.run) return link.close();
    const end = () => stop.abort(interrupted());
    const caller = new Caller(link, end);
    const gone = caller.listen().then(end, end);
    const context = contextOf(objectIn<RunMessage>(message) as RunMessage, caller, {
      ...this.#context,
      signal: stop.signal,
    });
    const code = await this.#options.runLine(context, this.#warm);
    link.send(Kind.exit, { code });
    await link.flushed();
    // The command closes first: with anything of it unread here, the system may drop what it is to
    // read there.
    await settles(gone, DAEMON_ANSWER_MS);
    link.close();
  }
}

/** The process that a run belongs to: what it answers, and whether it still reads. */
class Caller {
  isOutOpen = true;
  readonly #link: FrameLink;
  readonly #onInterrupt: () => void;
  #asked: PromiseWithResolvers<Uint8Array | string | boolean> | undefined;
  #hasGone = false;

  constructor(link: FrameLink, onInterrupt: () => void) {
    this.#link = link;
    this.#onInterrupt = onInterrupt;
  }

  send(kind: number, content: string | Uint8Array): void {
    this.#link.send(kind, content);
  }

  /** Asks one question; a command asks one at a time. */
  async ask(message: AskMessage): Promise<Uint8Array | string | boolean> {
    if (this.#hasGone) throw interrupted();
    this.#asked = Promise.withResolvers();
    this.#link.send(Kind.ask, message);
    return await this.#asked.promise;
  }

  /** Takes what comes until the process has gone. */
  async listen(): Promise<void> {
    try {
      for (;;) {
        const frame = await this.#link.next(MAX_DAEMON_REQUEST_BYTES);
        if (frame === undefined) return;
        if (frame.kind === Kind.interrupt) this.#onInterrupt();
        else if (frame.kind === Kind.outClosed) this.isOutOpen = false;
        else if (frame.kind === Kind.input) this.#asked?.resolve(frame.bytes);
        else if (frame.kind === Kind.answer) {
          const { value = "", failure } = objectIn<AnswerMessage>(frame);
          if (failure === undefined) this.#asked?.resolve(value);
          else this.#asked?.reject(new AppError(failure.kind, failure.message, failure));
        }
      }
    } finally {
      this.#hasGone = true;
      this.#asked?.reject(interrupted());
    }
  }
}

/** What a command may touch, as its own process would have it. */
function contextOf(
  { args, env: variables, cwd, isTerminal, columns, canAsk }: RunMessage,
  caller: Caller,
  { platform, now, signal }: Pick<Context, "platform" | "now" | "signal">,
): Context {
  const env: Environment = {
    get: (name) => Object.hasOwn(variables, name) ? variables[name] : undefined,
    toObject: () => ({ ...variables }),
  };
  return {
    args,
    env,
    cwd,
    platform,
    paths: pathsOf(env, { platform, cwd }),
    writeOut(data) {
      caller.send(Kind.out, data);
      return caller.isOutOpen;
    },
    writeError: (text) => caller.send(Kind.error, text),
    readInput: async (maxBytes) => await caller.ask({ what: "input", maxBytes }) as Uint8Array,
    isTerminal,
    ...(canAsk && {
      confirm: async (question) => await caller.ask({ what: "confirm", question }) === true,
      ask: async (question) => String(await caller.ask({ what: "ask", question })),
    }),
    columns,
    signal,
    now,
  };
}

function interrupted(): AppError {
  return new AppError("interrupted", "Interrupted");
}

/** The next message of somebody who has no reason to be slow. */
async function nextInTime(link: FrameLink, maxBytes: number): Promise<Frame | undefined> {
  const late = setTimeout(() => link.close(), DAEMON_ANSWER_MS);
  return await link.next(maxBytes).finally(() => clearTimeout(late));
}

/** Closes the link when all was sent. */
async function done(link: FrameLink): Promise<void> {
  await link.flushed();
  link.close();
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
