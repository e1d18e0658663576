import assert from "node:assert/strict";
import { clientFiles, type ClientPlace } from "../src/clients.ts";
import {
  discoverServers,
  type Discovery,
  type FoundEntry,
  type NamedEntry,
  nameEntries,
} from "../src/discovery.ts";
import type { HttpSpec, StdioSpec } from "../src/server.ts";

interface Machine {
  readonly platform?: ClientPlace["platform"];
  readonly env?: Readonly<Record<string, string>>;
}

/** Discovers in a made-up home; paths of `files` and values of `env` begin with its folder as `~`. */
async function discover(
  files: Readonly<Record<string, string | object>>,
  { platform = "linux", env = {} }: Machine = {},
): Promise<Discovery> {
  const base = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.mkdir(`${base}/code`);
    for (const [path, content] of Object.entries(files)) {
      const whole = path.startsWith("~/")
        ? `${base}/home/${path.slice(2)}`
        : `${base}/code/${path}`;
      await Deno.mkdir(whole.replace(/[^/]*$/, ""), { recursive: true });
      const text = typeof content === "string" ? content : JSON.stringify(content);
      await Deno.writeTextFile(whole, text.replaceAll("$WORK", `${base}/code`));
    }
    return await discoverServers({
      platform,
      cwd: `${base}/code`,
      env: {
        get: (name) => env[name]?.replace("~", `${base}/home`),
        toObject: () => ({ ...env }),
      },
      paths: { home: `${base}/home`, config: `${base}/c`, data: undefined },
    });
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

function only(discovery: Discovery): FoundEntry {
  assert.deepEqual(discovery.warnings, []);
  assert.equal(discovery.entries.length, 1, JSON.stringify(discovery.entries));
  return discovery.entries[0]!;
}

const STDIO = { command: "npx", args: ["-y", "x"], env: { TOKEN: "sesame" } };
const PLAIN = { mcpServers: { x: STDIO } };
const CODEX = `[mcp_servers.x]
command = "npx"
args = ["-y", "x"]
startup_timeout_sec = 20
[mcp_servers.x.env]
TOKEN = "sesame"
`;
const ZED = `{
  // as Zed writes it
  "context_servers": { "x": { "source": "custom", "command": "npx", "args": ["-y", "x"], "env": { "TOKEN": "sesame" } }, },
}`;
const OPENCODE = {
  mcp: { x: { type: "local", command: ["npx", "-y", "x"], environment: { TOKEN: "sesame" } } },
};
const GOOSE = `extensions:
  x:
    enabled: true
    type: stdio
    name: x
    description: |-
      Two
      lines
    cmd: npx
    args:
    - -y
    - x
    envs:
      TOKEN: sesame
    env_keys: []
    timeout: 300
    bundled: null
`;

const HOMES: readonly (readonly [
  client: string,
  linux: string,
  mac: string,
  windows: string,
  content: string | object,
])[] = [
  ["claude-code", ".claude.json", ".claude.json", ".claude.json", PLAIN],
  [
    "claude-desktop",
    ".config/Claude/claude_desktop_config.json",
    "Library/Application Support/Claude/claude_desktop_config.json",
    "AppData/Roaming/Claude/claude_desktop_config.json",
    PLAIN,
  ],
  ["cursor", ".cursor/mcp.json", ".cursor/mcp.json", ".cursor/mcp.json", PLAIN],
  [
    "vscode",
    ".config/Code/User/mcp.json",
    "Library/Application Support/Code/User/mcp.json",
    "AppData/Roaming/Code/User/mcp.json",
    { servers: { x: { type: "stdio", ...STDIO } }, inputs: [] },
  ],
  [
    "windsurf",
    ".codeium/windsurf/mcp_config.json",
    ".codeium/windsurf/mcp_config.json",
    ".codeium/windsurf/mcp_config.json",
    PLAIN,
  ],
  ["codex", ".codex/config.toml", ".codex/config.toml", ".codex/config.toml", CODEX],
  ["gemini", ".gemini/settings.json", ".gemini/settings.json", ".gemini/settings.json", PLAIN],
  [
    "zed",
    ".config/zed/settings.json",
    ".config/zed/settings.json",
    "AppData/Roaming/Zed/settings.json",
    ZED,
  ],
  [
    "opencode",
    ".config/opencode/opencode.json",
    ".config/opencode/opencode.json",
    ".config/opencode/opencode.json",
    OPENCODE,
  ],
  [
    "goose",
    ".config/goose/config.yaml",
    ".config/goose/config.yaml",
    "AppData/Roaming/Block/goose/config/config.yaml",
    GOOSE,
  ],
];

for (const [client, linux, mac, windows, content] of HOMES) {
  Deno.test(`discoverServers finds the servers of ${client} on Linux, macOS and Windows`, async () => {
    const platforms = [["linux", linux], ["darwin", mac], ["windows", windows]] as const;
    for (const [platform, path] of platforms) {
      const entry = only(await discover({ [`~/${path}`]: content }, { platform }));
      assert.equal(entry.file.client, client);
      assert.equal(entry.shownPath, `~/${path}`);
      const spec = entry.spec as StdioSpec;
      assert.equal(spec.origin, "user");
      assert.deepEqual([spec.name, spec.command, ...spec.args], ["x", "npx", "-y", "x"]);
      assert.deepEqual(Object.keys(spec.env), ["TOKEN"]);
      assert.ok(!JSON.stringify(entry).includes("sesame"), "a secret came out (X1)");
    }
  });
}

Deno.test("discoverServers finds what every client keeps in a project, as the project's", async () => {
  const files = {
    ".mcp-exec.json": { mcpServers: { a: STDIO } },
    ".mcp.json": { mcpServers: { b: STDIO } },
    ".cursor/mcp.json": { mcpServers: { c: STDIO } },
    ".vscode/mcp.json": { servers: { d: STDIO } },
    ".codex/config.toml": CODEX,
    ".gemini/settings.json": { mcpServers: { e: STDIO } },
    ".zed/settings.json": { context_servers: { f: STDIO } },
    "opencode.jsonc": { mcp: { g: { type: "local", command: ["npx"] } } },
  };
  const { entries, warnings } = await discover(files);
  assert.deepEqual(warnings, []);
  assert.deepEqual(entries.map(({ shownPath }) => shownPath).sort(), Object.keys(files).sort());
  assert.ok(entries.every(({ spec }) => spec?.origin === "project"));
});

Deno.test("discoverServers follows the variables that move a client's folder", async () => {
  const moved = await discover({ "~/a/.claude.json": PLAIN, "~/b/config.toml": CODEX }, {
    env: { CLAUDE_CONFIG_DIR: "~/a", CODEX_HOME: "~/b" },
  });
  assert.deepEqual(moved.entries.map(({ file }) => file.client), ["claude-code", "codex"]);
  const xdg = await discover({ "~/c/zed/settings.json": ZED }, { env: { XDG_CONFIG_HOME: "~/c" } });
  assert.equal(only(xdg).file.client, "zed");
});

Deno.test("discoverServers takes an entry of Claude Code for this folder before one for all", async () => {
  const entry = only(
    await discover({
      "~/.claude.json": {
        ...PLAIN,
        projects: {
          "$WORK": { mcpServers: { x: { command: "here" } } },
          "/elsewhere": { mcpServers: { y: STDIO } },
        },
      },
    }),
  );
  assert.equal((entry.spec as StdioSpec).command, "here");
});

Deno.test("discoverServers reads a remote server in the shape of each client", async () => {
  const { entries, warnings } = await discover({
    "~/.cursor/mcp.json": { mcpServers: { a: { url: "https://a.example", headers: { K: "v" } } } },
    "~/.codeium/windsurf/mcp_config.json": {
      mcpServers: { b: { serverUrl: "https://b.example" } },
    },
    "~/.codex/config.toml": `[mcp_servers.c]
url = "https://c.example"
bearer_token_env_var = "T"
http_headers = { "X-A" = "1" }
env_http_headers = { "X-B" = "B" }
[mcp_servers.forwarding]
command = "x"
env_vars = ["ONE", { name = "TWO" }]
`,
    "~/.gemini/settings.json": {
      mcpServers: { d: { httpUrl: "https://d.example", timeout: 600_000 } },
    },
    "~/.config/opencode/opencode.jsonc": {
      mcp: { servers: { e: { type: "remote", url: "https://e.example" } } },
    },
    "~/.config/goose/config.yaml":
      "extensions:\n  f:\n    type: streamable_http\n    uri: https://f.example\n    timeout: 5\n",
  });
  assert.deepEqual(warnings, []);
  const byName = new Map(entries.map(({ rawName, spec }) => [rawName, spec]));
  for (const name of ["a", "b", "c", "d", "e", "f"]) {
    assert.equal((byName.get(name) as HttpSpec).shownUrl, `https://${name}.example/`);
  }
  assert.deepEqual(Object.keys((byName.get("c") as HttpSpec).headers), [
    "X-A",
    "X-B",
    "Authorization",
  ]);
  assert.deepEqual(Object.keys((byName.get("forwarding") as StdioSpec).env), ["ONE", "TWO"]);
  assert.equal(byName.get("d")!.timeoutMs, 600_000);
  assert.equal(byName.get("f")!.timeoutMs, 5_000);
});

Deno.test("discoverServers leaves out extensions of clients and what is switched off", async () => {
  const { entries } = await discover({
    "~/.config/zed/settings.json": {
      context_servers: {
        extension: { settings: {} },
        old: { command: { path: "p", args: ["q"] } },
      },
    },
    "~/.config/goose/config.yaml": "extensions:\n  developer:\n    type: builtin\n",
    "~/.codeium/windsurf/mcp_config.json": { mcpServers: { off: { ...STDIO, disabled: true } } },
    "~/.config/opencode/opencode.json": {
      mcp: { off2: { type: "local", command: ["x"], enabled: false } },
    },
  });
  const spec = entries.find(({ rawName }) => rawName === "old")?.spec as StdioSpec;
  assert.deepEqual([spec.command, ...spec.args], ["p", "q"]);
  assert.deepEqual(
    nameEntries(entries, new Set()).entries.map(({ name, state }) => [name, state]),
    [["off", "disabled"], ["old", "used"], ["off2", "disabled"]],
  );
});

Deno.test("discoverServers leaves this program's own entry out", async () => {
  const { entries } = await discover({
    "~/.cursor/mcp.json": {
      mcpServers: {
        one: { command: "/usr/local/bin/mcp-exec", args: ["serve"] },
        two: { command: "npx", args: ["-y", "@mcp-exec/mcp-exec@0.1.0", "serve"] },
        three: { command: "C:\\bin\\mcp-exec.exe", args: ["--quiet", "serve"] },
        kept: { command: "serve", args: ["mcp"] },
      },
    },
  });
  assert.deepEqual(entries.map(({ rawName }) => rawName), ["kept"]);
});

Deno.test("discoverServers answers a broken file of one client with a warning (A10)", async () => {
  const good = { "~/.cursor/mcp.json": PLAIN };
  const broken: readonly (readonly [string, string, RegExp])[] = [
    [
      "~/.claude.json",
      `{\n  "mcpServers": }`,
      /"~\/\.claude\.json".*at line 2, column 17; its servers/,
    ],
    ["~/.codex/config.toml", "a = \n", /"~\/\.codex\/config\.toml" is not valid TOML at line 1/],
    ["~/.codex/config.toml", `${"a.".repeat(20_000)}a = 1`, /is nested deeper than 200; its/],
    ["~/.config/goose/config.yaml", "a: &b c\n", /config\.yaml".*at line 1/],
    ["~/.gemini/settings.json", "[]", /must hold an object/],
    [".mcp.json", "{", /"\.mcp\.json" is not valid JSON/],
    [".vscode/mcp.json", `{"servers": ${"[".repeat(5000)}`, /deeper|not valid JSON/],
  ];
  for (const [path, text, warning] of broken) {
    const { entries, warnings } = await discover({ ...good, [path]: text });
    assert.deepEqual(entries.map(({ rawName }) => rawName), ["x"]);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, warning);
  }
});

Deno.test("discoverServers answers one bad entry of ten with nine (A11, A12, A17, A18)", async () => {
  const good = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`s${n}`, STDIO]));
  const bad: readonly (readonly [string, unknown, RegExp])[] = [
    ["constructor", STDIO, /its name is reserved/],
    ["bad", 7, /must be an object/],
    ["bad", { command: "x", args: "y" }, /"args"/],
    ["bad", { url: "ftp://a" }, /must begin with http/],
    ["bad", { url: "https://a", headers: { A: "1", a: "2" } }, /given twice/],
    ["bad", { command: "x", env: { Ld_Preload: "sesame" } }, /loads code into a process/],
    [
      "bad",
      { command: "x", args: ["${input:token}"] },
      /its client asks a person for the value "token"/,
    ],
    ["bad", { command: "x", envFile: ".env" }, /"envFile"/],
    ["bad", JSON.parse(`${"[".repeat(300)}${"]".repeat(300)}`), /too deeply/],
  ];
  for (const [name, entry, reason] of bad) {
    const { entries, warnings } = await discover({
      ".cursor/mcp.json": { mcpServers: { ...good, [name]: entry } },
    });
    assert.deepEqual(warnings, []);
    assert.equal(entries.filter(({ spec }) => spec !== undefined).length, 9);
    const { problem } = entries.find(({ rawName }) => rawName === name)!;
    assert.match(problem!.message, reason);
    assert.ok(!problem!.message.includes("sesame"));
  }
  const proto = await discover({
    ".cursor/mcp.json": `{"mcpServers": {"__proto__": {"command": "x"}}}`,
  });
  assert.match(only(proto).problem!.message, /its name is reserved/);
});

Deno.test("discoverServers maps the variables of clients to ours and expands none (A14)", async () => {
  const { entries } = await discover({
    ".vscode/mcp.json": {
      servers: { a: { command: "${workspaceFolder}/a", args: ["${userHome}", "${env:T}"] } },
    },
    ".gemini/settings.json": { mcpServers: { b: { command: "x", args: ["$T", "${T}", "a$1"] } } },
    "opencode.json": { mcp: { c: { type: "local", command: ["x", "{env:T}"] } } },
  }, { env: { T: "sesame" } });
  const args = new Map(entries.map(({ rawName, spec }) => [rawName, (spec as StdioSpec).args]));
  assert.deepEqual(args.get("b"), ["${T}", "${T}", "a$1"]);
  assert.deepEqual(args.get("c"), ["${T:-}"]);
  assert.match(args.get("a")![0]!, /\/home$/);
  assert.equal(args.get("a")![1], "${env:T}");
});

Deno.test("discoverServers says how to give what a client would ask for, and never passes it on as it is", async () => {
  const headers = { Authorization: "Bearer ${input:my-token}" };
  const file = {
    ".vscode/mcp.json": { servers: { a: { url: "https://a.example/mcp", headers } } },
  };
  const { problem, spec } = only(await discover(file));
  assert.equal(spec, undefined);
  assert.match(problem!.message, /: its client asks a person for the value "my-token"$/);
  assert.match(problem!.hint!, /^set MCP_EXEC_INPUT_MY_TOKEN, or .*mcp-exec server add/);
  const found = only(await discover(file, { env: { MCP_EXEC_INPUT_MY_TOKEN: "canary" } }));
  const given = (found.spec as HttpSpec).headers["Authorization"]!;
  assert.equal(given.map((text) => text).reveal(), "Bearer ${MCP_EXEC_INPUT_MY_TOKEN}");
  for (const asked of ["${command:x.y}", "${config:a.b}"]) {
    const entry = { servers: { a: { command: "x", args: [asked] } } };
    const { problem } = only(await discover({ ".vscode/mcp.json": entry }, { env: { x: "1" } }));
    assert.match(problem!.message, /its client takes from its (?:command|config)s the value/);
  }
});

Deno.test("discoverServers puts in the places that an editor knows", async () => {
  const args = ["${workspaceFolderBasename}", "a${/}b${pathSeparator}c", "${unknown}"];
  const entry = { servers: { a: { command: "x", args } } };
  const { spec } = only(await discover({ ".vscode/mcp.json": entry }));
  assert.deepEqual((spec as StdioSpec).args, ["code", "a/b/c", "${unknown}"]);
});

Deno.test("discoverServers changes the digest with any byte of an entry and its place (A15)", async () => {
  const digest = async (entry: object, path = ".mcp.json") =>
    only(await discover({ [path]: { mcpServers: { x: entry } } })).digest;
  const base = await digest(STDIO);
  assert.equal(await digest({ env: STDIO.env, args: STDIO.args, command: "npx" }), base);
  const others = [
    { ...STDIO, command: "npX" },
    { ...STDIO, args: ["-y", "x "] },
    { ...STDIO, args: ["-y", "x", ""] },
    { ...STDIO, env: { TOKEN: "sesamf" } },
    { ...STDIO, env: { TOKEn: "sesame" } },
    { ...STDIO, cwd: "." },
    { ...STDIO, unknown: 1 },
  ];
  const digests = [base, await digest(STDIO, ".cursor/mcp.json")];
  for (const other of others) digests.push(await digest(other));
  assert.equal(new Set(digests).size, digests.length);
});

function stateOf(entries: readonly NamedEntry[]): string[][] {
  return entries.map(({ name, state, file }) => [name, state, file.tag]);
}

Deno.test("nameEntries makes one of the same server in several clients", async () => {
  const { entries } = await discover({
    "~/.cursor/mcp.json": PLAIN,
    "~/.config/Code/User/mcp.json": { servers: { x: { type: "stdio", ...STDIO } } },
    ".mcp.json": PLAIN,
  });
  const { entries: named, ambiguous } = nameEntries(entries, new Set());
  assert.deepEqual(stateOf(named), [
    ["x", "used", "cursor"],
    ["x", "shadowed", "vscode"],
    ["x", "shadowed", "project"],
  ]);
  assert.equal(ambiguous.size, 0);
});

Deno.test("nameEntries tells different servers of one name apart, and guesses none", async () => {
  const { entries } = await discover({
    "~/.cursor/mcp.json": PLAIN,
    "~/.codex/config.toml": "[mcp_servers.x]\ncommand = 'other'\n",
    ".mcp.json": { mcpServers: { x: { command: "third" } } },
  });
  const { entries: named, ambiguous } = nameEntries(entries, new Set());
  assert.deepEqual(stateOf(named), [
    ["x-cursor", "used", "cursor"],
    ["x-codex", "used", "codex"],
    ["x-project", "used", "project"],
  ]);
  assert.deepEqual([...ambiguous], [["x", ["x-cursor", "x-codex"]]]);
  assert.deepEqual(named.map(({ spec }) => spec!.name), ["x-cursor", "x-codex", "x-project"]);
});

Deno.test("nameEntries never gives a project the name of a person's own server", async () => {
  const { entries } = await discover({
    "~/.cursor/mcp.json": PLAIN,
    ".mcp.json": { mcpServers: { x: { command: "planted" } } },
  });
  assert.deepEqual(stateOf(nameEntries(entries, new Set()).entries), [
    ["x", "used", "cursor"],
    ["x-project", "used", "project"],
  ]);
  const own = nameEntries(entries, new Set(["x"]));
  assert.deepEqual(own.entries.map(({ state }) => state), ["shadowed", "shadowed"]);
});

Deno.test("nameEntries makes names fit and keeps them apart (V1)", async () => {
  const long = "n".repeat(80);
  const { entries } = await discover({
    "~/.cursor/mcp.json": {
      mcpServers: {
        "My Files!": STDIO,
        "My-Files": { command: "other" },
        demo: { command: "third" },
        [long]: { command: "fourth" },
        "../up": { command: "fifth" },
        "💥": { command: "sixth" },
      },
    },
  });
  const { entries: named } = nameEntries(entries, new Set());
  const names = named.map(({ name }) => name);
  assert.deepEqual(names, [
    "My-Files-cursor",
    "My-Files-cursor-2",
    "demo-server",
    "n".repeat(64),
    "up",
    "server",
  ]);
});

Deno.test("clientFiles names no file of a person without a home", () => {
  const files = clientFiles({
    platform: "linux",
    cwd: "/code",
    env: { get: () => undefined, toObject: () => ({}) },
    paths: { home: undefined, config: "/c", data: undefined },
  });
  assert.ok(files.length > 0 && files.every(({ scope }) => scope === "project"));
});
