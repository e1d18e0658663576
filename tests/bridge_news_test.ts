// What servers tell beside their answers: of other tools, of progress, of their log.

import assert from "node:assert/strict";
import type { CallOptions, CallTrace } from "../src/bridge.ts";
import { parseCache } from "../src/cache.ts";
import { MAX_CALL_NOTICES, MAX_NOTIFICATIONS_PER_SECOND } from "../src/limits.ts";
import type { SessionId } from "../src/names.ts";
import type { Notice } from "../src/notices.ts";
import { Secret } from "../src/text.ts";
import { withBridge } from "./bridge_fixture.ts";
import { failure } from "./failure.ts";

Deno.test("callTool tells what changed when a server announces other tools (H21)", async () => {
  const warnings: string[] = [];
  const cache = parseCache({ tools: ["counting/promise"] }, assert.fail);
  const warn = (message: string) => warnings.push(message);
  await withBridge(async ({ bridge, state }) => {
    const promise = async (n: unknown) =>
      (await bridge.callTool("counting", "promise", { value: { n } })).value;
    assert.deepEqual(await promise(1), { n: 1 });
    const schema = { type: "object", properties: { n: { type: "string" } } };
    const { calls } = await state();
    await bridge.callTool("counting", "redefine", { schema, rename: true });
    // What was kept is gone, and the new definition holds.
    assert.equal((await failure(promise(1))).kind, "protocol");
    assert.deepEqual(await promise("one"), { n: "one" });
    assert.equal((await state()).calls, calls + 4);
    assert.deepEqual(warnings, [
      `Server "counting" has changed: - far.away; + far_away: ` +
      "farAway(params?: { [key: string]: unknown }): Promise<unknown>; " +
      "~ promise: result was { n?: number }, is now { n?: string }",
    ]);
  }, { cache, warn });
});

Deno.test("callTool reads the listing again of a server that comes back in another version (H21)", async () => {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  for (const [mode, lists] of [["same", 0], ["upgrade", 1]] as const) {
    await withBridge(async ({ bridge, state }) => {
      assert.equal((await state()).lists, 1);
      await failure(bridge.callTool("counting", "crash", {}));
      await state(); // connects again
      assert.equal((await state()).lists, lists);
    }, { warn, choose: (counting) => [counting([mode])] });
  }
  assert.deepEqual(warnings, [
    `Server "counting" has changed: server version was 1.0.1, is now 1.0.2`,
  ]);
});

Deno.test("callTool asks a server once that announces the same tools again and again (H12, H21)", async () => {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  await withBridge(async ({ bridge, state }) => {
    await state();
    await bridge.callTool("counting", "announce", { count: 5_000 });
    await state();
    assert.ok((await state()).lists <= 3);
    assert.deepEqual(warnings, [
      `Server "counting" sends more than 100 notifications a second; the rest are dropped`,
    ]);
  }, { warn });
});

Deno.test("callTool shows in its trace what the server told, cleaned and bounded (H12, H22)", async () => {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const token = "canary-5521-token";
  await withBridge(async ({ bridge, state }) => {
    await state();
    const traces: CallTrace[] = [];
    const tell = (steps: number, more: CallOptions = {}) =>
      bridge.callTool("counting", "tell", { steps, text: `\u001b[2Jat ${token}` }, {
        onCall: (trace) => traces.push(trace),
        ...more,
      });
    assert.deepEqual((await tell(2)).value, { level: "none", asked: false });
    assert.equal(traces[0]!.notices, undefined);
    assert.deepEqual((await tell(2, { notices: true })).value, { level: "info", asked: true });
    assert.deepEqual(
      traces[1]!.notices!.map(({ afterMs: _, ...notice }) => notice),
      [1, 2].flatMap((step) => [
        { kind: "progress", text: "\\u{1b}[2Jat ***", progress: step, total: 2 },
        {
          kind: "log",
          level: "warning",
          text: `disk: {"step":${step},"text":"\\u001b[2Jat ***"}`,
        },
      ]),
    );
    const began = performance.now();
    await tell(5_000, { notices: true });
    // The seconds that were begun: a slow machine takes more of them, and more is let through.
    const seconds = Math.ceil((performance.now() - began) / 1000) + 1;
    const { notices, noticesDropped } = traces[2]!;
    assert.equal(notices!.length, MAX_CALL_NOTICES);
    assert.ok(noticesDropped! > 0 && noticesDropped! <= seconds * MAX_NOTIFICATIONS_PER_SECOND);
    assert.deepEqual(warnings.length, 1);
  }, {
    warn,
    choose: (counting) => [counting([], { env: { TOKEN: new Secret(token) } })],
  });
});

Deno.test("callTool keeps a server's log from sessions that it may not be about", async () => {
  await withBridge(async ({ bridge, state }) => {
    await state();
    const notices = new Map<string, readonly Notice[]>();
    const ask = (session: string, tool: string, params: object) =>
      bridge.callTool("counting", tool, params, {
        session: session as SessionId,
        notices: true,
        onCall: (trace) => notices.set(`${session} ${tool}`, trace.notices ?? []),
      });
    const waiting = ask("b", "gate", { size: 2 });
    await ask("a", "tell", { steps: 2, text: "secret of a" });
    await ask("b", "gate", { size: 2 });
    await waiting;
    // Progress names its call; a log message could be of either.
    assert.deepEqual(notices.get("a tell")!.map(({ kind }) => kind), ["progress", "progress"]);
    assert.deepEqual(notices.get("b gate"), []);
  });
});
