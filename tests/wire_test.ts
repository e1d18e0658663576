import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { AppError } from "../src/errors.ts";
import { MAX_JSON_DEPTH, MAX_LINE_BYTES } from "../src/limits.ts";
import {
  boundResponse,
  createLineSplitter,
  createServerSplitter,
  readFrame,
  REFUSED_CODE,
} from "../src/wire.ts";
import { assertProportional } from "./growth.ts";

const MIB = 1 << 20;

function frame(json: string) {
  return readFrame(`{"jsonrpc":"2.0",${json}}`);
}

Deno.test("readFrame reads the four kinds of messages", () => {
  for (
    const json of [
      `"id":1,"method":"ping"`,
      `"id":"a","method":"tools/call","params":{"a":[1,{"b":2}]}`,
      `"method":"notifications/message","params":{"__proto__":1}`,
      `"id":1,"result":{"id":7}`,
      `"id":1,"error":{"code":-1,"message":"no","data":[]}`,
      `"id":1,"result":{"text":"a \\" : { [ , \\\\"}`,
    ]
  ) {
    const read = frame(json);
    assert.deepEqual(read, {
      kind: "message",
      message: JSON.parse(`{"jsonrpc":"2.0",${json}}`),
    });
  }
});

Deno.test("readFrame takes everything else for junk (H6)", () => {
  const lines = ["", "INFO ready", "{", "null", "[]", "1", '"x"', "{}", `{"jsonrpc":"1.0","id":1}`];
  const members = [
    `"id":null,"result":{}`,
    `"id":1.5,"result":{}`,
    `"id":[1],"result":{}`,
    `"id":1,"result":[]`,
    `"id":1,"result":{},"error":{"code":1,"message":""}`,
    `"id":1,"error":{"code":"1","message":""}`,
    `"id":1`,
    `"method":7`,
    `"method":"x","params":[1]`,
  ];
  for (const line of lines) assert.equal(readFrame(line).kind, "junk", line);
  for (const json of members) assert.equal(frame(json).kind, "junk", json);
});

Deno.test("readFrame fails the request whose answer is too deep (H8)", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  assert.equal(frame(`"id":1,"result":{"a":${nested(MAX_JSON_DEPTH - 2)}}`).kind, "message");
  for (const depth of [MAX_JSON_DEPTH, 1_000_000]) {
    for (
      const [json, id] of [
        [`"id":7,"result":{"a":${nested(depth)}}`, 7],
        [`"result":{"id":8,"a":${nested(depth)}},"id":"x"`, "x"],
      ] as const
    ) {
      const read = frame(json);
      assert.equal(read.kind, "refused");
      const answer = read.kind === "refused" ? read.answer : undefined;
      assert.equal(answer?.id, id);
      assert.deepEqual(answer?.error, {
        code: REFUSED_CODE,
        message: `it is nested deeper than ${MAX_JSON_DEPTH}`,
      });
    }
  }
  assert.deepEqual(frame(`"method":"x","params":{"a":${nested(500)}}`), { kind: "refused" });
  assert.deepEqual(readFrame("[".repeat(500)), { kind: "refused" });
});

Deno.test("readFrame refuses what two readers would read differently (H8)", () => {
  const refusals = [
    `"id":1,"result":{"a":1,"a":2}`,
    `"id":1,"result":{"a":1,"\\u0061":2}`,
    `"id":1,"id":2,"result":{}`,
    `"id":1,"result":{"__proto__":1,"__proto__":2}`,
    `"id":1,"result":{"a":1e400}`,
    `"id":1,"result":{"a":[[-1e999]]}`,
  ];
  for (const json of refusals) assert.equal(frame(json).kind, "refused", json);
});

Deno.test("readFrame takes time in proportion to the text", () => {
  const texts: ((size: number) => string)[] = [
    (size) => `"id":1,"result":{"a":"${"\\\\".repeat(size)}"}`,
    (size) => `"id":1,"result":{"a":"${'\\"'.repeat(size)}"}`,
    (size) => `"id":1,"result":{"a":[${"{},".repeat(size)}0]}`,
    (size) => `"id":1,"result":{"a":${"[".repeat(size)}`,
  ];
  for (const text of texts) {
    assertProportional([200_000, 1_600_000], text, frame);
  }
});

Deno.test("createServerSplitter gives whole lines whatever the chunks are", () => {
  const text = "one\n\ntwo ✓\r\nthree";
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size++) {
    const split = createServerSplitter({ name: "x" });
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      // The memory of a chunk is used again, as a runtime may do.
      const chunk = bytes.slice(at, at + size);
      for (const line of split(chunk)) lines.push(new TextDecoder().decode(line));
      chunk.fill(0);
    }
    assert.deepEqual(lines, ["one", "", "two ✓\r"]);
  }
});

Deno.test("createServerSplitter refuses a line over its bound (H7)", () => {
  const split = createServerSplitter({ name: "x" }, 10);
  assert.equal(split(new Uint8Array(10)).length, 0);
  assert.throws(() => split(new Uint8Array(1)), (error: AppError) => {
    assert.equal(error.kind, "protocol");
    assert.equal(error.message, 'Server "x" sent a line over the limit of 10 B');
    return true;
  });
});

Deno.test("createLineSplitter skips a line over its bound and goes on behind it", () => {
  const split = createLineSplitter(8);
  const read = (text: string) =>
    split(new TextEncoder().encode(text)).map((line) => line && new TextDecoder().decode(line));
  assert.deepEqual(read("one\ntw"), ["one"]);
  assert.deepEqual(read("o\n123456789"), ["two"]);
  assert.deepEqual(read("0".repeat(100)), []);
  assert.deepEqual(read("0\n\nthree\n12345678\n"), [undefined, "", "three", "12345678"]);
});

Deno.test("createServerSplitter takes time in proportion to a line's chunks", () => {
  assertProportional([20_000, 160_000], (size) => size, (size) => {
    const split = createServerSplitter({ name: "x" });
    for (let at = 0; at < size; at++) split(new Uint8Array(16).fill(65));
    split(new Uint8Array([10]));
  });
});

Deno.test("createLineSplitter keeps little more of a line than its bytes", () => {
  const split = createLineSplitter(1e6);
  const before = Deno.memoryUsage().heapUsed;
  for (let at = 0; at < 5e5; at++) split(new Uint8Array([65]));
  const kept = Deno.memoryUsage().heapUsed - before;
  assert.ok(kept < 50e6, `keeps ${kept} bytes`);
  assert.deepEqual(split(new Uint8Array([10])).map((line) => line?.length), [5e5]);
});

async function events(
  text: string,
  chunkSize = text.length,
): Promise<{ out: string; ended: (AppError | undefined)[] }> {
  const ended: (AppError | undefined)[] = [];
  const body = new ReadableStream({
    start(controller) {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length; at += chunkSize) {
        controller.enqueue(bytes.slice(at, at + chunkSize));
      }
      controller.close();
    },
  });
  const response = new Response(body, {
    headers: { "content-type": "text/event-stream; charset=utf-8" },
  });
  const bounded = await boundResponse(response, {
    server: { name: "x" },
    onEnd: (problem) => ended.push(problem),
  });
  return { out: await bounded.text(), ended };
}

Deno.test("boundResponse writes each event again in its plainest form", async () => {
  const ping = `{"jsonrpc":"2.0","method":"ping"}`;
  const stream =
    `\ufeff: comment\nid: 1\r\ndata: \n\ndata:${ping}\n\nevent: endpoint\ndata: /post\n\n` +
    `retry: 0\rdata: {"jsonrpc":"2.0",\rdata: "method":"ping"}\r\revent: message\nunknown: x\n` +
    `data: ${ping}\n\ndata: unfinished`;
  const wanted = `id: 1\ndata: \n\ndata: ${ping}\n\nevent: endpoint\ndata: /post\n\n` +
    `retry: 1000\ndata: ${ping}\n\ndata: ${ping}\n\n`;
  for (let size = 1; size < 40; size++) {
    const { out, ended } = await events(stream, size);
    assert.equal(out, wanted);
    assert.deepEqual(ended, [undefined]);
  }
});

Deno.test("boundResponse drops events that are no messages and fails too deep ones (H8)", async () => {
  const deep = `{"jsonrpc":"2.0","id":5,"result":{"a":${"[".repeat(300)}${"]".repeat(300)}}}`;
  const { out } = await events(`data: hello\n\ndata: {}\n\ndata: ${deep}\n\n`);
  const answer = JSON.parse(out.replace("data: ", ""));
  assert.equal(answer.id, 5);
  assert.equal(answer.error.code, REFUSED_CODE);
});

Deno.test("boundResponse ends an event without end (H27)", async () => {
  let sent = 0;
  const part = new TextEncoder().encode(`data: ${"x".repeat(MIB)}\n`);
  const body = new ReadableStream({
    pull(controller) {
      sent++;
      controller.enqueue(part);
    },
  });
  const problems: unknown[] = [];
  const response = await boundResponse(
    new Response(body, { headers: { "content-type": "text/event-stream" } }),
    { server: { name: "x" }, onEnd: (problem) => problems.push(problem) },
  );
  await assert.rejects(response.text(), { kind: "protocol" });
  assert.ok(sent <= MAX_LINE_BYTES / MIB + 4);
  assert.equal(
    (problems[0] as AppError).message,
    'Server "x" sent an event over the limit of 32 MiB',
  );
});

Deno.test("boundResponse lets go of a stream whose request was given up", async () => {
  const ping = `{"jsonrpc":"2.0","method":"ping"}`;
  const gone = Promise.withResolvers<void>();
  const body = () =>
    new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(`data: ${ping}\n\n`)),
      cancel: () => gone.resolve(),
    });
  const headers = { "content-type": "text/event-stream" };
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response(body(), { headers }),
  );
  const giving = new AbortController();
  const { signal } = giving;
  // Nobody holds the response itself any more: only the stream made of it is read.
  async function open(): Promise<{ reading: Promise<unknown> }> {
    const response = await fetch(`http://127.0.0.1:${server.addr.port}/`, { signal });
    const bounded = await boundResponse(response, { server: { name: "x" }, onEnd() {}, signal });
    const reader = bounded.body!.getReader();
    await reader.read();
    return { reading: reader.read() };
  }
  const { reading } = await open();
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  await new Promise((resolve) => setTimeout(resolve, 5));
  giving.abort();
  await assert.rejects(reading, { name: "AbortError" });
  await gone.promise;
});

Deno.test("boundResponse bounds a body and cuts that of an error (H27)", async () => {
  const endless = () =>
    new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(MIB).fill(32)) });
  const options = { server: { name: "x" }, onEnd: () => {} };
  await assert.rejects(boundResponse(new Response(endless()), options), {
    kind: "protocol",
    message: 'Server "x" sent a body over the limit of 32 MiB',
  });
  const failed = await boundResponse(new Response(endless(), { status: 500 }), options);
  assert.equal(failed.status, 500);
  assert.equal((await failed.text()).length, 64 * 1024);
});

Deno.test("boundResponse leaves a proper body as it is", async () => {
  const text = `{"jsonrpc":"2.0","id":1,"result":{"a":"✓"}}`;
  const response = new Response(text, {
    headers: { "x-a": "1", "content-type": "application/json" },
  });
  const bounded = await boundResponse(response, { server: { name: "x" }, onEnd: () => {} });
  assert.equal(bounded.headers.get("x-a"), "1");
  assert.equal(await bounded.text(), text);
});
