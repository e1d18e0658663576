// What crosses the bridge: parameters out and answers in, of the right form and bounded in size and
// depth. What is in them is not judged here.

import { AppError, ToolError } from "./errors.ts";
import { type Digest, digestOfJson } from "./hash.ts";
import { formatBytes, MAX_HANDLE_BYTES, MAX_JSON_DEPTH, MAX_PARAMS_BYTES } from "./limits.ts";
import type { ServerName, ToolName } from "./names.ts";
import { isObject, type JsonObject } from "./server.ts";
import { byteLength, cleanLine } from "./text.ts";
import { depthOf, scanJson } from "./wire.ts";

/** What a tool answered. */
export interface ToolResult {
  /** What a program gets: see `toolValue`. */
  readonly value: unknown;
  /** `value` as JSON text. */
  readonly json: string;
  /** The answer as the server gave it. */
  readonly raw: JsonObject;
}

/** Parameters as they are sent. */
export interface SentParams {
  readonly json: string;
  readonly bytes: number;
  /** Of the canonical form, made when it is first wanted. */
  digest(): Digest;
}

/** What stands for parameters that could not be read. */
export const NO_PARAMS: SentParams = sentParams({}, "{}");

/**
 * The parameters' JSON text and digest; they must be an object, bounded in depth and size (at most
 * `MAX_PARAMS_BYTES` unless more is said).
 */
export function checkParams(
  { server, tool }: { readonly server: ServerName; readonly tool: ToolName },
  params: unknown,
  { maxBytes = MAX_PARAMS_BYTES }: { readonly maxBytes?: number | undefined } = {},
): SentParams {
  const called = `Call of "${server}/${cleanLine(tool, 80)}"`;
  if (!isObject(params)) {
    throw new AppError("invalid", `${called} needs an object as parameters`);
  }
  if (depthOf(params) > MAX_JSON_DEPTH) {
    throw new AppError("invalid", `${called} has parameters nested deeper than ${MAX_JSON_DEPTH}`, {
      limit: { name: "depth", limit: MAX_JSON_DEPTH },
    });
  }
  const json = JSON.stringify(params);
  const sent = sentParams(params, json);
  const { bytes } = sent;
  if (bytes <= maxBytes) return sent;
  throw new AppError(
    "invalid",
    `${called} has parameters of ${formatBytes(bytes)}, over the limit of ${formatBytes(maxBytes)}`,
    { limit: { name: "params", limit: maxBytes, value: bytes } },
  );
}

function sentParams(params: object, json: string): SentParams {
  let digest: Digest | undefined;
  return { json, bytes: byteLength(json), digest: () => digest ??= digestOfJson(params) };
}

/** A server's answer to `tools/call` as a result; it must have content and fit the bound. */
export function checkResult(server: ServerName, tool: ToolName, raw: unknown): ToolResult {
  const called = `Tool "${server}/${cleanLine(tool, 80)}"`;
  if (!isObject(raw)) {
    throw new AppError("protocol", `${called} answered without a result object`);
  }
  const content = raw["content"] ?? [];
  if (!Array.isArray(content) || !content.every((item) => typeof item === "object" && item)) {
    throw new AppError("protocol", `${called} answered with content that is not a list of blocks`);
  }
  if (raw["isError"] === true) {
    const words = content.map((block) => typeof block.text === "string" ? block.text : "");
    const text = cleanLine(words.join("\n"), 2000);
    throw new ToolError(`${called} failed: ${text === "" ? "no reason given" : text}`, { content });
  }
  const value = toolValue(raw);
  const json = JSON.stringify(value) ?? "null";
  const bytes = byteLength(json);
  if (bytes <= MAX_HANDLE_BYTES) return { value, json, raw };
  throw new AppError(
    "limit",
    `${called} answered with ${formatBytes(bytes)}, over the limit of ${
      formatBytes(MAX_HANDLE_BYTES)
    }`,
    { limit: { name: "result", limit: MAX_HANDLE_BYTES, value: bytes } },
  );
}

/** A server's answer to a request beside those of tools; it must be an object and fit the bound. */
export function checkAnswer(
  { server, method }: { readonly server: ServerName; readonly method: string },
  raw: unknown,
): ToolResult {
  const asked = `Answer of server "${server}" to ${method}`;
  if (!isObject(raw)) throw new AppError("protocol", `${asked} is no object`);
  const json = JSON.stringify(raw);
  const bytes = byteLength(json);
  if (bytes <= MAX_HANDLE_BYTES) return { value: raw, json, raw };
  const size = `${formatBytes(bytes)}, over the limit of ${formatBytes(MAX_HANDLE_BYTES)}`;
  throw new AppError("limit", `${asked} is ${size}`, {
    limit: { name: "result", limit: MAX_HANDLE_BYTES, value: bytes },
  });
}

/** The content blocks of an answer that is nothing else to a program; see `toolValue`. */
export function blocksOf(answer: JsonObject): readonly JsonObject[] | undefined {
  const structured = answer["structuredContent"];
  if (structured !== undefined && structured !== null) return undefined;
  const content = (answer["content"] ?? []) as readonly JsonObject[];
  const [first] = content;
  const isText = content.length === 1 && first!["type"] === "text" &&
    typeof first!["text"] === "string";
  return isText ? undefined : content;
}

/**
 * What a program gets of a tool's answer: the structured content when there is one, else a lone
 * text block (parsed when it is a JSON object or array of bounded depth), else the content blocks.
 */
export function toolValue(answer: JsonObject): unknown {
  const blocks = blocksOf(answer);
  if (blocks !== undefined) return blocks;
  const structured = answer["structuredContent"];
  if (structured !== undefined && structured !== null) return structured;
  const text = (answer["content"] as readonly JsonObject[])[0]!["text"] as string;
  if (!/^\s*[[{]/.test(text)) return text;
  if (scanJson(text).depth > MAX_JSON_DEPTH) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
