// What a change of a tool means for a program that was written against it: nothing, other words, more
// than before, or a break. Decides on the safe side: what it cannot compare counts as a break.

import { canonicalJson } from "./hash.ts";
import { isObject, type JsonObject, type ToolDefinition } from "./server.ts";

/** How a tool changed: other words only, in a way that old calls fit, or so that they may not. */
export type ToolChange = "none" | "text" | "compatible" | "breaking";

/** What the change from `before` to `after` means; `after` is undefined for a tool that is gone. */
export function classifyChange(
  before: ToolDefinition,
  after: ToolDefinition | undefined,
): ToolChange {
  if (after === undefined) return "breaking";
  if (before.digest === after.digest) return "none";
  const [input, newInput] = [before, after].map((tool) => withoutTexts(tool.inputSchema));
  const [output, newOutput] = [before, after].map((tool) =>
    tool.outputSchema && withoutTexts(tool.outputSchema)
  );
  if (isSame(input, newInput) && isSame(output, newOutput)) return "text";
  const fits = stillFits(input, newInput, "input") && stillFits(output, newOutput, "output");
  return fits ? "compatible" : "breaking";
}

type Direction = "input" | "output";

const OBJECT_KEYWORDS = ["properties", "required"];

/**
 * Whether what a program knew as `before` still holds: for an input that all it could send is taken,
 * for an output that all it could read is there.
 */
function stillFits(before: unknown, after: unknown, direction: Direction): boolean {
  if (isSame(before, after)) return true;
  if (!isObject(before) || !isObject(after)) return false;
  if (!isSame(without(before, OBJECT_KEYWORDS), without(after, OBJECT_KEYWORDS))) {
    return listFits(before, after, direction) || itemsFit(before, after, direction);
  }
  const [old, current] = [before, after].map((schema) => recordOf(schema["properties"]));
  const [oldRequired, required] = [before, after].map((schema) => namesOf(schema["required"]));
  const isStrict = direction === "input"
    ? required!.every((name) => oldRequired!.includes(name))
    : oldRequired!.every((name) => required!.includes(name));
  // A name that is new was one of all others before.
  const others = recordOf(before["additionalProperties"]);
  const isOpen = Object.keys(others).length === 0;
  return isStrict && Object.keys(old!).every((name) => Object.hasOwn(current!, name)) &&
    Object.entries(current!).every(([name, schema]) =>
      Object.hasOwn(old!, name)
        ? stillFits(old![name], schema, direction)
        : isOpen || stillFits(others, schema, direction)
    );
}

// A choice of values may grow where it is sent, and shrink where it is read.
function listFits(before: JsonObject, after: JsonObject, direction: Direction): boolean {
  if (!isSame(without(before, ["enum"]), without(after, ["enum"]))) return false;
  const [old, current] = [before, after].map(({ enum: values }) =>
    Array.isArray(values) ? values.map((value) => canonicalJson(value)) : undefined
  );
  const [wide, narrow] = direction === "input" ? [current, old] : [old, current];
  return wide === undefined || (narrow ?? [""]).every((value) => wide.includes(value));
}

function itemsFit(before: JsonObject, after: JsonObject, direction: Direction): boolean {
  return isObject(before["items"]) && isObject(after["items"]) &&
    isSame(without(before, ["items"]), without(after, ["items"])) &&
    stillFits(before["items"], after["items"], direction);
}

const TEXTS = new Set(["title", "description", "$comment", "examples", "deprecated"]);
const MAPS = new Set([
  ...["properties", "patternProperties", "$defs", "definitions"],
  ...["dependentSchemas", "dependentRequired", "dependencies"],
]);
const VALUES = new Set(["enum", "const", "default", "required"]);

// Properties may be named like keywords, so maps of schemas are told from schemas.
function withoutTexts(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutTexts);
  if (!isObject(schema)) return schema;
  const kept = Object.entries(schema).filter(([key]) => !TEXTS.has(key));
  return Object.fromEntries(kept.map(([key, value]) => {
    if (VALUES.has(key)) return [key, value];
    if (!MAPS.has(key) || !isObject(value)) return [key, withoutTexts(value)];
    const entries = Object.entries(value).map(([name, item]) => [name, withoutTexts(item)]);
    return [key, Object.fromEntries(entries)];
  }));
}

function without(schema: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !keys.includes(key)));
}

function isSame(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

function recordOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function namesOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
