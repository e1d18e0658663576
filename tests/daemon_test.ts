// Commands with a daemon and without: the same results, whatever happens to either process.

import assert from "node:assert/strict";
import { daemonPlace, helloOf } from "../src/daemon_place.ts";
import { createFrameLink, Kind, objectIn } from "../src/frames.ts";
import { isRunning } from "./servers/start.ts";
import { freshPlace, processesIn, PROGRAM, ROOT, serverCommand } from "./specs/run.ts";
import { HAS_TERMINAL, onTerminal } from "./terminal.ts";

const ignore = Deno.build.os !== "linux";
const HONEST = `honest=${serverCommand("honest")}`;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A person's folders, with a daemon or not. */
interface Place {
  readonly folder: string;
  readonly env: Record<string, string>;
  /** Where the files of the daemon are. */
  readonly daemon: string;
  start(args: readonly string[], more?: Start): Deno.ChildProcess;
  run(args: readonly string[], more?: Start): Promise<Ended>;
  /** The process of the daemon; undefined where none answers. */
  pid(): Promise<number | undefined>;
}

interface Start {
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  readonly cwd?: string;
  readonly program?: readonly string[];
}

async function withPlace(work: (place: Place) => Promise<void>): Promise<void> {
  const { folder, env } = await freshPlace();
  const pids = new Set<number>();
  const children: Deno.ChildProcess[] = [];
  const place: Place = {
    folder,
    env,
    daemon: `${env["XDG_DATA_HOME"]}/mcp-exec/daemon`,
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

async function finish(child: Deno.ChildProcess, stdin = ""): Promise<Ended> {
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Waits until `holds`; fails when it does not come to that. */
async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail("It did not come to that");
}

/** What no two runs have in common taken out. */
function plain({ code, stdout, stderr }: Ended): Ended {
  const without = (text: string) =>
    text.replace(/\b01[0-9a-z]{14}\b/g, "RUN")
      .replace(/"(ms|waitedMs|durationMs)":[\d.e-]+/g, '"$1":0')
      .replace(/\b[\d.]+ m?s\b/g, "TIME");
  return { code, stdout: without(stdout), stderr: without(stderr) };
}

/** Starts a daemon and gives its process. */
async function started(place: Place, ...more: string[]): Promise<number> {
  const { code, stderr } = await place.run(["daemon", "start", ...more]);
  assert.equal(code, 0, stderr);
  return (await place.pid())!;
}

const call = (tool: string, ...params: string[]) => [
  ...["call", tool, ...params, "--stdio", HONEST, "--quiet"],
];

const COMMANDS: readonly { readonly args: readonly string[]; readonly stdin?: string }[] = [
  { args: ["execute", "program.ts", "--args", "[2]"] },
  { args: ["execute", "program.ts", "--args", "[2]", "--format", "json"] },
  { args: ["execute", "throw.ts"] },
  { args: ["execute", "throw.ts", "--format", "json"] },
  { args: ["execute", "-", "--stdio", HONEST], stdin: "return await callTool('honest', 'count')" },
  { args: ["execute", "-"], stdin: "return (" },
  { args: ["execute", "-e", "for (;;);", "--fuel", "100000"] },
  { args: ["execute", "-e", "console.log('one'); console.error('two'); return 'x'"] },
  { args: ["execute", "-e", "return await readFile('/workspace/note.md')", "--workspace", "."] },
  { args: ["execute", "-e", "return 1", "--workspace", "missing"] },
  { args: ["execute", "missing.ts"] },
  { args: ["execute", "--no-such-flag"] },
  { args: ["call", "add_numbers", "a=2", "b=3", "--stdio", HONEST] },
  { args: ["call", "fail", "--stdio", HONEST, "--format", "json"] },
  { args: ["call", "echo", "text=@note.md", "--stdio", HONEST, "--quiet"] },
  { args: ["call", "ours", "echo", "text=a", "--config", "own.json"] },
  { args: ["call", "ours", "no_such_tool", "--config", "own.json"] },
  { args: ["call", "nobody", "echo"] },
  { args: ["--format", "json", "introspect", "--stdio", HONEST] },
  { args: ["introspect", "demo", "--tool", "list_issues"] },
  { args: ["introspect", "--stdio", "false"] },
  { args: ["search", "issues"] },
  { args: ["search", "issues", "--format", "json", "--detail", "signature"] },
];

Deno.test({
  name: "daemon gives the results, messages and exit codes that commands have without it",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const { folder } = place;
      await Deno.writeTextFile(`${folder}/program.ts`, "export default (n: number) => n + 1;");
      await Deno.writeTextFile(`${folder}/throw.ts`, "throw new Error('no');");
      await Deno.writeTextFile(`${folder}/note.md`, "noted");
      const [command, ...args] = serverCommand("honest").split(" ");
      const own = { mcpServers: { ours: { command, args } }, output: { color: false } };
      await Deno.writeTextFile(`${folder}/own.json`, JSON.stringify(own));
      await place.run(["introspect", "demo", "--quiet"]); // so that search has an index
      const alone: Ended[] = [];
      for (const { args, stdin = "" } of COMMANDS) {
        const env = { MCP_EXEC_NO_DAEMON: "1" };
        alone.push(plain(await place.run(args, { env, stdin })));
      }
      await started(place);
      for (const [at, { args, stdin = "" }] of COMMANDS.entries()) {
        // In its own folder, which the daemon does not stand in.
        assert.deepEqual(plain(await place.run(args, { stdin })), alone[at], args.join(" "));
      }
      const codes = new Set(alone.map(({ code }) => code));
      assert.deepEqual([...codes].sort(), [0, 2, 3, 5], "the table has cases of each kind");
    });
  },
});

Deno.test({
  name: "daemon keeps a server for the next command, and none for other variables or folders (C8)",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const [command, ...args] = serverCommand("honest").split(" ");
      const config = {
        mcpServers: {
          keyed: { command, args, env: { KEY: "${KEY}" } },
          open: { command, args, inheritEnv: true },
        },
      };
      await Deno.mkdir(`${place.env["XDG_CONFIG_HOME"]}/mcp-exec`, { recursive: true });
      const path = `${place.env["XDG_CONFIG_HOME"]}/mcp-exec/config.json`;
      await Deno.writeTextFile(path, JSON.stringify(config));
      await Deno.mkdir(`${place.folder}/other`);
      await started(place);
      const counts: string[] = [];
      const count = async (server: string, more: Start) => {
        const { stdout, stderr } = await place.run(["call", server, "count", "--quiet"], more);
        assert.equal(stderr, "");
        counts.push(stdout.trim());
      };
      await count("keyed", { env: { KEY: "of-ana" } });
      await count("keyed", { env: { KEY: "of-ana" } });
      await count("keyed", { env: { KEY: "of-ben" } });
      await count("keyed", { env: { KEY: "of-ana" } });
      await count("keyed", { env: { KEY: "of-ana" }, cwd: `${place.folder}/other` });
      assert.deepEqual(counts.splice(0), ["1", "2", "1", "3", "1"]);
      await count("open", { env: { TOKEN: "of-ana" } });
      await count("open", { env: { TOKEN: "of-ben" } });
      await count("open", { env: { TOKEN: "of-ben" } });
      assert.deepEqual(counts, ["1", "1", "2"]);
      const missing = await place.run(["call", "keyed", "count"]);
      assert.equal(missing.code, 2);
      assert.match(missing.stderr, /Variable "KEY" is not set/);
    });
  },
});

Deno.test({
  name:
    "daemon ends a run whose command is interrupted or killed, and uses its server no more (A8, N3)",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      await started(place);
      const file = `${place.folder}/starts`;
      const server = `${Deno.execPath()} run -A ${ROOT}/tests/servers/counting.ts ${file} no-gate`;
      const counting = (tool: string) => ["call", tool, "--stdio", `counting=${server}`, "--quiet"];
      const sizeOf = async (path: string) =>
        (await Deno.stat(path).catch(() => ({ size: 0 }))).size;
      await place.run(counting("state"));
      for (const [at, signal] of (["SIGINT", "SIGTERM", "SIGKILL"] as const).entries()) {
        const child = place.start(counting("hold"));
        await eventually(async () => await sizeOf(`${file}.held`) === at + 1);
        const before = await Deno.readTextFile(file);
        child.kill(signal);
        const { code, stdout, stderr } = await finish(child);
        assert.equal(stdout, "");
        if (signal !== "SIGKILL") {
          assert.equal(code, 130, stderr);
          assert.match(stderr, /^error: [^\n]*nterrupted/);
        }
        await eventually(async () => (await runsOf(place)) === 0);
        assert.equal((await place.run(counting("state"))).code, 0);
        assert.notEqual(await Deno.readTextFile(file), before, "another process");
      }
    });
  },
});

Deno.test({
  name: "daemon status says what is held, in whole seconds",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const pid = await started(place);
      await place.run(call("count"));
      const { code, stdout } = await place.run(["daemon", "status"]);
      assert.equal(code, 0);
      assert.match(
        stdout,
        new RegExp(
          `^Daemon of version \\S+ runs, process ${pid}\n` +
            "  up (\\d+m|\\d+s|0ms), ends after \\d+m of rest\n" +
            "  0 commands under way, \\S+ MiB of memory\n" +
            "  honest: 1 connection, 1 idle\n$",
        ),
      );
    });
  },
});

async function runsOf(place: Place): Promise<number> {
  const { stdout } = await place.run(["daemon", "status", "--format", "json"]);
  return JSON.parse(stdout).runs;
}

Deno.test({
  name: "daemon that is killed leaves no server, and commands that work",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const first = await started(place);
      assert.equal((await place.run(call("count"))).stdout, "1\n");
      assert.equal((await processesIn(place.folder)).length, 1);
      Deno.kill(first, "SIGKILL");
      await eventually(async () => (await processesIn(place.folder)).length === 0);
      const alone = await place.run(call("count"));
      assert.deepEqual(alone, { code: 0, stdout: "1\n", stderr: "" });

      const second = await started(place);
      assert.notEqual(second, first);
      // A server that is busy does not see that its input has ended.
      const program = "console.log('waiting'); await callTool('honest', 'wait', { ms: 60_000 });";
      const child = place.start(["execute", "-e", program, "--stdio", HONEST]);
      const errors = child.stderr.getReader();
      const { value: log } = await errors.read();
      assert.match(text(log!), /waiting/);
      await new Promise((resolve) => setTimeout(resolve, 300));
      Deno.kill(second, "SIGKILL");
      const { value: error } = await errors.read();
      errors.releaseLock();
      const { code, stdout } = await finish(child);
      const stderr = text(error!);
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(stderr, /^error: Daemon ended in the middle of the command\n +hint: [^\n]+\n$/);
      await eventually(async () => (await processesIn(place.folder)).length === 0);
      assert.equal((await place.run(call("count"))).code, 0);
    });
  },
});

Deno.test({
  name: "daemon that is killed at any moment of its start costs the next command nothing",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const env = await keepWarm(place);
      for (const ms of [20, 80, 140, 200, 260, 320]) {
        const child = place.start(["daemon", "start", "--foreground"]);
        await new Promise((resolve) => setTimeout(resolve, ms));
        child.kill("SIGKILL");
        await finish(child);
        const { code, stdout, stderr } = await place.run(call("echo", "text=a"), { env });
        assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "a\n", stderr: "" });
        Deno.kill((await place.pid())!, "SIGKILL");
      }
    });
  },
});

Deno.test({
  name: "daemon that is killed at any moment of a run fails that one command at most",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const env = await keepWarm(place);
      const program = "for (let i = 0; i < 5; i++) await callTool('honest', 'wait', { ms: 20 });" +
        "return 'done'";
      const args = ["execute", "-e", program, "--stdio", HONEST, "--quiet"];
      assert.equal((await place.run(args, { env })).stdout, "done\n");
      for (const ms of [40, 80, 120, 160, 200, 240]) {
        const pid = (await place.pid())!;
        const child = place.start(args, { env });
        await new Promise((resolve) => setTimeout(resolve, ms));
        Deno.kill(pid, "SIGKILL");
        const { code, stdout, stderr } = await finish(child);
        if (code === 0) assert.deepEqual({ stdout, stderr }, { stdout: "done\n", stderr: "" });
        else {
          assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
          assert.equal(stderr.match(/^\S+: /gm)?.length, 1, stderr);
        }
        const next = await place.run(args, { env });
        assert.deepEqual(next, { code: 0, stdout: "done\n", stderr: "" });
      }
      const last = (await place.pid())!;
      Deno.kill(last, "SIGKILL");
      await eventually(async () => (await processesIn(place.folder)).length === 0);
    });
  },
});

/** Has commands start a daemon. */
async function keepWarm(place: Place): Promise<Record<string, string>> {
  const path = `${place.folder}/warm.json`;
  await Deno.writeTextFile(path, JSON.stringify({ daemon: { keepWarm: true } }));
  return { MCP_EXEC_CONFIG: path };
}

Deno.test({
  name: "daemon is started by a command where that is configured, unless a variable forbids it",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const env = await keepWarm(place);
      const off = { ...env, MCP_EXEC_NO_DAEMON: "1" };
      assert.equal((await place.run(call("count"), { env: off })).stdout, "1\n");
      assert.equal(await place.pid(), undefined);
      const both = await Promise.all([1, 2].map(() => place.run(call("count"), { env })));
      assert.deepEqual(both.map(({ stdout, stderr }) => stdout + stderr), ["1\n", "1\n"]);
      assert.notEqual(await place.pid(), undefined);
      assert.equal((await place.run(call("count"))).stdout, "2\n");
    });
  },
});

Deno.test({
  name: "daemon start has one winner of those at once; stop and status say what there is",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const starts = await Promise.all(
        [1, 2, 3].map(() => place.run(["daemon", "start", "--format", "json"])),
      );
      const pids = starts.map(({ stdout, stderr }) => {
        assert.equal(stderr, "");
        return JSON.parse(stdout).pid;
      });
      assert.equal(new Set(pids).size, 1);
      assert.equal(await place.pid(), pids[0]);
      const again = await place.run(["daemon", "start", "--foreground"]);
      assert.equal(again.code, 1);
      assert.match(again.stderr, /^error: Daemon runs already, process \d+\n/);
      await place.run(call("count"));
      const { stdout } = await place.run(["daemon", "status", "--format", "json"]);
      const { servers, runs, memory } = JSON.parse(stdout);
      assert.deepEqual({ servers, runs }, {
        servers: [{ server: "honest", connections: 1, idle: 1 }],
        runs: 0,
      });
      assert.ok(memory > 0);
      const stopped = await place.run(["daemon", "stop", "--format", "json"]);
      assert.deepEqual(JSON.parse(stopped.stdout), { ok: true, stopped: true, pid: pids[0] });
      await eventually(() => !isRunning(pids[0]));
      assert.deepEqual(await processesIn(place.folder), []);
      assert.equal((await place.run(["daemon", "stop"])).stdout, "No daemon runs\n");
    });
  },
});

Deno.test({
  name: "daemon stop lets a command end that is under way, and --now interrupts it",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      for (const now of [false, true]) {
        const pid = await started(place);
        const child = place.start(call("wait", `ms:=${now ? 60_000 : 1_500}`));
        await eventually(async () => (await runsOf(place)) === 1);
        const stop = place.run(["daemon", "stop", ...now ? ["--now"] : []]);
        const { code, stdout } = await finish(child);
        assert.deepEqual({ code, stdout }, {
          code: now ? 130 : 0,
          stdout: now ? "" : "waited 1500\n",
        });
        assert.equal((await stop).code, 0);
        await eventually(() => !isRunning(pid));
      }
    });
  },
});

Deno.test({
  name: "daemon ends when it is not used, told to, or its socket or data folder is gone",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const unused = await started(place, "--idle", "2s");
      await eventually(() => !isRunning(unused));
      assert.equal(await place.pid(), undefined);

      const told = await started(place);
      await place.run(call("count"));
      Deno.kill(told, "SIGTERM");
      await eventually(() => !isRunning(told));
      assert.deepEqual(await processesIn(place.folder), []);

      const alone = await started(place);
      await Deno.remove(`${place.daemon}/daemon.sock`);
      await eventually(() => !isRunning(alone));

      const homeless = await started(place);
      await Deno.remove(place.env["XDG_DATA_HOME"]!, { recursive: true });
      await eventually(() => !isRunning(homeless));
      assert.equal((await place.run(call("count"))).code, 0);
    });
  },
});

Deno.test({
  name: "daemon of another version is told to end, and one of this version takes its place",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const copy = `${place.folder}/copy`;
      await copyProgram(copy);
      await Deno.writeTextFile(
        `${copy}/src/version.ts`,
        `/** */\nexport const VERSION = "0.0.1";\n`,
      );
      const program = PROGRAM.map((word) => word.replace(ROOT, copy));
      await place.run(["daemon", "start"], { program });
      const old = (await place.pid())!;
      const { code, stdout, stderr } = await place.run(call("count"));
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "1\n", stderr: "" });
      await eventually(() => !isRunning(old));
      assert.notEqual(await place.pid(), undefined);
      assert.equal((await place.run(call("count"))).stdout, "2\n");
    });
  },
});

async function copyProgram(to: string): Promise<void> {
  for (const folder of ["", "/src", "/src/commands", "/templates"]) {
    await Deno.mkdir(to + folder, { recursive: true });
    for await (const { name, isFile } of Deno.readDir(ROOT + folder)) {
      if (isFile) await Deno.copyFile(`${ROOT}${folder}/${name}`, `${to}${folder}/${name}`);
    }
  }
}

Deno.test({
  name: "daemon of other proxies or certificates is left aside",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      await started(place);
      assert.equal((await place.run(call("count"))).stdout, "1\n");
      const env = { HTTPS_PROXY: "http://127.0.0.1:9" };
      const other = await place.run(call("count"), { env });
      assert.deepEqual(other, { code: 0, stdout: "1\n", stderr: "" });
      assert.equal((await place.run(call("count"))).stdout, "2\n");
    });
  },
});

Deno.test({
  name: "daemon that does not answer is not waited for",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const pid = await started(place);
      Deno.kill(pid, "SIGSTOP");
      try {
        const { code, stdout, stderr } = await place.run(call("count"));
        assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "1\n", stderr: "" });
      } finally {
        Deno.kill(pid, "SIGCONT");
      }
    });
  },
});

Deno.test({
  name: "daemon keeps its folder, socket and token to its person, and asks for the token (N1)",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      await started(place);
      const mode = async (path: string) => ((await Deno.lstat(path)).mode ?? 0) & 0o777;
      assert.equal(await mode(place.daemon), 0o700);
      assert.equal(await mode(`${place.daemon}/daemon.token`), 0o600);
      const token = await Deno.readTextFile(`${place.daemon}/daemon.token`);
      for (const given of [token, "0".repeat(64), "", undefined, 7, { length: 64 }]) {
        const answer = await ask(place, { token: given as string });
        assert.equal(answer === undefined, given !== token, String(given));
      }
      assert.equal(await ask(place, { token, data: "/elsewhere" }), undefined);
      for (const bytes of [[0], [1, 255, 255, 255, 255], [1, 0, 0, 0, 1, 123], [9, 0, 0, 0, 0]]) {
        assert.equal(await ask(place, new Uint8Array(bytes)), undefined);
      }
      assert.equal((await place.run(call("count"))).stdout, "1\n");
    });
  },
});

/** What the daemon answers to a greeting that is not quite right. */
async function ask(place: Place, change: object | Uint8Array): Promise<unknown> {
  const data = `${place.env["XDG_DATA_HOME"]}/mcp-exec`;
  const context = {
    env: { get: () => undefined, toObject: () => ({}) },
    paths: { home: undefined, config: "", data },
    platform: "linux" as const,
  };
  const { socket } = daemonPlace(context)!;
  const conn = await Deno.connect({ transport: "unix", path: socket });
  if (change instanceof Uint8Array) {
    await conn.write(change);
    await conn.closeWrite();
    const answer = await conn.read(new Uint8Array(1));
    conn.close();
    return answer ?? undefined;
  }
  const link = createFrameLink(conn);
  link.send(Kind.hello, { ...helloOf(context, { want: "status", token: "" }), ...change });
  const answer = await link.next(1_000_000);
  link.close();
  return answer && objectIn(answer);
}

Deno.test({
  name: "daemon is neither started nor asked in a folder that is a link or open to others",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const elsewhere = `${place.folder}/elsewhere`;
      await Deno.mkdir(elsewhere, { mode: 0o700 });
      await Deno.mkdir(place.daemon.replace(/\/daemon$/, ""), { recursive: true });
      const faults: [() => Promise<void>, RegExp][] = [
        [() => Deno.symlink(elsewhere, place.daemon), /is a link or no folder/],
        [() => Deno.mkdir(place.daemon, { mode: 0o755 }), /can be entered by others/],
        [() => Deno.writeTextFile(place.daemon, ""), /is a link or no folder/],
      ];
      for (const [make, why] of faults) {
        await make();
        const start = await place.run(["daemon", "start"]);
        assert.equal(start.code, 6, start.stderr);
        assert.match(start.stderr, why);
        const { code, stdout, stderr } = await place.run(["execute", "-e", "return 1"]);
        assert.deepEqual({ code, stdout }, { code: 0, stdout: "1\n" });
        assert.equal(stderr.match(/^warning: /gm)?.length, 1, stderr);
        await Deno.remove(place.daemon);
      }
      assert.deepEqual(await namesIn(elsewhere), []);
    });
  },
});

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

Deno.test({
  name: "daemon listens in the runtime folder where there is one, apart for each data folder",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const runtime = `${place.folder}/run`;
      await Deno.mkdir(runtime, { mode: 0o700 });
      const env = { XDG_RUNTIME_DIR: runtime };
      const other = { ...env, MCP_EXEC_DATA_DIR: `${place.folder}/other-data` };
      try {
        assert.equal((await place.run(["daemon", "start"], { env })).code, 0);
        const status = await place.run(["daemon", "status"], { env: other });
        assert.equal(status.stdout, "No daemon runs\n");
        assert.equal((await place.run(["daemon", "start"], { env: other })).code, 0);
        const names = await namesIn(`${runtime}/mcp-exec`);
        assert.equal(names.filter((name) => name.endsWith(".sock")).length, 2);
      } finally {
        for (const more of [env, other]) await place.run(["daemon", "stop"], { env: more });
      }
    });
  },
});

Deno.test({
  name: "daemon lets a command end quietly whose reader has gone",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      await started(place);
      const child = place.start(["execute", "-e", "return 'x'.repeat(5_000_000)", "--quiet"]);
      const reader = child.stdout.getReader();
      await reader.read();
      await reader.cancel();
      await child.stdin.close();
      const [{ code }, stderr] = await Promise.all([
        child.status,
        new Response(child.stderr).text(),
      ]);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      const large = await place.run(["execute", "-e", "return 'x'.repeat(5_000_000)", "--quiet"]);
      assert.equal(large.stdout.length, 5_000_001);
    });
  },
});

/** Has commands on a terminal start a daemon; gives what tells its process. */
async function warmTerminal({ folder, env }: Pick<Place, "folder" | "env">): Promise<void> {
  const [command, ...args] = serverCommand("honest").split(" ");
  const entry = { mcpServers: { theirs: { command, args } } };
  await Deno.writeTextFile(`${folder}/.mcp.json`, JSON.stringify(entry));
  await Deno.mkdir(`${env["XDG_CONFIG_HOME"]}/mcp-exec`, { recursive: true });
  const config = { daemon: { keepWarm: true } };
  const path = `${env["XDG_CONFIG_HOME"]}/mcp-exec/config.json`;
  await Deno.writeTextFile(path, JSON.stringify(config));
}

Deno.test({
  name: "daemon asks on the terminal of the command, and hears its Ctrl-C (A8, A14)",
  ignore: !HAS_TERMINAL,
  async fn() {
    const words = ["call", "theirs", "wait", "ms:=60000"];
    let place: Pick<Place, "folder" | "env">;
    let pid = 0;
    await onTerminal(words, async (terminal) => {
      await terminal.see("[y/N] ");
      await terminal.type("y\n");
      await terminal.see("Calling theirs/wait");
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: [...PROGRAM, "daemon", "status", "--format", "json"],
        cwd: place.folder,
        clearEnv: true,
        env: place.env,
      }).output();
      const { runs, ...status } = JSON.parse(text(stdout));
      assert.equal(runs, 1);
      pid = status.pid;
      await terminal.type("\x03");
      const { code, screen, left } = await terminal.end();
      assert.equal(code, 130, screen);
      assert.match(screen, /error: [^\n]*nterrupted$/);
      assert.deepEqual(left, []);
    }, { prepare: async (given) => await warmTerminal(place = given) });
    await eventually(() => !isRunning(pid)); // its folder is gone
  },
});
