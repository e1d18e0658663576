// The subschemas of one document as numbered nodes, and sets of nodes that a value must satisfy
// together. Work is counted and depth is bounded here; beyond a bound everything is accepted.

import {
  MAX_TYPE_ALTERNATIVES,
  MAX_TYPE_DEPTH,
  MAX_TYPE_NODES,
  MAX_TYPE_WARNINGS,
} from "./limits.ts";
import { References, type Scope } from "./schema_reference.ts";
import {
  ANYTHING,
  intersect,
  isEmpty,
  type Meet,
  type Meets,
  NOTHING,
  UNSURE,
  type ValueSet,
  WIDENED_VALUES,
} from "./schema_shape.ts";
import { isObject, type JsonObject } from "./server.ts";
import { quoteText } from "./text.ts";

/** The groups of keywords a schema has, as bits. */
export const Has = {
  id: 1,
  reference: 2,
  dynamic: 4,
  type: 8,
  values: 16,
  numeric: 32,
  text: 64,
  array: 128,
  object: 256,
  dependent: 512,
  allOf: 1024,
  anyOf: 2048,
  oneOf: 4096,
  not: 8192,
  condition: 16_384,
  unseenKeys: 32_768,
  unseenItems: 65_536,
  nullable: 131_072,
} as const;

const KEYWORDS: ReadonlyMap<string, number> = new Map([
  ["$id", Has.id],
  ["$ref", Has.reference],
  ["$dynamicRef", Has.dynamic],
  ["type", Has.type],
  ["nullable", Has.nullable],
  ["const", Has.values],
  ["enum", Has.values],
  ["minimum", Has.numeric],
  ["maximum", Has.numeric],
  ["exclusiveMinimum", Has.numeric],
  ["exclusiveMaximum", Has.numeric],
  ["multipleOf", Has.numeric],
  ["minLength", Has.text],
  ["maxLength", Has.text],
  ["pattern", Has.text],
  ["format", Has.text],
  ["contentEncoding", Has.text],
  ["contentMediaType", Has.text],
  ["items", Has.array],
  ["prefixItems", Has.array],
  ["additionalItems", Has.array],
  ["contains", Has.array],
  ["minItems", Has.array],
  ["maxItems", Has.array],
  ["uniqueItems", Has.array],
  ["properties", Has.object],
  ["required", Has.object],
  ["additionalProperties", Has.object],
  ["patternProperties", Has.object],
  ["propertyNames", Has.object],
  ["minProperties", Has.object],
  ["maxProperties", Has.object],
  ["dependentRequired", Has.dependent],
  ["dependentSchemas", Has.dependent],
  ["dependencies", Has.dependent],
  ["allOf", Has.allOf],
  ["anyOf", Has.anyOf],
  ["oneOf", Has.oneOf],
  ["not", Has.not],
  ["if", Has.condition],
  ["unevaluatedProperties", Has.unseenKeys],
  ["unevaluatedItems", Has.unseenItems],
]);

// The schemas of plain scalar types, alone and with a bound of any sort, so that the many members
// of such a type share a node.
const PLAIN: ReadonlyMap<string, readonly [JsonObject, JsonObject]> = new Map([
  ["string", [{ type: "string" }, { type: "string", minLength: 1 }]],
  ["number", [{ type: "number" }, { type: "number", minimum: 0 }]],
  ["integer", [{ type: "integer" }, { type: "integer", minimum: 0 }]],
  ["boolean", [{ type: "boolean" }, { type: "boolean" }]],
  ["null", [{ type: "null" }, { type: "null" }]],
]);

/** A subschema that constrains something. */
export interface SchemaNode {
  readonly schema: JsonObject;
  readonly scope: Scope;
  /** Bits of `Has`. */
  readonly has: number;
  readonly meet: Meet;
  /** What a type of this node may be named after, once a reference named it; untrusted. */
  name: string | undefined;
  /** Whether it reaches itself without an object or array in between. */
  isCircular: boolean;
  /** When nothing but these alternatives decides. */
  alternatives: readonly Meet[] | undefined;
}

/** How a table works out nodes. */
export interface TableOptions {
  readonly tracksSeen: boolean;
  /** The values that `node` accepts, or those it refuses; or more. */
  readonly evaluate: (node: SchemaNode, table: SchemaTable, refused: boolean) => ValueSet;
}

/** The nodes of one document. */
export class SchemaTable implements Meets {
  readonly nodes: SchemaNode[] = [];
  readonly references: References;
  /** Whether shapes note what was seen of them; only `unevaluated...` asks for it. */
  readonly tracksSeen: boolean;
  /** Whether something asked for it in vain. */
  lacksSeen = false;
  readonly #evaluate: TableOptions["evaluate"];
  readonly #known = new Map<JsonObject, Meet>();
  // Most documents need none of these.
  #meets: Map<string, Meet> | undefined;
  #warnings: Set<string> | undefined;
  #spent = 0;
  #depth = 0;
  #probes = 0;
  #cuts = 0;

  constructor(root: JsonObject, options: TableOptions) {
    this.references = new References(root);
    this.tracksSeen = options.tracksSeen;
    this.#evaluate = options.evaluate;
  }

  /** Notes a warning, at most once and at most a few. */
  warn(message: string): void {
    this.#warnings ??= new Set();
    if (this.#warnings.size < MAX_TYPE_WARNINGS) this.#warnings.add(message);
  }

  /** The warnings so far. */
  warnings(): string[] {
    return this.#warnings === undefined ? [] : [...this.#warnings];
  }

  /** The work so far. */
  get spent(): number {
    return this.#spent;
  }

  /** Counts work; false, with a warning, when the budget is spent. */
  spend(units: number): boolean {
    this.#spent += units;
    if (this.#spent <= MAX_TYPE_NODES) return true;
    this.warn(`Schema has more than ${MAX_TYPE_NODES} parts: the rest is typed as unknown`);
    return false;
  }

  /** Warns that there were too many alternatives. */
  widened(): void {
    this.warn(`Schema has more than ${MAX_TYPE_ALTERNATIVES} alternatives in one place: widened`);
  }

  /** Warns that the nesting is too deep. */
  tooDeep(): void {
    this.warn(`Schema is nested deeper than ${MAX_TYPE_DEPTH}: the rest is typed as unknown`);
  }

  /** What satisfying `schema`, which stands in `scope`, means. References alone are followed. */
  meetOf(schema: unknown, scope: Scope): Meet {
    let name: string | undefined;
    let followed: Set<JsonObject> | undefined;
    let meet: Meet | undefined;
    while (meet === undefined) {
      if (!isObject(schema)) {
        if (typeof schema !== "boolean") this.warn("A subschema is neither object nor boolean");
        meet = schema === true ? ANYTHING : schema === false ? NOTHING : UNSURE;
        break;
      }
      meet = this.#known.get(schema);
      if (meet !== undefined) break;
      const has = groupsOf(schema);
      if (has & Has.id) scope = this.references.enter(schema, scope);
      if (scope.dialect === undefined) {
        this.warn("A subschema is written in a dialect that is not known: typed as unknown");
        meet = UNSURE;
      } else if (isReference(has, scope)) {
        followed = (followed ?? new Set()).add(schema);
        const target = this.#target(schema["$ref"], scope);
        if (target === undefined || followed.has(target.schema as JsonObject)) {
          if (target !== undefined) this.warn("A reference leads to itself: typed as unknown");
          meet = UNSURE;
        } else ({ schema, scope, hint: name } = target);
      } else if ((has & ~Has.id) === Has.allOf && isSingle(schema["allOf"])) {
        followed = (followed ?? new Set()).add(schema);
        schema = schema["allOf"][0];
      } else meet = this.#plain(schema, has) ?? this.#add(schema, scope, has);
    }
    for (const alias of followed ?? []) this.#known.set(alias, meet);
    if (name !== undefined) this.#name(meet, name);
    return meet;
  }

  /** What the `$ref` of a node with other keywords means. */
  referenceOf(node: SchemaNode): Meet {
    const target = this.#target(node.schema["$ref"], node.scope);
    if (target === undefined) return UNSURE;
    const meet = this.meetOf(target.schema, target.scope);
    this.#name(meet, target.hint);
    return meet;
  }

  /** The node of a meet that is one satisfied subschema. */
  nodeOf(meet: Meet): SchemaNode | undefined {
    return meet.terms.length === 1 ? this.nodes[meet.terms[0]!] : undefined;
  }

  /** The values that satisfy `meet`, or more. */
  setOf(meet: Meet): ValueSet {
    if (meet.set !== undefined) return meet.set;
    if (this.#isCut(meet)) {
      this.#cuts++;
      return WIDENED_VALUES;
    }
    const cuts = this.#cuts;
    meet.isBusy = true;
    this.#depth++;
    const set = this.#evaluateTerms(meet);
    this.#depth--;
    meet.isBusy = false;
    // A look ahead that was cut short must not stand for the whole.
    if (this.#probes === 0 || this.#cuts === cuts) meet.set = set;
    return set;
  }

  isNever(meet: Meet): boolean {
    if (meet === NOTHING) return true;
    if (meet.terms.length < 2) return false;
    this.#probes++;
    const empty = isEmpty(this.setOf(meet));
    this.#probes--;
    return empty;
  }

  both(a: Meet, b: Meet): Meet {
    if (a === b || b === ANYTHING || a === NOTHING) return a;
    if (a === ANYTHING || b === NOTHING || a === UNSURE) return b;
    if (b === UNSURE) return a;
    if (a.terms.length + b.terms.length > MAX_TYPE_DEPTH) {
      this.widened();
      return a;
    }
    const terms = [...new Set([...a.terms, ...b.terms])].sort((x, y) => x - y);
    for (const term of terms) if (term < 0 && terms.includes(~term)) return NOTHING;
    return this.#meet(terms);
  }

  either(meets: readonly Meet[]): Meet {
    const some = meets.filter((meet) => meet !== NOTHING);
    if (some.includes(ANYTHING)) return ANYTHING;
    if (some.length < 2) return some[0] ?? NOTHING;
    if (some.includes(UNSURE) || !this.spend(1)) return UNSURE;
    const node = this.#create({}, this.references.scope, 0);
    node.alternatives = some;
    return node.meet;
  }

  /** What does not satisfy `meet`, or more. */
  not(meet: Meet): Meet {
    if (meet === ANYTHING) return NOTHING;
    if (meet === NOTHING) return ANYTHING;
    return meet.terms.length === 1 ? this.#meet([~meet.terms[0]!]) : UNSURE;
  }

  #isCut(meet: Meet): boolean {
    if (meet.isBusy) {
      const node = this.nodeOf(meet);
      if (node !== undefined && this.#probes === 0) {
        node.isCircular = true;
        this.warn("A subschema contains itself with nothing in between: widened");
      }
      return true;
    }
    if (this.#depth < MAX_TYPE_DEPTH) return !this.spend(1);
    this.tooDeep();
    return true;
  }

  #evaluateTerms(meet: Meet): ValueSet {
    let set: ValueSet | undefined;
    for (const term of meet.terms) {
      const one = meet.terms.length > 1
        ? this.setOf(this.#meet([term]))
        : term < 0
        ? this.#evaluate(this.nodes[~term]!, this, true)
        : this.#evaluate(this.nodes[term]!, this, false);
      set = set === undefined ? one : intersect(set, one, this);
    }
    return set!;
  }

  #meet(terms: readonly number[]): Meet {
    if (terms.length === 1 && terms[0]! >= 0) return this.nodes[terms[0]!]!.meet;
    const key = terms.join();
    this.#meets ??= new Map();
    let meet = this.#meets.get(key);
    if (meet === undefined) this.#meets.set(key, meet = { terms, set: undefined, isBusy: false });
    return meet;
  }

  #target(reference: unknown, scope: Scope) {
    const target = typeof reference === "string"
      ? this.references.resolve(reference, scope)
      : undefined;
    if (target === undefined) {
      this.warn(`Reference ${quoteText(String(reference))} leads nowhere in the schema: unknown`);
    }
    return target;
  }

  #name(meet: Meet, name: string): void {
    const node = this.nodeOf(meet);
    if (node !== undefined && node.name === undefined) node.name = name || "Root";
  }

  #plain(schema: JsonObject, has: number): Meet | undefined {
    if (has === 0) return ANYTHING;
    if (has & ~(Has.type | Has.text | Has.numeric) || !(has & Has.type)) return undefined;
    const type = schema["type"];
    const plain = typeof type === "string" ? PLAIN.get(type) : undefined;
    if (plain === undefined) return undefined;
    const canonical = plain[has === Has.type ? 0 : 1];
    return this.#known.get(canonical) ??
      this.#add(canonical, this.references.scope, groupsOf(canonical));
  }

  #add(schema: JsonObject, scope: Scope, has: number): Meet {
    if (!this.spend(1)) return UNSURE;
    const { meet } = this.#create(schema, scope, has);
    this.#known.set(schema, meet);
    return meet;
  }

  #create(schema: JsonObject, scope: Scope, has: number): SchemaNode {
    const node: SchemaNode = {
      schema,
      scope,
      has,
      meet: { terms: [this.nodes.length], set: undefined, isBusy: false },
      name: undefined,
      isCircular: false,
      alternatives: undefined,
    };
    this.nodes.push(node);
    return node;
  }
}

function groupsOf(schema: JsonObject): number {
  let has = 0;
  for (const key in schema) has |= KEYWORDS.get(key) ?? 0;
  return has;
}

// In draft-07 nothing beside a reference counts.
function isReference(has: number, scope: Scope): boolean {
  return scope.dialect === "draft-07"
    ? (has & Has.reference) !== 0
    : (has & ~Has.id) === Has.reference;
}

function isSingle(value: unknown): value is readonly [unknown] {
  return Array.isArray(value) && value.length === 1;
}
