import assert from "node:assert/strict";
import { soak } from "./soak.ts";

Deno.test("callTool loses no call, counts none twice and keeps nothing of thousands", async () => {
  const { wanted, told, kept, served, grownBytes } = await soak(4_800);
  assert.deepEqual(told, wanted);
  assert.deepEqual(kept, wanted);
  assert.equal(served, wanted.server + wanted.failed);
  assert.ok(grownBytes < 10 * 2 ** 20, `${grownBytes} bytes`);
});
