// What README.md says, tried: every command in it is typed in a fresh folder with a fresh home, what
// it shows as printed is compared, and its tables are held against the program. What cannot run here
// (downloads, a browser, packages) is named with the reason and checked in another way.

import assert from "node:assert/strict";
import { rowProblems, SOURCES } from "../scripts/figures.ts";
import { printed, rowsOf } from "../scripts/man.ts";
import { README } from "../scripts/reference.ts";
import { SETTINGS } from "../src/config_file.ts";
import { EXIT_CODES } from "../src/errors.ts";
import {
  type Desk,
  isPrinted,
  makeDesk,
  plainLine,
  readCommands,
  readFences,
  readSteps,
} from "./readme_blocks.ts";

const ROOT = new URL("../", import.meta.url);
const TEXT = await Deno.readTextFile(README);
const FENCES = readFences(TEXT);
const DOWNLOADS = "https://github.com/mcp-exec/mcp-exec/releases/latest/download/";
// The commands are typed into a shell of Unix.
const ignore = Deno.build.os === "windows";

function exists(path: string): Promise<boolean> {
  return Deno.stat(new URL(path, ROOT)).then(() => true, () => false);
}

/** The clients' files that the tour's person has. */
async function giveServers(desk: Desk): Promise<void> {
  const memory = { command: "npx", args: ["-y", "@modelcontextprotocol/server-memory"] };
  await desk.write("~/.claude.json", JSON.stringify({ mcpServers: { memory } }));
  const linear = { url: "https://mcp.linear.app/mcp" };
  await desk.write("~/.cursor/mcp.json", JSON.stringify({ mcpServers: { linear } }));
  const database = { command: "node", args: ["tools/database.js"] };
  await desk.write(".mcp.json", JSON.stringify({ mcpServers: { database } }));
}

Deno.test({
  name: "README: the tour prints what it shows, typed in order in a fresh folder",
  ignore,
  async fn() {
    await using desk = await makeDesk();
    await giveServers(desk);
    for (const { language, lines } of FENCES.filter(({ language }) => language === "ts")) {
      const [, path] = /^\/\/ (\S+\.ts)$/.exec(lines[0]!) ?? [];
      assert.ok(path !== undefined, `a ${language} block names no file`);
      await desk.write(path, `${lines.join("\n")}\n`);
    }
    const steps = FENCES.filter(({ language }) => language === "console").flatMap(readSteps);
    assert.ok(steps.length >= 8);
    for (const { command, output } of steps) {
      const { printed } = await desk.type(command);
      assert.ok(
        isPrinted(printed, output),
        `$ ${command}\n${printed.split("\n").map(plainLine).join("\n")}`,
      );
    }
  },
});

interface Line {
  /** Typed instead: what asks on a terminal is told to go ahead. */
  readonly instead?: string;
  readonly prepare?: (desk: Desk) => Promise<void>;
  /** What stands for running it, with the reason why it does not run here. */
  readonly check?: () => Promise<void>;
  readonly serves?: boolean;
}

/** A release has the file, and its tests try it. */
async function checkReleased(name: string): Promise<void> {
  const [made, ...tried] = await Promise.all(
    ["scripts/release.ts", "tests/release_test.ts", "tests/install_test.ts"].map((path) =>
      Deno.readTextFile(new URL(path, ROOT))
    ),
  );
  assert.ok(made!.includes(`write("${name}"`), name);
  assert.ok(tried.some((text) => text.includes(`/${name}`)), name);
}

async function checkPortable(): Promise<void> {
  const made = await Deno.readTextFile(new URL("scripts/release.ts", ROOT));
  assert.ok(made.includes('flags.get("--out") ?? "build/release"'));
  assert.ok(made.includes("`${nameFor(target)}-portable`"));
  const tried = await Deno.readTextFile(new URL("tests/release_test.ts", ROOT));
  assert.match(tried, /-portable`;[^]*Deno\.symlink\(/);
}

async function checkTask(name: string): Promise<void> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  assert.equal(typeof tasks[name], "string", name);
}

const deno = (command: string) => command.replace("npx -y deno@2.9.6", `'${Deno.execPath()}'`);
const inCheckout = (command: string) => `cd '${ROOT.pathname}' && ${deno(command)}`;
const ALIAS =
  'alias mcp-exec="npx -y deno@2.9.6 run -A --unstable-worker-options --v8-flags=--stack-size=3400 $PWD/main.ts"';

/** Every line of the `sh` blocks; one that is missing here fails. */
const LINES: ReadonlyMap<string, Line> = new Map<string, Line>([
  ["npx -y deno@2.9.6 task demo", { instead: inCheckout("npx -y deno@2.9.6 task demo") }],
  // It is what runs this.
  ["npx -y deno@2.9.6 task test", { check: () => checkTask("test") }],
  [ALIAS, { instead: `${inCheckout(ALIAS)}\nmcp-exec --version` }],
  // Takes half a minute; tests/release_test.ts unpacks what it makes and starts it by a link.
  ["npx -y deno@2.9.6 task release", { check: () => checkTask("release") }],
  ["mkdir -p ~/.local/lib/mcp-exec ~/.local/bin", {}],
  [
    "tar -xzf build/release/mcp-exec-*-portable.tar.gz -C ~/.local/lib/mcp-exec --strip-components 1",
    { check: checkPortable },
  ],
  ["ln -sf ~/.local/lib/mcp-exec/mcp-exec ~/.local/bin/mcp-exec", { check: checkPortable }],
  // Nothing is downloaded in tests: the scripts are run from a local server elsewhere.
  [`curl -fsSL ${DOWNLOADS}install.sh | sh`, { check: () => checkReleased("install.sh") }],
  [`curl -fsSLO ${DOWNLOADS}mcp-exec.rb`, { check: () => checkReleased("mcp-exec.rb") }],
  ["brew install --formula ./mcp-exec.rb", { check: () => checkReleased("mcp-exec.rb") }],
  // Takes a registry: the integration tests run the package with npx.
  ["npx mcp-exec introspect demo", { instead: "mcp-exec introspect demo" }],
  ["mcp-exec serve --install claude-code", {
    instead: "mcp-exec serve --install claude-code --yes",
  }],
  [
    "mcp-exec server import --move",
    { instead: "mcp-exec server import --move --yes", prepare: giveServers },
  ],
  [
    "(umask 077 && openssl rand -hex 32 > token)",
    {
      instead: "command -v openssl || exit 0; (umask 077 && openssl rand -hex 32 > token) && " +
        'test "$(find token -perm 600)" = token',
    },
  ],
  ["mcp-exec serve --http 127.0.0.1:7337", {
    serves: true,
    instead: "mcp-exec serve --http 127.0.0.1:0",
  }],
  ["mcp-exec serve --http 0.0.0.0:8080 --token-file token --allow-host tools.example.com", {
    serves: true,
    prepare: (desk) => desk.write("token", `${"0123456789abcdef".repeat(4)}\n`),
    instead: "mcp-exec serve --http 0.0.0.0:0 --token-file token --allow-host tools.example.com",
  }],
  // A package from npm: the integration tests type it.
  [
    'mcp-exec introspect --stdio "npx -y @modelcontextprotocol/server-memory"',
    { check: () => Promise.resolve() },
  ],
  ["mcp-exec server add memory -- npx -y @modelcontextprotocol/server-memory", {}],
  [
    "mcp-exec server add docs https://example.com/mcp --header 'Authorization: Bearer ${DOCS_TOKEN}'",
    {},
  ],
  // Takes a browser and a person; tests/sign_in_test.ts has both played.
  ["mcp-exec server login linear", { instead: "mcp-exec server login --help" }],
  ["mcp-exec server validate --all", {}],
  ["mcp-exec daemon start", { instead: "mcp-exec daemon start && mcp-exec daemon stop" }],
  ["mcp-exec daemon stop", { instead: "mcp-exec daemon start && mcp-exec daemon stop" }],
  ["mcp-exec config set daemon.keepWarm true", {}],
]);

Deno.test({
  name: "README: every line of its sh blocks runs, or is named here with what stands for it",
  ignore,
  async fn() {
    const commands = readCommands(TEXT);
    assert.deepEqual([...new Set(commands)].sort(), [...LINES.keys()].sort());
    const waiting = [...LINES];
    const worker = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await typeLine(...next);
      }
    };
    // All have ended when one has failed.
    const ends = await Promise.allSettled([worker(), worker(), worker()]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  },
});

async function typeLine(
  command: string,
  { instead, prepare, check, serves }: Line,
): Promise<void> {
  if (check !== undefined) return await check();
  await using desk = await makeDesk();
  await prepare?.(desk);
  if (serves === true) return await checkServing(desk, instead ?? command);
  const { code, printed } = await desk.type(instead ?? command);
  assert.equal(code, 0, `${command}\n${printed}`);
}

async function checkServing(desk: Desk, command: string): Promise<void> {
  const child = desk.start(command);
  const reader = child.stderr.getReader();
  const decoder = new TextDecoder();
  let said = "";
  try {
    while (!/http:\/\/\S+\/mcp/.test(said)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`${command} ended: ${said}`);
      said += decoder.decode(value);
    }
  } finally {
    child.kill("SIGTERM");
    await Promise.all([reader.cancel(), child.stdout.cancel(), child.status]);
  }
}

Deno.test("README: the line for Windows takes a file that a release has", async () => {
  const [block, ...others] = FENCES.filter(({ language }) => language === "powershell");
  assert.deepEqual(others, []);
  assert.deepEqual(block!.lines, [`irm ${DOWNLOADS}install.ps1 | iex`]);
  await checkReleased("install.ps1");
});

Deno.test({
  name: "README: an agent sees the tools that it lists",
  ignore,
  async fn() {
    await using desk = await makeDesk();
    const paths = [...TEXT.matchAll(/`(\/mcp-tools\/[^`]+\.ts)`/g)].map(([, path]) => path);
    assert.equal(paths.length, 1);
    await desk.write(
      "requests",
      [
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
        { id: 2, method: "tools/list" },
        { id: 3, method: "tools/call", params: { name: "read_tool_files", arguments: { paths } } },
      ].map((message) => JSON.stringify({ jsonrpc: "2.0", ...message })).join("\n") + "\n",
    );
    const { printed } = await desk.type("mcp-exec serve < requests 2>&-");
    const answer = printed.split("\n").find((line) => line.includes('"tools":['));
    assert.ok(answer !== undefined, printed);
    const names: string[] = JSON.parse(answer).result.tools.map(({ name }: { name: string }) =>
      name
    );
    const listed = [...TEXT.matchAll(/^\| `([a-z]+_[a-z_]+)` +\|/gm)].map(([, name]) => name);
    assert.deepEqual(listed, names);
    const file = printed.split("\n").find((line) => line.includes('"id":3'));
    const { content, isError } = JSON.parse(file!).result;
    assert.ok(isError !== true, content[0].text);
    assert.match(content[0].text, /^export async function /m);
  },
});

Deno.test("README: its configuration is one, with nothing unknown in it", { ignore }, async () => {
  const [config] = FENCES.filter(({ language }) => language === "json");
  await using desk = await makeDesk();
  await desk.write("config.json", config!.lines.join("\n"));
  const { code, printed } = await desk.type("mcp-exec server list --config config.json");
  assert.equal(code, 0, printed);
  assert.doesNotMatch(printed, /warning|error/);
  assert.match(printed, /^memory .*\n?github /m);
});

Deno.test("README: what it names in code font is there: commands, flags, tasks and files", async () => {
  const words = [...TEXT.matchAll(/`(mcp-exec\s[^`]+)`/g)].map(([, line]) =>
    line!.replace(/\s+/g, " ")
  );
  assert.ok(words.length >= 3);
  for (const line of words.filter((line) => !line.includes("<command>"))) {
    const names = line.split(" ").slice(1).filter((word) => /^[a-z]+$/.test(word));
    const isGroup = /^COMMANDS$/m.test(await printed([...names.slice(0, 1), "--help"]));
    const help = await printed([...names.slice(0, isGroup ? 2 : 1), "--help"]);
    for (const [flag] of line.matchAll(/--[a-z][a-z-]*/g)) {
      assert.ok(help.includes(flag), `\`${line}\` has no ${flag}`);
    }
  }
  for (const [, task] of TEXT.matchAll(/`deno task (\w+)[^`]*`/g)) await checkTask(task!);
  for (const [, name] of TEXT.matchAll(/`deno task bench (\w+)`/g)) {
    assert.ok(await exists(`bench/${name}_bench.ts`), name);
  }
  for (const [, path] of TEXT.matchAll(/`((?:src|scripts|tests|bench)\/[\w./]*)/g)) {
    assert.ok(await exists(path!), path);
  }
});

Deno.test("README: its links lead to files and headings that are there", async () => {
  const links = [...TEXT.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link!);
  const own = links.filter((link) => !link.startsWith("https://"));
  assert.ok(own.length > 10);
  for (const link of own) {
    const [path, anchor] = link.split("#");
    assert.ok(await exists(path!), link);
    if (anchor === undefined) continue;
    const text = await Deno.readTextFile(new URL(path!, ROOT));
    assert.match(text, new RegExp(`^#+ ${anchor.replaceAll("-", "[- ]")}$`, "m"), link);
  }
});

/** The first cells of the table whose head begins with `title`, without code marks. */
function firstCells(title: string): string[] {
  const [, body] = TEXT.split(new RegExp(`^\\| ${title} +\\|.*\\n\\|[ -|]+\\n`, "m"));
  return body!.split("\n\n", 1)[0]!.trim().split("\n").map((line) => line.split("|")[1]!.trim());
}

Deno.test("README: its limits are set with flags and settings that there are", async () => {
  const [, table] = /<!-- begin limits[^]*?\n\n([^]*?)\n\n/.exec(TEXT)!;
  const cells = table!.split("\n").slice(2).map((line) => line.split("|")[3]!);
  const named = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
  assert.ok(named.length > 10);
  const help = await printed(["execute", "--help"]);
  for (const name of named) {
    const isThere = name.startsWith("--")
      ? help.includes(`${name} `)
      : SETTINGS.some(({ key }) => key === name);
    assert.ok(isThere, name);
  }
});

Deno.test("README: its exit codes are those of the program", () => {
  const codes = new Set(Object.values(EXIT_CODES).map(String));
  assert.deepEqual(new Set(firstCells("code")), new Set(["0", ...codes]));
});

Deno.test("README: its variables are those that the program reads", async () => {
  const found = new Set<string>();
  for await (const { name, isFile } of Deno.readDir(new URL("src/", ROOT))) {
    if (!isFile) continue;
    const text = await Deno.readTextFile(new URL(`src/${name}`, ROOT));
    for (const [variable] of text.matchAll(/\bMCP_EXEC_[A-Z_]*[A-Z]/g)) found.add(variable);
  }
  // Set by the program itself, for the servers that it starts.
  found.delete("MCP_EXEC_DEPTH");
  const named = firstCells("variable").map((cell) => cell.replace(/`|_<ID>/g, ""));
  assert.deepEqual(
    named.filter((name) => name.startsWith("MCP_EXEC_")).sort(),
    [...found, "MCP_EXEC_SERVE_TOKEN"].filter((name, at, all) => all.indexOf(name) === at).sort(),
  );
});

Deno.test("README: it gives a reason for every dependency, and names every client", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const cells = firstCells("package").join(" ");
  for (const name of Object.keys(imports)) {
    const isThere = cells.includes(`\`${name}\``) ||
      cells.includes(`\`/${name.split("/").at(-1)}\``);
    assert.ok(isThere, name);
  }
  const help = (await printed(["server", "list", "--help"])).replace(/\s+/g, " ");
  const clients = /other clients \(([^)]+)\)/.exec(help)![1]!.split(", ");
  assert.ok(clients.length >= 10);
  for (const title of clients) assert.ok(TEXT.replaceAll("\n", " ").includes(title), title);
});

Deno.test("README: it names every client that serve --install writes for", async () => {
  const help = (await printed(["serve", "--help"])).replace(/\s+/g, " ");
  const [, list] = /after showing what changes: ([^.]+)\./.exec(help)!;
  const clients = list!.split(/, | or /);
  assert.ok(clients.length >= 10);
  const [, said] = /--install claude-code\n```\n\n([^]*?)\s+go, too;/.exec(TEXT)!;
  const named = [...said!.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name);
  assert.deepEqual(["claude-code", ...named].sort(), clients.sort());
});

Deno.test("README: every figure has its command and date, and none is made up", () => {
  assert.deepEqual(rowProblems(TEXT), []);
  for (const { figures } of SOURCES) {
    for (const { what, read } of figures) {
      assert.throws(() => read("nothing of the kind\n"), /nothing like/, what);
    }
  }
});

Deno.test("README: its table has the commands of the program, in their order", async () => {
  const help = await printed(["--help"]);
  const list = /^COMMANDS\n((?: .*\n)+)/m.exec(help)![1]!;
  const names = firstCells("command").map((cell) => /`(\w+)`/.exec(cell)?.[1]);
  assert.deepEqual(names, rowsOf(list).map(({ name }) => name));
});

Deno.test("README: its picture is well-formed, holds no code, and says what happens", async () => {
  const svg = await Deno.readTextFile(new URL(".github/loop.svg", ROOT));
  const open: string[] = [];
  const rest = svg.replace(/<(\/?)([\w:]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g, (...parts) => {
    const [, closes, name, , isEmpty] = parts as string[];
    if (closes === "/") assert.equal(open.pop(), name);
    else if (isEmpty !== "/") open.push(name!);
    return "";
  });
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest, /<|&(?!amp;|lt;|gt;)/, "a tag that is none");
  assert.doesNotMatch(svg, /<script|\son\w+=|href=|url\((?!#)|@import/);
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
  for (
    const words of [
      "Agent",
      "one program",
      "the answer",
      "Sandbox",
      "Bridge",
      "no network, no disk",
    ]
  ) {
    assert.ok(texts.includes(words), words);
  }
  assert.match(svg, /prefers-color-scheme: dark/);
});

Deno.test("isPrinted tells lines apart, but for times, ids, sizes and large counts", () => {
  const wanted = ["run 01m82c1tdjy03488: ok, 12 ms", "...", "end"];
  assert.ok(isPrinted("run 01m82c1tdjy0348a: ok, 1.4 s\na\nb\nend\n", wanted));
  assert.ok(isPrinted("run 01m82c1tdjy0348a: ok, 1.4 s\nend\n", wanted));
  assert.ok(!isPrinted("run 01m82c1tdjy0348a: failed, 1.4 s\nend\n", wanted));
  assert.ok(!isPrinted("run 01m82c1tdjy0348a: ok, 1.4 s\nend\nmore\n", wanted));
  assert.ok(!isPrinted("", ["a"]));
});
