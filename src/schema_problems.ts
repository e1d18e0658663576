// What a validator found, in words for whoever wrote the call: where, what was wanted, what kind of
// value came. Values are never repeated, only names of members.

import type { ErrorObject } from "ajv";
import { nearestNames } from "./names.ts";
import { toTypeModel } from "./schema.ts";
import type { PlainSchema } from "./schema_plain.ts";
import { pointerParts } from "./schema_reference.ts";
import type { JsonObject } from "./server.ts";
import { cleanLine, quoteText } from "./text.ts";
import { printType } from "./type_text.ts";

/** What problems are described with. */
export interface ProblemContext {
  /** The whole value that was checked. */
  readonly value: unknown;
  /** The schema it was checked against. */
  readonly plain: PlainSchema;
  /** What a member is called, such as `parameter`. */
  readonly subject: string | undefined;
}

const MAX_PROBLEMS = 5;
// Problems that are put into words, to see which are the same, and names that one may be a slip of:
// there may be thousands of both.
const MAX_DESCRIBED = 20;
const MAX_NEAR = 1_000;
const MAX_TYPE_CHARS = 200;

/** At least one line for what `errors` say of the value, each safe to show; at most five. */
export function describeProblems(
  errors: readonly ErrorObject[],
  context: ProblemContext,
): readonly string[] {
  const main = mainErrors(errors);
  const missing = main.filter(({ keyword }) => keyword === "required");
  const explained = new Set<string>();
  const lines = missing.slice(0, MAX_DESCRIBED).map((error) =>
    describeMissing(error, { ...context, explained })
  );
  const others = main.filter((error) => {
    const extra = extraName(error);
    return error.keyword !== "required" &&
      (extra === undefined || !explained.has(`${error.instancePath}/${extra}`));
  });
  const room = MAX_DESCRIBED - lines.length;
  lines.push(...others.slice(0, room).map((error) => describe(error, context)));
  const unique = [...new Set(lines)];
  const more = missing.length + others.length - lines.length + unique.length - MAX_PROBLEMS;
  return more > 0 ? [...unique.slice(0, MAX_PROBLEMS), `and ${more} more`] : unique;
}

// A choice says all that its alternatives say; a condition says nothing.
function mainErrors(errors: readonly ErrorObject[]): ErrorObject[] {
  const choices = new Map<string, number>();
  for (const [at, { instancePath, keyword, propertyName }] of errors.entries()) {
    const isChoice = keyword === "anyOf" || keyword === "oneOf";
    if (isChoice && propertyName === undefined) choices.set(instancePath, at);
  }
  const kept = errors.filter(({ instancePath, propertyName }, at) =>
    propertyName === undefined &&
    !pathsTo(instancePath).some((path) => (choices.get(path) ?? -1) > at)
  );
  const telling = kept.filter(({ keyword }) => keyword !== "if");
  return telling.length > 0 ? telling : kept;
}

/** A pointer and those to whatever holds what it points to. */
function pathsTo(pointer: string): string[] {
  const parts = pointer.split("/");
  return parts.map((_, at) => parts.slice(0, at + 1).join("/"));
}

function extraName({ keyword, params }: ErrorObject): string | undefined {
  if (keyword === "additionalProperties") return params["additionalProperty"];
  if (keyword === "unevaluatedProperties") return params["unevaluatedProperty"];
  return keyword === "propertyNames" ? params["propertyName"] : undefined;
}

function describeMissing(
  error: ErrorObject,
  context: ProblemContext & { readonly explained: Set<string> },
): string {
  const { instancePath, params, parentSchema } = error;
  const name: string = params["missingProperty"];
  const properties = propertiesOf(parentSchema);
  const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
  const type = schema === undefined ? "" : ` (${typeText(schema, context)})`;
  const unknown = Object.keys(at(context.value, pointerParts(instancePath)) ?? {})
    .filter((key) => !Object.hasOwn(properties, key)).slice(0, MAX_NEAR);
  const [near] = nearestNames(name, unknown);
  if (near !== undefined) context.explained.add(`${instancePath}/${near}`);
  return `${nameOf([...pointerParts(instancePath), name], context)}${type} is missing` +
    (near === undefined ? "" : `, ${quoteText(near)} is not known`);
}

function describe(error: ErrorObject, context: ProblemContext): string {
  const parts = pointerParts(error.instancePath);
  const extra = extraName(error);
  if (extra !== undefined) {
    const known = Object.keys(propertiesOf(error.parentSchema));
    const near = nearestNames(extra, known);
    return `${nameOf([...parts, extra], context)} is not known` +
      (near.length > 0 ? guess(near) : listOf(known));
  }
  return `${nameOf(parts, context)} ${complaint(error, context)}`;
}

function complaint(error: ErrorObject, context: ProblemContext): string {
  const { keyword, params, parentSchema } = error;
  const value = at(context.value, pointerParts(error.instancePath));
  const size = `got ${sizeOf(value)}`;
  const wanted = (schema: JsonObject, isAnother = false) => {
    const type = typeText(schema, context);
    const fault = type === "unknown" ? "fits none of its alternatives" : `must be ${type}`;
    return `${fault}, got ${kindOf(value, isAnother ? "another" : "a")}`;
  };
  const only = (key: string, values: readonly unknown[] = []) =>
    wanted({ [key]: parentSchema?.[key] }, values.some((item) => typeof item === typeof value));
  switch (keyword) {
    case "type":
      return typeof value === "number" && [params["type"]].flat().includes("integer")
        ? "must be a whole number"
        : wanted(parentSchema ?? {});
    case "enum": {
      const values: readonly unknown[] = params["allowedValues"];
      const names = values.filter((item) => typeof item === "string");
      const near = typeof value === "string" ? nearestNames(value, names) : [];
      return `${only("enum", values)}${guess(near)}`;
    }
    case "const":
      return only("const", [params["allowedValue"]]);
    case "anyOf":
      return only("anyOf");
    case "oneOf":
      return Array.isArray(params["passingSchemas"])
        ? "fits more than one of its alternatives"
        : only("oneOf");
    case "dependentRequired":
      return `has ${quoteText(params["property"])} and so needs ${
        quoteText(params["missingProperty"])
      }`;
    case "minimum":
    case "maximum":
    case "exclusiveMinimum":
    case "exclusiveMaximum":
      return `must be ${params["comparison"]} ${params["limit"]}`;
    case "multipleOf":
      return `must be a multiple of ${params["multipleOf"]}`;
    case "minLength":
      return `must have at least ${params["limit"]} characters, ${size}`;
    case "maxLength":
      return `must have at most ${params["limit"]} characters, ${size}`;
    case "minItems":
      return `must have at least ${params["limit"]} items, ${size}`;
    case "maxItems":
    case "items":
      return `must have at most ${params["limit"]} items, ${size}`;
    case "minProperties":
      return `must have at least ${params["limit"]} members, ${size}`;
    case "maxProperties":
      return `must have at most ${params["limit"]} members, ${size}`;
    case "uniqueItems":
      return "must not hold an item twice";
    case "false schema":
      return "must not be there";
    default:
      return `does not fit "${keyword}" of its schema`;
  }
}

function guess(near: readonly string[]): string {
  if (near.length === 0) return "";
  return `, did you mean ${near.map((name) => quoteText(name)).join(" or ")}?`;
}

function listOf(names: readonly string[]): string {
  if (names.length === 0 || names.length > 12) return "";
  return `, known are ${names.map((name) => quoteText(name)).join(", ")}`;
}

function propertiesOf(schema: JsonObject | undefined): JsonObject {
  return (schema?.["properties"] ?? {}) as JsonObject;
}

/** The TypeScript type of a part of the schema, on one line. */
function typeText(schema: unknown, { plain }: ProblemContext): string {
  if (typeof schema !== "object" || schema === null) return "unknown";
  const definitions = typeof plain === "object" ? plain["$defs"] : undefined;
  const { root } = toTypeModel({ ...schema, $defs: definitions ?? {} }, { name: "Value" });
  return cleanLine(printType(root, { line: true }), MAX_TYPE_CHARS);
}

function kindOf(value: unknown, article: "a" | "another"): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `${article} ${typeof value}`;
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return [...value].length;
  return Object.keys(value ?? {}).length;
}

function at(value: unknown, parts: readonly string[]): unknown {
  let inner = value;
  for (const part of parts) {
    if (typeof inner !== "object" || inner === null) return undefined;
    inner = (inner as Record<string, unknown>)[part];
  }
  return inner;
}

/** `parameter "a.list[0]"`, or what the whole value is called. */
function nameOf(parts: readonly string[], { value, subject }: ProblemContext): string {
  if (parts.length === 0) return subject === undefined ? "it" : "parameters as a whole";
  const text = parts.map((part, index) =>
    Array.isArray(at(value, parts.slice(0, index))) ? `[${part}]` : index === 0 ? part : `.${part}`
  ).join("");
  return `${subject === undefined ? "" : `${subject} `}${quoteText(text)}`;
}
