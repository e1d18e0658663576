// Calls that end early, and servers that do: cancelled, late, crashed, closed.

import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { MAX_CALLS_IN_FLIGHT } from "../src/limits.ts";
import { parseTimeouts } from "../src/timeouts.ts";
import { fixture, type State, stdio, withBridge } from "./bridge_fixture.ts";
import { failure } from "./failure.ts";
import { eventually } from "./eventually.ts";
import { isRunning } from "./servers/start.ts";

Deno.test("callTool fails the call a server crashes in, and starts it once for the next ones (H10)", async () => {
  await withBridge(async ({ bridge, state, starts, run, recorded }) => {
    const before = await state();
    const held = failure(bridge.callTool("counting", "hold", {}, { run }));
    const crash = await failure(bridge.callTool("counting", "crash", {}, { run }));
    assert.equal(crash.exitCode, 3);
    assert.equal(
      crash.message,
      `Server "counting" exited with code 9 before it answered tools/call`,
    );
    assert.ok(crash.detail!.some((line) => line.includes("about to crash")));
    assert.equal((await held).kind, "connect");
    assert.equal(await starts(), 1);
    const after = await Promise.all(Array.from({ length: 20 }, () => state()));
    assert.deepEqual(new Set(after.map(({ pid }) => pid)).size, 1);
    assert.notEqual(after[0]!.pid, before.pid);
    assert.equal(await starts(), 2);
    assert.deepEqual(recorded().calls.map(({ outcome }) => outcome), ["connect", "connect"]);
  });
});

Deno.test("callTool tries again after a server that could not be started or listed", async () => {
  await withBridge(async ({ bridge, starts }) => {
    const error = await failure(bridge.callTool("counting", "state", {}));
    assert.match(error.message, /-32603: Not yet/);
    const { value } = await bridge.callTool("counting", "state", {});
    assert.equal((value as State).lists, 2);
    assert.equal(await starts(), 1);
  }, { choose: (counting) => [counting(["fail-first-list"])] });
  const folder = await Deno.makeTempDir();
  try {
    const missing = stdio("missing", [], { command: `${folder}/server` });
    await withBridge(async ({ bridge }) => {
      assert.equal((await failure(bridge.callTool("missing", "state", {}))).kind, "connect");
      const script = `#!/bin/sh\nexec "${Deno.execPath()}" run -A --no-lock "${
        fixture("counting.ts")
      }"\n`;
      await Deno.writeTextFile(missing.command, script, { mode: 0o700 });
      assert.ok((await bridge.callTool("missing", "state", {})).value);
    }, { choose: () => [missing] });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("callTool tells the server of a cancelled call and frees its slot (B7)", async () => {
  await withBridge(async ({ bridge, state, run, recorded }) => {
    const stop = new AbortController();
    const held = failure(bridge.callTool("counting", "hold", {}, { signal: stop.signal, run }));
    await eventually(async () => (await state()).underWay === 2);
    stop.abort();
    const error = await held;
    assert.equal(error.exitCode, 130);
    const { cancelled, underWay } = await state();
    assert.deepEqual({ cancelled, underWay }, { cancelled: 1, underWay: 1 });
    assert.deepEqual(recorded().calls.map(({ outcome }) => outcome), ["interrupted"]);
  });
});

Deno.test("callTool gives the slot of a cancelled call to the first that waits (B7)", async () => {
  await withBridge(async ({ bridge, state, held: arrived }) => {
    await state();
    const stops = Array.from({ length: MAX_CALLS_IN_FLIGHT }, () => new AbortController());
    const held = stops.map(({ signal }) =>
      failure(bridge.callTool("counting", "hold", {}, { signal }))
    );
    const gone = new AbortController();
    const withdrawn = failure(
      bridge.callTool("counting", "far.away", {}, { signal: gone.signal }),
    );
    const waiting = state();
    // It waits for a slot and was never sent.
    gone.abort();
    assert.equal((await withdrawn).kind, "interrupted");
    await eventually(async () => await arrived() === MAX_CALLS_IN_FLIGHT);
    stops[0]!.abort();
    const { peak, calls } = await waiting;
    assert.equal(peak, MAX_CALLS_IN_FLIGHT);
    assert.equal(calls, MAX_CALLS_IN_FLIGHT + 2);
    for (const stop of stops) stop.abort();
    for (const error of await Promise.all(held)) assert.equal(error.kind, "interrupted");
    assert.equal((await state()).underWay, 1);
  });
});

Deno.test("callTool cancelled after it waited for its slot leaves the others in line (B7)", async () => {
  await withBridge(async ({ bridge, state, held: arrived }) => {
    await state();
    const holding = new AbortController();
    const hold = (signal: AbortSignal) =>
      failure(bridge.callTool("counting", "hold", {}, { signal }));
    const held = Array.from({ length: MAX_CALLS_IN_FLIGHT - 1 }, () => hold(holding.signal));
    const [first, second] = [new AbortController(), new AbortController()];
    held.push(hold(first.signal), hold(second.signal));
    const last = state();
    await eventually(async () => await arrived() === MAX_CALLS_IN_FLIGHT);
    first.abort();
    await eventually(async () => await arrived() === MAX_CALLS_IN_FLIGHT + 1);
    second.abort();
    assert.equal((await last).cancelled, 2);
    holding.abort();
    await Promise.all(held);
  });
});

Deno.test("callTool with a signal that is aborted already asks nobody (B7)", async () => {
  const connected: string[] = [];
  await withBridge(async ({ bridge, run, recorded }) => {
    const reason = new AppError("interrupted", "Interrupted");
    const signal = AbortSignal.abort(reason);
    assert.equal(
      await failure(bridge.callTool("counting", "state", {}, { signal, run })),
      reason,
    );
    assert.deepEqual(connected, []);
    assert.equal(recorded().calls[0]!.outcome, "interrupted");
  }, { onConnect: (name) => connected.push(name) });
});

Deno.test("callTool does not wait for a connection once it is cancelled (B7)", async () => {
  const silent = stdio("silent", [fixture("hostile.ts"), "silent"]);
  await withBridge(async ({ bridge, catalog, counting, again }) => {
    const stop = new AbortController();
    // Once a tool has to be looked up, once it stands in the index.
    const info = await again([counting()]).describe("counting");
    const called = failure(bridge.callTool("silent", "x", {}, { signal: stop.signal }));
    catalog.save(silent, info);
    const later = again([silent]);
    const known = failure(later.callTool("silent", "state", {}, { signal: stop.signal }));
    const described = failure(bridge.describe("silent", { signal: stop.signal }));
    stop.abort();
    assert.equal((await called).kind, "interrupted");
    assert.equal((await known).kind, "interrupted");
    assert.equal((await described).kind, "interrupted");
  }, { choose: () => [silent] });
});

Deno.test("close ends what is under way, waits or connects, and leaves no process", async () => {
  const connected: string[] = [];
  await withBridge(async ({ bridge, state, held }) => {
    const { pid } = await state();
    const connecting = failure(bridge.callTool("silent", "x", {}));
    const calls = Array.from(
      { length: MAX_CALLS_IN_FLIGHT + 5 },
      () => failure(bridge.callTool("counting", "hold", {})),
    );
    await eventually(async () => await held() === MAX_CALLS_IN_FLIGHT);
    await bridge.close();
    for (const error of await Promise.all([...calls, connecting])) {
      assert.equal(error.kind, "interrupted");
    }
    assert.ok(!isRunning(pid));
    assert.equal((await failure(bridge.callTool("counting", "state", {}))).kind, "interrupted");
    assert.deepEqual(connected, ["counting", "silent"]);
    await bridge.close();
  }, {
    onConnect: (name) => connected.push(name),
    choose: (counting) => [counting(), stdio("silent", [fixture("hostile.ts"), "silent"])],
  });
});

Deno.test("callTool holds a call to the deadline of its tool, and others to that of their server (H3)", async () => {
  const timeouts = parseTimeouts({ "counting/hold": "100ms" }, assert.fail);
  await withBridge(async ({ bridge, state }) => {
    const error = await failure(bridge.callTool("counting", "hold", {}));
    assert.equal(error.kind, "timeout");
    assert.match(error.message, /no answer to tools\/call within 100ms$/);
    const { cancelled, underWay } = await state();
    assert.deepEqual({ cancelled, underWay }, { cancelled: 1, underWay: 1 });
    assert.equal(bridge.connections()[0]!.inFlight, 0);
    const gate = await failure(bridge.callTool("counting", "gate", { size: 2 }));
    assert.match(gate.message, /within 3s$/);
  }, { timeouts, choose: (counting) => [counting([], { timeoutMs: 3_000 })] });
});

Deno.test("callTool replaces a server that has stopped to answer, and keeps one that is only slow (H3)", async () => {
  const timeouts = parseTimeouts({ "counting/hold": "100ms" }, assert.fail);
  await withBridge(async ({ bridge, state, starts }) => {
    const { pid } = await state();
    assert.equal((await failure(bridge.callTool("counting", "hold", {}))).kind, "timeout");
    assert.equal((await state()).pid, pid);
    Deno.kill(pid, "SIGSTOP");
    assert.equal((await failure(bridge.callTool("counting", "state", {}))).kind, "timeout");
    assert.notEqual((await state()).pid, pid);
    assert.equal(await starts(), 2);
    await eventually(() => !isRunning(pid));
  }, {
    timeouts,
    bounds: { checkMs: 1_000 },
    choose: (counting) => [counting([], { timeoutMs: 3_000 })],
  });
});
