import assert from "node:assert/strict";
import type { Context } from "../src/context.ts";
import { AppError } from "../src/errors.ts";
import { createLog } from "../src/log.ts";
import type { ServerName } from "../src/names.ts";
import type { HttpSpec, StdioSpec } from "../src/server.ts";
import {
  findServer,
  freeName,
  loadServers,
  type ServerFlags,
  type ServerSet,
  splitCommand,
} from "../src/servers.ts";

/** Files of a made-up machine by path, and what the process has in its environment. */
interface Machine {
  readonly own?: string;
  readonly project?: string;
  readonly platform?: Context["platform"];
  readonly env?: Readonly<Record<string, string>>;
}

interface Loaded {
  readonly servers: ServerSet;
  /** All that was written beside results. */
  readonly shown: string;
}

async function load(
  flags: ServerFlags = {},
  machine: Machine = {},
  wanted?: readonly string[],
): Promise<Loaded> {
  const home = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${home}/config`);
    await Deno.mkdir(`${home}/code`);
    if (machine.own !== undefined) {
      await Deno.writeTextFile(`${home}/config/config.json`, machine.own);
    }
    if (machine.project !== undefined) {
      await Deno.writeTextFile(`${home}/code/.mcp.json`, machine.project);
    }
    let shown = "";
    const env = Object.entries(machine.env ?? {}).map(([name, value]) =>
      [name, value.replace("$HOME", home)] as const
    );
    const values = new Map(env);
    const { platform = "linux" } = machine;
    const servers = await loadServers({ ...contextAt(home, values), platform }, flags, {
      embedded: () => Promise.reject(new Error("nothing is opened here")),
      log: createLog((text) => shown += text),
      ...(wanted !== undefined && { wanted }),
    });
    return { servers, shown };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

function contextAt(home: string, env: ReadonlyMap<string, string>): Context {
  return {
    args: [],
    env: { get: (name) => env.get(name), toObject: () => Object.fromEntries(env) },
    cwd: `${home}/code`,
    platform: "linux",
    paths: { home, config: `${home}/config`, data: `${home}/data` },
    writeOut: () => true,
    writeError: () => {},
    readInput: () => Promise.resolve(new Uint8Array()),
    isTerminal: { in: false, out: false, error: false },
    columns: 80,
    signal: new AbortController().signal,
    now: () => 0,
  };
}

async function failure(flags: ServerFlags, machine: Machine = {}): Promise<AppError> {
  try {
    await load(flags, machine);
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: `expected a failure: ${JSON.stringify(flags)}` });
}

function spec<Kind extends StdioSpec | HttpSpec>(servers: ServerSet, name: string): Kind {
  return servers.specs.get(name as ServerName) as Kind;
}

const OWN =
  `{ "mcpServers": { "files": { "command": "own" }, "web": { "url": "https://a.example" } } }`;
const PROJECT =
  `{ "mcpServers": { "files": { "command": "theirs" }, "extra": { "command": "x" } } }`;

Deno.test("loadServers works without any configuration and knows the built-in server (A9)", async () => {
  const { servers, shown } = await load();
  assert.deepEqual([...servers.specs.keys()], ["demo"]);
  assert.equal(servers.specs.get("demo" as ServerName)?.origin, "built-in");
  assert.equal(shown, "");
});

Deno.test("loadServers fails for a configuration that was asked for and is not there (A9)", async () => {
  for (const machine of [{}, { own: OWN }]) {
    const flag = await failure({ config: "/nowhere/config.json" }, machine);
    assert.equal(flag.exitCode, 2);
    assert.match(flag.message, /"\/nowhere\/config\.json" does not exist/);
  }
  const variable = await failure({}, { env: { MCP_EXEC_CONFIG: "/nowhere/config.json" } });
  assert.equal(variable.exitCode, 2);
  const { servers } = await load({}, { own: OWN, env: { MCP_EXEC_CONFIG: "" } });
  assert.ok(servers.specs.has("files" as ServerName));
});

Deno.test("loadServers works where the machine names no home folder (A9)", async () => {
  const context = {
    ...contextAt("/nowhere", new Map()),
    paths: { home: undefined, config: "/dev/null/.config/mcp-exec", data: "/dev/null/x" },
  };
  const servers = await loadServers(context, {}, {
    embedded: () => Promise.reject(new Error("nothing is opened here")),
    log: createLog(() => {}),
  });
  assert.deepEqual([...servers.specs.keys()], ["demo"]);
});

Deno.test("loadServers takes the file of --config before MCP_EXEC_CONFIG before the usual one", async () => {
  const other = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(other, `{ "mcpServers": { "other": { "command": "x" } } }`);
    const env = { MCP_EXEC_CONFIG: "$HOME/config/config.json" };
    const flag = await load({ config: other }, { own: OWN, env });
    assert.deepEqual([...flag.servers.specs.keys()], ["other", "demo"]);
    const variable = await load({}, { own: OWN, env: { MCP_EXEC_CONFIG: other } });
    assert.deepEqual([...variable.servers.specs.keys()], ["other", "demo"]);
  } finally {
    await Deno.remove(other);
  }
});

Deno.test("loadServers leaves a project's servers untrusted until told otherwise (A14)", async () => {
  const { servers } = await load({}, { own: OWN, project: PROJECT });
  assert.deepEqual([...servers.specs.keys()], ["files", "web", "extra", "demo"]);
  assert.equal(spec<StdioSpec>(servers, "files").command, "own");
  assert.equal(spec(servers, "files").untrusted, undefined);
  assert.equal(spec(servers, "extra").untrusted, true);
  const trusted = await load({ trust: true }, { own: OWN, project: PROJECT });
  assert.equal(spec(trusted.servers, "extra").untrusted, undefined);
  assert.equal(spec(trusted.servers, "extra").origin, "project");
});

Deno.test("loadServers never lets a project take the name of an own entry, usable or not (A14)", async () => {
  const own = `{ "mcpServers": { "files": { "command": 7 } } }`;
  const { servers } = await load({ trust: true }, { own, project: PROJECT });
  assert.equal(spec(servers, "files"), undefined);
  assert.throws(() => findServer(servers, "files"), /Server "files" of ".*" is left out/);
});

Deno.test("loadServers warns of a project's broken file and goes on without it (A10)", async () => {
  const { servers, shown } = await load({}, { own: OWN, project: `{\n  "mcpServers": }` });
  assert.deepEqual([...servers.specs.keys()], ["files", "web", "demo"]);
  assert.match(
    shown,
    /^warning: Config "\.mcp\.json" is not valid JSON: .* at line 2, column 17; its servers are left out\n$/,
  );
});

Deno.test("loadServers refuses its own broken file (A10)", async () => {
  const error = await failure({}, { own: "{" });
  assert.equal(error.exitCode, 2);
  assert.equal(error.at?.line, 1);
});

Deno.test("loadServers shows the home folder as ~ in what it says of its own file (X6)", async () => {
  const error = await failure({}, { own: "[]" });
  assert.match(error.message, /^Config "~\/config\/config\.json" must hold/);
});

Deno.test("loadServers takes servers from flags, named or not, before configured ones", async () => {
  const { servers } = await load({
    stdio: ["files=node a.js", "npx -y @scope/server-everything@1.2 stdio", "./bin/tool.sh"],
    http: ["http://localhost:3000/mcp?a=b", "remote=https://b.example"],
  }, { own: OWN });
  assert.deepEqual(servers.adHoc, ["files", "server-everything", "tool", "localhost", "remote"]);
  assert.deepEqual([...servers.unnamed], ["server-everything", "tool", "localhost"]);
  assert.equal(spec<StdioSpec>(servers, "files").command, "node");
  assert.deepEqual(spec<StdioSpec>(servers, "server-everything").args, [
    "-y",
    "@scope/server-everything@1.2",
    "stdio",
  ]);
  assert.equal(
    spec<HttpSpec>(servers, "localhost").url.reveal(),
    "http://localhost:3000/mcp?a=b",
  );
  for (const name of servers.adHoc) assert.equal(spec(servers, name).origin, "flag");
});

Deno.test("loadServers never hides a configured server behind a name it made up", async () => {
  const own = `{ "mcpServers": { "tool": { "command": "own" }, "demo-2": { "command": "x" } } }`;
  const project = `{ "mcpServers": { "tool-2": { "command": "theirs" } } }`;
  const { servers } = await load({ stdio: ["tool", "tool --other", "demo"] }, { own, project });
  assert.deepEqual(servers.adHoc, ["tool-3", "tool-4", "demo-3"]);
  assert.equal(spec<StdioSpec>(servers, "tool").command, "own");
  assert.equal(spec<StdioSpec>(servers, "tool-2").command, "theirs");
});

Deno.test("loadServers refuses names of flag servers that are reserved, odd or given twice (A12)", async () => {
  for (const name of ["demo", "constructor", "toString", "CON"]) {
    const error = await failure({ stdio: [`${name}=x`] });
    assert.equal(error.exitCode, 2, name);
    assert.ok(error.message.includes(`"${name}"`), error.message);
  }
  const twice = await failure({ stdio: ["a=x"], http: ["a=https://a.example"] });
  assert.match(twice.message, /^Server name "a" is given twice/);
  // Not a name at all: the whole text is the command then.
  const { servers } = await load({ stdio: ["__proto__=x"] });
  assert.equal(spec<StdioSpec>(servers, servers.adHoc[0]!).command, "__proto__=x");
});

Deno.test("loadServers gives --env and --header to the one server they can mean", async () => {
  const { servers } = await load({ stdio: ["a=x"], env: ["A=b=c", "EMPTY="] });
  const env = spec<StdioSpec>(servers, "a").env;
  assert.equal(env["A"]!.reveal(), "b=c");
  assert.equal(env["EMPTY"]!.reveal(), "");
  const remote = await load({ http: ["a=https://a.example"], header: ["A: b: c", "Empty:"] });
  const headers = spec<HttpSpec>(remote.servers, "a").headers;
  assert.equal(headers["A"]!.reveal(), "b: c");
  assert.equal(headers["Empty"]!.reveal(), "");
});

Deno.test("loadServers refuses malformed --env and --header without repeating them (A5)", async () => {
  const stdio = { stdio: ["a=x"] };
  const http = { http: ["a=https://a.example"] };
  const cases: readonly (readonly [ServerFlags, RegExp])[] = [
    [{ ...stdio, env: ["sesame"] }, /^--env needs NAME=value$/],
    [{ ...stdio, env: ["=sesame"] }, /^--env needs NAME=value$/],
    [{ ...stdio, env: ["A B=sesame"] }, /^Variable name "A B" is not valid$/],
    [{ ...http, header: ["sesame"] }, /^--header needs "Name: value"$/],
    [{ ...http, header: [": sesame"] }, /^--header needs "Name: value"$/],
    [{ ...http, header: ["A b: sesame"] }, /^--header needs "Name: value"$/],
    [{ ...http, header: ["A(b: sesame"] }, /^Header name "A\(b" is not valid$/],
    [{ ...http, header: ["A: b\r\nC: sesame"] }, /^Header "A" has a value of more than one line$/],
  ];
  for (const [flags, message] of cases) {
    const error = await failure(flags);
    assert.equal(error.exitCode, 2);
    assert.match(error.message, message);
    assert.ok(!JSON.stringify(error).includes("sesame"));
  }
});

Deno.test("loadServers refuses flags that would be dropped (A6)", async () => {
  const cases: readonly ServerFlags[] = [
    { env: ["A=b"] },
    { header: ["A: b"] },
    { stdio: ["x", "y"], env: ["A=b"] },
    { stdio: ["x"], http: ["https://a.example"], header: ["A: b"] },
    { stdio: ["x"], header: ["A: b"] },
    { http: ["https://a.example"], env: ["A=b"] },
  ];
  for (const flags of cases) assert.equal((await failure(flags)).kind, "usage");
});

Deno.test("loadServers refuses variables that load code when a flag sets them (A17)", async () => {
  for (const name of ["LD_PRELOAD", "ld_preload", "NODE_OPTIONS", "BASH_FUNC_x%%"]) {
    const error = await failure({ stdio: ["x"], env: [`${name}=sesame`] });
    assert.equal(error.exitCode, 6);
    assert.ok(error.message.includes(name) && !error.message.includes("sesame"), error.message);
  }
});

Deno.test("loadServers refuses a header that is given twice, whatever its case (A18)", async () => {
  for (const second of ["Authorization: c", "authorization: c"]) {
    const error = await failure({
      http: ["https://a.example"],
      header: ["Authorization: b", second],
    });
    assert.equal(error.exitCode, 2);
    assert.match(error.message, /is given twice$/);
  }
});

Deno.test("loadServers refuses an address that is not http(s), with its secrets masked (X3)", async () => {
  for (const url of ["ftp://me:sesame@a.example", "sesame", "file:///etc/passwd"]) {
    const error = await failure({ http: [url] });
    assert.equal(error.exitCode, 2);
    assert.ok(!error.message.includes("sesame"), error.message);
  }
});

Deno.test("findServer names the nearest servers for one it does not know", async () => {
  const { servers } = await load({}, { own: OWN });
  assert.equal(findServer(servers, "web").name, "web");
  for (const [text, hint] of [["wen", `"web"`], ["FILES", `"files"`], ["dmeo", `"demo"`]]) {
    assert.throws(() => findServer(servers, text!), (error) => {
      assert.ok(error instanceof AppError && error.kind === "usage");
      return error.hint!.includes(hint!);
    });
  }
  assert.throws(() => findServer(servers, "zzzzzzzz"), (error) => {
    return error instanceof AppError && /server add/.test(error.hint!);
  });
  assert.throws(() => findServer(servers, "web "), { kind: "usage" });
});

Deno.test("findServer gives the line that adds a well-known server", async () => {
  const { servers } = await load();
  for (const name of ["github", "Playwright"]) {
    assert.throws(() => findServer(servers, name), {
      hint: new RegExp(`^mcp-exec server add ${name.toLowerCase()} `),
    });
  }
});

Deno.test("loadServers reads the files of clients only for servers it does not know itself", async () => {
  const project = "{ broken";
  const known = await load({ stdio: ["given=x"] }, { own: OWN, project }, ["web", "demo", "given"]);
  assert.deepEqual([known.shown, known.servers.found], ["", []]);
  const unknown = await load({}, { own: OWN, project }, ["web", "other"]);
  assert.match(unknown.shown, /"\.mcp\.json" is not valid JSON/);
});

Deno.test("findServer says why an entry cannot be used, with the exit code of the reason (A17)", async () => {
  const project = `{ "mcpServers": { "evil": { "command": "x", "env": { "LD_PRELOAD": "y" } } } }`;
  const { servers, shown } = await load({ trust: true }, { project });
  assert.match(shown, /LD_PRELOAD/);
  assert.throws(() => findServer(servers, "evil"), (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.exitCode, 6);
    return /^Server "evil" of "\.mcp\.json" is left out: .*LD_PRELOAD/.test(error.message);
  });
});

Deno.test("freeName numbers a name that is taken and keeps it valid", () => {
  const taken = new Set(["a", "a-2"]);
  assert.equal(freeName("b" as ServerName, (name) => taken.has(name)), "b");
  assert.equal(freeName("a" as ServerName, (name) => taken.has(name)), "a-3");
  const long = "x".repeat(64) as ServerName;
  assert.equal(freeName(long, (name) => name === long), `${"x".repeat(58)}-2`);
});

Deno.test("splitCommand splits as a shell does", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["a b  c", ["a", "b", "c"]],
    ["  a\t b\n", ["a", "b"]],
    [`a "b c" 'd e'`, ["a", "b c", "d e"]],
    [`a"b c"'d'e`, ["ab cde"]],
    [`a '' ""`, ["a", "", ""]],
    [`a b\\ c \\"`, ["a", "b c", `"`]],
    [`"a\\"b" "c\\\\d" "e\\n"`, [`a"b`, "c\\d", "e\\n"]],
    [`'a\\b' 'c"d' "e'f"`, ["a\\b", `c"d`, "e'f"]],
    ["a \\\n  b", ["a", "b"]],
    [`"a \\\nb"`, ["a b"]],
    ["a\\", ["a\\"]],
  ];
  for (const [text, words] of cases) assert.deepEqual(splitCommand(text), words, text);
});

Deno.test("loadServers takes the paths of Windows for commands as they are", async () => {
  const stdio = [String.raw`a=C:\tools\server.exe --root "D:\my files" 'x' \"`];
  const { servers } = await load({ stdio }, { platform: "windows" });
  const spec = servers.specs.get(servers.adHoc[0]!) as StdioSpec;
  assert.equal(spec.command, String.raw`C:\tools\server.exe`);
  assert.deepEqual(spec.args, ["--root", String.raw`D:\my files`, "x", '"']);
});

Deno.test("splitCommand hands on what a shell would interpret (A16)", () => {
  assert.deepEqual(splitCommand("a; b && c | d > e $(f) `g` $HOME ~ * #h"), [
    ..."a; b && c | d > e $(f) `g` $HOME ~ * #h".split(" "),
  ]);
  assert.deepEqual(splitCommand(`x 'a\nb' "$(id)"`), ["x", "a\nb", "$(id)"]);
});

Deno.test("splitCommand refuses an open quote and an empty command", () => {
  for (const text of [`a "b`, "a 'b", `"`, `a "b\\"`]) {
    assert.throws(() => splitCommand(text), { kind: "usage", message: /quote that is not closed/ });
  }
  for (const text of ["", "   ", `""`, `'' a`]) {
    assert.throws(() => splitCommand(text), { kind: "usage", message: /needs a command/ });
  }
});
