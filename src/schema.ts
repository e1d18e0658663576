// JSON Schema to the type model (2020-12 and draft-07). Sound: a type never refuses what the
// schema accepts. Never throws, never fetches, never executes a pattern.

import type { JsonObject } from "./server.ts";
import type { Member, TypeModel, TypeNode } from "./type_model.ts";

export type { TypeModel, TypeNode } from "./type_model.ts";

/** `schema` as types; what types cannot say or what was not understood is wider, with a warning. */
export function toTypeModel(schema: unknown, options: { readonly name: string }): TypeModel {
  const definitions = new Map<string, TypeNode>();
  const localNames = new Map<string, string>();
  const byPointer = new Map<string, { name: string; type: TypeNode }>();
  const root = schema;
  return { root: convert(schema, 0), definitions, localNames, warnings: [] };

  function convert(schema: unknown, depth: number): TypeNode {
    if (schema === false) return { kind: "never" };
    if (!isObject(schema) || depth > 40) return { kind: "unknown" };
    const reference = schema["$ref"];
    if (typeof reference === "string") {
      const known = byPointer.get(reference);
      if (known !== undefined) return { kind: "reference", to: known };
      const match = /^#\/(?:\$defs|definitions)\/([A-Za-z0-9]+)$/.exec(reference);
      const defs = isObject(root) ? root["$defs"] ?? root["definitions"] : undefined;
      if (match === null || !isObject(defs) || !Object.hasOwn(defs, match[1]!)) {
        return { kind: "unknown" };
      }
      const local = match[1]!.charAt(0).toUpperCase() + match[1]!.slice(1);
      const entry = { name: options.name + local, type: { kind: "unknown" } as TypeNode };
      byPointer.set(reference, entry);
      entry.type = convert(defs[match[1]!], 0);
      definitions.set(entry.name, entry.type);
      localNames.set(entry.name, local);
      return { kind: "reference", to: entry };
    }
    if (Array.isArray(schema["enum"])) return union(schema["enum"].map(literal));
    if (schema["const"] !== undefined) return literal(schema["const"]);
    const choices = schema["anyOf"] ?? schema["oneOf"];
    if (Array.isArray(choices)) return union(choices.map((choice) => convert(choice, depth + 1)));
    const types = Array.isArray(schema["type"]) ? schema["type"] : [schema["type"]];
    return union(types.map((type) => ofType(type, schema, depth)));
  }

  function ofType(type: unknown, schema: JsonObject, depth: number): TypeNode {
    if (type === "integer" || type === "number") return { kind: "number" };
    if (type === "string" || type === "boolean" || type === "null") return { kind: type };
    if (type === "array") return { kind: "array", items: convert(schema["items"], depth + 1) };
    if (type !== "object") return { kind: "unknown" };
    const required = Array.isArray(schema["required"]) ? schema["required"] : [];
    const properties = isObject(schema["properties"]) ? schema["properties"] : {};
    const members = Object.keys(properties).map((key): Member => ({
      key,
      type: convert(properties[key], depth + 1),
      optional: !required.includes(key),
      docs: isObject(properties[key]) ? properties[key] : undefined,
    }));
    const open = schema["additionalProperties"] !== false;
    return {
      kind: "object",
      members,
      index: open ? [{ prefix: undefined, type: { kind: "unknown" } }] : [],
    };
  }
}

function union(types: TypeNode[]): TypeNode {
  if (types.some((type) => type.kind === "unknown")) return { kind: "unknown" };
  return types.length === 1 ? types[0]! : { kind: "union", types };
}

function literal(value: unknown): TypeNode {
  if (value === null) return { kind: "null" };
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? { kind: "literal", value }
    : { kind: "unknown" };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
