import assert from "node:assert/strict";
import { type ByteStreams, StreamTransport } from "../src/serve_stdio.ts";

interface Bench {
  readonly transport: StreamTransport;
  /** The ids that were asked for so far. */
  readonly asked: unknown[];
  /** Writes requests into the transport. */
  ask(...requests: readonly { id: number; method?: string }[]): Promise<void>;
  /** Ends what the transport reads. */
  end(): Promise<void>;
  answer(id: number, text?: string): Promise<void>;
  /** The lines that come out, to the end. */
  lines(): Promise<string[]>;
  /** What the transport writes to, read by nobody yet. */
  readonly output: ReadableStream<Uint8Array>;
}

async function startTransport(): Promise<Bench> {
  const [input, output] = [pipe(), pipe()];
  const transport = new StreamTransport({ input: input.readable, output: output.writable });
  const writer = input.writable.getWriter();
  const asked: unknown[] = [];
  transport.onmessage = (message) => void asked.push("id" in message && message.id);
  await transport.start();
  return {
    transport,
    asked,
    output: output.readable,
    async ask(...requests) {
      const lines = requests.map(({ id, method = "tools/call" }) =>
        `${JSON.stringify({ jsonrpc: "2.0", id, method, params: {} })}\n`
      );
      await writer.write(new TextEncoder().encode(lines.join("")));
    },
    end: () => writer.close(),
    answer: (id, text = "") => transport.send({ jsonrpc: "2.0", id, result: { text } }),
    async lines() {
      // The transport leaves its output open: it may be the process's own.
      transport.closed.then(() => output.writable.close());
      const text = await new Response(output.readable).text();
      return text.split("\n").filter((line) => line.trim() !== "");
    },
  };
}

function pipe(): { readable: ByteStreams["input"]; writable: ByteStreams["output"] } {
  return new TransformStream<Uint8Array, Uint8Array>();
}

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("StreamTransport gives every answer to what was asked before the end, however late", async () => {
  const { transport, ask, end, answer, lines } = await startTransport();
  const given = lines();
  await ask({ id: 1 }, { id: 2 });
  await end();
  await answer(1);
  await pass(700);
  await answer(2);
  await transport.closed;
  assert.deepEqual((await given).map((line) => JSON.parse(line).id), [1, 2]);
});

Deno.test("StreamTransport does not wait for subscriptions at the end", async () => {
  const { transport, ask, end, answer, lines } = await startTransport();
  const given = lines();
  await ask({ id: 1, method: "subscriptions/listen" }, { id: 2 });
  await end();
  await answer(2);
  await transport.closed;
  assert.deepEqual((await given).map((line) => JSON.parse(line).id), [2]);
});

Deno.test("StreamTransport ends when nobody reads the answers it waits for", async () => {
  const { transport, ask, end, output } = await startTransport();
  await ask({ id: 1 });
  await end();
  await output.cancel();
  await transport.closed;
});

Deno.test("StreamTransport reads no more from a client that reads no answers, and loses none (N1)", async () => {
  const { transport, asked, ask, end, answer, lines } = await startTransport();
  const text = "x".repeat(1024 * 1024);
  const { onmessage } = transport;
  transport.onmessage = (message, extra) => {
    onmessage!(message, extra);
    answer(Number("id" in message && message.id), text).catch(() => {});
  };
  const ids = Array.from({ length: 50 }, (_, id) => id);
  const asking = (async () => {
    for (const id of ids) await ask({ id });
    await end();
  })();
  await pass(200);
  assert.ok(asked.length < 20, `${asked.length} were taken`);
  const given = await lines();
  await asking;
  assert.deepEqual(given.map((line) => JSON.parse(line).id), ids);
});

Deno.test("StreamTransport can be closed while nobody reads what it writes", async () => {
  const { transport, answer } = await startTransport();
  const { promise: told, resolve } = Promise.withResolvers<void>();
  transport.onclose = resolve;
  answer(1).catch(() => {});
  answer(2).catch(() => {});
  await pass(0);
  await transport.close();
  await told;
});

Deno.test("StreamTransport ends when a client goes that left much unread", async () => {
  const { transport, ask, answer, output } = await startTransport();
  const text = "x".repeat(5 * 1024 * 1024);
  transport.onmessage = (message) => void answer(Number("id" in message && message.id), text);
  const asking = ask({ id: 1 }, { id: 2 }).then(() => ask({ id: 3 })).catch(() => {});
  await pass(50);
  await output.cancel();
  await transport.closed;
  await asking;
  // Nothing of it goes on: time passes.
  await pass(0);
});
