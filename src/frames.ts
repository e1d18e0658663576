// Messages between a command and the process that runs it, over one stream of bytes: a kind, a
// length, and JSON or bytes. It knows nothing of what they mean, and takes none beyond a bound.

import { AppError } from "./errors.ts";
import { joinBytes } from "./text.ts";

/** What a message is about. Numbers stay what they are: the other end may be of another version. */
export const Kind = {
  /** Who asks and for what; the first of all. */
  hello: 1,
  /** Whether it is granted, and by whom. */
  welcome: 2,
  /** The command line to run. */
  run: 3,
  /** Bytes for standard output; text for standard error. */
  out: 4,
  error: 5,
  /** A question to whoever sits at the terminal, or for standard input; its answer. */
  ask: 6,
  answer: 7,
  /** Standard input, where that was asked for. */
  input: 11,
  /** Standard output is closed. */
  outClosed: 8,
  /** The run is to end. */
  interrupt: 9,
  /** The run has ended. */
  exit: 10,
} as const;

/** A message as it came. */
export interface Frame {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** A connection, read and written as it is: streams over it take a process milliseconds to load. */
export type ByteLink = Pick<Deno.Conn, "read" | "write" | "close">;

/** Messages over a link. */
export interface FrameLink {
  /** Sends without waiting; what can no longer be sent is dropped. */
  send(kind: number, content: Uint8Array | string | object): void;
  /** Settles when everything sent so far was taken by the system, or cannot be. */
  flushed(): Promise<void>;
  /** The next message; undefined at the end, however it came. A message beyond `maxBytes` is one. */
  next(maxBytes: number): Promise<Frame | undefined>;
  close(): void;
}

const HEADER_BYTES = 5;
const READ_BYTES = 64 * 1024;

/** Messages over `link`, which is closed with them. */
export function createFrameLink(link: ByteLink): FrameLink {
  let sending: Promise<void> = Promise.resolve();
  let isClosed = false;
  let parts: Uint8Array[] = [];
  let held = 0;

  /** The next `length` bytes; undefined when the stream ends before. */
  async function take(length: number): Promise<Uint8Array | undefined> {
    while (held < length) {
      const buffer = new Uint8Array(READ_BYTES);
      const count = await link.read(buffer).catch(() => null);
      if (count === null) return undefined;
      parts.push(buffer.slice(0, count));
      held += count;
    }
    const all = joinBytes(parts, held);
    parts = all.length > length ? [all.subarray(length)] : [];
    held -= length;
    return all.subarray(0, length);
  }

  async function write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) done += await link.write(bytes.subarray(done));
  }

  return {
    send(kind, content) {
      const body = typeof content === "string"
        ? new TextEncoder().encode(content)
        : content instanceof Uint8Array
        ? content
        : new TextEncoder().encode(JSON.stringify(content));
      const frame = new Uint8Array(HEADER_BYTES + body.length);
      frame[0] = kind;
      new DataView(frame.buffer).setUint32(1, body.length);
      frame.set(body, HEADER_BYTES);
      sending = sending.then(() => write(frame)).catch(() => {});
    },
    flushed: () => sending,
    async next(maxBytes) {
      const header = await take(HEADER_BYTES);
      if (header === undefined) return undefined;
      const length = new DataView(header.buffer, header.byteOffset).getUint32(1);
      if (length > maxBytes) return undefined;
      const bytes = await take(length);
      return bytes && { kind: header[0]!, bytes };
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      link.close();
    },
  };
}

/** The JSON object in a message; a `protocol` error for anything else. */
export function objectIn<Content extends object>({ bytes }: Frame): Partial<Content> {
  try {
    const value = JSON.parse(textIn({ bytes }));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw new AppError("protocol", "Message of the daemon cannot be read");
}

/** The text in a message. */
export function textIn({ bytes }: Pick<Frame, "bytes">): string {
  return new TextDecoder().decode(bytes);
}
