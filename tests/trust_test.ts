import assert from "node:assert/strict";
import { openDatabase } from "../src/database.ts";
import { type Digest, digestOf } from "../src/hash.ts";
import { MAX_TRUSTED_ENTRIES } from "../src/limits.ts";
import type { ServerName } from "../src/names.ts";
import {
  createTrustStore,
  isTrustedByEnvironment,
  toEntryDigest,
  type TrustStore,
} from "../src/trust.ts";

const ONE = digestOf("one");
const SERVER = "x" as ServerName;

async function withStore(work: (store: TrustStore, reopen: () => TrustStore) => void) {
  const folder = await Deno.makeTempDir();
  const open = () => openDatabase(`${folder}/x.db`, { warn: (message) => assert.fail(message) });
  const databases = [open()];
  let clock = 0;
  const store = () => createTrustStore(databases.at(-1)!, { now: () => ++clock });
  try {
    work(store(), () => {
      databases.push(open());
      return store();
    });
  } finally {
    for (const database of databases) database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("createTrustStore remembers an entry for its folder alone (A14)", async () => {
  await withStore((store, reopen) => {
    assert.equal(store.has("/a", ONE), false);
    store.trust({ folder: "/a", digest: ONE, server: SERVER });
    store.trust({ folder: "/a", digest: ONE, server: SERVER });
    const again = reopen();
    assert.equal(again.has("/a", ONE), true);
    assert.equal(again.has("/b", ONE), false);
    assert.equal(again.has("/a", digestOf("two")), false);
  });
});

Deno.test("createTrustStore forgets what is revoked, and says whether it was there", async () => {
  await withStore((store) => {
    assert.equal(store.revoke("/a", ONE), false);
    store.trust({ folder: "/a", digest: ONE, server: SERVER });
    assert.equal(store.revoke("/a", ONE), true);
    assert.equal(store.has("/a", ONE), false);
  });
});

Deno.test("createTrustStore keeps a bounded number, the newest ones", () => {
  let deletes: unknown[] = [];
  const store = createTrustStore({
    get: () => undefined,
    run: (sql, ...values) => {
      if (sql.startsWith("delete")) deletes = values;
    },
  }, { now: () => 1 });
  store.trust({ folder: "/a", digest: ONE, server: SERVER });
  assert.deepEqual(deletes, [MAX_TRUSTED_ENTRIES]);
});

Deno.test("isTrustedByEnvironment takes whole digests only (A15)", () => {
  const env = (value?: string) => ({ get: () => value, toObject: () => ({}) });
  assert.equal(isTrustedByEnvironment(env(), ONE), false);
  assert.equal(isTrustedByEnvironment(env(""), ONE), false);
  assert.equal(isTrustedByEnvironment(env("1"), ONE), false);
  assert.equal(isTrustedByEnvironment(env(ONE.slice(0, -1)), ONE), false);
  assert.equal(isTrustedByEnvironment(env(ONE), ONE), true);
  assert.equal(isTrustedByEnvironment(env(`blake3:0, ${ONE}\n`), ONE), true);
});

Deno.test("toEntryDigest takes a digest and nothing else", () => {
  assert.equal(toEntryDigest(ONE), ONE satisfies Digest);
  for (const text of ["", "blake3:", ONE.toUpperCase(), `${ONE}0`, `sha256:${ONE.slice(7)}`]) {
    assert.throws(() => toEntryDigest(text), { kind: "usage" });
  }
});
