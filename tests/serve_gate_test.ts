import assert from "node:assert/strict";
import type { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { MAX_REQUEST_BYTES } from "../src/limits.ts";
import { withServing } from "./serve_fixture.ts";

Deno.test("createGate refuses foreign hosts, origins and strangers (N2)", async () => {
  await withServing(async ({ gate }) => {
    const ping = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
    const ask = async (headers: Record<string, string>, body = ping, path = "/mcp") => {
      const response = await gate.answer(
        new Request(`http://localhost${path}`, {
          method: "POST",
          body,
          headers: {
            host: "localhost:7337",
            "content-type": "application/json",
            accept: "application/json, text/event-stream",
            authorization: "Bearer correct-horse-battery",
            ...headers,
          },
        }),
        "peer",
      );
      await response.body?.cancel();
      return response.status;
    };
    assert.equal(await ask({}), 200);
    assert.equal(await ask({ origin: "http://localhost:3000" }), 200);
    assert.equal(await ask({ host: "tools.example.com" }), 200);
    assert.equal(await ask({ host: "evil.example.com" }), 403);
    assert.equal(await ask({ host: "localhost.evil.example.com:80" }), 403);
    assert.equal(await ask({ origin: "http://evil.example.com" }), 403);
    assert.equal(await ask({ origin: "null" }), 403);
    assert.equal(await ask({ authorization: "" }), 401);
    assert.equal(await ask({ authorization: "Bearer correct-horse-batterx" }), 401);
    assert.equal(await ask({ authorization: "Basic correct-horse-battery" }), 401);
    assert.equal(await ask({}, ping, "/"), 404);
    assert.equal(await ask({ "mcp-session-id": "s".padEnd(43, "a") }), 404);
    assert.equal(await ask({ "content-type": "text/plain" }), 415);
  }, { token: "correct-horse-battery", hosts: ["tools.example.com"] });
});

Deno.test("createGate bounds what it reads (N1)", async () => {
  await withServing(async ({ gate }) => {
    const ask = async (body: BodyInit) => {
      const response = await gate.answer(
        new Request("http://localhost/mcp", {
          method: "POST",
          body,
          headers: {
            host: "localhost",
            "content-type": "application/json",
            accept: "application/json, text/event-stream",
          },
        }),
        "peer",
      );
      return { status: response.status, text: await response.text() };
    };
    const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
    assert.equal((await ask("{")).status, 400);
    assert.match((await ask(JSON.stringify([ping, ping]))).text, /Batches/);
    assert.equal((await ask("[".repeat(100_000))).status, 400);
    assert.equal((await ask("x".repeat(MAX_REQUEST_BYTES + 1))).status, 413);
    const answers = await Promise.all(
      Array.from({ length: 2_000 }, (_, id) => ask(JSON.stringify({ ...ping, id }))),
    );
    assert.ok(answers.every(({ status }) => status === 200));
  });
});

Deno.test("createGate ends a session when its client does, and frees its state (C5)", async () => {
  await withServing(async ({ connect, serving, gate }) => {
    const { client, run } = await connect("http of 2025");
    await run(`await setState("k", "x".repeat(1000))`);
    const rows = () => serving.session.database.all("select * from state").length;
    assert.equal(rows(), 1);
    const transport = client.transport as StreamableHTTPClientTransport;
    const { sessionId } = transport;
    await transport.terminateSession();
    assert.equal(rows(), 0);
    const again = await gate.answer(
      new Request("http://localhost/mcp", {
        method: "DELETE",
        headers: { host: "localhost", "mcp-session-id": sessionId! },
      }),
      "peer",
    );
    assert.equal(again.status, 404);
    await again.body?.cancel();
  });
});
