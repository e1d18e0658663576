// The bundle as people get it: built once, run in an empty folder with an empty cache.

import assert from "node:assert/strict";
import {
  build,
  BUNDLE_FLAGS,
  checkTexts,
  loadDirectly,
  loadedBy,
  PERMISSION_FLAGS,
  reachableFrom,
} from "../scripts/build.ts";
import { VERSION } from "../src/version.ts";
import { ROOT } from "./specs/run.ts";
import { HAS_TERMINAL } from "./terminal.ts";

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

/** An empty folder to run in, with an empty cache and nobody's variables. */
async function emptyPlace() {
  const cwd = await Deno.makeTempDir({ dir: base });
  const env = {
    PATH: Deno.env.get("PATH") ?? "",
    HOME: `${base}/home`,
    DENO_DIR: `${cwd}/cache`,
    DENO_NO_UPDATE_CHECK: "1",
  };
  return { cwd, clearEnv: true, env };
}

async function start(args: readonly string[], { from = dist, flags = [] as string[] } = {}) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...BUNDLE_FLAGS, ...PERMISSION_FLAGS, ...flags, `${from}/main.js`, ...args],
    ...await emptyPlace(),
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
  [["demo"], /\n {2}saved +\d\d\.\d %\n$/],
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
  [["skill", "list"], /^$/],
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

Deno.test({
  name: "build makes a bundle over whose output on a terminal Deno writes nothing of its own",
  ignore: !HAS_TERMINAL,
  async fn() {
    const words = [Deno.execPath(), "run", ...BUNDLE_FLAGS, ...PERMISSION_FLAGS]
      .concat(`${dist}/main.js`, "server", "list");
    const line = words.map((word) => `'${word}'`).join(" ");
    const place = await emptyPlace();
    const { stdout } = await new Deno.Command("script", {
      args: ["-qfec", `stty cols 80 rows 24; exec ${line}`, "/dev/null"],
      ...place,
      env: { ...place.env, TERM: "xterm", SHELL: "/bin/sh" },
      stdin: "null",
    }).output();
    const screen = new TextDecoder().decode(stdout);
    assert.match(screen, /^demo .*built in/m);
    assert.ok(!screen.includes("\u001b[2K"), JSON.stringify(screen));
  },
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

async function readTexts(): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for (const { path } of files) {
    if (path.endsWith(".js")) texts.set(path, await Deno.readTextFile(`${dist}/${path}`));
  }
  return texts;
}

Deno.test("build leaves little to read before the version is shown, and before a program runs", async () => {
  const texts = await readTexts();
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

Deno.test("build leaves no file that nothing loads, and takes from files only what they export", async () => {
  const texts = await readTexts();
  const loaded = ["main.js", "src/guest.js"].flatMap((entry) => reachableFrom(entry, texts));
  assert.deepEqual([...new Set(loaded)].sort(), [...texts.keys()].sort());
  const exportsOf = (file: string) =>
    [...texts.get(file)!.matchAll(/\bexport\{([^}]*)\}/g)].flatMap(([, list]) =>
      list!.split(",").map((item) => item.split(" as ").at(-1)!)
    );
  const direct = [...texts.values()].flatMap((text) => [
    ...text.matchAll(/\bimport\("\.\/([^"]+)"\)\.then\(e=>\(\{((?:get [^}]*\},?)+)\}\)\)/g),
  ]);
  assert.ok(direct.length > 20, `${direct.length}`);
  for (const [, file, members] of direct) {
    const taken = [...members!.matchAll(/return e\.([\w$]+)/g)].map(([, name]) => name!);
    const known = exportsOf(file!);
    assert.deepEqual(taken.filter((name) => !known.includes(name)), [], file);
  }
});

/** A bundle with everything in it that can go wrong when modules are loaded by another way. */
const CHUNKS: Readonly<Record<string, string>> = {
  "main.js":
    `import{a as l}from"./log.js";import"./idle.js";import"./busy.js";import"./again.js";` +
    `let n=await import("./facade.js"),d=await import("./default.js"),s=await import("./both.js"),` +
    `h=await import("./hasty.js");n.raise();l.push(n.count,n["default"](),d.default,` +
    `Object.keys(s).sort().join(),Object.keys(n).sort().join(),h.k,(await import("./kept.js")).k);` +
    `export{l as said};`,
  "log.js": `var l=[];export{l as a};`,
  "shared.js": `import{a as l}from"./log.js";l.push("shared");var n=0,f=()=>{n++},g=()=>"g"+n;` +
    `export{n as a,f as b,g as c};`,
  // Its exports change, are called "default" and go by other names than their own.
  "facade.js": `import{a as t,b as e,c as r}from"./shared.js";import"./log.js";` +
    `export{t as count,r as default,e as raise};\n`,
  "default.js": `import{a as t}from"./shared.js";export{t as default};`,
  "both.js": `import{b as e,c}from"./shared.js";import"./idle.js";export{e as one,c};`,
  // What stands behind does not load all that it loads.
  "hasty.js": `import{a as k}from"./kept.js";import"./late.js";export{k};`,
  "late.js": `import{a as l}from"./log.js";l.push("late");`,
  // A facade that is needed by its own name, too.
  "kept.js": `import{c as a}from"./values.js";export{a,a as k};`,
  "values.js": `var c="kept";export{c};`,
  "idle.js":
    `var a="x",b=1,c=()=>{},d=Object.prototype.hasOwnProperty,e;function f(){}export{a,b};`,
  "busy.js": `import{a as l}from"./log.js";l.push("busy");`,
  "again.js": `export{t}from"./effect.js";`,
  "effect.js": `import{a as l}from"./log.js";l.push("effect");var t=1;export{t};`,
};

Deno.test("loadDirectly has modules do and give what they did, from fewer files", async () => {
  const before = new Map(Object.entries(CHUNKS));
  const after = loadDirectly(before);
  const said: unknown[] = [];
  for (const texts of [before, after]) {
    const folder = await Deno.makeTempDir({ dir: base });
    for (const [path, text] of texts) await Deno.writeTextFile(`${folder}/${path}`, text);
    said.push((await import(new URL(`file://${folder}/main.js`).href)).said);
  }
  const wanted = ["busy", "effect", "shared", "late", 1, "g1", 1, "c,one", "count,default,raise"];
  assert.deepEqual(said, [[...wanted, "kept", "kept"], [...wanted, "kept", "kept"]]);
  const gone = [...before.keys()].filter((path) => !after.has(path));
  assert.deepEqual(gone, ["facade.js", "default.js", "both.js"]);
  assert.ok(!reachableFrom("main.js", after).includes("idle.js"), "for effects that it has not");
});

Deno.test("loadDirectly keeps what is loaded for its effects", () => {
  for (
    const text of [
      ...[
        "f();",
        "var a=f();",
        "var a=new f;",
        "var a=b.c;",
        "var{a=f()}=Object;",
        "var a=`${b}`;",
      ],
      ...[
        "class a{static b=c()}",
        'import"./c.js";',
        'export*from"./c.js";',
        "export default f();",
      ],
    ]
  ) {
    const texts = new Map([["main.js", 'import"./b.js";a()'], ["b.js", text], ["c.js", "f()"]]);
    assert.deepEqual(loadDirectly(texts), texts, text);
  }
});

Deno.test("reachableFrom names a file that is asked for and not there", () => {
  const texts = new Map([["main.js", 'import("./a.js")'], ["a.js", 'import"./b.js";']]);
  assert.throws(() => reachableFrom("main.js", texts), /^Error: "b\.js" is not in the bundle$/);
});

Deno.test("checkTexts refuses what would not run elsewhere, and paths of this machine", () => {
  const check = (text: string) => checkTexts(new Map([["a.js", text]]), ["/home/ana", "C:\\work"]);
  check('import "./b.js"; "/home/anabel/x"');
  assert.throws(() => check('throw Error("Dynamic require of fs")'), /asks for "require"/);
  assert.throws(() => check('"/home/ana/x"'), /path of this machine/);
  assert.throws(() => check('"C:\\\\work\\\\x"'), /path of this machine/);
});
