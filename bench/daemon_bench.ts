// deno-lint-ignore-file no-console
// What a warm server is worth: `execute` with one call to a server that npx starts, the first and
// the second time with a daemon, and without one. Wall clock of the bundle's processes, as medians
// of interleaved rounds. `deno task bench daemon`.

import { build, BUNDLE_FLAGS, PERMISSION_FLAGS } from "../scripts/build.ts";
import { median } from "./median.ts";

const ROUNDS = 5;
const SERVER = "npx -y @modelcontextprotocol/server-everything";
const PROGRAM = "return await callTool('everything', 'echo', { message: 'hello' })";

const folder = await Deno.makeTempDir();
await build({ out: `${folder}/dist` });
const program = [
  ...[Deno.execPath(), "run", ...BUNDLE_FLAGS, ...PERMISSION_FLAGS],
  `${folder}/dist/main.js`,
];
const env = {
  ...Deno.env.toObject(),
  DENO_NO_UPDATE_CHECK: "1",
  MCP_EXEC_DATA_DIR: `${folder}/data`,
  XDG_CONFIG_HOME: `${folder}/config`,
  XDG_RUNTIME_DIR: "",
};

/** Milliseconds of one command, which has to succeed. */
async function run(args: readonly string[], more: Record<string, string> = {}): Promise<number> {
  const start = performance.now();
  const { success, stderr } = await new Deno.Command(program[0]!, {
    args: [...program.slice(1), ...args],
    cwd: folder,
    env: { ...env, ...more },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return performance.now() - start;
}

const execute = ["execute", "-e", PROGRAM, "--stdio", `everything=${SERVER}`];
const times = { cold: [] as number[], first: [] as number[], second: [] as number[] };
for (let round = 0; round <= ROUNDS; round++) {
  const cold = await run(execute, { MCP_EXEC_NO_DAEMON: "1" });
  await run(["daemon", "start"]);
  const first = await run(execute);
  const second = await run(execute);
  await run(["daemon", "stop"]);
  if (round === 0) continue; // npx may download
  times.cold.push(cold);
  times.first.push(first);
  times.second.push(second);
}
await Deno.remove(folder, { recursive: true });

const [cold, first, second] = [times.cold, times.first, times.second].map(median) as [
  number,
  number,
  number,
];
console.log(`without a daemon:   ${cold.toFixed(0)} ms`);
console.log(`first with it:      ${first.toFixed(0)} ms`);
console.log(`second with it:     ${second.toFixed(0)} ms`);
console.log(`second to first:    1/${(first / second).toFixed(1)} (wanted: 1/10 or less)`);
console.log(`second to without:  1/${(cold / second).toFixed(1)}`);
if (second * 10 > first) Deno.exit(1);
