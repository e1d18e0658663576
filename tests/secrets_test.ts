// Thirty secrets in every place that can hold one, every command in every format in a process of its
// own, and a search of all that was written: streams, database, skills, temporary files.

import assert from "node:assert/strict";
import { listen } from "./servers/start.ts";
import { freshPlace, PROGRAM, ROOT } from "./specs/run.ts";

const canaries: string[] = [];

/** A secret that nothing else looks like; `odd` is put into it as it is. */
function canary(odd = ""): string {
  const value = `cnry${String(canaries.length).padStart(2, "0")}${odd}x${crypto.randomUUID()}`;
  canaries.push(value);
  return value;
}

const ENV = {
  plain: canary(),
  quotes: canary(`"'\\`),
  letters: canary(" é ß 名 "),
  signs: canary("/+=%&?#"),
  lines: canary("{$(id)`"),
};
const EXPANDED = { value: canary(), header: canary(), url: canary() };
const ARGUMENT = {
  flag: canary(),
  assigned: canary(),
  header: canary(),
  variable: canary(),
  user: canary(),
  password: canary(),
  query: canary(),
  shape: `sk-${canary()}`,
};
const HEADER = { token: canary(), key: canary(), cookie: canary(), capital: canary(";,") };
const ADDRESS = { user: canary(), password: canary(), query: canary(), lone: canary() };
const GIVEN = { env: canary(), header: canary() };
const CALLED = { text: canary(), json: canary(), file: canary(), program: canary() };

/** Every way in which a secret may turn up. */
function formsOf(value: string): string[] {
  const bytes = new TextEncoder().encode(value);
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    encodeURI(value),
    bytes.toBase64(),
    bytes.toBase64({ alphabet: "base64url", omitPadding: true }),
    bytes.toHex(),
  ];
}

const forms = new Map(canaries.flatMap((value) => formsOf(value).map((form) => [form, value])));
const basic = new TextEncoder().encode(`${ADDRESS.user}:${ADDRESS.password}`).toBase64();
forms.set(basic, "user info");

function sweep(text: string, place: string): void {
  for (const [form, value] of forms) {
    const at = text.indexOf(form);
    if (at < 0) continue;
    assert.fail(`${value} in ${place}: ${text.slice(Math.max(0, at - 200), at + 80)}`);
  }
}

/** Looks into every file below `folder`, database and all, but those of `given`. */
async function sweepFiles(folder: string, given: ReadonlySet<string>): Promise<number> {
  let count = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    sweep(name, path);
    if (isDirectory) count += await sweepFiles(path, given);
    else if (!given.has(path)) {
      count++;
      sweep(new TextDecoder("latin1").decode(await Deno.readFile(path)), path);
      sweep(new TextDecoder().decode(await Deno.readFile(path)), path);
    }
  }
  return count;
}

const HOSTILE = `${ROOT}/tests/servers/hostile.ts`;

function stdioEntry(mode: string) {
  return {
    command: Deno.execPath(),
    args: [
      ...["run", "-A", "--no-lock", HOSTILE, mode],
      ...["--token", ARGUMENT.flag, `--api-key=${ARGUMENT.assigned}`],
      ...["-H", `Authorization: Bearer ${ARGUMENT.header}`, `PASSWORD=${ARGUMENT.variable}`],
      `https://${ARGUMENT.user}:${ARGUMENT.password}@example.com/?key=${ARGUMENT.query}`,
      ARGUMENT.shape,
    ],
    env: {
      ...Object.fromEntries(Object.entries(ENV).map(([name, value]) => [`SECRET_${name}`, value])),
      EXPANDED: "${CANARY_VALUE}",
    },
  };
}

function httpEntry(base: string, mode: string) {
  const user = `${ADDRESS.user}:${ADDRESS.password}@`;
  const query = `token=${ADDRESS.query}&${ADDRESS.lone}&more=\${CANARY_URL}`;
  return {
    url: `${base.replace("://", `://${user}`)}/${mode}?${query}`,
    headers: {
      "x-api-key": HEADER.key,
      Cookie: `session=${HEADER.cookie}`,
      "X-CAPITAL": HEADER.capital,
      "x-expanded": "Token ${CANARY_HEADER}",
    },
  };
}

interface Place {
  readonly folder: string;
  readonly base: string;
  run(...args: readonly string[]): Promise<{ code: number; text: string }>;
  /** Runs `serve` with these requests, one after the other, and gives all it wrote. */
  serve(requests: readonly object[]): Promise<string>;
}

/** A place with the servers above configured, by our own file and by a client's. */
async function withPlace(
  config: object,
  work: (place: Place, given: ReadonlySet<string>) => Promise<void>,
): Promise<void> {
  await using server = await listen("hostile", "all");
  const base = new URL(server.url).origin;
  const { folder, env } = await freshPlace();
  const root = folder.replace(/\/work$/, "");
  const bearer = { Authorization: `Bearer ${HEADER.token}` };
  const files = {
    [`${root}/config/mcp-exec/config.json`]: {
      ...config,
      mcpServers: {
        tells: stdioEntry("tells"),
        dies: stdioEntry("dies"),
        web: { ...httpEntry(base, "tells-http") },
        signin: httpEntry(base, "unauthorized-later"),
        broken: httpEntry(base, "broken-later"),
        refused: httpEntry(base, "forbidden"),
        html: { ...httpEntry(base, "html"), headers: bearer },
        nowhere: httpEntry("http://127.0.0.1:9", "x"),
        unset: { ...stdioEntry("tells"), env: { ...ENV, A: "${CANARY_UNSET}" } },
      },
    },
    [`${root}/home/.cursor/mcp.json`]: {
      mcpServers: { cursor: stdioEntry("tells"), "cursor-web": httpEntry(base, "tells-http") },
    },
    [`${folder}/.mcp.json`]: { mcpServers: { project: stdioEntry("tells") } },
    [`${folder}/note.txt`]: CALLED.file,
  };
  for (const [path, content] of Object.entries(files)) {
    await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(path, typeof content === "string" ? content : JSON.stringify(content));
  }
  await Deno.mkdir(`${root}/tmp`);
  const start = (args: readonly string[], stdin: "null" | "piped") =>
    new Deno.Command(Deno.execPath(), {
      args: [...PROGRAM, ...args],
      cwd: folder,
      clearEnv: true,
      env: {
        ...env,
        TMPDIR: `${root}/tmp`,
        CANARY_VALUE: EXPANDED.value,
        CANARY_HEADER: EXPANDED.header,
        CANARY_URL: EXPANDED.url,
      },
      stdin,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  try {
    await work({
      folder,
      base,
      async run(...args) {
        const { code, stdout, stderr } = await start(args, "null").output();
        return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
      },
      async serve(requests) {
        const child = start(["serve", "--plain", "--verbose"], "piped");
        const errors = new Response(child.stderr).text();
        const input = child.stdin.getWriter();
        let shown = "";
        const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
        for (const [id, request] of requests.entries()) {
          const line = `${JSON.stringify({ jsonrpc: "2.0", id, ...request })}\n`;
          await input.write(new TextEncoder().encode(line));
          while (!shown.includes(`"id":${id}`)) {
            const { value, done } = await output.read();
            if (done) throw new Error(`serve ended: ${await errors}`);
            shown += value;
          }
        }
        await input.close();
        for (let part = await output.read(); !part.done; part = await output.read()) {
          shown += part.value;
        }
        await child.status;
        return shown + await errors;
      },
    }, new Set(Object.keys(files)));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Calls whatever answers and fails, and shows it all. */
const CALLS = `
    const out = [];
    for (const tool of ["call", "fail", "refuse"]) {
      for (const server of ["tells", "web"]) {
        out.push(await callTool(server, tool, {}).catch((error) => error.message));
      }
    }
    console.log(out);
    return out;`;

/** Every command, with its exit code; those that leave something for others come first. */
function commands(base: string): (readonly [code: number, ...args: string[]])[] {
  const stdio = `${Deno.execPath()} run -A --no-lock ${HOSTILE} tells`;
  return [
    [0, "introspect", "tells"],
    [0, "introspect", "web", "--detailed"],
    [0, "introspect", "tells", "--tool", "call"],
    [3, "introspect", "--all"],
    [3, "introspect", "dies"],
    [3, "introspect", "html"],
    [3, "introspect", "nowhere"],
    [3, "introspect", "refused"],
    [2, "introspect", "unset"],
    [6, "introspect", "project"],
    [0, "introspect", "cursor"],
    [0, "introspect", "cursor-web"],
    [0, "introspect", "--stdio", stdio, "--env", `TOKEN=${GIVEN.env}`],
    [0, "introspect", `${base}/tells-http`, "--header", `X-Token: ${GIVEN.header}`],
    [2, "introspect", "--stdio", stdio, "--env", GIVEN.env],
    [2, "introspect", `${base}/tells-http`, "--header", GIVEN.header],
    [0, "call", "tells", "call", `note=${CALLED.text}`],
    [0, "call", "web", "call", "--args", JSON.stringify({ note: CALLED.json })],
    [0, "call", "web", "call", "note=@note.txt"],
    [2, "call", "web", "call", "--args", `{"note": "${CALLED.json}"`],
    [3, "call", "tells", "fail"],
    [3, "call", "web", "fail"],
    [3, "call", "tells", "refuse"],
    [3, "call", "web", "refuse"],
    [3, "call", "signin", "call"],
    [3, "call", "broken", "call"],
    [3, "call", "dies", "call"],
    [5, "execute", "-e", "throw new Error(await callTool('web', 'call', {}))"],
    [0, "execute", "-e", CALLS, "--trace"],
    [
      0,
      ...["execute", "-e", "export default (x) => callTool('tells', 'call', x).then(() => 1)"],
      ...["--args", JSON.stringify({ note: CALLED.program })],
    ],
    [0, "generate", "tells", "--output", "one", "--force"],
    [0, "generate", "web", "--feature", "wasm", "--output", "two", "--force"],
    [0, "generate", "web", "tells", "--types", "types.d.ts"],
    [0, "skill", "save", "kept", "--run", "last", "--force"],
    [0, "skill", "list"],
    [0, "skill", "info", "kept"],
    [0, "skill", "verify", "kept"],
    [0, "search", "call"],
    [0, "search", "canary", "--detail", "full"],
    [0, "server", "list"],
    [0, "server", "info", "tells"],
    [0, "server", "info", "web"],
    [0, "server", "info", "project"],
    [1, "server", "validate", "tells", "web"],
    [3, "server", "validate", "dies", "nowhere", "signin"],
    [0, "server", "import", "--dry-run", "--move"],
    [6, "server", "trust", "project"],
    [0, "config", "show"],
    [0, "stats"],
    [0, "stats", "calls"],
    [0, "stats", "tokens"],
    [0, "stats", "cache"],
    [0, "stats", "runs"],
    [0, "stats", "runs", "last"],
    [0, "stats", "performance"],
    [0, "debug", "info"],
    [0, "debug", "connections"],
    [0, "debug", "cache"],
    [0, "debug", "runtime"],
    [0, "debug", "policy", "tells"],
    [0, "debug", "policy", "web", "call"],
    [2, "result", "h00000000000000000000000000"],
    [0, "__complete", "call", "tells", ""],
    [1, "debug", "doctor"],
  ];
}

Deno.test("no command shows or keeps a secret, in any format (X1, X2, X3, X4, X5)", async () => {
  assert.ok(canaries.length >= 30);
  const outcomes = await Promise.allSettled(
    ["json", "text", "pretty"].map((format) =>
      withPlace({}, async ({ base, folder, run }, given) => {
        for (const [code, ...args] of commands(base)) {
          const outcome = await run(...args, "--format", format, "--verbose");
          const line = `${args.slice(0, 3).join(" ")} --format ${format}`;
          sweep(outcome.text, line);
          assert.equal(outcome.code, code, `${line}\n${outcome.text.slice(0, 2000)}`);
        }
        const files = await sweepFiles(folder.replace(/\/work$/, ""), given);
        assert.ok(files > 10, String(files));
      })
    ),
  );
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
});

Deno.test("serve tells a client no secret, whatever it asks for (X1, X2, X3, X4, X5)", async () => {
  await withPlace({}, async ({ folder, serve }, given) => {
    const call = (name: string, params: object) => ({
      method: "tools/call",
      params: { name, arguments: params },
    });
    const fail = (server: string, tool: string) =>
      call("call_tool", { server, tool, arguments: { note: "x" } });
    const text = await serve([
      {
        method: "initialize",
        params: {
          protocolVersion: "2025-06-18",
          capabilities: {},
          clientInfo: { name: "x", version: "1" },
        },
      },
      { method: "tools/list" },
      call("execute_code", { code: CALLS }),
      call("search_tools", { query: "call", detail: "full" }),
      call("read_tool_files", { paths: ["/mcp-tools/servers/tells/call.ts"] }),
      ...["tells", "web"].flatMap((server) => [fail(server, "fail"), fail(server, "refuse")]),
      ...["dies", "signin", "broken", "nowhere", "unset", "project"].map((name) =>
        fail(name, "call")
      ),
      call("read_result", { handle: "h00000000000000000000000000" }),
    ]);
    assert.match(text, /Tool \\"tells\/fail\\" failed: /);
    sweep(text, "serve");
    await sweepFiles(folder.replace(/\/work$/, ""), given);
  });
});

Deno.test("journal that keeps payloads keeps arguments, but no secret of a server (X1, X5)", async () => {
  const known = [ENV.plain, ENV.quotes, ARGUMENT.flag, HEADER.key, ADDRESS.password];
  await withPlace({ journal: { payloads: true } }, async ({ folder, run }, given) => {
    const params = JSON.stringify({ note: CALLED.text, known });
    assert.equal((await run("call", "tells", "call", "--args", params)).code, 0);
    const data = `${folder.replace(/work$/, "data")}/mcp-exec/mcp-exec.db`;
    const text = (await Promise.all([data, `${data}-wal`].map((path) =>
      Deno.readTextFile(path).catch(() =>
        ""
      )
    ))).join();
    assert.ok(text.includes(CALLED.text));
    for (const form of formsOf(CALLED.text)) forms.delete(form);
    await sweepFiles(folder.replace(/\/work$/, ""), given);
  });
});
