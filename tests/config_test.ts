import assert from "node:assert/strict";
import { type Config, httpSpec, readConfig } from "../src/config.ts";
import { AppError } from "../src/errors.ts";
import type { ServerName } from "../src/names.ts";
import type { HttpSpec, Origin, StdioSpec } from "../src/server.ts";

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function read(content: string | Uint8Array, origin: Origin = "user"): Promise<Config> {
  let config: Config | undefined;
  await inFolder(async (folder) => {
    const path = `${folder}/config.json`;
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(path, bytes);
    config = await readConfig(path, { origin, shownPath: "~/config.json" });
  });
  return config!;
}

async function failure(content: string | Uint8Array): Promise<AppError> {
  try {
    await read(content);
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "expected a failure" });
}

function stdio(config: Config, name: string): StdioSpec {
  const spec = config.servers.get(name as ServerName);
  assert.equal(spec?.transport, "stdio");
  return spec as StdioSpec;
}

function http(config: Config, name: string): HttpSpec {
  const spec = config.servers.get(name as ServerName);
  assert.equal(spec?.transport, "http");
  return spec as HttpSpec;
}

Deno.test("readConfig gives servers, limits and the journal's setting of a whole file", async () => {
  const config = await read(`{
    // comments are allowed
    "$schema": "https://example.com/config.json",
    "mcpServers": {
      "files": {
        "command": "npx", "args": ["-y", "server-filesystem", "/tmp"], "cwd": "/srv",
        "env": { "TOKEN": "sesame" }, "timeout": "90s", "inheritEnv": true,
      },
      "web": { "url": "https://example.com/mcp", "headers": { "Authorization": "Bearer sesame" } },
      "off": { "command": "x", "disabled": true },
      "also-off": { "command": "x", "enabled": false }
    },
    "limits": { "timeout": 5, "memory": "64MiB", "fuel": 1000000, "calls": 7 },
    "journal": { "payloads": true }
  }`);
  assert.deepEqual(config.warnings, []);
  assert.deepEqual([...config.servers.keys()], ["files", "web"]);
  const files = stdio(config, "files");
  assert.deepEqual(files.args, ["-y", "server-filesystem", "/tmp"]);
  assert.equal(files.env["TOKEN"]!.reveal(), "sesame");
  assert.equal(files.timeoutMs, 90_000);
  assert.equal(files.cwd, "/srv");
  assert.equal(files.inheritEnv, true);
  assert.equal(files.file, "~/config.json");
  assert.equal(http(config, "web").headers["Authorization"]!.reveal(), "Bearer sesame");
  assert.deepEqual(config.limits, {
    wallMs: 5000,
    memory: 64 * 1024 * 1024,
    fuel: 1_000_000,
    calls: 7,
  });
  assert.equal(config.journal.payloads, true);
});

Deno.test("readConfig takes a byte order mark and trailing commas as they are meant (A10)", async () => {
  const config = await read(`\ufeff{ "mcpServers": { "a": { "command": "x", }, }, }`);
  assert.deepEqual([...config.servers.keys()], ["a"]);
});

Deno.test("readConfig names file, line and column of what is not JSON (A10)", async () => {
  const comma = await failure(`\ufeff{\n  "mcpServers": {\n    "a": ,\n  }\n}`);
  assert.equal(comma.exitCode, 2);
  assert.match(comma.message, /^Config "~\/config\.json" is not valid JSON: value expected$/);
  assert.deepEqual(comma.at, { file: "~/config.json", line: 3, column: 10 });
  const colon = await failure(`{\r\n\t"limits" 1}`);
  assert.deepEqual(colon.at, { file: "~/config.json", line: 2, column: 11 });
  const cut = await failure(`{ "mcpServers": { "a": { "command": "x" `);
  assert.deepEqual(cut.at, { file: "~/config.json", line: 1, column: 41 });
  assert.deepEqual((await failure("")).at, { file: "~/config.json", line: 1, column: 1 });
});

Deno.test("readConfig refuses what is not a text file of fair size, naming it (A10)", async () => {
  const utf16 = await failure(new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0]));
  const binary = await failure(new Uint8Array([0x7b, 0xc3, 0x28, 0x7d]));
  const deep = await failure(`{"a":`.repeat(200_000));
  const list = await failure("[1, 2]");
  assert.match(utf16.message, /UTF-16/);
  assert.match(binary.message, /UTF-8/);
  assert.match(deep.message, /^Config "~\/config\.json" is nested deeper than 200$/);
  assert.deepEqual(deep.at, { file: "~/config.json", line: 1, column: 1001 });
  assert.match(list.message, /must hold a JSON object$/);
  const errors = [utf16, binary, deep, list];
  await inFolder(async (folder) => {
    const large = `${folder}/large.json`;
    await Deno.writeTextFile(large, "{}");
    await Deno.truncate(large, 100 * 1024 * 1024);
    for (const [path, reason] of [[folder, /folder/], [large, /100 MiB.*4 MiB/]] as const) {
      await assert.rejects(readConfig(path, { origin: "user", shownPath: path }), (error) => {
        errors.push(error as AppError);
        return reason.test((error as AppError).message);
      });
    }
  });
  for (const error of errors) {
    assert.equal(error.exitCode, 2);
    assert.doesNotMatch(error.message, /\n|Error:|\bat \//);
  }
});

Deno.test("readConfig keeps nine servers of ten and names the bad one (A11)", async () => {
  const bad: Record<string, unknown>[] = [
    { command: "" },
    { command: 7 },
    { args: ["x"] },
    { command: "x", args: "y" },
    { command: "x", args: [1] },
    { command: "x", env: { A: 1 } },
    { command: "x", env: { "A B": "1" } },
    { command: "x\0y" },
    { url: "ftp://example.com" },
    { url: "https://example.com", headers: ["A"] },
    { url: "https://example.com", headers: { "A B": "c" } },
    { url: "https://example.com", headers: { A: "b\r\nC: d" } },
  ];
  for (const entry of [...bad, null, "x", []]) {
    const entries: Record<string, unknown> = {};
    for (let index = 0; index < 10; index++) {
      entries[`s${index}`] = index === 4 ? entry : { command: "x" };
    }
    const config = await read(JSON.stringify({ mcpServers: entries }));
    assert.equal(config.servers.size, 9, JSON.stringify(entry));
    assert.equal(config.warnings.length, 1);
    assert.match(config.warnings[0]!, /^~\/config\.json: server "s4" is left out: /);
    const reason = config.unusable.get("s4" as ServerName);
    assert.equal(reason?.exitCode, 2);
    assert.match(reason!.message, /^Server "s4" of "~\/config\.json" is left out: /);
  }
});

Deno.test("readConfig takes a timeout in seconds or milliseconds, and leaves out one that is neither", async () => {
  const cases: [unknown, number | undefined][] = [
    [30, 30_000],
    [999, 999_000],
    [1000, 1000],
    [600_000, 600_000],
    ["90s", 90_000],
    [0.5, 500],
    ...["soon", -1, 0, 1e12, null, true, {}].map((
      value,
    ): [unknown, undefined] => [value, undefined]),
  ];
  for (const [timeout, timeoutMs] of cases) {
    const config = await read(JSON.stringify({ mcpServers: { a: { command: "x", timeout } } }));
    const shown = JSON.stringify(timeout);
    assert.equal(config.servers.get("a" as ServerName)?.timeoutMs, timeoutMs, shown);
    assert.equal(config.warnings.length, timeoutMs === undefined ? 1 : 0, shown);
  }
  const { warnings } = await read(`{"mcpServers": {"a": {"command": "x", "timeout": "soon"}}}`);
  assert.match(warnings[0]!, /: "timeout" of server "a" is not used: duration must look like/);
});

Deno.test("readConfig refuses names of servers that are reserved or odd (A12)", async () => {
  const names = ["__proto__", "constructor", "toString", "demo", "a b", "../x", "", "CON", "x."];
  const config = await read(
    `{"mcpServers": {${names.map((name) => `${JSON.stringify(name)}: {"command": "x"}`).join()}}}`,
  );
  assert.equal(config.servers.size, 0);
  assert.equal(config.warnings.length, names.length);
  for (const [index, name] of names.entries()) {
    assert.ok(config.warnings[index]!.includes(JSON.stringify(name)), config.warnings[index]);
  }
});

Deno.test("readConfig takes nothing of an entry from its prototype (A12)", async () => {
  const config = await read(`{
    "mcpServers": { "a": { "__proto__": { "command": "evil" } } },
    "__proto__": { "limits": { "calls": 1 } }
  }`);
  assert.equal(config.servers.size, 0);
  assert.deepEqual(config.limits, {});
  assert.ok(config.warnings.some((warning) => warning.includes(`unknown key "__proto__"`)));
});

Deno.test("readConfig names unknown keys and bad limits, and keeps the good ones", async () => {
  const config = await read(`{
    "mcpservers": {}, "polici\\u001b[31m": 1,
    "limits": { "memory": "1 byte", "timeout": true, "calls": 0, "fuel": 5, "memry": 1 },
    "journal": { "payloads": "yes", "days": 3 }
  }`);
  assert.deepEqual(config.limits, { fuel: 5 });
  assert.equal(config.journal.payloads, false);
  assert.equal(config.warnings.length, 8);
  for (const part of [`"mcpservers"`, "limits.memory", "limits.timeout", "limits.calls"]) {
    assert.ok(config.warnings.some((warning) => warning.includes(part)), part);
  }
  for (const part of [`"limits.memry"`, `"journal.payloads"`, `"journal.days"`, "\\u{1b}"]) {
    assert.ok(config.warnings.some((warning) => warning.includes(part)), part);
  }
  assert.ok(!config.warnings.join().includes("\u001b"));
});

Deno.test("readConfig takes a journal that may be required for required", async () => {
  const journal = async (text: string) => (await read(`{ "journal": ${text} }`)).journal;
  assert.deepEqual(await journal(`{ "required": true }`), { payloads: false, required: true });
  assert.deepEqual(await journal(`{ "required": "yes" }`), { payloads: false, required: true });
  assert.deepEqual(await journal("{}"), { payloads: false, required: false });
});

Deno.test("readConfig leaves the other keys of a client's project file alone", async () => {
  const config = await read(
    `{ "hooks": {}, "mcpServers": { "a": { "command": "x" } } }`,
    "project",
  );
  assert.deepEqual(config.warnings, []);
  assert.equal(stdio(config, "a").origin, "project");
});

Deno.test("readConfig refuses variables that load code from a project, warns of own ones (A17)", async () => {
  const names = [
    "LD_PRELOAD",
    "Ld_Preload",
    "NODE_OPTIONS",
    "BASH_FUNC_x%%",
    "dyld_insert_libraries",
  ];
  for (const name of names) {
    const text = JSON.stringify({ mcpServers: { a: { command: "x", env: { [name]: "sesame" } } } });
    const project = await read(text, "project");
    assert.equal(project.servers.size, 0);
    assert.equal(project.unusable.get("a" as ServerName)?.exitCode, 6);
    assert.ok(project.warnings[0]!.includes(name), project.warnings[0]);
    const own = await read(text, "user");
    assert.ok(stdio(own, "a").env[name]);
    assert.ok(own.warnings[0]!.includes(name), own.warnings[0]);
    assert.ok(![...project.warnings, ...own.warnings].join().includes("sesame"));
  }
});

Deno.test("readConfig refuses headers that differ only by case (A18)", async () => {
  for (const second of ["authorization", "AUTHORIZATION"]) {
    const headers = { Authorization: "sesame", [second]: "other" };
    const config = await read(
      JSON.stringify({ mcpServers: { a: { url: "https://example.com", headers } } }),
    );
    assert.equal(config.unusable.get("a" as ServerName)?.exitCode, 2);
    assert.ok(config.warnings[0]!.includes(`header "${second}" is given twice`));
    assert.ok(!config.warnings.join().includes("sesame"));
  }
});

Deno.test("readConfig passes shell syntax in a command through as it is (A16)", async () => {
  const args = ["; rm -rf /", "$(id)", "`id`", "a\nb", "&&", "*"];
  const config = await read(JSON.stringify({ mcpServers: { a: { command: "x;y", args } } }));
  assert.equal(stdio(config, "a").command, "x;y");
  assert.deepEqual(stdio(config, "a").args, args);
});

Deno.test("readConfig never shows a secret of an entry (X1, X2, X3, X4)", async () => {
  const config = await read(`{ "mcpServers": {
    "env": { "command": "x", "env": { "A": "sesame" } },
    "header": { "url": "https://example.com", "headers": { "A": "sesame" } },
    "user": { "url": "https://sesame:sesame@example.com/mcp?key=sesame#sesame" },
    "template": { "url": "https://u:sesame@\${HOST}/@scope/mcp?key=sesame" },
    "bad": { "url": "ftp://sesame:sesame@example.com?sesame=sesame" },
    "worse": { "url": "https//sesame" },
    "twins": { "url": "https://example.com", "headers": { "A": "sesame", "a": "sesame" } }
  } }`);
  const shown = JSON.stringify([[...config.servers], [...config.unusable], config.warnings]) +
    Deno.inspect(config, { depth: 10 });
  // One key of a query is itself part of what a person has to see to find the entry.
  assert.ok(!shown.replaceAll("sesame=***", "").includes("sesame"), shown);
  assert.equal(http(config, "user").shownUrl, "https://***@example.com/mcp?key=***#***");
  assert.equal(http(config, "template").shownUrl, "https://***@${HOST}/@scope/mcp");
  assert.equal(
    http(config, "template").url.reveal(),
    "https://u:sesame@${HOST}/@scope/mcp?key=sesame",
  );
});

Deno.test("httpSpec takes http and https only, once variables are out of the question", () => {
  const base = { name: "a" as ServerName, origin: "flag" as const };
  for (const url of ["file:///etc/passwd", "javascript:alert(1)", "data:,x", "example.com", ""]) {
    assert.throws(() => httpSpec(base, url, {}), { name: "AppError", kind: "invalid" }, url);
  }
  assert.equal(httpSpec(base, "${URL}", {}).shownUrl, "${URL}");
  assert.equal(httpSpec(base, "HTTP://Example.com", {}).transport, "http");
});

Deno.test("readConfig gives policy, rates and cache", async () => {
  const config = await read(`{
    "mcpServers": { "a": { "command": "x", "trustAnnotations": true } },
    "policy": { "default": "deny", "rules": [{ "tool": "a/get_*", "decide": "allow" }] },
    "limits": {
      "rate": [{ "tool": "a/*", "perSecond": 2 }],
      "calls": 5,
      "callTimeouts": { "a/slow_*": "2m" },
      "idle": "30s"
    },
    "cache": { "tools": [{ "tool": "a/get_*", "ttl": "5m" }] }
  }`);
  assert.deepEqual(config.warnings, []);
  assert.equal(config.policy?.name, "user");
  assert.equal(config.policy?.file, "~/config.json");
  assert.equal(config.policy?.default, "deny");
  assert.equal(config.policy?.rules.length, 1);
  assert.deepEqual(config.rates.map(({ rate }) => rate), [{ perSecond: 2, burst: 8 }]);
  assert.deepEqual(config.timeouts.map(({ timeoutMs }) => timeoutMs), [120_000]);
  assert.equal(config.idleMs, 30_000);
  assert.deepEqual(config.cache.rules.map(({ ttlMs }) => ttlMs), [300_000]);
  assert.deepEqual(config.limits, { calls: 5 });
  assert.equal(stdio(config, "a").trustAnnotations, true);
});

Deno.test("readConfig says nothing of policy, rates and cache where the file does not", async () => {
  const config = await read("{}");
  assert.equal(config.policy, undefined);
  assert.deepEqual(config.rates, []);
  assert.deepEqual(config.timeouts, []);
  assert.equal(config.idleMs, undefined);
  assert.deepEqual(config.cache, { isOn: true, rules: [] });
});

Deno.test("readConfig names what is wrong in policy, rates and cache by itself (A11)", async () => {
  const config = await read(`{
    "policy": { "rules": [{ "tool": "x", "decide": "deny" }, { "server": "a", "decide": "deny" }] },
    "limits": { "rate": { "perSecond": 0 }, "callTimeouts": { "x": "1s" }, "idle": "never" },
    "cache": { "tools": ["x"], "size": "huge" }
  }`);
  assert.equal(config.warnings.length, 6);
  assert.ok(config.warnings.every((warning) => warning.startsWith("~/config.json: ")));
  assert.equal(config.policy?.rules.length, 2);
});

Deno.test("readConfig lets no file of a project trust a server's annotations (H26)", async () => {
  const entry = `{ "mcpServers": { "a": { "command": "x", "trustAnnotations": true } } }`;
  assert.equal(stdio(await read(entry, "project"), "a").trustAnnotations, undefined);
});
