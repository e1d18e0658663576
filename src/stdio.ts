// A server as a child process that speaks JSON-RPC on its standard streams, one message a line.
// Whatever else it prints is skipped; of its stderr the last lines are kept for reports. It leaves
// no process behind, and what it shows holds no value of the server's own variables.

import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import type { Environment } from "./context.ts";
import { AppError, prefixError, toAppError } from "./errors.ts";
import { CLOSE_GRACE_MS, MAX_JUNK_LINES, STDERR_LINE_BYTES, STDERR_TAIL_LINES } from "./limits.ts";
import {
  childEnvironment,
  type ChildExit,
  type ChildGroup,
  settles,
  spawnGroup,
} from "./process.ts";
import type { StdioSpec } from "./server.ts";
import { cleanLine, quoteText } from "./text.ts";
import { createServerSplitter, readFrame, tooMuchJunk } from "./wire.ts";

/** What a transport over standard streams needs besides the spec. */
export interface StdioOptions {
  readonly env: Environment;
  readonly warn: (message: string) => void;
  /** Takes the server's secrets out of a text. */
  readonly mask: (text: string) => string;
}

// deno-lint-ignore no-control-regex
const COLORS = /\u001b\[[\d;]*m/g;

// The frames of a stack would push out the line above them, which says what went wrong.
function isTelling(line: string): boolean {
  return !/^\s*$|^\s+at \S/.test(line);
}

/** The transport of one process; `start` throws what `spawnGroup` throws. */
export class StdioTransport implements Transport {
  onmessage?: Transport["onmessage"];
  onclose?: () => void;
  onerror?: (error: Error) => void;

  readonly #spec: StdioSpec;
  readonly #options: StdioOptions;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #child: ChildGroup | undefined;
  #input: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #readers: ReadableStreamDefaultReader<Uint8Array>[] = [];
  #errors: string[] = [];
  #lastError = "";
  #outgoing = "";
  #flushing: Promise<void> | undefined;
  #outputEnded = false;
  #junk = 0;
  #warned = false;
  #problem: AppError | undefined;
  #exit: ChildExit | undefined;
  #watching: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(spec: StdioSpec, options: StdioOptions) {
    this.#spec = spec;
    this.#options = options;
  }

  // deno-lint-ignore require-await -- it has to fail as a promise
  async start(): Promise<void> {
    const { name, command, args, cwd, env, inheritEnv = false } = this.#spec;
    try {
      this.#child = spawnGroup({
        command,
        args,
        env: childEnvironment(this.#options.env, env, inheritEnv),
        ...(cwd !== undefined && { cwd }),
      });
    } catch (error) {
      throw prefixError(`Server "${name}" did not start`, toAppError(error));
    }
    this.#input = this.#child.stdin.getWriter();
    this.#watching = this.#watch(this.#child);
  }

  /** Settles when the message was written; fails as `ended` says when the process has gone. */
  async send(message: JSONRPCMessage): Promise<void> {
    this.#outgoing += `${JSON.stringify(message)}\n`;
    try {
      await (this.#flushing ??= this.#flush());
    } catch {
      // The pipe breaks a moment before the exit is known.
      await settles(this.#watching, 2 * CLOSE_GRACE_MS);
      throw this.ended("before it was asked");
    }
  }

  // Messages that come while one is being written go out together: calls made at once cost one
  // write, not one each.
  async #flush(): Promise<void> {
    try {
      await Promise.resolve();
      while (this.#outgoing !== "") {
        const bytes = this.#encoder.encode(this.#outgoing);
        this.#outgoing = "";
        await this.#input!.write(bytes);
      }
    } finally {
      this.#flushing = undefined;
    }
  }

  close(): Promise<void> {
    return this.#closing ??= this.#stop();
  }

  /** The last lines of the process's stderr, safe to show. */
  stderrTail(): string[] {
    return [...this.#errors, this.#lastError].filter(isTelling)
      .slice(-STDERR_TAIL_LINES)
      .map((line) => cleanLine(this.#options.mask(line.replace(COLORS, ""))));
  }

  /** Why the connection has ended, as an error; `when` ends the message. */
  ended(when: string): AppError {
    if (this.#problem !== undefined) return this.#problem;
    const name = this.#spec.name;
    if (this.#exit === undefined && !this.#outputEnded) {
      return new AppError("connect", `Connection to server "${name}" was closed ${when}`);
    }
    const how = this.#exit === undefined
      ? "closed its output"
      : this.#exit.signal !== null
      ? `was ended by ${this.#exit.signal}`
      : `exited with code ${this.#exit.code}`;
    const detail = this.stderrTail();
    return new AppError("connect", `Server "${name}" ${how} ${when}`, {
      ...(detail.length > 0 ? { detail } : { hint: "run its command by hand to see why" }),
    });
  }

  // Waits for the end of the process or of its output, whichever comes first.
  async #watch(child: ChildGroup): Promise<void> {
    const exited = child.exited.then((exit) => {
      if (this.#closing === undefined) this.#exit = exit;
    });
    const output = this.#readOutput(child.stdout);
    const errors = this.#readErrors(child.stderr);
    await Promise.race([exited, output]);
    // What is still on its way belongs to the report; a grandchild may hold the pipes for good.
    if (this.#problem === undefined && this.#closing === undefined) {
      await settles(Promise.all([exited, output, errors]), CLOSE_GRACE_MS);
    }
    await this.close();
  }

  async #stop(): Promise<void> {
    await Promise.all([
      this.#child?.stop(),
      ...this.#readers.map((reader) => reader.cancel().catch(() => {})),
    ]);
    this.onclose?.();
  }

  async #readOutput(stream: ReadableStream<Uint8Array>): Promise<void> {
    const split = createServerSplitter(this.#spec);
    try {
      for await (const chunk of this.#chunksOf(stream)) {
        for (const line of split(chunk)) this.#takeLine(line);
      }
      this.#outputEnded = this.#closing === undefined;
    } catch (error) {
      this.#problem ??= error instanceof AppError ? error : undefined;
    }
  }

  #takeLine(line: Uint8Array): void {
    if (this.#closing !== undefined) return;
    const text = this.#decode(line);
    const frame = text === undefined ? { kind: "junk" as const } : readFrame(text);
    const message = frame.kind === "message"
      ? frame.message
      : frame.kind === "refused"
      ? frame.answer
      : undefined;
    if (message === undefined) return this.#skip(text);
    this.#junk = 0;
    this.onmessage?.(message as JSONRPCMessage);
  }

  #decode(line: Uint8Array): string | undefined {
    try {
      return this.#decoder.decode(line);
    } catch {
      return undefined;
    }
  }

  #skip(text: string | undefined): void {
    const name = this.#spec.name;
    if (++this.#junk >= MAX_JUNK_LINES) throw tooMuchJunk(this.#spec, "printed", "lines");
    if (this.#warned || text?.trim() === "") return;
    this.#warned = true;
    const shown = text === undefined
      ? "bytes that are no text"
      : quoteText(this.#options.mask(text));
    this.#options.warn(
      `Server "${name}" prints other things than messages on its output; they are skipped: ${shown}`,
    );
  }

  async #readErrors(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#chunksOf(stream)) {
      const [first = "", ...others] = decoder.decode(chunk, { stream: true }).split(/[\r\n]+/);
      // Long enough for any message; a line without end must not grow.
      this.#lastError = (this.#lastError + first).slice(0, STDERR_LINE_BYTES);
      for (const line of others) {
        this.#errors.push(this.#lastError);
        this.#lastError = line.slice(0, STDERR_LINE_BYTES);
      }
      this.#errors = this.#errors.filter(isTelling).slice(-STDERR_TAIL_LINES);
    }
  }

  // The stream's chunks, up to its end or until this transport is closed.
  async *#chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
    const reader = stream.getReader();
    this.#readers.push(reader);
    for (;;) {
      const { value, done } = await reader.read().catch(() => ({ value: undefined, done: true }));
      if (done || value === undefined) return;
      yield value;
    }
  }
}
