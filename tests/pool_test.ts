import assert from "node:assert/strict";
import { createCatalog } from "../src/catalog.ts";
import { openDatabase } from "../src/database.ts";
import {
  BACKOFF_MS,
  CALLS_PER_CONNECTION,
  CHECK_AFTER_MS,
  IDLE_CONNECTION_MS,
  MAX_HTTP_CONNECTIONS,
  STEADY_CONNECTION_MS,
} from "../src/limits.ts";
import type { ServerName } from "../src/names.ts";
import { createPool, type Lease, type Pool, type PoolBounds } from "../src/pool.ts";
import type { ServerSpec, StdioSpec } from "../src/server.ts";
import type { Clock } from "../src/waiting.ts";
import { eventually } from "./eventually.ts";
import { failure } from "./failure.ts";
import { ENVIRONMENT, isRunning } from "./servers/start.ts";
import { startWeb } from "./servers/web.ts";

/** Time that passes when a test says so. */
function createTime() {
  let time = 0;
  let tasks: { at: number; work: () => void }[] = [];
  const clock: Clock = {
    now: () => time,
    later(ms, work) {
      const task = { at: time + ms, work };
      tasks.push(task);
      return () => tasks = tasks.filter((other) => other !== task);
    },
  };
  return {
    clock,
    get waiting() {
      return tasks.length;
    },
    pass(ms: number) {
      time += ms;
      const due = tasks.filter(({ at }) => at <= time);
      tasks = tasks.filter(({ at }) => at > time);
      for (const { work } of due) work();
    },
  };
}

interface Bench {
  readonly pool: Pool;
  readonly time: ReturnType<typeof createTime>;
  /** Stops the pool as the end of its bridge does. */
  readonly stop: AbortController;
}

async function withPool(
  work: (bench: Bench) => Promise<void>,
  bounds: PoolBounds = {},
): Promise<void> {
  const time = createTime();
  const stop = new AbortController();
  const warn = (message: string) => assert.fail(`unexpected warning: ${message}`);
  const database = openDatabase(undefined, { warn });
  const pool = createPool({
    catalog: createCatalog(database, { now: Date.now }),
    env: ENVIRONMENT,
    warn,
    signal: stop.signal,
    onOpen: () => {},
    bounds,
    clock: time.clock,
  });
  try {
    await work({ pool, time, stop });
  } finally {
    stop.abort();
    await pool.close();
    database.close();
  }
  assert.equal(time.waiting, 0);
}

const COUNTING = new URL("servers/counting.ts", import.meta.url).pathname;

function counting(name = "counting", args: readonly string[] = ["/dev/null"]): StdioSpec {
  return {
    transport: "stdio",
    name: name as ServerName,
    origin: "user",
    command: Deno.execPath(),
    args: ["run", "--allow-all", "--no-lock", COUNTING, ...args],
    env: {},
  };
}

async function take(pool: Pool, spec: ServerSpec, count: number): Promise<Lease[]> {
  return await Promise.all(Array.from({ length: count }, () => pool.take(spec)));
}

async function pidOf({ connection }: Lease): Promise<number> {
  const answer = await connection.request("tools/call", { name: "state" }, { timeoutMs: 10_000 });
  return (answer as { structuredContent: { pid: number } }).structuredContent.pid;
}

Deno.test("createPool has one connection to a process, opened when it is first needed", async () => {
  await withPool(async ({ pool }) => {
    const spec = counting();
    assert.deepEqual(pool.state(), []);
    assert.ok(!pool.isConnected(spec.name));
    const leases = await take(pool, spec, 3 * CALLS_PER_CONNECTION);
    assert.equal(new Set(leases.map(({ connection }) => connection)).size, 1);
    assert.ok(pool.isConnected(spec.name));
    const [state] = pool.state();
    assert.deepEqual(state, {
      server: "counting",
      connections: 1,
      idle: 0,
      inFlight: 3 * CALLS_PER_CONNECTION,
      failures: 0,
      nextTry: 0,
    });
    for (const lease of leases) lease.release();
    assert.deepEqual(pool.state(), [{ ...state, idle: 1, inFlight: 0 }]);
  });
});

Deno.test("createPool opens more connections over HTTP as calls need them, up to a bound (B8)", async () => {
  await using web = startWeb();
  const spec = web.spec("web");
  await withPool(async ({ pool }) => {
    const few = await take(pool, spec, CALLS_PER_CONNECTION);
    assert.equal(web.begun, 1);
    const many = await take(pool, spec, 2 * MAX_HTTP_CONNECTIONS * CALLS_PER_CONNECTION);
    assert.equal(web.begun, MAX_HTTP_CONNECTIONS);
    assert.equal(pool.state()[0]!.connections, MAX_HTTP_CONNECTIONS);
    // Each carries its share.
    const shares = Map.groupBy([...few, ...many], ({ connection }) => connection);
    for (const share of shares.values()) assert.ok(share.length <= 3 * CALLS_PER_CONNECTION);
    for (const lease of [...few, ...many]) lease.release();
    // What a server keeps by session is found again.
    const next = await pool.take(spec);
    assert.equal(next.connection, few[0]!.connection);
    next.release();
  });
  assert.equal(web.ended, MAX_HTTP_CONNECTIONS);
});

Deno.test("createPool opens connections to different servers side by side", async () => {
  const count = 10;
  let begun = 0;
  const all = Promise.withResolvers<void>();
  // No server says hello before all of them were asked to.
  const beforeHello = () => {
    if (++begun === count) all.resolve();
    return all.promise;
  };
  const servers = Array.from({ length: count }, () => startWeb({ beforeHello }));
  try {
    await withPool(async ({ pool }) => {
      const specs = servers.map((server, at) => server.spec(`web-${at}`));
      const leases = await Promise.all(specs.map((spec) => pool.take(spec)));
      assert.equal(pool.state().length, count);
      for (const lease of leases) lease.release();
    });
  } finally {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  }
});

Deno.test("createPool makes do with the connections that a server grants (B8)", async () => {
  await using web = startWeb();
  web.most = 2;
  const spec = web.spec("web");
  await withPool(async ({ pool }) => {
    const leases = await take(pool, spec, 5 * CALLS_PER_CONNECTION);
    assert.equal(new Set(leases.map(({ connection }) => connection)).size, 2);
    for (const lease of leases) lease.release();
  });
});

Deno.test("createPool closes a connection that nobody used for its time (B8)", async () => {
  await withPool(async ({ pool, time }) => {
    const spec = counting();
    const lease = await pool.take(spec);
    const pid = await pidOf(lease);
    // In use it stays open for as long as that takes.
    time.pass(10 * IDLE_CONNECTION_MS);
    assert.ok(lease.connection.isOpen);
    lease.release();
    time.pass(IDLE_CONNECTION_MS - 1);
    const again = await pool.take(spec);
    assert.equal(again.connection, lease.connection);
    again.release();
    time.pass(IDLE_CONNECTION_MS - 1);
    assert.equal(pool.state()[0]!.connections, 1);
    time.pass(1);
    assert.equal(pool.state()[0]!.connections, 0);
    await lease.connection.closed;
    assert.ok(!isRunning(pid));
    assert.equal(pool.state()[0]!.failures, 0);
    const next = await pool.take(spec);
    assert.notEqual(await pidOf(next), pid);
    next.release();
  });
});

Deno.test("createPool keeps a connection for as long as it is told to (B8)", async () => {
  await using web = startWeb();
  await withPool(async ({ pool, time }) => {
    const [first, second] = [web.spec("first"), web.spec("second")];
    (await pool.take(first)).release();
    time.pass(60);
    (await pool.take(second)).release();
    time.pass(40);
    assert.deepEqual(pool.state().map(({ connections }) => connections), [0, 1]);
    time.pass(60);
    assert.deepEqual(pool.state().map(({ connections }) => connections), [0, 0]);
  }, { idleMs: 100 });
});

Deno.test("createPool closes what nobody uses before it lets others wait, and then refuses (B8)", async () => {
  await using web = startWeb();
  const [a, b, c, d] = [..."abcd"].map((name) => web.spec(name)) as [
    ServerSpec,
    ServerSpec,
    ServerSpec,
    ServerSpec,
  ];
  await withPool(async ({ pool, time }) => {
    const open = () =>
      pool.state().filter(({ connections }) => connections > 0)
        .map(({ server }) => server);
    (await pool.take(a)).release();
    time.pass(1);
    (await pool.take(b)).release();
    const inUse = await pool.take(c);
    // The one that was not used for the longest had to go.
    assert.deepEqual(open(), ["b", "c"]);
    const last = await pool.take(b);
    const error = await failure(pool.take(d));
    assert.equal(error.kind, "limit");
    assert.deepEqual(error.limit, { name: "connections", limit: 2 });
    assert.equal(error.message, "All 2 connections to servers stayed in use for 50ms");
    // A call of a connected server needs no other place.
    (await pool.take(c)).release();
    const waiting = pool.take(d);
    inUse.release();
    (await waiting).release();
    assert.deepEqual(open(), ["b", "d"]);
    last.release();
    assert.equal(pool.state().reduce((sum, { failures }) => sum + failures, 0), 0);
  }, { connections: 2, waitMs: 50 });
});

Deno.test("createPool asks a server that was idle for long whether it is there (B8)", async () => {
  await using web = startWeb();
  const spec = web.spec("web");
  await withPool(async ({ pool, time }) => {
    (await pool.take(spec)).release();
    time.pass(CHECK_AFTER_MS - 1);
    (await pool.take(spec)).release();
    assert.equal(web.pings, 0);
    time.pass(CHECK_AFTER_MS);
    assert.ok(!pool.isConnected(spec.name));
    for (const lease of await take(pool, spec, 5)) lease.release();
    assert.equal(web.pings, 1);
    assert.equal(web.begun, 1);
    assert.ok(pool.isConnected(spec.name));
  });
});

Deno.test("createPool replaces a server that does not answer any more (B8)", async () => {
  await withPool(async ({ pool, time }) => {
    const spec = counting();
    const lease = await pool.take(spec);
    const pid = await pidOf(lease);
    lease.release();
    Deno.kill(pid, "SIGSTOP");
    time.pass(CHECK_AFTER_MS);
    const leases = await take(pool, spec, 3);
    const pids = new Set(await Promise.all(leases.map(pidOf)));
    assert.equal(pids.size, 1);
    assert.ok(!pids.has(pid));
    for (const lease of leases) lease.release();
    await lease.connection.closed;
    assert.ok(!isRunning(pid));
  }, { checkMs: 100 });
});

Deno.test("createPool replaces a crashed server once, and then leaves it alone for longer and longer (H10, B8)", async () => {
  await withPool(async ({ pool, time }) => {
    const spec = counting();
    const crash = async () => {
      const lease = await pool.take(spec);
      const pid = await pidOf(lease);
      const request = lease.connection.request("tools/call", { name: "crash" }, {
        timeoutMs: 10_000,
      });
      assert.equal((await failure(request)).kind, "connect");
      await lease.connection.closed;
      lease.release();
      return pid;
    };
    const pids = new Set([await crash(), await crash()]);
    assert.equal(pids.size, 2);
    const error = await failure(pool.take(spec));
    assert.equal(error.kind, "connect");
    assert.equal(
      error.message,
      `Server "counting" has failed 2 times in a row and may be tried again in 1s`,
    );
    assert.deepEqual(error.detail, [
      `Connection to server "counting" was lost`,
      "counting: about to crash",
    ]);
    const [state] = pool.state();
    assert.deepEqual([state!.failures, state!.nextTry], [2, BACKOFF_MS]);
    time.pass(BACKOFF_MS);
    await crash();
    time.pass(BACKOFF_MS);
    assert.match((await failure(pool.take(spec))).message, /failed 3 times .* again in 1s$/);
    time.pass(BACKOFF_MS);
    const lease = await pool.take(spec);
    time.pass(STEADY_CONNECTION_MS);
    assert.equal(pool.state()[0]!.failures, 0);
    lease.release();
    await crash();
    await crash();
    assert.equal(pool.state()[0]!.failures, 2);
  });
});

Deno.test("createPool says why a server that cannot be started is not tried again (H2, B8)", async () => {
  await withPool(async ({ pool, time }) => {
    const broken = {
      ...counting("broken"),
      args: ["eval", "console.error('no token'); Deno.exit(3)"],
    };
    for (let count = 0; count < 2; count++) {
      // All who ask at once share one attempt.
      const errors = await Promise.all([1, 2, 3].map(() => failure(pool.take(broken))));
      for (const { message } of errors) assert.match(message, /exited with code 3/);
    }
    const error = await failure(pool.take(broken));
    assert.match(error.message, /^Server "broken" has failed 2 times in a row/);
    assert.equal(error.detail?.at(-1), "no token");
    time.pass(BACKOFF_MS);
    assert.match((await failure(pool.take(broken))).message, /exited with code 3/);
    assert.equal(pool.state()[0]!.failures, 3);
  });
});

Deno.test("createPool finds a server gone that ended while nobody used it", async () => {
  await withPool(async ({ pool }) => {
    const spec = counting();
    const lease = await pool.take(spec);
    const pid = await pidOf(lease);
    lease.release();
    Deno.kill(pid, "SIGKILL");
    await eventually(() => pool.state()[0]!.connections === 0);
    const next = await pool.take(spec);
    assert.notEqual(await pidOf(next), pid);
    next.release();
  });
});

Deno.test("close ends what opens and what waits for a place, and nothing is taken any more", async () => {
  await using web = startWeb();
  await withPool(async ({ pool, stop }) => {
    const lease = await pool.take(web.spec("a"));
    const waiting = failure(pool.take(web.spec("b")));
    stop.abort();
    await pool.close();
    assert.equal((await waiting).kind, "interrupted");
    assert.ok(!lease.connection.isOpen);
    lease.release();
    assert.equal((await failure(pool.take(web.spec("a")))).kind, "interrupted");
    await pool.close();
  }, { connections: 1 });
});
