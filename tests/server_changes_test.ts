import assert from "node:assert/strict";
import { switchOff } from "../src/client_edits.ts";
import { clientFiles, type ClientPlace } from "../src/clients.ts";
import { readConfigFile } from "../src/config_file.ts";
import { discoverServers, type FoundEntry } from "../src/discovery.ts";
import { createLog } from "../src/log.ts";
import type { Context } from "../src/context.ts";
import { importServers, planImport } from "../src/server_changes.ts";
import { loadServers } from "../src/servers.ts";

/** A made-up home with files, and a context in it. */
async function withHome(
  files: Readonly<Record<string, string>>,
  work: (context: Context, home: string) => Promise<void>,
): Promise<void> {
  const home = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.mkdir(`${home}/work`);
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${home}/${path}`.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${home}/${path}`, text);
    }
    await work({
      args: [],
      env: { get: () => undefined, toObject: () => ({}) },
      cwd: `${home}/work`,
      platform: "linux",
      paths: { home, config: `${home}/own`, data: `${home}/data` },
      writeOut: () => true,
      writeError: () => {},
      readInput: () => Promise.resolve(new Uint8Array()),
      isTerminal: { in: false, out: false, error: false },
      columns: 80,
      signal: new AbortController().signal,
      now: () => Date.UTC(2026, 0, 2, 3, 4, 5),
    }, home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

async function load(context: Context) {
  return await loadServers(context, {}, {
    embedded: () => Promise.reject(new Error("nothing is opened here")),
    log: createLog(() => {}),
  });
}

async function found(place: ClientPlace, name: string): Promise<FoundEntry> {
  const { entries, warnings } = await discoverServers(place);
  assert.deepEqual(warnings, []);
  return entries.find(({ rawName }) => rawName === name)!;
}

Deno.test("switchOff changes one entry of a text and nothing else", async () => {
  const cases: readonly (readonly [path: string, before: string, after: string])[] = [
    [
      ".cursor/mcp.json",
      '{\n  // mine\n  "mcpServers": {\n    "x": { "command": "a" }, // one\n    "y": { "command": "b" }\n  }\n}\n',
      '{\n  // mine\n  "mcpServers": {\n    "y": { "command": "b" }\n  }\n}\n',
    ],
    [
      ".codeium/windsurf/mcp_config.json",
      '{\n  "mcpServers": {\n    "x": {\n      "command": "a"\n    }\n  }\n}\n',
      '{\n  "mcpServers": {\n    "x": {\n      "command": "a",\n      "disabled": true\n    }\n  }\n}\n',
    ],
    [
      ".config/opencode/opencode.json",
      '{\n  "mcp": {\n    "x": { "type": "local", "command": ["a"], "enabled": true }\n  }\n}\n',
      '{\n  "mcp": {\n    "x": { "type": "local", "command": ["a"], "enabled": false }\n  }\n}\n',
    ],
    [
      ".config/opencode/opencode.jsonc",
      '{\n  "mcp": {\n    "servers": {\n      "x": {\n        "type": "remote",\n        "url": "https://x.example"\n      }\n    }\n  }\n}\n',
      '{\n  "mcp": {\n    "servers": {\n      "x": {\n        "type": "remote",\n        "url": "https://x.example",\n        "disabled": true\n      }\n    }\n  }\n}\n',
    ],
    [
      ".codex/config.toml",
      '# mine\n[mcp_servers."x"] # one\ncommand = "a"\nenabled = true\n[mcp_servers.y]\ncommand = "b"\n',
      '# mine\n[mcp_servers."x"] # one\nenabled = false\ncommand = "a"\n[mcp_servers.y]\ncommand = "b"\n',
    ],
    [
      ".config/goose/config.yaml",
      "A: 1\nextensions:\n  x:\n    enabled: true\n    type: stdio\n    cmd: a\n  y:\n    enabled: true\n",
      "A: 1\nextensions:\n  x:\n    enabled: false\n    type: stdio\n    cmd: a\n  y:\n    enabled: true\n",
    ],
  ];
  for (const [path, before, after] of cases) {
    await withHome({ [path]: before }, async (context) => {
      assert.equal(await switchOff(before, await found(context, "x")), after);
    });
  }
});

Deno.test("switchOff takes an entry of Claude Code out wherever it holds", async () => {
  await withHome({}, async (context, home) => {
    const entry = { x: { command: "a" }, y: { command: "b" } };
    const document = {
      history: ["kept"],
      mcpServers: entry,
      projects: { [`${home}/work`]: { mcpServers: entry }, "/other": { mcpServers: entry } },
    };
    const text = JSON.stringify(document, null, 2);
    await Deno.writeTextFile(`${home}/.claude.json`, text);
    const left = { y: { command: "b" } };
    assert.deepEqual(JSON.parse(await switchOff(text, await found(context, "x"))), {
      history: ["kept"],
      mcpServers: left,
      projects: { [`${home}/work`]: { mcpServers: left }, "/other": { mcpServers: entry } },
    });
  });
});

Deno.test("switchOff refuses a text it cannot change safely", async () => {
  const inline = 'mcp_servers = { x = { command = "a" } }\n';
  await withHome({ ".codex/config.toml": inline }, async (context) => {
    const entry = await found(context, "x");
    await assert.rejects(switchOff(inline, entry), {
      kind: "failure",
      message: /cannot be switched off safely/,
      hint: /by hand/,
    });
  });
});

const SHARED = '{ "mcpServers": { "x": { "command": "a", "env": { "T": "sesame" } } } }';

Deno.test("importServers moves one server out of every client, with copies kept", async () => {
  const files = {
    ".cursor/mcp.json": SHARED,
    ".codeium/windsurf/mcp_config.json": SHARED,
  };
  await withHome(files, async (context, home) => {
    const file = { path: `${home}/own/config.json`, shownPath: "config.json" };
    const takeovers = await planImport(file, {
      name: "x",
      servers: await load(context),
      move: true,
    });
    assert.ok(!JSON.stringify(takeovers.map(({ diff }) => diff)).includes("sesame"), "X1");
    const backups = await importServers(context, { file, takeovers });
    assert.deepEqual((await readConfigFile(file)).document, {
      mcpServers: { x: { command: "a", env: { T: "sesame" } } },
    });
    assert.equal(backups.length, 2);
    for (const backup of backups) assert.equal(await Deno.readTextFile(backup), SHARED);
    const after = await load(context);
    assert.equal(after.specs.get("x" as never)?.file, `~/own/config.json`);
    assert.deepEqual(after.found.map(({ state }) => state), ["disabled"]);
  });
});

Deno.test("planImport says that what one folder alone had is had everywhere from then on", async () => {
  const of = (name: string) => ({ mcpServers: { [name]: { command: name } } });
  await withHome({}, async (context, home) => {
    const projects = { [`${home}/work`]: of("here"), "/other": of("there") };
    const text = JSON.stringify({ ...of("everywhere"), projects });
    await Deno.writeTextFile(`${home}/.claude.json`, text);
    const file = { path: `${home}/own/config.json`, shownPath: "config.json" };
    for (const move of [false, true]) {
      const plan = { name: undefined, servers: await load(context), move };
      const diffs = (await planImport(file, plan)).map(({ name, diff }) => [name, ...diff]);
      const out = (name: string) => move ? ["~/.claude.json", `  - "${name}", taken out`] : [];
      assert.deepEqual(diffs, [
        [
          "everywhere",
          "config.json",
          '  + "everywhere": {"command":"everywhere"}',
          ...out("everywhere"),
        ],
        [
          "here",
          "config.json",
          '  + "here": {"command":"here"}',
          '    so far in "~/work" alone, from now on in every folder',
          ...out("here"),
        ],
      ]);
    }
  });
});

Deno.test("importServers leaves a client's file alone that changed meanwhile", async () => {
  await withHome({ ".cursor/mcp.json": SHARED }, async (context, home) => {
    const file = { path: `${home}/own/config.json`, shownPath: "config.json" };
    const takeovers = await planImport(file, {
      name: "x",
      servers: await load(context),
      move: true,
    });
    const changed = SHARED.replace('"a"', '"b"');
    await Deno.writeTextFile(`${home}/.cursor/mcp.json`, changed);
    await assert.rejects(importServers(context, { file, takeovers }), { kind: "invalid" });
    assert.equal(await Deno.readTextFile(`${home}/.cursor/mcp.json`), changed);
  });
});

Deno.test("importServers of several processes at once switches off what each of them takes", async () => {
  const names = ["a", "b", "c", "d"];
  const mcpServers = Object.fromEntries(names.map((name) => [name, { command: name }]));
  const text = JSON.stringify({ mcpServers }, null, 2);
  await withHome({ ".cursor/mcp.json": text }, async (context, home) => {
    const file = { path: `${home}/own/config.json`, shownPath: "config.json" };
    const servers = await load(context);
    // Taken over before and left switched on: then nothing but the client's file is written.
    for (const name of names) {
      const takeovers = await planImport(file, { name, servers, move: false });
      await importServers(context, { file, takeovers });
    }
    const again = await load(context);
    await Promise.all(names.map(async (name) => {
      const takeovers = await planImport(file, { name, servers: again, move: true });
      await importServers(context, { file, takeovers });
    }));
    const left = JSON.parse(await Deno.readTextFile(`${home}/.cursor/mcp.json`));
    assert.deepEqual(left, { mcpServers: {} });
  });
});

Deno.test("planImport takes all servers of a person's clients, none of a project", async () => {
  await withHome({
    ".cursor/mcp.json": SHARED,
    ".gemini/settings.json": '{ "mcpServers": { "y": { "httpUrl": "https://y.example" } } }',
    "work/.mcp.json": '{ "mcpServers": { "z": { "command": "z" } } }',
  }, async (context, home) => {
    const file = { path: `${home}/own/config.json`, shownPath: "config.json" };
    const servers = await load(context);
    const plan = { servers, move: false, name: undefined };
    const takeovers = await planImport(file, plan);
    assert.deepEqual(takeovers.map(({ name, added }) => [name, added]), [
      ["x", { command: "a", env: { T: "sesame" } }],
      ["y", { url: "https://y.example" }],
    ]);
    await assert.rejects(planImport(file, { ...plan, name: "z" }), { kind: "untrusted" });
    await assert.rejects(planImport(file, { ...plan, name: "nope" }), { kind: "usage" });
  });
});

Deno.test("clientFiles says for each client how its entries are switched off", () => {
  const context = { get: () => undefined, toObject: () => ({}) };
  const files = clientFiles({
    platform: "linux",
    cwd: "/w",
    env: context,
    paths: { home: "/h", config: "/c", data: undefined },
  });
  const known = (keys: string[]) =>
    Object.fromEntries(
      files.map(({ client, off }) => [client, off(keys)]).filter(([, off]) => off),
    );
  const enabled = { codex: ["enabled", false], zed: ["enabled", false], goose: ["enabled", false] };
  const windsurf = ["disabled", true];
  assert.deepEqual(known(["mcp"]), { ...enabled, windsurf, opencode: ["enabled", false] });
  // The second version of OpenCode.
  assert.deepEqual(known(["mcp", "servers"]), { ...enabled, windsurf, opencode: windsurf });
});
