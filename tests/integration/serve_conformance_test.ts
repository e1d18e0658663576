import { deepStrictEqual as equal, match, ok } from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StreamTransport } from "../../src/serve_stdio.ts";
import { connectedTo, type ServeProcess, startServe } from "../serve_fixture.ts";
import { freshPlace, processesIn, PROGRAM } from "../specs/run.ts";

const SUITE = "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12";
const INSPECTOR = "@modelcontextprotocol/inspector@2.12.0";
const EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31";
const MEMORY = "@modelcontextprotocol/server-memory@2026.8.31";

interface Place {
  readonly folder: string;
  readonly env: Record<string, string>;
}

/** A person with these servers in their configuration. */
async function withPlace(
  servers: Readonly<Record<string, readonly string[]>>,
  work: (place: Place) => Promise<void>,
): Promise<void> {
  const { folder, env } = await freshPlace();
  const mcpServers = Object.fromEntries(
    Object.entries(servers).map(([name, [command, ...args]]) => [name, { command, args }]),
  );
  const config = `${env["XDG_CONFIG_HOME"]}/mcp-exec`;
  await Deno.mkdir(config, { recursive: true });
  await Deno.writeTextFile(`${config}/config.json`, JSON.stringify({ mcpServers }));
  const registry = Object.entries(Deno.env.toObject()).filter(([name]) =>
    /^npm_config_/i.test(name)
  );
  try {
    await work({
      folder,
      env: { ...env, ...Object.fromEntries(registry), NPM_CONFIG_CACHE: await npmCache() },
    });
    equal(await processesIn(folder), []);
  } finally {
    await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
  }
}

async function npmCache(): Promise<string> {
  const { stdout } = await new Deno.Command("npm", { args: ["config", "get", "cache"] }).output();
  return new TextDecoder().decode(stdout).trim();
}

async function withHttp(place: Place, work: (url: string) => Promise<void>): Promise<void> {
  const served = startServe(["--http", "127.0.0.1:0", "--server-timeout", "3m"], place);
  const errors = served.child.stderr.getReader();
  let said = "";
  try {
    while (!/http:\S+\/mcp/.test(said)) {
      const { value, done } = await errors.read();
      if (done) throw new Error(said);
      said += new TextDecoder().decode(value);
    }
    await work(/http:\S+\/mcp/.exec(said)![0]);
  } finally {
    await errors.cancel();
    await end(served);
  }
}

async function end(served: ServeProcess): Promise<void> {
  served.child.kill("SIGTERM");
  await served.child.stdin.close().catch(() => {});
  await served.child.stdout.cancel().catch(() => {});
  equal((await served.child.status).code, 0);
}

/** The checks of a scenario that failed. */
async function runScenario(url: string, scenario: string): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-config", "--no-lock", "--node-modules-dir=none", "--quiet", SUITE],
      ...["server", "--url", url, "--scenario", scenario, "-o", folder],
    ],
    cwd: folder,
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(output.stdout) + new TextDecoder().decode(output.stderr);
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const text = await Deno.readTextFile(`${folder}/${name}/checks.json`);
      const checks = JSON.parse(text) as { id: string; status: string; errorMessage?: string }[];
      ok(checks.some(({ status }) => status === "SUCCESS"), said);
      return checks.filter(({ status }) => status === "FAILURE").map(({ id, errorMessage }) =>
        `${id}: ${errorMessage}`
      );
    }
    throw new Error(said);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const SCENARIOS = [
  ...["server-initialize", "ping", "tools-list", "server-session-lifecycle"],
  ...["server-sse-multiple-streams", "dns-rebinding-protection", "resources-list", "prompts-list"],
  ...["http-header-validation", "caching", "sep-2164-resource-not-found"],
];

Deno.test("serve passes the official conformance scenarios for servers", async () => {
  await withPlace({}, async (place) => {
    await withHttp(place, async (url) => {
      for (const scenario of SCENARIOS) equal(await runScenario(url, scenario), [], scenario);
      // What is left needs tools that exist to be tested.
      const failures = await runScenario(url, "server-stateless");
      equal(failures.filter((failure) => !/: Not testable: /.test(failure)), []);
      ok(failures.length <= 4, failures.join("\n"));
    });
  });
});

const SERVERS = {
  everything: ["npx", "-y", EVERYTHING],
  memory: ["npx", "-y", MEMORY],
};

Deno.test("serve runs programs over servers from npm for the SDK's client on stdio and HTTP", async () => {
  await withPlace(SERVERS, async (place) => {
    const work = async (client: Client) => {
      const { call, run } = connectedTo(client, () => client.close());
      equal((await client.listTools()).tools.length, 5);
      const found = await call("search_tools", { query: "create entities", detail: "name" });
      match(found.text, /memory\/create_entities/);
      equal(
        await run(`import { createEntities, readGraph } from "mcp:memory";
          import { getSum } from "mcp:everything";
          await createEntities({ entities: [{ name: "a", entityType: "b", observations: ["c"] }] });
          const [sum, graph] = await Promise.all([getSum({ a: 2, b: 3 }), readGraph()]);
          export default [String(sum).includes("5"), graph.entities[0].name];`),
        [true, "a"],
      );
      const stop = new AbortController();
      const long = `import { triggerLongRunningOperation } from "mcp:everything";
        export default await triggerLongRunningOperation({ duration: 60, steps: 60 });`;
      const waiting = call("execute_code", { code: long }, {
        signal: stop.signal,
        onprogress: () => stop.abort(),
      });
      equal(await waiting.then(() => "ended", () => "cancelled"), "cancelled");
      equal(await run("return 1"), 1);
      await client.close();
    };
    const served = startServe(["--server-timeout", "3m"], place);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(
      new StreamTransport({ input: served.child.stdout, output: served.child.stdin }),
    );
    await work(client);
    const { code, stderr } = await served.end();
    equal(code, 0, stderr);
    await withHttp(place, async (url) => {
      for (const mode of ["legacy", "auto"] as const) {
        const options = mode === "auto" ? { versionNegotiation: { mode } } : {};
        const client = new Client({ name: "test", version: "1" }, options);
        await client.connect(new StreamableHTTPClientTransport(new URL(url)));
        await work(client);
      }
    });
  });
});

Deno.test("serve answers the command line of the MCP Inspector on stdio and HTTP", async () => {
  await withPlace({ memory: SERVERS.memory }, async (place) => {
    const inspect = async (target: readonly string[], args: readonly string[]) => {
      const { code, stdout, stderr } = await new Deno.Command("npx", {
        args: ["-y", INSPECTOR, "--cli", ...target, ...args],
        cwd: place.folder,
        env: place.env,
        clearEnv: true,
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stdout);
      equal(code, 0, text + new TextDecoder().decode(stderr));
      return JSON.parse(text);
    };
    const check = async (target: readonly string[]) => {
      const { tools } = await inspect(target, ["--method", "tools/list"]);
      equal(tools.length, 5);
      const call = async (name: string, ...args: string[]) =>
        await inspect(target, [
          ...["--method", "tools/call", "--tool-name", name],
          ...args.flatMap((arg) => ["--tool-arg", arg]),
        ]);
      const found = await call("search_tools", "query=read graph");
      match(found.content[0].text, /readGraph\(/);
      const run = await call(
        "execute_code",
        'code=return await callTool("memory","read_graph",{})',
      );
      ok(Array.isArray(run.structuredContent.value.entities));
    };
    const args = [...PROGRAM, "serve", "--server-timeout", "3m"];
    await Deno.writeTextFile(
      `${place.folder}/inspector.json`,
      JSON.stringify({ mcpServers: { ours: { command: Deno.execPath(), args, env: place.env } } }),
    );
    await check(["--config", `${place.folder}/inspector.json`, "--server", "ours"]);
    await withHttp(place, async (url) => await check([url, "--transport", "http"]));
  });
});
