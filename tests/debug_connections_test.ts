import assert from "node:assert/strict";
import { runInOnePlace, serverCommand } from "./specs/run.ts";

const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "debug connections shows those that a daemon holds, as the daemon's",
  ignore,
  async fn() {
    const connections = (...more: string[]) => ["debug", "connections", ...more];
    const call = ["call", "echo", "text=a", "--stdio", `honest=${serverCommand("honest")}`];
    const [started, unused, called, text, pretty, json, stopped, after] = await runInOnePlace([
      ["daemon", "start", "--format", "json"],
      connections(),
      call,
      connections(),
      connections("--format", "pretty"),
      connections("--format", "json"),
      ["daemon", "stop"],
      connections("--format", "json"),
    ]);
    assert.equal(called!.code, 0, called!.stderr);
    assert.equal(stopped!.code, 0, stopped!.stderr);
    const { pid } = JSON.parse(started!.stdout);
    assert.match(unused!.stdout, new RegExp(`\ndaemon, process ${pid}, holds no connection\n$`));
    const held = new RegExp(
      `^server .*\ndemo .*\ndaemon, process ${pid}, holds:\n  honest  1 connection, 1 idle\n$`,
    );
    assert.match(text!.stdout, held);
    assert.match(pretty!.stdout, held); // nothing is coloured in a pipe
    const { servers, daemon } = JSON.parse(json!.stdout);
    assert.deepEqual(servers.map(({ server }: { server: string }) => server), ["demo"]);
    assert.equal(daemon.pid, pid);
    assert.deepEqual(daemon.servers, [{ server: "honest", connections: 1, idle: 1 }]);
    assert.equal(JSON.parse(after!.stdout).daemon, null);
  },
});

Deno.test({
  name: "debug connections asks no daemon in a folder that others may enter",
  ignore,
  async fn() {
    const [shown] = await runInOnePlace([["debug", "connections"]], async ({ env }) => {
      const folder = `${env["XDG_DATA_HOME"]}/mcp-exec/daemon`;
      await Deno.mkdir(folder, { recursive: true });
      await Deno.chmod(folder, 0o755);
    });
    assert.equal(shown!.code, 0, shown!.stderr);
    assert.match(shown!.stdout, /^server .*\ndemo .*\n$/);
    assert.match(shown!.stderr, /^warning: No daemon is asked: Folder [^\n]+ by others\n$/);
  },
});
