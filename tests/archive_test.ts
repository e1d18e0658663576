import assert from "node:assert/strict";
import { tarGz, zip } from "../scripts/archive.ts";

const SECONDS = 1_700_000_000;

Deno.test("tarGz and zip put entries in order and refuse what they cannot hold", async () => {
  const entry = (path: string) => ({ path, data: new Uint8Array([1, 2, 3]) });
  const options = { seconds: SECONDS };
  for (const pack of [tarGz, zip]) {
    const one = await pack([entry("a"), entry("b/c")], options);
    assert.deepEqual(await pack([entry("b/c"), entry("a")], options), one);
  }
  await assert.rejects(
    async () => await tarGz([entry("x".repeat(101))], options),
    /Path "x+" is longer than 100 bytes/,
  );
});

Deno.test("zip gives the first day that it knows to what is older", async () => {
  const data = new Uint8Array([1]);
  const dates = await Promise.all(
    [0, Date.UTC(1980, 0) / 1000, Date.UTC(1980, 1, 3) / 1000].map(async (seconds) => {
      const archive = await zip([{ path: "a", data }], { seconds });
      return new DataView(archive.buffer).getUint32(10, true);
    }),
  );
  assert.deepEqual(dates, [0x0021_0000, 0x0021_0000, 0x0043_0000]);
});
