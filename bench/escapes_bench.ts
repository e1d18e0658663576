// deno-lint-ignore-file no-console
// How late each attack program ends. The clock limit is a hard one here: fuel is unbounded, the wall
// clock is set to 250 ms, and what counts is how long after it the report comes, while the main
// thread keeps beating. `deno task bench escapes`; aim: 250 ms at most.

import { createExecutor } from "../src/sandbox.ts";
import { readAttacks, runAttack } from "../tests/attacks.ts";

const WALL_MS = 250;
const AIM_MS = 250;
const SHOWN = 12;

const { attacks, files } = await readAttacks();
const executor = createExecutor({ concurrency: 1 });
const nothing = { call: () => Promise.resolve("1") };
const run = (source: string, wallMs: number) =>
  executor.execute({
    source,
    path: "next.ts",
    files: new Map(),
    limits: { ...attacks[0]!.limits, wallMs },
  }, nothing);

let longestGap = 0;
let last = performance.now();
const beat = setInterval(() => {
  longestGap = Math.max(longestGap, performance.now() - last);
  last = performance.now();
}, 5);

const rows: { title: string; late: number; unclean: boolean; end: string }[] = [];
await run("return 1", 30_000);
for (const attack of attacks) {
  const limits = { ...attack.limits, fuel: 1e15, wallMs: WALL_MS, calls: 1e9 };
  const before = performance.now();
  const { report } = await runAttack(executor, { ...attack, limits });
  const ended = performance.now();
  const wall = report.error?.limit?.name === "wall";
  // What ended by itself is not late: it is done.
  const late = wall || ended - before > WALL_MS + AIM_MS ? report.ms - WALL_MS : 0;
  const next = await run("return 6 * 7", 30_000);
  const end = report.error?.limit?.name ?? report.error?.kind ?? "ok";
  rows.push({ title: attack.title, late, unclean: next.value !== 42, end });
}
clearInterval(beat);
await executor.close();

rows.sort((a, b) => b.late - a.late);
for (const { title, late, end } of rows.slice(0, SHOWN)) {
  console.log(`${late.toFixed(0).padStart(6)} ms late  ${end.padEnd(12)} ${title}`);
}
const stopped = rows.filter((row) => row.end === "wall");
const at = (part: number) => stopped[Math.floor(stopped.length * (1 - part))]?.late.toFixed(0);
console.log(`files:                   ${files}, programs ${rows.length}`);
console.log(`stopped by the clock:    ${stopped.length}; the others ended by themselves`);
console.log(
  `late, median / p95 / max: ${at(0.5)} / ${at(0.95)} / ${stopped[0]?.late.toFixed(0)} ms`,
);
console.log(`later than ${AIM_MS} ms:       ${rows.filter((row) => row.late > AIM_MS).length}`);
console.log(`next run not clean:      ${rows.filter((row) => row.unclean).length}`);
console.log(`longest gap of the main thread: ${longestGap.toFixed(0)} ms`);
