// JSON Schema to the type model (2020-12 and draft-07). Sound: a type never refuses what the
// schema accepts. Never throws, never fetches, never executes a pattern.

import { MAX_MEMBER_DOC_CHARS, MAX_TYPE_DEPTH } from "./limits.ts";
import { evaluateNode } from "./schema_keywords.ts";
import { dialectOf } from "./schema_reference.ts";
import {
  ANYTHING,
  type ArrayShape,
  isAnyArray,
  isAnyObject,
  type Meet,
  type ObjectShape,
  type ValueSet,
} from "./schema_shape.ts";
import { SchemaTable } from "./schema_table.ts";
import { isObject, type JsonObject } from "./server.ts";
import { quoteText } from "./text.ts";
import {
  type Definition,
  type IndexSignature,
  inPlace,
  type LiteralType,
  type Member,
  type PlainType,
  type TypeModel,
  type TypeNode,
} from "./type_model.ts";

/** What turning schemas into types may still take, in the units of `MAX_TYPE_NODES`. */
export interface TypeBudget {
  left: number;
}

/**
 * `schema` as types; what types cannot say or what was not understood is wider, with a warning. What
 * it took is subtracted from `budget`.
 */
export function toTypeModel(
  schema: unknown,
  options: { readonly name: string; readonly budget?: TypeBudget },
): TypeModel {
  if (!isObject(schema)) {
    const isSchema = typeof schema === "boolean";
    return plainModel(
      schema === false ? PLAIN.never : PLAIN.unknown,
      isSchema ? undefined : "The schema is neither object nor boolean: typed as unknown",
    );
  }
  if (dialectOf(schema["$schema"]) === undefined) {
    const dialect = quoteText(String(schema["$schema"]));
    return plainModel(PLAIN.unknown, `Schema dialect ${dialect} is not known: typed as unknown`);
  }
  const build = (tracksSeen: boolean): TypeModel => {
    const builder = new ModelBuilder(schema, options.name, tracksSeen);
    const model = builder.build();
    if (options.budget !== undefined) options.budget.left -= builder.table.spent;
    return builder.table.lacksSeen ? build(true) : model;
  };
  return build(false);
}

function plainModel(root: TypeNode, warning: string | undefined): TypeModel {
  return {
    root,
    definitions: new Map(),
    localNames: new Map(),
    warnings: warning === undefined ? [] : [warning],
  };
}

const PLAIN: { readonly [K in PlainType["kind"]]: PlainType } = {
  unknown: { kind: "unknown" },
  never: { kind: "never" },
  undefined: { kind: "undefined" },
  null: { kind: "null" },
  boolean: { kind: "boolean" },
  number: { kind: "number" },
  string: { kind: "string" },
};
const ANY_ARRAY_TYPE: TypeNode = { kind: "array", items: PLAIN.unknown };
const ANY_OBJECT_TYPE: TypeNode = {
  kind: "object",
  members: [],
  index: [{ prefix: undefined, type: PLAIN.unknown }],
};
const EMPTY_OBJECT_TYPE: TypeNode = {
  kind: "object",
  members: [],
  index: [{ prefix: undefined, type: PLAIN.never }],
};

// Longer literals and unions of them get a name once they are used twice.
const MAX_INLINE_LITERALS = 8;
const MAX_INLINE_CHARS = 256;

const LEAST_CHARS = 16;
const CHARS_PER_STEP = 128;

/** A definition while the model is built. */
interface Draft extends Definition {
  name: string | undefined;
  type: TypeNode;
  readonly hint: string;
}

class ModelBuilder {
  readonly table: SchemaTable;
  readonly #root: JsonObject;
  readonly #prefix: string;
  readonly #built = new Map<Meet, TypeNode>();
  readonly #named: Draft[] = [];
  readonly #localNames = new Map<string, string>();
  // Names in lower case, with the number that the last one of each got.
  readonly #taken = new Map<string, number>();
  readonly #queue: { readonly meet: Meet; readonly draft: Draft }[] = [];

  constructor(root: JsonObject, prefix: string, tracksSeen: boolean) {
    this.#root = root;
    this.#prefix = typeName(prefix) || "Type";
    this.table = new SchemaTable(root, { tracksSeen, evaluate: evaluateNode });
  }

  build(): TypeModel {
    const meet = this.table.meetOf(this.#root, this.table.references.scope);
    const root = this.#type(meet, 0, "Root");
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      next.draft.type = this.#structure(next.meet, 0, next.draft.hint);
    }
    const definitions = new Map<string, TypeNode>();
    for (const draft of this.#named) definitions.set(draft.name!, draft.type);
    return {
      root: inPlace(root),
      definitions,
      localNames: this.#localNames,
      warnings: this.table.warnings(),
    };
  }

  #type(meet: Meet, depth: number, hint: string): TypeNode {
    if (meet === ANYTHING) return PLAIN.unknown;
    const built = this.#built.get(meet);
    if (built !== undefined) {
      if (built.kind === "reference") this.#name(built.to as Draft);
      return built;
    }
    const set = this.table.setOf(meet);
    const simple = simpleType(set);
    if (simple !== undefined) {
      this.#built.set(meet, simple);
      return simple;
    }
    if (depth >= MAX_TYPE_DEPTH) {
      this.table.tooDeep();
      return PLAIN.unknown;
    }
    const node = this.table.nodeOf(meet);
    const draft: Draft = { name: undefined, type: PLAIN.unknown, hint: node?.name ?? hint };
    const reference: TypeNode = { kind: "reference", to: draft };
    this.#built.set(meet, reference);
    if (node?.name !== undefined && !isList(set)) {
      // Built later, so that a long chain of references is not a deep recursion.
      this.#name(draft);
      this.#queue.push({ meet, draft });
      return reference;
    }
    draft.type = this.#structure(meet, depth, draft.hint);
    if (draft.name !== undefined || !isShort(draft.type)) return reference;
    this.#built.set(meet, draft.type);
    return draft.type;
  }

  #structure(meet: Meet, depth: number, hint: string): TypeNode {
    const node = this.table.nodeOf(meet);
    if (node?.alternatives !== undefined && !node.isCircular) {
      const union = unionOf(node.alternatives.map((one) => this.#type(one, depth + 1, hint)));
      this.#spendInline([union]);
      return union;
    }
    const set = this.table.setOf(meet);
    if (!this.table.spend(charsOf(set) / CHARS_PER_STEP)) return PLAIN.unknown;
    const types = scalarTypes(set);
    if (set.arrays.some(isAnyArray)) types.push(ANY_ARRAY_TYPE);
    else for (const shape of set.arrays) types.push(this.#array(shape, depth + 1, hint));
    if (set.objects.some(isAnyObject)) types.push(ANY_OBJECT_TYPE);
    else for (const shape of set.objects) types.push(this.#object(shape, depth + 1));
    if (set.nulls) types.push(PLAIN.null);
    return unionOf(types);
  }

  #array(shape: ArrayShape, depth: number, hint: string): TypeNode {
    const rest = this.#type(shape.rest, depth, `${hint} item`);
    if (shape.items.length === 0) return { kind: "array", items: rest };
    const items = shape.items.map((item) => this.#type(item, depth, `${hint} item`));
    this.#spendInline([...items, rest]);
    // TypeScript takes an array inside an optional or rest element that leads back for a circle.
    for (const type of [...items, rest]) {
      if (type.kind === "reference" && type.to.type.kind !== "object") this.#name(type.to as Draft);
    }
    return { kind: "tuple", items, required: Math.min(shape.min, items.length), rest };
  }

  #object(shape: ObjectShape, depth: number): TypeNode {
    const required: Member[] = [];
    const optional: Member[] = [];
    for (const [key, member] of shape.members) {
      const type = this.#type(member.meet, depth, key);
      const { docs } = member;
      if (!member.required) {
        // Every object inherits some members, of other types.
        const own = key in Object.prototype ? PLAIN.unknown : type;
        optional.push({ key, type: own, optional: true, docs });
      } else if (type.kind === "never") return PLAIN.never;
      else required.push({ key, type, optional: false, docs });
    }
    optional.sort(byKey);
    const members = required.concat(optional);
    this.#spendInline(members.map(({ type }) => type));
    const index = this.#index(shape, members, depth);
    return members.length + index.length === 0
      ? EMPTY_OBJECT_TYPE
      : { kind: "object", members, index };
  }

  #index(shape: ObjectShape, members: readonly Member[], depth: number): IndexSignature[] {
    const extras = this.#type(shape.extras, depth, "value");
    const prefixes = [...shape.prefixes].map(([prefix, meet]) => ({
      prefix,
      type: this.#type(meet, depth, `${prefix} value`),
    }));
    const index = prefixes.map(({ prefix, type }): IndexSignature => ({
      // Every key begins with nothing.
      prefix: prefix === "" ? undefined : prefix,
      type: this.#covering([
        type,
        ...prefixes.filter((other) => other.prefix.startsWith(prefix)).map(({ type }) => type),
      ], members.filter((member) => member.key.startsWith(prefix))),
    }));
    if (extras.kind !== "never" && !shape.prefixes.has("")) {
      const types = [extras, ...prefixes.map(({ type }) => type)];
      index.push({ prefix: undefined, type: this.#covering(types, members) });
    }
    return index;
  }

  // TypeScript wants an index signature to cover the members; what is written twice gets a name.
  #covering(types: TypeNode[], members: readonly Member[]): TypeNode {
    if (types.some((type) => type.kind === "unknown")) return PLAIN.unknown;
    for (const { type, optional } of members) {
      types.push(type);
      if (optional) types.push(PLAIN.undefined);
    }
    // Before it is taken apart: nested, each level would double what is below it.
    for (const type of types) {
      if (type.kind !== "reference") continue;
      const inner = inPlace(type);
      if (inner.kind === "union" && !inner.types.every(isShort)) this.#name(type.to as Draft);
    }
    const union = unionOf(types);
    for (const type of union.kind === "union" ? union.types : [union]) {
      if (type.kind === "reference") this.#name(type.to as Draft);
    }
    return this.#spendInline([union]) ? union : PLAIN.unknown;
  }

  // Literals are written again wherever they are used; false when that was too much.
  #spendInline(types: readonly TypeNode[]): boolean {
    let chars = 0;
    for (const type of types) {
      if (type.kind === "literal") chars += literalChars(type);
      else if (type.kind === "union") {
        for (const part of type.types) if (part.kind === "literal") chars += literalChars(part);
      }
    }
    return chars === 0 || this.table.spend(chars / CHARS_PER_STEP);
  }

  #name(draft: Draft): void {
    if (draft.name !== undefined) return;
    const local = typeName(draft.hint) || "Part";
    let name = this.#prefix + local;
    const first = name.toLowerCase();
    let count = this.#taken.get(first) ?? 1;
    while (this.#taken.has(name.toLowerCase())) name = `${this.#prefix}${local}${++count}`;
    this.#taken.set(first, count).set(name.toLowerCase(), 1);
    this.#localNames.set(name, name.slice(this.#prefix.length));
    draft.name = name;
    this.#named.push(draft);
  }
}

// About how much text a structure is without its parts: one list may stand in a thousand places.
function charsOf({ strings, numbers, arrays, objects }: ValueSet): number {
  let chars = numbers.except ? 0 : numbers.values.size * LEAST_CHARS;
  if (!strings.except) { for (const value of strings.values) chars += value.length + LEAST_CHARS; }
  for (const { items } of arrays) chars += items.length * LEAST_CHARS;
  for (const { members, prefixes } of objects) {
    for (const prefix of prefixes.keys()) chars += prefix.length + LEAST_CHARS;
    for (const [key, { docs }] of members) {
      chars += key.length + LEAST_CHARS;
      for (const name in docs) {
        const value = docs[name];
        if (typeof value === "string") chars += Math.min(value.length, MAX_MEMBER_DOC_CHARS);
      }
    }
  }
  return chars;
}

function literalChars({ value }: LiteralType): number {
  return typeof value === "string" ? value.length + LEAST_CHARS : LEAST_CHARS;
}

function byKey(a: Member, b: Member): number {
  return a.key < b.key ? -1 : 1;
}

// The type of a set that is not worth a definition.
function simpleType(set: ValueSet): TypeNode | undefined {
  const { arrays, objects } = set;
  const hasAnyArray = arrays.some(isAnyArray);
  const hasAnyObject = objects.some(isAnyObject);
  if (arrays.length > 0 && !hasAnyArray || objects.length > 0 && !hasAnyObject) return undefined;
  const types = scalarTypes(set);
  if (types.length > MAX_INLINE_LITERALS || !types.every(isShort)) return undefined;
  if (hasAnyArray) types.push(ANY_ARRAY_TYPE);
  if (hasAnyObject) types.push(ANY_OBJECT_TYPE);
  if (set.nulls) types.push(PLAIN.null);
  const isAll = types.length === 6 && set.booleans === 3 && set.numbers.except &&
    set.strings.except;
  return isAll ? PLAIN.unknown : plainUnion(types);
}

function scalarTypes(set: ValueSet): TypeNode[] {
  const types: TypeNode[] = [];
  if (set.strings.except) types.push(PLAIN.string);
  else for (const value of set.strings.values) types.push({ kind: "literal", value });
  if (set.numbers.except) types.push(PLAIN.number);
  else {
    for (const value of set.numbers.values) {
      types.push(Number.isFinite(value) ? { kind: "literal", value } : PLAIN.number);
    }
  }
  if (set.booleans === 3) types.push(PLAIN.boolean);
  else if (set.booleans !== 0) types.push({ kind: "literal", value: set.booleans === 1 });
  return types;
}

// Whether it is nothing but an array without a fixed start: written as `T[]` wherever it is used.
function isList(set: ValueSet): boolean {
  return set.objects.length === 0 && set.arrays.length === 1 && set.arrays[0]!.items.length === 0;
}

// Whether a built type is as short as a name for it would be.
function isShort(type: TypeNode): boolean {
  if (type.kind === "array") return type.items.kind !== "reference" && type.items.kind !== "union";
  if (type.kind === "literal") return String(type.value).length <= MAX_INLINE_CHARS;
  return type.kind !== "object" && type.kind !== "tuple" && type.kind !== "union";
}

// One type for all of `types`: flat, without repetitions and what another one covers; `null` and
// `undefined` last.
function unionOf(types: readonly TypeNode[]): TypeNode {
  if (types.length === 1) return types[0]!;
  const flat = types.flatMap((type) => {
    const inner = inPlace(type);
    return inner.kind === "union" ? inner.types : [type];
  });
  const kinds = new Set(flat.map((type) => type.kind));
  if (kinds.has("unknown")) return PLAIN.unknown;
  const seen = new Set<unknown>();
  const kept: TypeNode[] = [];
  const last: TypeNode[] = [];
  for (const type of flat) {
    const identity = type.kind === "literal"
      ? type.value
      : type.kind === "reference"
      ? type.to
      : type.kind in PLAIN
      ? PLAIN[type.kind as PlainType["kind"]]
      : type;
    const isCovered = type.kind === "literal" && kinds.has(typeof type.value as TypeNode["kind"]);
    if (type.kind === "never" || isCovered || seen.has(identity)) continue;
    seen.add(identity);
    (type.kind === "null" || type.kind === "undefined" ? last : kept).push(type);
  }
  if (seen.has(true) && seen.has(false)) {
    return unionOf([
      ...kept.filter((type) => type.kind !== "literal" || typeof type.value !== "boolean"),
      PLAIN.boolean,
      ...last,
    ]);
  }
  return plainUnion([...kept, ...last]);
}

// `types`, which are flat and no two alike, as one.
function plainUnion(types: readonly TypeNode[]): TypeNode {
  if (types.length === 0) return PLAIN.never;
  return types.length === 1 ? types[0]! : { kind: "union", types };
}

// The letters and digits of `text` as a TypeScript type name; the empty string when none is left.
function typeName(text: string): string {
  if (/^[A-Z][A-Za-z0-9]{0,59}$/.test(text)) return text;
  const words = text.split(/[^A-Za-z0-9]+/);
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  return name.slice(0, 60);
}
