import assert from "node:assert/strict";
import { InMemoryTransport, type Transport } from "@modelcontextprotocol/client";
import { AppError, type ErrorKind } from "../src/errors.ts";
import { MAX_NOTIFICATIONS_PER_SECOND } from "../src/limits.ts";
import { toServerName } from "../src/names.ts";
import { createNotices } from "../src/notices.ts";
import type { JsonObject, ServerSpec } from "../src/server.ts";
import { connect, type Connection, type ConnectOptions } from "../src/transport.ts";
import { eventually } from "./eventually.ts";
import { ENVIRONMENT, httpSpec, isRunning, listen, stdioSpec } from "./servers/start.ts";
import { startWeb } from "./servers/web.ts";

const TIMEOUT_MS = 20_000;

function open(spec: ServerSpec, more: Partial<ConnectOptions> = {}): Promise<Connection> {
  return connect(spec, {
    env: ENVIRONMENT,
    warn: () => {},
    clientVersion: "0.0.0",
    timeoutMs: TIMEOUT_MS,
    ...more,
  });
}

/** Opens a connection for `work` and closes it, whatever happens. */
async function withConnection<T>(
  spec: ServerSpec,
  work: (connection: Connection) => Promise<T>,
  more: Partial<ConnectOptions> = {},
): Promise<T> {
  const connection = await open(spec, more);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

async function call(
  connection: Connection,
  name: string,
  params: JsonObject = {},
  more: { timeoutMs?: number; signal?: AbortSignal } = {},
): Promise<JsonObject> {
  const request = { name, arguments: params };
  const options = { timeoutMs: TIMEOUT_MS, ...more };
  return await connection.request("tools/call", request, options) as JsonObject;
}

function textOf(result: JsonObject): string {
  return (result["content"] as { text: string }[])[0]!.text;
}

async function failure(promise: Promise<unknown>, kind: ErrorKind): Promise<AppError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.kind, kind, error.message);
    return error;
  }
  throw new Error("Nothing failed");
}

/** The error of connecting to a hostile fixture over HTTP. */
async function refusedUrl(mode: string, kind: ErrorKind, more?: Partial<ConnectOptions>) {
  await using server = await listen("hostile", mode);
  return await failure(open(httpSpec(server.url), more), kind);
}

/** The error of a call to a hostile fixture over HTTP. */
async function failedHttpCall(mode: string, kind: ErrorKind, timeoutMs = TIMEOUT_MS) {
  await using server = await listen("hostile", mode);
  return await withConnection(
    httpSpec(server.url),
    (connection) => failure(call(connection, "call", {}, { timeoutMs }), kind),
  );
}

Deno.test("connect tells who a stdio server is and calls its tools", async () => {
  const spec = stdioSpec("honest", "plain");
  await withConnection(spec, async (connection) => {
    assert.deepEqual(connection.identity, {
      name: "honest",
      version: "1.2.3",
      title: "Honest server",
    });
    assert.equal(connection.era, "legacy");
    assert.match(connection.protocolVersion, /^20\d\d-/);
    assert.equal(connection.instructions, "Add numbers, and wait.");
    assert.deepEqual(connection.capabilities, { tools: { listChanged: true } });
    assert.deepEqual(connection.spec, spec);
    assert.ok(connection.isOpen);
    const result = await call(connection, "add_numbers", { a: 2, b: 3 });
    assert.deepEqual(result["structuredContent"], { sum: 5 });
    assert.deepEqual(connection.stderrTail(), ["honest: ready"]);
  });
});

Deno.test("connect gives a stdio server its own variables and no others (X1)", async () => {
  Deno.env.set("MCP_EXEC_TEST_LEAK_TO_SERVER", "1");
  const spec = stdioSpec("honest", "plain", { env: { MY_TOKEN: "s3cret" } });
  const names = await withConnection(
    spec,
    async (connection) => JSON.parse(textOf(await call(connection, "env"))),
  );
  Deno.env.delete("MCP_EXEC_TEST_LEAK_TO_SERVER");
  assert.ok(names.includes("MY_TOKEN"));
  assert.ok(!names.includes("MCP_EXEC_TEST_LEAK_TO_SERVER"));
});

Deno.test("Connection.request runs requests side by side", async () => {
  await withConnection(stdioSpec("honest", "plain"), async (connection) => {
    const order: string[] = [];
    await Promise.all([
      call(connection, "wait", { ms: 300 }).then((result) => order.push(textOf(result))),
      call(connection, "echo", { text: "quick" }).then((result) => order.push(textOf(result))),
    ]);
    assert.deepEqual(order, ["quick", "waited 300"]);
  });
});

Deno.test("Connection.request gives up at its deadline and tells the server (H3)", async () => {
  await withConnection(stdioSpec("honest", "plain"), async (connection) => {
    const slow = call(connection, "wait", { ms: 60_000 }, { timeoutMs: 100 });
    const error = await failure(slow, "timeout");
    assert.equal(error.message, 'Server "fixture" gave no answer to tools/call within 100ms');
    assert.deepEqual(error.limit, { name: "tools/call", limit: 100 });
    assert.equal(textOf(await call(connection, "cancelled")), "1");
  });
});

Deno.test("Connection.request holds its deadline when the server reads nothing (H3)", async () => {
  await withConnection(stdioSpec("hostile", "deaf"), async (connection) => {
    const text = "x".repeat(2 ** 20);
    await failure(call(connection, "call", { text }, { timeoutMs: 200 }), "timeout");
  });
});

Deno.test("Connection.request does not wait longer for progress (H4)", async () => {
  const error = await failedHttpCall("endless-events", "timeout", 300);
  assert.match(error.message, /within 300ms$/);
});

Deno.test("Connection.request ends when its signal is aborted (B7)", async () => {
  await withConnection(stdioSpec("honest", "plain"), async (connection) => {
    const stop = new AbortController();
    const slow = call(connection, "wait", { ms: 60_000 }, { signal: stop.signal });
    stop.abort();
    const error = await failure(slow, "interrupted");
    assert.match(error.message, /^Interrupted while server "fixture" was asked for tools\/call$/);
    assert.equal(textOf(await call(connection, "cancelled")), "1");
    const reason = new AppError("limit", "Out of time");
    const aborted = AbortSignal.abort(reason);
    assert.equal(
      await failure(call(connection, "count", {}, { signal: aborted }), "limit"),
      reason,
    );
  });
});

Deno.test("Connection.request gives a server's error with its code", async () => {
  await withConnection(stdioSpec("honest", "plain"), async (connection) => {
    const error = await failure(call(connection, "nope"), "server");
    assert.equal(
      error.message,
      'Server "fixture" answered tools/call with error -32602: Unknown tool: nope',
    );
  });
});

Deno.test("Connection.onNotification hears what the server tells", async () => {
  await withConnection(stdioSpec("honest", "plain"), async (connection) => {
    const heard: unknown[] = [];
    connection.onNotification((method, params) => heard.push([method, params]));
    await call(connection, "progress", { steps: 2 });
    assert.deepEqual(
      heard,
      [1, 2].map((progress) => [
        "notifications/progress",
        { progressToken: 0, progress, total: 2 },
      ]),
    );
  });
});

Deno.test("Connection.close leaves no process, deaf or not, and no child of it (H3)", async () => {
  const connection = await open(stdioSpec("hostile", "immortal"));
  const pids: number[] = JSON.parse(textOf(await call(connection, "call")));
  assert.ok(pids.every(isRunning));
  await Promise.all([connection.close(), connection.close()]);
  await connection.closed;
  assert.ok(!connection.isOpen);
  assert.deepEqual(pids.filter(isRunning), []);
  const error = await failure(call(connection, "call"), "connect");
  assert.match(error.message, /^Connection to server "fixture" was closed/);
});

Deno.test("connect shows the last stderr lines of a server that exits (H2, H22, X1)", async () => {
  const spec = stdioSpec("hostile", "exit", { env: { TOKEN: "canary-7281" } });
  const error = await failure(open(spec), "connect");
  assert.equal(error.message, 'Server "fixture" exited with code 1 before the handshake');
  assert.equal(error.detail?.length, 10);
  assert.equal(error.detail?.at(-1), "fatal: no token in ***");
  assert.equal(error.detail?.at(-2), "line 20");
});

Deno.test("connect shows what a server said above a long stack (H2)", async () => {
  const stack = "    at run (server.js:1:2)\n".repeat(30);
  const text = `throw err;\n\nError: Cannot find module "x"\n${stack}{\n  code: "E"\n}\n`;
  const spec: ServerSpec = {
    ...stdioSpec("hostile", "exit"),
    command: Deno.execPath(),
    args: ["eval", `console.error(${JSON.stringify(text)}); Deno.exit(1)`],
  };
  const error = await failure(open(spec), "connect");
  assert.deepEqual(error.detail, [
    "throw err;",
    'Error: Cannot find module "x"',
    "{",
    'code: "E"',
    "}",
  ]);
});

Deno.test("Connection.request tells that a server has ended since (H2)", async () => {
  const connection = await open(stdioSpec("hostile", "exit-later"));
  await connection.closed;
  assert.ok(!connection.isOpen);
  const error = await failure(call(connection, "call"), "connect");
  assert.match(error.message, /^Server "fixture" exited with code 7/);
  assert.deepEqual(error.detail, ["goodbye"]);
  await connection.close();
});

Deno.test("connect holds its deadline against silence, lateness and dripping (H3, H4)", async () => {
  for (const mode of ["silent", "late", "drip"]) {
    const error = await failure(open(stdioSpec("hostile", mode), { timeoutMs: 700 }), "timeout");
    assert.equal(error.message, 'Server "fixture" gave no answer to initialize within 700ms');
    assert.deepEqual(error.limit, { name: "connect", limit: 700 });
  }
});

Deno.test("connect takes the deadline of the spec when none is given", async () => {
  const { timeoutMs: _, ...options } = { env: ENVIRONMENT, timeoutMs: 0 };
  const spec = stdioSpec("hostile", "silent", { timeoutMs: 400 });
  const error = await failure(
    connect(spec, { ...options, warn: () => {}, clientVersion: "0.0.0" }),
    "timeout",
  );
  assert.match(error.message, /within 400ms$/);
});

Deno.test("connect stops when its signal is aborted", async () => {
  const stop = new AbortController();
  const opening = open(stdioSpec("hostile", "silent"), { signal: stop.signal });
  stop.abort();
  const error = await failure(opening, "interrupted");
  assert.equal(error.message, 'Interrupted while connecting to server "fixture"');
  const reason = new AppError("interrupted", "Interrupted");
  const again = open(stdioSpec("honest", "plain"), { signal: AbortSignal.abort(reason) });
  assert.equal(await failure(again, "interrupted"), reason);
});

Deno.test("connect tells of a handshake that cannot be read, or is refused (H22)", async () => {
  const unreadable = await failure(open(stdioSpec("hostile", "no-identity")), "protocol");
  assert.match(unreadable.message, /^Server "fixture" answered initialize with something unread/);
  const refused = await failure(open(stdioSpec("hostile", "refuse-hello")), "server");
  assert.match(refused.message, /^Server "fixture" answered initialize with error -32603: not to/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(refused.message, /[\u0000-\u001f\u202e\u200b]/);
});

Deno.test("Connection.onNotification is spared a flood, with one warning (H12)", async () => {
  const warnings: string[] = [];
  let heard = 0;
  await withConnection(stdioSpec("hostile", "flood"), async (connection) => {
    connection.onNotification(() => heard++);
    assert.equal(textOf(await call(connection, "call")), "done");
  }, { warn: (message) => warnings.push(message) });
  assert.ok(heard >= MAX_NOTIFICATIONS_PER_SECOND && heard < 20_000, String(heard));
  assert.deepEqual(warnings, [
    'Server "fixture" sends more than 100 notifications a second; the rest are dropped',
  ]);
});

Deno.test("Connection.request keeps secrets and control characters out of errors (H22, X1)", async () => {
  const spec = stdioSpec("hostile", "rpc-error", { env: { TOKEN: "canary-7281" } });
  await withConnection(spec, async (connection) => {
    const listing = connection.request("tools/list", {}, { timeoutMs: TIMEOUT_MS });
    const { message } = await failure(listing, "server");
    assert.match(message, /^Server "fixture" answered tools\/list with error -32000: no /);
    assert.match(message, /\*\*\*$/);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(message, /canary|[\u0000-\u001f\u202e]/);
  });
});

Deno.test("connect speaks Streamable HTTP, with bodies and with event streams", async () => {
  for (const mode of ["plain", "streamed"]) {
    await using server = await listen("honest", mode);
    await withConnection(httpSpec(server.url), async (connection) => {
      assert.equal(connection.era, "legacy");
      assert.equal(connection.identity.name, "honest");
      const result = await call(connection, "add_numbers", { a: 2, b: 3 });
      assert.deepEqual(result["structuredContent"], { sum: 5 });
      const slow = call(connection, "wait", { ms: 60_000 }, { timeoutMs: 100 });
      await failure(slow, "timeout");
      // The withdrawal travels beside the next request, not before it.
      await eventually(async () => textOf(await call(connection, "cancelled")) === "1");
      assert.deepEqual(connection.stderrTail(), []);
    });
  }
});

Deno.test("Connection.request withdraws a call over HTTP and closes its stream (B7)", async () => {
  for (const era of ["legacy", "modern"] as const) {
    const begun = Promise.withResolvers<unknown>();
    const closed = Promise.withResolvers<void>();
    await using web = startWeb({
      era,
      call({ id, signal }) {
        begun.resolve(id);
        signal.addEventListener("abort", () => closed.resolve());
        return new Promise(() => {});
      },
    });
    await withConnection(web.spec(), async (connection) => {
      assert.equal(connection.era, era);
      const stop = new AbortController();
      const called = failure(call(connection, "call", {}, { signal: stop.signal }), "interrupted");
      const id = await begun.promise;
      stop.abort();
      await called;
      await closed.promise;
      await connection.request("tools/list", {}, { timeoutMs: TIMEOUT_MS });
      const told = () => web.heard.filter(({ method }) => method === "notifications/cancelled");
      if (era === "modern") return assert.deepEqual(told(), []);
      await eventually(() => told().length > 0);
      assert.deepEqual(told().map(({ params }) => params), [{ requestId: id }]);
    });
  }
});

Deno.test("connect refuses a server's own requests over HTTP, all but a ping (H20)", async () => {
  const methods = ["sampling/createMessage", "elicitation/create", "roots/list", "ping"];
  for (const era of ["legacy", "modern"] as const) {
    await using web = startWeb({
      era,
      async call({ send, signal }) {
        for (const [at, method] of methods.entries()) send({ id: `ask-${at}`, method, params: {} });
        // In the modern era nobody answers: it has no such requests.
        const isDone = () => era === "modern" || web.heard.filter(({ id }) => id).length >= 4;
        await eventually(() => isDone() || signal.aborted);
        return { content: [] };
      },
    });
    await withConnection(web.spec(), async (connection) => {
      await call(connection, "call");
      const answers = web.heard.filter(({ id }) => id !== undefined)
        .sort((a, b) => String(a["id"]).localeCompare(String(b["id"])));
      if (era === "modern") return assert.deepEqual(answers, []);
      assert.deepEqual(
        answers.map(({ error, result }) => (error as JsonObject)?.["code"] ?? result),
        [-32601, -32601, -32601, {}],
      );
    });
  }
});

Deno.test("connect answers no requests of a process that speaks the newest era (H20)", async () => {
  const script = `
    const send = (message) => console.log(JSON.stringify({ jsonrpc: "2.0", ...message }));
    const heard = [];
    let rest = "";
    for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\\n");
      rest = lines.pop();
      for (const line of lines) {
        const { id, method, params } = JSON.parse(line);
        const complete = { resultType: "complete" };
        if (method === undefined) heard.push(id);
        if (method === "server/discover") send({ id, result: { ...complete, ttlMs: 0,
          supportedVersions: ["2026-07-28"], capabilities: { tools: {} },
          serverInfo: { name: "eval", version: "1" } } });
        if (method !== "tools/call") continue;
        if (params.name === "heard") send({ id, result: { ...complete, content: [], heard } });
        for (const asks of ["sampling/createMessage", "elicitation/create", "roots/list", "ping"]) {
          send({ id: asks, method: asks, params: {} });
        }
        send({ id, result: { ...complete, content: [] } });
      }
    }`;
  const spec = { ...stdioSpec("honest", ""), args: ["eval", script] };
  await withConnection(spec, async (connection) => {
    assert.equal(connection.era, "modern");
    for (let count = 0; count < 3; count++) await call(connection, "call");
    assert.deepEqual((await call(connection, "heard"))["heard"], []);
  }, { era: "modern" });
});

Deno.test("Connection.request gives up a call that asks for input (H20)", async () => {
  await using web = startWeb({
    era: "modern",
    call: () => ({
      resultType: "input_required",
      inputRequests: { name: { method: "elicitation/create", params: { message: "Your name?" } } },
      requestState: "x",
    }),
  });
  await withConnection(web.spec(), async (connection) => {
    const error = await failure(call(connection, "call"), "server");
    assert.equal(error.message, 'Server "web" asks for input to go on with tools/call');
  });
});

Deno.test("Connection.request hands on what a server tells of a call, and only of that one", async () => {
  for (const era of ["legacy", "modern"] as const) {
    const metas: JsonObject[] = [];
    await using web = startWeb({
      era,
      call({ meta, send, arguments: { text } }) {
        metas.push(meta);
        const progressToken = meta["progressToken"] ?? 0;
        const method = "notifications/progress";
        send({ method, params: { progressToken, progress: 1, total: 2, message: text } });
        send({ method: "notifications/message", params: { level: "warning", data: text } });
        return { content: [] };
      },
    });
    await withConnection(web.spec(), async (connection) => {
      const notices = createNotices();
      const options = { timeoutMs: TIMEOUT_MS, listener: { owner: "run", notices } };
      const request = { name: "call", arguments: { text: "\u001b[31mhalf\u202e" } };
      await connection.request("tools/call", request, options);
      await call(connection, "call", { text: "unheard" });
      const told = notices.list.map(({ afterMs: _, ...notice }) => notice);
      assert.deepEqual(told, [
        { kind: "progress", text: "\\u{1b}[31mhalf\\u{202e}", progress: 1, total: 2 },
        { kind: "log", level: "warning", text: "\\u{1b}[31mhalf\\u{202e}" },
      ]);
      assert.ok(Number.isInteger(metas[0]!["progressToken"]));
      assert.equal(metas[1]!["progressToken"], undefined);
      const level = metas.map((meta) => meta["io.modelcontextprotocol/logLevel"]);
      assert.deepEqual(level, era === "modern" ? ["info", undefined] : [undefined, undefined]);
    });
  }
});

Deno.test("connect asks a server of the newest era to tell of other tools (H21)", async () => {
  const asked = Promise.withResolvers<(method: string) => void>();
  await using web = startWeb({ era: "modern", listen: (tell) => asked.resolve(tell) });
  await withConnection(web.spec(), async (connection) => {
    const heard = Promise.withResolvers<void>();
    connection.onNotification((method) => {
      if (method === "notifications/tools/list_changed") heard.resolve();
    });
    (await asked.promise)("notifications/tools/list_changed");
    await heard.promise;
    // Requests go on beside it, and its end is nobody's failure.
    await call(connection, "call");
  });
});

Deno.test("connect gets on with a server of the newest era that tells of no changes", async () => {
  let asked = 0;
  await using web = startWeb({
    era: "modern",
    listen(_, end) {
      asked++;
      end();
    },
  });
  await withConnection(web.spec(), async (connection) => {
    for (let count = 0; count < 5; count++) await call(connection, "call");
    assert.ok(connection.isOpen);
    assert.equal(asked, 1);
  });
});

Deno.test("connect falls back to the oldest HTTP transport", async () => {
  await using server = await listen("honest", "sse");
  await withConnection(httpSpec(server.url), async (connection) => {
    const result = await call(connection, "add_numbers", { a: 2, b: 3 });
    assert.deepEqual(result["structuredContent"], { sum: 5 });
  });
});

Deno.test("connect finds the newest era and goes back to it without asking", async () => {
  await using server = await listen("honest", "modern");
  const spec = httpSpec(server.url);
  const era = await withConnection(spec, async (connection) => {
    assert.equal(connection.protocolVersion, "2026-07-28");
    const result = await call(connection, "add_numbers", { a: 2, b: 3 });
    assert.deepEqual(result["structuredContent"], { sum: 5 });
    await failure(call(connection, "wait", { ms: 60_000 }, { timeoutMs: 200 }), "timeout");
    return connection.era;
  });
  assert.equal(era, "modern");
  for (const remembered of ["modern", "legacy"] as const) {
    const again = await withConnection(spec, (connection) => Promise.resolve(connection.era), {
      era: remembered,
    });
    assert.equal(again, "modern");
  }
});

Deno.test("connect notices that the oldest HTTP transport has lost its stream", async () => {
  const server = await listen("honest", "sse");
  const connection = await open(httpSpec(server.url));
  await server[Symbol.asyncDispose]();
  await connection.closed;
  await failure(call(connection, "count"), "connect");
  await connection.close();
});

Deno.test("connect asks for sign-in on 401 and 403 and follows no header (H27)", async () => {
  for (const mode of ["unauthorized", "forbidden"]) {
    const error = await refusedUrl(mode, "sign-in");
    assert.equal(error.message, 'Server "fixture" asks for sign-in');
    assert.match(error.hint ?? "", /--header "Authorization: Bearer \.\.\."/);
  }
  await using server = await listen("hostile", "unauthorized");
  const spec = httpSpec(server.url, { authorization: "Bearer canary-7281" });
  const error = await failure(open(spec), "sign-in");
  assert.match(error.hint ?? "", /^it refused the token/);
  assert.doesNotMatch(JSON.stringify(error), /canary/);
  await failedHttpCall("unauthorized-later", "sign-in");
});

Deno.test("connect follows a redirect within the place it was given", async () => {
  await using server = await listen("honest", "plain");
  const spec = httpSpec(server.url.replace("/mcp", "/moved"));
  await withConnection(spec, async (connection) => {
    assert.equal(textOf(await call(connection, "echo", { text: "moved" })), "moved");
  });
});

Deno.test("connect tells of a status or body that is no answer", async () => {
  const broken = await refusedUrl("broken", "server");
  assert.equal(broken.message, 'Server "fixture" answered initialize with HTTP 500');
  const missing = await refusedUrl("missing", "server");
  assert.equal(missing.message, 'Server "fixture" answered initialize with HTTP 404');
  assert.match(missing.hint ?? "", /check the path/);
  for (const mode of ["html", "not-json"]) {
    const error = await refusedUrl(mode, "protocol");
    assert.match(error.message, /something unreadable$/);
  }
});

Deno.test("connect holds its deadline over HTTP (H3)", async () => {
  const error = await refusedUrl("silent", "timeout", { timeoutMs: 400 });
  assert.match(error.message, /gave no answer to initialize within 400ms$/);
});

Deno.test("connect shows no secret of a URL that cannot be reached (X3, X4)", async () => {
  const spec = httpSpec("http://user:canary-1@127.0.0.1:9/mcp?token=canary-2");
  const error = await failure(open(spec), "connect");
  assert.match(error.message, /^Server "fixture" cannot be reached at http:\/\/127\.0\.0\.1:9$/);
  assert.doesNotMatch(JSON.stringify(error), /canary/);
});

Deno.test("connect sends the user and password of a URL as a header", async () => {
  await using server = await listen("honest", "plain");
  const url = server.url.replace("://", "://me:pass%20word@");
  await withConnection(
    httpSpec(url),
    (connection) => Promise.resolve(assert.equal(connection.identity.name, "honest")),
  );
});

Deno.test("connect refuses a header or URL that cannot be sent, without its value", async () => {
  const header = httpSpec("http://127.0.0.1:9/", { "x-key": "canary\nx" });
  const error = await failure(open(header), "invalid");
  assert.equal(error.message, 'Header "x-key" of server "fixture" cannot be sent');
  const url = httpSpec("file:///etc/canary");
  assert.equal(
    (await failure(open(url), "invalid")).message,
    'URL of server "fixture" is not valid',
  );
  const percent = await failure(open(httpSpec("http://canary:%zz@127.0.0.1:9/")), "invalid");
  assert.equal(percent.message, 'URL of server "fixture" has a stray "%" in its user info');
  assert.doesNotMatch(JSON.stringify(percent), /canary/);
});

Deno.test("Connection.request fails at once when its stream ends without an answer (H10)", async () => {
  const error = await failedHttpCall("cut-events", "connect");
  assert.equal(error.message, 'Server "fixture" broke off before it answered tools/call');
});

Deno.test("Connection.request tells of a status and ends a session that was lost", async () => {
  const broken = await failedHttpCall("broken-later", "server");
  assert.equal(broken.message, 'Server "fixture" answered tools/call with HTTP 500');
  await using server = await listen("hostile", "forgetful");
  const connection = await open(httpSpec(server.url));
  const error = await failure(call(connection, "call"), "connect");
  assert.equal(error.message, 'Server "fixture" has ended the session');
  await connection.closed;
  assert.ok(!connection.isOpen);
  await connection.close();
});

Deno.test("connect reaches a server inside this program", async () => {
  const spec = (open: () => Promise<Transport>): ServerSpec => ({
    name: toServerName("inside"),
    origin: "built-in",
    transport: "embedded",
    open,
  });
  const openInside = async () => {
    const [client, server] = InMemoryTransport.createLinkedPair();
    server.onmessage = (message) => {
      if (!("method" in message) || !("id" in message)) return;
      const result = message.method === "initialize"
        ? {
          protocolVersion: "2025-06-18",
          capabilities: {},
          serverInfo: { name: "inside", version: "1" },
        }
        : { method: message.method };
      server.send({ jsonrpc: "2.0", id: message.id, result });
    };
    await server.start();
    return client;
  };
  await withConnection(spec(openInside), async (connection) => {
    const result = await connection.request("any/thing", {}, { timeoutMs: TIMEOUT_MS });
    assert.deepEqual(result, { method: "any/thing" });
  });
  const broken = spec(() => Promise.reject(new AppError("failure", "No such part")));
  assert.equal((await failure(open(broken), "failure")).message, "No such part");
});
