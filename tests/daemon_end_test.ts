// The ends of daemons and of what they run, in good order or not.

import assert from "node:assert/strict";
import { helloOf, type Welcome } from "../src/daemon_place.ts";
import { createFrameLink, Kind, objectIn } from "../src/frames.ts";
import {
  call,
  clientOf,
  finish,
  HONEST,
  ignore,
  keepWarm,
  running,
  runsOf,
  started,
  text,
  withPlace,
} from "./daemon_fixture.ts";
import { eventually } from "./eventually.ts";
import { isRunning } from "./servers/start.ts";
import { processesIn, ROOT } from "./specs/run.ts";

Deno.test({
  name:
    "daemon ends a run whose command is interrupted or killed, and uses its server no more (A8, N3)",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      await started(place);
      const file = `${place.folder}/starts`;
      const ask = (tool: string) => ["call", tool, ...counting(file)];
      const sizeOf = async (path: string) =>
        (await Deno.stat(path).catch(() => ({ size: 0 }))).size;
      await place.run(ask("state"));
      for (const [at, signal] of (["SIGINT", "SIGTERM", "SIGKILL"] as const).entries()) {
        const child = place.start(ask("hold"));
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
        assert.equal((await place.run(ask("state"))).code, 0);
        assert.notEqual(await Deno.readTextFile(file), before, "another process");
      }
    });
  },
});

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
      // Its answer to a later call tells that it waits.
      const program = "const waiting = callTool('honest', 'wait', { ms: 60_000 });" +
        "await callTool('honest', 'count'); console.log('waiting'); await waiting;";
      const child = place.start(["execute", "-e", program, "--stdio", HONEST]);
      const [errors, rest] = child.stderr.tee();
      const ended = Promise.all([
        child.status,
        new Response(child.stdout).text(),
        new Response(rest).text(),
        child.stdin.close(),
      ]);
      let log = "";
      for await (const chunk of errors.values({ preventCancel: true })) {
        if (/waiting\n/.test(log += text(chunk))) break;
      }
      Deno.kill(second, "SIGKILL");
      const [{ code }, stdout, stderr] = await ended;
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
      assert.match(
        stderr,
        /waiting\nerror: Daemon ended in the middle of the command\n +hint: [^\n]+\n$/,
      );
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
        Deno.kill(await running(place), "SIGKILL");
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
        const pid = await running(place);
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
      Deno.kill(await running(place), "SIGKILL");
      await eventually(async () => (await processesIn(place.folder)).length === 0);
    });
  },
});

Deno.test({
  name: "daemon stop lets a command end that is under way, and --now interrupts it",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const { socket } = clientOf(place);
      const path = `${place.folder}/told`;
      const until = ["call", "until", `path=${path}`, ...counting("/dev/null")];
      for (const now of [true, false]) {
        const pid = await started(place);
        const child = place.start(until);
        await eventually(async () => (await runsOf(place)) === 1);
        const stop = place.run(["daemon", "stop", ...now ? ["--now"] : []]);
        if (!now) {
          // Told to end, it takes no more commands, and waits for the one that it has.
          await eventually(async () => !(await isThere(socket)));
          await Deno.writeTextFile(path, "");
        }
        const { code, stdout } = await finish(child);
        assert.deepEqual({ code, stdout }, {
          code: now ? 130 : 0,
          stdout: now ? "" : "it is there\n",
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
  name: "daemon that was told to end leaves a command to itself that was on its way there",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      await started(place);
      const child = place.start(call("wait", "ms:=60000"));
      await eventually(async () => (await runsOf(place)) === 1);
      const { context, socket } = clientOf(place);
      const token = await Deno.readTextFile(`${place.daemon}/daemon.token`);
      const link = createFrameLink(await Deno.connect({ transport: "unix", path: socket }));
      const stopped = place.run(["daemon", "stop"]);
      await eventually(async () => !(await isThere(socket)));
      const hello = helloOf(context, { want: "run", token });
      link.send(Kind.hello, { ...hello, build: await buildOf(ROOT) });
      const welcome = objectIn<Welcome>((await link.next(10_000))!);
      assert.deepEqual([welcome.ok, welcome.refused], [false, "busy"]);
      link.close();
      child.kill("SIGINT");
      assert.equal((await finish(child)).code, 130);
      assert.equal((await stopped).code, 0);
    });
  },
});

/** The words that name the server which counts, and writes its starts into `file`. */
function counting(file: string): string[] {
  const server = `${Deno.execPath()} run -A ${ROOT}/tests/servers/counting.ts ${file} no-gate`;
  return ["--stdio", `counting=${server}`, "--quiet"];
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** What the program whose folder is `root` says of its build. */
async function buildOf(root: string): Promise<string> {
  const paths = ["main.ts", "src/", "src/commands/"].map((path) => `${root}/${path}`);
  const stamps = await Promise.all(paths.map((path) => Deno.stat(path)));
  return stamps.map(({ ino, size, mtime }) => `${ino} ${size} ${mtime?.getTime()}`).join(" ");
}
