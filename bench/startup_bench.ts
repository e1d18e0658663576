// deno-lint-ignore-file no-console
// How long `--version` takes against an empty Deno script and an empty Node script: wall clock, as
// medians of interleaved repetitions. `deno task bench startup`.

import { RUN_FLAGS } from "../scripts/test.ts";

const ROUNDS = 31;
const main = new URL("../main.ts", import.meta.url).pathname;
const folder = await Deno.makeTempDir();
const empty = `${folder}/empty.js`;
await Deno.writeTextFile(empty, "");

const deno = [Deno.execPath(), "run", "-A"];
const commands = new Map([
  ["empty Deno script", [...deno, "--no-config", empty]],
  ["--version, no config read", [...deno, "--no-config", "--no-lock", main, "--version"]],
  ["mcp-exec --version", [...deno, ...RUN_FLAGS, main, "--version"]],
  ["mcp-exec --help", [...deno, ...RUN_FLAGS, main, "--help"]],
  ["mcp-exec introspect --help", [...deno, ...RUN_FLAGS, main, "introspect", "--help"]],
]);
if (await succeeds(["node", "--version"])) commands.set("empty Node script", ["node", empty]);

async function succeeds(words: readonly string[]): Promise<boolean> {
  try {
    return (await run(words)).success;
  } catch {
    return false;
  }
}

function run(words: readonly string[]) {
  return new Deno.Command(words[0]!, {
    args: words.slice(1),
    env: { DENO_NO_UPDATE_CHECK: "1", NODE_OPTIONS: "" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const times = new Map([...commands.keys()].map((name) => [name, [] as number[]]));
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, words] of commands) {
    const start = performance.now();
    if (!(await run(words)).success) throw new Error(`${name} failed`);
    if (round > 0) times.get(name)!.push(performance.now() - start); // the first one warms caches
  }
}
await Deno.remove(folder, { recursive: true });

const base = median(times.get("empty Deno script")!);
const node = times.has("empty Node script") ? median(times.get("empty Node script")!) : undefined;
for (const [name, values] of times) {
  const value = median(values);
  const toNode = node === undefined ? "" : `, ${(value / node).toFixed(2)} of empty Node`;
  console.log(
    `${name.padEnd(28)}${value.toFixed(1).padStart(7)} ms, ${
      (value / base).toFixed(2)
    } of empty Deno${toNode}`,
  );
}
