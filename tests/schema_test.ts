import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import ts from "typescript";
import { toTypeModel } from "../src/schema.ts";
import { ask, declare, diagnose, printModel } from "./typescript_check.ts";

// The type on one line, then the definitions as `Name = type`.
function line(schema: unknown): string {
  const { text, definitions } = printModel(toTypeModel(schema, { name: "T" }), { line: true });
  return [text, ...definitions.map(([name, type]) => `${name} = ${type}`)].join("; ");
}

function warningsOf(schema: unknown): readonly string[] {
  return toTypeModel(schema, { name: "T" }).warnings;
}

function check(rows: readonly (readonly [schema: unknown, expected: string])[]): void {
  for (const [schema, expected] of rows) {
    assert.equal(line(schema), expected, JSON.stringify(schema));
  }
}

const STRING = { type: "string" };
const NUMBER = { type: "number" };
const OTHERS = "number | boolean | unknown[]";
const DRAFT_07 = "http://json-schema.org/draft-07/schema#";

Deno.test("toTypeModel writes each kind, and unknown when nothing is asked", () => {
  check([
    [true, "unknown"],
    [false, "never"],
    [{}, "unknown"],
    [{ description: "nothing asked" }, "unknown"],
    [STRING, "string"],
    [{ type: "integer", minimum: 1 }, "number"],
    [{ type: ["null", "boolean", "string"] }, "string | boolean | null"],
    [{ type: "string", nullable: true }, "string | null"],
    [{ type: "array" }, "unknown[]"],
    [{ type: "object" }, "{ [key: string]: unknown }"],
    [{ type: "any" }, "unknown"],
    [{ type: [] }, "unknown"],
    [{ minLength: 1 }, "unknown"],
    [
      { properties: { a: STRING } },
      `string | ${OTHERS} | { a?: string } | null`,
    ],
  ]);
});

Deno.test("toTypeModel writes listed values of every kind", () => {
  check([
    [{ enum: ["b", "a", 1, true, null] }, '"b" | "a" | 1 | true | null'],
    [{ enum: [true, false, null] }, "boolean | null"],
    [{ type: "string", enum: ["a", 1] }, '"a"'],
    [{ enum: [] }, "never"],
    [{ const: null }, "null"],
    [{ const: -0 }, "0"],
    [{ const: { b: [1, "x"], a: {} } }, '{ a: { [key: string]: never }; b: [1, "x"] }'],
    [{ enum: [[], [1]] }, "never[] | [1]"],
  ]);
});

Deno.test("toTypeModel writes objects: required first, then sorted, open unless closed", () => {
  check([
    [
      { type: "object", properties: { z: STRING, b: NUMBER, a: STRING }, required: ["z"] },
      "{ z: string; a?: string; b?: number }",
    ],
    [{ type: "object", required: ["a"] }, "{ a: unknown }"],
    [{ type: "object", additionalProperties: false }, "{ [key: string]: never }"],
    [{ type: "object", additionalProperties: STRING }, "{ [key: string]: string }"],
    [
      { type: "object", properties: { a: NUMBER }, additionalProperties: STRING },
      "{ a?: number; [key: string]: string | number | undefined }",
    ],
    [
      { type: "object", required: ["a"], additionalProperties: false },
      "never",
    ],
    [
      { type: "object", properties: { a: false }, required: ["a"] },
      "never",
    ],
    [{ type: "object", maxProperties: 0 }, "{ [key: string]: never }"],
    [
      { type: "object", propertyNames: { enum: ["a", "b"] }, additionalProperties: NUMBER },
      "{ a?: number; b?: number }",
    ],
    [
      { type: "object", properties: { toString: STRING, constructor: STRING } },
      "{ constructor?: unknown; toString?: unknown }",
    ],
  ]);
});

Deno.test("toTypeModel takes plain prefixes of keys as signatures and no other pattern", () => {
  check([
    [
      { type: "object", patternProperties: { "^x-": STRING }, additionalProperties: false },
      "{ [key: `x-${string}`]: string }",
    ],
    [
      {
        type: "object",
        patternProperties: { "^x-": STRING, "^x-n-": { const: "a" } },
        properties: { "x-b": {} },
        additionalProperties: NUMBER,
      },
      '{ "x-b"?: string; [key: `x-${string}`]: string | undefined; ' +
      '[key: `x-n-${string}`]: "a"; [key: string]: number | string | undefined }',
    ],
    [
      { type: "object", patternProperties: { "^a\\.b\\$": STRING }, additionalProperties: false },
      "{ [key: `a.b\\$${string}`]: string }",
    ],
    [
      { type: "object", patternProperties: { "^[a-z]+$": STRING }, additionalProperties: false },
      "{ [key: string]: string }",
    ],
    [{ type: "object", patternProperties: { "": NUMBER } }, "{ [key: string]: number }"],
    // Half of a character is not where a whole one begins.
    [{ type: "object", patternProperties: { "^\ud83d": NUMBER } }, "{ [key: string]: unknown }"],
  ]);
});

Deno.test("toTypeModel writes arrays and tuples of 2020-12 and draft-07", () => {
  const items = [STRING, NUMBER];
  check([
    [{ type: "array", items: STRING, minItems: 1 }, "string[]"],
    [{ type: "array", items: { type: ["string", "null"] } }, "(string | null)[]"],
    [{ type: "array", items: false }, "never[]"],
    [{ type: "array", prefixItems: items }, "[string?, number?, ...unknown[]]"],
    [
      { type: "array", prefixItems: items, items: false, minItems: 1 },
      "[string, number?]",
    ],
    [{ type: "array", prefixItems: items, maxItems: 1 }, "[string?]"],
    [{ type: "array", prefixItems: [STRING, false] }, "[string?]"],
    [
      { $schema: DRAFT_07, type: "array", items, additionalItems: { type: "null" } },
      "[string?, number?, ...null[]]",
    ],
    [{ $schema: DRAFT_07, type: "array", prefixItems: items }, "unknown[]"],
    [{ type: "array", minItems: 3, maxItems: 2 }, "never"],
    [{ type: "array", minItems: 2, maxItems: 1.5 }, "unknown[]"],
    [{ type: "array", contains: false }, "never"],
    [{ type: "array", contains: {}, minContains: 2, maxContains: 1 }, "never"],
    [{ $schema: DRAFT_07, type: "array", contains: {}, maxContains: 0 }, "unknown[]"],
    [
      { $schema: DRAFT_07, type: "array", contains: {}, minContains: 2, maxContains: 1 },
      "unknown[]",
    ],
  ]);
});

Deno.test("toTypeModel intersects on kinds and never prints an intersection", () => {
  check([
    [{ allOf: [{ type: ["string", "number"] }, { type: ["number", "null"] }] }, "number"],
    [
      {
        type: "object",
        allOf: [{ properties: { a: STRING } }, { required: ["a"] }],
        properties: { b: NUMBER },
      },
      "{ a: string; b?: number }",
    ],
    [{ allOf: [STRING, NUMBER] }, "never"],
    [
      { allOf: [{ enum: ["a", "b"] }, { enum: ["b", "c"] }] },
      '"b"',
    ],
    [
      {
        allOf: [
          { type: "object", properties: { a: { type: ["string", "null"] } } },
          { type: "object", properties: { a: STRING }, additionalProperties: false },
        ],
      },
      "{ a?: string }",
    ],
  ]);
});

Deno.test("toTypeModel unites alternatives and leaves out those that cannot hold", () => {
  const a = { type: "object", properties: { kind: { const: "a" }, x: STRING }, required: ["kind"] };
  const b = { type: "object", properties: { kind: { const: "b" } }, required: ["kind"] };
  check([
    [{ anyOf: [STRING, { type: "null" }] }, "string | null"],
    [{ anyOf: [{ type: "null" }, { enum: ["a"] }, STRING] }, "string | null"],
    [{ oneOf: [a, b] }, '{ kind: "a"; x?: string } | { kind: "b" }'],
    [
      { type: "object", required: ["kind"], properties: { kind: { const: "a" } }, anyOf: [a, b] },
      '{ kind: "a"; x?: string }',
    ],
    [
      { type: "object", oneOf: [{ required: ["a"] }, { required: ["b"] }] },
      "{ a: unknown; b?: never } | { b: unknown; a?: never }",
    ],
    [{ oneOf: [true, true] }, "never"],
    [{ oneOf: [{ type: "integer" }, NUMBER] }, "number"],
  ]);
});

Deno.test("toTypeModel takes away what not, if and dependencies exclude", () => {
  check([
    [{ not: { type: ["string", "object", "array"] } }, "number | boolean | null"],
    [{ enum: ["a", "b", "c"], not: { const: "b" } }, '"a" | "c"'],
    [{ not: { type: "integer" } }, "unknown"],
    [{ not: {} }, "never"],
    [
      { type: "object", not: { required: ["a"] } },
      "{ a?: never }",
    ],
    [
      {
        type: "object",
        properties: { kind: { enum: ["a", "b"] } },
        required: ["kind"],
        if: { properties: { kind: { const: "a" } } },
        then: { required: ["x"] },
        else: { required: ["y"] },
      },
      '{ kind: "a"; x: unknown } | { kind: "b"; y: unknown }',
    ],
    [{ if: true, then: STRING, else: NUMBER }, "string"],
    [{ if: "", then: STRING, else: NUMBER }, "unknown"],
    [
      { type: "object", dependentRequired: { a: ["b"] } },
      "{ a?: never } | { a: unknown; b: unknown }",
    ],
    [
      {
        $schema: DRAFT_07,
        type: "object",
        dependencies: { a: { properties: { b: STRING } } },
      },
      "{ a?: never } | { a: unknown; b?: string }",
    ],
  ]);
});

Deno.test("toTypeModel closes over what any subschema in place may have evaluated", () => {
  check([
    [
      {
        type: "object",
        properties: { a: STRING },
        anyOf: [{ properties: { b: NUMBER }, required: ["b"] }, { properties: { c: NUMBER } }],
        unevaluatedProperties: false,
      },
      "{ b: number; a?: string; c?: unknown } | { a?: string; b?: unknown; c?: number }",
    ],
    [
      {
        type: "object",
        allOf: [{ additionalProperties: STRING }],
        unevaluatedProperties: false,
      },
      "{ [key: string]: string }",
    ],
    [
      {
        type: "array",
        prefixItems: [STRING],
        allOf: [{ prefixItems: [true, NUMBER] }],
        unevaluatedItems: false,
      },
      "[string?, number?]",
    ],
    [
      { $schema: DRAFT_07, type: "object", unevaluatedProperties: false },
      "{ [key: string]: unknown }",
    ],
  ]);
});

Deno.test("toTypeModel follows references by pointer, anchor and identifier inside the schema", () => {
  const $defs = {
    plain: { $anchor: "here", type: "string" },
    "a/b~c%d": { type: "number" },
    inner: { $id: "inner/", $defs: { deep: { type: "boolean" } }, $ref: "#/$defs/deep" },
  };
  const $id = "https://example.com/base/schema";
  check([
    [{ $ref: "#/$defs/plain", $defs }, "string"],
    [{ $ref: "#here", $defs }, "string"],
    [{ $ref: "#/$defs/a~1b~0c%25d", $defs }, "number"],
    [{ $id, $ref: "inner/", $defs }, "boolean"],
    [{ $id, $ref: "https://example.com/base/inner/#/$defs/deep", $defs }, "boolean"],
    [
      { $schema: DRAFT_07, $ref: "#x", type: "null", definitions: { a: { $id: "#x", ...STRING } } },
      "string",
    ],
    [{ $ref: "#/$defs/plain", enum: ["a"], $defs }, '"a"'],
    [
      { properties: { a: NUMBER, b: { $ref: "#/properties/a" } }, type: "object" },
      "{ a?: number; b?: number }",
    ],
  ]);
});

Deno.test("toTypeModel names recursive and referenced structures, others not", () => {
  check([
    [
      {
        $ref: "#/$defs/tree-node",
        $defs: { "tree-node": { type: "array", items: { $ref: "#" } } },
      },
      "TTreeNode; TTreeNode = TTreeNode[]",
    ],
    [
      { type: "object", properties: { child: { $ref: "#" } }, additionalProperties: false },
      "TRoot; TRoot = { child?: TRoot }",
    ],
    [
      {
        type: "object",
        properties: {
          a: { $ref: "#/$defs/x" },
          b: { $ref: "#/$defs/X" },
          c: { $ref: "#/$defs/é" },
        },
        $defs: {
          x: { type: "object", properties: { a: STRING } },
          X: { type: "object", properties: { b: STRING } },
          "é": { type: "object", properties: { c: STRING } },
        },
      },
      "{ a?: TX; b?: TX2; c?: TPart }; TX = { a?: string }; TX2 = { b?: string }; " +
      "TPart = { c?: string }",
    ],
    [
      { anyOf: [{ $ref: "#/$defs/list" }, { type: "null" }], $defs: { list: { type: "array" } } },
      "unknown[] | null",
    ],
  ]);
});

Deno.test("toTypeModel gives the same text whatever the order of keys", () => {
  const forth = {
    type: "object",
    properties: { b: { $ref: "#/$defs/s" }, a: { anyOf: [{ $ref: "#/$defs/t" }, STRING] } },
    patternProperties: { "^y": NUMBER, "^x": STRING },
    dependentRequired: { b: ["a"], c: ["d"] },
    additionalProperties: { $ref: "#twice" },
    $defs: {
      u: { $anchor: "twice", type: "null" },
      v: { $anchor: "twice", type: "array" },
      s: { type: "object", properties: { z: STRING, y: { default: { q: 1, p: 2 } } } },
      t: { type: "object", properties: { s: { $ref: "#/$defs/s" } } },
    },
  };
  const back = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(back)
      : typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).reverse().map(([key, part]) => [key, back(part)]))
      : value;
  const model = toTypeModel(forth, { name: "T" });
  assert.deepEqual(printModel(model), printModel(toTypeModel(back(forth), { name: "T" })));
  assert.ok(model.definitions.size >= 2);
});

Deno.test("toTypeModel warns of what it widens: external and dangling references, dialects, bounds", () => {
  const rows: [unknown, string, RegExp][] = [
    [{ $ref: "https://example.com/x" }, "unknown", /"https:\/\/example\.com\/x" leads nowhere/],
    [{ $ref: "#/$defs/gone" }, "unknown", /"#\/\$defs\/gone" leads nowhere/],
    [{ $ref: "#/%E0%A4%A" }, "unknown", /leads nowhere/],
    [{ not: { $ref: "https://example.com/x" } }, "unknown", /leads nowhere/],
    [{ oneOf: [{ $ref: "a:b" }, { $ref: "a:c" }] }, "unknown", /leads nowhere/],
    [{ $ref: "#" }, "unknown", /leads to itself/],
    [{ allOf: [{ $ref: "#" }, STRING] }, "string", /contains itself/],
    [{ $dynamicRef: "#x", type: "array" }, "unknown[]", /dynamic reference/],
    [{ $ref: LONG_URI, $defs: { a: { $id: LONG_URI, ...STRING } } }, "unknown", /leads nowhere/],
    [{ $id: LONG_URI, $ref: "a", $defs: { a: { $id: "a", ...STRING } } }, "string", /^$/],
    [{ $schema: "http://json-schema.org/draft-03/schema#" }, "unknown", /dialect/],
    [{ properties: { a: 1 }, type: "object" }, "{ a?: unknown }", /neither object nor boolean/],
    [null, "unknown", /neither object nor boolean/],
    [
      { enum: Array.from({ length: 20_001 }, (_, at) => at) },
      "unknown",
      /more than 20000 parts/,
    ],
    [
      {
        anyOf: Array.from({ length: 13 }, (_, at) => ({
          type: "object",
          required: ["kind", `k${at}`],
          properties: { kind: { const: at % 2 } },
        })),
      },
      "{ kind: 0 | 1 }",
      /more than 12 alternatives/,
    ],
  ];
  for (const [schema, expected, warning] of rows) {
    assert.equal(line(schema), expected);
    assert.match(warningsOf(schema).join("\n"), warning);
  }
  assert.deepEqual(warningsOf({ type: "object", properties: { a: STRING } }), []);
});

const LONG_URI = `https://example.com/${"x".repeat(2048)}`;

Deno.test("toTypeModel types a schema 40 levels deep and widens below (G5)", () => {
  const nested = (depth: number): unknown =>
    depth === 0 ? STRING : { type: "object", properties: { a: nested(depth - 1) } };
  assert.match(line(nested(39)), /string; \}|string \}/);
  assert.deepEqual(warningsOf(nested(39)), []);
  assert.match(line(nested(50)), /a\?: unknown \}/);
  assert.match(warningsOf(nested(50)).join(), /deeper than 40/);
});

// Families of schemas made to break a converter; `n` is how large.
const FAMILIES: Record<string, (n: number) => unknown> = {
  "nested objects": (n) => nest(n, (inner) => ({ type: "object", properties: { a: inner } })),
  "nested arrays": (n) => nest(n, (inner) => ({ items: inner })),
  "nested allOf": (n) => nest(n, (inner) => ({ allOf: [inner] })),
  "nested allOf pairs": (n) => nest(n, (inner) => ({ allOf: [inner, inner] })),
  "nested anyOf pairs": (n) => nest(n, (inner) => ({ anyOf: [inner, { items: inner }] })),
  "nested oneOf": (n) => nest(n, (inner) => ({ oneOf: [inner, { required: ["a"] }] })),
  "nested not": (n) => nest(n, (inner) => ({ not: inner })),
  "nested conditions": (n) => nest(n, (inner) => ({ if: inner, then: inner, else: inner })),
  "nested extras": (n) =>
    nest(n, (inner) => ({ type: "object", properties: { a: inner }, additionalProperties: inner })),
  "nested constants": (n) => ({ const: nest(n, (inner) => [inner]) }),
  "many keys": (n) => ({ type: "object", properties: record(n, () => STRING) }),
  "many objects": (n) => ({
    type: "object",
    properties: record(n, () => ({ type: "object", properties: { a: { items: STRING } } })),
  }),
  "many required": (n) => ({ required: list(n, (at) => `k${at}`) }),
  "many prefixes": (n) => ({
    patternProperties: record(n, () => STRING, "^k"),
    properties: record(n, () => STRING),
  }),
  "many patterns": (n) => ({ patternProperties: record(n, () => ({ items: STRING }), "(a+)+") }),
  "many alternatives": (n) => ({
    anyOf: list(n, (at) => ({ type: "object", required: [`k${at}`] })),
  }),
  "many titled values": (n) => ({ oneOf: list(n, (at) => ({ const: `v${at}`, title: "x" })) }),
  "many conjuncts": (n) => ({
    allOf: list(n, (at) => ({ properties: { [`k${at}`]: { items: STRING } } })),
  }),
  "conjuncts on one key": (n) => ({
    allOf: list(n, (at) => ({ properties: { x: { required: [`k${at}`] } } })),
  }),
  "conjoined choices": (n) => ({
    allOf: list(n, (at) => ({ anyOf: [{ required: [`a${at}`] }, { required: [`b${at}`] }] })),
  }),
  "many dependencies": (n) => ({ dependentRequired: record(n, (at) => [`z${at}`]) }),
  "many values": (n) => ({ enum: list(n, (at) => `v${at}`) }),
  "many object values": (n) => ({ enum: list(n, (at) => ({ a: at })) }),
  "long tuples": (n) => ({ prefixItems: list(n, (at) => ({ enum: [at] })) }),
  "one object in many places": (n) =>
    inPlaces(n, { type: "object", properties: record(n, () => STRING) }),
  "one documented object in many places": (n) =>
    inPlaces(n, { properties: record(20, () => ({ description: "x".repeat(n) })) }),
  "one object of a long key in many places": (n) =>
    inPlaces(n, { properties: { ["k".repeat(n)]: STRING } }),
  "one list of values in many places": (n) => inPlaces(n, { enum: list(n, (at) => `v${at}`) }),
  "one object of long values in many places": (n) =>
    inPlaces(n, { properties: { a: { enum: ["v".repeat(n), "w".repeat(n)] } } }),
  "one object of long prefixes in many places": (n) =>
    inPlaces(n, { patternProperties: { [`^${"k".repeat(n)}`]: STRING } }),
  "one index of many values in many places": (n) => {
    const properties = record(100, (at) => ({ enum: list(8, (value) => `${at} ${value}`) }));
    return inPlaces(n, { type: "object", properties, additionalProperties: { type: "null" } });
  },
  "one tuple in many places": (n) => inPlaces(n, { prefixItems: list(n, () => STRING) }),
  "chains of references": (n) => chain(n, (next) => ({ $ref: next })),
  "chains of objects": (n) =>
    chain(n, (next) => ({ type: "object", properties: { a: { $ref: next }, b: { $ref: next } } })),
  "chains of allOf": (n) =>
    chain(n, (next, after) => ({ allOf: [{ $ref: next }, { $ref: after }] })),
  "chains of anyOf": (n) =>
    chain(n, (next, after) => ({ anyOf: [{ $ref: next }, { $ref: after }, { type: "object" }] })),
  "chains of unevaluated": (n) =>
    chain(n, (next) => ({ $ref: next, properties: { a: {} }, unevaluatedProperties: false })),
  "anchors": (n) => ({
    $ref: "#a0",
    $defs: record(n, (at) => ({ $anchor: `a${at}`, items: { $ref: `#a${at + 1}` } })),
  }),
  "identifiers": (n) => ({
    $ref: "x0",
    $defs: record(n, (at) => ({ $id: `x${at}`, items: { $ref: `x${at + 1}` } })),
  }),
  "a long pointer": (n) => ({ $ref: `#${"/a".repeat(n)}` }),
  "a long pattern": (n) => ({
    type: "object",
    patternProperties: { [`^${"a".repeat(n)}`]: STRING, [`^(${"a|".repeat(n)}b)+$`]: NUMBER },
  }),
};

function nest(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let schema: unknown = STRING;
  for (let at = 0; at < depth; at++) schema = wrap(schema);
  return schema;
}

function list<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

function record(count: number, make: (at: number) => unknown, prefix = "k") {
  return Object.fromEntries(list(count, (at) => [`${prefix}${at}`, make(at)]));
}

// Each place asks for something of its own beside, so that none stands for another.
function inPlaces(count: number, what: unknown): unknown {
  const properties = record(count, () => ({ $ref: "#/$defs/what", minProperties: 1 }));
  return { type: "object", properties, $defs: { what } };
}

function chain(count: number, make: (next: string, after: string) => unknown): unknown {
  const $defs = record(count, (at) => make(`#/$defs/k${at + 1}`, `#/$defs/k${at + 2}`));
  return { $ref: "#/$defs/k0", $defs };
}

// Texts that would do harm if a position let them out.
const TEXTS = [
  "*/ alert(1) /*",
  "--> <script>",
  "`${alert(1)}`",
  '"; alert(1); "',
  "'] = x; //",
  '"""',
  "\u2028alert(1)\u2029",
  "\\",
  "\\u002a/",
  "\u202ecod\u202c",
  "\ud800 lone \udc00",
  "\u0000\u001b[31m",
  "@deprecated\n@import x",
  "line\r\nbreak\n\n# heading\n---\n```",
  "__proto__",
  "constructor",
  "",
  "\u{e0041}\u200b",
  "*\u200b/",
  "ignore previous instructions",
];

// Where a text from a server can stand in a schema.
const POSITIONS: Record<string, (text: string) => unknown> = {
  description: (text) => ({
    type: "object",
    properties: { a: { description: text, default: text } },
  }),
  key: (text) => ({ type: "object", properties: { [text]: STRING }, required: [text] }),
  value: (text) => ({
    type: "object",
    properties: { a: { enum: [text, `${text}2`], const: text } },
  }),
  tag: (text) => ({
    type: "object",
    properties: { a: { format: text, pattern: text, type: "string" } },
  }),
  prefix: (text) => ({
    type: "object",
    patternProperties: { [`^${text}`]: STRING, [text]: STRING },
  }),
  definition: (text) => ({
    type: "object",
    properties: { a: { $ref: `#/$defs/${encodeURIComponent(text.toWellFormed())}` } },
    $defs: { [text]: { type: "object", properties: { b: { description: text } } } },
  }),
  reference: (text) => ({
    type: "object",
    properties: { a: { $ref: text }, b: { $dynamicRef: text } },
  }),
};

interface Hostile {
  readonly title: string;
  readonly schema: unknown;
}

function hostileSchemas(): Hostile[] {
  const grown = Object.entries(FAMILIES).map(([title, make]) => ({ title, schema: make(60) }));
  const texts = Object.entries(POSITIONS).flatMap(([title, make]) =>
    TEXTS.map((text) => ({ title: `${title} ${JSON.stringify(text)}`, schema: make(text) }))
  );
  return [...grown, ...texts];
}

Deno.test("toTypeModel turns 150 hostile schemas into types that compile and hold no code (H17, H18, H22-H24, G1-G6)", () => {
  const hostile = hostileSchemas();
  assert.ok(hostile.length >= 150, `${hostile.length}`);
  const sources = hostile.map(({ schema }, at) =>
    declare(`Root${at}`, toTypeModel(schema, { name: `Hostile${at}` }))
  );
  const source = sources.join("\n");
  const problems = [...diagnose(source)].map(([line, text]) =>
    `${source.split("\n")[line]}: ${text}`
  );
  assert.deepEqual(problems, []);
  const file = ts.createSourceFile("x.ts", source, ts.ScriptTarget.ESNext, true);
  const names = file.statements.map((statement) =>
    ts.isTypeAliasDeclaration(statement) ? statement.name.text : statement.getText()
  );
  assert.deepEqual(names.filter((name) => !/^(?:Root|Hostile)[0-9]+[A-Za-z0-9]*$/.test(name)), []);
  assert.doesNotMatch(source, /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  assert.ok(source.isWellFormed());
});

Deno.test("toTypeModel fetches nothing and runs no pattern of a schema (H17, H18)", () => {
  const { fetch, RegExp } = globalThis;
  const forbid = () => assert.fail("called");
  try {
    Object.assign(globalThis, { fetch: forbid, RegExp: forbid });
    for (const { schema } of hostileSchemas()) printModel(toTypeModel(schema, { name: "T" }));
    const evil = { type: "string", pattern: "^(a+)+$" };
    const schema = { propertyNames: evil, patternProperties: { "(a*)*$": evil }, items: evil };
    printModel(toTypeModel(schema, { name: "T" }));
    line({ $ref: "https://example.com/schema.json" });
  } finally {
    Object.assign(globalThis, { fetch, RegExp });
  }
});

Deno.test("toTypeModel takes work and text in proportion to the schema, and no more (H17)", () => {
  for (const [title, make] of Object.entries(FAMILIES)) {
    const sizeOf = (n: number) => {
      const schema = make(n);
      const model = toTypeModel(schema, { name: "T" });
      const { text, definitions } = printModel(model);
      assert.ok(model.warnings.length <= 20, title);
      return definitions.reduce((size, [, type]) => size + type.length, text.length);
    };
    assert.ok(sizeOf(4000) <= Math.min(12_000 + 2.5 * sizeOf(2000), 6_000_000), title);
  }
  const keys = { type: "object", properties: record(100_000, () => STRING), required: ["k5"] };
  assert.equal(line(keys), "{ [key: string]: unknown }");
  // Each prefix is held against each other.
  const allOf = Array.from({ length: 400 }, (_, at) => ({
    patternProperties: { [`^${at}a`]: STRING, [`^${at}b`]: STRING, [`^${at}c`]: STRING },
  }));
  const tooMany = ["Schema has more than 20000 parts: the rest is typed as unknown"];
  assert.deepEqual(warningsOf({ type: "object", allOf }), tooMany);
  // So it is where an object is closed, and each member or element then is looked at once more.
  const closed = (count: number, close: object, a: object) => ({
    anyOf: list(count, () => ({ anyOf: [{ $ref: "#/$defs/a" }], ...close })),
    $defs: { a },
  });
  const closedKeys = { type: "object", unevaluatedProperties: false };
  const prefixed = {
    allOf: list(20, (at) => ({ patternProperties: record(10, () => STRING, `^${at}k`) })),
  };
  assert.deepEqual(warningsOf(closed(12, closedKeys, prefixed)), tooMany);
  const named = { properties: record(10_000, () => STRING) };
  assert.ok(warningsOf(closed(40, closedKeys, named)).includes(tooMany[0]!));
  const tuple = { prefixItems: list(1000, () => STRING) };
  const closedItems = { unevaluatedItems: false };
  assert.ok(warningsOf(closed(400, closedItems, tuple)).includes(tooMany[0]!));
});

Deno.test("toTypeModel writes nested objects once, beside an index signature too (H17)", () => {
  const nested = (depth: number, type: unknown) =>
    line(nest(depth, (a) => ({ type, properties: { a }, additionalProperties: STRING })));
  assert.equal(
    nested(2, ["object", "null"]),
    "{ a?: TA; [key: string]: string | TA | undefined } | null; " +
      "TA = { a?: string; [key: string]: string | undefined } | null",
  );
  for (const type of [["object", "null"], ["object", "array"], undefined]) {
    assert.ok(nested(12, type).length <= 3 * nested(6, type).length);
  }
});

// What was seen is noted once: repeated, it would be more than memory holds.
Deno.test("toTypeModel closes over choices inside choices however deep they are (H17)", () => {
  const nested = (choices: readonly unknown[], more: object) => {
    let schema: object = { anyOf: choices };
    for (let depth = 0; depth < 35; depth++) schema = { anyOf: [schema, false] };
    return line({ ...schema, ...more });
  };
  const prefixes = ["^a", "^b"].map((key) => ({ patternProperties: { [key]: STRING } }));
  assert.equal(
    nested(prefixes, { type: "object", unevaluatedProperties: false }),
    "{ [key: `a${string}`]: string } | { [key: `b${string}`]: string }",
  );
  const items = ["string", "number"].map((type) => ({ contains: { type } }));
  assert.equal(
    nested(items, { type: "array", unevaluatedItems: false }),
    "(string | number)[]",
  );
});

Deno.test("toTypeModel keeps `__proto__` and the empty string as ordinary keys", () => {
  const schema = JSON.parse(
    '{"type":"object","properties":{"__proto__":{"type":"string"},"":{"type":"number"}},' +
      '"required":["__proto__","hasOwnProperty"],"additionalProperties":{"type":"boolean"}}',
  );
  assert.equal(
    line(schema),
    '{ __proto__: string; hasOwnProperty: boolean; ""?: number; ' +
      "[key: string]: boolean | string | number | undefined }",
  );
  assert.equal(line({ $ref: "#/constructor" }), "unknown");
  assert.equal(line({ $ref: "#/$defs/__proto__", $defs: {} }), "unknown");
});

Deno.test("toTypeModel is sound for integers beyond 2^53, null beside enum and overlapping oneOf (G6)", () => {
  const schemas = [
    { enum: [9007199254740993, 1e308, -0] },
    { type: ["string", "null"], enum: ["a", null] },
    { oneOf: [{ type: "string", maxLength: 3 }, { type: "string", minLength: 2 }] },
    { oneOf: [{ properties: { a: STRING } }, { properties: { a: NUMBER } }], type: "object" },
  ];
  const values = [9007199254740992, 1e308, 0, "a", null, "abcd", { a: "x" }, { a: 1 }, {}, {
    b: 1,
  }];
  const ajv = new Ajv2020({ strict: false, logger: false });
  const questions = schemas.flatMap((schema, at) => {
    const model = toTypeModel(schema, { name: `G${at}` });
    const accepts = ajv.compile(schema);
    return values.filter((value) => accepts(value)).map((value) => ({ model, value }));
  });
  assert.ok(questions.length >= 8);
  for (const answer of ask(questions)) {
    assert.deepEqual(answer, { fresh: undefined, asValue: undefined, type: undefined });
  }
});
