// deno-lint-ignore-file no-console
// What `serve --http` bears: 10,000 runs of 50 sessions at once, each of which must find its own
// state and its own answers, then 200 clients of both revisions for a minute; errors, latencies by
// kind of request against a ping, and memory over time. On Linux. Run with:
//   deno task bench serve_load
//   deno run -A bench/serve_load_bench.ts SECONDS CLIENTS RUNS

import { RUN_FLAGS } from "../scripts/test.ts";
import { median, quantile } from "./median.ts";

const [seconds = 60, clients = 200, runs = 10_000] = Deno.args.map(Number);
const SESSIONS = 50;
const root = new URL("../", import.meta.url);
const folder = await Deno.makeTempDir();
const honest = [Deno.execPath(), "run", "-A", new URL("tests/servers/honest.ts", root).pathname];
await Deno.writeTextFile(
  `${folder}/config.json`,
  JSON.stringify({ mcpServers: { honest: { command: honest[0], args: honest.slice(1) } } }),
);
const server = new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-A", ...RUN_FLAGS, new URL("main.ts", root).pathname],
    ...["serve", "--http", "127.0.0.1:0", "--config", `${folder}/config.json`],
  ],
  env: { DENO_NO_UPDATE_CHECK: "1", MCP_EXEC_DATA_DIR: `${folder}/data` },
  stdin: "null",
  stdout: "null",
  stderr: "piped",
}).spawn();
const said = await server.stderr.getReader().read();
const url = /http:\S+/.exec(new TextDecoder().decode(said.value))![0];

type Json = Record<string, unknown>;
interface Reply {
  // deno-lint-ignore no-explicit-any -- whatever the server sent
  readonly result?: any;
  readonly error?: { readonly message: string };
}

/** One client, of the newer revision or with a session of the older one. */
class BenchClient {
  readonly #isModern: boolean;
  #session: string | undefined;
  #id = 0;

  constructor(isModern: boolean) {
    this.#isModern = isModern;
  }

  async connect(): Promise<void> {
    if (this.#isModern) return;
    const { headers } = await this.#post({
      method: "initialize",
      params: {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "bench", version: "1" },
      },
    });
    this.#session = headers.get("mcp-session-id")!;
  }

  async ask(method: string, params: Json = {}): Promise<Reply> {
    return (await this.#post({ method, params })).reply;
  }

  async call(name: string, args: Json): Promise<Reply> {
    return await this.ask("tools/call", { name, arguments: args });
  }

  async #post(
    { method, params }: { method: string; params: Json },
  ): Promise<{ headers: Headers; reply: Reply }> {
    const envelope = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const headers: Record<string, string> = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(this.#session !== undefined && { "mcp-session-id": this.#session }),
      ...(this.#isModern && { "mcp-protocol-version": "2026-07-28", "mcp-method": method }),
      ...(this.#isModern && method === "tools/call" && { "mcp-name": String(params["name"]) }),
    };
    const response = await fetch(url, {
      method: "POST",
      headers,
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: ++this.#id,
        method,
        params: this.#isModern ? { ...params, _meta: envelope } : params,
      }),
    });
    const text = await response.text();
    const data = /^data: (.*)$/m.exec(text.trimEnd().split("\n\n").at(-1)!)?.[1] ?? text;
    return { headers: response.headers, reply: JSON.parse(data) };
  }
}

async function memory(): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${server.pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024;
}

async function interleave(): Promise<void> {
  const code = `export default async ({ mark, before }) => {
    const said = await callTool("honest", "echo", { text: mark });
    const kept = await getState("mark") ?? "";
    await setState("mark", mark);
    return said === mark && kept === before && await getState("mark") === mark;
  }`;
  const started = performance.now();
  let crossed = 0;
  let failed = 0;
  await Promise.all(Array.from({ length: SESSIONS }, async (_, at) => {
    const client = new BenchClient(at % 2 === 0);
    await client.connect();
    let session: string | undefined;
    let before = "";
    for (let round = 0; round < runs / SESSIONS; round++) {
      const mark = `${at}:${round}:${Math.random()}`;
      const { result, error } = await client.call("execute_code", {
        code,
        args: { mark, before },
        ...(session !== undefined && { session }),
      });
      if (error !== undefined || result.isError) failed++;
      else if (result.structuredContent.value !== true) crossed++;
      session ??= result?.structuredContent.session;
      before = mark;
    }
  }));
  const took = (performance.now() - started) / 1000;
  console.log(
    `${runs} runs of ${SESSIONS} sessions: ${crossed} crossed, ${failed} failed, ` +
      `${(runs / took).toFixed(0)} runs/s`,
  );
}

const KINDS: Readonly<Record<string, (client: BenchClient) => Promise<Reply>>> = {
  "tools/list": (client) => client.ask("tools/list"),
  search: (client) => client.call("search_tools", { query: "add numbers" }),
  run: (client) => client.call("execute_code", { code: "return 1 + 1" }),
  "run with a call": (client) =>
    client.call("execute_code", {
      code: `return await callTool("honest", "add_numbers", { a: 1, b: 2 })`,
    }),
};

async function load(): Promise<void> {
  const times = new Map<string, number[]>(Object.keys(KINDS).map((kind) => [kind, []]));
  const errors = new Map<string, number>();
  const end = performance.now() + seconds * 1000;
  const sizes: number[] = [];
  const sampling = setInterval(() => memory().then((size) => sizes.push(size)), 1000);
  await Promise.all(Array.from({ length: clients }, async (_, at) => {
    const client = new BenchClient(at % 2 === 0);
    await client.connect();
    const kinds = Object.entries(KINDS);
    for (let round = at; performance.now() < end; round++) {
      const [kind, ask] = kinds[round % kinds.length]!;
      const started = performance.now();
      try {
        const { result, error } = await ask(client);
        const problem = error?.message ??
          (result.isError ? result.content[0].text.split("\n")[0] : undefined);
        if (problem !== undefined) throw new Error(problem);
        times.get(kind)!.push(performance.now() - started);
      } catch (error) {
        const text = String(error).slice(0, 120);
        errors.set(text, (errors.get(text) ?? 0) + 1);
      }
      // A client thinks between two requests.
      await new Promise((done) => setTimeout(done, 200 + Math.random() * 600));
    }
  }));
  clearInterval(sampling);
  const all = [...times.values()].flat();
  const wrong = [...errors.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `${clients} clients for ${seconds} s: ${all.length} answers ` +
      `(${(all.length / seconds).toFixed(0)}/s), ${wrong} errors`,
  );
  for (const [text, count] of errors) console.log(`  ${count} x ${text}`);
  for (const [kind, values] of times) {
    console.log(
      `  ${kind.padEnd(16)} p50 ${quantile(values, 0.5).toFixed(1)} ms, ` +
        `p99 ${quantile(values, 0.99).toFixed(1)} ms`,
    );
  }
  const tenths = Array.from(
    { length: 10 },
    (_, at) => (sizes[Math.floor(sizes.length * at / 10)] ?? NaN).toFixed(0),
  );
  console.log(`memory by tenths of the time: ${tenths.join(" ")} MiB`);
  const part = (from: number, to: number) =>
    median(sizes.slice(sizes.length * from, sizes.length * to));
  const [warm, last] = [part(0.5, 0.75), part(0.75, 1)];
  console.log(
    `memory: ${warm.toFixed(0)} MiB in the third quarter, ${last.toFixed(0)} in the last, ` +
      `ratio ${(last / warm).toFixed(2)}`,
  );
}

try {
  console.log(`memory at the start: ${(await memory()).toFixed(0)} MiB`);
  await interleave();
  console.log(`memory then: ${(await memory()).toFixed(0)} MiB`);
  await load();
} finally {
  server.kill("SIGTERM");
  const { code } = await server.status;
  console.log(`exit code ${code}`);
  await Deno.remove(folder, { recursive: true });
}
