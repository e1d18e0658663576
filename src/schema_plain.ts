// A server's schema rewritten for a validator: known keywords with values of the right form, and
// references inside the document. Never stricter than the original, and no regular expression of it
// is left.

import { MAX_CHECKED_SUBSCHEMAS } from "./limits.ts";
import { References, type Scope } from "./schema_reference.ts";
import { isObject, type JsonObject } from "./server.ts";

/** The keyword whose value, a `Cost`, says what it takes to check against the schema around it. */
export const COST_KEYWORD = "cost";

/** What one check of a value takes. */
export interface Cost {
  readonly steps: number;
  /** Whether each key, item and character of the value comes on top. */
  readonly isLong: boolean;
}

/** A schema as it may be compiled. */
export type PlainSchema = boolean | JsonObject;

/**
 * `schema` rewritten, or undefined when it is in an unknown dialect or has more than
 * `MAX_CHECKED_SUBSCHEMAS` subschemas. Both draft-07 and 2020-12 become 2020-12.
 */
export function toPlainSchema(schema: JsonObject): PlainSchema | undefined {
  const strict = new Rewriter(schema, false);
  const exact = strict.document();
  return strict.isExact ? exact : new Rewriter(schema, true).document();
}

interface Rewritten {
  readonly schema: PlainSchema;
  /** Whether it accepts just what the original does. */
  readonly exact: boolean;
}

const TYPES = new Set(["null", "boolean", "object", "array", "number", "string", "integer"]);
const NUMBERS = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] as const;
const COUNTS = [
  ...["minLength", "maxLength", "minItems", "maxItems"],
  ...["minProperties", "maxProperties"],
];
// Keywords that read all keys, items or characters of a value, whatever they are.
const LONG = new Set([
  ...["minLength", "maxLength", "minProperties", "maxProperties", "uniqueItems"],
  ...["propertyNames", "additionalProperties", "unevaluatedProperties"],
]);
/** Characters that are compared in one step. */
export const CHARS_PER_STEP = 16;
// Not kept: a regular expression, references to what is not known before, `contains` because each
// item that does not fit leaves an error, and what the validator gets wrong.
const LEFT_OUT = ["pattern", "$dynamicRef", "$recursiveRef", "contains", "unevaluatedItems"];

// Code is made with a recursion for each level.
const MAX_INLINE_DEPTH = 20;

class Rewriter {
  isExact = true;
  readonly #root: JsonObject;
  /** Whether something of this document was widened, so that what negates must take care. */
  readonly #isLoose: boolean;
  readonly #references: References;
  readonly #names = new Map<unknown, string>();
  readonly #taken = new Set<string>();
  readonly #queue: { readonly name: string; readonly schema: unknown; readonly scope: Scope }[] =
    [];
  #left = MAX_CHECKED_SUBSCHEMAS;
  #hasConditions = false;
  #hasRest = false;

  constructor(root: JsonObject, isLoose: boolean) {
    this.#root = root;
    this.#isLoose = isLoose;
    this.#references = new References(root);
  }

  document(): PlainSchema | undefined {
    const { scope } = this.#references;
    if (scope.dialect === undefined) return undefined;
    const root = this.#rewrite(this.#root, scope, 0).schema;
    const definitions: [string, PlainSchema][] = [];
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      definitions.push([next.name, this.#rewrite(next.schema, next.scope, 0).schema]);
    }
    if (this.#left < 0) return undefined;
    // The validator loses what a condition or a definition has evaluated.
    const loses = this.#hasConditions || definitions.length > 0;
    if (loses && this.#hasRest) this.isExact = false;
    if (typeof root === "boolean" || definitions.length === 0) return root;
    return { ...root, $defs: Object.fromEntries(definitions) };
  }

  #rewrite(schema: unknown, outer: Scope, depth: number): Rewritten {
    if (typeof schema === "boolean") return { schema, exact: true };
    if (!isObject(schema)) return this.#finish({}, false);
    if (--this.#left < 0) return { schema: true, exact: true };
    if (depth === MAX_INLINE_DEPTH) {
      // Whether it is exact is not known yet, as with any reference.
      const name = this.#nameOf({ schema, scope: outer });
      return { schema: { $ref: `#/$defs/${name}` }, exact: !this.#isLoose };
    }
    const scope = this.#references.enter(schema, outer);
    if (scope.dialect === undefined) return this.#finish({}, false);
    const out: Record<string, unknown> = {};
    let exact = true;
    const keep = (key: string, value: unknown) => {
      out[key] = value;
    };
    const drop = () => {
      exact = false;
    };
    const sub = (value: unknown): PlainSchema => {
      const inner = this.#rewrite(value, scope, depth + 1);
      exact &&= inner.exact;
      return inner.schema;
    };
    const reference = schema["$ref"];
    if (typeof reference === "string") {
      const target = this.#references.resolve(reference, scope);
      if (target === undefined) drop();
      else keep("$ref", `#/$defs/${this.#nameOf(target)}`);
      // What is referred to may be widened, which is not known yet.
      if (this.#isLoose) drop();
      if (scope.dialect === "draft-07") return this.#finish(out, exact);
    }
    const has = (key: string) => schema[key] !== undefined;
    for (const key of LEFT_OUT) if (has(key)) drop();
    rewriteValues(schema, { keep, drop });
    for (const key of ["allOf", "anyOf"]) {
      const list = schema[key];
      if (isList(list)) keep(key, list.map(sub));
      else if (list !== undefined) drop();
    }
    this.#rewriteLogic(schema, { keep, drop, scope, sub, depth });
    rewriteProperties(schema, { keep, drop, sub });
    rewriteDependencies(schema, { keep, drop, scope, sub });
    rewriteArray(schema, { keep, drop, scope, sub });
    return this.#finish(out, exact);
  }

  // Keywords that refuse more when a part of them accepts more: kept only where nothing was widened.
  #rewriteLogic(
    schema: JsonObject,
    { keep, drop, scope, sub, depth }: ScopedParts & { readonly depth: number },
  ): void {
    const judge = (value: unknown) => this.#rewrite(value, scope, depth + 1);
    if (schema["not"] !== undefined) {
      const inner = judge(schema["not"]);
      if (inner.exact) keep("not", inner.schema);
      else drop();
    }
    const { oneOf } = schema;
    if (isList(oneOf)) {
      const inner = oneOf.map(judge);
      const choices = inner.map((item) => item.schema);
      if (inner.every((item) => item.exact)) keep("oneOf", choices);
      else {
        drop();
        const { anyOf } = schema;
        if (!isList(anyOf)) keep("anyOf", choices);
      }
    } else if (oneOf !== undefined) drop();
    if (schema["if"] !== undefined) {
      const condition = judge(schema["if"]);
      if (condition.exact) {
        this.#hasConditions = true;
        keep("if", condition.schema);
        for (const key of ["then", "else"]) {
          if (schema[key] !== undefined) keep(key, sub(schema[key]));
        }
      } else drop();
    }
    const rest = schema["unevaluatedProperties"];
    if (rest === undefined || scope.dialect === "draft-07") return;
    // What counts as evaluated is decided anywhere below: in a loose document, nowhere.
    if (this.#isLoose) drop();
    else {
      this.#hasRest = true;
      keep("unevaluatedProperties", sub(rest));
    }
  }

  /** The name in `$defs` of a part that stands for itself. */
  #nameOf({ schema, scope, hint = "" }: { schema: unknown; scope: Scope; hint?: string }): string {
    const known = this.#names.get(schema);
    if (known !== undefined) return known;
    const stem = hint.replace(/[^A-Za-z0-9_]/g, "").slice(0, 40);
    const number = this.#names.size;
    const name = stem === "" || this.#taken.has(stem) ? `${stem}${number}` : stem;
    this.#taken.add(name);
    this.#names.set(schema, name);
    this.#queue.push({ name, schema, scope });
    return name;
  }

  #finish(out: Record<string, unknown>, exact: boolean): Rewritten {
    if (!exact) this.isExact = false;
    const cost = costOf(out);
    if (cost === undefined) return { schema: "$ref" in out ? out : true, exact };
    return { schema: { ...out, [COST_KEYWORD]: cost }, exact };
  }
}

// A reference alone costs nothing: what it leads to does.
function costOf(out: JsonObject): Cost | undefined {
  const keys = Object.keys(out).filter((key) => key !== "$ref");
  if (keys.length === 0) return undefined;
  const listed = ["required", "properties", "dependentRequired", "dependentSchemas"]
    .reduce((sum, key) => sum + Object.keys(out[key] ?? {}).length, 0);
  const values = ["enum", "const"].filter((key) => key in out)
    .reduce((sum, key) => sum + JSON.stringify(out[key]).length, 0);
  return {
    steps: keys.length + listed + Math.ceil(values / CHARS_PER_STEP),
    isLong: keys.some((key) => LONG.has(key)),
  };
}

interface Parts {
  readonly keep: (key: string, value: unknown) => void;
  readonly drop: () => void;
  readonly sub: (value: unknown) => PlainSchema;
}

interface ScopedParts extends Parts {
  readonly scope: Scope;
}

/** Keywords that hold plain values. */
function rewriteValues(schema: JsonObject, { keep, drop }: Omit<Parts, "sub">): void {
  const take = (key: string, isGood: (value: unknown) => boolean) => {
    const value = schema[key];
    if (value === undefined) return;
    if (isGood(value)) keep(key, value);
    else drop();
  };
  const { type } = schema;
  const types = Array.isArray(type) ? type : [type];
  if (type !== undefined && types.length > 0 && types.every((item) => TYPES.has(item))) {
    // An extension of OpenAPI that generators of schemas leave in.
    const all = schema["nullable"] === true ? [...types, "null"] : types;
    const unique = [...new Set(all)];
    keep("type", unique.length === 1 ? unique[0] : unique);
  } else if (type !== undefined) drop();
  take("enum", (value) => Array.isArray(value) && value.length > 0);
  take("const", () => true);
  take("required", isStrings);
  take("uniqueItems", (value) => typeof value === "boolean");
  take("multipleOf", (value) => typeof value === "number" && value > 0);
  for (const key of NUMBERS) take(key, (value) => typeof value === "number");
  for (const key of COUNTS) take(key, (value) => Number.isInteger(value) && (value as number) >= 0);
}

function rewriteProperties(schema: JsonObject, { keep, drop, sub }: Parts): void {
  const { properties = {}, patternProperties = {}, additionalProperties, propertyNames } = schema;
  if (propertyNames !== undefined) keep("propertyNames", sub(propertyNames));
  const named = isObject(properties) ? Object.entries(properties) : [];
  if (named.length > 0) {
    keep("properties", Object.fromEntries(named.map(([key, item]) => [key, sub(item)])));
  }
  // Which names are additional is known only where no others stand for patterns or are unreadable;
  // and to the validator `__proto__` is never a known one.
  const known = isObject(properties) && isObject(patternProperties) &&
    Object.keys(patternProperties).length === 0 && !Object.hasOwn(properties, "__proto__");
  if (!known) drop();
  else if (additionalProperties !== undefined) {
    keep("additionalProperties", sub(additionalProperties));
  }
}

function rewriteDependencies(schema: JsonObject, { keep, drop, scope, sub }: ScopedParts): void {
  const keys = scope.dialect === "draft-07"
    ? ["dependencies"]
    : ["dependentRequired", "dependentSchemas"];
  const required: [string, string[]][] = [];
  const schemas: [string, unknown][] = [];
  for (const key of keys) {
    const map = schema[key] ?? {};
    if (!isObject(map)) drop();
    else {
      for (const [name, item] of Object.entries(map)) {
        if (isStrings(item)) required.push([name, item]);
        else schemas.push([name, sub(item)]);
      }
    }
  }
  if (required.length > 0) keep("dependentRequired", Object.fromEntries(required));
  if (schemas.length > 0) keep("dependentSchemas", Object.fromEntries(schemas));
}

// A list under `items` counts as a tuple whatever the dialect: the two are mixed up often.
function rewriteArray(schema: JsonObject, { keep, drop, scope, sub }: ScopedParts): void {
  const { items, additionalItems } = schema;
  const isOld = Array.isArray(items);
  const tuple = isOld ? items : scope.dialect === "draft-07" ? [] : schema["prefixItems"] ?? [];
  const rest = isOld ? additionalItems : items;
  if (!Array.isArray(tuple)) {
    drop();
    return;
  }
  if (tuple.length > 0) keep("prefixItems", tuple.map(sub));
  if (rest !== undefined) keep("items", sub(rest));
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value) && value.length > 0;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
