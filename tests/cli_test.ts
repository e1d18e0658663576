// The program as a process: signals, closed pipes and large outputs. Plain cases are in `specs/`.

import assert from "node:assert/strict";
import { runCli } from "../src/cli.ts";
import { type Context, pathsOf } from "../src/context.ts";
import { AppError } from "../src/errors.ts";
import { splitCommand } from "../src/servers.ts";
import { eventually } from "./eventually.ts";
import {
  endProcess,
  freshPlace,
  processesIn,
  PROGRAM,
  ROOT,
  runCase,
  serverCommand,
} from "./specs/run.ts";

interface Started extends AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly folder: string;
}

/** Starts the program; disposing of it ends it and removes its folder, also where a test fails. */
async function start(args: readonly string[]): Promise<Started> {
  const { folder, env } = await freshPlace();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...PROGRAM, ...args],
    cwd: folder,
    clearEnv: true,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return {
    child,
    folder,
    async [Symbol.asyncDispose]() {
      for (const stream of [child.stdout, child.stderr]) {
        if (!stream.locked) await stream.cancel().catch(() => {});
      }
      await endProcess(child);
      await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
    },
  };
}

async function finish({ child, folder }: Started) {
  const [{ code }, stderr] = await Promise.all([
    child.status,
    new Response(child.stderr).text(),
    child.stdin.close().catch(() => {}),
  ]);
  return { code, stderr, left: await processesIn(folder) };
}

/** Waits until a server of the program runs, so that a signal meets it in the middle of things. */
async function serverIn(folder: string): Promise<void> {
  await eventually(async () => {
    const lines = await processesIn(folder);
    return lines.some((line) => /tests\/servers\/|sleep/.test(line) && !/main\.ts/.test(line));
  }, () => "no server was started");
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `mcp-exec ends with 130 and without children on ${signal} in the middle of a run (A8)`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      const program = "await callTool('s', 'wait', { ms: 60000 })";
      await using run = await start([
        "execute",
        "-e",
        program,
        "--stdio",
        `s=${serverCommand("honest")}`,
      ]);
      await serverIn(run.folder);
      run.child.kill(signal);
      await run.child.stdout.cancel();
      const { code, stderr, left } = await finish(run);
      assert.equal(code, 130, stderr);
      assert.match(stderr, /^error: [^\n]*nterrupted/m);
      assert.deepEqual(left, []);
    },
  });
}

Deno.test({
  name: "mcp-exec ends with 130 on SIGINT while a server does not answer (A8)",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using run = await start(["introspect", "--stdio", "sleep 60", "--format", "json"]);
    await serverIn(run.folder);
    run.child.kill("SIGINT");
    const [stdout, { code, stderr, left }] = await Promise.all([
      new Response(run.child.stdout).text(),
      finish(run),
    ]);
    assert.equal(code, 130, stderr);
    assert.equal(JSON.parse(stdout).error.kind, "interrupted");
    assert.deepEqual(left, []);
  },
});

Deno.test({
  name: "mcp-exec ends with 130 on SIGINT while it waits for standard input (A8)",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using run = await start(["execute", "-"]);
    await catching(run.child.pid);
    run.child.kill("SIGINT");
    const ended = run.child.status;
    await run.child.stdout.cancel();
    assert.equal((await ended).code, 130);
    await finish(run);
  },
});

/** Waits until a process handles SIGINT itself. */
async function catching(pid: number): Promise<void> {
  await eventually(async () => {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    const caught = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
    return (caught & 2n) !== 0n;
  }, () => "SIGINT is not handled");
}

Deno.test("mcp-exec is quiet and ends with 0 when its reader has gone (A7)", async () => {
  await using run = await start(["execute", "-e", "return 'x'.repeat(1e6)", "--quiet"]);
  const reader = run.child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const { code, stderr } = await finish(run);
  assert.equal(stderr, "");
  assert.equal(code, 0);
});

Deno.test("mcp-exec is quiet and ends with 0 when nobody ever reads (A7)", async () => {
  for (const flag of ["--help", "--version"]) {
    await using run = await start([flag]);
    await run.child.stdout.cancel();
    const { code, stderr } = await finish(run);
    assert.equal(stderr, "");
    assert.equal(code, 0);
  }
});

Deno.test({
  name: "mcp-exec fails when its result cannot be written",
  ignore: Deno.build.os !== "linux",
  async fn() {
    for (const format of ["text", "json"]) {
      const { folder, env } = await freshPlace();
      try {
        const { code, stderr } = await new Deno.Command("sh", {
          args: ["-c", 'exec "$@" >/dev/full', "sh", Deno.execPath(), ...PROGRAM]
            .concat(["execute", "-e", "return 1", "--quiet", "--format", format]),
          cwd: folder,
          clearEnv: true,
          env,
        }).output();
        const shown = new TextDecoder().decode(stderr);
        assert.equal(code, 1, shown);
        assert.match(shown, /^error: Cannot write the result: No space left[^\n]*\n$/);
      } finally {
        await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
      }
    }
  },
});

Deno.test("mcp-exec writes a large result whole to a slow reader", async () => {
  await using run = await start(["execute", "-e", "return 'é'.repeat(2e6)", "--quiet"]);
  let bytes = 0;
  for await (const chunk of run.child.stdout) {
    bytes += chunk.length;
    if (bytes < 200_000) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { code, stderr } = await finish(run);
  assert.equal(code, 0, stderr);
  assert.equal(bytes, 4e6 + 1);
});

Deno.test("main.ts loads nothing but the version before it knows what is asked", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `--config=${ROOT}/deno.json`, `${ROOT}/main.ts`],
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const graph: {
    modules: {
      specifier: string;
      dependencies?: { code?: { specifier: string }; isDynamic?: boolean }[];
    }[];
  } = JSON.parse(new TextDecoder().decode(stdout));
  const wanted = graph.modules.filter(({ specifier }) =>
    /\/(main|src\/version)\.ts$/.test(specifier)
  );
  const loaded = wanted.flatMap(({ dependencies = [] }) =>
    dependencies.filter((item) => !item.isDynamic).map((item) => item.code?.specifier)
  );
  assert.deepEqual(loaded.map((specifier) => specifier?.replace(/^.*\/src\//, "")), ["version.ts"]);
  assert.ok((await Deno.readTextFile(`${ROOT}/main.ts`)).split("\n").length <= 41);
});

function testContext(args: readonly string[], written: string[], signal?: AbortSignal): Context {
  const env = { get: () => undefined, toObject: () => ({}) };
  return {
    args,
    env,
    cwd: "/nonexistent",
    platform: "linux",
    paths: pathsOf(env, { platform: "linux", cwd: "/nonexistent" }),
    writeOut: (text) => written.push(String(text)) > 0,
    writeError: (text) => void written.push(text),
    readInput: () => new Promise(() => {}),
    isTerminal: { in: false, out: false, error: false },
    columns: 80,
    signal: signal ?? new AbortController().signal,
    now: () => 0,
  };
}

/** A command that waits for its input, which never comes, and when it has come to that. */
function waitingCommand(written: string[], signal?: AbortSignal) {
  const { promise: reading, resolve } = Promise.withResolvers<void>();
  const readInput = () => {
    resolve();
    return new Promise<never>(() => {});
  };
  return { context: { ...testContext(["execute", "-"], written, signal), readInput }, reading };
}

Deno.test("runCli reports a failure that nobody waited for and ends", async () => {
  const written: string[] = [];
  const { context, reading } = waitingCommand(written);
  const stray = reading.then(() => new AppError("connect", "Server is gone"));
  assert.equal(await runCli(context, { stray }), 3);
  assert.deepEqual(written, ["error: Server is gone\n"]);
});

Deno.test("runCli does not wait for ever for a command that does not heed an interrupt", async () => {
  const written: string[] = [];
  const controller = new AbortController();
  const { context, reading } = waitingCommand(written, controller.signal);
  const running = runCli(context, { graceMs: 1 });
  await reading;
  controller.abort(new AppError("interrupted", "Interrupted"));
  assert.equal(await running, 130);
  assert.deepEqual(written, ["error: Interrupted\n"]);
});

Deno.test("runCli gives examples in its help that work", async () => {
  const helpOf = async (args: readonly string[]) => {
    const written: string[] = [];
    assert.equal(await runCli(testContext([...args, "--help"], written)), 0);
    return written.join("");
  };
  const commands = (await helpOf([])).matchAll(/^ {2}([a-z]+) {2,}[A-Z]/gm);
  const examples = new Set<string>();
  for (const [, name] of commands) {
    for (const [, line] of (await helpOf([name!])).matchAll(/^ {2}mcp-exec (.+)$/gm)) {
      // The others need servers, files or a network.
      if (/\bdemo\b/.test(line!) && !line!.startsWith(`${name} (`)) examples.add(line!);
    }
  }
  assert.ok(examples.size > 5, [...examples].join("\n"));
  for (const example of examples) {
    const { code, stderr } = await runCase({ title: example, args: splitCommand(example) });
    assert.equal(code, 0, `${example}\n${stderr}`);
  }
});

Deno.test("runCli shows the home folder as ~ in warnings and errors (X6)", async () => {
  for (const format of ["text", "json"]) {
    const written: string[] = [];
    const args = ["execute", "/home/u/nope.ts", "--format", format];
    const paths = { home: "/home/u", config: "/home/u/.config", data: "/home/u/data" };
    assert.equal(await runCli({ ...testContext(args, written), paths }), 2);
    assert.match(written.join(""), /File \\?"~\/nope\.ts\\?" does not exist/);
    assert.doesNotMatch(written.join(""), /home/);
  }
  const written: string[] = [];
  const args = ["call", "demo", "nothing"];
  const paths = { home: "/dev/null", config: "/dev/null/c", data: "/dev/null/d" };
  await runCli({ ...testContext(args, written), paths });
  assert.match(written.join(""), /^warning: The database "~\/d\/mcp-exec\.db" is not used/);
});

Deno.test("pathsOf follows XDG folders, MCP_EXEC_DATA_DIR and the platform", () => {
  const paths = (values: Record<string, string>, platform: Context["platform"] = "linux") =>
    pathsOf({ get: (name) => values[name], toObject: () => values }, { platform, cwd: "/here" });
  assert.deepEqual(paths({ HOME: "/home/u" }), {
    home: "/home/u",
    managed: "/etc/mcp-exec/config.json",
    config: "/home/u/.config/mcp-exec",
    data: "/home/u/.local/share/mcp-exec",
  });
  assert.equal(paths({ HOME: "/u", XDG_CONFIG_HOME: "/c" }).config, "/c/mcp-exec");
  assert.equal(paths({ HOME: "/u", XDG_CONFIG_HOME: "c" }).config, "/u/.config/mcp-exec");
  assert.equal(paths({ HOME: "/u", MCP_EXEC_DATA_DIR: "/d" }).data, "/d");
  assert.equal(paths({ HOME: "/u", MCP_EXEC_DATA_DIR: "d" }).data, "/here/d");
  assert.match(paths({ HOME: "/u" }, "darwin").data!, /^\/u\/Library\//);
  assert.deepEqual(paths({ HOME: "relative" }), {
    home: undefined,
    managed: "/etc/mcp-exec/config.json",
    config: "/dev/null/mcp-exec",
    data: undefined,
  });
  assert.equal(paths({ LOCALAPPDATA: "C:\\d" }, "windows").data, "C:\\d/mcp-exec");
});
