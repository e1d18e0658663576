// The bundle as people get it: built once, run in an empty folder with an empty cache.

import assert from "node:assert/strict";
import { build, BUNDLE_FLAGS, checkTexts, loadedBy, PERMISSION_FLAGS } from "../scripts/build.ts";
import { VERSION } from "../src/version.ts";
import { ROOT } from "./specs/run.ts";

const base = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-build-" }));
const dist = `${base}/dist`;
const { files } = await build({ out: dist });
globalThis.addEventListener("unload", () => Deno.removeSync(base, { recursive: true }));

const cache = Deno.env.get("DENO_DIR") ??
  `${Deno.env.get("HOME")}/${Deno.build.os === "darwin" ? "Library/Caches" : ".cache"}/deno`;
// The fixture's own packages come from this machine's cache; the bundle has none.
const server = [
  ...["--stdio", `honest=${Deno.execPath()} run -A ${ROOT}/tests/servers/honest.ts`],
  ...["--env", `DENO_DIR=${cache}`],
];

async function start(args: readonly string[], { from = dist, flags = [] as string[] } = {}) {
  const place = await Deno.makeTempDir({ dir: base });
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...BUNDLE_FLAGS, ...PERMISSION_FLAGS, ...flags, `${from}/main.js`, ...args],
    cwd: place,
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: `${base}/home`,
      DENO_DIR: `${place}/cache`,
      DENO_NO_UPDATE_CHECK: "1",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function run(args: readonly string[], options: Parameters<typeof start>[1] = {}) {
  const child = await start(args, options);
  await child.stdin.close();
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

const commands: readonly (readonly [args: readonly string[], stdout: RegExp])[] = [
  [["--version"], new RegExp(`^${VERSION.replaceAll(".", "\\.")}\n$`)],
  [["--help"], /COMMANDS\n {2}introspect/],
  [["demo"], /./],
  [["introspect", "demo"], /createIssue\(params: /],
  [["introspect", ...server], /addNumbers\(params: /],
  [["call", "add_numbers", "a:=2", "b:=3", ...server], /5/],
  [["execute", "-e", "export default 1"], /^1\n$/],
  [["execute", "-e", "const a: number = 2; return a"], /^2\n$/],
  [
    ["execute", "-e", "return (await callTool('honest', 'add_numbers', { a: 1, b: 2 }))"].concat(
      server,
    ),
    /3/,
  ],
  [
    ["execute", "-e", 'import { listUsers } from "mcp:demo"; export default listUsers.name'],
    /^listUsers\n$/,
  ],
  [["search", "issue"], /create_issue/],
  [["skill", "list"], /^/],
  [["stats"], /^runs +\d/],
  [["config", "show"], /limits\.timeout/],
  [["server", "list"], /demo/],
  [["debug", "info"], new RegExp(VERSION.replaceAll(".", "\\."))],
  [["completions", "bash"], /__complete/],
  [["__complete", "exec"], /execute/],
  [["generate", "demo", "--dry-run"], /SKILL\.md/],
];
for (const [args, stdout] of commands) {
  const title = args.slice(0, 3).join(" ").replaceAll(/--stdio.*/g, "a server");
  Deno.test(`build makes a bundle that runs "${title}" in an empty folder`, async () => {
    const outcome = await run(args);
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.match(outcome.stdout, stdout);
  });
}

Deno.test('build makes a bundle that runs "serve" in an empty folder', async () => {
  const messages = [
    {
      id: 1,
      method: "initialize",
      params: {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "test", version: "1" },
      },
    },
    { method: "notifications/initialized" },
    {
      id: 2,
      method: "tools/call",
      params: { name: "execute_code", arguments: { code: "return 6 * 7" } },
    },
  ].map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const child = await start(["serve"]);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(messages.join("")));
  let shown = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    shown += text;
    const answer = shown.split("\n").slice(0, -1).find((line) => line.includes('"id":2'));
    if (answer === undefined) continue;
    assert.equal(JSON.parse(answer).result?.content?.[0]?.text, "42", answer);
    break;
  }
  await writer.close();
  const said = await new Response(child.stderr).text();
  assert.equal((await child.status).code, 0, said);
  assert.match(shown, /"id":2/);
});

// What it may still do is asked when it ends.
const PROBE = `addEventListener("unload", () => {
  const states = ["net", "run", "write", "read", "ffi"].map((name) =>
    name + " " + Deno.permissions.querySync({ name }).state);
  Deno.stderr.writeSync(new TextEncoder().encode("PROBE " + states.join(", ") + "\\n"));
});`;
const allowed: readonly (readonly [args: readonly string[], granted: readonly string[]])[] = [
  [["stats"], ["write", "read"]],
  [["config", "show"], ["write", "read"]],
  [["skill", "list"], ["write", "read"]],
  [["completions", "bash"], ["read"]],
  [["__complete", "introspect", ""], ["write", "read"]],
  [["execute", "-e", "export default 1"], ["net", "run", "write", "read"]],
];
for (const [args, granted] of allowed) {
  Deno.test(`main lets "${args.slice(0, 2).join(" ")}" keep only what it needs`, async () => {
    const probe = `${base}/probe.js`;
    await Deno.writeTextFile(probe, PROBE);
    const { code, stderr } = await run(args, { flags: ["--preload", probe] });
    assert.equal(code, 0, stderr);
    const states = [.../^PROBE (.*)$/m.exec(stderr)![1]!.matchAll(/(\w+) granted/g)];
    assert.deepEqual(states.map(([, name]) => name), granted);
  });
}

Deno.test("build makes the same bytes again", async () => {
  const again = `${base}/again`;
  assert.deepEqual((await build({ out: again })).files, files);
  for (const { path } of files) {
    const [first, second] = await Promise.all(
      [dist, again].map((folder) => Deno.readFile(`${folder}/${path}`)),
    );
    assert.deepEqual(first, second, path);
  }
});

for (const name of ["quickjs.wasm", "prelude.bin"]) {
  Deno.test(`build makes a bundle that refuses another ${name}, X7`, async () => {
    const from = await Deno.makeTempDir({ dir: base });
    for (const { path } of files) {
      await Deno.mkdir(`${from}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.copyFile(`${dist}/${path}`, `${from}/${path}`);
    }
    const bytes = await Deno.readFile(`${from}/${name}`);
    bytes[bytes.length - 1000] = bytes[bytes.length - 1000]! ^ 1;
    const refused = async (reason: RegExp) => {
      const { code, stdout, stderr } = await run(["execute", "-e", "export default 1"], { from });
      assert.deepEqual([code, stdout], [6, ""], stderr);
      assert.match(stderr, reason);
    };
    for (const altered of [bytes, new Uint8Array(), bytes.slice(0, 1000)]) {
      await Deno.writeFile(`${from}/${name}`, altered);
      await refused(/^error: Engine file is not the known one/m);
    }
    await Deno.remove(`${from}/${name}`);
    await refused(/^error: Engine file "[\w.]+" is not there\n {2}hint: install mcp-exec again$/m);
  });
}

Deno.test("build leaves little to read before the version is shown, and before a program runs", async () => {
  const texts = new Map<string, string>();
  for (const { path } of files) {
    if (path.endsWith(".js")) texts.set(path, await Deno.readTextFile(`${dist}/${path}`));
  }
  assert.ok(loadedBy(["main.js"], texts).length <= 2);
  assert.deepEqual(loadedBy(["src/guest.js"], texts), ["src/guest.js"]);
  // A text that one module has and no other.
  const fileWith = (known: string) => [...texts].find(([, text]) => text.includes(known))![0];
  const [commandLine, execute, parser, client] = [
    "turns MCP servers into code",
    "Runs a program and prints its result",
    "exceptionWhileParsing",
    "No daemon is used",
  ].map(fileWith);
  assert.ok(loadedBy(["main.js", commandLine!, execute!, parser!], texts).length <= 12);
  // What a daemon does is not loaded beside it.
  const bytes = loadedBy([client!], texts).reduce((sum, path) => sum + texts.get(path)!.length, 0);
  assert.ok(bytes < 50_000, `${bytes}`);
});

Deno.test("checkTexts refuses what would not run elsewhere, and paths of this machine", () => {
  const check = (text: string) => checkTexts(new Map([["a.js", text]]), ["/home/ana", "C:\\work"]);
  check('import "./b.js"; "/home/anabel/x"');
  assert.throws(() => check('throw Error("Dynamic require of fs")'), /asks for "require"/);
  assert.throws(() => check('"/home/ana/x"'), /path of this machine/);
  assert.throws(() => check('"C:\\\\work\\\\x"'), /path of this machine/);
});
