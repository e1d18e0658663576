// Parameters of a call as a command line gives them: `key=text`, `key:=json`, `key=@file`. A text
// becomes a number, a boolean or null only where the tool's schema takes nothing else.

import { AppError } from "./errors.ts";
import { parseJsonText } from "./jsonc.ts";
import { MAX_PARAMS_BYTES } from "./limits.ts";
import { readTextFile } from "./read.ts";
import type { JsonObject } from "./server.ts";
import { maskArguments, quoteText } from "./text.ts";

const PARAMETER = /^([^=]+?)(:=|=@|=)(.*)$/s;

/** Whether a word gives a parameter. */
export function isParameter(word: string): boolean {
  return PARAMETER.test(word);
}

/** A parameter: a value, or a text whose type the tool's schema decides. */
export type Parameter = { readonly value: unknown } | { readonly text: string };

/**
 * The parameters of words and of one JSON object, by name; files as seen from `from`. Throws `usage`
 * and `invalid` errors for what is none, or is given twice, and what reading a file throws.
 */
export async function readParams(
  words: readonly string[],
  { json, from }: { readonly json: string | undefined; readonly from: string },
): Promise<ReadonlyMap<string, Parameter>> {
  const params = new Map<string, Parameter>();
  if (json !== undefined) {
    const value = await parseJsonText(json, "--args");
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new AppError("invalid", "Value of --args must be a JSON object");
    }
    for (const [key, item] of Object.entries(value)) params.set(key, { value: item });
  }
  for (const word of words) {
    const [, key, operator, text] = PARAMETER.exec(word) ?? [];
    if (key === undefined || text === undefined) {
      throw new AppError("usage", `Parameter ${quoteText(word)} has no "="`, {
        hint: "write key=text, key:=json or key=@file",
      });
    }
    if (params.has(key)) {
      throw new AppError("usage", `Parameter ${quoteText(key)} is given twice`);
    }
    if (operator === ":=") params.set(key, { value: await parseJsonText(text, `${key}:=`) });
    else if (operator === "=") params.set(key, { text });
    else params.set(key, { value: await readTextFile(text, { maxBytes: MAX_PARAMS_BYTES, from }) });
  }
  return params;
}

/** The values of parameters, texts as the tool's schema takes them; throws `invalid` for others. */
export function valuesOf(
  params: ReadonlyMap<string, Parameter>,
  schema: JsonObject | undefined,
): JsonObject {
  return Object.fromEntries(
    [...params].map(([key, param]) => [
      key,
      "value" in param ? param.value : typedText(param.text, { key, schema }),
    ]),
  );
}

/** `text` as what the schema of parameter `key` takes; as it is where that may be a text. */
function typedText(
  text: string,
  { key, schema }: { key: string; schema: JsonObject | undefined },
): unknown {
  const properties = (schema?.["properties"] ?? {}) as JsonObject;
  const types = Object.hasOwn(properties, key) ? typesOf(properties[key], schema!) : undefined;
  if (types === undefined || types.size === 0 || types.has("string")) return text;
  if (types.has("null") && text === "null") return null;
  if (types.has("boolean") && /^(?:true|false)$/.test(text)) return text === "true";
  if (types.has("number") && /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  throw new AppError(
    "invalid",
    `Parameter ${quoteText(key)} takes ${[...types].map(nounOf).join(" or ")}, got ${
      isShowable(key, text) ? quoteText(text) : "another text"
    }`,
    types.has("object") || types.has("array") ? { hint: `write it as JSON: ${key}:='...'` } : {},
  );
}

const NOUNS: Readonly<Record<string, string>> = {
  number: "a number",
  boolean: "true or false",
  object: "an object",
  array: "a list",
  null: "null",
};

function nounOf(type: string): string {
  return Object.hasOwn(NOUNS, type) ? NOUNS[type]! : quoteText(type);
}

const MAX_SHOWN_CHARS = 20;

// A text may be a secret, which its name or its looks tell where anything does.
function isShowable(key: string, text: string): boolean {
  const flag = `--${key.replace(/[^\w.-]/g, "_")}=${text}`;
  return text.length <= MAX_SHOWN_CHARS && maskArguments([flag])[0] === flag;
}

// The JSON types a schema takes, as far as it says so plainly; undefined where it may be any.
function typesOf(schema: unknown, root: JsonObject, depth = 0): Set<string> | undefined {
  if (typeof schema !== "object" || schema === null || depth > 5) return undefined;
  const { type, $ref, anyOf, oneOf, enum: values, const: value } = schema as JsonObject;
  const name = (item: unknown) => item === "integer" ? "number" : String(item);
  if (type !== undefined) return new Set([type].flat().map(name));
  if (typeof $ref === "string") {
    const [, group, key] = /^#\/(\$defs|definitions)\/([^/~%]+)$/.exec($ref) ?? [];
    const definitions = (root[group ?? ""] ?? {}) as JsonObject;
    return key !== undefined && Object.hasOwn(definitions, key)
      ? typesOf(definitions[key], root, depth + 1)
      : undefined;
  }
  const literals = Array.isArray(values) ? values : value === undefined ? undefined : [value];
  if (literals !== undefined) {
    return new Set(literals.map((item) => item === null ? "null" : typeof item));
  }
  const choices = anyOf ?? oneOf;
  if (!Array.isArray(choices)) return undefined;
  const sets = choices.map((choice) => typesOf(choice, root, depth + 1));
  return sets.some((set) => set === undefined)
    ? undefined
    : new Set(sets.flatMap((set) => [...set!]));
}
