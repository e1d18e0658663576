// The command's side of a daemon: finds it, hands a command line over and shows what comes back, as
// if it ran here. It connects to nothing but the socket in its person's own folder, and to no daemon
// of another version; where there is none, nothing is said and the command runs by itself.

import { type Context, pathFrom } from "./context.ts";
import {
  type DaemonPlace,
  daemonPlace,
  hasOwnFolder,
  type Hello,
  helloOf,
  readToken,
  settingsOf,
  type Welcome,
} from "./daemon_place.ts";
import { AppError, ExitCode, toAppError } from "./errors.ts";
import { createFrameLink, type Frame, type FrameLink, Kind, objectIn, textIn } from "./frames.ts";
import {
  DAEMON_ANSWER_MS,
  DAEMON_START_MS,
  MAX_DAEMON_HELLO_BYTES,
  MAX_DAEMON_OUTPUT_BYTES,
} from "./limits.ts";
import { cleanLine } from "./text.ts";

/** A command line as a daemon gets it. */
export interface RunMessage {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly isTerminal: Context["isTerminal"];
  readonly columns: number;
  /** Whether somebody can be asked. */
  readonly canAsk: boolean;
}

/** A question of the daemon's to whoever runs the command. */
export interface AskMessage {
  readonly what: "confirm" | "ask" | "input";
  readonly question?: string;
  readonly maxBytes?: number;
}

/** The answer: bytes of input come by themselves. */
export interface AnswerMessage {
  readonly value?: string | boolean;
  readonly failure?: ReturnType<AppError["toJSON"]>;
}

/** A daemon that said what it was asked. */
export interface Granted {
  readonly link: FrameLink;
  readonly welcome: Welcome;
}

/**
 * Asks the daemon at `place`; undefined where none answers in time. Throws `denied` where its folder
 * is not its person's own.
 */
export async function askDaemon(
  context: Context,
  place: DaemonPlace,
  want: Hello["want"],
): Promise<Granted | undefined> {
  const token = hasOwnFolder(place) ? readToken(place) : undefined;
  if (token === undefined) return undefined;
  let socket: Deno.UnixConn;
  try {
    socket = await Deno.connect({ transport: "unix", path: place.socket });
  } catch {
    return undefined; // it ended without taking its socket along
  }
  const link = createFrameLink(socket);
  link.send(Kind.hello, helloOf(context, { want, token }));
  const answer = await Promise.race([
    link.next(MAX_DAEMON_HELLO_BYTES),
    passed(DAEMON_ANSWER_MS),
  ]);
  if (answer?.kind === Kind.welcome) {
    return { link, welcome: objectIn<Welcome>(answer) as Welcome };
  }
  link.close();
  return undefined;
}

/** Runs the command line of `context` elsewhere; gives its exit code. */
export type RemoteRun = (context: Context) => Promise<ExitCode>;

/**
 * A daemon for one command line, undefined where the command has to run by itself. One of another
 * version is told to end; where one was, or `isWanted` says that there should be, it is started.
 */
export async function findDaemon(
  context: Context,
  options: {
    readonly isWanted: () => Promise<{ readonly idleMs?: number } | undefined>;
    readonly warn: (message: string) => void;
  },
): Promise<RemoteRun | undefined> {
  const place = daemonPlace(context);
  if (place === undefined) return undefined;
  try {
    const found = await askDaemon(context, place, "run");
    const granted = found?.welcome.ok === true ? found : undefined;
    if (granted !== undefined) return (context) => runOver(granted.link, context);
    found?.link.close();
    const isOther = found?.welcome.refused === "version";
    if (found !== undefined && !isOther) return undefined;
    if (isOther) (await askDaemon(context, place, "stop"))?.link.close();
    const wanted = isOther ? {} : await options.isWanted();
    if (wanted === undefined) return undefined;
    const started = await startDaemon(context, place, { ...wanted, want: "run" });
    return (context) => runOver(started.link, context);
  } catch (error) {
    if (!context.signal.aborted) options.warn(`No daemon is used: ${toAppError(error).message}`);
    return undefined;
  }
}

const POLL_MS = 10;
const SHOWS_WHY = { hint: "mcp-exec daemon start --foreground shows why" };

/** Settles after `ms` milliseconds. The first timer of a process takes 5 ms to set; this does not. */
async function passed(ms: number): Promise<undefined> {
  const never = new Int32Array(new SharedArrayBuffer(4));
  await Atomics.waitAsync(never, 0, 0, ms).value;
}

/**
 * Starts a daemon and gives its answer. Throws `failure` where its folders cannot be made or it ends
 * at once, and `timeout` where none comes up.
 */
export async function startDaemon(
  context: Context,
  place: DaemonPlace,
  { want, idleMs }: { readonly want: Hello["want"]; readonly idleMs?: number },
): Promise<Granted> {
  hasOwnFolder(place);
  const [{ startSelf }, { ensureFolder, isLocked }] = await Promise.all([
    import("./process.ts"),
    import("./disk.ts"),
  ]);
  // It would fail as well, and its start takes far longer.
  for (const folder of [context.paths.data!, place.folder]) await ensureFolder(folder);
  const { cwd, env, paths } = context;
  const config = env.get("MCP_EXEC_CONFIG") || undefined;
  const idle = idleMs === undefined ? [] : ["--idle", `${idleMs}ms`];
  const ended = startSelf(["daemon", "start", "--foreground", ...idle], {
    source: env,
    // The same folder, whichever way this process was told of it.
    env: {
      ...settingsOf(env),
      MCP_EXEC_DATA_DIR: paths.data!,
      ...(config !== undefined && { MCP_EXEC_CONFIG: pathFrom(cwd, config) }),
    },
  });
  let deadline = performance.now() + DAEMON_START_MS;
  let hasEnded = false;
  ended.then(() => {
    hasEnded = true;
    deadline = Math.min(deadline, performance.now() + DAEMON_ANSWER_MS);
  });
  while (performance.now() < deadline) {
    await passed(POLL_MS);
    if (context.signal.aborted) throw toAppError(context.signal.reason);
    // One that ended has failed, or has found another one that is about to listen.
    const isOver = hasEnded && !isLocked(place.lock);
    const found = await askDaemon(context, place, want);
    if (found?.welcome.ok) return found;
    found?.link.close();
    // One that was started by somebody else at the same time; that of another version still ends.
    if (found !== undefined && found.welcome.refused !== "version") {
      throw new AppError("failure", `Daemon refuses: ${cleanLine(String(found.welcome.refused))}`);
    }
    if (isOver) throw new AppError("failure", "Daemon ended as it started", SHOWS_WHY);
  }
  throw new AppError("timeout", "Daemon did not start", {
    limit: { name: "daemon start", limit: DAEMON_START_MS },
    ...SHOWS_WHY,
  });
}

/** How much of a result waits for its exit code; a larger one is shown as it comes. */
const HELD_OUTPUT_BYTES = 1024 * 1024;

async function runOver(link: FrameLink, context: Context): Promise<ExitCode> {
  const { args, env, cwd, isTerminal, columns, signal } = context;
  const canAsk = context.confirm !== undefined;
  const message: RunMessage = { args, env: env.toObject(), cwd, isTerminal, columns, canAsk };
  link.send(Kind.run, message);
  const onAbort = () => link.send(Kind.interrupt, {});
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  let isOutOpen = true;
  // A result is shown once it is certain how the command ended: what a daemon that was killed had
  // sent of it by then would contradict the exit code.
  let held: Frame[] = [];
  let heldBytes = 0;
  const show = () => {
    for (const frame of held) {
      if (frame.kind === Kind.error) {
        context.writeError(textIn(frame));
        continue;
      }
      const isOpen = context.writeOut(frame.bytes);
      if (!isOpen && isOutOpen) link.send(Kind.outClosed, {});
      isOutOpen = isOpen;
    }
    held = [];
    heldBytes = 0;
  };
  try {
    for (;;) {
      const frame = await link.next(MAX_DAEMON_OUTPUT_BYTES);
      if (frame === undefined) throw lost();
      if (frame.kind === Kind.out || frame.kind === Kind.error) {
        held.push(frame);
        heldBytes += frame.bytes.length;
        // Messages before a result are shown as they come.
        if (held[0]!.kind === Kind.error || heldBytes > HELD_OUTPUT_BYTES) show();
      } else if (frame.kind === Kind.ask) {
        show();
        answer(link, context, frame);
      } else if (frame.kind === Kind.exit) {
        show();
        return objectIn<{ code: ExitCode }>(frame).code ?? ExitCode.failure;
      }
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    await link.flushed();
    link.close();
  }
}

/** Answers a question; the run is not held up meanwhile. */
async function answer(link: FrameLink, context: Context, frame: Frame): Promise<void> {
  const { what, question = "", maxBytes = 0 } = objectIn<AskMessage>(frame);
  const give = (answer: AnswerMessage) => link.send(Kind.answer, answer);
  try {
    if (what === "input") {
      link.send(Kind.input, await context.readInput(maxBytes));
    } else if (what === "confirm") give({ value: await context.confirm!(question) });
    else give({ value: await context.ask!(question) });
  } catch (error) {
    give({ failure: toAppError(error).toJSON() });
  }
}

function lost(): AppError {
  return new AppError("failure", "Daemon ended in the middle of the command", {
    hint: "what the command had called so far may have happened; run it again",
  });
}
