// The start of a large value for whoever cannot take all of it: its first bytes, its shape, its size
// in tokens and a handle to the whole. Nothing is left out without saying so.

import type { HandleId, HandleStore } from "./handles.ts";
import type { SessionId } from "./names.ts";
import { isObject } from "./server.ts";
import { countTokens } from "./stats.ts";
import { byteLength, cleanLine } from "./text.ts";

/** What is shown in place of a value that is larger than was asked for. */
export interface Preview {
  /** The first bytes of the text, or of the JSON of anything else. */
  readonly preview: string;
  /** Its form, such as `{ id: number, name: string }[500]`. */
  readonly shape: string;
  /** Size of the whole. */
  readonly bytes: number;
  /** About what the whole takes. */
  readonly tokens: number;
  /** Where the whole is. */
  readonly handle: HandleId;
}

/** How a preview is made. */
export interface PreviewOptions {
  readonly maxBytes: number;
  readonly handles: HandleStore;
  readonly session?: SessionId | undefined;
}

/** The preview of a JSON value; undefined for one that is no larger than `maxBytes`. */
export async function makePreview(
  value: unknown,
  { maxBytes, handles, session }: PreviewOptions,
): Promise<Preview | undefined> {
  const isText = typeof value === "string";
  const text = isText ? value : JSON.stringify(value) ?? "null";
  if (text.length <= maxBytes && byteLength(text) <= maxBytes) return undefined;
  const { id, bytes } = await handles.keep(text, {
    type: isText ? "text/plain" : "application/json",
    ...(session !== undefined && { session }),
  });
  return {
    preview: startOf(text, maxBytes),
    shape: shapeOf(value),
    bytes,
    tokens: countTokens(text),
    handle: id,
  };
}

/** At most `maxBytes` of a text as UTF-8, without a part of a character. */
function startOf(text: string, maxBytes: number): string {
  const start = text.slice(0, maxBytes);
  const { read } = new TextEncoder().encodeInto(start, new Uint8Array(maxBytes));
  return start.slice(0, read).replace(/[\ud800-\udbff]$/, "");
}

const MAX_SHAPE_CHARS = 600;
const MAX_DEPTH = 6;
const MAX_KEYS = 16;
const MAX_SAMPLES = 50;

/** The form of a JSON value in one line, as much of it as fits; of lists their first items count. */
export function shapeOf(value: unknown): string {
  if (typeof value === "string") {
    const lines = value.split("\n").length;
    return `string of ${value.length} characters${lines > 1 ? ` in ${lines} lines` : ""}`;
  }
  for (let depth = MAX_DEPTH; depth > 0; depth--) {
    const shape = shapeOfAll([value], depth);
    if (shape.length <= MAX_SHAPE_CHARS) return shape;
  }
  return shapeOfAll([value], 0);
}

/** The form of values that stand in the same place. */
function shapeOfAll(values: readonly unknown[], depth: number): string {
  const arrays = values.filter(Array.isArray) as unknown[][];
  const objects = values.filter(isObject);
  const plain = values.filter((value) => typeof value !== "object" || value === null);
  const forms = new Set<string>(plain.map((value) => value === null ? "null" : typeof value));
  if (objects.length > 0) forms.add(depth === 0 ? "{...}" : shapeOfObjects(objects, depth));
  if (arrays.length > 0) {
    const lengths = arrays.map((items) => items.length);
    const [least, most] = [Math.min(...lengths), Math.max(...lengths)];
    const items = arrays.flatMap((items) => items.slice(0, MAX_SAMPLES)).slice(0, MAX_SAMPLES);
    const item = items.length === 0 ? "" : depth === 0 ? "..." : shapeOfAll(items, depth - 1);
    const count = least === most ? `${least}` : `${least} to ${most}`;
    forms.add(`${item.includes(" | ") ? `(${item})` : item}[${count}]`);
  }
  return [...forms].join(" | ");
}

function shapeOfObjects(objects: readonly Readonly<Record<string, unknown>>[], depth: number) {
  const keys = [...new Set(objects.flatMap((object) => Object.keys(object)))];
  const members = keys.slice(0, MAX_KEYS).map((key) => {
    const values = objects.filter((object) => Object.hasOwn(object, key)).map((one) => one[key]);
    const name = /^[A-Za-z_$][\w$]{0,59}$/.test(key) ? key : JSON.stringify(cleanLine(key, 40));
    return `${name}${values.length < objects.length ? "?" : ""}: ${shapeOfAll(values, depth - 1)}`;
  });
  if (keys.length > MAX_KEYS) members.push(`and ${keys.length - MAX_KEYS} more`);
  return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}
