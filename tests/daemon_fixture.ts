// Folders of a person for tests of daemons, and the commands that they run there.

import assert from "node:assert/strict";
import { daemonPlace } from "../src/daemon_place.ts";
import { eventually } from "./eventually.ts";
import { isRunning } from "./servers/start.ts";
import { freshPlace, processesIn, PROGRAM, serverCommand } from "./specs/run.ts";

/** Whether tests of daemons are left out. */
export const ignore = Deno.build.os !== "linux";
/** A server for `--stdio`. */
export const HONEST = `honest=${serverCommand("honest")}`;

/** What a command gave. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A person's folders, with a daemon or not. */
export interface Place {
  readonly folder: string;
  readonly env: Record<string, string>;
  /** Where the files of the daemon are. */
  readonly daemon: string;
  start(args: readonly string[], more?: Start): Deno.ChildProcess;
  run(args: readonly string[], more?: Start): Promise<Ended>;
  /** The process of the daemon; undefined where none answers. */
  pid(): Promise<number | undefined>;
  /** The processes of daemons so far, which end with the test. */
  readonly pids: Set<number>;
}

/** How a command is started. */
export interface Start {
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  readonly cwd?: string;
  readonly program?: readonly string[];
}

/** Runs `work` in folders of their own; no process of theirs is left. */
export async function withPlace(work: (place: Place) => Promise<void>): Promise<void> {
  const { folder, env } = await freshPlace();
  const pids = new Set<number>();
  const children: Deno.ChildProcess[] = [];
  const place: Place = {
    folder,
    env,
    daemon: `${env["XDG_DATA_HOME"]}/mcp-exec/daemon`,
    pids,
    start(args, { env: more = {}, cwd = folder, program = PROGRAM } = {}) {
      const child = new Deno.Command(Deno.execPath(), {
        args: [...program, ...args],
        cwd,
        clearEnv: true,
        env: { ...env, ...more },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      children.push(child);
      return child;
    },
    run: async (args, more = {}) => await finish(place.start(args, more), more.stdin),
    async pid() {
      const { stdout } = await place.run(["daemon", "status", "--format", "json"]);
      const { pid } = JSON.parse(stdout);
      if (pid !== undefined) pids.add(pid);
      return pid;
    },
  };
  try {
    await work(place);
  } finally {
    // What a failed test left would keep the folder.
    for (const pid of [...children.map(({ pid }) => pid), ...pids]) {
      if (isRunning(pid)) Deno.kill(pid, "SIGKILL");
    }
    const last = await place.pid();
    if (last !== undefined) Deno.kill(last, "SIGKILL");
    await eventually(async () =>
      [...pids].every((pid) => !isRunning(pid)) && (await processesIn(folder)).length === 0
    );
    await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
  }
}

/** Gives a process its input and waits for its end. */
export async function finish(child: Deno.ChildProcess, stdin = ""): Promise<Ended> {
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Starts a daemon and gives its process. */
export async function started(place: Place, ...more: string[]): Promise<number> {
  const { code, stdout, stderr } = await place.run([
    ...["daemon", "start", "--format", "json", ...more],
  ]);
  assert.equal(code, 0, stderr);
  const { pid } = JSON.parse(stdout);
  place.pids.add(pid);
  return pid;
}

/** The process of the daemon that a command has started. */
export async function running(place: Place): Promise<number> {
  let pid: number | undefined;
  // One that is busy with its start may answer too late to be seen.
  await eventually(async () => (pid = await place.pid()) !== undefined);
  return pid!;
}

/** The words that call a tool of the server. */
export const call = (tool: string, ...params: string[]) => [
  ...["call", tool, ...params, "--stdio", HONEST, "--quiet"],
];

/** How many commands the daemon runs. */
export async function runsOf(place: Place): Promise<number> {
  const { stdout } = await place.run(["daemon", "status", "--format", "json"]);
  return JSON.parse(stdout).runs;
}

/** Has commands start a daemon. */
export async function keepWarm(place: Place): Promise<Record<string, string>> {
  const path = `${place.folder}/warm.json`;
  await Deno.writeTextFile(path, JSON.stringify({ daemon: { keepWarm: true } }));
  return { MCP_EXEC_CONFIG: path };
}

/** What a client of the daemon knows of the place. */
export function clientOf(place: Place) {
  const context = {
    env: { get: () => undefined, toObject: () => ({}) },
    paths: { home: undefined, config: "", data: `${place.env["XDG_DATA_HOME"]}/mcp-exec` },
    platform: "linux" as const,
  };
  return { context, socket: daemonPlace(context)!.socket };
}
