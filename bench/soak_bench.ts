// deno-lint-ignore-file no-console
// A hundred thousand calls through the bridge: whether every count is exact, and what is left of them
// in memory; each call against one of a tenth as many.
//   deno task bench soak

import { soak } from "../tests/soak.ts";

const CALLS = 100_000;

const short = await soak(CALLS / 10);
const { wanted, told, kept, served, grownBytes, ms } = await soak(CALLS);
const isExact = [told, kept].every((counts) => JSON.stringify(counts) === JSON.stringify(wanted)) &&
  served === wanted.server + wanted.failed;
const each = (ms / CALLS) / (short.ms / (CALLS / 10));
console.log(`calls                 ${CALLS}, ${JSON.stringify(told)}`);
console.log(`counts                ${isExact ? "exact" : "NOT exact"}`);
console.log(`memory grew by        ${(grownBytes / 2 ** 20).toFixed(1)} MiB (wanted below 10)`);
console.log(`time of a call        ${each.toFixed(2)}x that of a tenth as many`);
if (!isExact || grownBytes >= 10 * 2 ** 20) Deno.exit(1);
