// deno-lint-ignore-file no-console
// How long the bundle takes to start and to end, against an empty Deno script, an empty Node script
// and a neighbour's `--version`: wall clock, medians of interleaved repetitions, each in a warm
// cache and in an environment of three variables. Node is measured in the environment as it is, too:
// variables such as NODE_EXTRA_CA_CERTS cost it more than its start. `deno task bench startup`.

import { build, BUNDLE_FLAGS, PERMISSION_FLAGS } from "../scripts/build.ts";
import { median } from "./median.ts";

const ROUNDS = 31;
const NEIGHBOUR = "mcporter";
const PROGRAM = "export default 1";
const TYPED = "const one: number = 1; export default one";

const folder = await Deno.makeTempDir();
const empty = `${folder}/empty.js`;
await Deno.writeTextFile(empty, "");
await build({ out: `${folder}/dist` });
const env: Record<string, string> = {
  PATH: Deno.env.get("PATH") ?? "",
  HOME: `${folder}/home`,
  DENO_NO_UPDATE_CHECK: "1",
};

const deno = [Deno.execPath(), "run"];
const bundle = [...deno, ...BUNDLE_FLAGS, ...PERMISSION_FLAGS, `${folder}/dist/main.js`];
const NODE_AS_IS = "empty Node script, as it is";
const commands = new Map([
  ["empty Deno script", [...deno, "-A", "--no-config", empty]],
  ["--version", [...bundle, "--version"]],
  ["--help", [...bundle, "--help"]],
  ["__complete", [...bundle, "__complete", "exec"]],
  ["config show", [...bundle, "config", "show"]],
  [`execute -e '${PROGRAM}'`, [...bundle, "execute", "-e", PROGRAM]],
  ["the same with a type", [...bundle, "execute", "-e", TYPED]],
]);
if (await succeeds(["node", "--version"])) {
  commands.set("empty Node script", ["node", empty]);
  commands.set(NODE_AS_IS, ["node", empty]);
  const install = ["npm", "install", "--silent", "--prefix", folder, NEIGHBOUR];
  const script = `${folder}/node_modules/.bin/${NEIGHBOUR}`;
  // Where registries are reached through a proxy, the environment says so.
  if (await succeeds(install, Deno.env.toObject())) {
    commands.set(`${NEIGHBOUR} --version`, [script, "--version"]);
  } else console.log(`${NEIGHBOUR} could not be installed`);
}

async function succeeds(words: readonly string[], variables = env): Promise<boolean> {
  try {
    return (await run(words, variables)).success;
  } catch {
    return false;
  }
}

function run(words: readonly string[], variables: Record<string, string> = env) {
  return new Deno.Command(words[0]!, {
    args: words.slice(1),
    cwd: folder,
    clearEnv: true,
    env: variables,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
}

const times = new Map([...commands.keys()].map((name) => [name, [] as number[]]));
for (let round = -2; round < ROUNDS; round++) {
  for (const [name, words] of commands) {
    const start = performance.now();
    const variables = name === NODE_AS_IS ? Deno.env.toObject() : env;
    if (!(await run(words, variables)).success) throw new Error(`${name} failed`);
    if (round >= 0) times.get(name)!.push(performance.now() - start); // the first ones fill caches
  }
}
await Deno.remove(folder, { recursive: true });

const base = median(times.get("empty Deno script")!);
const [node, nodeAsIs] = ["empty Node script", NODE_AS_IS].map((name) =>
  times.has(name) ? median(times.get(name)!) : undefined
);
console.log(`median and least of ${ROUNDS}, in ms`);
for (const [name, values] of times) {
  const value = median(values);
  const toNode = node === undefined ? "" : `, ${(value / node).toFixed(2)} of empty Node`;
  console.log(
    `${name.padEnd(30)}${value.toFixed(1).padStart(7)}${
      Math.min(...values).toFixed(1).padStart(7)
    }, ${(value / base).toFixed(2)} of empty Deno${toNode}`,
  );
}
const judge = (isMet: boolean) => isMet ? "met" : "MISSED";
const version = median(times.get("--version")!) / base;
console.log(`gate --version <= 1.2 of empty Deno: ${judge(version <= 1.2)}`);
const execute = median(times.get(`execute -e '${PROGRAM}'`)!);
for (const [name, time] of [["Node", node], ["Node as it is", nodeAsIs]] as const) {
  if (time === undefined) continue;
  const ratio = (execute / time).toFixed(2);
  console.log(`gate execute faster than empty ${name}: ${judge(execute < time)}, ${ratio} of it`);
}
