// deno-lint-ignore-file no-console
// How far the token estimate is off a real tokenizer, by recorded server and by kind of text, and
// how fast it is against that tokenizer. The recordings are read from ../shared/corpus or the folder
// given as argument; without any, our own sources are the texts. Run with:
//   deno task bench tokens
//   deno run -A --no-lock bench/tokens_bench.ts FOLDER

import { generateTypescript } from "../src/codegen.ts";
import { parseTools } from "../src/introspect.ts";
import { slugServerName } from "../src/names.ts";
import { estimateTokens, TOKENIZER } from "../src/stats.ts";

// Computed, because it is no dependency: neither the check nor the lock file knows it.
const tokenizer = "npm:gpt-tokenizer@3.4.0/encoding/o200k_base";
const { countTokens }: { countTokens(text: string): number } = await import(`${tokenizer}`);

interface Tally {
  chars: number;
  real: number;
  estimated: number;
}

const [given] = Deno.args;
const folder = given === undefined
  ? new URL("../../shared/corpus/", import.meta.url)
  : new URL(`${given}/`, `file://${Deno.cwd()}/`);
const byServer = new Map<string, Tally>();
const byKind = new Map<string, Tally>();
const texts: string[] = [];

function add(text: string, kind: string, server: string): void {
  const real = countTokens(text);
  const estimated = estimateTokens(text);
  texts.push(text);
  for (const [tallies, key] of [[byKind, kind], [byServer, server]] as const) {
    const tally = tallies.get(key) ?? { chars: 0, real: 0, estimated: 0 };
    tally.chars += text.length;
    tally.real += real;
    tally.estimated += estimated;
    tallies.set(key, tally);
  }
}

function addServer(server: string, raw: { description?: string }[]): void {
  for (const tool of raw) {
    add(JSON.stringify(tool), "schema, compact", server);
    add(JSON.stringify(tool, null, 2), "schema, indented", server);
    if (tool.description) add(tool.description, "description", server);
  }
  const name = slugServerName(server);
  const { tools } = parseTools(name, raw);
  const info = {
    name,
    identity: { name, version: "1" },
    protocolVersion: "2025-11-25",
    capabilities: {},
    tools,
    warnings: [],
  };
  for (const [file, text] of generateTypescript(info).files) {
    if (file.endsWith(".ts")) add(text, "declarations", server);
  }
}

async function namesIn(directory: URL, ending: string): Promise<string[]> {
  const names = [];
  try {
    for await (const { name } of Deno.readDir(directory)) {
      if (name.endsWith(ending)) names.push(name);
    }
  } catch {
    return [];
  }
  return names.sort();
}

function print(title: string, tallies: Map<string, Tally>): void {
  console.log(`${title.padEnd(26)} chars    real  estimate   off`);
  for (const [key, { chars, real, estimated }] of tallies) {
    const off = `${((estimated / real - 1) * 100).toFixed(1)} %`;
    console.log(
      key.padEnd(22) + String(chars).padStart(9) + String(real).padStart(8) +
        String(estimated).padStart(10) + off.padStart(9),
    );
  }
  console.log();
}

function megabytesPerSecond(count: (text: string) => unknown): number {
  const chars = texts.reduce((sum, text) => sum + text.length, 0);
  for (const text of texts) count(text);
  const start = performance.now();
  for (const text of texts) count(text);
  return chars / 1e3 / (performance.now() - start);
}

for (const name of await namesIn(folder, ".json")) {
  const recording = JSON.parse(await Deno.readTextFile(new URL(name, folder)));
  addServer(name.replace(/\.json$/, ""), recording.tools ?? []);
}
const sources = new URL("../src/", import.meta.url);
for (const name of await namesIn(sources, ".ts")) {
  add(await Deno.readTextFile(new URL(name, sources)), "program", "our sources");
}
print("server", byServer);
print("kind of text", byKind);
const errors = [...byServer.values()].map(({ real, estimated }) => Math.abs(estimated / real - 1));
const total = [...byServer.values()].reduce((sum, tally) => ({
  chars: sum.chars + tally.chars,
  real: sum.real + tally.real,
  estimated: sum.estimated + tally.estimated,
}));
print("together", new Map([["all", total]]));
const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
console.log(
  `${TOKENIZER}: mean error over servers ${(mean * 100).toFixed(1)} %, worst ${
    (Math.max(...errors) * 100).toFixed(1)
  } %`,
);
const own = megabytesPerSecond(estimateTokens);
const real = megabytesPerSecond((text) => countTokens(text));
console.log(
  `estimate ${own.toFixed(0)} MB/s, ${(own / real).toFixed(0)} times gpt-tokenizer's ${
    real.toFixed(1)
  } MB/s`,
);
