import assert from "node:assert/strict";
import { parseConfig } from "../src/config.ts";
import type { Context } from "../src/context.ts";
import { AppError } from "../src/errors.ts";
import { createLog } from "../src/log.ts";
import type { ServerName } from "../src/names.ts";
import { decide, flagPolicy, type PolicyLayer } from "../src/policy.ts";
import { loadPolicy, refuseLocked, requireServers } from "../src/policy_layers.ts";
import { loadServers, type ServerFlags, type ServerSet } from "../src/servers.ts";

interface Machine {
  readonly managed?: string;
  readonly own?: string;
  readonly project?: string;
  readonly isTerminal?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

async function withMachine<Result>(
  machine: Machine,
  work: (context: Context, folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/work`);
    await Deno.mkdir(`${folder}/config`);
    const files = {
      "machine.json": machine.managed,
      "config/config.json": machine.own,
      "work/.mcp-exec.json": machine.project,
    };
    for (const [path, text] of Object.entries(files)) {
      if (text !== undefined) await Deno.writeTextFile(`${folder}/${path}`, text);
    }
    return await work({
      args: [],
      env: { get: (name) => machine.env?.[name], toObject: () => ({ ...machine.env }) },
      cwd: `${folder}/work`,
      platform: "linux",
      paths: {
        home: folder,
        managed: `${folder}/machine.json`,
        config: `${folder}/config`,
        data: undefined,
      },
      writeOut: () => true,
      writeError: () => {},
      readInput: () => Promise.resolve(new Uint8Array()),
      isTerminal: { in: machine.isTerminal ?? false, out: false, error: false },
      columns: 80,
      signal: new AbortController().signal,
      now: () => 0,
    }, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function layersOf(machine: Machine, flags: ServerFlags = {}) {
  const warnings: string[] = [];
  const layers = await withMachine(machine, async (context) => {
    const own = machine.own === undefined
      ? {}
      : await parseConfig(machine.own, { origin: "user", shownPath: "~/config.json" });
    return await loadPolicy(context, { own, flags, warn: (message) => warnings.push(message) });
  });
  return { layers, warnings };
}

async function load(machine: Machine, flags: ServerFlags = {}): Promise<ServerSet> {
  return await withMachine(machine, (context) =>
    loadServers(context, flags, {
      embedded: () => Promise.reject(new Error("nothing is opened here")),
      log: createLog(() => {}),
    }));
}

function effect(layers: readonly PolicyLayer[], path: string): string | undefined {
  const [server, tool] = path.split("/") as [string, string];
  return decide({ server, tool, params: {}, annotations: {} }, layers)?.decide;
}

Deno.test("loadPolicy names the keys that a file of the machine or the project is not read for", async () => {
  const { warnings } = await layersOf({
    managed: `{"$schema": "a", "journal": {"required": true}, "polcy": {"locked": true}}`,
    project: `{"$schema": "a", "mcpServers": {}, "policy": {}, "limits": {"timeout": "1h"}}`,
  });
  assert.equal(warnings.length, 2);
  assert.match(warnings[0]!, /machine\.json: not used in this file: "polcy"$/);
  assert.equal(warnings[1], `.mcp-exec.json: not used in this file: "limits"`);
  const keys = Array.from({ length: 9 }, (_, n) => [`k${n}`, 1]);
  const { warnings: [few] } = await layersOf({
    project: JSON.stringify(Object.fromEntries(keys)),
  });
  assert.match(few!, /: "k0", "k1", "k2", "k3", "k4" and 4 more$/);
});

Deno.test("loadPolicy gives no layers where nobody says anything", async () => {
  const { layers, warnings } = await layersOf({ own: `{"limits": {}}`, project: `{}` });
  assert.deepEqual(layers, []);
  assert.deepEqual(warnings, []);
});

Deno.test("loadPolicy reads machine, person, project and flags, the widest first", async () => {
  const { layers } = await layersOf({
    managed: `{ "policy": { "rules": [{ "tool": "*/delete_*", "decide": "deny" }] } }`,
    own: `{ "policy": { "rules": [{ "tool": "*/*", "decide": "allow" }] } }`,
    project: `{ // comments are fine
      "policy": { "default": "allow", "rules": [{ "server": "slack", "decide": "deny" }] } }`,
  }, { allow: ["github", "slack"] });
  assert.deepEqual(layers.map(({ name }) => name), ["managed", "user", "project", "flags"]);
  assert.equal(effect(layers, "github/get"), "allow");
  assert.equal(effect(layers, "github/delete_repo"), "deny");
  assert.equal(effect(layers, "slack/post"), "deny");
  assert.equal(effect(layers, "other/get"), "deny");
  assert.equal(layers[2]!.file, ".mcp-exec.json");
});

Deno.test("loadPolicy names bad rules by their file, and they refuse", async () => {
  const project = `{ "policy": { "rules": [{ "tool": "a", "decide": "deny" }] } }`;
  const { layers, warnings } = await layersOf({ project });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /^\.mcp-exec\.json: rule 1 of "policy\.rules" is not valid: /);
  assert.equal(effect(layers, "x/y"), "deny");
});

Deno.test("loadPolicy fails for a file of the machine it cannot read, not for a project's", async () => {
  await assert.rejects(
    layersOf({ managed: "{ nonsense" }),
    (error) => error instanceof AppError && error.kind === "invalid" && error.exitCode === 2,
  );
  const { layers, warnings } = await layersOf({ project: "{ nonsense" });
  assert.deepEqual(layers, []);
  assert.equal(warnings.length, 1);
});

Deno.test({
  name: "loadPolicy fails where it may not ask about the machine's file",
  permissions: { read: ["."] },
  async fn() {
    const own = await parseConfig("{}", { origin: "user", shownPath: "~/config.json" });
    const paths = { home: undefined, managed: "/etc/mcp-exec/config.json", config: ".", data: "." };
    await assert.rejects(loadPolicy({ cwd: ".", paths }, { own, flags: {}, warn() {} }), {
      kind: "invalid",
    });
  },
});

Deno.test("loadPolicy heeds a required journal of the machine's file, and of no project's", async () => {
  const required = (value: unknown) => JSON.stringify({ journal: { required: value } });
  for (const value of [true, "yes"]) {
    const { layers } = await layersOf({ managed: required(value) });
    assert.deepEqual(layers.map(({ requiresJournal }) => requiresJournal), [true]);
    assert.equal(effect(layers, "x/y"), "allow");
  }
  const { layers } = await layersOf({ managed: required(false), project: required(true) });
  assert.deepEqual(layers, []);
});

Deno.test("requireServers refuses a flag that fits no server, with the nearest name", () => {
  const servers = ["github", "slack"];
  const check = (flags: Parameters<typeof flagPolicy>[0]) =>
    requireServers([flagPolicy(flags)!], servers);
  check({ allow: ["git*"], deny: ["*/delete_*", "slack"] });
  assert.throws(() => check({ deny: ["gihub/delete_*"] }), (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.kind, "usage");
    assert.equal(error.message, `No server fits --deny "gihub/delete_*"`);
    assert.match(error.hint!, /"github"/);
    return true;
  });
  assert.throws(() => check({ allow: ["linear"] }));
});

const LOCKED = `{ "policy": { "locked": true } }`;

Deno.test("loadServers takes no server by flag under a locked policy", async () => {
  for (const machine of [{ managed: LOCKED }, { own: LOCKED, isTerminal: true }]) {
    for (const flags of [{ stdio: ["x"] }, { http: ["http://127.0.0.1:1/"] }]) {
      await assert.rejects(load(machine, flags), (error) => {
        assert.ok(error instanceof AppError);
        assert.equal(error.kind, "denied");
        assert.match(error.message, /^Servers given by flag are ruled out: .* is locked$/);
        return true;
      });
    }
    await load(machine);
  }
  await load({ project: LOCKED }, { stdio: ["x"] });
});

Deno.test("loadServers trusts nothing under a locked policy without a terminal", async () => {
  const project = `{ "mcpServers": { "theirs": { "command": "x" } } }`;
  const isUntrusted = async (machine: Machine, flags: ServerFlags = {}) =>
    (await load({ project, ...machine }, flags)).specs.get("theirs" as ServerName)?.untrusted;
  assert.equal(await isUntrusted({}, { trust: true }), undefined);
  await assert.rejects(isUntrusted({ managed: LOCKED }, { trust: true }), /without a terminal/);
  assert.equal(
    await isUntrusted({ managed: LOCKED, isTerminal: true }, { trust: true }),
    undefined,
  );
  const found = (await load({ project })).specs.get("theirs" as ServerName)!;
  const env = { MCP_EXEC_TRUST: found.digest! };
  assert.equal(await isUntrusted({ env }), undefined);
  assert.equal(await isUntrusted({ env, managed: LOCKED }), true);
});

Deno.test("loadServers takes no other configuration file under a locked policy, but at a terminal", async () => {
  const own = `{ "mcpServers": {} }`;
  for (const machine of [{ managed: LOCKED, own }, { own: LOCKED }]) {
    for (const isTerminal of [false, true]) {
      await withMachine({ ...machine, isTerminal }, async (context, folder) => {
        const other = `${folder}/other.json`;
        await Deno.writeTextFile(other, `{ "mcpServers": { "x": { "command": "x" } } }`);
        const log = createLog(() => {});
        const loading = loadServers(context, { config: other }, {
          log,
          embedded: () => Promise.reject(),
        });
        if (isTerminal) return assert.ok((await loading).specs.has("x" as ServerName));
        await assert.rejects(loading, (error) => {
          assert.ok(error instanceof AppError && error.kind === "denied");
          assert.match(error.message, /^Other configuration files .* without a terminal are ruled/);
          return true;
        });
        // The usual file by its own name is no other one.
        const config = `${folder}/config/config.json`;
        await loadServers(context, { config }, { log, embedded: () => Promise.reject() });
      });
    }
  }
});

Deno.test("refuseLocked lets everything through where nothing is locked", () => {
  refuseLocked([], "This");
  refuseLocked([flagPolicy({ deny: ["x"] })!], "This");
});
