// What a call sends and what comes of its answer: values, failures of tools, schemas.

import assert from "node:assert/strict";
import { ToolError } from "../src/errors.ts";
import { digestOf } from "../src/hash.ts";
import { MAX_PARAMS_BYTES } from "../src/limits.ts";
import { toolValue } from "../src/payloads.ts";
import { fixture, stdio, withBridge } from "./bridge_fixture.ts";
import { failure } from "./failure.ts";

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
    assert.equal(error.exitCode, 3);
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

Deno.test("callTool checks parameters before anything is sent, and says what to write (B6)", async () => {
  const honest = stdio("honest", [fixture("honest.ts")]);
  await withBridge(async ({ bridge, run, recorded }) => {
    const call = async (tool: string, params: unknown) =>
      await failure(bridge.callTool("honest", tool, params, { run }));
    const wrong = await call("add_numbers", { a: "2", b: 3 });
    assert.equal(wrong.kind, "invalid");
    assert.equal(
      wrong.message,
      `Call of "honest/add_numbers" is not valid: parameter "a" must be number, got a string`,
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
