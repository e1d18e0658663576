// What of results stays on the host: binary content, and what is too large for a program, become
// handles; handles in parameters become their content again. A program reads only what its own
// calls gave, what its session kept and what it was given.

import { AppError } from "./errors.ts";
import { type Handle, type HandleId, type HandleStore, isHandleId, type Slice } from "./handles.ts";
import {
  formatBytes,
  HANDLE_PREVIEW_CHARS,
  MAX_FILLED_PARAMS_BYTES,
  MAX_PARAMS_BYTES,
  MAX_RESULT_BYTES,
  MAX_RUN_KEPT_BYTES,
} from "./limits.ts";
import type { SessionId } from "./names.ts";
import { blocksOf, type ToolResult } from "./payloads.ts";
import { isObject, type JsonObject } from "./server.ts";
import { byteLength, quoteText } from "./text.ts";

/** The results of one run, or of one command, as they pass by. */
export interface Results {
  /**
   * The JSON of what a program gets of an answer; `called` names the call in errors. What is over
   * `MAX_RESULT_BYTES` is kept, and a handle object stands for it; where the server promised a type,
   * a `limit` error that holds the object instead.
   */
  hold(called: string, result: ToolResult): Promise<string>;
  /** What a person gets of an answer: all of it but binary blocks, which become handles. */
  show(called: string, result: ToolResult): Promise<{ value: unknown; json: string }>;
  /** A server's whole answer with handles for its binary blocks. */
  holdAnswer(called: string, answer: JsonObject): Promise<JsonObject>;
  /** Content blocks, or contents of resources, with handles for what is binary in them. */
  holdBlocks(called: string, blocks: readonly unknown[]): Promise<unknown[]>;
  /** What to throw for a call's error, its content made ready for a program. */
  holdError(called: string, error: unknown): Promise<unknown>;
  /**
   * `params` with the content of each handle in its place: `{"$handle": id}`, a block or a handle
   * object becomes text, base64 for what is binary. Its depth must be bounded by the caller.
   */
  fill(params: unknown): Promise<unknown>;
  /** A handle's content or a slice of it in bytes, as text, base64 for what is binary. */
  read(reference: unknown, slice?: unknown): Promise<string>;
  /** A handle's whole content. */
  content(reference: unknown): Promise<Uint8Array>;
}

/** Whose results they are. */
export interface ResultOptions {
  readonly handles: HandleStore;
  /** Keeps what is made for later runs of it, which may read it. */
  readonly session?: SessionId | undefined;
  /** What the program is called with: handles in it may be read. */
  readonly args?: unknown;
  /** Whether every handle may be read: for the person at the command line. */
  readonly isTrusted?: boolean;
  /** What may be kept in all; `MAX_RUN_KEPT_BYTES` unless given. */
  readonly maxBytes?: number;
}

/** What stands for a value that was kept. */
interface HandleObject {
  readonly handle: HandleId;
  readonly type: string;
  readonly bytes: number;
  /** The start of it. */
  readonly preview: string;
}

/** The results of one run over the handles of this machine. */
export function createResults(options: ResultOptions): Results {
  const { handles, session, args, isTrusted = false, maxBytes = MAX_RUN_KEPT_BYTES } = options;
  const readable = new Set<string>(idsIn(args));
  let keptBytes = 0;

  function mayRead(id: string): boolean {
    return isTrusted || readable.has(id) || (session !== undefined && handles.isOf(session, id));
  }

  async function keep(data: string | Uint8Array, type: string): Promise<Handle> {
    keptBytes += data.length;
    if (keptBytes > maxBytes) {
      const limit = formatBytes(maxBytes);
      throw new AppError("limit", `Results kept for this run are more than ${limit}`, {
        limit: { name: "kept results", limit: maxBytes, value: keptBytes },
      });
    }
    const handle = await handles.keep(data, { type, ...(session !== undefined && { session }) });
    readable.add(handle.id);
    return handle;
  }

  async function keepText(text: string, type: string): Promise<HandleObject> {
    const handle = await keep(text, type);
    const preview = text.slice(0, HANDLE_PREVIEW_CHARS).replace(/[\ud800-\udbff]$/, "");
    return { handle: handle.id, type: handle.type, bytes: handle.bytes, preview };
  }

  async function holdBinary(called: string, block: JsonObject, key: string): Promise<JsonObject> {
    const { [key]: data, ...rest } = block;
    const type = typeof block["mimeType"] === "string" ? block["mimeType"] : "";
    const { id, bytes } = await keep(decodeBase64(called, data as string), type);
    return { ...rest, bytes, handle: id };
  }

  async function holdBlock(called: string, block: unknown): Promise<unknown> {
    if (!isObject(block)) return block;
    if (typeof block["blob"] === "string") return await holdBinary(called, block, "blob");
    const { type, resource } = block;
    if (type === "resource" && isObject(resource) && typeof resource["blob"] === "string") {
      return { ...block, resource: await holdBinary(called, resource, "blob") };
    }
    const isBinary = (type === "image" || type === "audio") && typeof block["data"] === "string";
    return isBinary ? await holdBinary(called, block, "data") : block;
  }

  async function holdBlocks(called: string, blocks: readonly unknown[]): Promise<unknown[]> {
    const held: unknown[] = [];
    for (const block of blocks) held.push(await holdBlock(called, block));
    return held;
  }

  /** The handle that an object in parameters stands for. */
  function referenceOf(value: JsonObject): HandleId | undefined {
    const { $handle, handle, bytes, type, resource } = value;
    if (typeof $handle === "string" && Object.keys(value).length === 1) return need($handle).id;
    if (type === "resource" && isObject(resource)) return referenceOf(resource);
    // What only looks like one of ours may be somebody else's.
    const isOurs = isHandleId(handle) && typeof bytes === "number" && mayRead(handle);
    return isOurs ? need(handle).id : undefined;
  }

  function need(id: string): Handle {
    const handle = mayRead(id) ? handles.find(id) : undefined;
    if (handle !== undefined) return handle;
    // Of one that is not the program's to read nothing is told, not even whether there is one.
    throw new AppError("invalid", `Handle ${quoteText(id)} is not known here, or has expired`, {
      hint: isTrusted
        ? "handles last for a day: run the program that made it once more"
        : "a program reads handles of its own calls, of its --session and in its --args",
    });
  }

  function handleOf(reference: unknown): Handle {
    if (typeof reference === "string") return need(reference);
    const id = isObject(reference) ? referenceOf(reference) : undefined;
    if (id !== undefined) return need(id);
    const named = isObject(reference) ? reference["handle"] : undefined;
    if (typeof named === "string") return need(named);
    throw new AppError("invalid", "Expected a handle: its name, or what a call gave for it");
  }

  async function contentOf(id: HandleId): Promise<string> {
    const data = await handles.read(id);
    return handles.find(id)?.isText === true ? UTF8.decode(data) : data.toBase64();
  }

  async function show(called: string, result: ToolResult): ReturnType<Results["show"]> {
    const blocks = blocksOf(result.raw);
    if (blocks === undefined || blocks.every((block) => typeof block["text"] === "string")) {
      return result;
    }
    const value = await holdBlocks(called, blocks);
    return { value, json: JSON.stringify(value) };
  }

  return {
    show,
    async hold(called, result) {
      const { json } = await show(called, result);
      if (fits(json, MAX_RESULT_BYTES)) return json;
      const isPlain = typeof result.value === "string";
      const kept = isPlain
        ? await keepText(result.value as string, "text/plain")
        : await keepText(json, "application/json");
      if (isPlain || !isPromised(result.raw)) return JSON.stringify(kept);
      const size = `${formatBytes(kept.bytes)}, more than the ${formatBytes(MAX_RESULT_BYTES)}`;
      throw new AppError("limit", `${called} answered with ${size} that a program can take`, {
        hint: `it is kept: readResult("${kept.handle}", { start: 0, end: 100000 })`,
        limit: { name: "result", limit: MAX_RESULT_BYTES, value: kept.bytes },
        content: [kept],
      });
    },
    async holdAnswer(called, answer) {
      const content = answer["content"];
      return Array.isArray(content)
        ? { ...answer, content: await holdBlocks(called, content) }
        : answer;
    },
    holdBlocks,
    async holdError(called, error) {
      if (!(error instanceof AppError) || error.content === undefined) return error;
      const held = await holdBlocks(called, error.content).catch(() => []);
      const json = JSON.stringify(held);
      const content = fits(json, MAX_PARAMS_BYTES)
        ? held
        : await keepText(json, "application/json").then((kept) => [kept], () => []);
      return new AppError(error.kind, error.message, { ...error, content });
    },
    async fill(params) {
      const found = new Map<JsonObject, HandleId>();
      let bytes = 0;
      const open: unknown[] = [params];
      while (open.length > 0) {
        const value = open.pop();
        if (typeof value !== "object" || value === null) continue;
        const id = isObject(value) ? referenceOf(value) : undefined;
        if (id === undefined) {
          for (const item of Object.values(value)) open.push(item);
          continue;
        }
        found.set(value as JsonObject, id);
        const handle = need(id);
        bytes += handle.isText ? handle.bytes : Math.ceil(handle.bytes / 3) * 4;
        if (bytes <= MAX_FILLED_PARAMS_BYTES) continue;
        throw new AppError(
          "invalid",
          `Handles in the parameters make ${formatBytes(bytes)}, over the limit of ${
            formatBytes(MAX_FILLED_PARAMS_BYTES)
          }`,
          { limit: { name: "params", limit: MAX_FILLED_PARAMS_BYTES, value: bytes } },
        );
      }
      if (found.size === 0) return params;
      const contents = new Map<HandleId, string>();
      for (const id of found.values()) contents.set(id, contents.get(id) ?? await contentOf(id));
      return replace(params, (value) => {
        const id = found.get(value);
        return id === undefined ? undefined : contents.get(id);
      });
    },
    async read(reference, slice) {
      const handle = handleOf(reference);
      const data = await handles.read(handle.id, toSlice(slice));
      if (data.length > MAX_RESULT_BYTES) {
        const limit = formatBytes(MAX_RESULT_BYTES);
        throw new AppError(
          "limit",
          `Handle "${handle.id}" holds ${formatBytes(handle.bytes)}, more than ${limit}`,
          {
            hint: "read it in slices: readResult(handle, { start: 0, end: 1000000 })",
            limit: { name: "result", limit: MAX_RESULT_BYTES, value: data.length },
          },
        );
      }
      return handle.isText ? UTF8.decode(data) : data.toBase64();
    },
    content: async (reference) => await handles.read(handleOf(reference).id),
  };
}

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Whether a server said of what type its answer is. */
function isPromised(answer: JsonObject): boolean {
  return answer["structuredContent"] !== undefined && answer["structuredContent"] !== null;
}

function fits(json: string, bytes: number): boolean {
  return json.length * 3 <= bytes || (json.length <= bytes && byteLength(json) <= bytes);
}

function idsIn(args: unknown): string[] {
  const text = args === undefined ? "" : JSON.stringify(args) ?? "";
  return Array.from(text.matchAll(/"(h[a-z2-7]{26})"/g), (match) => match[1]!);
}

function decodeBase64(called: string, text: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    throw new AppError("protocol", `${called} answered with binary content that is not base64`);
  }
}

function toSlice(value: unknown): Slice {
  if (value === undefined || value === null) return {};
  const { start, end } = isObject(value) ? value : { start: NaN };
  const isNumber = (one: unknown) => one === undefined || typeof one === "number";
  if (!isNumber(start) || !isNumber(end)) {
    throw new AppError("invalid", "Expected a slice such as { start: 0, end: 1000 }");
  }
  return {
    ...(start !== undefined && { start: start as number }),
    ...(end !== undefined && { end: end as number }),
  };
}

function replace(
  value: unknown,
  contentOf: (value: JsonObject) => string | undefined,
): unknown {
  if (Array.isArray(value)) return value.map((item) => replace(item, contentOf));
  if (!isObject(value)) return value;
  return contentOf(value) ?? Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, replace(item, contentOf)]),
  );
}
