// `daemon`: starts, ends and shows the process that keeps servers and the sandbox warm for other
// commands. Its place is its person's alone; what it keeps is in `warm.ts`.

import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import type { DaemonOptions } from "../daemon.ts";
import { askDaemon, type Granted, startDaemon } from "../daemon_client.ts";
import { type DaemonPlace, daemonPlace, type Hello } from "../daemon_place.ts";
import { AppError } from "../errors.ts";
import { type CommandGroup, durationFlag, type Invocation, switchFlag } from "../flags.ts";
import { formatBytes, formatDuration, MAX_DAEMON_HELLO_BYTES } from "../limits.ts";
import { countOf } from "../render.ts";
import { readOwnConfig } from "../servers.ts";

interface StartFlags {
  readonly idle?: number | undefined;
  readonly foreground?: boolean | undefined;
}

/** The daemon, as far as it answers. */
async function ask(context: Context, want: Hello["want"]): Promise<Granted | undefined> {
  return await askDaemon(context, placeOf(context), want);
}

function placeOf(context: Context): DaemonPlace {
  const place = daemonPlace(context);
  if (place !== undefined) return place;
  throw new AppError("failure", "There can be no daemon here", {
    hint: context.platform === "windows"
      ? "the runtime has no local sockets on Windows; every command works without it"
      : "set XDG_RUNTIME_DIR to a folder of your own with a short path",
  });
}

const start = buildCommand<StartFlags, [], Invocation>({
  docs: {
    brief: "Start it, or say that it runs",
    fullDescription: `Starts the daemon and returns when it can be used. It ends by itself when no
command has used it for a while: --idle, else daemon.idle of the configuration, else 15m.

EXAMPLES
  mcp-exec daemon start
  mcp-exec daemon start --idle 2h
  mcp-exec daemon start --foreground`,
  },
  parameters: {
    flags: {
      idle: durationFlag("End when no command has used it for so long (15m)"),
      foreground: switchFlag("Serve in this process, until it is told to end"),
    },
  },
  async func({ idle, foreground }) {
    const { context, output } = this;
    const place = placeOf(context);
    const config = await readOwnConfig(context, this.config);
    const idleMs = idle ?? config.daemon.idleMs;
    const running = await ask(context, "status");
    running?.link.close();
    if (foreground) {
      if (running !== undefined) throw isRunning(running);
      return await serve(this, place, { idleMs, connectionIdleMs: config.idleMs });
    }
    const found = running ?? await startDaemon(context, place, {
      want: "status",
      ...(idleMs !== undefined && { idleMs }),
    });
    found.link.close();
    const { pid } = found.welcome;
    const started = running === undefined;
    if (output.format === "json") output.document({ ok: true, pid, started });
    else output.print(`Daemon ${started ? "started" : "runs already"}, process ${pid}`);
  },
});

async function serve(
  { context, log, runLine }: Invocation,
  place: DaemonPlace,
  times: Pick<DaemonOptions, "idleMs" | "connectionIdleMs">,
): Promise<void> {
  const { serveDaemon } = await import("../daemon.ts");
  await serveDaemon(context, {
    ...times,
    place,
    runLine: (context, warm) => runLine(context, { warm }),
    onListen: () => log.info(`Daemon listens, process ${Deno.pid}`),
  });
}

function isRunning({ welcome }: Granted): AppError {
  return new AppError("failure", `Daemon runs already, process ${welcome.pid}`, {
    hint: "mcp-exec daemon stop ends it",
  });
}

const stop = buildCommand<{ readonly now?: boolean | undefined }, [], Invocation>({
  docs: {
    brief: "End it when the commands it runs have ended",
    fullDescription: `Tells the daemon to take no more commands and waits until it has ended: when
those under way have, or at once with --now, which interrupts them.

EXAMPLES
  mcp-exec daemon stop
  mcp-exec daemon stop --now`,
  },
  parameters: { flags: { now: switchFlag("Interrupt the commands it runs") } },
  async func({ now }) {
    const { context, output } = this;
    const found = await ask(context, now ? "stop now" : "stop");
    if (found !== undefined) await untilClosed(found, context.signal);
    const pid = found?.welcome.pid;
    if (output.format === "json") output.document({ ok: true, stopped: pid !== undefined, pid });
    else output.print(pid === undefined ? "No daemon runs" : `Daemon ended, process ${pid}`);
  },
});

/** Waits for the end of the daemon, which closes the link; ours leaves it to its end. */
async function untilClosed({ link }: Granted, signal: AbortSignal): Promise<void> {
  const close = () => link.close();
  signal.addEventListener("abort", close, { once: true });
  await link.next(MAX_DAEMON_HELLO_BYTES);
  signal.removeEventListener("abort", close);
  link.close();
  signal.throwIfAborted();
}

const status = buildCommand<Record<never, never>, [], Invocation>({
  docs: {
    brief: "Show whether it runs, and what it keeps",
    fullDescription: `Shows the daemon's process, the commands it runs and the servers it holds
connections to. Nothing is started.

EXAMPLES
  mcp-exec daemon status
  mcp-exec daemon status --format json`,
  },
  parameters: {},
  async func() {
    const { context, output } = this;
    const found = daemonPlace(context) && await ask(context, "status");
    found?.link.close();
    const { pid, version, status } = found?.welcome ?? {};
    if (status === undefined) {
      if (output.format === "json") output.document({ ok: true, running: false });
      else output.print("No daemon runs");
      return;
    }
    const { startedAt, runs, memory, idleMs, servers } = status;
    const uptimeMs = Math.max(0, context.now() - startedAt);
    if (output.format === "json") {
      const document = { pid, version, uptimeMs, runs, memory, idleMs, servers };
      output.document({ ok: true, running: true, ...document });
      return;
    }
    output.print(`Daemon of version ${version} runs, process ${pid}`);
    const up = formatDuration(Math.floor(uptimeMs / 1000) * 1000);
    output.print(`  up ${up}, ends after ${formatDuration(idleMs)} of rest`);
    output.print(`  ${countOf(runs, "command")} under way, ${formatBytes(memory)} of memory`);
    for (const { server, connections, idle } of servers) {
      output.print(`  ${server}: ${countOf(connections, "connection")}, ${idle} idle`);
    }
  },
});

/** The commands `daemon start`, `daemon stop` and `daemon status`. */
export const command: CommandGroup = {
  description:
    `Keeps servers, what is known of their tools and a sandbox warm in a process of its own,
so that execute, call, introspect and search start at once. They use it when it runs; with
daemon.keepWarm set in the configuration they start it. MCP_EXEC_NO_DAEMON=1 leaves it aside.
Results, exit codes and interrupts are the same with it and without.

EXAMPLES
  mcp-exec daemon start
  mcp-exec daemon status
  mcp-exec config set daemon.keepWarm true`,
  commands: { start, stop, status },
};
