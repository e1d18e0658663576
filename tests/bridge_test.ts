// The way of a call to its server: who is started, found and asked, and what is written down of it.

import assert from "node:assert/strict";
import type { CallTrace } from "../src/bridge.ts";
import { openDatabase } from "../src/database.ts";
import { openDemoServer } from "../src/demo_server.ts";
import { AppError, type ErrorKind, ToolError } from "../src/errors.ts";
import { createJournal } from "../src/journal.ts";
import type { ServerName } from "../src/names.ts";
import type { ServerSpec } from "../src/server.ts";
import { Secret } from "../src/text.ts";
import { fixture, type State, stdio, withBridge } from "./bridge_fixture.ts";
import { failure } from "./failure.ts";

Deno.test("callTool starts a server once for ten calls, and not before the first", async () => {
  await withBridge(async ({ bridge, starts, state }) => {
    assert.deepEqual(bridge.servers, ["counting"]);
    assert.equal(await starts(), 0);
    const pids = new Set<number>();
    for (let count = 0; count < 10; count++) pids.add((await state()).pid);
    assert.equal(pids.size, 1);
    assert.equal(await starts(), 1);
    assert.equal((await state()).calls, 11);
  });
});

Deno.test("callTool starts a server once for calls that begin together", async () => {
  await withBridge(async ({ state, starts }) => {
    const states = await Promise.all(Array.from({ length: 10 }, () => state()));
    assert.equal(new Set(states.map(({ pid }) => pid)).size, 1);
    assert.equal(await starts(), 1);
    assert.equal((await state()).lists, 1);
  });
});

Deno.test("callTool runs a hundred calls side by side", async () => {
  await withBridge(async ({ bridge }) => {
    // No call is answered before all hundred have arrived.
    const calls = Array.from(
      { length: 100 },
      () => bridge.callTool("counting", "gate", { size: 100 }),
    );
    for (const { value } of await Promise.all(calls)) {
      assert.equal((value as State).underWay, 100);
    }
  });
});

Deno.test("callTool reaches a server over HTTP in the same way", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-lock", fixture("honest.ts"), "--http", "0"],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const url = (await reader.read()).value!.trim();
    await reader.cancel();
    const remote: ServerSpec = {
      transport: "http",
      name: "remote" as ServerName,
      origin: "user",
      url: new Secret(url),
      shownUrl: url,
      headers: {},
    };
    await withBridge(async ({ bridge, catalog }) => {
      const sums = await Promise.all(
        [1, 2, 3].map((a) => bridge.callTool("remote", "add_numbers", { a, b: 1 })),
      );
      assert.deepEqual(sums.map(({ value }) => value), [{ sum: 2 }, { sum: 3 }, { sum: 4 }]);
      assert.equal(catalog.era(remote), "legacy");
    }, { choose: () => [remote] });
  } finally {
    child.kill();
    await child.status;
  }
});

Deno.test("callTool opens the built-in server once and runs a hundred calls of it side by side", async () => {
  let opened = 0;
  const demo: ServerSpec = {
    transport: "embedded",
    name: "demo" as ServerName,
    origin: "built-in",
    open: () => {
      opened++;
      return openDemoServer();
    },
  };
  await withBridge(async ({ bridge }) => {
    const { value } = await bridge.callTool("demo", "list_projects", {});
    const [{ key: project }] = (value as { projects: [{ key: string }] }).projects;
    for (let count = 0; count < 10; count++) {
      await bridge.callTool("demo", "get_project", { project });
    }
    const reports = await Promise.all(
      Array.from(
        { length: 100 },
        () => bridge.callTool("demo", "build_report", { project, delay_ms: 2_000 }),
      ),
    );
    const peaks = reports.map(({ value }) => (value as { built_at_once: number }).built_at_once);
    assert.equal(Math.max(...peaks), 100);
    const error = await failure(bridge.callTool("demo", "get_project", { project: "NONE" }));
    assert.ok(error instanceof ToolError, error.message);
    assert.equal(opened, 1);
  }, { choose: () => [demo] });
});

Deno.test("callTool reads a listing once, and not at all for a tool in the index", async () => {
  await withBridge(async ({ bridge, state, again, starts }) => {
    await Promise.all([1, 2, 3].map(() => bridge.describe("counting")));
    await bridge.callTool("counting", "far.away", {});
    assert.equal((await state()).lists, 1);
    const later = again();
    const { value } = await later.callTool("counting", "state", {});
    assert.equal((value as State).lists, 0);
    assert.equal(await starts(), 2);
  });
});

Deno.test("callTool asks the server again for a tool that the index lacks", async () => {
  await withBridge(async ({ bridge, catalog, counting }) => {
    const info = await bridge.describe("counting");
    const tools = info.tools.filter((tool) => tool.name !== "state");
    catalog.save(counting(), { ...info, tools });
    const { value } = await bridge.callTool("counting", "state", {});
    assert.equal((value as State).lists, 1);
  });
});

Deno.test("callTool passes on what a server says of a tool that only the index has", async () => {
  await withBridge(async ({ bridge, again, catalog, counting }) => {
    const info = await bridge.describe("counting");
    const gone = { ...info.tools[0]!, name: "gone" as (typeof info.tools)[number]["name"] };
    catalog.save(counting(), { ...info, tools: [...info.tools, gone] });
    const error = await failure(again().callTool("counting", "gone", {}));
    assert.equal(error.kind, "server");
    assert.match(error.message, /-32602: No such tool/);
  });
});

Deno.test("callTool names the nearest tool for one the server does not have", async () => {
  await withBridge(async ({ bridge, state }) => {
    for (const [tool, near] of [["stat", "state"], ["far_away", "far.away"], ["GATE", "gate"]]) {
      const error = await failure(bridge.callTool("counting", tool!, {}));
      assert.equal(error.exitCode, 2);
      assert.equal(error.message, `Server "counting" has no tool "${tool}"`);
      assert.ok(error.hint!.includes(`"${near}"`), error.hint);
    }
    const far = await failure(bridge.callTool("counting", "zzzzzzzzz", {}));
    assert.match(far.hint!, /mcp-exec introspect counting/);
    for (const tool of ["", "a\nb", "a\u0000b", "x".repeat(257), "\ud800"]) {
      assert.equal((await failure(bridge.callTool("counting", tool, {}))).kind, "invalid");
    }
    assert.equal((await state()).calls, 1);
  });
});

Deno.test("callTool refuses servers it was not given, by the whole of their names (B1)", async () => {
  await withBridge(async ({ bridge, starts }) => {
    for (const name of ["Counting", "counting ", "countin", "", "__proto__", "constructor"]) {
      const error = await failure(bridge.callTool(name, "state", {}));
      assert.equal(error.kind, "usage", name);
      assert.match(error.message, /is not configured$/);
    }
    assert.ok((await failure(bridge.callTool("countin", "state", {}))).hint!.includes("counting"));
    assert.equal(await starts(), 0);
  });
});

Deno.test("callTool refuses a server the caller is not narrowed to, and names --server (B1)", async () => {
  await withBridge(async ({ bridge, starts, run, recorded }) => {
    const only = new Set(["other" as ServerName]);
    const error = await failure(bridge.callTool("counting", "state", {}, { only, run }));
    assert.equal(error.exitCode, 6);
    assert.match(error.hint!, /--server counting/);
    assert.equal((await failure(bridge.describe("counting", { only }))).kind, "denied");
    assert.equal(await starts(), 0);
    assert.deepEqual(recorded().calls.map(({ decision }) => decision), ["deny"]);
  });
});

Deno.test("callTool says why an entry of the configuration cannot be used (A11, A17)", async () => {
  const reason = new AppError("denied", `Server "bad" of "x" is left out: LD_PRELOAD`);
  await withBridge(async ({ bridge }) => {
    assert.equal(await failure(bridge.callTool("bad", "x", {})), reason);
    assert.equal(await failure(bridge.describe("bad")), reason);
  }, { unusable: new Map([["bad" as ServerName, reason]]) });
});

Deno.test("callTool starts and expands nothing of an entry nobody trusted (A14)", async () => {
  const read: string[] = [];
  await withBridge(async ({ bridge, starts, run, recorded }) => {
    for (
      const attempt of [
        () => bridge.callTool("counting", "state", {}, { run }),
        () => bridge.describe("counting"),
      ]
    ) {
      const error = await failure(attempt());
      assert.equal(error.kind, "untrusted" satisfies ErrorKind);
      assert.equal(error.exitCode, 6);
      assert.match(error.message, /^Server "counting" of "\.mcp\.json" is not trusted$/);
      assert.ok(error.detail![0]!.includes("${UNDEFINED}"), error.detail![0]);
    }
    assert.equal(await starts(), 0);
    assert.deepEqual(read, []);
    assert.deepEqual(recorded().calls.map(({ decision, outcome }) => [decision, outcome]), [
      ["deny", "untrusted"],
    ]);
  }, {
    choose: (counting) => [
      counting(["${UNDEFINED}"], { origin: "project", file: ".mcp.json", untrusted: true }),
    ],
    onRead: (name) => read.push(name),
  });
});

Deno.test("callTool names an undefined variable and starts nothing (A13)", async () => {
  await withBridge(async ({ bridge, starts }) => {
    const error = await failure(bridge.callTool("counting", "state", {}));
    assert.equal(error.exitCode, 2);
    assert.match(error.message, /^Variable "UNDEFINED" is not set and server "counting" needs it$/);
    assert.equal(await starts(), 0);
  }, { choose: (counting) => [counting([], { env: { A: new Secret("${UNDEFINED}") } })] });
});

Deno.test("callTool gives a server its arguments and variables as they are, by no shell (A16)", async () => {
  const args = ["; touch /tmp/never", "$(id)", "`id`", "a\nb", "", "* ~ && | > x", "'\"\\"];
  await withBridge(async ({ bridge }) => {
    const { value } = await bridge.callTool("counting", "start", {});
    const { args: given, names } = value as { args: string[]; names: string[] };
    assert.deepEqual(given.slice(2), [...args, "hello"]);
    assert.ok(names.includes("TOKEN") && names.includes("PATH"));
    assert.ok(!names.includes("GREETING"), "only the short list and the entry's own are given on");
  }, {
    choose: (counting) => [
      counting(["", ...args, "${GREETING}"], { env: { TOKEN: new Secret("sesame") } }),
    ],
  });
});

Deno.test("callTool reports each call to its caller and to the journal", async () => {
  await withBridge(async ({ bridge, run, recorded }) => {
    const traces: CallTrace[] = [];
    const onCall = (trace: CallTrace) => traces.push(trace);
    const call = (server: string, tool: string, params: unknown = {}) =>
      bridge.callTool(server, tool, params, { run, onCall }).catch(() => {});
    await call("counting", "raw", { result: { structuredContent: { a: "é" } } });
    await call("counting", "raw", { result: { isError: true } });
    await call("counting", "nothing\u001b[31m");
    await call("Counting", "state");
    await call("counting", "crash");
    await bridge.callTool("counting", "state", {});
    const outcomes = ["ok", "tool-error", "invalid", "usage", "connect"];
    const { calls } = recorded();
    assert.deepEqual(calls.map(({ outcome }) => outcome), outcomes);
    assert.deepEqual(calls.map(({ decision }) => decision), Array(5).fill("allow"));
    assert.deepEqual(traces.map(({ ok }) => ok), [true, false, false, false, false]);
    assert.deepEqual(traces.map((trace) => trace.error?.kind), [
      undefined,
      "server",
      "invalid",
      "usage",
      "connect",
    ]);
    const [first] = calls;
    assert.equal(first!.bytesIn, 43);
    assert.equal(first!.bytesOut, 10);
    assert.deepEqual([traces[0]!.sentBytes, traces[0]!.receivedBytes], [43, 10]);
    assert.deepEqual([traces[0]!.sentTokens, traces[0]!.receivedTokens], [42, 9]);
    assert.ok(first!.definition?.startsWith("blake3:"));
    assert.equal(calls[3]!.definition, undefined);
    assert.equal(calls[2]!.tool, "nothing\\u{1b}[31m");
    assert.notEqual(calls[0]!.argumentsDigest, calls[1]!.argumentsDigest);
    assert.equal(first!.arguments, undefined);
  }, { countTokens: (text) => text.length });
});

Deno.test("callTool asks nobody where a journal is required and cannot be written", async () => {
  const nowhere = openDatabase(undefined, { warn() {} });
  const journal = createJournal(nowhere, { now: Date.now, warn: assert.fail, required: true });
  await withBridge(async ({ bridge, run, starts }) => {
    const error = await failure(bridge.callTool("counting", "state", {}, { run }));
    assert.equal(error.kind, "denied");
    assert.equal(await starts(), 0);
  }, { journal });
  nowhere.close();
});

Deno.test("callTool lets no secret of a server into errors and journal (X1)", async () => {
  const spec = stdio("exit", [fixture("hostile.ts"), "exit"], {
    env: { TOKEN: new Secret("canary-4711") },
  });
  await withBridge(async ({ bridge, run, recorded, catalog }) => {
    const traces: CallTrace[] = [];
    const error = await failure(
      bridge.callTool("exit", "x", {}, { run, onCall: (trace) => traces.push(trace) }),
    );
    assert.ok(error.detail!.some((line) => line.includes("no token in")));
    const shown = JSON.stringify([error, traces, recorded(), catalog.load(spec)]) +
      Deno.inspect(error, { depth: 10 });
    assert.ok(!shown.includes("canary-4711"), shown);
  }, { choose: () => [spec] });
});

Deno.test("describe gives a server's tools under the configured name and keeps them in the index", async () => {
  await withBridge(async ({ bridge, catalog, counting }) => {
    const info = await bridge.describe("counting");
    assert.equal(info.name, "counting");
    assert.equal(info.identity.name, "Counting server");
    assert.deepEqual(info.tools.map(({ name }) => name), [
      "announce",
      "crash",
      "far.away",
      "gate",
      "hold",
      "large",
      "promise",
      "raw",
      "redefine",
      "start",
      "state",
      "tell",
      "until",
    ]);
    assert.deepEqual(catalog.load(counting())?.info, JSON.parse(JSON.stringify(info)));
    assert.equal(catalog.era(counting()), "legacy");
  });
});
