import assert from "node:assert/strict";
import { type CodeExecutor, createExecutor } from "../src/sandbox.ts";
import { type Attack, isExpected, readAttacks, runAttack } from "./attacks.ts";

async function check(executor: CodeExecutor, attack: Attack): Promise<void> {
  const { report, calls } = await runAttack(executor, attack);
  const { log: _, ...shown } = report;
  assert.ok(
    isExpected(report, attack),
    `wanted ${attack.expected.join(" or ")}, got ${JSON.stringify(shown).slice(0, 600)}`,
  );
  if (attack.calls !== undefined) assert.equal(calls, attack.calls);
  if (attack.truncated !== undefined) {
    assert.match(report.truncated.join(), new RegExp(attack.truncated));
  }
  const warned = report.warnings.join("\n");
  if (attack.warns === "nothing") assert.equal(warned, "");
  else if (attack.warns !== undefined) {
    assert.ok(warned.includes(attack.warns), `warned of ${JSON.stringify(warned)}`);
  }
  assert.ok(report.memory <= attack.limits.memory);
  assert.ok(report.log.length <= 10_000);
  assert.equal(Object.keys(Object.prototype).length, 0);

  const next = await executor.execute(
    { source: "export default 6 * 7", path: "next.ts", files: new Map(), limits: attack.limits },
    { call: () => Promise.resolve("1") },
  );
  assert.equal(next.value, 42);
}

const { attacks, files } = await readAttacks();

Deno.test("sandbox: every attack ends as it must, and the next run works", async (context) => {
  const executor = createExecutor({ concurrency: 1 });
  for (const attack of attacks) {
    await context.step({
      name: attack.title,
      fn: () => check(executor, attack),
      sanitizeOps: false,
      sanitizeResources: false,
    });
  }
  await executor.close();
});

Deno.test("sandbox: the attacks are many", () => {
  assert.ok(files >= 150, `${files} files`);
});
