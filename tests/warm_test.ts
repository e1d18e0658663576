import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { CHECK_AFTER_MS, IDLE_CONNECTION_MS } from "../src/limits.ts";
import type { ServerName } from "../src/names.ts";
import type { JsonObject, StdioSpec } from "../src/server.ts";
import { createSignIns } from "../src/sign_ins.ts";
import { Secret } from "../src/text.ts";
import type { Connection } from "../src/transport.ts";
import type { Clock } from "../src/waiting.ts";
import { createWarm, type Warm } from "../src/warm.ts";
import { eventually } from "./eventually.ts";
import { ENVIRONMENT, httpSpec, isRunning } from "./servers/start.ts";

const COUNTING = new URL("./servers/counting.ts", import.meta.url).pathname;

interface Bench {
  readonly warm: Warm;
  /** Lets time pass. */
  pass(ms: number): void;
  open(more?: Partial<StdioSpec>, env?: Record<string, string>): Promise<Connection>;
}

async function withWarm(work: (bench: Bench) => Promise<void>): Promise<void> {
  let time = 0;
  const tasks = new Map<() => void, number>();
  const clock: Clock = {
    now: () => time,
    later(ms, work) {
      const task = () => work();
      tasks.set(task, time + ms);
      return () => tasks.delete(task);
    },
  };
  const warm = createWarm({ paths: { home: undefined, config: "", data: undefined } }, { clock });
  const spec: StdioSpec = {
    transport: "stdio",
    name: "counting" as ServerName,
    origin: "flag",
    command: Deno.execPath(),
    args: ["run", "-A", COUNTING, "/dev/null", "no-gate"],
    env: {},
  };
  const cwd = Deno.cwd();
  try {
    await work({
      warm,
      pass(ms) {
        time += ms;
        for (const [task, at] of [...tasks]) {
          if (at > time) continue;
          tasks.delete(task);
          task();
        }
      },
      open: ({ cwd: folder = cwd, ...more } = {}, env = {}) =>
        warm.connectIn(folder)({ ...spec, ...more }, {
          env: {
            get: (name) => env[name] ?? ENVIRONMENT.get(name),
            toObject: () => ({ ...ENVIRONMENT.toObject(), ...env }),
          },
          warn: (message) => assert.fail(`unexpected warning: ${message}`),
          clientVersion: "0",
        }),
    });
  } finally {
    await warm.close();
  }
}

async function ask(connection: Connection, name: string, params: JsonObject = {}) {
  const raw = await connection.request("tools/call", { name, arguments: params }, {
    timeoutMs: 20_000,
  });
  return (raw as { structuredContent: JsonObject }).structuredContent;
}

async function pidOf(connection: Connection): Promise<number> {
  return (await ask(connection, "state"))["pid"] as number;
}

const ended = (pid: number) => eventually(() => !isRunning(pid));

Deno.test("Warm gives a connection to one at a time, and closing it keeps the process", async () => {
  await withWarm(async ({ warm, open }) => {
    const [first, second] = await Promise.all([open(), open()]);
    const pids = await Promise.all([pidOf(first), pidOf(second)]);
    assert.notEqual(pids[0], pids[1]);
    await first.close();
    assert.equal(first.isOpen, false);
    await first.closed;
    const third = await open({ name: "renamed" as ServerName });
    assert.equal(await pidOf(third), pids[0]);
    assert.equal(third.spec.name, "renamed");
    assert.deepEqual(warm.connections().map(({ connections, idle }) => [connections, idle]), [
      [1, 0],
      [1, 0],
    ]);
    await third.close();
    await third.close(); // gives nothing back twice
    await second.close();
    assert.deepEqual(warm.connections().reduce((sum, { idle }) => sum + idle, 0), 2);
    await warm.close();
    await Promise.all(pids.map(ended));
  });
});

Deno.test("Warm gives a connection to nobody who would have opened another one (C8)", async () => {
  await withWarm(async ({ warm, open }) => {
    const ways: [Partial<StdioSpec>, Record<string, string>?][] = [
      [{}],
      [{ env: { KEY: new Secret("of-ana") } }],
      [{ env: { KEY: new Secret("of-ben") } }],
      [{ env: { KEY2: new Secret("of-ana") } }],
      [{ cwd: "/" }],
      [{ timeoutMs: 20_000 }],
      [{ inheritEnv: true }],
      [{ inheritEnv: true }, { TOKEN: "of-ana" }],
      [{}, { LC_ALL: "de" }],
    ];
    const pids = new Set<number>();
    for (const [more, env] of ways) {
      const connection = await open(more, env);
      pids.add(await pidOf(connection));
      await connection.close();
    }
    assert.equal(pids.size, ways.length);
    // What no process of a server gets to see makes no difference.
    const again = await open({}, { UNSEEN: "x" });
    assert.ok(pids.has(await pidOf(again)));
    await again.close();
    assert.equal(warm.connections()[0]!.idle, ways.length);
  });
});

Deno.test("Warm keeps no connection that a call was withdrawn from, late or lost on", async () => {
  await withWarm(async ({ warm, open }) => {
    const stop = new AbortController();
    const withdrawn = await open();
    const pid = await pidOf(withdrawn);
    const call = { name: "hold", arguments: {} };
    const held = withdrawn.request("tools/call", call, {
      timeoutMs: 20_000,
      signal: stop.signal,
    });
    stop.abort(new AppError("interrupted", "Interrupted"));
    await assert.rejects(held, { kind: "interrupted" });
    await withdrawn.close();
    await ended(pid);

    const late = await open();
    const slow = await pidOf(late);
    await assert.rejects(late.request("tools/call", call, { timeoutMs: 50 }), { kind: "timeout" });
    await late.close();
    await ended(slow);

    const lost = await open();
    await assert.rejects(ask(lost, "crash"), { kind: "connect" });
    await lost.closed;
    await lost.close();
    assert.deepEqual(warm.connections(), []);

    const refused = await open();
    const well = await pidOf(refused);
    await assert.rejects(ask(refused, "no such tool"), { kind: "server" });
    await refused.close();
    const next = await open();
    assert.equal(await pidOf(next), well, "a refusal is an answer");
    await next.close();
  });
});

Deno.test("Warm tells the next user of tools that changed while nobody listened", async () => {
  await withWarm(async ({ pass, open }) => {
    const first = await open();
    const told: string[] = [];
    first.onNotification(() => told.push("the first user"));
    await ask(first, "announce", { count: 1, atPing: true });
    await first.close();
    pass(CHECK_AFTER_MS); // so that it is asked before anybody has it
    const second = await open();
    second.onNotification((method) => told.push(method));
    await eventually(() => told.length > 0);
    await pidOf(second);
    await second.close();
    const third = await open();
    third.onNotification((method) => told.push(`again ${method}`));
    await pidOf(third);
    await third.close();
    assert.deepEqual(told, ["notifications/tools/list_changed"]);
  });
});

Deno.test("Warm ends a connection that nobody used for long, and asks one before its next use", async () => {
  await withWarm(async ({ warm, pass, open }) => {
    const first = await open();
    const pid = await pidOf(first);
    await first.close();
    pass(CHECK_AFTER_MS);
    const second = await open();
    assert.equal(await pidOf(second), pid);
    await second.close();
    pass(IDLE_CONNECTION_MS - 1);
    assert.equal(warm.connections()[0]!.idle, 1);
    pass(1);
    await ended(pid);
    assert.deepEqual(warm.connections(), []);

    const third = await open();
    const dead = await pidOf(third);
    await third.close();
    Deno.kill(dead, "SIGKILL");
    const fourth = await open();
    assert.notEqual(await pidOf(fourth), dead);
    await fourth.close();
  });
});

/** A server over HTTP that tells who each session was opened by. */
async function withSessions(
  work: (
    server: { readonly url: string; readonly opened: string[]; readonly ended: Set<string> },
  ) => Promise<void>,
): Promise<void> {
  const opened: string[] = [];
  const ended = new Set<string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const { id, method, params } = await request.json();
    if (ended.has(request.headers.get("mcp-session-id") ?? "")) {
      return new Response(null, { status: 404 });
    }
    if (id === undefined) return new Response(null, { status: 202 });
    if (method !== "initialize") {
      const error = { code: -32601, message: "Method not found" };
      return Response.json({ jsonrpc: "2.0", id, error });
    }
    const by = request.headers.get("authorization")?.replace("Bearer ", "") ?? "nobody";
    const session = `session-${opened.push(by)}`;
    const result = {
      protocolVersion: params.protocolVersion,
      capabilities: {},
      serverInfo: { name: "sessions", version: "1" },
    };
    return Response.json({ jsonrpc: "2.0", id, result }, {
      headers: { "mcp-session-id": session },
    });
  });
  try {
    await work({ url: `http://127.0.0.1:${server.addr.port}/mcp`, opened, ended });
  } finally {
    await server.shutdown();
  }
}

Deno.test("Warm gives a connection to nobody who has signed in anew, or out, since (C8)", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await withSessions(async ({ url, opened }) => {
      await withWarm(async ({ warm }) => {
        const signIns = createSignIns({ folder, now: () => 0 });
        const spec = httpSpec(url);
        const use = async () => {
          const connection = await warm.connectIn("/")(spec, {
            env: ENVIRONMENT,
            warn: (message) => assert.fail(`unexpected warning: ${message}`),
            clientVersion: "0",
            era: "legacy",
            signIns,
          });
          await connection.close();
        };
        const signIn = (token: string) =>
          signIns.save(spec.url, { redirectUrl: "", tokens: { access_token: token } });
        await signIn("of-ana");
        await use();
        await use();
        assert.deepEqual(opened, ["of-ana"]);
        await signIns.remove(spec.url);
        await use();
        assert.deepEqual(opened, ["of-ana", "nobody"]);
        await signIn("of-ben");
        await use();
        await use();
        assert.deepEqual(opened, ["of-ana", "nobody", "of-ben"]);
      });
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Warm takes the end of a connection that it gave to nobody for no other's end", async () => {
  await withSessions(async ({ url, opened, ended }) => {
    await withWarm(async ({ warm, pass }) => {
      const open = () =>
        warm.connectIn("/")(httpSpec(url), {
          env: ENVIRONMENT,
          warn: (message) => assert.fail(`unexpected warning: ${message}`),
          clientVersion: "0",
          era: "legacy",
        });
      await (await open()).close();
      ended.add("session-1");
      pass(CHECK_AFTER_MS);
      const second = await open();
      assert.equal(opened.length, 2);
      let isOver = false;
      second.closed.then(() => isOver = true);
      await warm.close(); // the first one has ended wholly then, and the second is in use
      assert.deepEqual([second.isOpen, isOver], [true, false]);
      await second.close();
      await second.closed;
    });
  });
});
