// What one schema accepts and what it refuses, keyword by keyword. Either set is never smaller
// than what the keyword means: a keyword that types cannot express accepts, and refuses, all.

import { MAX_TYPE_ALTERNATIVES } from "./limits.ts";
import { arrayForm, closeItems, closeKeys, objectForm, stringsOf } from "./schema_form.ts";
import {
  ALL_VALUES,
  ANY_ARRAY,
  ANY_NUMBERS,
  ANY_OBJECT,
  ANY_STRINGS,
  ANYTHING,
  type ArrayShape,
  complement,
  intersect,
  isEmpty,
  isNone,
  type Meet,
  NO_NUMBERS,
  NO_STRINGS,
  NO_VALUES,
  NOTHING,
  type ObjectShape,
  seeAlso,
  SEEN_ITEMS,
  SEEN_KEYS,
  seenItems,
  seenKeys,
  type ShapeMember,
  unite,
  UNSEEN_ITEMS,
  UNSEEN_KEYS,
  UNSURE,
  type ValueSet,
  WIDENED_VALUES,
  withShapes,
} from "./schema_shape.ts";
import { Has, type SchemaNode, type SchemaTable } from "./schema_table.ts";
import { isObject, type JsonObject } from "./server.ts";

const TYPES: ReadonlyMap<unknown, ValueSet> = new Map([
  ["null", { ...NO_VALUES, nulls: true }],
  ["boolean", { ...NO_VALUES, booleans: 3 }],
  ["number", { ...NO_VALUES, numbers: ANY_NUMBERS }],
  ["integer", { ...NO_VALUES, numbers: ANY_NUMBERS }],
  ["string", { ...NO_VALUES, strings: ANY_STRINGS }],
  ["array", { ...NO_VALUES, arrays: [ANY_ARRAY] }],
  ["object", { ...NO_VALUES, objects: [ANY_OBJECT] }],
]);

/** The values that `node` accepts, or those it refuses; or more. */
export function evaluateNode(node: SchemaNode, table: SchemaTable, refused: boolean): ValueSet {
  return refused ? refusedBy(node, table) : acceptedBy(node, table);
}

function acceptedBy(node: SchemaNode, table: SchemaTable): ValueSet {
  const { schema, has } = node;
  if (has === 0) return unite((node.alternatives ?? []).map((meet) => table.setOf(meet)), table);
  let set = has & Has.type ? typeSet(schema, table) : ALL_VALUES;
  if (has & Has.object && set.objects.length > 0) {
    const form = objectForm(node, table);
    set = withShapes(set, set.arrays, form === undefined ? [] : [form]);
  }
  if (has & Has.array && set.arrays.length > 0) {
    const form = arrayForm(node, table);
    set = withShapes(set, form === undefined ? [] : [form], set.objects);
  }
  if (has & Has.values) set = intersect(set, listedValues(schema, table), table);
  if (has & IN_PLACE) set = applyInPlace(set, node, table);
  return has & (Has.unseenKeys | Has.unseenItems) ? closeSet(set, node, table) : set;
}

const IN_PLACE = Has.reference | Has.dynamic | Has.allOf | Has.anyOf | Has.oneOf | Has.not |
  Has.condition | Has.dependent;

function applyInPlace(set: ValueSet, node: SchemaNode, table: SchemaTable): ValueSet {
  const { has } = node;
  const base = set;
  const apply = (more: ValueSet): void => {
    set = intersect(set, more, table);
  };
  if (has & Has.reference) apply(table.setOf(table.referenceOf(node)));
  if (has & Has.dynamic) {
    table.warn("A dynamic reference is not followed: typed as unknown");
    apply({ ...WIDENED_VALUES });
  }
  if (has & Has.allOf) {
    for (const meet of meetsOf(node, "allOf", table)) {
      apply(table.setOf(meet));
    }
  }
  if (has & Has.not) apply(unseen(table.setOf(table.not(meetAt(node, "not", table)))));
  if (has & Has.anyOf) apply(anyOf(meetsOf(node, "anyOf", table), table));
  let isPlain = true;
  if (has & Has.oneOf) {
    const one = oneOf(meetsOf(node, "oneOf", table), table);
    isPlain = one.isPlain;
    apply(one.set);
  }
  if (has & Has.condition) apply(condition(node, table));
  if (has & Has.dependent) dependencies(node, table).forEach(apply);
  const choice = has & ~(Has.id | Has.type | Has.nullable);
  if (choice === Has.anyOf || choice === Has.oneOf && isPlain) {
    const meets = meetsOf(node, choice === Has.anyOf ? "anyOf" : "oneOf", table);
    if (areWithin(meets, base, table)) node.alternatives = meets;
  }
  return set;
}

// Whether the type beside alternatives says nothing that they do not, and they are not too many.
function areWithin(meets: readonly Meet[], base: ValueSet, table: SchemaTable): boolean {
  let structures = 0;
  return meets.every((meet) => {
    const set = table.setOf(meet);
    if (set.objects.length + set.arrays.length > 0) structures++;
    return structures <= MAX_TYPE_ALTERNATIVES &&
      (base.nulls || !set.nulls) && (base.booleans === 3 || set.booleans === 0) &&
      (!isNone(base.numbers) || isNone(set.numbers)) &&
      (!isNone(base.strings) || isNone(set.strings)) &&
      (base.arrays.length > 0 || set.arrays.length === 0) &&
      (base.objects.length > 0 || set.objects.length === 0);
  });
}

function refusedBy(node: SchemaNode, table: SchemaTable): ValueSet {
  const { schema, has } = node;
  const unsure = Has.dynamic | Has.oneOf | Has.condition;
  if (has === 0 || has & unsure) return ALL_VALUES;
  const sets: ValueSet[] = [];
  const refusedOf = (meet: Meet): ValueSet => table.setOf(table.not(meet));
  if (has & Has.reference) sets.push(refusedOf(table.referenceOf(node)));
  if (has & Has.type) sets.push(refusedTypes(schema, table));
  if (has & Has.values) sets.push(unlistedValues(schema));
  if (has & Has.numeric) sets.push({ ...NO_VALUES, numbers: ANY_NUMBERS });
  if (has & Has.text) sets.push({ ...NO_VALUES, strings: ANY_STRINGS });
  if (has & (Has.array | Has.unseenItems)) sets.push({ ...NO_VALUES, arrays: [ANY_ARRAY] });
  if (has & (Has.dependent | Has.unseenKeys)) sets.push({ ...NO_VALUES, objects: [ANY_OBJECT] });
  if (has & Has.object) sets.push({ ...NO_VALUES, objects: refusedObjects(node, table) });
  if (has & Has.allOf) {
    for (const meet of meetsOf(node, "allOf", table)) sets.push(refusedOf(meet));
  }
  if (has & Has.anyOf) {
    sets.push(
      meetsOf(node, "anyOf", table).reduce(
        (set, meet) => intersect(set, refusedOf(meet), table),
        ALL_VALUES,
      ),
    );
  }
  if (has & Has.not) sets.push(table.setOf(meetAt(node, "not", table)));
  return unite(sets, table);
}

function typeSet(schema: JsonObject, table: SchemaTable): ValueSet {
  const sets: ValueSet[] = [];
  const names = [schema["type"]].flat();
  // Without a name, too, it is no `type`.
  if (names.length === 0) return ALL_VALUES;
  for (const name of names) {
    const set = TYPES.get(name);
    if (set === undefined) return ALL_VALUES;
    sets.push(set);
  }
  // An extension of OpenAPI that validators know.
  if (schema["nullable"] === true) sets.push(TYPES.get("null")!);
  return unite(sets, table);
}

function refusedTypes(schema: JsonObject, table: SchemaTable): ValueSet {
  const set = typeSet(schema, table);
  if (set === ALL_VALUES) return set;
  const names = stringsOf([schema["type"]].flat());
  return {
    nulls: !names.has("null"),
    booleans: 3 & ~set.booleans,
    numbers: names.has("number") ? NO_NUMBERS : ANY_NUMBERS,
    strings: names.has("string") ? NO_STRINGS : ANY_STRINGS,
    arrays: names.has("array") ? [] : [ANY_ARRAY],
    objects: names.has("object") ? [] : [ANY_OBJECT],
  };
}

function listedValues(schema: JsonObject, table: SchemaTable): ValueSet {
  let set = ALL_VALUES;
  if (Object.hasOwn(schema, "const")) set = valuesOf([schema["const"]], table);
  const listed = schema["enum"];
  return Array.isArray(listed) ? intersect(set, valuesOf(listed, table), table) : set;
}

function valuesOf(values: readonly unknown[], table: SchemaTable): ValueSet {
  if (!table.spend(values.length)) return WIDENED_VALUES;
  const arrays: ArrayShape[] = [];
  const objects: ObjectShape[] = [];
  for (const value of values) {
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) arrays.push(arrayOf(value, table));
    else objects.push(objectOf(value as JsonObject, table));
  }
  const set = withShapes(scalarsOf(values), arrays, objects);
  // Uniting bounds the number of shapes.
  return arrays.length + objects.length > 0 ? unite([set, NO_VALUES], table) : set;
}

function arrayOf(value: readonly unknown[], table: SchemaTable): ArrayShape {
  const items = value.map((item) => constant(item, table));
  return { items, rest: NOTHING, min: items.length, max: items.length, seen: UNSEEN_ITEMS };
}

function objectOf(value: JsonObject, table: SchemaTable): ObjectShape {
  const members = new Map<string, ShapeMember>();
  for (const key of Object.keys(value).sort()) {
    members.set(key, { meet: constant(value[key], table), required: true, docs: undefined });
  }
  return { ...ANY_OBJECT, members, extras: NOTHING };
}

function constant(value: unknown, table: SchemaTable): Meet {
  return table.meetOf({ const: value }, table.references.scope);
}

function scalarsOf(values: readonly unknown[]): ValueSet {
  const numbers = new Set<number>();
  const strings = new Set<string>();
  let nulls = false;
  let booleans = 0;
  for (const value of values) {
    if (typeof value === "string") strings.add(value);
    else if (typeof value === "number") numbers.add(value);
    else if (typeof value === "boolean") booleans |= value ? 1 : 2;
    else if (value === null) nulls = true;
  }
  return {
    nulls,
    booleans,
    numbers: numbers.size === 0 ? NO_NUMBERS : { values: numbers, except: false },
    strings: strings.size === 0 ? NO_STRINGS : { values: strings, except: false },
    arrays: [],
    objects: [],
  };
}

function unlistedValues(schema: JsonObject): ValueSet {
  const sets: ValueSet[] = [];
  if (Object.hasOwn(schema, "const")) sets.push(unlisted([schema["const"]]));
  if (Array.isArray(schema["enum"])) sets.push(unlisted(schema["enum"]));
  return sets.length === 1 ? sets[0]! : ALL_VALUES;
}

function unlisted(values: readonly unknown[]): ValueSet {
  const { nulls, booleans, numbers, strings } = scalarsOf(values);
  return {
    ...ALL_VALUES,
    nulls: !nulls,
    booleans: 3 & ~booleans,
    numbers: complement(numbers),
    strings: complement(strings),
  };
}

// Objects that lack a required member or have one of another type; all when it may be more.
function refusedObjects(node: SchemaNode, table: SchemaTable): readonly ObjectShape[] {
  const { schema, scope } = node;
  const isMore = Object.keys(schema).some((key) =>
    /^(?:additionalProperties|patternProperties|propertyNames|minProperties|maxProperties)$/
      .test(key)
  );
  if (isMore) return [ANY_OBJECT];
  const required = stringsOf(schema["required"]);
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  const shapes: ObjectShape[] = [];
  for (const key of new Set([...required, ...Object.keys(properties).sort()])) {
    const isDeclared = Object.hasOwn(properties, key);
    const meet = isDeclared ? table.not(table.meetOf(properties[key], scope)) : NOTHING;
    // Missing, where it is required, or of another type.
    const isRequired = required.has(key);
    if (isRequired || meet !== NOTHING) shapes.push(objectWith(key, meet, !isRequired));
  }
  return shapes.length > MAX_TYPE_ALTERNATIVES ? [ANY_OBJECT] : shapes;
}

function objectWith(key: string, meet: Meet, required: boolean): ObjectShape {
  return { ...ANY_OBJECT, members: new Map([[key, { meet, required, docs: undefined }]]) };
}

// Whichever alternative holds, another one that holds too may have seen more.
function anyOf(meets: readonly Meet[], table: SchemaTable): ValueSet {
  const sets = meets.map((meet) => table.setOf(meet));
  const set = unite(sets, table);
  if (!table.tracksSeen) return set;
  const seen = seenItems(set.arrays);
  return {
    ...set,
    arrays: set.arrays.map((shape) => ({ ...shape, seen })),
    objects: seeAlso(set.objects, seenKeys(set.objects)),
  };
}

// Each alternative without what the others accept, as far as that is short to write. `isPlain`:
// nothing was taken away.
function oneOf(
  meets: readonly Meet[],
  table: SchemaTable,
): { readonly set: ValueSet; readonly isPlain: boolean } {
  const sets = meets.map((meet) => table.setOf(meet));
  if (meets.length > MAX_TYPE_ALTERNATIVES) return { set: unite(sets, table), isPlain: true };
  const exact = sets.map((set, at) => {
    let rest = set;
    for (const [other, meet] of meets.entries()) {
      const refused = table.setOf(table.not(meet));
      const isUnsure = refused === ALL_VALUES || refused === WIDENED_VALUES;
      if (other === at || isUnsure || isEmpty(intersect(rest, sets[other]!, table))) continue;
      const left = intersect(rest, unseen(refused), table);
      const arrays = left.arrays.length === 0 ? left.arrays : rest.arrays;
      const objects = isShort(left.objects, rest.objects) ? left.objects : rest.objects;
      rest = { ...left, arrays, objects };
    }
    return rest;
  });
  const isPlain = exact.every((set, at) => isSame(set, sets[at]!));
  return { set: unite(isPlain ? sets : exact, table), isPlain };
}

// Whether what is left is no more shapes and every new member is one that must be missing.
function isShort(left: readonly ObjectShape[], all: readonly ObjectShape[]): boolean {
  return left.length === 0 ||
    left.length === all.length &&
      left.every((shape, at) =>
        [...shape.members].every(([key, { meet }]) => meet === NOTHING || all[at]!.members.has(key))
      );
}

function isSame(a: ValueSet, b: ValueSet): boolean {
  return a.nulls === b.nulls && a.booleans === b.booleans && a.numbers === b.numbers &&
    a.strings === b.strings && a.arrays === b.arrays && a.objects === b.objects;
}

function condition(node: SchemaNode, table: SchemaTable): ValueSet {
  const { then, else: otherwise } = node.schema;
  const isIdle = then === undefined && otherwise === undefined && !table.tracksSeen;
  if (isIdle) return ALL_VALUES;
  // What is no schema decides nothing.
  const { if: condition } = node.schema;
  if (typeof condition !== "boolean" && !isObject(condition)) return WIDENED_VALUES;
  const test = meetAt(node, "if", table);
  const met = table.setOf(test);
  const unmet = unseen(table.setOf(table.not(test)));
  return unite([
    then === undefined ? met : intersect(met, table.setOf(meetAt(node, "then", table)), table),
    otherwise === undefined
      ? unmet
      : intersect(unmet, table.setOf(meetAt(node, "else", table)), table),
  ], table);
}

// For each key: it is missing, or what depends on it holds.
function dependencies(node: SchemaNode, table: SchemaTable): ValueSet[] {
  const { schema, scope } = node;
  const keywords = scope.dialect === "draft-07"
    ? ["dependencies"]
    : ["dependentRequired", "dependentSchemas"];
  return keywords.flatMap((keyword) => {
    const dependents = schema[keyword];
    if (!isObject(dependents)) return [];
    return Object.keys(dependents).sort().map((key) => {
      const demand = Array.isArray(dependents[key])
        ? { ...ALL_VALUES, objects: [requiring(stringsOf(dependents[key]))] }
        : table.setOf(table.meetOf(dependents[key], scope));
      const present = { ...NO_VALUES, objects: [objectWith(key, ANYTHING, true)] };
      const missing = { ...ALL_VALUES, objects: [objectWith(key, NOTHING, false)] };
      return unite([missing, intersect(present, demand, table)], table);
    });
  });
}

function requiring(keys: ReadonlySet<string>): ObjectShape {
  const member: ShapeMember = { meet: ANYTHING, required: true, docs: undefined };
  return { ...ANY_OBJECT, members: new Map([...keys].map((key) => [key, member])) };
}

function closeSet(set: ValueSet, node: SchemaNode, table: SchemaTable): ValueSet {
  if (node.scope.dialect === "draft-07") return set;
  table.lacksSeen ||= !table.tracksSeen;
  let { arrays, objects } = set;
  if (node.has & Has.unseenKeys) {
    const meet = meetAt(node, "unevaluatedProperties", table);
    objects = objects.flatMap((shape) => closeKeys(shape, meet, table) ?? [])
      .map((shape) => ({ ...shape, seen: SEEN_KEYS }));
  }
  if (node.has & Has.unseenItems) {
    const meet = meetAt(node, "unevaluatedItems", table);
    arrays = arrays.flatMap((shape) => closeItems(shape, meet, table) ?? [])
      .map((shape) => ({ ...shape, seen: SEEN_ITEMS }));
  }
  return withShapes(set, arrays, objects);
}

function meetAt(node: SchemaNode, keyword: string, table: SchemaTable): Meet {
  return table.meetOf(node.schema[keyword], node.scope);
}

function meetsOf(node: SchemaNode, keyword: string, table: SchemaTable): readonly Meet[] {
  const schemas = node.schema[keyword];
  if (!Array.isArray(schemas) || schemas.length === 0) return [UNSURE];
  return schemas.map((schema) => table.meetOf(schema, node.scope));
}

// What a refusal looked at does not count as seen.
function unseen(set: ValueSet): ValueSet {
  return {
    ...set,
    arrays: set.arrays.map((shape) => ({ ...shape, seen: UNSEEN_ITEMS })),
    objects: set.objects.map((shape) => ({ ...shape, seen: UNSEEN_KEYS })),
  };
}
