import assert from "node:assert/strict";
import { type Database, openDatabase } from "../src/database.ts";
import {
  cacheFigures,
  callFigures,
  dayFigures,
  keptTokens,
  rateFigures,
  readReset,
  runFigures,
  tokenFigures,
  toolFigures,
  writeReset,
} from "../src/figures.ts";
import { digestOf, digestOfJson } from "../src/hash.ts";
import { type CallRecord, createJournal, type Journal, type RunEnd } from "../src/journal.ts";
import { DEFAULT_RUN_LIMITS } from "../src/limits.ts";
import { toServerName, toSessionId } from "../src/names.ts";

const START_MS = Date.UTC(2026, 0, 2);
const DAY_MS = 86_400_000;
const NIGHTLY = toSessionId("nightly");
const ALL = { sinceMs: 0 };

interface Past {
  readonly database: Database;
  readonly journal: Journal;
  /** Writes a run of that day with its calls and end. */
  add(run: { day?: number; session?: boolean; end?: RunEnd; calls?: Partial<CallRecord>[] }): void;
}

async function withPast(work: (past: Past) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "mcp-exec-" });
  const database = openDatabase(`${folder}/x.db`, { warn: (text) => assert.fail(text) });
  let nowMs = START_MS;
  const journal = createJournal(database, {
    warn: (text) => assert.fail(text),
    now: () => nowMs,
  });
  try {
    work({
      database,
      journal,
      add({ day = 0, session = false, end, calls = [] }) {
        nowMs = START_MS + day * DAY_MS;
        const id = journal.startRun({
          command: "execute",
          code: "return 1",
          codeDigest: digestOf("return 1"),
          servers: [toServerName("github")],
          limits: DEFAULT_RUN_LIMITS,
          ...(session && { session: NIGHTLY }),
        });
        for (const call of calls) {
          journal.recordCall(id, {
            server: "github",
            tool: "list",
            startedMs: nowMs,
            ms: 1,
            argumentsDigest: digestOfJson({}),
            decision: "allow",
            outcome: "ok",
            bytesIn: 10,
            bytesOut: 1_000,
            ...call,
          });
        }
        if (end !== undefined) journal.finishRun(id, end);
      },
    });
  } finally {
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const TOKENS = {
  tokenizer: "t",
  definitions: 1_000,
  arguments: 10,
  results: 500,
  program: 40,
  answer: 20,
};

Deno.test("figures of an empty journal are zeros without latencies", async () => {
  await withPast(({ database }) => {
    assert.deepEqual(runFigures(database, ALL), { count: 0, outcomes: [] });
    assert.deepEqual(callFigures(database, ALL), {
      calls: 0,
      failed: 0,
      refused: 0,
      sentBytes: 0,
      receivedBytes: 0,
    });
    assert.equal(tokenFigures(database, ALL).kept, 0);
    assert.deepEqual(toolFigures(database, { ...ALL, limit: 5 }), []);
    assert.deepEqual(dayFigures(database, { ...ALL, limit: 5 }), []);
  });
});

Deno.test("runFigures counts outcomes and gives the values that 50, 95 and 99 of 100 do not exceed", async () => {
  await withPast(({ database, add }) => {
    for (let ms = 100; ms >= 1; ms--) {
      add({ end: { outcome: ms > 97 ? "limit" : "ok", ms, fuel: ms * 10, memory: 4_096 } });
    }
    add({});
    assert.deepEqual(runFigures(database, ALL), {
      count: 101,
      outcomes: [
        { outcome: "ok", count: 97 },
        { outcome: "limit", count: 3 },
        { outcome: "unfinished", count: 1 },
      ],
      ms: { p50: 50, p95: 95, p99: 99, max: 100 },
      fuel: { p50: 500, p95: 950, p99: 990, max: 1_000, total: 50_500 },
      memory: { p50: 4_096, p95: 4_096, p99: 4_096, max: 4_096 },
    });
  });
});

Deno.test("callFigures and toolFigures tell failed from refused and leave refused out of latencies", async () => {
  await withPast(({ database, add }) => {
    add({
      calls: [
        { ms: 5 },
        { ms: 7, outcome: "tool-error" },
        { ms: 900, decision: "deny github.*", outcome: "denied", bytesOut: 0 },
        { ms: 3, server: "files", tool: "read" },
      ],
    });
    assert.deepEqual(callFigures(database, ALL), {
      calls: 4,
      failed: 1,
      refused: 1,
      sentBytes: 40,
      receivedBytes: 3_000,
      ms: { p50: 5, p95: 7, p99: 7, max: 7 },
    });
    const tools = toolFigures(database, { ...ALL, limit: 5 });
    assert.deepEqual(tools.map(({ server, tool, calls }) => [server, tool, calls]), [
      ["github", "list", 3],
      ["files", "read", 1],
    ]);
    assert.deepEqual(tools[0]!.ms, { p50: 5, p95: 7, p99: 7, max: 7 });
    assert.equal(toolFigures(database, { ...ALL, limit: 1 }).length, 1);
  });
});

Deno.test("tokenFigures adds up the ledgers of the runs that have one", async () => {
  await withPast(({ database, add }) => {
    add({ end: { outcome: "ok", ms: 1, tokens: TOKENS } });
    add({ end: { outcome: "ok", ms: 1, tokens: { ...TOKENS, definitions: 0, results: 0 } } });
    add({ end: { outcome: "ok", ms: 1 } });
    assert.equal(keptTokens(TOKENS), 1_450);
    assert.deepEqual(tokenFigures(database, ALL), {
      runs: 2,
      definitions: 1_000,
      arguments: 20,
      results: 500,
      program: 80,
      answer: 40,
      kept: 1_400,
    });
  });
});

Deno.test("figures are of one session, and since a time, where asked", async () => {
  await withPast(({ database, add }) => {
    const end = { outcome: "ok", ms: 1, tokens: TOKENS } as const;
    add({ end, calls: [{}] });
    add({ day: 3, session: true, end, calls: [{}, {}] });
    const nightly = { session: NIGHTLY, sinceMs: 0 };
    const late = { sinceMs: START_MS + DAY_MS };
    for (const filter of [nightly, late]) {
      assert.equal(runFigures(database, filter).count, 1);
      assert.equal(callFigures(database, filter).calls, 2);
      assert.equal(tokenFigures(database, filter).runs, 1);
      assert.equal(toolFigures(database, { ...filter, limit: 9 })[0]!.calls, 2);
    }
    assert.equal(runFigures(database, { ...nightly, sinceMs: START_MS + 4 * DAY_MS }).count, 0);
  });
});

Deno.test("dayFigures gives every day from the first to the last, the latest where they are many", async () => {
  await withPast(({ database, add }) => {
    add({ day: 0, end: { outcome: "ok", ms: 1, tokens: TOKENS } });
    add({ day: 0 });
    add({ day: 3 });
    assert.deepEqual(dayFigures(database, { ...ALL, limit: 9 }), [
      { day: "2026-01-02", runs: 2, kept: 1_450 },
      { day: "2026-01-03", runs: 0, kept: 0 },
      { day: "2026-01-04", runs: 0, kept: 0 },
      { day: "2026-01-05", runs: 1, kept: 0 },
    ]);
    assert.deepEqual(
      dayFigures(database, { ...ALL, limit: 2 }).map(({ day }) => day),
      ["2026-01-04", "2026-01-05"],
    );
  });
});

Deno.test("writeReset moves where figures begin and leaves the journal as it is", async () => {
  await withPast(({ database, journal, add }) => {
    assert.equal(readReset(database), 0);
    add({});
    writeReset(database, START_MS + 1);
    writeReset(database, START_MS + 2);
    assert.equal(readReset(database), START_MS + 2);
    assert.equal(journal.runs(9).length, 1);
  });
});

Deno.test("cacheFigures counts kept and shared answers and what they saved, by tool", async () => {
  await withPast(({ database, add }) => {
    add({
      calls: [
        { source: "server" },
        { source: "missed", tool: "get" },
        { source: "cache", tool: "get" },
        { source: "cache", tool: "get" },
        { source: "shared", tool: "get", bytesOut: 7 },
        { source: "missed", tool: "other" },
        { outcome: "connect" },
      ],
    });
    const sums = { hits: 2, shared: 1, savedBytes: 2_007 };
    assert.deepEqual(cacheFigures(database, { ...ALL, limit: 5 }), {
      ...sums,
      misses: 2,
      tools: [
        { server: "github", tool: "get", ...sums, misses: 1 },
        { server: "github", tool: "other", hits: 0, shared: 0, misses: 1, savedBytes: 0 },
      ],
    });
    const later = { sinceMs: START_MS + 1, limit: 5 };
    const none = { hits: 0, shared: 0, misses: 0, savedBytes: 0, tools: [] };
    assert.deepEqual(cacheFigures(database, later), none);
  });
});

Deno.test("rateFigures counts calls that waited for their rate, and those it refused", async () => {
  await withPast(({ database, add }) => {
    assert.deepEqual(rateFigures(database, ALL), { waited: 0, refused: 0 });
    add({
      calls: [
        {},
        { waitedMs: 10 },
        { waitedMs: 30 },
        { outcome: "limit", met: "rate" },
        { outcome: "limit", met: "result" },
      ],
    });
    assert.deepEqual(rateFigures(database, ALL), {
      waited: 2,
      refused: 1,
      ms: { p50: 10, p95: 30, p99: 30, max: 30 },
    });
  });
});
