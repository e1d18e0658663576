import assert from "node:assert/strict";
import {
  type Answer,
  type CacheableCall,
  createMemoryCache,
  createResultCache,
  DEFAULT_CACHE,
  markedFor,
  optedInFor,
  parseCache,
  type ResultCache,
} from "../src/cache.ts";
import { AppError } from "../src/errors.ts";
import { type Digest, digestOf, digestOfJson } from "../src/hash.ts";
import type { JsonObject } from "../src/server.ts";

const CALL: CacheableCall = {
  server: digestOf("server"),
  tool: digestOf("tool"),
  credentials: () => digestOf("token"),
  arguments: () => digestOfJson({ a: 1 }),
  ttlMs: 1000,
};

function answer(value: unknown, more: JsonObject = {}): Answer {
  return { value, json: JSON.stringify(value), raw: { content: [], ...more } };
}

/** A cache over a clock that stands still, and a server that counts how often it is asked. */
function bench(bounds: { maxEntries?: number; maxBytes?: number } = {}) {
  const clock = { ms: 0 };
  const cache = createResultCache(createMemoryCache({ now: () => clock.ms, ...bounds }));
  let asked = 0;
  const ask = async (
    call: Partial<CacheableCall> = {},
    load: (signal: AbortSignal | undefined) => Promise<Answer> = () =>
      Promise.resolve(answer(asked)),
  ) => {
    const { answer, source } = await cache.ask({ ...CALL, ...call }, (signal) => {
      asked++;
      return load(signal);
    });
    return { value: answer.value, source };
  };
  return { clock, cache, ask, asked: () => asked };
}

Deno.test("ask answers again from the cache, whole, until the time is up", async () => {
  const { clock, cache, ask } = bench();
  const load = () => Promise.resolve(answer({ n: 1 }, { _meta: { x: 1 } }));
  assert.deepEqual(await ask({}, load), { value: { n: 1 }, source: "missed" });
  clock.ms = 999;
  const { answer: again, source } = await cache.ask(CALL, load);
  assert.equal(source, "cache");
  assert.equal(again.json, `{"n":1}`);
  assert.deepEqual(again.value, { n: 1 });
  assert.deepEqual(again.raw, { content: [], _meta: { x: 1 } });
  clock.ms = 1000;
  assert.equal((await ask({}, load)).source, "missed");
  assert.equal((await cache.stats()).entries, 1);
});

Deno.test("ask hands out no value that another one could change", async () => {
  const { ask } = bench();
  const first = answer({ list: [1] });
  await ask({}, () => Promise.resolve(first));
  (first.value as { list: number[] }).list.push(2);
  const second = (await ask()).value as { list: number[] };
  second.list.push(3);
  assert.deepEqual((await ask()).value, { list: [1] });
});

Deno.test("ask takes no stored result for fresh after the clock went back", async () => {
  const { clock, ask } = bench();
  clock.ms = 5000;
  await ask();
  clock.ms = 4000;
  assert.equal((await ask()).source, "missed");
});

Deno.test("ask tells calls apart by what their arguments mean (C7)", async () => {
  const { ask } = bench();
  const source = async (args: unknown) =>
    (await ask({ arguments: () => digestOfJson(args) })).source;
  assert.equal(await source({ a: 1, b: { c: 2, d: [1, 2] } }), "missed");
  assert.equal(await source({ b: { d: [1, 2], c: 2 }, a: 1 }), "cache");
  assert.equal(await source({ a: "1", b: { c: 2, d: [1, 2] } }), "missed");
  assert.equal(await source({ a: 1, b: { c: 2, d: [2, 1] } }), "missed");
  assert.equal(await source({ z: 0 }), "missed");
  assert.equal(await source({ z: -0 }), "cache");
  assert.equal(await source({ z: null }), "missed");
  assert.equal(await source({}), "missed");
  assert.equal(await source({ t: "é" }), "missed");
  assert.equal(await source({ t: "e\u0301" }), "missed");
  assert.equal(await source({ "1": 1, t: 1.0 }), "missed");
  assert.equal(await source({ t: 1, 1: 1 }), "cache");
});

Deno.test("ask misses for another server, tool, definition or credentials (C8)", async () => {
  const { ask, asked } = bench();
  await ask();
  for (const part of ["server", "tool"] as const) {
    assert.equal((await ask({ [part]: digestOf("other") })).source, "missed", part);
  }
  assert.equal((await ask({ arguments: () => digestOf("other") })).source, "missed");
  assert.equal((await ask({ credentials: () => digestOf("other") })).source, "missed");
  // Parts that change places make another key.
  assert.equal((await ask({ server: CALL.tool, tool: CALL.server })).source, "missed");
  assert.equal(asked(), 6);
  assert.equal((await ask()).source, "cache");
});

Deno.test("ask keeps nothing of a call that failed or was cancelled (C9)", async () => {
  const { cache, ask } = bench();
  const failure = new AppError("server", "Tool failed");
  await assert.rejects(ask({}, () => Promise.reject(failure)), (error) => error === failure);
  const stop = new AbortController();
  const gone = new AppError("interrupted", "Interrupted");
  const withdrawn = ask({ signal: stop.signal }, (signal) =>
    new Promise((_, reject) => {
      signal!.addEventListener("abort", () => reject(signal!.reason));
    }));
  stop.abort(gone);
  await assert.rejects(withdrawn, (error) => error === gone);
  assert.equal((await cache.stats()).entries, 0);
  assert.equal((await ask()).source, "missed");
});

Deno.test("ask keeps results of tools that were not opted in only where they are marked", async () => {
  const { clock, ask } = bench();
  const load = (more: JsonObject) => () => Promise.resolve(answer(1, more));
  const plain = { ttlMs: undefined };
  await ask(plain, load({}));
  assert.equal((await ask(plain, load({ ttlMs: 500 }))).source, "server");
  assert.equal((await ask(plain, load({}))).source, "cache");
  clock.ms = 500;
  assert.equal((await ask(plain, load({ _meta: { ttlMs: 100 } }))).source, "missed");
  clock.ms = 599;
  assert.equal((await ask(plain, load({}))).source, "cache");
});

Deno.test("ask sends identical calls of a tool that was not opted in one by one", async () => {
  const { ask, asked } = bench();
  await Promise.all(Array.from({ length: 5 }, () => ask({ ttlMs: undefined })));
  assert.equal(asked(), 5);
});

Deno.test("ask lets identical calls under way share one answer, and one failure", async () => {
  const { ask, asked } = bench();
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const calls = Array.from({ length: 5 }, () => ask({}, () => promise));
  const other = ask({ arguments: () => digestOf("other") });
  resolve(answer("one"));
  const sources = (await Promise.all(calls)).map(({ source }) => source);
  assert.deepEqual(sources, ["missed", "shared", "shared", "shared", "shared"]);
  assert.equal((await other).source, "missed");
  assert.equal(asked(), 2);
  const failure = new AppError("server", "Tool failed");
  const failing = Array.from(
    { length: 3 },
    () => ask({ arguments: () => digestOf("bad") }, () => Promise.reject(failure)),
  );
  for (const call of failing) await assert.rejects(call, (error) => error === failure);
  assert.equal(asked(), 3);
});

Deno.test("ask withdraws a shared call only when the last one who waits has gone", async () => {
  const { ask, asked } = bench();
  const stops = Array.from({ length: 3 }, () => new AbortController());
  const gone = new AppError("interrupted", "Interrupted");
  let withdrawn: unknown;
  const { promise: started, resolve: start } = Promise.withResolvers<void>();
  const calls = stops.map(({ signal }) =>
    ask({ signal }, (shared) =>
      new Promise((_, reject) => {
        start();
        shared!.addEventListener("abort", () => reject(withdrawn = shared!.reason));
      }))
  );
  await started;
  // The one that began leaves first.
  for (const at of [0, 1]) {
    stops[at]!.abort(gone);
    await assert.rejects(calls[at]!, (error) => error === gone);
    assert.equal(withdrawn, undefined);
  }
  stops[2]!.abort(gone);
  await assert.rejects(calls[2]!, (error) => error === gone);
  assert.equal(withdrawn, gone);
  assert.equal((await ask()).source, "missed");
  assert.equal(asked(), 2);
});

Deno.test("forget drops what belongs to a definition or a server (C11)", async () => {
  const { cache, ask } = bench();
  const other = { tool: digestOf("other tool") };
  const far = { server: digestOf("other server") };
  for (const call of [{}, other, far]) await ask(call);
  await cache.forget({ server: CALL.server, tool: CALL.tool });
  assert.equal((await cache.stats()).entries, 2);
  assert.equal((await ask()).source, "missed");
  assert.equal((await ask(other)).source, "cache");
  await cache.forget({ server: CALL.server });
  assert.equal((await cache.stats()).entries, 1);
  assert.equal((await ask(far)).source, "cache");
});

Deno.test("forget lets nothing in that was asked before it (C11)", async () => {
  const { cache, ask } = bench();
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const { promise: started, resolve: start } = Promise.withResolvers<void>();
  const before = ask({}, () => {
    start();
    return promise;
  });
  await started;
  await cache.forget({ server: CALL.server });
  const after = ask({}, () => Promise.resolve(answer("new")));
  resolve(answer("old"));
  assert.equal((await before).value, "old");
  assert.deepEqual(await after, { value: "new", source: "missed" });
  assert.deepEqual(await ask(), { value: "new", source: "cache" });
});

Deno.test("createMemoryCache holds its bytes and entries, whatever comes (C10)", async () => {
  const { cache, ask } = bench({ maxBytes: 100_000 });
  const huge = (size: number) => () => Promise.resolve(answer("x".repeat(size)));
  await ask({}, huge(200_000));
  assert.deepEqual([(await cache.stats()).entries, (await ask({}, huge(1))).source], [0, "missed"]);
  // Characters beyond one byte count twice.
  await ask(
    { arguments: () => digestOf("wide") },
    () => Promise.resolve(answer("\u4e00".repeat(60_000))),
  );
  assert.equal((await cache.stats()).entries, 1);
  for (let index = 0; index < 1000; index++) {
    await ask({ arguments: () => digestOf(`large ${index}`) }, huge(1000));
    assert.ok((await cache.stats()).bytes <= 100_000);
  }
  assert.ok((await cache.stats()).entries > 50);
  const small = bench({ maxEntries: 10 });
  for (let index = 0; index < 1000; index++) {
    await small.ask({ arguments: () => digestOf(`small ${index}`) });
  }
  assert.equal((await small.cache.stats()).entries, 10);
  assert.equal((await small.ask({ arguments: () => digestOf("small 999") })).source, "cache");
  assert.equal((await small.ask({ arguments: () => digestOf("small 989") })).source, "missed");
});

Deno.test("ask keeps the answers of many calls at once apart", async () => {
  const { cache } = bench();
  const ask = async (cache: ResultCache, name: string) => {
    const key: Digest = digestOf(name);
    const load = () => Promise.resolve(answer(name));
    return (await cache.ask({ ...CALL, arguments: () => key }, load)).answer.value;
  };
  const names = Array.from({ length: 2000 }, (_, index) => `call ${index % 500}`);
  assert.deepEqual(await Promise.all(names.map((name) => ask(cache, name))), names);
});

Deno.test("markedFor reads a time above zero, a day at most", () => {
  assert.equal(markedFor({ ttlMs: 5 }), 5);
  assert.equal(markedFor({ _meta: { ttlMs: 6 } }), 6);
  assert.equal(markedFor({ ttlMs: 1e12 }), 86_400_000);
  for (const ttlMs of [0, -1, NaN, "5", null, undefined, {}]) {
    assert.equal(markedFor({ ttlMs, _meta: { ttlMs } }), undefined, String(ttlMs));
  }
  assert.equal(markedFor({ _meta: "x" }), undefined);
});

Deno.test("parseCache reads tools with their times and bounds", () => {
  const warn = (message: string) => assert.fail(message);
  const settings = parseCache({
    tools: ["docs/get_*", { tool: "*/list", ttl: "5m" }, { tool: "a/b", ttl: 3 }],
    entries: 50,
    size: "1MiB",
  }, warn);
  const ttl = (server: string, tool: string) => optedInFor(settings, { server, tool });
  assert.equal(ttl("docs", "get_page"), 60_000);
  assert.equal(ttl("any", "list"), 300_000);
  assert.equal(ttl("a", "b"), 3000);
  assert.equal(ttl("docs", "set_page"), undefined);
  assert.deepEqual([settings.maxEntries, settings.maxBytes], [50, 1024 * 1024]);
  assert.equal(parseCache(undefined, warn), DEFAULT_CACHE);
  assert.equal(parseCache(false, warn).isOn, false);
  assert.equal(optedInFor(parseCache(false, warn), { server: "a", tool: "b" }), undefined);
});

Deno.test("parseCache names what it leaves out and keeps the rest", () => {
  const warnings: string[] = [];
  const settings = parseCache({
    tools: ["noslash", { tool: "a/b", ttl: "soon" }, { tool: "a/b", tll: 1 }, 5, null, "a/b"],
    entries: 0,
    size: "big",
    sise: 1,
  }, (message) => warnings.push(message));
  assert.equal(settings.rules.length, 1);
  assert.equal(warnings.length, 8);
  assert.equal(parseCache("off", (message) => warnings.push(message)).isOn, true);
  assert.equal(warnings.length, 9);
});
