// Commands with a daemon and without: the same results.

import assert from "node:assert/strict";
import {
  call,
  type Ended,
  HONEST,
  ignore,
  keepWarm,
  type Place,
  type Start,
  started,
  text,
  withPlace,
} from "./daemon_fixture.ts";
import { eventually } from "./eventually.ts";
import { isRunning } from "./servers/start.ts";
import { processesIn, PROGRAM, ROOT, serverCommand } from "./specs/run.ts";
import { HAS_TERMINAL, onTerminal } from "./terminal.ts";

/** What no two runs have in common taken out. */
function plain({ code, stdout, stderr }: Ended): Ended {
  const without = (text: string) =>
    text.replace(/\b01[0-9a-z]{14}\b/g, "RUN")
      .replace(/"(ms|waitedMs|durationMs)":[\d.e-]+/g, '"$1":0')
      .replace(/\b[\d.]+ m?s\b/g, "TIME");
  return { code, stdout: without(stdout), stderr: without(stderr) };
}

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
