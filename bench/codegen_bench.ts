// deno-lint-ignore-file no-console
// How long it takes to generate the package of 10 to 10,000 tools of five parameters, against two
// published generators of types, which write no functions: warm, and first call in a fresh process,
// ours bundled as it is shipped and with the code cache that a second start finds.
//   deno task bench codegen

import { generateTypescript } from "../src/codegen.ts";
import type { ServerName, ToolName } from "../src/names.ts";
import type { ServerInfo } from "../src/server.ts";
import { RUN_FLAGS } from "../scripts/test.ts";
import { median } from "./median.ts";

const SIZES = [10, 50, 1_000, 10_000];
const FRESH_ROUNDS = 11;
// Milliseconds that the project promises for a warm package, by tools, and for a first call.
const WARM_GATES = new Map([[10, 0.19], [50, 0.97]]);
const FIRST_TOOLS = 50;
const FIRST_GATE = 10;
const EXPONENT_GATE = 1.2;

/** Generates from the tools of a server what a generator generates. */
type Generate = (info: ServerInfo) => unknown | Promise<unknown>;

// Computed, because they are no dependencies: neither the check nor the lock file knows them.
const NEIGHBOURS: Record<string, { specifier: string; make(module: unknown): Generate }> = {
  "@cloudflare/codemode": {
    specifier: "npm:@cloudflare/codemode@0.5.6/browser",
    make(module) {
      const { createBrowserCodeTool } = module as {
        createBrowserCodeTool(options: { tools: unknown; executor: unknown }): unknown;
      };
      return ({ tools }) =>
        createBrowserCodeTool({
          tools: Object.fromEntries(tools.map((tool) => [tool.name, tool])),
          executor: {},
        });
    },
  },
  "json-schema-to-typescript": {
    specifier: "npm:json-schema-to-typescript@16.0.0",
    make(module) {
      const { compile } = module as {
        compile(schema: unknown, name: string, options: unknown): Promise<string>;
      };
      const options = { bannerComment: "", format: false };
      return async ({ tools }) => {
        for (const tool of tools) {
          // It writes into the schema it is given.
          await compile(structuredClone(tool.inputSchema), tool.name, options);
        }
      };
    },
  },
};

function serverOf(count: number): ServerInfo {
  return {
    name: "bench" as ServerName,
    identity: { name: "Bench", version: "1" },
    protocolVersion: "2025-11-25",
    capabilities: {},
    tools: Array.from({ length: count }, (_, n) => ({
      name: `create_item_${n}` as ToolName,
      description: `Creates item number ${n}. It goes to the end of its list.`,
      inputSchema: {
        type: "object",
        properties: {
          title: { type: "string", description: "What it is called", minLength: 1 },
          count: { type: "integer", description: "How many there are", default: 1 },
          labels: { type: "array", items: { type: "string" }, description: "Its labels" },
          state: { type: "string", enum: ["open", "closed"], description: "Where it stands" },
          urgent: { type: "boolean" },
        },
        required: ["title", "count"],
        additionalProperties: false,
      },
      annotations: { readOnlyHint: false },
      digest: "blake3:0" as ServerInfo["tools"][0]["digest"],
    })),
    warnings: [],
  };
}

async function load(name: string): Promise<Generate> {
  if (name === "mcp-exec") return generateTypescript;
  const { specifier, make } = NEIGHBOURS[name]!;
  return make(await import(`${specifier}`));
}

// A child of this script: the first call of one generator, in milliseconds.
if (Deno.args[0] === "first") {
  const generate = await load(Deno.args[1]!);
  const info = serverOf(FIRST_TOOLS);
  const start = performance.now();
  await generate(info);
  console.log(performance.now() - start);
  Deno.exit(0);
}

/** The median of repeated calls, as many as fit into about a second, in milliseconds. */
async function warm(generate: Generate, info: ServerInfo): Promise<number> {
  const times: number[] = [];
  const once = async () => {
    const start = performance.now();
    await generate(info);
    times.push(performance.now() - start);
    return times.at(-1)!;
  };
  for (let spent = 0; spent < 300;) spent += await once();
  times.length = 0;
  for (let spent = 0; spent < 700;) spent += await once();
  return median(times);
}

async function first(name: string, start: readonly string[]): Promise<number> {
  const times: number[] = [];
  for (let round = -1; round <= FRESH_ROUNDS; round++) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [...start, "first", name],
      env: { DENO_NO_UPDATE_CHECK: "1" },
      stderr: "inherit",
    }).output();
    if (round > 0) times.push(Number(new TextDecoder().decode(stdout)));
  }
  return median(times);
}

const names = ["mcp-exec", ...Object.keys(NEIGHBOURS)];
const results = new Map<string, Map<number, number>>();
for (const name of names) {
  const generate = await load(name);
  const times = new Map<number, number>();
  for (const size of SIZES) times.set(size, await warm(generate, serverOf(size)));
  results.set(name, times);
}

const judge = (value: number, gate: number | undefined) =>
  gate === undefined ? "" : value <= gate ? `, gate ${gate} met` : `, gate ${gate} MISSED`;
const own = results.get("mcp-exec")!;
console.log("warm, whole package in memory, median in ms");
for (const [name, times] of results) {
  for (const [size, time] of times) {
    const ratio = name === "mcp-exec"
      ? judge(time, WARM_GATES.get(size))
      : `, ${(time / own.get(size)!).toFixed(1)} times ours`;
    console.log(
      `  ${name.padEnd(26)}${String(size).padStart(6)}${time.toFixed(3).padStart(12)}${ratio}`,
    );
  }
  const [small, large] = [SIZES[0]!, SIZES.at(-1)!];
  const exponent = Math.log(times.get(large)! / times.get(small)!) / Math.log(large / small);
  const gate = name === "mcp-exec" ? judge(exponent, EXPONENT_GATE) : "";
  console.log(`  ${name.padEnd(26)}grows with exponent ${exponent.toFixed(2)}${gate}`);
}
console.log(`first call in a fresh process, ${FIRST_TOOLS} tools, median of ${FRESH_ROUNDS} in ms`);
const { BUNDLE_FLAGS, bundleScript } = await import("../scripts/build.ts");
const folder = await Deno.makeTempDir();
const bundled = await bundleScript(new URL(import.meta.url), folder);
const source = ["run", "-A", "--no-lock", ...RUN_FLAGS, import.meta.url];
let reference: number | undefined;
for (const name of names) {
  const isOwn = name === "mcp-exec";
  const time = await first(name, isOwn ? ["run", "-A", ...BUNDLE_FLAGS, bundled] : source);
  const ratio = reference === undefined
    ? judge(time, FIRST_GATE)
    : `, ${(time / reference).toFixed(1)} times ours`;
  reference ??= time;
  console.log(`  ${name.padEnd(26)}${time.toFixed(1).padStart(18)}${ratio}`);
}
const fromSource = await first("mcp-exec", source);
console.log(`  ${"mcp-exec from source".padEnd(26)}${fromSource.toFixed(1).padStart(18)}`);
await Deno.remove(folder, { recursive: true });
