// deno-lint-ignore-file no-console
// How parallel parallel calls are: 100 calls to a tool that takes 20 ms, made by one program in the
// sandbox, against one such call, and how many processes ten calls start. `deno task bench calls`.

import { RUN_FLAGS } from "../scripts/test.ts";
import { median } from "./median.ts";

const ROUNDS = 7;
const root = new URL("../", import.meta.url);
const server = `${Deno.execPath()} run -A ${new URL("tests/servers/honest.ts", root).pathname}`;

interface Report {
  readonly result: number;
  readonly ms: number;
  readonly calls: readonly unknown[];
}

const program = (calls: number) => `
  import { wait } from "mcp:honest";
  const waits = Array.from({ length: ${calls} }, () => wait({ ms: 20 }));
  export default (await Promise.all(waits)).length;
`;

async function run(calls: number): Promise<Report> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", ...RUN_FLAGS, new URL("main.ts", root).pathname],
      ...["execute", "-e", program(calls), "--stdio", `honest=${server}`, "--format", "json"],
    ],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stderr: "null",
  }).output();
  return JSON.parse(new TextDecoder().decode(output.stdout));
}

const one: number[] = [];
const hundred: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  one.push((await run(1)).ms);
  hundred.push((await run(100)).ms);
}
const [single, parallel] = [median(one), median(hundred)];
console.log(`one call of 20 ms:      ${single.toFixed(1)} ms (run, connecting not counted)`);
console.log(`100 calls in parallel:  ${parallel.toFixed(1)} ms`);
console.log(`ratio 100 to 1:         ${(parallel / single).toFixed(2)} (aim 1.5)`);
