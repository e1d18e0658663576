import assert from "node:assert/strict";
import { PREPARED_SHA256, prepareEngine, readEngine, readStockEngine } from "../src/asset.ts";

Deno.test("prepareEngine gives the file whose hash is recorded", async () => {
  const bytes = await prepareEngine(await readStockEngine());
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  assert.equal(digest.toHex(), PREPARED_SHA256);
});

Deno.test("prepareEngine refuses an altered engine file, X7", async () => {
  const stock = await readStockEngine();
  stock[1000] = stock[1000]! ^ 1;
  await assert.rejects(prepareEngine(stock), { kind: "integrity" });
});

Deno.test("readEngine keeps the prepared file in the store and ignores an altered one, X7", async () => {
  let kept: Uint8Array | undefined;
  let saves = 0;
  const store = {
    load: () => Promise.resolve(kept),
    save: (bytes: Uint8Array) => {
      kept = bytes.slice();
      saves++;
      return Promise.resolve();
    },
  };
  const fresh = await readEngine(store);
  assert.deepEqual([saves, kept], [1, fresh]);
  assert.deepEqual(await readEngine(store), fresh);
  assert.equal(saves, 1);
  kept![5000] = kept![5000]! ^ 1;
  assert.deepEqual(await readEngine(store), fresh);
  assert.equal(saves, 2);
});

Deno.test("readEngine works without a store that works", async () => {
  const fails = () => Promise.reject(new Error("no disk"));
  assert.ok((await readEngine({ load: fails, save: fails })).length > 500_000);
});
