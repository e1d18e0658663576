// deno-lint-ignore-file no-console
// Runs programs that take 220 MiB each, and prints how many MiB more than before the process holds
// right after them and when the ended workers are gone. A process of its own: test files that run
// side by side share one.
//   deno run -A --unstable-worker-options tests/heavy_runs.ts ROUNDS

import { DEFAULT_RUN_LIMITS } from "../src/limits.ts";
import { createExecutor } from "../src/sandbox.ts";

const MIB = 2 ** 20;
const HEAVY = `const kept = [];
  for (let i = 0; i < 11; i++) kept.push(new Uint8Array(20 << 20).fill(1));
  export default kept.length;`;

/** What was held more than before, in MiB. */
export interface Held {
  readonly atOnce: number;
  readonly atLast: number;
}

/** What a process holds after so many runs; it has ended by itself. */
export async function heldAfter(rounds: number): Promise<Held> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--unstable-worker-options", "--v8-flags=--stack-size=3400"],
      ...[new URL(import.meta.url).pathname, String(rounds)],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (text === "") throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(text);
}

if (import.meta.main) {
  const before = Deno.memoryUsage().rss;
  const held = () => Math.round((Deno.memoryUsage().rss - before) / MIB);
  const executor = createExecutor({ concurrency: 2 });
  const run = async (source: string) => {
    const program = { source, path: "main.ts", files: new Map(), limits: DEFAULT_RUN_LIMITS };
    const { value } = await executor.execute(program, { call: () => Promise.resolve("1") });
    if (value === undefined) throw new Error("The program failed");
  };
  for (let round = 0; round < Number(Deno.args[0]); round++) await run(HEAVY);
  const atOnce = held();
  let atLast = atOnce;
  // The system takes it back when the ended workers are gone, which is soon but not at once.
  for (let wait = 0; wait < 200 && atLast > 200; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await run("export default 1");
    atLast = held();
  }
  await executor.close();
  console.log(JSON.stringify({ atOnce, atLast }));
}
