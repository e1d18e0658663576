// What a server sends, bounded before anything else reads it: lines, events and bodies by size,
// JSON by depth, and what means different things to different readers is refused. Opens nothing.

import { AppError } from "./errors.ts";
import {
  formatBytes,
  MAX_ERROR_BODY_BYTES,
  MAX_JSON_DEPTH,
  MAX_JUNK_LINES,
  MAX_LINE_BYTES,
  MIN_RECONNECT_MS,
} from "./limits.ts";
import { isObject } from "./server.ts";
import { quoteText } from "./text.ts";

/** The id of a request, as JSON-RPC has it. */
export type MessageId = string | number;

/** A JSON-RPC message of any kind; everything in it is untrusted. */
export interface Message {
  readonly jsonrpc: "2.0";
  readonly id?: MessageId;
  readonly method?: string;
  readonly params?: { readonly [key: string]: unknown };
  readonly result?: { readonly [key: string]: unknown };
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** The code of the error that takes the place of an answer which was refused here. */
export const REFUSED_CODE = -39_999;

/**
 * What a text was: a message; one that broke a bound, as the failed answer that takes its place
 * where its request is known; or none at all.
 */
export type Frame =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "refused"; readonly answer?: Message }
  | { readonly kind: "junk" };

/** Reads one JSON-RPC message; never throws. */
export function readFrame(text: string): Frame {
  const shape = scanJson(text);
  if (shape.depth > MAX_JSON_DEPTH) {
    return refused(shape.id, `it is nested deeper than ${MAX_JSON_DEPTH}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: "junk" };
  }
  const members = countMembers(value);
  if (Number.isNaN(members)) return refused(shape.id, "it holds a number no computer can");
  if (members !== shape.members) return refused(shape.id, "it names a member twice");
  return isMessage(value) ? { kind: "message", message: value } : { kind: "junk" };
}

/** Whether `value` has the form of a request, notification, result or error of JSON-RPC 2.0. */
export function isMessage(value: unknown): value is Message {
  if (!isObject(value) || value["jsonrpc"] !== "2.0") return false;
  const { id, method, params, result, error } = value;
  if (typeof method === "string") {
    return (id === undefined || isId(id)) && (params === undefined || isObject(params));
  }
  if (!isId(id) || method !== undefined) return false;
  if (result !== undefined) return isObject(result) && error === undefined;
  return isObject(error) && Number.isInteger(error["code"]) &&
    typeof error["message"] === "string";
}

function isId(value: unknown): value is MessageId {
  return typeof value === "string" || Number.isSafeInteger(value);
}

function refused(idText: string | undefined, reason: string): Frame {
  let id: unknown;
  try {
    id = JSON.parse(idText ?? "null");
  } catch {
    return { kind: "refused" };
  }
  if (!isId(id)) return { kind: "refused" };
  return {
    kind: "refused",
    answer: { jsonrpc: "2.0", id, error: { code: REFUSED_CODE, message: reason } },
  };
}

/** What can be said of a JSON text without reading its values. */
export interface JsonShape {
  /** The deepest nesting. */
  readonly depth: number;
  /** Members of all objects together, each as often as it is written. */
  readonly members: number;
  /** The text of the top object's member `id`. */
  readonly id: string | undefined;
}

/** The shape of `text`; of one that is no JSON some shape too, which its parser refuses later. */
// One pass, without recursion: a parser may overflow the stack on what this finds.
export function scanJson(text: string): JsonShape {
  let depth = 0;
  let deepest = 0;
  let members = 0;
  let key = "";
  let idStart = -1;
  let id: string | undefined;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"': {
        const start = at;
        at = endOfString(text, at);
        if (depth === 1 && at - start <= 3) key = text.slice(start, at + 1);
        else key = "";
        break;
      }
      case "{":
      case "[":
        if (++depth > deepest) deepest = depth;
        break;
      case ":":
        members++;
        if (depth === 1 && key === '"id"') idStart = at + 1;
        break;
      case ",":
      case "}":
      case "]":
        if (depth === 1 && idStart >= 0) {
          id = text.slice(idStart, at);
          idStart = -1;
        }
        if (text[at] !== ",") depth--;
        break;
    }
  }
  return { depth: deepest, members, id };
}

// The index of the quote that ends the string begun at `start`; the text's length without one.
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text[before] === "\\") before--;
    if ((end - before) % 2 === 1) return end;
  }
  return text.length;
}

/** How deeply a value of JSON is nested: 0 for a scalar, at the most one more than the bound. */
export function depthOf(value: unknown): number {
  let level = [value];
  for (let depth = 0;; depth++) {
    level = level.filter((item) => typeof item === "object" && item !== null);
    if (level.length === 0 || depth > MAX_JSON_DEPTH) return depth;
    level = level.flatMap((item) => Object.values(item as object));
  }
}

// How many members the objects in `root` have; NaN when a number in it is not finite.
function countMembers(root: unknown): number {
  let members = 0;
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === "number" && !Number.isFinite(value)) return NaN;
    if (typeof value !== "object" || value === null) continue;
    const items = Array.isArray(value) ? value : Object.values(value);
    if (items !== value) members += items.length;
    for (const item of items) {
      if (typeof item === "object" || typeof item === "number") open.push(item);
    }
  }
  return members;
}

/** Whoever a limit error names; the name is read when it is needed. */
export interface Named {
  readonly name: string;
}

/**
 * A function that takes a stream's chunks and gives the whole lines so far, without their ends;
 * undefined in place of one over `maxBytes`, of which no more is kept. `onTooLong` is called, and
 * may throw, as soon as a line grows over the bound.
 */
export function createLineSplitter(
  maxBytes: number,
  onTooLong: () => void = () => {},
): (chunk: Uint8Array) => (Uint8Array | undefined)[] {
  const held = createGrowingBytes();
  let size = 0;
  const grow = (part: Uint8Array) => {
    const wasWhole = size <= maxBytes;
    size += part.length;
    if (size <= maxBytes) held.add(part);
    else if (wasWhole) {
      held.take();
      onTooLong();
    }
  };
  return (chunk) => {
    const lines: (Uint8Array | undefined)[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const rest = chunk.subarray(start, end);
      const isAlone = size === 0 && rest.length <= maxBytes;
      if (!isAlone) grow(rest);
      lines.push(isAlone ? rest : size > maxBytes ? undefined : held.take());
      size = 0;
      start = end + 1;
    }
    if (start < chunk.length) grow(chunk.subarray(start));
    return lines;
  };
}

// Bytes one after the other in one buffer. To keep the chunks themselves takes a hundred times the
// memory where they are of a byte each, and may hold on to a buffer of the runtime.
function createGrowingBytes(): { add(part: Uint8Array): void; take(): Uint8Array } {
  let buffer = new Uint8Array();
  let size = 0;
  return {
    add(part) {
      if (size + part.length > buffer.length) {
        const larger = new Uint8Array(Math.max(size + part.length, 2 * buffer.length));
        larger.set(buffer.subarray(0, size));
        buffer = larger;
      }
      buffer.set(part, size);
      size += part.length;
    },
    take() {
      const taken = buffer.subarray(0, size);
      buffer = new Uint8Array();
      size = 0;
      return taken;
    },
  };
}

/** The same for lines of a server: throws a `protocol` error naming it for one over the bound. */
export function createServerSplitter(
  server: Named,
  maxBytes = MAX_LINE_BYTES,
): (chunk: Uint8Array) => Uint8Array[] {
  const split = createLineSplitter(maxBytes, () => {
    throw tooLarge(server, "line", maxBytes);
  });
  return (chunk) => split(chunk) as Uint8Array[];
}

function tooLarge(server: Named, what: "line" | "event" | "body", limit: number): AppError {
  return new AppError(
    "protocol",
    `Server ${quoteText(server.name)} sent ${
      what === "event" ? "an" : "a"
    } ${what} over the limit of ${formatBytes(limit)}`,
    { limit: { name: what, limit } },
  );
}

/** The error for a server that writes nothing but what is no message. */
export function tooMuchJunk(
  { name }: Named,
  does: "printed" | "sent",
  what: "lines" | "events",
): AppError {
  return new AppError(
    "protocol",
    `Server ${quoteText(name)} ${does} ${MAX_JUNK_LINES} ${what} in a row that are no messages`,
    { limit: { name: "junk lines", limit: MAX_JUNK_LINES } },
  );
}

/** Told when an event stream is over; `problem` is set when it was refused. */
export type StreamEnd = (problem?: AppError) => void;

/**
 * `response` with a body that can be read safely: an event stream checked event by event as it
 * arrives, anything else read here. `onEnd` is told when an event stream is over, and the problem
 * if one ended it. Once `signal` is aborted nothing more is read and the connection is given up.
 * Throws a `protocol` error naming `server` for a body that is too large.
 */
export async function boundResponse(
  response: Response,
  { server, onEnd, signal }: {
    server: Named;
    onEnd: StreamEnd;
    signal?: AbortSignal | undefined;
  },
): Promise<Response> {
  const init = {
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
  };
  const type = (response.headers.get("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase();
  if (response.body === null) return response;
  // The signal of its request no longer ends the body of a response that nobody holds.
  const piping = signal === undefined ? {} : { signal };
  if (response.ok && type === "text/event-stream") {
    return new Response(
      response.body.pipeThrough(new TextDecoderStream(), piping)
        .pipeThrough(createEventFilter(server, onEnd)).pipeThrough(new TextEncoderStream()),
      init,
    );
  }
  const text = await readBody(response.body.pipeThrough(new TransformStream(), piping), {
    server,
    maxBytes: response.ok ? MAX_LINE_BYTES : MAX_ERROR_BODY_BYTES,
    cut: !response.ok,
  });
  if (response.status === 204 || response.status === 205) return new Response(null, init);
  return new Response(safeBody(text), init);
}

// A single message as it is, or the failed answer in its place; what is no message only when
// parsing it is safe.
function safeBody(text: string): string {
  const frame = readFrame(text);
  if (frame.kind === "refused") return JSON.stringify(frame.answer ?? null);
  return text;
}

async function readBody(
  body: ReadableStream<Uint8Array>,
  { server, maxBytes, cut }: { server: Named; maxBytes: number; cut: boolean },
): Promise<string> {
  const held = createGrowingBytes();
  let room = maxBytes;
  for await (const chunk of body) {
    if (chunk.length > room && !cut) throw tooLarge(server, "body", maxBytes);
    held.add(chunk.subarray(0, room));
    if (chunk.length > room) break;
    room -= chunk.length;
  }
  return new TextDecoder().decode(held.take());
}

// Reads the event stream as the HTML standard says and writes it again in its plainest form, so
// that whoever reads it next cannot see other events in it than were checked here.
function createEventFilter(
  server: Named,
  onEnd: StreamEnd,
): TransformStream<string, string> {
  let line: string[] = [];
  let event = new Map<string, string>();
  let size = 0;
  let junk = 0;
  let afterReturn = false;
  const refuse = (problem: AppError): never => {
    onEnd(problem);
    throw problem;
  };
  const endLine = (): string | undefined => {
    const text = line.join("");
    line = [];
    if (text !== "") {
      addField(event, text);
      return undefined;
    }
    const whole = writeEvent(event);
    junk = whole === "" ? junk + 1 : whole === undefined ? junk : 0;
    if (junk >= MAX_JUNK_LINES) refuse(tooMuchJunk(server, "sent", "events"));
    event = new Map();
    size = 0;
    return whole;
  };
  return new TransformStream({
    transform(chunk, controller) {
      const text = afterReturn && chunk.startsWith("\n") ? chunk.slice(1) : chunk;
      afterReturn = chunk.endsWith("\r");
      for (const [index, part] of text.split(/\r\n|\n|\r/).entries()) {
        const whole = index === 0 ? undefined : endLine();
        if (whole) controller.enqueue(whole);
        line.push(part);
        size += part.length;
        if (size > MAX_LINE_BYTES) refuse(tooLarge(server, "event", MAX_LINE_BYTES));
      }
    },
    flush: () => onEnd(),
    cancel: () => onEnd(),
  });
}

function addField(event: Map<string, string>, line: string): void {
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  if (!EVENT_FIELDS.has(name)) return;
  const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
  const before = name === "data" ? event.get("data") : undefined;
  event.set(name, before === undefined ? value : `${before}\n${value}`);
}

const EVENT_FIELDS: ReadonlySet<string> = new Set(["event", "data", "id", "retry"]);

// Empty for one that should be a message and is none; undefined for one that says nothing.
function writeEvent(event: ReadonlyMap<string, string>): string | undefined {
  let data = event.get("data");
  const type = event.get("event") ?? "message";
  if (data !== undefined && data !== "" && type === "message") {
    const frame = readFrame(data);
    if (frame.kind === "junk" || (frame.kind === "refused" && frame.answer === undefined)) {
      return "";
    }
    data = JSON.stringify(frame.kind === "message" ? frame.message : frame.answer);
  }
  const lines: string[] = [];
  const id = event.get("id");
  const retry = event.get("retry");
  if (type !== "message") lines.push(`event: ${type}`);
  if (id !== undefined && !id.includes("\0")) lines.push(`id: ${id}`);
  if (retry !== undefined && /^\d{1,9}$/.test(retry)) {
    lines.push(`retry: ${Math.max(Number(retry), MIN_RECONNECT_MS)}`);
  }
  if (data !== undefined) lines.push(...data.split("\n").map((line) => `data: ${line}`));
  return lines.length === 0 ? undefined : `${lines.join("\n")}\n\n`;
}
