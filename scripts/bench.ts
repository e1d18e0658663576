// deno-lint-ignore-file no-console
// Runs the benches, all or those named: `deno task bench startup calls`. Each prints ratios to a
// reference measured in the same run. Neighbours are fetched for the run and stand in no lock file.

import { RUN_FLAGS } from "./test.ts";

const folder = new URL("../bench/", import.meta.url);
const known: string[] = [];
for await (const entry of Deno.readDir(folder)) {
  known.push(.../^(.+)_bench\.ts$/.exec(entry.name)?.slice(1) ?? []);
}
const unknown = Deno.args.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`No bench named ${unknown.map((name) => JSON.stringify(name)).join(", ")}`);
  Deno.exit(2);
}
const names = known.filter((name) => Deno.args.length === 0 || Deno.args.includes(name));
// No bench finds what the user keeps, nor leaves runs in the user's journal.
const home = await Deno.makeTempDir({ prefix: "mcp-exec-bench-" });
let failed = 0;
for (const name of names.sort()) {
  console.log(`== ${name}`);
  const status = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", ...RUN_FLAGS, new URL(`${name}_bench.ts`, folder).href],
    env: {
      DENO_NO_UPDATE_CHECK: "1",
      XDG_CONFIG_HOME: `${home}/config`,
      XDG_DATA_HOME: `${home}/data`,
    },
  }).spawn().status;
  if (!status.success) failed++;
}
await Deno.remove(home, { recursive: true });
Deno.exit(failed === 0 ? 0 : 1);
