// deno-lint-ignore-file no-console
// What a search and the Tab key cost with 10,000 tools of 50 servers in the index: wall clock of the
// whole process, medians, beside an empty Deno script and `--help` in the same run.
//   deno task bench index

import { BUNDLE_FLAGS, PERMISSION_FLAGS } from "../scripts/build.ts";
import { RUN_FLAGS } from "../scripts/test.ts";
import { createCatalog } from "../src/catalog.ts";
import { openDatabase } from "../src/database.ts";
import { digestOfJson } from "../src/hash.ts";
import type { ServerName, ToolName } from "../src/names.ts";
import type { StdioSpec, ToolDefinition } from "../src/server.ts";
import { median } from "./median.ts";

const ROUNDS = 21;
const SERVERS = 50;
const TOOLS = 200;
const VERBS = "create get list update delete search merge close assign move copy send".split(" ");
const NOUNS = "issue pull_request page comment label milestone user channel message file event"
  .split(" ");

const folder = await Deno.makeTempDir({ prefix: "mcp-exec-bench-" });
const env = {
  HOME: folder,
  XDG_CONFIG_HOME: `${folder}/config`,
  XDG_DATA_HOME: `${folder}/data`,
  DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
  DENO_NO_UPDATE_CHECK: "1",
};

function toolOf(server: number, tool: number): ToolDefinition {
  const verb = VERBS[tool % VERBS.length]!;
  const noun = NOUNS[(tool * 7 + server) % NOUNS.length]!;
  const definition = {
    name: `${verb}_${noun}_${tool}` as ToolName,
    description:
      `Does ${verb} with a ${noun} of the workspace, by its id, and gives it back whole.`,
    inputSchema: {
      type: "object",
      properties: {
        id: { type: "string", description: "The id of the thing" },
        limit: { type: "integer", minimum: 1, description: "How many at most" },
        labels: { type: "array", items: { type: "string" } },
      },
      required: ["id"],
    },
  };
  return { ...definition, digest: digestOfJson(definition) };
}

async function prepare(): Promise<void> {
  const mcpServers: Record<string, unknown> = {};
  const database = openDatabase(`${folder}/data/mcp-exec/mcp-exec.db`, { warn: console.error });
  const catalog = createCatalog(database, { now: Date.now });
  for (let server = 0; server < SERVERS; server++) {
    const name = `server${server}` as ServerName;
    const spec = { command: "false", args: [name] };
    mcpServers[name] = spec;
    catalog.save({ ...spec, name, origin: "user", transport: "stdio", env: {} } as StdioSpec, {
      name,
      identity: { name, version: "1" },
      protocolVersion: "2025-11-25",
      capabilities: { tools: {} },
      tools: Array.from({ length: TOOLS }, (_, tool) => toolOf(server, tool)),
      warnings: [],
    });
  }
  database.close();
  await Deno.mkdir(`${folder}/config/mcp-exec`, { recursive: true });
  await Deno.writeTextFile(
    `${folder}/config/mcp-exec/config.json`,
    JSON.stringify({ mcpServers }),
  );
  await Deno.writeTextFile(`${folder}/empty.ts`, "");
}

// The bundle where one was built: what people run.
const bundle = new URL("../dist/main.js", import.meta.url).pathname;
const isBuilt = await Deno.stat(bundle).then(() => true, () => false);
const program = isBuilt ? [...BUNDLE_FLAGS, ...PERMISSION_FLAGS, bundle] : [
  ...["-A", `--config=${new URL("../deno.json", import.meta.url).pathname}`],
  ...[...RUN_FLAGS, new URL("../main.ts", import.meta.url).pathname],
];
console.log(isBuilt ? "the bundle in dist" : "from source: run the task build first");
const CASES: readonly (readonly [title: string, args: readonly string[]])[] = [
  ["empty Deno script", ["-A", "--no-config", `${folder}/empty.ts`]],
  ["--help", [...program, "--help"]],
  ["search merge pull request", [...program, "search", "merge", "pull", "request"]],
  ["introspect --tool", [...program, "introspect", "server7", "--tool", "merge_milestone_6"]],
  ["Tab: a command", [...program, "__complete", "zsh", "intro"]],
  ["Tab: a server", [...program, "__complete", "zsh", "call", "server4"]],
  ["Tab: a tool of a server", [...program, "__complete", "zsh", "call", "server7", "me"]],
];

async function measure(args: readonly string[]): Promise<number> {
  const start = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...args],
    cwd: folder,
    env,
    stdin: "null",
  }).output();
  const ms = performance.now() - start;
  if (!success || (stdout.length === 0 && !args.at(-1)!.endsWith("empty.ts"))) {
    throw new Error(new TextDecoder().decode(stderr));
  }
  return ms;
}

try {
  await prepare();
  const times = new Map(CASES.map(([title]) => [title, [] as number[]]));
  for (let round = -1; round < ROUNDS; round++) {
    for (const [title, args] of CASES) {
      const ms = await measure(args);
      // The first round fills caches and the index of words.
      if (round >= 0) times.get(title)!.push(ms);
    }
  }
  const bare = median(times.get("empty Deno script")!);
  const help = median(times.get("--help")!);
  for (const [title, values] of times) {
    const ms = median(values);
    console.log(
      `${title.padEnd(26)} ${ms.toFixed(1)} ms, ${(ms / bare).toFixed(2)} of an empty script, ${
        (ms - help).toFixed(1)
      } ms beside --help`,
    );
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
