import assert from "node:assert/strict";
import type { Context } from "../src/context.ts";
import { AppError } from "../src/errors.ts";
import {
  chooseServer,
  isServerUrl,
  LIMIT_FLAGS,
  limitsOf,
  openServers,
  SERVER_FLAGS,
} from "../src/flags.ts";
import { createLog } from "../src/log.ts";
import type { ServerName } from "../src/names.ts";

function testContext(): Context {
  return {
    args: [],
    env: { get: () => undefined, toObject: () => ({}) },
    cwd: "/nonexistent",
    platform: "linux",
    paths: { home: undefined, config: "/nonexistent/config", data: "/nonexistent/data" },
    writeOut: () => true,
    writeError: () => {},
    readInput: () => Promise.resolve(new Uint8Array()),
    isTerminal: { in: false, out: false, error: false },
    columns: 80,
    signal: new AbortController().signal,
    now: () => 0,
  };
}

const invocation = { context: testContext(), config: undefined, log: createLog(() => {}) };

async function failureOf(run: () => unknown): Promise<AppError> {
  try {
    await run();
  } catch (error) {
    assert.ok(error instanceof AppError);
    return error;
  }
  throw new Error("nothing was thrown");
}

Deno.test("SERVER_FLAGS and LIMIT_FLAGS refuse durations, sizes and counts that are none (A4)", async () => {
  for (const text of ["-1", "0", "NaN", "1e999", "5x", ""]) {
    assert.equal((await failureOf(() => LIMIT_FLAGS.timeout.parse(text))).exitCode, 2, text);
    assert.equal((await failureOf(() => LIMIT_FLAGS.memory.parse(text))).exitCode, 2, text);
    assert.equal((await failureOf(() => LIMIT_FLAGS.fuel.parse(text))).exitCode, 2, text);
    assert.equal((await failureOf(() => SERVER_FLAGS.serverTimeout.parse(text))).exitCode, 2, text);
  }
  assert.equal(LIMIT_FLAGS.timeout.parse("2m"), 120_000);
  assert.equal(LIMIT_FLAGS.memory.parse("64m"), 64 * 1024 * 1024);
  assert.equal(LIMIT_FLAGS.maxCalls.parse("7"), 7);
});

Deno.test("limitsOf gives only the bounds that were set", () => {
  assert.deepEqual(limitsOf({}), {});
  assert.deepEqual(limitsOf({ timeout: 5, maxCalls: 3 }), { wallMs: 5, calls: 3 });
});

Deno.test("isServerUrl knows URLs from names", () => {
  assert.ok(isServerUrl("https://example.com/mcp"));
  assert.ok(isServerUrl("HTTP://127.0.0.1:1"));
  assert.ok(!isServerUrl("github"));
  assert.ok(!isServerUrl("file:///etc/passwd"));
});

Deno.test("openServers takes URLs that were given as arguments for ad hoc servers", async () => {
  const servers = await openServers(invocation, {}, ["http://127.0.0.1:1/mcp"]);
  assert.equal(servers.adHoc.length, 1);
  assert.equal(servers.specs.get(servers.adHoc[0]!)?.transport, "http");
});

Deno.test("openServers puts the deadline of --server-timeout on every server", async () => {
  const servers = await openServers(invocation, { stdio: ["a=cat"], serverTimeout: 250 });
  assert.deepEqual([...servers.specs.values()].map((spec) => spec.timeoutMs), [250, 250]);
});

Deno.test("openServers never repeats the value of --env or --header (A5)", async () => {
  const flags = [
    { stdio: ["cat"], env: ["canary-5f2e"] },
    { http: ["http://127.0.0.1:1"], header: ["canary-5f2e"] },
  ];
  for (const flag of flags) {
    const error = await failureOf(() => openServers(invocation, flag));
    assert.equal(error.exitCode, 2);
    assert.doesNotMatch(JSON.stringify(error), /canary/);
  }
});

Deno.test("chooseServer finds the only ad hoc server under the name it gave itself", async () => {
  const servers = await openServers(invocation, { stdio: ["cat"] });
  const session = { adHoc: ["tabby" as ServerName] };
  assert.equal(chooseServer(servers, undefined)(session), "tabby");
  assert.equal(chooseServer(servers, servers.adHoc[0])(session), "tabby");
  assert.equal(chooseServer(servers, "demo")(session), "demo");
});

Deno.test("chooseServer names the choices when it is not clear which server is meant", async () => {
  const none = await openServers(invocation, {});
  assert.match((await failureOf(() => chooseServer(none, undefined))).hint!, /"demo"/);
  const two = await openServers(invocation, { stdio: ["one=cat", "two=cat"] });
  assert.match((await failureOf(() => chooseServer(two, undefined))).hint!, /"one", "two"/);
  assert.match((await failureOf(() => chooseServer(two, "oen"))).hint!, /"one"/);
});
