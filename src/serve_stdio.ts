// A client on this process's standard streams: one message a line, bounded in size and depth. What
// is no message is answered as such and skipped; the end of the input is the end of the connection.

import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server";
import { toAppError } from "./errors.ts";
import { MAX_JSON_DEPTH, MAX_REQUEST_BYTES } from "./limits.ts";
import { settles } from "./process.ts";
import { createLineSplitter, isMessage, scanJson } from "./wire.ts";

/** The two ends of a connection as bytes. */
export interface ByteStreams {
  readonly input: ReadableStream<Uint8Array>;
  readonly output: WritableStream<Uint8Array>;
}

/** How often, once the input has ended, it is looked whether anybody still reads the output. */
const READER_CHECK_MS = 500;
/** How long what is being written at the end may take: somebody may have stopped reading. */
const LAST_WRITE_MS = 500;
/** How much may wait for a client that does not read; what else it asks waits with it. */
const MAX_UNREAD_CHARS = 4 * 1024 * 1024;
/** A request that stands for as long as the connection: its answer is not waited for. */
const SUBSCRIPTION = "subscriptions/listen";
/** How many faulty messages in a row are answered singly; the rest is skipped without a word. */
const MAX_ANSWERED_FAULTS = 100;

/** A connection over a pair of byte streams. */
export class StreamTransport implements Transport {
  onmessage?: Transport["onmessage"];
  onclose?: () => void;
  onerror?: (error: Error) => void;
  /** Settles when the connection has ended, from whichever side. */
  readonly closed: Promise<void>;

  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #markClosed: () => void;
  readonly #encoder = new TextEncoder();
  #outgoing = "";
  #flushing: Promise<void> | undefined;
  #isClosed = false;
  #faults = 0;
  /** Requests that have no answer yet. */
  readonly #asked = new Set<unknown>();
  #onAnswered: (() => void) | undefined;

  constructor({ input, output }: ByteStreams) {
    this.#reader = input.getReader();
    this.#writer = output.getWriter();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#markClosed = resolve;
  }

  // deno-lint-ignore require-await -- the interface wants a promise
  async start(): Promise<void> {
    void this.#read();
  }

  /** Settles when the message was written, or can no longer be: the connection is closed then. */
  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#isClosed) return;
    if (!("method" in message) && this.#asked.delete(message.id) && this.#asked.size === 0) {
      this.#onAnswered?.();
    }
    await this.#write(`${JSON.stringify(message)}\n`);
  }

  /** Ends the connection: what has been sent is written, nothing more is read. The output stays open. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onAnswered?.();
    const flushed = this.#flushing?.catch(() => {});
    if (flushed !== undefined) await settles(flushed, LAST_WRITE_MS);
    this.#writer.releaseLock();
    this.#reader.cancel().catch(() => {});
    this.onclose?.();
    this.#markClosed();
  }

  async #write(text: string): Promise<void> {
    this.#outgoing += text;
    try {
      await (this.#flushing ??= this.#flush());
    } catch (error) {
      // Nobody reads any more: the connection is over in both directions. Who sends hears it from
      // that; not all that the SDK sends has somebody who waits for it.
      this.onerror?.(toAppError(error));
      await this.close();
    }
  }

  // Answers that come while one is being written go out together.
  async #flush(): Promise<void> {
    try {
      await Promise.resolve();
      while (this.#outgoing !== "") {
        const bytes = this.#encoder.encode(this.#outgoing);
        this.#outgoing = "";
        await this.#writer.write(bytes);
      }
    } finally {
      this.#flushing = undefined;
    }
  }

  async #read(): Promise<void> {
    const split = createLineSplitter(MAX_REQUEST_BYTES);
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const { value, done } = await this.#reader.read();
        if (done || this.#isClosed) break;
        for (const line of split(value)) this.#take(line && decoder.decode(line));
        while (this.#outgoing.length > MAX_UNREAD_CHARS && !this.#isClosed) await this.#flushing;
      }
      await this.#lastAnswers();
    } catch (error) {
      this.onerror?.(toAppError(error));
    }
    await this.close();
  }

  // Who pipes a few requests in and ends the input wants to read what comes back, however long it
  // takes; a client that has gone wants nothing. A space tells them apart: before a message it is
  // nothing to who reads, and where nobody reads it cannot be written.
  async #lastAnswers(): Promise<void> {
    if (this.#asked.size === 0 || this.#isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onAnswered = resolve;
    const timer = setInterval(() => {
      if (this.#flushing === undefined) void this.#write(" ");
    }, READER_CHECK_MS);
    await promise;
    clearInterval(timer);
  }

  #take(line: string | undefined): void {
    if (line?.trim() === "") return;
    const message = line === undefined ? undefined : parse(line);
    if (isMessage(message)) {
      this.#faults = 0;
      if (message.method === "notifications/cancelled") {
        this.#asked.delete(message.params?.["requestId"]);
      } else if (
        message.method !== undefined && message.id !== undefined && message.method !== SUBSCRIPTION
      ) {
        this.#asked.add(message.id);
      }
      this.onmessage?.(message as JSONRPCMessage);
      return;
    }
    if (++this.#faults > MAX_ANSWERED_FAULTS) return;
    const error = line === undefined
      ? { code: -32600, message: `Message is larger than ${MAX_REQUEST_BYTES} bytes` }
      : message === undefined
      ? { code: -32700, message: "Parse error: no JSON, or nested too deep" }
      : Array.isArray(message)
      ? { code: -32600, message: "Batches are not part of the protocol" }
      : { code: -32600, message: "Not a JSON-RPC 2.0 message" };
    void this.send({ jsonrpc: "2.0", id: null, error } as unknown as JSONRPCMessage);
  }
}

function parse(line: string): unknown {
  try {
    return scanJson(line).depth > MAX_JSON_DEPTH ? undefined : JSON.parse(line);
  } catch {
    return undefined;
  }
}
