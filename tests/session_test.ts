import assert from "node:assert/strict";
import { EMPTY_CONFIG } from "../src/config.ts";
import type { Context } from "../src/context.ts";
import { DEMO_PATH, DEMO_PROGRAM } from "../src/commands/demo.ts";
import { openDemoServer } from "../src/demo_server.ts";
import { AppError } from "../src/errors.ts";
import { createLog } from "../src/log.ts";
import type { ServerName } from "../src/names.ts";
import { noticeText } from "../src/notices.ts";
import { parsePolicy } from "../src/policy.ts";
import type { ServerSpec, StdioSpec } from "../src/server.ts";
import type { ServerSet } from "../src/servers.ts";
import {
  importedServers,
  openSession,
  type RunOutcome,
  type RunRequest,
  type Session,
  type SessionOptions,
} from "../src/session.ts";
import { eventually } from "./eventually.ts";
import { failure } from "./failure.ts";

interface Bench {
  readonly session: Session;
  readonly context: Context;
  readonly interrupt: AbortController;
  run(source: string, more?: Partial<RunRequest>): Promise<RunOutcome>;
  /** What a program gives, which must not fail. */
  value(source: string, more?: Partial<RunRequest>): Promise<unknown>;
  /** How often the counting server was started. */
  starts(): Promise<number>;
  /** All that was shown beside results. */
  shown(): string;
}

interface Setup extends Omit<SessionOptions, "log"> {
  readonly servers?: Partial<ServerSet>;
  readonly adHoc?: readonly ServerSpec[];
  readonly data?: string;
}

const HONEST = stdio("honest", ["honest.ts"]);

function stdio(name: string, [file, ...args]: readonly string[]): StdioSpec {
  return {
    transport: "stdio",
    name: name as ServerName,
    origin: "user",
    command: Deno.execPath(),
    args: [
      "run",
      "--allow-all",
      "--no-lock",
      new URL(`servers/${file}`, import.meta.url).pathname,
      ...args,
    ],
    env: {},
  };
}

/** Runs `work` with a session over the honest and the counting server. */
async function withSession(work: (bench: Bench) => Promise<void>, setup: Setup = {}) {
  const { servers = {}, adHoc = [], data, ...options } = setup;
  const folder = await Deno.makeTempDir();
  const interrupt = new AbortController();
  const variables = { PATH: Deno.env.get("PATH") ?? "", HOME: Deno.env.get("HOME") ?? "" };
  const context: Context = {
    args: [],
    env: {
      get: (name) => variables[name as keyof typeof variables],
      toObject: () => variables,
    },
    cwd: folder,
    platform: "linux",
    paths: { home: undefined, config: `${folder}/config`, data: data ?? `${folder}/data` },
    writeOut: () => true,
    writeError: () => {},
    readInput: () => Promise.resolve(new Uint8Array()),
    isTerminal: { in: false, out: false, error: false },
    columns: 80,
    signal: interrupt.signal,
    now: Date.now,
  };
  let shown = "";
  const counting = stdio("counting", ["counting.ts", `${folder}/starts`]);
  const specs = new Map([...adHoc, HONEST, counting].map((spec) => [spec.name, spec]));
  try {
    const session = await openSession(context, {
      specs,
      adHoc: adHoc.map(({ name }) => name),
      unnamed: new Set(adHoc.map(({ name }) => name)),
      unusable: new Map(),
      found: [],
      config: EMPTY_CONFIG,
      policy: [],
      ...servers,
    }, { ...options, log: createLog((text) => shown += text) });
    const run: Bench["run"] = (source, more = {}) =>
      session.run({ source, path: "main.ts", command: "execute", ...more });
    try {
      await work({
        session,
        context,
        interrupt,
        run,
        async value(source, more) {
          const outcome = await run(source, more);
          if (outcome.error !== undefined) throw outcome.error;
          return outcome.value;
        },
        async starts() {
          const text = await Deno.readTextFile(`${folder}/starts`).catch(() => "");
          return text.split("\n").length - 1;
        },
        shown: () => shown,
      });
    } finally {
      await session.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PROGRAM = `
import { addNumbers, listUsers } from "mcp:honest";
import { callTool, getState, searchTools, setState } from "mcp:host";

interface User { id: number; name: string }

const { sum } = await addNumbers({ a: 2, b: 3 });
await setState("sum", { sum });
const users = await listUsers({ limit: 3 }) as User[];
const echo = await callTool<string>("honest", "echo", { text: "hi", times: sum });
const kept = await getState<{ sum: number }>("sum");
const found = await searchTools("add numbers");
console.log("half way");
export default { sum, users: users.length, echo, kept, none: await getState("no") ?? null, found: found[0] };
`;

Deno.test("run gives a program typed modules, calls, state and search", async () => {
  await withSession(async ({ session, run, starts }) => {
    const log: string[] = [];
    const outcome = await run(PROGRAM, { onLog: ({ text }) => log.push(text) });
    assert.equal(outcome.error, undefined);
    const { found, ...rest } = outcome.value as Record<string, unknown>;
    assert.deepEqual(rest, { sum: 5, users: 3, echo: "hihihihihi", kept: { sum: 5 }, none: null });
    const { server, tool, signature } = found as Record<string, string>;
    assert.deepEqual([server, tool], ["honest", "add_numbers"]);
    assert.match(signature!, /addNumbers\(/);
    assert.deepEqual(log, ["half way"]);
    assert.deepEqual(outcome.servers.map(({ name }) => name), ["honest"]);
    assert.deepEqual(outcome.calls.map(({ tool, ok }) => [tool, ok]), [
      ["add_numbers", true],
      ["list_users", true],
      ["echo", true],
    ]);
    assert.equal(await starts(), 0, "a server that is not used is not started");
    const entry = session.journal.run(outcome.run)!;
    assert.equal(entry.code, PROGRAM);
    assert.equal(entry.command, "execute");
    assert.deepEqual(entry.servers, ["honest", "counting"]);
    assert.equal(entry.end!.outcome, "ok");
    assert.ok(entry.end!.fuel! > 0 && entry.end!.memory! > 0);
    assert.deepEqual(entry.calls.map(({ tool, outcome }) => [tool, outcome]), [
      ["add_numbers", "ok"],
      ["list_users", "ok"],
      ["echo", "ok"],
    ]);
  });
});

const DEMO: ServerSpec = {
  transport: "embedded",
  name: "demo" as ServerName,
  origin: "built-in",
  open: openDemoServer,
};

Deno.test("run answers the demo's task on the built-in server, the same each time", async () => {
  const values: unknown[] = [];
  for (let count = 0; count < 2; count++) {
    await withSession(async ({ session, run }) => {
      const outcome = await run(DEMO_PROGRAM, { path: DEMO_PATH });
      assert.equal(outcome.error, undefined);
      values.push(outcome.value);
      assert.ok(outcome.calls.length > 10);
      assert.ok(outcome.calls.every(({ ok, server }) => ok && server === "demo"));
      assert.equal(session.journal.run(outcome.run)!.calls.length, outcome.calls.length);
    }, { servers: { specs: new Map([[DEMO.name, DEMO]]) } });
  }
  assert.equal((values[0] as { projects: string[] }).projects.length, 3);
  assert.deepEqual(values[0], values[1]);
});

Deno.test("run keeps a program's failure, its place and its calls in the journal", async () => {
  await withSession(async ({ session, run }) => {
    const outcome = await run(
      `await callTool("honest", "echo", { text: "a" });\nthrow new Error("no luck");`,
    );
    assert.equal(outcome.ok, false);
    assert.equal(outcome.error!.exitCode, 5);
    assert.equal(outcome.error!.at!.line, 2);
    assert.equal(outcome.calls.length, 1);
    const { end, calls } = session.journal.run("last")!;
    assert.equal(end!.outcome, "guest");
    assert.match(end!.error!.message, /no luck/);
    assert.equal(calls.length, 1);
  });
});

Deno.test("run reports a source that cannot be read as it reports a program's failure", async () => {
  await withSession(async ({ session, run }) => {
    const outcome = await run("const a = 1;\nconst b = ;");
    assert.equal(outcome.error!.kind, "guest");
    assert.equal(outcome.error!.at!.line, 2);
    assert.equal(session.journal.run(outcome.run)!.end!.outcome, "guest");
  });
});

Deno.test("run says as it goes on which call it has come to", async () => {
  const said: string[] = [];
  const begin = (text: string) => {
    said.push(text);
    return { say: (text: string) => void said.push(text), end() {} };
  };
  await withSession(async ({ value }) => {
    const call = 'await callTool("honest", "echo", { text: "x" });';
    await value(`${call} ${call} return 1`);
    const own = said.filter((text) => text.startsWith("Running"));
    assert.deepEqual(own, [
      "Running main.ts",
      "Running main.ts: call 1",
      "Running main.ts: call 2",
    ]);
  }, { progress: { begin, close() {} } });
});

Deno.test("run reads a listing once to tell which results have a type, whatever was called", async () => {
  await withSession(async ({ run }) => {
    const parse = JSON.parse;
    const readsIn = async (calls: string) => {
      let reads = 0;
      JSON.parse = (text, ...more) => {
        if (text.includes('"outputSchema"')) reads++;
        return parse(text, ...more);
      };
      const { error } = await run(`${calls} (1)();`).finally(() => JSON.parse = parse);
      assert.match(error?.hint ?? "", /^mcp-exec introspect /);
      return reads;
    };
    const projects = 'await callTool("demo", "list_projects", {});';
    const workspace = 'await callTool("demo", "get_workspace", {});';
    await readsIn(projects);
    assert.equal(await readsIn(projects + workspace), await readsIn(projects));
  }, { servers: { specs: new Map([[DEMO.name, DEMO]]) } });
});

Deno.test("run lets a program catch the failure of a tool and go on", async () => {
  await withSession(async ({ value, run }) => {
    const caught = await value(`
      try {
        await callTool("honest", "fail", { reason: "Tuesday" });
      } catch (error) {
        return [error instanceof ToolError, error.name, error.message, error.kind];
      }`);
    assert.deepEqual(caught, [
      true,
      "ToolError",
      `Tool "honest/fail" failed: Failed: Tuesday`,
      "server",
    ]);
    const uncaught = await run(`await callTool("honest", "fail");`);
    assert.equal(uncaught.error!.exitCode, 3);
    assert.deepEqual(uncaught.calls.map(({ ok }) => ok), [false]);
  });
});

Deno.test("run fails before it starts a program whose server cannot be listed", async () => {
  const missing: ServerSpec = { ...stdio("missing", [""]), command: "/nowhere/server" };
  await withSession(async ({ session, run }) => {
    const error = await failure(run(`import "mcp:missing"; console.log("never")`));
    assert.equal(error.exitCode, 3);
    const { end, calls } = session.journal.run("last")!;
    assert.equal(end!.outcome, "connect");
    assert.equal(end!.error!.message, error.message);
    assert.deepEqual(calls, []);
    const unknown = await failure(run(`import "mcp:honset";`));
    assert.equal(unknown.kind, "usage");
    assert.match(unknown.hint!, /"honest"/);
  }, { servers: { specs: new Map([HONEST, missing].map((spec) => [spec.name, spec])) } });
});

Deno.test("run says why an imported server of the configuration cannot be used (A11)", async () => {
  const reason = new AppError("denied", `Server "bad" of "x" is left out`);
  await withSession(async ({ run }) => {
    assert.equal(await failure(run(`import "mcp:bad";`)), reason);
    const called = await run(`return await callTool("bad", "x");`);
    assert.equal(called.error!.exitCode, 6);
  }, { servers: { unusable: new Map([["bad" as ServerName, reason]]) } });
});

Deno.test("run narrows a program to the servers it was given (B1)", async () => {
  await withSession(async ({ session, run, value, starts }) => {
    const servers = ["honest" as ServerName];
    await session.bridge.describe("counting");
    const imported = await failure(run(`import "mcp:counting";`, { servers }));
    assert.equal(imported.exitCode, 6);
    assert.match(imported.hint!, /--server counting/);
    const called = await run(`return await callTool("counting", "state");`, { servers });
    assert.equal(called.error!.exitCode, 6);
    assert.match(called.error!.hint!, /--server counting/);
    const seen = await value(
      `const found = [...await searchTools("state"), ...await searchTools("x", { server: "counting" })];
       return [found.length, await listFiles("/mcp-tools/servers")];`,
      { servers },
    );
    assert.deepEqual(seen, [0, ["honest/"]]);
    assert.equal(await starts(), 1);
    assert.deepEqual(session.journal.run("last")!.servers, ["honest"]);
    assert.equal(
      await value(`return await callTool("honest", "echo", { text: "a" })`, { servers }),
      "a",
    );
  });
});

Deno.test("run shows a program the files of the servers it imports, or was narrowed to", async () => {
  await withSession(async ({ value }) => {
    const files = await value(`
      import "mcp:honest";
      const names = await listFiles("/mcp-tools/servers/honest");
      const text = await readFile("/mcp-tools/servers/honest/index.ts");
      export default [names.includes("index.ts"), names.includes("manifest.json"), text.includes("addNumbers")];`);
    assert.deepEqual(files, [true, true, true]);
    const manifest = await value(
      `return JSON.parse(await readFile("/mcp-tools/servers/counting/manifest.json"))`,
      { servers: ["counting" as ServerName] },
    );
    assert.ok(JSON.stringify(manifest).includes("far.away"));
  });
});

Deno.test("run takes bounds from the request, then the configuration, then the defaults", async () => {
  const config = { ...EMPTY_CONFIG, limits: { calls: 2, fuel: 50_000_000 } };
  await withSession(async ({ session, run }) => {
    const source = `for (let i = 0; i < 3; i++) await callTool("honest", "echo", { text: "a" });`;
    const refused = await run(source);
    assert.equal(refused.error!.kind, "limit");
    assert.equal(refused.error!.limit!.limit, 2);
    assert.equal(refused.calls.length, 2);
    const wider = await run(source, { limits: { calls: 3 } });
    assert.equal(wider.error, undefined);
    const { limits } = session.journal.run(wider.run)!;
    assert.deepEqual([limits.calls, limits.fuel, limits.wallMs], [3, 50_000_000, 30_000]);
  }, { servers: { config } });
});

Deno.test("run gives a function that a program exports its arguments", async () => {
  await withSession(async ({ value }) => {
    const source = `
      export const twice = ({ n }: { n: number }) => 2 * n;
      export default ({ n }: { n: number }) => n + 1;`;
    assert.equal(await value(source, { args: { n: 20 } }), 21);
    assert.equal(await value(source, { args: { n: 20 }, entry: "twice" }), 40);
  });
});

Deno.test("run starts every program with a state of its own (C1)", async () => {
  await withSession(async ({ value }) => {
    assert.equal(await value(`await setState("a", 1); return await getState("a");`), 1);
    assert.equal(await value(`return await getState("a") ?? "nothing";`), "nothing");
  });
});

Deno.test("run refuses state beyond its bounds and leaves it as it was (S16)", async () => {
  await withSession(async ({ value }) => {
    const result = await value(`
      await setState("a", "before");
      let refused;
      try { await setState("a", "x".repeat(1_100_000)); } catch (error) { refused = error.kind; }
      return [refused, await getState("a")];`);
    assert.deepEqual(result, ["limit", "before"]);
  });
});

Deno.test("run refuses what a program nests too deeply, and the program can catch it (B6, E-S3)", async () => {
  await withSession(async ({ value, starts }) => {
    const result = await value(`
      let deep = {};
      for (let level = 0; level < 400; level++) deep = { deep };
      const kinds = [];
      for (const attempt of [
        () => callTool("counting", "state", deep),
        () => setState("deep", deep),
        () => searchTools("x", deep),
        () => callTool("counting", "state", { list: [deep] }),
      ]) {
        try { await attempt(); kinds.push("none"); } catch (error) { kinds.push(error.kind); }
      }
      return kinds;`);
    assert.deepEqual((result as string[]).map((kind) => kind === "none"), [
      false,
      false,
      false,
      false,
    ]);
    assert.equal(await starts(), 0);
  });
});

Deno.test("run takes odd arguments of host functions for what they are", async () => {
  await withSession(async ({ session, value }) => {
    await session.bridge.describe("honest");
    const found = async (options: string) =>
      await value(`return (await searchTools("number text user list", ${options})).length`);
    const all = await found("undefined");
    assert.ok(Number(all) >= 3);
    assert.equal(await found("{ limit: 1 }"), 1);
    assert.equal(await found("{ limit: 1.9 }"), 1);
    for (const options of ["null", "{ limit: 0 }", "{ limit: 'x' }", "{ limit: 1e9 }", "7", "[]"]) {
      assert.equal(await found(options), all, options);
    }
    assert.equal(await found(`{ server: "nobody" }`), 0);
    assert.equal(await found(`{ server: 7 }`), 0);
  });
});

Deno.test("run finds no tool for a program of which policy allows no call (B2)", async () => {
  const rules = [
    { tool: "honest/echo", arguments: { text: "x" }, decide: "deny" },
    { tool: "honest/e*v", decide: "deny" },
  ];
  const place = { name: "user", file: "config.json", warn: assert.fail } as const;
  await withSession(async ({ session, value }) => {
    await session.bridge.describe("honest");
    const found = `return (await searchTools("echo env fail")).map(({ tool }) => tool).sort()`;
    assert.deepEqual(await value(found), ["echo", "fail"]);
  }, { servers: { policy: [parsePolicy({ rules }, place)] } });
});

Deno.test("run leaves out searches of what no server told yet, and connects to nobody", async () => {
  await withSession(async ({ value, starts }) => {
    assert.deepEqual(await value(`return await searchTools("state")`), []);
    assert.equal(await starts(), 0);
  });
});

Deno.test("run ends with the person's interrupt, and the journal says so (A8)", async () => {
  await withSession(async ({ session, run, interrupt }) => {
    const running = run(`await callTool("counting", "hold");`);
    const reason = new AppError("interrupted", "Interrupted");
    await eventually(async () => {
      const { value } = await session.bridge.callTool("counting", "state", {});
      return (value as { underWay: number }).underWay === 2;
    });
    interrupt.abort(reason);
    const outcome = await running;
    assert.equal(outcome.error!.exitCode, 130);
    assert.deepEqual(outcome.calls.map(({ error }) => error!.kind), ["interrupted"]);
    const { end, calls } = session.journal.run(outcome.run)!;
    assert.equal(end!.outcome, "interrupted");
    assert.deepEqual(calls.map(({ outcome }) => outcome), ["interrupted"]);
  });
});

Deno.test("run withdraws its calls when its time is up, and their places are free (B7)", async () => {
  await withSession(async ({ session, run }) => {
    const state = async () =>
      (await session.bridge.callTool("counting", "state", {})).value as Record<string, number>;
    await state();
    const outcome = await run(
      `await Promise.all([1, 2].map((n) => callTool("counting", "hold", { n })));`,
      { limits: { wallMs: 1000 } },
    );
    assert.equal(outcome.error!.kind, "limit");
    assert.equal(outcome.calls.length, 2);
    const { cancelled, underWay } = await state();
    assert.deepEqual({ cancelled, underWay }, { cancelled: 2, underWay: 1 });
    const { inFlight, idle } = session.bridge.connections()[0]!;
    assert.deepEqual({ inFlight, idle }, { inFlight: 0, idle: 1 });
  });
});

Deno.test("run shows what servers told of its calls where that is asked for (H12)", async () => {
  await withSession(async ({ run }) => {
    const program = `return await callTool("counting", "tell", { steps: 2, text: "at work" })`;
    const quiet = await run(program);
    assert.equal(quiet.calls[0]!.notices, undefined);
    const { calls } = await run(program, { notices: true });
    assert.deepEqual(calls[0]!.notices!.map(noticeText), [
      "1 of 2: at work",
      `warning: disk: {"step":1,"text":"at work"}`,
      "2 of 2: at work",
      `warning: disk: {"step":2,"text":"at work"}`,
    ]);
  });
});

Deno.test("run does not wait for a server that never answers once it is interrupted (A8)", async () => {
  const silent = stdio("silent", ["hostile.ts", "silent"]);
  await withSession(async ({ run, interrupt }) => {
    const running = failure(run(`import "mcp:silent";`));
    interrupt.abort(new AppError("interrupted", "Interrupted"));
    assert.equal((await running).exitCode, 130);
  }, { servers: { specs: new Map([[silent.name, silent]]) } });
});

Deno.test("openSession gives a bridge that ends what is under way on an interrupt (A8)", async () => {
  const silent = stdio("silent", ["hostile.ts", "silent"]);
  await withSession(async ({ session, interrupt }) => {
    const asked = [
      failure(session.bridge.describe("silent")),
      failure(session.bridge.callTool("silent", "echo", {})),
    ];
    interrupt.abort(new AppError("interrupted", "Interrupted"));
    for (const error of await Promise.all(asked)) assert.equal(error.message, "Interrupted");
  }, { servers: { specs: new Map([[silent.name, silent]]) } });
});

Deno.test("run works without a data folder, at the price of a warning", async () => {
  await withSession(async ({ session, value, shown }) => {
    assert.equal(await value(`return await callTool("honest", "echo", { text: "a" })`), "a");
    assert.equal(session.journal.run("last")!.calls.length, 1);
    assert.match(shown(), /^warning: [^\n]+\n/);
  }, { data: "/dev/null/data" });
});

Deno.test("run is refused without a journal where the machine's policy requires one", async () => {
  const place = { name: "managed", file: "machine.json", warn: assert.fail } as const;
  await withSession(async ({ run }) => {
    const { kind, message } = await failure(run("return 1"));
    assert.equal(kind, "denied");
    assert.match(message, /the journal is required and cannot be written/);
  }, {
    servers: { policy: [{ ...parsePolicy({}, place), requiresJournal: true }] },
    data: "/dev/null/data",
  });
});

Deno.test("run keeps payloads in the journal only when the configuration says so", async () => {
  const source = `return await callTool("honest", "echo", { text: "sesame" })`;
  await withSession(async ({ session, value }) => {
    await value(source);
    const [call] = session.journal.run("last")!.calls;
    assert.deepEqual([call!.arguments, call!.result], [undefined, undefined]);
  });
  await withSession(async ({ session, value }) => {
    await value(source);
    const [call] = session.journal.run("last")!.calls;
    assert.deepEqual([call!.arguments, call!.result], [`{"text":"sesame"}`, `"sesame"`]);
  }, { servers: { config: { ...EMPTY_CONFIG, journal: { payloads: true, required: false } } } });
});

Deno.test("openSession names ad hoc servers as they name themselves, on one connection each", async () => {
  const starts = await Deno.makeTempFile();
  try {
    const counting = (name: string): ServerSpec => ({
      ...stdio(name, ["counting.ts", starts]),
      origin: "flag",
    });
    const seen: string[] = [];
    await withSession(async ({ session, value }) => {
      assert.deepEqual(session.adHoc, ["Counting-server", "Counting-server-2"]);
      assert.deepEqual([...session.specs.keys()], [
        "honest",
        "counting",
        "Counting-server",
        "Counting-server-2",
      ]);
      const pids = await value(`
        const pids = [];
        for (const name of ["Counting-server", "Counting-server-2"]) {
          pids.push((await callTool(name, "state")).pid);
        }
        return pids;`);
      assert.equal(new Set(pids as number[]).size, 2);
      assert.equal((await session.bridge.describe("Counting-server-2")).name, "Counting-server-2");
      const crash = await failure(session.bridge.callTool("Counting-server-2", "crash", {}));
      assert.match(crash.message, /^Server "Counting-server-2" exited with code 9 /);
      assert.deepEqual(seen.sort(), ["one", "two"]);
      assert.equal((await Deno.readTextFile(starts)).split("\n").length - 1, 2);
    }, { adHoc: [counting("one"), counting("two")], onConnect: (name) => seen.push(name) });
  } finally {
    await Deno.remove(starts);
  }
});

Deno.test("openSession fails whole when one ad hoc server does, and leaves no process", async () => {
  const starts = await Deno.makeTempFile();
  try {
    const good = stdio("good", ["counting.ts", starts]);
    const bad: ServerSpec = { ...stdio("bad", [""]), command: "/nowhere/server" };
    const error = await failure(
      withSession(() => assert.fail("no session"), { adHoc: [good, bad] }),
    );
    assert.equal(error.exitCode, 3);
    const pids = (await Deno.readTextFile(starts)).split("\n").filter((line) => line !== "");
    for (const pid of pids) {
      const { success } = await new Deno.Command("kill", { args: ["-0", pid], stderr: "null" })
        .output();
      assert.equal(success, false);
    }
  } finally {
    await Deno.remove(starts);
  }
});

Deno.test("importedServers finds the servers among a program's imports", () => {
  assert.deepEqual(
    importedServers([
      "mcp:github",
      "mcp:host",
      "/mcp-tools/servers/files/index.ts",
      "/mcp-tools/servers/files/read.ts",
      "/mcp-tools/servers/none",
      "/mcp-tools/servers/../etc/x",
      "./other.ts",
      "mcp:../x",
      "mcp:",
      "mcp:constructor",
      "mcp:a\nb",
    ]),
    ["github", "files", "files"],
  );
});
