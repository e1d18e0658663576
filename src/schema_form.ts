// The object and array keywords of one schema as shapes, and `unevaluated...` closing shapes.
// Patterns of keys are only ever looked at: one that is not a plain prefix counts as unknown.

import { MAX_TYPE_ALTERNATIVES } from "./limits.ts";
import type { Scope } from "./schema_reference.ts";
import {
  ANY_ARRAY,
  ANY_OBJECT,
  ANYTHING,
  type ArrayShape,
  arrayShape,
  extraMeet,
  type Meet,
  NOTHING,
  type ObjectShape,
  SEEN_ITEMS,
  SEEN_KEYS,
  type SeenKeys,
  type ShapeMember,
  UNSEEN_KEYS,
} from "./schema_shape.ts";
import { type SchemaNode, type SchemaTable } from "./schema_table.ts";
import { isObject, type JsonObject } from "./server.ts";

/** The objects that the object keywords of `node` accept; none when they accept no object. */
export function objectForm(node: SchemaNode, table: SchemaTable): ObjectShape | undefined {
  const { schema, scope } = node;
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const additional = schema["additionalProperties"];
  const keys = Object.keys(properties).sort();
  const required = stringsOf(schema["required"]);
  if (!table.spend(keys.length + required.size)) return { ...ANY_OBJECT, seen: SEEN_KEYS };

  const { prefixes, unclear } = isObject(schema["patternProperties"])
    ? patternsOf(schema["patternProperties"], scope, table)
    : NO_PATTERNS;
  const extras = additional === undefined ? ANYTHING : table.either([
    table.meetOf(additional, scope),
    ...unclear,
  ]);
  const members = new Map<string, ShapeMember>();
  for (const key of required) {
    if (Object.hasOwn(properties, key)) members.set(key, memberOf(properties[key], key));
    else {
      const meet = extraMeet({ ...ANY_OBJECT, prefixes, extras }, key, table);
      members.set(key, { meet, required: true, docs: undefined });
    }
  }
  for (const key of keys) {
    if (!members.has(key)) members.set(key, memberOf(properties[key], key));
  }
  const seen = !table.tracksSeen
    ? UNSEEN_KEYS
    : additional !== undefined || unclear.length > 0
    ? SEEN_KEYS
    : { all: false, names: new Set(keys), prefixes: new Set(prefixes.keys()) };
  const shape = limitNames({ members, prefixes, extras, seen }, node, table);
  for (const key of required) if (shape.members.get(key)!.meet === NOTHING) return undefined;
  return shape;

  function memberOf(property: unknown, key: string): ShapeMember {
    let meet = table.meetOf(property, scope);
    if (prefixes.size > 0) {
      for (const [prefix, more] of prefixes) {
        if (key.startsWith(prefix)) meet = table.both(meet, more);
      }
    }
    return { meet, required: required.has(key), docs: docsOf(property, node, table) };
  }
}

const NO_NAMES: ReadonlySet<string> = new Set();
const NO_PATTERNS: Patterns = { prefixes: new Map(), unclear: [] };

interface Patterns {
  /** What keys with a known prefix must satisfy. */
  readonly prefixes: ReadonlyMap<string, Meet>;
  /** What keys of the other patterns must. */
  readonly unclear: readonly Meet[];
}

function patternsOf(patterns: JsonObject, scope: Scope, table: SchemaTable): Patterns {
  const prefixes = new Map<string, Meet>();
  const unclear: Meet[] = [];
  for (const pattern of Object.keys(patterns).sort()) {
    const meet = table.meetOf(patterns[pattern], scope);
    const prefix = prefixOf(pattern);
    if (prefixes.size >= MAX_TYPE_ALTERNATIVES) table.widened();
    if (prefix === undefined || prefixes.size >= MAX_TYPE_ALTERNATIVES) unclear.push(meet);
    else prefixes.set(prefix, table.both(meet, prefixes.get(prefix) ?? ANYTHING));
  }
  return { prefixes, unclear };
}

// The prefix that a pattern asks for when it asks for nothing else; the pattern is not run.
function prefixOf(pattern: string): string | undefined {
  if (!pattern.startsWith("^")) return pattern === "" ? "" : undefined;
  let prefix = "";
  for (let at = 1; at < pattern.length; at++) {
    let char = pattern[at]!;
    if (char === "\\") {
      char = pattern[++at] ?? "";
      if (!/^[^A-Za-z0-9]$/.test(char)) return undefined;
    } else if ("^$.*+?()[]{}|".includes(char)) return undefined;
    prefix += char;
  }
  // A lone half of a character is no prefix of a whole one.
  return prefix.isWellFormed() ? prefix : undefined;
}

// `propertyNames` and `maxProperties: 0`: which keys there may be at all.
function limitNames(shape: ObjectShape, node: SchemaNode, table: SchemaTable): ObjectShape {
  const { schema } = node;
  let names: ReadonlySet<string> | undefined = schema["maxProperties"] === 0 ? NO_NAMES : undefined;
  if (names === undefined && schema["propertyNames"] !== undefined) {
    const { strings } = table.setOf(table.meetOf(schema["propertyNames"], node.scope));
    if (!strings.except) names = strings.values;
  }
  if (names === undefined || !table.spend(names.size)) return shape;
  const members = new Map<string, ShapeMember>();
  for (const [key, member] of shape.members) {
    members.set(key, names.has(key) ? member : { ...member, meet: NOTHING });
  }
  for (const key of names) {
    if (members.has(key)) continue;
    members.set(key, { meet: extraMeet(shape, key, table), required: false, docs: undefined });
  }
  return { members, prefixes: NO_PATTERNS.prefixes, extras: NOTHING, seen: shape.seen };
}

// A bare reference is documented where it leads.
function docsOf(property: unknown, node: SchemaNode, table: SchemaTable): JsonObject | undefined {
  if (!isObject(property)) return undefined;
  const reference = property["$ref"];
  if (typeof reference !== "string" || property["description"] !== undefined) return property;
  const target = table.references.resolve(reference, node.scope)?.schema;
  return isObject(target) ? target : property;
}

/** The arrays that the array keywords of `node` accept; none when they accept no array. */
export function arrayForm(node: SchemaNode, table: SchemaTable): ArrayShape | undefined {
  const { schema, scope } = node;
  // An array under `items` is draft-07; without a `$schema` it can mean nothing else either.
  const isOld = Array.isArray(schema["items"]);
  const prefix = isOld ? schema["items"] : scope.dialect === "2020-12" ? schema["prefixItems"] : [];
  if (Array.isArray(prefix) && !table.spend(prefix.length)) {
    return { ...ANY_ARRAY, seen: SEEN_ITEMS };
  }
  const items = Array.isArray(prefix) ? prefix.map((item) => table.meetOf(item, scope)) : [];
  const following = isOld ? schema["additionalItems"] : schema["items"];
  const rest = following === undefined ? ANYTHING : table.meetOf(following, scope);
  const matching = new Set<Meet>();
  if (schema["contains"] !== undefined) {
    // In draft-07 `contains` stands alone.
    const isCounted = scope.dialect === "2020-12";
    const least = isCounted ? countOf(schema["minContains"]) ?? 1 : 1;
    const most = isCounted ? countOf(schema["maxContains"]) ?? Infinity : Infinity;
    const contained = table.meetOf(schema["contains"], scope);
    const isNever = contained === NOTHING || table.isNever(contained);
    if (least > 0 && isNever || least > most) return undefined;
    matching.add(contained);
  }
  return arrayShape({
    items,
    rest,
    min: countOf(schema["minItems"]) ?? 0,
    max: countOf(schema["maxItems"]) ?? Infinity,
    seen: following === undefined ? { count: items.length, matching } : SEEN_ITEMS,
  }, table);
}

/** `shape` with every key that nothing has seen held to `meet`; none when no object is left. */
export function closeKeys(
  shape: ObjectShape,
  meet: Meet,
  table: SchemaTable,
): ObjectShape | undefined {
  const { seen } = shape;
  if (seen.all) return shape;
  const known = [...new Set(shape.prefixes.keys()).union(seen.prefixes)];
  // Each key and each prefix is held against each prefix, which costs much less than converting.
  const compared = shape.members.size + seen.names.size + known.length;
  if (!table.spend(compared * (1 + known.length) / 16)) return { ...shape, seen: SEEN_KEYS };
  const members = new Map<string, ShapeMember>();
  for (const [key, member] of shape.members) {
    const held = hasSeen(seen, key) ? member.meet : table.both(member.meet, meet);
    if (member.required && table.isNever(held)) return undefined;
    members.set(key, { ...member, meet: held });
  }
  for (const key of seen.names) {
    if (members.has(key)) continue;
    members.set(key, { meet: extraMeet(shape, key, table), required: false, docs: undefined });
  }
  const prefixes = new Map<string, Meet>();
  for (const prefix of known) {
    // Keys with a longer prefix may be held to something else: then ask nothing here.
    const isSplit = known.some((other) => other !== prefix && other.startsWith(prefix));
    const held = shape.prefixes.get(prefix) ??
      (isSplit ? ANYTHING : extraMeet(shape, prefix, table));
    const isSeen = isSplit || beginsWithAny(prefix, seen.prefixes);
    prefixes.set(prefix, isSeen ? held : table.both(held, meet));
  }
  return { members, prefixes, extras: table.both(shape.extras, meet), seen: SEEN_KEYS };
}

/** `shape` with every element that nothing has seen held to `meet`; none when no array is left. */
export function closeItems(
  shape: ArrayShape,
  meet: Meet,
  table: SchemaTable,
): ArrayShape | undefined {
  const { count, matching } = shape.seen;
  if (count === Infinity) return shape;
  const held = table.either([meet, ...matching]);
  const length = Math.max(shape.items.length, count);
  if (!table.spend(length / 16)) return { ...shape, seen: SEEN_ITEMS };
  const items = Array.from({ length }, (_, at) => {
    const item = shape.items[at] ?? shape.rest;
    return at < count ? item : table.both(item, held);
  });
  return arrayShape(
    { ...shape, items, rest: table.both(shape.rest, held), seen: SEEN_ITEMS },
    table,
  );
}

function hasSeen(seen: SeenKeys, key: string): boolean {
  return seen.names.has(key) || beginsWithAny(key, seen.prefixes);
}

function beginsWithAny(key: string, prefixes: ReadonlySet<string>): boolean {
  return prefixes.values().some((prefix) => key.startsWith(prefix));
}

/** The strings in `value` when it is an array, each once and in order. */
export function stringsOf(value: unknown): Set<string> {
  const strings = new Set<string>();
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "string") strings.add(item);
  }
  return strings;
}

function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}
