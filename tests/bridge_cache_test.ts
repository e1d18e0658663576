// Calls that are answered without a question: from the cache, or by one that is under way.

import assert from "node:assert/strict";
import type { CallTrace } from "../src/bridge.ts";
import { createMemoryCache, createResultCache, parseCache } from "../src/cache.ts";
import { ToolError } from "../src/errors.ts";
import { parseRates } from "../src/limiter.ts";
import { Secret } from "../src/text.ts";
import { type State, withBridge } from "./bridge_fixture.ts";
import { failure } from "./failure.ts";
import { eventually } from "./eventually.ts";

const CACHED_STATE = parseCache({ tools: ["counting/state"] }, assert.fail);

Deno.test("callTool answers from the cache what means the same, and shows it (C7)", async () => {
  await withBridge(async ({ bridge, run }) => {
    const traces: CallTrace[] = [];
    const calls = async (params: unknown) => {
      const onCall = (trace: CallTrace) => traces.push(trace);
      const { value } = await bridge.callTool("counting", "state", params, { run, onCall });
      return (value as State).calls;
    };
    assert.equal(await calls({ a: 1, b: { c: [1], d: -0 } }), 1);
    assert.equal(await calls({ b: { d: 0, c: [1] }, a: 1 }), 1);
    assert.equal(await calls({ a: "1", b: { c: [1], d: 0 } }), 2);
    assert.equal(await calls({ t: "é" }), 3);
    assert.equal(await calls({ t: "e\u0301" }), 4);
    assert.equal(await calls({ t: "é" }), 3);
    assert.deepEqual(traces.map(({ source }) => source), [
      undefined,
      "cache",
      undefined,
      undefined,
      undefined,
      "cache",
    ]);
  }, { cache: CACHED_STATE });
});

Deno.test("callTool keeps of tools that were not opted in only what the server marks", async () => {
  await withBridge(async ({ bridge, state }) => {
    await bridge.callTool("counting", "far.away", {});
    await Promise.all([1, 2].map(() => bridge.callTool("counting", "far.away", {})));
    assert.equal((await state()).calls, 4);
    const marked = { result: { ttlMs: 60_000, content: [] } };
    for (let count = 0; count < 3; count++) await bridge.callTool("counting", "raw", marked);
    assert.equal((await state()).calls, 6);
  });
});

Deno.test("callTool keeps nothing where the cache is switched off, whatever the server marks", async () => {
  await withBridge(async ({ bridge, state }) => {
    const marked = { result: { ttlMs: 60_000, content: [] } };
    for (let count = 0; count < 3; count++) await bridge.callTool("counting", "raw", marked);
    assert.equal((await state()).calls, 4);
  }, { cache: parseCache(false, assert.fail) });
});

Deno.test("callTool misses what was kept for other credentials (C8)", async () => {
  const results = createResultCache(createMemoryCache({ now: () => performance.now() }));
  await withBridge(async ({ again, counting }) => {
    const ask = async (token: string) => {
      const bridge = again([counting([], { env: { TOKEN: new Secret(token) } })]);
      return ((await bridge.callTool("counting", "state", {})).value as State).pid;
    };
    const first = await ask("one");
    assert.notEqual(await ask("two"), first);
    assert.equal(await ask("one"), first);
  }, { cache: CACHED_STATE, results });
});

Deno.test("callTool keeps no failure and nothing that was cancelled (C9)", async () => {
  const cache = parseCache({ tools: ["counting/raw", "counting/hold"] }, assert.fail);
  await withBridge(async ({ bridge, state, held }) => {
    const failing = { result: { isError: true } };
    for (let count = 0; count < 2; count++) {
      assert.ok(await failure(bridge.callTool("counting", "raw", failing)) instanceof ToolError);
    }
    for (let count = 0; count < 2; count++) {
      const odd = bridge.callTool("counting", "raw", { result: { content: 5 } });
      assert.equal((await failure(odd)).kind, "protocol");
    }
    assert.equal((await state()).calls, 5);
    const stops = [new AbortController(), new AbortController()];
    const calls = stops.map(({ signal }) =>
      failure(bridge.callTool("counting", "hold", {}, { signal }))
    );
    await eventually(async () => await held() === 1);
    stops[0]!.abort();
    assert.equal((await calls[0]!).kind, "interrupted");
    assert.equal((await state()).cancelled, 0);
    stops[1]!.abort();
    assert.equal((await calls[1]!).kind, "interrupted");
    await eventually(async () => (await state()).cancelled === 1);
    assert.equal(await held(), 1);
  }, { cache });
});

Deno.test("callTool lets identical calls under way share one answer", async () => {
  const cache = parseCache({ tools: ["counting/gate"] }, assert.fail);
  await withBridge(async ({ bridge, state }) => {
    // The tool answers when two calls of it are there: what is shared counts once.
    const shared = [1, 2, 3].map(() => bridge.callTool("counting", "gate", { size: 2, a: 1 }));
    const other = bridge.callTool("counting", "gate", { size: 2, a: 2 });
    const values = (await Promise.all([...shared, other])).map(({ json }) => json);
    assert.equal(new Set(values.slice(0, 3)).size, 1);
    assert.equal((await state()).calls, 3);
  }, { cache });
});

Deno.test("callTool forgets what was kept when a server announces other tools (C11)", async () => {
  const cache = parseCache({ tools: ["counting/state", "counting/promise"] }, assert.fail);
  const results = createResultCache(createMemoryCache({ now: () => performance.now() }));
  await withBridge(async ({ bridge, state }) => {
    const promise = () => bridge.callTool("counting", "promise", { value: { n: 1 } });
    await promise();
    assert.equal((await state()).calls, 2);
    assert.equal((await state()).calls, 2);
    assert.equal((await results.stats()).entries, 2);
    const schema = { type: "object", properties: { n: { type: "string" } } };
    await bridge.callTool("counting", "redefine", { schema });
    await eventually(async () => (await results.stats()).entries === 0);
    // The new definition is the one that counts.
    assert.equal((await failure(promise())).kind, "protocol");
    assert.equal((await state()).lists, 2);
  }, { cache, results, warn: () => {} });
});

Deno.test("callTool writes into the journal who answered, what it waited, and the bound it met", async () => {
  const cache = parseCache({ tools: ["counting/gate"] }, assert.fail);
  const rates = parseRates([
    { tool: "counting/gate", perSecond: 1e6, burst: 100 },
    { tool: "counting/state", perSecond: 0.001, burst: 1 },
    { tool: "counting/promise", perSecond: 2, burst: 1 },
  ], assert.fail);
  await withBridge(async ({ bridge, run, recorded }) => {
    const ask = (tool: string, params: object = {}) =>
      bridge.callTool("counting", tool, params, { run });
    const same = [1, 2].map(() => ask("gate", { size: 2, a: 1 }));
    await Promise.all([...same, ask("gate", { size: 2, a: 2 })]);
    await ask("gate", { size: 2, a: 1 });
    await ask("state");
    assert.equal((await failure(ask("state"))).kind, "limit");
    await Promise.all([1, 2].map((n) => ask("promise", { value: { n } })));
    const { calls } = recorded();
    const sources = calls.map(({ source }) => source ?? "none").sort();
    assert.deepEqual(sources, [
      "cache",
      "missed",
      "missed",
      "none",
      "server",
      "server",
      "server",
      "shared",
    ]);
    assert.deepEqual(calls.flatMap(({ met }) => met ?? []), ["rate"]);
    const waited = calls.filter(({ waitedMs }) => waitedMs !== undefined);
    assert.deepEqual(waited.map(({ tool }) => tool), ["promise"]);
    assert.ok(waited[0]!.waitedMs! > 0);
  }, { cache, rates });
});
