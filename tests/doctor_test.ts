import assert from "node:assert/strict";
import { runInOnePlace } from "./specs/run.ts";

const SERVER = {
  command: Deno.execPath(),
  args: ["run", "-A", new URL("servers/honest.ts", import.meta.url).pathname],
};

function configured(folder: string, servers: Record<string, unknown>): Promise<void> {
  return Deno.writeTextFile(`${folder}/c.json`, JSON.stringify({ mcpServers: servers }));
}

Deno.test("debug shows sessions, listings and last calls that there really were", async () => {
  const program = `await setState("a", 1); return await callTool("honest", "echo", {text: "x"})`;
  const failing = `return await callTool("honest", "fail", {})`;
  const [ran, info, connections, doctor, failed, text] = await runInOnePlace([
    ["execute", "-e", program, "--session", "s1", "--config", "c.json"],
    ["debug", "info", "--format", "json", "--config", "c.json"],
    ["debug", "connections", "--format", "json", "--config", "c.json"],
    ["debug", "doctor", "--config", "c.json"],
    ["execute", "-e", failing, "--config", "c.json"],
    ["debug", "connections", "--config", "c.json"],
  ], ({ folder }) => configured(folder, { honest: SERVER }));
  assert.equal(ran!.code, 0, ran!.stderr);
  const { sessions, database } = JSON.parse(info!.stdout);
  assert.deepEqual([sessions[0].session, sessions[0].keys], ["s1", 1]);
  assert.deepEqual(database.rows, { runs: 1, calls: 1, servers: 1, "state values": 1 });
  const [server] = JSON.parse(connections!.stdout).servers;
  assert.equal(server.server, "honest");
  assert.ok(server.tools > 0);
  assert.match(server.protocol, /^\d{4}-\d\d-\d\d$/);
  assert.equal(server.lastCall.tool, "echo");
  assert.equal(server.lastCall.outcome, "ok");
  assert.equal(doctor!.code, 0, doctor!.stdout);
  assert.match(doctor!.stdout, /^ok +servers: "honest" can be started and its tools are known$/m);
  assert.notEqual(failed!.code, 0);
  assert.match(text!.stdout, /^honest .*: fail failed \(tool-error\)$/m);
});

Deno.test("examine finds a command by its path, and one that may not be executed", async () => {
  const [doctor] = await runInOnePlace([
    ["debug", "doctor", "--config", "c.json"],
  ], async ({ folder }) => {
    await Deno.writeTextFile(`${folder}/plain`, "x", { mode: 0o600 });
    await configured(folder, { deno: SERVER, plain: { command: `${folder}/plain` } });
  });
  assert.equal(doctor!.code, 1);
  assert.match(doctor!.stdout, /^notice +servers: "deno" was never asked/m);
  assert.match(doctor!.stdout, /^problem +servers: Command "[^"]*plain" of server "plain" is not/m);
  assert.match(doctor!.stdout, /hint: correct the path in the server's entry/);
});

Deno.test("examine looks for a command where its server would be started", async () => {
  const [doctor] = await runInOnePlace([
    ["debug", "doctor", "--config", "c.json"],
  ], async ({ folder }) => {
    await Deno.mkdir(`${folder}/there`);
    await Deno.writeTextFile(`${folder}/there/tool`, "#!/bin/sh\n", { mode: 0o700 });
    await configured(folder, {
      relative: { command: "./tool", cwd: `${folder}/there` },
      own: { command: "tool", env: { PATH: `/nowhere:${folder}/there` } },
      lost: { command: "./tool" },
    });
  });
  assert.match(doctor!.stdout, /^notice +servers: "relative" was never asked/m);
  assert.match(doctor!.stdout, /^notice +servers: "own" was never asked/m);
  assert.match(doctor!.stdout, /^problem +servers: Command ".\/tool" of server "lost" is not/m);
});

Deno.test("examine tells of a database that was damaged", async () => {
  const [doctor, again] = await runInOnePlace(
    [["debug", "doctor"], ["debug", "doctor"]],
    async ({ env }) => {
      const folder = `${env["XDG_DATA_HOME"]}/mcp-exec`;
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(`${folder}/mcp-exec.db`, "no database ".repeat(1_000));
    },
  );
  assert.equal(doctor!.code, 0, doctor!.stdout);
  assert.match(doctor!.stdout, /^notice +database: The database was damaged; it is kept as/m);
  assert.match(again!.stdout, /^ok +database: .* is sound/m);
});
