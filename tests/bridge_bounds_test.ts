// What policy, rates and the number of places allow of calls.

import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { createLimiter, parseRates } from "../src/limiter.ts";
import { MAX_CALLS_IN_FLIGHT, MAX_CALLS_WAITING } from "../src/limits.ts";
import type { ServerName, SessionId } from "../src/names.ts";
import { flagPolicy, parsePolicy, type PolicyLayer } from "../src/policy.ts";
import { type State, withBridge } from "./bridge_fixture.ts";
import { failure } from "./failure.ts";
import { eventually } from "./eventually.ts";

function policyOf(policy: unknown): PolicyLayer[] {
  return [parsePolicy(policy, { name: "user", file: "config.json", warn: assert.fail })];
}

function denying(...tools: readonly string[]): PolicyLayer[] {
  return policyOf({ rules: tools.map((tool) => ({ tool, decide: "deny" })) });
}

Deno.test("callTool keeps what is under way within its bound, and the rest in order (B4)", async () => {
  await withBridge(async ({ bridge, state, held: arrived }) => {
    const order: number[] = [];
    const calls = Array.from({ length: 300 }, async (_, index) => {
      await bridge.callTool("counting", "far.away", { index });
      order.push(index);
    });
    await Promise.all(calls);
    assert.deepEqual(order, order.toSorted((a, b) => a - b));
    const holding = new AbortController();
    const held = Array.from(
      { length: MAX_CALLS_IN_FLIGHT + 50 },
      () => failure(bridge.callTool("counting", "hold", {}, { signal: holding.signal })),
    );
    await eventually(async () => await arrived() === MAX_CALLS_IN_FLIGHT);
    holding.abort();
    await Promise.all(held);
    const { peak, underWay } = await state();
    assert.ok(peak <= MAX_CALLS_IN_FLIGHT, String(peak));
    assert.equal(underWay, 1);
  });
});

Deno.test("callTool refuses a server that policy does not allow before connecting to it (B1)", async () => {
  const connected: string[] = [];
  await withBridge(async ({ bridge, run, recorded }) => {
    for (
      const work of [bridge.callTool("counting", "state", {}, { run }), bridge.describe("counting")]
    ) {
      const error = await failure(work);
      assert.equal(error.kind, "denied");
      assert.equal(error.exitCode, 6);
    }
    for (const twin of ["Counting", "counting ", "counting\u200b", "COUNTING", "countıng"]) {
      assert.equal((await failure(bridge.callTool(twin, "state", {}))).kind, "usage", twin);
    }
    assert.deepEqual(connected, []);
    assert.equal(recorded().calls[0]!.decision, "deny: user rule 1");
  }, {
    onConnect: (name) => connected.push(name),
    policy: policyOf({ rules: [{ server: "count*", decide: "deny" }] }),
  });
});

Deno.test("callTool refuses a denied tool, not its near twin, and names the rule (B2)", async () => {
  const connected: string[] = [];
  await withBridge(async ({ bridge, run, recorded }) => {
    const error = await failure(bridge.callTool("counting", "start", {}, { run }));
    assert.equal(
      error.message,
      `Call of "counting/start" is refused by rule 1 of "config.json"`,
    );
    assert.deepEqual(error.detail, [`{"tool":"counting/start","decide":"deny"}`]);
    assert.deepEqual(connected, []);
    await bridge.callTool("counting", "state", {}, { run });
    // What is not the denied name is not known either.
    for (const twin of ["Start", "start ", "stárt"]) {
      assert.equal((await failure(bridge.callTool("counting", twin, {}))).kind, "invalid", twin);
    }
    assert.deepEqual(recorded().calls.map(({ decision }) => decision), [
      "deny: user rule 1",
      "allow",
    ]);
  }, { onConnect: (name) => connected.push(name), policy: denying("counting/start") });
});

Deno.test("callTool refuses one of a thousand calls, and the others keep their order (B3)", async () => {
  const policy = policyOf({
    rules: [{ tool: "counting/far.away", arguments: { at: 500 }, decide: "deny" }],
  });
  await withBridge(async ({ bridge, state }) => {
    const order: number[] = [];
    const outcomes = await Promise.all(Array.from({ length: 1000 }, async (_, at) => {
      try {
        await bridge.callTool("counting", "far.away", { at });
        order.push(at);
        return "ok";
      } catch (error) {
        return (error as AppError).kind;
      }
    }));
    assert.equal(outcomes.indexOf("denied"), 500);
    assert.equal(outcomes.filter((outcome) => outcome === "ok").length, 999);
    assert.deepEqual(order, order.toSorted((a, b) => a - b));
    assert.equal((await state()).calls, 1000);
  }, { policy, queue: { waitingOfOne: 1000 } });
});

Deno.test("callTool goes by a tool's hints once they are known, and trusts them only where told to (H26)", async () => {
  const rules = [{ annotations: { readOnlyHint: true }, decide: "allow" }];
  const policy = policyOf({ default: "deny", rules });
  await withBridge(async ({ bridge }) => {
    const error = await failure(bridge.callTool("counting", "state", {}));
    assert.equal(error.kind, "denied");
    assert.match(error.hint!, /trustAnnotations/);
  }, { policy });
  await withBridge(async ({ bridge }) => {
    await bridge.callTool("counting", "state", {});
    assert.equal((await failure(bridge.callTool("counting", "start", {}))).kind, "denied");
  }, { policy, choose: (counting) => [counting([], { trustAnnotations: true })] });
  const careful = policyOf({ rules: [{ annotations: { destructiveHint: true }, decide: "deny" }] });
  await withBridge(async ({ bridge, state }) => {
    await bridge.callTool("counting", "state", {});
    assert.equal((await failure(bridge.callTool("counting", "redefine", {}))).kind, "denied");
    assert.equal((await state()).calls, 2);
  }, { policy: careful });
});

Deno.test("callTool lets flags narrow what the configuration allows, and not widen it", async () => {
  const flags = flagPolicy({ allow: ["counting/st*"], deny: ["counting/start"] })!;
  await withBridge(async ({ bridge }) => {
    await bridge.callTool("counting", "state", {});
    for (const tool of ["start", "raw"]) {
      const error = await failure(bridge.callTool("counting", tool, {}));
      assert.equal(error.kind, "denied", tool);
    }
  }, { policy: [flags] });
  await withBridge(async ({ bridge }) => {
    assert.equal((await failure(bridge.callTool("counting", "state", {}))).kind, "denied");
  }, { policy: [...denying("counting/state"), flags] });
});

Deno.test("callTool holds two names of one server to one rate (B4)", async () => {
  const rates = parseRates({ tool: "*/far.away", perSecond: 0.001, burst: 5 }, assert.fail);
  const both = ["first", "second"] as const;
  await withBridge(async ({ bridge }) => {
    const kinds = await Promise.all(Array.from({ length: 20 }, async (_, at) => {
      try {
        await bridge.callTool(both[at % 2]!, "far.away", {});
        return "ok";
      } catch (error) {
        return (error as AppError).kind;
      }
    }));
    assert.deepEqual(kinds.toSorted(), [...Array(15).fill("limit"), ...Array(5).fill("ok")]);
    const states = await Promise.all(both.map((name) => bridge.callTool(name, "state", {})));
    // Each of the two counts the question itself as well.
    assert.equal(states.reduce((sum, { value }) => sum + (value as State).calls, 0), 5 + 2);
  }, {
    rates,
    choose: (counting) => both.map((name) => counting([], { name: name as ServerName })),
  });
});

Deno.test("callTool keeps to the rate after a crash, and over a new bridge (B5)", async () => {
  const rates = parseRates({ tool: "*/far.away", perSecond: 0.001, burst: 2 }, assert.fail);
  const limiter = createLimiter({ now: () => performance.now() });
  await withBridge(async ({ bridge, again, starts }) => {
    await bridge.callTool("counting", "far.away", {});
    await failure(bridge.callTool("counting", "crash", {}));
    await bridge.callTool("counting", "far.away", {});
    assert.equal(await starts(), 2);
    for (const asked of [bridge, again()]) {
      const error = await failure(asked.callTool("counting", "far.away", {}));
      assert.equal(error.kind, "limit");
      assert.equal(error.limit?.name, "rate");
    }
    const other = { session: "other" as SessionId };
    await bridge.callTool("counting", "far.away", {}, other);
  }, { rates, limiter });
});

Deno.test("callTool refuses what would wait beyond the bound, of 500 calls at once (H11)", async () => {
  await withBridge(async ({ bridge, state, held: arrived }) => {
    await state();
    const stop = new AbortController();
    const calls = Array.from(
      { length: 500 },
      () => failure(bridge.callTool("counting", "hold", {}, { signal: stop.signal })),
    );
    const refused = await Promise.all(calls.slice(MAX_CALLS_IN_FLIGHT + MAX_CALLS_WAITING));
    assert.equal(refused.length, 116);
    for (const error of refused) {
      assert.equal(error.kind, "limit");
      assert.deepEqual(error.limit, { name: "waiting calls", limit: MAX_CALLS_WAITING });
    }
    await eventually(async () => await arrived() === MAX_CALLS_IN_FLIGHT);
    assert.equal(bridge.connections()[0]!.inFlight, MAX_CALLS_IN_FLIGHT);
    stop.abort();
    const waited = await Promise.all(calls.slice(0, MAX_CALLS_IN_FLIGHT + MAX_CALLS_WAITING));
    assert.ok(waited.every(({ kind }) => kind === "interrupted"));
    const { peak, calls: taken } = await state();
    assert.equal(peak, MAX_CALLS_IN_FLIGHT);
    assert.equal(taken, MAX_CALLS_IN_FLIGHT + 2);
  });
});

Deno.test("callTool lets sessions take turns, however many calls one of them has (H11)", async () => {
  await withBridge(async ({ bridge, state }) => {
    await state();
    const order: string[] = [];
    const ask = async (session: string) => {
      await bridge.callTool("counting", "far.away", {}, { session: session as SessionId });
      order.push(session);
    };
    const busy = Array.from({ length: 200 }, () => ask("busy"));
    const quick = [ask("quick"), ask("quick"), ask("other")];
    await Promise.all(quick);
    assert.ok(order.length <= 12, String(order.length));
    await Promise.all(busy);
  }, { queue: { places: 2 } });
});

Deno.test("callTool leaves places to other sessions while one has all that it may have (H11)", async () => {
  await withBridge(async ({ bridge, state, held: arrived }) => {
    await state();
    const stop = new AbortController();
    const busy = Array.from(
      { length: MAX_CALLS_IN_FLIGHT + 10 },
      () =>
        failure(bridge.callTool("counting", "hold", {}, {
          session: "busy" as SessionId,
          signal: stop.signal,
        })),
    );
    await eventually(async () => await arrived() === MAX_CALLS_IN_FLIGHT);
    // Those calls are never answered, and this one is.
    const { value } = await bridge.callTool("counting", "state", {}, {
      session: "other" as SessionId,
    });
    assert.equal((value as State).underWay, MAX_CALLS_IN_FLIGHT + 1);
    stop.abort();
    await Promise.all(busy);
  });
});
