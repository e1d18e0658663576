import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import { type Database, openDatabase } from "../src/database.ts";
import { digestOf, digestOfJson } from "../src/hash.ts";
import {
  type CallRecord,
  createJournal,
  type JournalOptions,
  type RunStart,
  toRunId,
} from "../src/journal.ts";
import { DEFAULT_RUN_LIMITS } from "../src/limits.ts";
import { toServerName, toSessionId, toToolName } from "../src/names.ts";

const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const DAY_MS = 86_400_000;

async function withDatabase(
  run: (database: Database, path: string) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "mcp-exec-" });
  const database = openDatabase(`${folder}/x.db`, { warn: (message) => ok(false, message) });
  try {
    await run(database, `${folder}/x.db`);
  } finally {
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function journalOf(database: Database, options: Partial<JournalOptions> = {}) {
  return createJournal(database, {
    warn: (message) => ok(false, message),
    now: () => START_MS,
    ...options,
  });
}

function startOf(code: string, more: Partial<RunStart> = {}): RunStart {
  return {
    command: "execute",
    code,
    codeDigest: digestOf(code),
    servers: [toServerName("github"), toServerName("files")],
    limits: DEFAULT_RUN_LIMITS,
    ...more,
  };
}

const CALL: CallRecord = {
  server: toServerName("github"),
  tool: toToolName("create_issue"),
  startedMs: START_MS + 5,
  ms: 12.5,
  argumentsDigest: digestOfJson({ title: "canary" }),
  decision: "allow",
  outcome: "ok",
  bytesIn: 18,
  bytesOut: 20,
};

Deno.test("createJournal keeps a run, its code, its calls in order and its end", async () => {
  await withDatabase((database) => {
    const journal = journalOf(database);
    const start = startOf("return 1;", { session: toSessionId("s1") });
    const id = journal.startRun(start);
    const failed: CallRecord = {
      ...CALL,
      definition: digestOf("definition"),
      decision: "deny github.*",
      outcome: "denied",
      error: "Tool is denied",
      source: "shared",
      waitedMs: 2.5,
      met: "rate",
    };
    journal.recordCall(id, CALL);
    journal.recordCall(id, failed);
    const { code, ...rest } = start;
    const common = { id, version: 1, startedMs: START_MS, ...rest, callCount: 2 };
    deepStrictEqual(journal.runs(10), [common]);
    deepStrictEqual(journal.run(id), { ...common, code, calls: [CALL, failed] });
    const end = {
      outcome: "limit",
      ms: 30.5,
      fuel: 1e9,
      memory: 2 ** 31,
      error: { kind: "limit", message: "Out of fuel", limit: { name: "fuel", limit: 1e9 } },
    } as const;
    journal.finishRun(id, end);
    deepStrictEqual(journal.runs(10), [{ ...common, end }]);
    deepStrictEqual(journal.run("last"), { ...common, code, calls: [CALL, failed], end });
    const plain = journal.startRun(startOf("return 1;"));
    journal.finishRun(plain, { outcome: "ok", ms: 1 });
    deepStrictEqual(journal.run(plain)?.end, { outcome: "ok", ms: 1 });
    strictEqual("session" in journal.run(plain)!, false);
  });
});

Deno.test("createJournal keeps code whole whatever it holds", async () => {
  await withDatabase((database) => {
    const journal = journalOf(database);
    for (const code of ["", "a\0b", "é👍\r\n", "x".repeat(1024 * 1024)]) {
      strictEqual(journal.run(journal.startRun(startOf(code)))?.code, code);
    }
  });
});

Deno.test("createJournal keeps arguments and results only where payloads are on (X1)", async () => {
  const payload = { arguments: '{"title":"canary\\u0000é"}', result: '["canary"]' };
  for (const payloads of [false, true]) {
    await withDatabase((database, path) => {
      const journal = journalOf(database, { payloads });
      const id = journal.startRun(startOf("return 1;"));
      journal.recordCall(id, { ...CALL, ...payload });
      deepStrictEqual(journal.run(id)?.calls, [payloads ? { ...CALL, ...payload } : CALL]);
      const bytes = [path, `${path}-wal`].map((file) => Deno.readFileSync(file));
      const found = bytes.some((part) => new TextDecoder("latin1").decode(part).includes("canary"));
      strictEqual(found, payloads);
    });
  }
});

Deno.test("createJournal gives ids that differ and sort by time", async () => {
  await withDatabase((database) => {
    let nowMs = START_MS;
    const journal = journalOf(database, { now: () => nowMs });
    const ids = Array.from({ length: 50 }, () => {
      nowMs += 1;
      return journal.startRun(startOf(""));
    });
    deepStrictEqual(ids.toSorted(), ids);
    const same = Array.from({ length: 50 }, () => journal.startRun(startOf("")));
    strictEqual(new Set(same).size, 50);
    for (const id of same) {
      strictEqual(toRunId(id), id);
      strictEqual(id.slice(0, 10), ids.at(-1)!.slice(0, 10));
    }
    deepStrictEqual(journal.runs(1_000).length, 100);
  });
});

Deno.test("toRunId accepts an id in any case and nothing else", () => {
  strictEqual(toRunId("01KFZ0ABCDEFGHJK"), "01kfz0abcdefghjk");
  for (
    const text of ["", "last", "01kfz0abcdefghj", "01kfz0abcdefghjki", "01kfz0abcdefghil", "'--"]
  ) {
    throws(() => toRunId(text), { kind: "usage" });
  }
});

Deno.test("Journal.runs lists the last first, of one session or since a time where asked", async () => {
  await withDatabase((database) => {
    let nowMs = START_MS;
    const journal = journalOf(database, { now: () => nowMs });
    const session = toSessionId("s1");
    const first = journal.startRun(startOf("1", { session }));
    nowMs += 10;
    const second = journal.startRun(startOf("2", { session: toSessionId("s2") }));
    nowMs += 10;
    const third = journal.startRun(startOf("3", { session }));
    const ids = (...args: Parameters<typeof journal.runs>) =>
      journal.runs(...args).map((run) => run.id);
    deepStrictEqual(ids(10), [third, second, first]);
    deepStrictEqual(ids(2), [third, second]);
    deepStrictEqual(ids(10, { session }), [third, first]);
    deepStrictEqual(ids(10, { sinceMs: START_MS + 10 }), [third, second]);
    strictEqual(journal.run(toRunId("0000000000000000")), undefined);
  });
});

Deno.test("Journal.run takes the run begun last for last though the clock went backwards (K18)", async () => {
  await withDatabase((database) => {
    let nowMs = START_MS;
    const journal = journalOf(database, { now: () => nowMs });
    strictEqual(journal.run("last"), undefined);
    journal.startRun(startOf("1"));
    nowMs -= DAY_MS;
    const last = journal.startRun(startOf("2"));
    strictEqual(journal.run("last")?.id, last);
    strictEqual(journal.runs(1)[0]?.id, last);
  });
});

Deno.test("Journal.prune removes runs older than the days kept, and all that belongs to them", async () => {
  await withDatabase((database) => {
    let nowMs = START_MS;
    const journal = journalOf(database, { now: () => nowMs });
    const old = journal.startRun(startOf("old"));
    journal.recordCall(old, CALL);
    journal.finishRun(old, { outcome: "ok", ms: 1 });
    nowMs += 10 * DAY_MS;
    const shared = journal.startRun(startOf("shared"));
    journal.recordCall(shared, CALL);
    nowMs = START_MS + 30 * DAY_MS;
    journal.prune();
    strictEqual(journal.runs(10).length, 2);
    nowMs += 1;
    journal.prune();
    deepStrictEqual(journal.runs(10).map((run) => run.id), [shared]);
    strictEqual(journal.run(shared)?.code, "shared");
    strictEqual(journal.run(shared)?.calls.length, 1);
    const left = ["programs", "runs", "calls", "run_ends"].map((table) =>
      database.get<{ count: number }>(`select count(*) as count from ${table}`)!.count
    );
    deepStrictEqual(left, [1, 1, 1, 0]);
  });
});

Deno.test("Journal.prune removes the oldest runs while the journal is too large, never the last", async () => {
  await withDatabase((database) => {
    const maxBytes = 1024 * 1024;
    const journal = journalOf(database, { maxBytes, payloads: true });
    const ids = Array.from({ length: 40 }, (_, index) => {
      const id = journal.startRun(startOf(`// ${index}\n${"x".repeat(20_000)}`));
      journal.recordCall(id, {
        ...CALL,
        arguments: "y".repeat(20_000),
        result: "z".repeat(20_000),
      });
      return id;
    });
    const other = "s".repeat(400_000);
    database.run("insert into state values ('s', 'k', ?, 0, 0)", other);
    journal.prune();
    const left = journal.runs(100).map((run) => run.id).reverse();
    ok(left.length >= 10 && left.length <= 17, `${left.length} left`);
    deepStrictEqual(left, ids.slice(-left.length));
    strictEqual(journal.run("last")?.calls.length, 1);
    journal.prune();
    strictEqual(journal.runs(100).length, left.length);
    // The room is given back: the file shrinks.
    const used = database.get<{ pages: number }>(
      "select freelist_count as pages from pragma_freelist_count",
    )!;
    strictEqual(used.pages, 0);
    journalOf(database, { maxBytes: 1_000 }).prune();
    deepStrictEqual(journal.runs(100).map((run) => run.id), ids.slice(-1));
    strictEqual(database.get<{ value: string }>("select value from state")!.value, other);
  });
});

Deno.test("createJournal writes each row once", async () => {
  await withDatabase((database) => {
    const journal = journalOf(database);
    const id = journal.startRun(startOf("return 1;"));
    journal.recordCall(id, CALL);
    journal.finishRun(id, { outcome: "ok", ms: 1 });
    for (const sql of ["runs set command", "calls set decision", "run_ends set outcome"]) {
      throws(() => database.run(`update ${sql} = 'x'`), /written once/);
    }
    const warnings: string[] = [];
    const second = journalOf(database, { warn: (message) => warnings.push(message) });
    second.finishRun(id, { outcome: "failure", ms: 2 });
    deepStrictEqual(journal.run(id)?.end, { outcome: "ok", ms: 1 });
    strictEqual(warnings.length, 1);
  });
});

Deno.test("createJournal costs one warning and no run when it cannot be written", async () => {
  await withDatabase((database) => {
    const warnings: string[] = [];
    const journal = journalOf(database, { warn: (message) => warnings.push(message) });
    database.run("drop table calls");
    const id = journal.startRun(startOf("return 1;"));
    for (let count = 0; count < 3; count++) journal.recordCall(id, CALL);
    journal.finishRun(id, { outcome: "ok", ms: 1 });
    journal.prune();
    match(journal.startRun(startOf("return 2;")), /^[0-9a-z]{16}$/);
    strictEqual(warnings.length, 1);
    match(
      warnings[0]!,
      /^The journal of this run is not complete: Cannot use the database: no such/,
    );
  });
});

Deno.test("createJournal lets nothing run unseen where it is required", async () => {
  await withDatabase((database) => {
    const warnings: string[] = [];
    const journal = journalOf(database, {
      required: true,
      warn: (message) => warnings.push(message),
    });
    journal.requireWritable();
    const id = journal.startRun(startOf("return 1;"));
    database.run("drop table calls");
    const refused = {
      kind: "denied",
      message: "Nothing is run: the journal is required and cannot be written",
    };
    throws(() => journal.recordCall(id, CALL), refused);
    throws(() => journal.requireWritable(), refused);
    throws(() => journal.finishRun(id, { outcome: "ok", ms: 1 }), refused);
    throws(() => journal.startRun(startOf("return 2;")), refused);
    journal.prune();
    strictEqual(warnings.length, 0);
  });
  const nowhere = openDatabase(undefined, { warn() {} });
  throws(() => journalOf(nowhere, { required: true }).startRun(startOf("")), { kind: "denied" });
  nowhere.close();
});

Deno.test("createJournal takes known secrets out of the payloads it keeps (X1)", async () => {
  await withDatabase((database) => {
    const mask = (text: string) => text.replaceAll("canary", "***");
    const journal = journalOf(database, { payloads: true, mask });
    const id = journal.startRun(startOf("return 1;"));
    journal.recordCall(id, { ...CALL, arguments: `{"a":"canary"}`, result: `["canary"]` });
    const [call] = journal.run(id)!.calls;
    deepStrictEqual([call!.arguments, call!.result], [`{"a":"***"}`, `["***"]`]);
  });
});

Deno.test("createJournal keeps what passed by in a run in tokens, and removes it with the run", async () => {
  await withDatabase((database) => {
    let nowMs = START_MS;
    const journal = journalOf(database, { now: () => nowMs });
    const tokens = {
      tokenizer: "o200k_base, estimated",
      definitions: 5_000,
      arguments: 30,
      results: 70_000,
      program: 120,
      answer: 40,
    };
    const id = journal.startRun(startOf("return 1;"));
    journal.finishRun(id, { outcome: "ok", ms: 1, tokens });
    deepStrictEqual(journal.run(id)!.end, { outcome: "ok", ms: 1, tokens });
    throws(() => database.run("update run_tokens set results = 0"), /written once/);
    nowMs += 31 * DAY_MS;
    journal.prune();
    deepStrictEqual(database.all("select * from run_tokens"), []);
  });
});
