// Where a daemon listens, and whom it answers.

import assert from "node:assert/strict";
import { helloOf } from "../src/daemon_place.ts";
import { createFrameLink, Kind, objectIn } from "../src/frames.ts";
import {
  call,
  clientOf,
  ignore,
  keepWarm,
  type Place,
  started,
  withPlace,
} from "./daemon_fixture.ts";

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
        [
          () => Deno.mkdir(place.daemon, { mode: 0o755 }),
          /can be entered by others\n +hint: chmod 700 "[^"\n]+\/mcp-exec\/daemon"\n$/,
        ],
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

Deno.test({
  name: "daemon that cannot keep its files is waited for by no command, and costs one warning",
  ignore,
  async fn() {
    await withPlace(async (place) => {
      const env = await keepWarm(place);
      const execute = ["execute", "-e", "return 1"];
      const file = `${place.folder}/a file`;
      await Deno.writeTextFile(file, "");
      await Deno.mkdir(`${place.daemon}/daemon.token`, { recursive: true, mode: 0o700 });
      const faults: [Record<string, string>, RegExp][] = [
        // What can be known before it is started, and what it fails at as it starts.
        [{ MCP_EXEC_DATA_DIR: `${file}/data` }, /^Cannot make "[^"]*a file\/data": /],
        [{}, /^Daemon ended as it started$/],
      ];
      for (const [more, told] of faults) {
        const { code, stdout, stderr } = await place.run(execute, { env: { ...env, ...more } });
        assert.deepEqual({ code, stdout }, { code: 0, stdout: "1\n" }, stderr);
        const warnings = [...stderr.matchAll(/^warning: No daemon is used: (.*)$/gm)];
        assert.equal(warnings.length, 1, `stderr: ${stderr}`);
        assert.match(warnings[0]![1]!, told);
      }
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

/** What the daemon answers to a greeting that is not quite right. */
async function ask(place: Place, change: object | Uint8Array): Promise<unknown> {
  const { context, socket } = clientOf(place);
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
