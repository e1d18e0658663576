import assert from "node:assert/strict";
import {
  type BridgeOptions,
  type CallOptions,
  type CallTrace,
  createBridge,
  type McpBridge,
} from "../src/bridge.ts";
import { createMemoryCache, createResultCache, parseCache } from "../src/cache.ts";
import { type Catalog, createCatalog } from "../src/catalog.ts";
import { openDatabase } from "../src/database.ts";
import { openDemoServer } from "../src/demo_server.ts";
import { AppError, type ErrorKind, ToolError } from "../src/errors.ts";
import { digestOf } from "../src/hash.ts";
import { createJournal, type Journal, type RunEntry, type RunId } from "../src/journal.ts";
import { createLimiter, parseRates } from "../src/limiter.ts";
import {
  DEFAULT_RUN_LIMITS,
  MAX_CALL_NOTICES,
  MAX_CALLS_IN_FLIGHT,
  MAX_CALLS_WAITING,
  MAX_NOTIFICATIONS_PER_SECOND,
  MAX_PARAMS_BYTES,
} from "../src/limits.ts";
import type { ServerName, SessionId } from "../src/names.ts";
import type { Notice } from "../src/notices.ts";
import { toolValue } from "../src/payloads.ts";
import { flagPolicy, parsePolicy, type PolicyLayer } from "../src/policy.ts";
import type { ServerSpec, StdioSpec } from "../src/server.ts";
import { Secret } from "../src/text.ts";
import { parseTimeouts } from "../src/timeouts.ts";

interface State {
  readonly pid: number;
  readonly lists: number;
  readonly calls: number;
  readonly underWay: number;
  readonly peak: number;
  readonly cancelled: number;
}

interface Bench {
  readonly bridge: McpBridge;
  readonly catalog: Catalog;
  readonly journal: Journal;
  readonly run: RunId;
  /** How often the counting servers were started. */
  starts(): Promise<number>;
  state(): Promise<State>;
  /** How many calls that are never answered have reached the server. */
  held(): Promise<number>;
  recorded(): RunEntry;
  /** A second bridge over the same database. */
  again(specs?: readonly ServerSpec[]): McpBridge;
  /** A spec of the counting server. */
  counting(args?: readonly string[], more?: Partial<StdioSpec>): StdioSpec;
}

/** The whole environment of the program: a variable nobody set is not there. */
const VARIABLES: Readonly<Record<string, string>> = {
  PATH: Deno.env.get("PATH") ?? "",
  HOME: Deno.env.get("HOME") ?? "",
  GREETING: "hello",
};

function fixture(file: string): string {
  return new URL(`servers/${file}`, import.meta.url).pathname;
}

function stdio(name: string, args: readonly string[], more: Partial<StdioSpec> = {}): StdioSpec {
  return {
    transport: "stdio",
    name: name as ServerName,
    origin: "user",
    command: Deno.execPath(),
    args: ["run", "--allow-all", "--no-lock", ...args],
    env: {},
    ...more,
  };
}

/** Runs `work` with a bridge over the servers that `choose` gives, the counting one by default. */
async function withBridge(
  work: (bench: Bench) => Promise<void>,
  options: Partial<BridgeOptions> & {
    choose?: (counting: Bench["counting"]) => readonly ServerSpec[];
    onRead?: (variable: string) => void;
  } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const startsFile = `${folder}/starts`;
  const warn = (message: string) => assert.fail(`unexpected warning: ${message}`);
  const database = openDatabase(`${folder}/mcp-exec.db`, { warn });
  const catalog = createCatalog(database, { now: Date.now });
  const journal = createJournal(database, { warn, now: Date.now });
  const bridges: McpBridge[] = [];
  const create = (list: readonly ServerSpec[]): McpBridge => {
    const bridge = createBridge({
      specs: new Map(list.map((spec) => [spec.name, spec])),
      catalog,
      journal,
      env: {
        get(name) {
          options.onRead?.(name);
          return VARIABLES[name];
        },
        toObject: () => ({ ...VARIABLES }),
      },
      now: Date.now,
      warn,
      ...options,
    });
    bridges.push(bridge);
    return bridge;
  };
  const counting: Bench["counting"] = (args = [], more = {}) =>
    stdio("counting", [fixture("counting.ts"), startsFile, ...args], more);
  const specs = options.choose?.(counting) ?? [counting()];
  const bridge = create(specs);
  const run = journal.startRun({
    command: "execute",
    code: "",
    codeDigest: digestOf(""),
    servers: [],
    limits: DEFAULT_RUN_LIMITS,
  });
  try {
    await work({
      bridge,
      catalog,
      journal,
      run,
      async starts() {
        const text = await Deno.readTextFile(startsFile).catch(() => "");
        return text.split("\n").length - 1;
      },
      held: async () => (await Deno.readTextFile(`${startsFile}.held`).catch(() => "")).length,
      state: async () => (await bridge.callTool("counting", "state", {})).value as State,
      recorded: () => journal.run(run)!,
      again: (list = specs) => create(list),
      counting,
    });
  } finally {
    for (const bridge of bridges) await bridge.close();
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function failure(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "expected a failure" });
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let count = 0; !await holds(); count++) {
    assert.ok(count < 500, "what was waited for did not come");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

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

Deno.test("callTool gives structured content, text or blocks, by one rule", async () => {
  const honest = stdio("honest", [fixture("honest.ts")]);
  await withBridge(async ({ bridge }) => {
    const value = async (tool: string, params: object) =>
      (await bridge.callTool("honest", tool, params)).value;
    assert.deepEqual(await value("add_numbers", { a: 2, b: 3 }), { sum: 5 });
    assert.equal(await value("echo", { text: "hi" }), "hi");
    assert.equal(await value("echo", { text: "42" }), "42");
    assert.deepEqual(await value("list_users", { limit: 1 }), [{ id: 0, name: "user 0" }]);
    const [image] = await value("image", {}) as { type: string; mimeType: string }[];
    assert.deepEqual([image!.type, image!.mimeType], ["image", "image/png"]);
    const result = await bridge.callTool("honest", "add_numbers", { a: 1, b: 1 });
    assert.equal(result.json, `{"sum":2}`);
    assert.ok(Array.isArray(result.raw["content"]));
  }, { choose: () => [honest] });
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
        () => bridge.callTool("demo", "build_report", { project, delay_ms: 500 }),
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

Deno.test("callTool turns a tool's own failure into a ToolError and keeps the connection", async () => {
  await withBridge(async ({ bridge, state, starts, run, recorded }) => {
    const raw = async (result: unknown) =>
      await failure(bridge.callTool("counting", "raw", { result }, { run }));
    const error = await raw({
      isError: true,
      content: [{ type: "text", text: "No such\r\n\u001b[31muser\u001b[0m\u202e" }, {
        type: "image",
      }],
    });
    assert.ok(error instanceof ToolError);
    assert.deepEqual([error.server, error.tool, error.exitCode], ["counting", "raw", 3]);
    assert.equal(
      error.message,
      `Tool "counting/raw" failed: No such \\u{1b}[31muser\\u{1b}[0m\\u{202e}`,
    );
    const silent = await raw({ isError: true, structuredContent: { a: 1 } });
    assert.equal(silent.message, `Tool "counting/raw" failed: no reason given`);
    assert.ok(
      (await raw({ isError: true, content: [{ text: "x".repeat(100_000) }] })).message.length <
        3000,
    );
    assert.equal((await state()).calls, 4);
    assert.equal(await starts(), 1);
    assert.deepEqual(recorded().calls.map(({ outcome }) => outcome), Array(3).fill("tool-error"));
  });
});

Deno.test("callTool refuses answers that are no results, and takes empty ones (H19)", async () => {
  await withBridge(async ({ bridge }) => {
    const raw = async (result: unknown) =>
      (await bridge.callTool("counting", "raw", { result })).value;
    for (const content of ["text", [null], [1], {}, ["x"]]) {
      const error = await failure(raw({ content }));
      assert.equal(error.kind, "protocol", JSON.stringify(content));
      assert.match(error.message, /^Tool "counting\/raw" answered with content/);
    }
    assert.deepEqual(await raw({}), []);
    assert.deepEqual(await raw({ content: null }), []);
    assert.deepEqual(await raw({ content: [] }), []);
    assert.deepEqual(await raw({ structuredContent: { a: null } }), { a: null });
  });
});

Deno.test("callTool takes a result as large as a line may be, and refuses more (H19)", async () => {
  await withBridge(async ({ bridge, run, recorded }) => {
    const large = (count: number) =>
      bridge.callTool("counting", "large", { text: "é".repeat(1000), count }, { run });
    assert.equal(((await large(8000)).value as string).length, 8_000_000);
    assert.equal(((await large(16_000)).value as string).length, 16_000_000);
    const error = await failure(large(17_000));
    assert.equal(error.kind, "protocol");
    assert.equal(error.limit?.limit, 32 * 1024 * 1024);
    assert.deepEqual(recorded().calls.map(({ outcome, bytesOut }) => [outcome, bytesOut]), [
      ["ok", 16_000_002],
      ["ok", 32_000_002],
      ["protocol", 0],
    ]);
  });
});

Deno.test("callTool makes no call with parameters that are too large, too deep or no object (B6)", async () => {
  await withBridge(async ({ bridge, state, run, recorded }) => {
    const text = (length: number) => ({ text: "é".repeat(length / 2) });
    const nested = (depth: number) => {
      let value = {};
      for (let level = 1; level < depth; level++) value = { value };
      return value;
    };
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [text(MAX_PARAMS_BYTES), /has parameters of 1\.0 MiB, over the limit of 1 MiB$/],
      [nested(201), /nested deeper than 200$/],
      [nested(100_000), /nested deeper than 200$/],
      [[], /needs an object as parameters$/],
      [null, /needs an object as parameters$/],
      ["{}", /needs an object as parameters$/],
      [undefined, /needs an object as parameters$/],
    ];
    for (const [params, message] of cases) {
      const error = await failure(bridge.callTool("counting", "state", params, { run }));
      assert.equal(error.exitCode, 2);
      assert.match(error.message, message);
    }
    assert.equal((await state()).calls, 1);
    assert.equal(recorded().calls.length, cases.length);
    await bridge.callTool("counting", "state", text(MAX_PARAMS_BYTES - 20));
    await bridge.callTool("counting", "state", nested(200));
    assert.equal((await state()).calls, 4);
  });
});

Deno.test("callTool sends keys like __proto__ as data", async () => {
  await withBridge(async ({ bridge }) => {
    const params = JSON.parse(`{"result": {"structuredContent": {"__proto__": {"a": 1}}}}`);
    const { value, json } = await bridge.callTool("counting", "raw", params);
    assert.equal(json, `{"__proto__":{"a":1}}`);
    assert.equal((value as { a?: number }).a, undefined);
    assert.equal(({} as { a?: number }).a, undefined);
  });
});

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
    assert.equal(await isAlive(pid), false);
    assert.equal((await failure(bridge.callTool("counting", "state", {}))).kind, "interrupted");
    assert.deepEqual(connected, ["counting", "silent"]);
    await bridge.close();
  }, {
    onConnect: (name) => connected.push(name),
    choose: (counting) => [counting(), stdio("silent", [fixture("hostile.ts"), "silent"])],
  });
});

async function isAlive(pid: number): Promise<boolean> {
  const { success } = await new Deno.Command("kill", {
    args: ["-0", String(pid)],
    stderr: "null",
  }).output();
  return success;
}

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
    ]);
    assert.deepEqual(catalog.load(counting())?.info, JSON.parse(JSON.stringify(info)));
    assert.equal(catalog.era(counting()), "legacy");
  });
});

Deno.test("toolValue parses a lone text only where it is a JSON object or array", () => {
  const text = (text: unknown) => ({ content: [{ type: "text", text }] });
  assert.deepEqual(toolValue(text(` {"a": 1} `)), { a: 1 });
  assert.deepEqual(toolValue(text("[1]")), [1]);
  for (const plain of ["1", "true", "null", `"x"`, "", "{a: 1}", "[1", "[1] and [2]", "{}{}"]) {
    assert.equal(toolValue(text(plain)), plain);
  }
  assert.deepEqual(toolValue(text(7)), [{ type: "text", text: 7 }]);
  const two = [{ type: "text", text: "{}" }, { type: "text", text: "{}" }];
  assert.deepEqual(toolValue({ content: two }), two);
  assert.deepEqual(toolValue({ content: two, structuredContent: { b: 1 } }), { b: 1 });
  assert.deepEqual(toolValue({ content: two, structuredContent: null }), two);
  assert.deepEqual(toolValue({}), []);
});

Deno.test("toolValue leaves text alone that is nested too deeply to be read again (H8)", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const lone = (text: string) => toolValue({ content: [{ type: "text", text }] });
  assert.equal(typeof lone(nested(200)), "object");
  assert.equal(lone(nested(201)), nested(201));
  assert.equal(lone(nested(100_000)), nested(100_000));
});

function policyOf(policy: unknown): PolicyLayer[] {
  return [parsePolicy(policy, { name: "user", file: "config.json", warn: assert.fail })];
}

function denying(...tools: readonly string[]): PolicyLayer[] {
  return policyOf({ rules: tools.map((tool) => ({ tool, decide: "deny" })) });
}

const CACHED_STATE = parseCache({ tools: ["counting/state"] }, assert.fail);

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

Deno.test("callTool checks parameters before anything is sent, and says what to write (B6)", async () => {
  const honest = stdio("honest", [fixture("honest.ts")]);
  await withBridge(async ({ bridge, run, recorded }) => {
    const call = async (tool: string, params: unknown) =>
      await failure(bridge.callTool("honest", tool, params, { run }));
    const wrong = await call("add_numbers", { a: "2", b: 3 });
    assert.equal(wrong.kind, "invalid");
    assert.equal(
      wrong.message,
      `Call of "honest/add_numbers" is not valid: parameter "a" must be number, got "2"`,
    );
    assert.equal(wrong.hint, "it is addNumbers(params: { a: number; b: number })");
    assert.match(
      (await call("echo", { txet: "x" })).message,
      /"text" \(string\) is missing, "txet"/,
    );
    const large = { text: "x".repeat(MAX_PARAMS_BYTES) };
    assert.equal((await call("echo", large)).kind, "invalid");
    // This call is the only one that arrived.
    assert.equal((await bridge.callTool("honest", "count", {})).value, "1");
    assert.deepEqual(recorded().calls.map(({ outcome }) => outcome), Array(3).fill("invalid"));
    assert.ok(!JSON.stringify(recorded().calls[0]).includes(`"2"`));
  }, { choose: () => [honest] });
});

Deno.test("callTool asks the server again before an old definition refuses a call", async () => {
  const honest = stdio("honest", [fixture("honest.ts")]);
  await withBridge(async ({ bridge, catalog, again }) => {
    const info = await bridge.describe("honest");
    const old = {
      ...info,
      tools: info.tools.map((tool) => ({
        ...tool,
        inputSchema: { type: "object", required: ["old"] },
        outputSchema: { type: "object", required: ["old"] },
        digest: digestOf(tool.name),
      })),
    };
    catalog.save(honest, old);
    const { value } = await again().callTool("honest", "add_numbers", { a: 1, b: 2 });
    assert.deepEqual(value, { sum: 3 });
    catalog.save(honest, {
      ...old,
      tools: old.tools.map((tool) => ({ ...tool, inputSchema: {} })),
    });
    const later = again();
    await later.callTool("honest", "add_numbers", { a: 1, b: 2 });
    assert.equal((await failure(later.callTool("honest", "add_numbers", {}))).kind, "invalid");
  }, { choose: () => [honest] });
});

Deno.test("callTool refuses a result that breaks the tool's promise (H19)", async () => {
  await withBridge(async ({ bridge, run, recorded }) => {
    const call = (value: unknown) => bridge.callTool("counting", "promise", { value }, { run });
    assert.deepEqual((await call({ n: 1 })).value, { n: 1 });
    const error = await failure(call({ n: "1" }));
    assert.equal(error.kind, "protocol");
    assert.equal(
      error.message,
      `Result of "counting/promise" breaks its output schema: "n" must be number, got a string`,
    );
    assert.deepEqual(recorded().calls.map(({ outcome }) => outcome), ["ok", "protocol"]);
  });
});

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
    { tool: "counting/promise", perSecond: 50, burst: 1 },
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
    assert.match(gate.message, /within 300ms$/);
  }, { timeouts, choose: (counting) => [counting([], { timeoutMs: 300 })] });
});

Deno.test("callTool replaces a server that has stopped to answer, and keeps one that is only slow (H3)", async () => {
  await withBridge(async ({ bridge, state, starts }) => {
    const { pid } = await state();
    assert.equal((await failure(bridge.callTool("counting", "hold", {}))).kind, "timeout");
    assert.equal((await state()).pid, pid);
    Deno.kill(pid, "SIGSTOP");
    assert.equal((await failure(bridge.callTool("counting", "state", {}))).kind, "timeout");
    assert.notEqual((await state()).pid, pid);
    assert.equal(await starts(), 2);
    await eventually(async () => !await isAlive(pid));
  }, {
    bounds: { checkMs: 300 },
    choose: (counting) => [counting([], { timeoutMs: 1500 })],
  });
});

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
    await tell(5_000, { notices: true });
    const { notices, noticesDropped } = traces[2]!;
    assert.equal(notices!.length, MAX_CALL_NOTICES);
    assert.ok(noticesDropped! > 0 && noticesDropped! <= 2 * MAX_NOTIFICATIONS_PER_SECOND);
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
