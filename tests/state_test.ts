import assert from "node:assert/strict";
import { type Database, openDatabase } from "../src/database.ts";
import { AppError } from "../src/errors.ts";
import { MAX_STATE_KEYS, MAX_STATE_SESSIONS } from "../src/limits.ts";
import { type SessionId, toSessionId } from "../src/names.ts";
import {
  createMemoryState,
  createSessionState,
  listStateSessions,
  type StateStorage,
} from "../src/state.ts";
import { freshPlace, PROGRAM } from "./specs/run.ts";

const [ONE, TWO] = [toSessionId("one"), toSessionId("two")];
const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

async function withDatabase(work: (open: () => Database) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "mcp-exec-" });
  const opened: Database[] = [];
  try {
    work(() => {
      const database = openDatabase(`${folder}/x.db`, { warn: (text) => assert.fail(text) });
      opened.push(database);
      return database;
    });
  } finally {
    for (const database of opened) database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function limited(name: string, limit: number) {
  return (error: unknown) =>
    error instanceof AppError && error.kind === "limit" && error.limit?.limit === limit &&
    error.message.includes(name);
}

/** What every storage promises. */
const PROMISES: Readonly<Record<string, (state: StateStorage) => void>> = {
  "keeps sessions apart (C1)": (state) => {
    state.set(ONE, "a", "1");
    assert.equal(state.get(ONE, "a"), "1");
    assert.equal(state.get(TWO, "a"), undefined);
    state.set(TWO, "a", "2");
    assert.equal(state.get(ONE, "a"), "1");
  },
  "takes any text for a key and tells all of them apart": (state) => {
    const keys = ["", "__proto__", "constructor", "a\0b", "a\0c", "\ud800", "\udfff", "a' or 1=1"];
    for (const [index, key] of keys.entries()) {
      assert.equal(state.get(ONE, key), undefined);
      state.set(ONE, key, `${index}`);
    }
    for (const [index, key] of keys.entries()) assert.equal(state.get(ONE, key), `${index}`);
  },
  "refuses what is beyond its bounds and stays as it was (S16)": (state) => {
    state.set(ONE, "a", "1");
    assert.throws(() => state.set(ONE, "a", "x".repeat(MIB)), limited(`"a"`, MIB));
    assert.equal(state.get(ONE, "a"), "1");
    for (let key = 1; key < MAX_STATE_KEYS; key++) state.set(ONE, `k${key}`, "1");
    assert.throws(() => state.set(ONE, "more", "1"), limited("keys", MAX_STATE_KEYS));
    state.set(ONE, "k1", "2");
    state.set(TWO, "more", "1");
  },
  "counts the bytes of a session, and not twice those of a key that is set again (S16)": (
    state,
  ) => {
    for (let key = 0; key < 15; key++) state.set(ONE, `${key}`, "ü".repeat(MIB / 2 - 10));
    state.set(ONE, "15", "x".repeat(MIB - 200));
    assert.throws(() => state.set(ONE, "16", "x".repeat(1000)), limited("in all", 16 * MIB));
    assert.equal(state.get(ONE, "16"), undefined);
    state.set(ONE, "15", "x".repeat(1000));
    state.set(ONE, "16", "x".repeat(1000));
    state.set(TWO, "0", "x".repeat(1000));
  },
};

for (const [promise, check] of Object.entries(PROMISES)) {
  Deno.test(`createMemoryState ${promise}`, () => check(createMemoryState()));
  Deno.test(`createSessionState ${promise}`, () =>
    withDatabase((open) => check(createSessionState(open(), { now: () => 1 }))));
}

Deno.test("createSessionState gives each process what the others kept", async () => {
  await withDatabase((open) => {
    const [first, second] = [open(), open()].map((database) =>
      createSessionState(database, { now: () => 1 })
    );
    first!.set(ONE, "a", "1");
    assert.equal(second!.get(ONE, "a"), "1");
    second!.set(ONE, "a", "2");
    assert.equal(first!.get(ONE, "a"), "2");
  });
});

Deno.test("createSessionState forgets a session that was not used, and frees its bytes (C5)", async () => {
  await withDatabase((open) => {
    const database = open();
    const at = (nowMs: number) => createSessionState(database, { now: () => nowMs, days: 30 });
    const bytes = () =>
      database.get<{ bytes: number }>(
        `select (page_count - freelist_count) * page_size as bytes
         from pragma_page_count, pragma_freelist_count, pragma_page_size`,
      )!.bytes;
    const before = bytes();
    at(0).set(ONE, "large", `"${"x".repeat(900_000)}"`);
    at(0).set(TWO, "a", "1");
    assert.ok(bytes() > before + 900_000);
    assert.equal(at(29 * DAY_MS).get(TWO, "a"), "1");
    assert.equal(at(31 * DAY_MS).get(ONE, "large"), undefined);
    assert.equal(at(31 * DAY_MS).get(TWO, "a"), "1");
    assert.ok(bytes() < before + 100_000);
    assert.deepEqual(listStateSessions(database), [
      { session: TWO, keys: 1, bytes: 2, usedAt: 31 * DAY_MS },
    ]);
  });
});

Deno.test("createSessionState clears one session and leaves the others (C5)", async () => {
  await withDatabase((open) => {
    const state = createSessionState(open(), { now: () => 0 });
    for (const session of [ONE, TWO]) state.set(session, "a", "1");
    state.clear(ONE);
    assert.equal(state.get(ONE, "a"), undefined);
    assert.equal(state.get(TWO, "a"), "1");
  });
});

Deno.test("createSessionState keeps a bounded number of sessions, the last used ones", async () => {
  await withDatabase((open) => {
    const database = open();
    database.transaction(() => {
      const state = createSessionState(database, { now: () => 5 });
      for (let index = 0; index < MAX_STATE_SESSIONS + 3; index++) {
        state.set(`s${index}` as SessionId, "a", "1");
      }
      createSessionState(database, { now: () => 9 }).set(ONE, "a", "1");
    });
    assert.equal(createSessionState(database, { now: () => 9 }).get(ONE, "a"), "1");
    assert.equal(listStateSessions(database).length, MAX_STATE_SESSIONS);
  });
});

Deno.test("StateStorage never crosses sessions in 10,000 random interleavings (C4)", () => {
  const state = createMemoryState();
  const expected = new Map<string, string>();
  let seed = 7;
  const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  for (let step = 0; step < 10_000; step++) {
    const session = `s${random(20)}` as SessionId;
    const key = `k${random(5)}`;
    if (random(2) === 0) {
      state.set(session, key, `"${session}-${step}"`);
      expected.set(`${session}/${key}`, `"${session}-${step}"`);
    } else assert.equal(state.get(session, key), expected.get(`${session}/${key}`));
  }
});

Deno.test("toSessionId refuses what could name another session (C2)", () => {
  for (const text of ["", "a/b", "a\0b", "a b", "-a", "../one", "one\n", "öne", "a".repeat(65)]) {
    assert.throws(() => toSessionId(text), AppError, JSON.stringify(text));
  }
});

/** Runs `execute` with `args` in one place and gives what it printed. */
async function execute(
  { folder, env }: { folder: string; env: Record<string, string> },
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...PROGRAM, "execute", ...args],
    cwd: folder,
    clearEnv: true,
    env,
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

const COUNT = `
const count = (await getState("count") ?? 0) + 1;
await setState("count", count);
Object.prototype.leaked = Array.prototype.leaked = "leaked";
return [count, ({}).leaked, typeof globalThis.left, globalThis.left = 1];`;
const CHECK = `
return [await getState("count") ?? null, ({}).leaked ?? null, typeof globalThis.left];`;

Deno.test("execute --session keeps state from run to run, apart from other sessions (C1, C2, C3)", async () => {
  const place = await freshPlace();
  try {
    const value = async (...args: string[]) => {
      const { code, stdout, stderr } = await execute(place, ...args);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    assert.equal((await value("-e", COUNT, "--session", "a"))[0], 1);
    assert.equal((await value("-e", COUNT, "--session", "a"))[0], 2);
    assert.equal((await value("-e", COUNT))[0], 1);
    assert.deepEqual(await value("-e", CHECK, "--session", "b"), [null, null, "undefined"]);
    assert.deepEqual(await value("-e", CHECK, "--session", "a"), [2, null, "undefined"]);
    const refused = await execute(place, "-e", CHECK, "--session", "a/../b");
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /^error: Flag "--session" is not usable: session "a\/..\/b" is/);
  } finally {
    await Deno.remove(place.folder.replace(/\/work$/, ""), { recursive: true });
  }
});
