import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { fingerprintOf } from "../src/fingerprints.ts";
import { bucketKey, createLimiter, parseRates, type Rate, rateOf } from "../src/limiter.ts";
import type { ServerName } from "../src/names.ts";
import type { ServerSpec } from "../src/server.ts";
import { httpSpec, stdioSpec } from "./servers/start.ts";

const RATE: Rate = { perSecond: 10, burst: 5 };
const KEY = bucketKey({ session: "s", server: "blake3:1", tool: "t" });

/** A limiter that never lets a call wait, and a clock that stands still. */
function bench(maxWaitMs = 0) {
  const clock = { ms: 0 };
  const limiter = createLimiter({ now: () => clock.ms, maxWaitMs });
  const ask = async (
    count: number,
    { key = KEY, rate = RATE }: { key?: string; rate?: Rate } = {},
  ) => {
    const calls = Array.from(
      { length: count },
      () => limiter.take({ key, rate, called: `Call of "s/t"` }),
    );
    const settled = await Promise.allSettled(calls);
    return settled.filter(({ status }) => status === "fulfilled").length;
  };
  return { clock, limiter, ask };
}

Deno.test("take lets a burst through and then what time brings (B4)", async () => {
  const { clock, ask } = bench();
  assert.equal(await ask(20), 5);
  assert.equal(await ask(1), 0);
  clock.ms = 99;
  assert.equal(await ask(1), 0);
  clock.ms = 100;
  assert.equal(await ask(2), 1);
  clock.ms = 10_000;
  assert.equal(await ask(100), 5);
});

Deno.test("take lets everything through without a rate", async () => {
  const { limiter, ask } = bench();
  for (let count = 0; count < 1000; count++) {
    await limiter.take({ key: KEY, rate: undefined, called: "It" });
  }
  assert.equal(await ask(9), 5);
});

Deno.test("take gives no more than the bucket holds, however the clock jumps (B4)", async () => {
  const { clock, ask } = bench();
  clock.ms = 1_000_000;
  assert.equal(await ask(20), 5);
  for (const ms of [0, 1_000_000, 500, 999_999, 1_000_000, -5_000, 1_000_000]) {
    clock.ms = ms;
    assert.equal(await ask(20), 0, `clock at ${ms}`);
  }
  clock.ms = 1_000_200;
  assert.equal(await ask(20), 2);
  clock.ms = 9e15;
  assert.equal(await ask(20), 5);
});

Deno.test("take keeps to its rate over any sequence of bursts (B4)", async () => {
  const { clock, ask } = bench();
  let seed = 7;
  const random = (below: number) => (seed = seed * 48271 % 2147483647) % below;
  let passed = 0;
  for (let round = 0; round < 500; round++) {
    clock.ms += random(300);
    passed += await ask(random(8));
    assert.ok(passed <= RATE.burst + clock.ms * RATE.perSecond / 1000 + 1e-6, `round ${round}`);
  }
  assert.ok(passed > clock.ms * RATE.perSecond / 1000 * 0.9, "the rate is there to be used");
});

Deno.test("take keeps sessions, servers and tools apart", async () => {
  const { ask } = bench();
  const parts = { session: "s", server: "blake3:1", tool: "t" };
  assert.equal(await ask(9), 5);
  for (const other of [{ session: "r" }, { server: "blake3:2" }, { tool: "t2" }]) {
    assert.equal(await ask(9, { key: bucketKey({ ...parts, ...other }) }), 5);
  }
  // No separator can make two buckets one.
  const one = bucketKey({ session: "a", server: `b","c`, tool: "d" });
  const two = bucketKey({ session: "a", server: "b", tool: `c","d` });
  assert.notEqual(one, two);
});

Deno.test("take shares one bucket among the names of one server (B4)", async () => {
  const first = stdioSpec("honest", "plain", { name: "first" });
  const second = { ...first, name: "second" as ServerName };
  const { ask } = bench();
  const keyOf = (spec: ServerSpec) =>
    bucketKey({ session: "s", server: fingerprintOf(spec), tool: "t" });
  assert.equal(await ask(3, { key: keyOf(first) }), 3);
  assert.equal(await ask(9, { key: keyOf(second) }), 2);
  // Nor does another rate under the second name give more.
  assert.equal(await ask(9, { key: keyOf(second), rate: { perSecond: 1e6, burst: 1e6 } }), 0);
});

Deno.test("take lets calls wait in order, and says how long each did", async () => {
  const clock = { ms: 0 };
  const limiter = createLimiter({ now: () => clock.ms });
  const rate = { perSecond: 500, burst: 1 };
  const waiting = new Map(Array.from({ length: 20 }, (_, index) => {
    const call = limiter.take({ key: KEY, rate, called: "It" });
    return [index, call.then((waitedMs) => ({ index, waitedMs }))];
  }));
  for (let index = 0; index < 20; index++) {
    const gone = await Promise.race(waiting.values());
    assert.deepEqual(gone, { index, waitedMs: clock.ms });
    waiting.delete(index);
    clock.ms += 2;
  }
});

Deno.test("take refuses at once what would wait too long, and says for what", async () => {
  const { limiter } = bench(250);
  const stop = new AbortController();
  // Five go at once, and two have to wait for 100 and 200 ms.
  const calls = Array.from(
    { length: 7 },
    () => limiter.take({ key: KEY, rate: RATE, called: "It", signal: stop.signal }),
  );
  const settled = Promise.allSettled(calls);
  await assert.rejects(
    limiter.take({ key: KEY, rate: RATE, called: `Call of "s/t"` }),
    (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.kind, "limit");
      assert.deepEqual(error.limit, { name: "rate", limit: 10 });
      assert.match(error.message, /^Call of "s\/t" is over its rate of 10 a second/);
      assert.match(error.hint!, /limits\.rate/);
      return true;
    },
  );
  stop.abort();
  const passed = (await settled).map(({ status }) => status === "fulfilled");
  assert.deepEqual(passed, [true, true, true, true, true, false, false]);
});

Deno.test("take lets no more wait than the line holds", async () => {
  const stop = new AbortController();
  const limiter = createLimiter({ now: () => 0, maxWaiting: 3 });
  const calls = Array.from(
    { length: 10 },
    () => limiter.take({ key: KEY, rate: RATE, called: "It", signal: stop.signal }),
  );
  const settled = Promise.allSettled(calls);
  stop.abort();
  const reasons = (await settled).map((item) =>
    item.status === "fulfilled" ? "passed" : (item.reason as AppError).kind
  );
  assert.deepEqual(reasons, [
    ...Array(5).fill("passed"),
    ...Array(3).fill("interrupted"),
    ...Array(2).fill("limit"),
  ]);
});

Deno.test("take lets those behind go on when one before them leaves", async () => {
  const clock = { ms: 0 };
  const limiter = createLimiter({ now: () => clock.ms });
  const rate = { perSecond: 100, burst: 1 };
  const take = (signal?: AbortSignal) => limiter.take({ key: KEY, rate, called: "It", signal });
  await take();
  const stop = new AbortController();
  const leaving = take(stop.signal);
  const staying = take();
  const reason = new AppError("interrupted", "Interrupted");
  stop.abort(reason);
  await assert.rejects(leaving, (error) => error === reason);
  clock.ms = 10;
  assert.equal(await staying, 10);
  await assert.rejects(take(stop.signal), (error) => error === reason);
});

Deno.test("rateOf is off for processes and on over HTTP, unless a rule fits", () => {
  const stdio = stdioSpec("honest", "plain", { name: "local" });
  const http = httpSpec("http://127.0.0.1:1/mcp");
  assert.equal(rateOf([], { spec: stdio, tool: "t" }), undefined);
  assert.deepEqual(rateOf([], { spec: http, tool: "t" }), { perSecond: 50, burst: 200 });
  const warn = (message: string) => assert.fail(message);
  const rules = parseRates([
    { tool: "local/slow_*", perSecond: 0.5 },
    { tool: "fixture/free", perSecond: false },
    { perSecond: 3, burst: 9 },
  ], warn);
  const rate = (spec: ServerSpec, tool: string) => rateOf(rules, { spec, tool });
  assert.deepEqual(rate(stdio, "slow_one"), { perSecond: 0.5, burst: 2 });
  assert.deepEqual(rate(stdio, "fast"), { perSecond: 3, burst: 9 });
  assert.equal(rate(http, "free"), undefined);
  assert.equal(rateOf(parseRates(false, warn), { spec: http, tool: "t" }), undefined);
  assert.deepEqual(rateOf(parseRates({ perSecond: 1 }, warn), { spec: http, tool: "t" }), {
    perSecond: 1,
    burst: 4,
  });
  assert.deepEqual(parseRates(undefined, warn), []);
});

Deno.test("parseRates names what it leaves out and keeps the rest", () => {
  const warnings: string[] = [];
  const rules = parseRates([
    { perSecond: 0 },
    { perSecond: -1 },
    { perSecond: "5" },
    { perSecond: 1e9 },
    { perSecond: 5, burst: 0.5 },
    { perSecond: 5, brust: 5 },
    { tool: "noslash", perSecond: 5 },
    true,
    { tool: "a/b", perSecond: 5 },
  ], (message) => warnings.push(message));
  assert.equal(rules.length, 1);
  assert.deepEqual(
    warnings.map((warning) => warning.replace(/ is left out: .*/, "")),
    Array.from({ length: 8 }, (_, index) => `limits.rate, entry ${index + 1}`),
  );
});
