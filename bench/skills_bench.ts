// deno-lint-ignore-file no-console
// What it costs to write a server's skill whole, verified and synced, and to load it with
// verification, for 10, 100 and 1,000 tools: medians, with the ratio to plain writes and reads of the
// same files in the same run. Then `skill list` over 1,000 skills against bare start-up.
//   deno task bench skills
//   deno run -A --no-lock bench/skills_bench.ts FOLDER    (a folder on the disk to measure)

import { RUN_FLAGS } from "../scripts/test.ts";
import { openDatabase } from "../src/database.ts";
import { generateSkill } from "../src/documents.ts";
import { digestOfJson } from "../src/hash.ts";
import type { ServerName, SkillName, ToolName } from "../src/names.ts";
import type { ServerInfo, ToolDefinition } from "../src/server.ts";
import { completeSkill, type SkillDraft, skillServer } from "../src/skill_metadata.ts";
import { createSkillRoots } from "../src/skill_roots.ts";
import { createSkillStore } from "../src/skills.ts";
import { median } from "./median.ts";

const ROUNDS = 61;
const LIST_ROUNDS = 15;
const SKILLS = 1_000;

const base = await Deno.makeTempDir(Deno.args[0] === undefined ? {} : { dir: Deno.args[0] });
const database = openDatabase(`${base}/data/mcp-exec.db`, { warn: console.error });
const roots = createSkillRoots(database, { now: Date.now });
const store = createSkillStore({
  places: [],
  roots: () => Promise.resolve(roots),
  now: Date.now,
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

// A server of tools with five parameters each; `round` makes one description differ.
function serverOf(count: number, round: number): ServerInfo {
  const tools = Array.from({ length: count }, (_, at): ToolDefinition => {
    const definition = {
      name: `tool_number_${String(at).padStart(4, "0")}` as ToolName,
      description: at === 0 ? `Reads the records of round ${round}.` : "Reads records by owner.",
      inputSchema: {
        type: "object",
        properties: {
          owner: { type: "string", description: "Who owns them" },
          repository: { type: "string" },
          labels: { type: "array", items: { type: "string" } },
          state: { enum: ["open", "closed", "all"] },
          limit: { type: "integer", minimum: 1, maximum: 100 },
        },
        required: ["owner", "repository"],
      },
    };
    return { ...definition, digest: digestOfJson(definition) };
  });
  return {
    name: "bench" as ServerName,
    identity: { name: "Bench", version: "1.0.0" },
    protocolVersion: "2025-11-25",
    capabilities: {},
    tools,
    warnings: [],
  };
}

function draftOf(count: number, round: number, name = `bench-${count}` as SkillName): SkillDraft {
  const info = serverOf(count, round);
  const { files, description } = generateSkill(info, { name });
  return { facts: { name, kind: "server", description, servers: [skillServer(info, {})] }, files };
}

async function writePlainly(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  await Deno.mkdir(`${folder}/references`, { recursive: true });
  for (const [path, text] of files) await Deno.writeTextFile(`${folder}/${path}`, text);
}

async function readPlainly(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const path of files.keys()) await Deno.readTextFile(`${folder}/${path}`);
}

function row(cells: readonly string[]): string {
  return cells.map((cell, at) => at === 0 ? cell.padEnd(8) : cell.padStart(14)).join("");
}

console.log(row(["tools", "files", "save ms", "x writes", "same ms", "load ms", "x reads"]));
for (const count of [10, 100, 1_000]) {
  const rounds = count === 1_000 ? 15 : ROUNDS;
  const drafts = Array.from({ length: 4 }, (_, round) => draftOf(count, round));
  const folder = `${base}/skills/bench-${count}`;
  const plain = `${base}/plain/bench-${count}`;
  const files = completeSkill(drafts[0]!, new Date().toISOString());
  const times = { save: [], same: [], load: [], write: [], read: [] } as Record<string, number[]>;
  for (let round = 0; round <= rounds; round++) {
    const draft = drafts[round % drafts.length]!;
    const found = {
      save: await timed(() => store.save(draft, { folder })),
      write: await timed(() => writePlainly(plain, files)),
      same: await timed(() => store.save(draft, { folder })),
      load: await timed(() => store.load(folder)),
      read: await timed(() => readPlainly(plain, files)),
    };
    if (round === 0) continue; // it warms caches
    for (const [what, ms] of Object.entries(found)) times[what]!.push(ms);
  }
  const ms = Object.fromEntries(Object.entries(times).map(([what, all]) => [what, median(all)]));
  console.log(row([
    String(count),
    String(files.size),
    ms["save"]!.toFixed(2),
    (ms["save"]! / ms["write"]!).toFixed(1),
    ms["same"]!.toFixed(2),
    ms["load"]!.toFixed(2),
    (ms["load"]! / ms["read"]!).toFixed(1),
  ]));
}
database.close();

const main = new URL("../main.ts", import.meta.url).pathname;
const project = `${base}/project`;
for (let at = 0; at < SKILLS; at++) {
  const name = `skill-${at}` as SkillName;
  await writePlainly(
    `${project}/.claude/skills/${name}`,
    completeSkill(draftOf(10, 0, name), new Date().toISOString()),
  );
}

const caches = Deno.build.os === "darwin" ? "Library/Caches" : ".cache";
const DENO_DIR = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/${caches}/deno`;

function run(args: readonly string[]) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", ...RUN_FLAGS, main, ...args],
    cwd: project,
    env: {
      DENO_NO_UPDATE_CHECK: "1",
      HOME: base,
      XDG_DATA_HOME: "",
      XDG_CONFIG_HOME: "",
      DENO_DIR,
    },
    stdin: "null",
    stderr: "null",
  }).output();
}

const commands = new Map([
  ["--version", ["--version"]],
  ["skill --help", ["skill", "list", "--help"]],
  ["skill list", ["skill", "list"]],
]);
const walls = new Map([...commands.keys()].map((name) => [name, [] as number[]]));
for (let round = 0; round <= LIST_ROUNDS; round++) {
  for (const [name, args] of commands) {
    const start = performance.now();
    const { success } = await run(args);
    if (!success) throw new Error(`${name} failed`);
    if (round > 0) walls.get(name)!.push(performance.now() - start);
  }
}
console.log();
for (const [name, all] of walls) {
  const extra = median(all) - median(walls.get("--version")!);
  const more = name === "--version" ? "" : `  ${extra.toFixed(0)} ms more than --version`;
  console.log(`${name.padEnd(14)}${median(all).toFixed(0).padStart(6)} ms${more}`);
}
await Deno.remove(base, { recursive: true });
