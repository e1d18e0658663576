// What crosses the bridge: parameters out and answers in, of the right form and bounded in size and
// depth. What is in them is not judged here.

import { AppError, ToolError } from "./errors.ts";
import { type Digest, digestOfJson } from "./hash.ts";
import { formatBytes, MAX_JSON_DEPTH, MAX_PARAMS_BYTES, MAX_RESULT_BYTES } from "./limits.ts";
import type { ServerName, ToolName } from "./names.ts";
import type { JsonObject } from "./server.ts";
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

/** The parameters' JSON text and digest; they must be an object, bounded in size and depth. */
export function checkParams(server: ServerName, tool: ToolName, params: unknown): SentParams {
  const called = `Call of "${server}/${cleanLine(tool, 80)}"`;
  if (typeof params !== "object" || params === null || Array.isArray(params)) {
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
  if (bytes <= MAX_PARAMS_BYTES) return sent;
  throw new AppError(
    "invalid",
    `${called} has parameters of ${formatBytes(bytes)}, over the limit of ${
      formatBytes(MAX_PARAMS_BYTES)
    }`,
    { limit: { name: "params", limit: MAX_PARAMS_BYTES, value: bytes } },
  );
}

function sentParams(params: object, json: string): SentParams {
  let digest: Digest | undefined;
  return { json, bytes: byteLength(json), digest: () => digest ??= digestOfJson(params) };
}

/** A server's answer to `tools/call` as a result; it must have content and fit the bound. */
export function checkResult(server: ServerName, tool: ToolName, raw: unknown): ToolResult {
  const called = `Tool "${server}/${cleanLine(tool, 80)}"`;
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    throw new AppError("protocol", `${called} answered without a result object`);
  }
  const answer = raw as JsonObject;
  const content = answer["content"] ?? [];
  if (!Array.isArray(content) || !content.every((item) => typeof item === "object" && item)) {
    throw new AppError("protocol", `${called} answered with content that is not a list of blocks`);
  }
  if (answer["isError"] === true) {
    const words = content.map((block) => typeof block.text === "string" ? block.text : "");
    const text = cleanLine(words.join("\n"), 2000);
    throw new ToolError(
      server,
      tool,
      `${called} failed: ${text === "" ? "no reason given" : text}`,
    );
  }
  const value = toolValue(answer);
  const json = JSON.stringify(value) ?? "null";
  const bytes = byteLength(json);
  if (bytes <= MAX_RESULT_BYTES) return { value, json, raw: answer };
  throw new AppError(
    "limit",
    `${called} answered with ${formatBytes(bytes)}, over the limit of ${
      formatBytes(MAX_RESULT_BYTES)
    }`,
    { limit: { name: "result", limit: MAX_RESULT_BYTES, value: bytes } },
  );
}

/**
 * What a program gets of a tool's answer: the structured content when there is one, else a lone
 * text block (parsed when it is a JSON object or array of bounded depth), else the content blocks.
 */
export function toolValue(answer: JsonObject): unknown {
  const structured = answer["structuredContent"];
  if (structured !== undefined && structured !== null) return structured;
  const content = (answer["content"] ?? []) as readonly JsonObject[];
  const lone = content.length === 1 ? content[0]! : undefined;
  if (lone?.["type"] !== "text" || typeof lone["text"] !== "string") return content;
  const text = lone["text"];
  if (!/^\s*[[{]/.test(text)) return text;
  if (scanJson(text).depth > MAX_JSON_DEPTH) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
