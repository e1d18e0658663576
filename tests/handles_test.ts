import assert from "node:assert/strict";
import { openDatabase } from "../src/database.ts";
import { AppError } from "../src/errors.ts";
import { createHandleStore, type HandleStore, isHandleId } from "../src/handles.ts";
import { MAX_HANDLE_BYTES, MAX_HANDLES } from "../src/limits.ts";
import type { SessionId } from "../src/names.ts";

interface Bench {
  readonly store: HandleStore;
  /** The data folder. */
  readonly data: string;
  readonly clock: { now: number };
  readonly warnings: string[];
  /** Another process's view of the same data folder. */
  open(options?: { maxBytes?: number }): HandleStore;
}

function test(title: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test(title, async () => {
    const data = await Deno.realPath(await Deno.makeTempDir());
    const clock = { now: 1_000_000 };
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    const databases: { close(): void }[] = [];
    const open: Bench["open"] = (options = {}) => {
      const database = openDatabase(`${data}/mcp-exec.db`, { warn });
      databases.push(database);
      const folder = `${data}/handles`;
      return createHandleStore(database, { folder, now: () => clock.now, warn, ...options });
    };
    try {
      await body({ store: open(), data, clock, warnings, open });
    } finally {
      for (const database of databases) database.close();
      await Deno.remove(data, { recursive: true });
    }
  });
}

async function refusal(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then((value) => assert.fail(`gave ${value}`), (error) => error);
  assert.ok(error instanceof AppError, String(error));
  return error;
}

const text = (bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);
const DAY_MS = 24 * 3_600_000;

async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name).sort();
}

test("keep gives the same name for the same content and type, in every process", async (bench) => {
  const { store, open } = bench;
  const picture = await store.keep(PNG, { type: "image/png" });
  assert.ok(isHandleId(picture.id));
  assert.equal(picture.bytes, 4);
  assert.equal(picture.isText, false);
  assert.equal(picture.expiresAt, bench.clock.now + DAY_MS);
  const other = open();
  assert.equal((await other.keep(PNG, { type: "image/png" })).id, picture.id);
  assert.notEqual((await other.keep(PNG, { type: "image/gif" })).id, picture.id);
  assert.deepEqual(await other.read(picture.id), PNG);
  assert.deepEqual(open().find(picture.id), picture);
  assert.deepEqual(store.size(), { count: 2, bytes: 8 });
});

test("keep writes files that only the user can read", async ({ store, data }) => {
  const { id } = await store.keep("text", { type: "text/plain" });
  assert.deepEqual(await names(`${data}/handles`), [id]);
  if (Deno.build.os === "windows") return;
  assert.equal((await Deno.lstat(`${data}/handles`)).mode! & 0o777, 0o700);
  assert.equal((await Deno.lstat(`${data}/handles/${id}`)).mode! & 0o777, 0o600);
});

test("keep takes for text what is UTF-8 and of a type of text", async ({ store }) => {
  const isText = async (data: string | Uint8Array, type: string) =>
    (await store.keep(data, { type })).isText;
  assert.equal(await isText("é", "text/csv; charset=utf-8"), true);
  assert.equal(await isText(Uint8Array.of(0x61), "application/ld+json"), true);
  assert.equal(await isText(Uint8Array.of(0xff), "text/plain"), false);
  assert.equal(await isText(Uint8Array.of(0x61), "application/pdf"), false);
  const { type } = await store.keep("x", { type: "\u001b[2J/x" });
  assert.equal(type, "application/octet-stream");
});

test("keep refuses what is larger than a handle may be", async ({ store }) => {
  const error = await refusal(store.keep(new Uint8Array(MAX_HANDLE_BYTES + 1), { type: "a/b" }));
  assert.equal(error.kind, "limit");
  assert.equal(error.limit?.name, "handle");
});

test("read gives slices of text that make the whole, whatever stands at their ends", async (bench) => {
  const { store } = bench;
  const whole = "aé€😀z";
  const { id, bytes } = await store.keep(whole, { type: "text/plain" });
  assert.equal(text(await store.read(id, { start: 1, end: 3 })), "é");
  for (const size of [1, 2, 3, 5]) {
    let joined = "";
    for (let start = 0; start < bytes; start += size) {
      joined += text(await store.read(id, { start, end: start + size }));
    }
    assert.equal(joined, whole, `slices of ${size}`);
  }
  const picture = await store.keep(PNG, { type: "image/png" });
  assert.deepEqual(await store.read(picture.id, { start: 1, end: 2 }), Uint8Array.of(0x50));
  assert.deepEqual(await store.read(picture.id, { start: 4 }), new Uint8Array());
});

test("read refuses slices that are out of range", async ({ store }) => {
  const { id } = await store.keep("four", { type: "text/plain" });
  for (
    const slice of [
      { start: -1 },
      { start: 5 },
      { start: 3, end: 2 },
      { end: NaN },
      { start: 0.5 },
      { end: Infinity },
    ]
  ) {
    const error = await refusal(store.read(id, slice));
    assert.equal(error.kind, "invalid", JSON.stringify(slice));
  }
  assert.equal(text(await store.read(id, { start: 2, end: 99 })), "ur");
});

test("read refuses names that are unknown, expired or no names", async ({ store, clock }) => {
  const { id } = await store.keep("text", { type: "text/plain" });
  const unknown = `h${"a".repeat(26)}`;
  for (const name of [unknown, "", "../mcp-exec.db", `${id}x`, "\0"]) {
    assert.equal((await refusal(store.read(name))).kind, "invalid", name);
    assert.equal(store.find(name), undefined);
  }
  clock.now += DAY_MS;
  assert.equal(store.find(id), undefined);
  assert.match((await refusal(store.read(id))).message, /not known, or has expired/);
});

test("read refuses content that was changed, shortened, lengthened or replaced", async (bench) => {
  const { store, open, data } = bench;
  const { id } = await store.keep("content", { type: "text/plain" });
  const path = `${data}/handles/${id}`;
  for (const changed of ["Content", "conten", "content!", ""]) {
    await Deno.writeTextFile(path, changed);
    assert.equal((await refusal(open().read(id))).kind, "integrity", changed);
  }
  await Deno.remove(path);
  assert.equal((await refusal(open().read(id))).kind, "invalid");
  await Deno.mkdir(path);
  assert.equal((await refusal(open().read(id))).kind, "invalid");
  await Deno.remove(path);
  await Deno.writeTextFile(`${data}/other`, "content");
  await Deno.symlink(`${data}/other`, path);
  assert.equal((await refusal(open().read(id))).kind, "denied");
});

test("keep follows no link, and keeps in memory what it cannot write", async (bench) => {
  const { store, data, warnings, open } = bench;
  await Deno.mkdir(`${data}/elsewhere`);
  await Deno.symlink(`${data}/elsewhere`, `${data}/handles`);
  const { id } = await store.keep("text", { type: "text/plain" });
  await store.keep(PNG, { type: "image/png" });
  assert.equal(text(await store.read(id)), "text");
  assert.deepEqual(await names(`${data}/elsewhere`), []);
  assert.equal(warnings.length, 1, warnings.join("\n"));
  assert.match(warnings[0]!, /^Large results are kept for this run only: /);
  assert.equal(open().find(id), undefined);
  await store.prune();
  assert.deepEqual(store.size(), { count: 2, bytes: 8 });
});

Deno.test("keep works without a data folder, within its bound", async () => {
  const database = openDatabase(undefined, { warn: () => {} });
  const store = createHandleStore(database, {
    folder: undefined,
    now: () => 1,
    warn: (message) => assert.fail(message),
    maxBytes: 10,
  });
  const session = "s" as SessionId;
  const first = await store.keep("12345", { type: "text/plain", session });
  const second = await store.keep("67890", { type: "text/plain" });
  assert.equal(text(await store.read(first.id)), "12345");
  assert.ok(store.isOf(session, first.id));
  await store.keep("x", { type: "text/plain" });
  assert.equal(store.find(first.id), undefined);
  assert.equal(text(await store.read(second.id, { start: 3 })), "90");
  database.close();
});

Deno.test("keep without a data folder forgets the oldest of many small contents and their sessions", async () => {
  const database = openDatabase(undefined, { warn: () => {} });
  let now = 1;
  const store = createHandleStore(database, {
    folder: undefined,
    now: () => now,
    warn: (message) => assert.fail(message),
  });
  const keep = (content: string, session: string) =>
    store.keep(content, { type: "text/plain", session: session as SessionId });
  const first = await keep("first", "one");
  const shared = await keep("shared", "one");
  for (let at = 0; at < MAX_HANDLES; at++) await keep("shared", `${at}`);
  assert.equal(store.isOf("one" as SessionId, shared.id), false);
  assert.equal(store.isOf("7" as SessionId, shared.id), true);
  assert.ok(store.find(first.id));
  for (let at = 0; at < MAX_HANDLES; at++) await keep(`${at}`, "two");
  assert.equal(store.find(first.id), undefined);
  assert.equal(store.size().count, MAX_HANDLES);
  now += DAY_MS;
  const last = await keep("last", "two");
  assert.deepEqual(store.size(), { count: 1, bytes: last.bytes });
  database.close();
});

test("keep tidies up for whoever stays", async ({ open, clock, data }) => {
  const store = open({ maxBytes: 100 });
  const old = await store.keep("old", { type: "text/plain" });
  clock.now += DAY_MS;
  const kept = [];
  for (let at = 10; at < 30; at++) {
    clock.now++;
    kept.push((await store.keep(`number ${at}`, { type: "text/plain" })).id);
  }
  const left = await names(`${data}/handles`);
  assert.ok(!left.includes(old.id) && left.includes(kept.at(-1)!));
  assert.ok(left.length < 14, `${left.length} are left`);
});

test("isOf tells the sessions that kept a content apart", async ({ store, open }) => {
  const [one, two] = ["one" as SessionId, "two" as SessionId];
  const { id } = await store.keep("text", { type: "text/plain", session: one });
  await open().keep("alone", { type: "text/plain" });
  assert.equal(open().isOf(one, id), true);
  assert.equal(open().isOf(two, id), false);
  await store.keep("text", { type: "text/plain", session: two });
  assert.deepEqual([store.isOf(one, id), store.isOf(two, id)], [true, true]);
});

test("prune removes what has expired and what a lost database left", async (bench) => {
  const { store, clock, data } = bench;
  const old = await store.keep("old", { type: "text/plain", session: "s" as SessionId });
  const again = await store.keep("again", { type: "text/plain" });
  clock.now += DAY_MS / 2;
  const young = await store.keep("young", { type: "text/plain" });
  await store.keep("again", { type: "text/plain" });
  await Deno.writeTextFile(`${data}/handles/h${"b".repeat(26)}`, "lost");
  const debris = `.h${"c".repeat(26)}.0123456789abcdef.tmp`;
  await Deno.writeTextFile(`${data}/handles/${debris}`, "half a f");
  await Deno.writeTextFile(`${data}/handles/notes.txt`, "not ours");
  clock.now += DAY_MS / 2;
  await store.prune();
  assert.deepEqual(await names(`${data}/handles`), [again.id, young.id, "notes.txt"].sort());
  assert.equal(store.isOf("s" as SessionId, old.id), false);
  assert.equal(text(await store.read(again.id)), "again");
});

test("prune lets a session read for a day what others keep on", async ({ store, clock, data, open }) => {
  const keep = (session: string) =>
    store.keep("text", { type: "text/plain", session: session as SessionId });
  const { id } = await keep("old");
  await keep("again");
  clock.now += DAY_MS / 2;
  await keep("again");
  clock.now += DAY_MS / 2;
  await store.prune();
  const sessions = ["old", "again"].map((session) => store.isOf(session as SessionId, id));
  assert.deepEqual(sessions, [false, true]);
  // Others cannot be written: their records have to go all the same.
  await Deno.remove(`${data}/handles`, { recursive: true });
  await Deno.writeTextFile(`${data}/handles`, "in the way");
  const failing = open();
  await failing.keep("lost", { type: "text/plain", session: "lost" as SessionId });
  await store.prune();
  const database = openDatabase(`${data}/mcp-exec.db`, { warn: assert.fail });
  assert.deepEqual(database.all("select session from handle_sessions where session = 'lost'"), []);
  database.close();
});

test("prune removes the oldest while there is too much", async ({ open, clock, data }) => {
  const store = open({ maxBytes: 10 });
  const kept = [];
  for (const word of ["one--", "two--", "three"]) {
    clock.now++;
    kept.push((await store.keep(word, { type: "text/plain" })).id);
  }
  await store.prune();
  assert.deepEqual(await names(`${data}/handles`), kept.slice(1).sort());
});

test("keep and prune of several processes at once lose nothing that is young", async (bench) => {
  const { open, clock } = bench;
  const stores = [open(), open(), open()];
  const contents = Array.from({ length: 12 }, (_, at) => `content ${at}`);
  for (let round = 0; round < 3; round++) {
    clock.now += DAY_MS;
    const rounds = await Promise.all(stores.map(async (store) => {
      const kept = [];
      for (const content of contents) {
        kept.push(await store.keep(content, { type: "text/plain" }));
        await store.prune();
      }
      return kept;
    }));
    for (const [at, { id }] of rounds[0]!.entries()) {
      assert.equal(text(await open().read(id)), contents[at]);
    }
  }
});
