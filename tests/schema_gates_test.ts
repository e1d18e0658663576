// deno-lint-ignore-file no-console
// The gates of the converter, measured with TypeScript: every valid instance accepted, and most of
// the invalid ones refused. The recorded data stands beside a full checkout; without it only the
// fixtures here are measured.

import assert from "node:assert/strict";
import { Ajv2020 } from "ajv/dist/2020.js";
import { toTypeModel } from "../src/schema.ts";
import type { JsonObject } from "../src/server.ts";
import { ask, type Question } from "./typescript_check.ts";

interface Instance extends Question {
  readonly valid: boolean;
  /** Where it comes from, for the failure message. */
  readonly from: string;
}

interface Figures {
  readonly valid: number;
  readonly accepted: number;
  readonly invalid: number;
  readonly refused: number;
  /** Descriptions of valid instances that were refused. */
  readonly wrong: string[];
}

// Every instance as a fresh literal and as a value: both must pass for it to be accepted.
function measure(title: string, instances: readonly Instance[]): Figures {
  const answers = ask(instances);
  let valid = 0;
  let accepted = 0;
  let refused = 0;
  const wrong: string[] = [];
  instances.forEach((instance, at) => {
    const problem = answers[at]!.type ?? answers[at]!.fresh ?? answers[at]!.asValue;
    if (!instance.valid) refused += problem === undefined ? 0 : 1;
    else {
      valid++;
      if (problem === undefined) accepted++;
      else wrong.push(`${instance.from}: ${JSON.stringify(instance.value)}: ${problem}`);
    }
  });
  const invalid = instances.length - valid;
  const share = (part: number, whole: number) => `${part}/${whole} = ${percent(part, whole)} %`;
  console.log(
    `${title}: valid accepted ${share(accepted, valid)}, invalid refused ${
      share(refused, invalid)
    }`,
  );
  return { valid, accepted, invalid, refused, wrong };
}

function percent(part: number, whole: number): string {
  return (100 * part / whole).toFixed(2);
}

const SHARED = new URL("../../shared/", import.meta.url);

function isShared(folder: string): boolean {
  try {
    return Deno.statSync(new URL(folder, SHARED)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function readShared(path: string): JsonObject {
  return JSON.parse(Deno.readTextFileSync(new URL(path, SHARED)));
}

interface SuiteCase {
  readonly group: string;
  readonly remote: boolean;
  readonly schema: unknown;
  readonly tests: readonly { readonly data: unknown; readonly valid: boolean }[];
}

// References that leave the document are left out.
function suiteInstances(files: readonly string[]): Instance[] {
  const instances: Instance[] = [];
  for (const file of files) {
    const suite = readShared(`corpus-schema/${file}.json`);
    for (
      const [at, { group, remote, schema, tests }] of (suite["cases"] as SuiteCase[]).entries()
    ) {
      if (remote) continue;
      const isOld = file.endsWith("draft7") && typeof schema === "object";
      const dialect = { $schema: "http://json-schema.org/draft-07/schema#" };
      const name = `${file.replace(/[^a-z0-9]/g, "")}Case${at}`;
      const model = toTypeModel(isOld ? { ...dialect, ...schema } : schema, { name });
      for (const { data, valid } of tests) {
        instances.push({ model, value: data, valid, from: `${file}, ${group}` });
      }
    }
  }
  return instances;
}

for (
  const { suite, folders, least } of [
    { suite: "official", folders: ["draft2020-12", "draft7"], least: 67 },
    { suite: "typed", folders: ["typed-draft2020-12", "typed-draft7"], least: 78 },
  ]
) {
  Deno.test({
    name: `toTypeModel accepts all valid instances of the ${suite} suite and refuses ${least} %`,
    ignore: !isShared("corpus-schema"),
    fn() {
      const { wrong, refused, invalid } = measure(`${suite} suite`, suiteInstances(folders));
      assert.deepEqual(wrong, []);
      assert.ok(refused / invalid >= least / 100, `refused only ${percent(refused, invalid)} %`);
    },
  });
}

Deno.test({
  name: "toTypeModel accepts all valid arguments of real tools and refuses 99 % of broken ones",
  ignore: !isShared("corpus"),
  fn() {
    const instances: Instance[] = [];
    let count = 0;
    for (const { server, tools } of realServers()) {
      for (const tool of tools) {
        for (const schema of [tool["inputSchema"], tool["outputSchema"]]) {
          if (schema === undefined) continue;
          instances.push(
            ...toolInstances(schema as JsonObject, `${server} ${tool["name"]}`, count++),
          );
        }
      }
    }
    const { wrong, refused, invalid } = measure(`real tools, ${count} schemas`, instances);
    assert.deepEqual(wrong, []);
    assert.ok(refused / invalid >= 0.99, `refused only ${percent(refused, invalid)} %`);
  },
});

Deno.test("toTypeModel accepts whatever ajv accepts of schemas made at random", () => {
  const random = new Random(7);
  const instances: Instance[] = [];
  for (let count = 0; count < 150; count++) {
    // What leads back to itself does so through a member: otherwise ajv would never come to an end.
    const a = { type: "object", properties: random.record(KEYS, 3) };
    const schema = { allOf: [random.schema(3)], $defs: { a } };
    const model = toTypeModel(schema, { name: `Random${count}` });
    const validate = AJV.compile(schema);
    for (let tries = 0; tries < 25; tries++) {
      const value = random.value(3);
      const from = JSON.stringify(schema);
      const valid = verdict(validate, value);
      if (valid !== undefined) instances.push({ model, value, valid, from });
    }
  }
  assert.ok(instances.length > 1000);
  assert.deepEqual(measure("random schemas", instances).wrong, []);
});

// The code that ajv makes of some of these schemas fails: then there is no verdict.
function verdict(validate: (value: unknown) => unknown, value: unknown): boolean | undefined {
  try {
    return validate(value) === true;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

const KEYS = ["a", "b", "ab", "x-a", "0"];
const VALUES = [null, true, 0, 1, 1.5, "", "a", "ab", [], [1], ["a", 1], {}, { a: 1 }, { b: "a" }];

// Schemas and values from a fixed seed. `unevaluated...` is left out: ajv judges it otherwise than
// the specification in places, and the suite covers it.
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(count: number): number {
    this.#state = Math.imul(this.#state ^ (this.#state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return ((this.#state ^ (this.#state >>> 13)) >>> 0) % count;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  schemas(depth: number): unknown[] {
    return Array.from({ length: 1 + this.below(3) }, () => this.schema(depth - 1));
  }

  record(keys: readonly string[], depth: number): Record<string, unknown> {
    return Object.fromEntries(
      [this.pick(keys), this.pick(keys)].map((key) => [key, this.schema(depth - 1)]),
    );
  }

  schema(depth: number): unknown {
    if (depth === 0 || this.below(6) === 0) return this.leaf();
    let schema: Record<string, unknown> = {};
    for (let count = 1 + this.below(3); count > 0; count--) {
      schema = { ...schema, ...this.keywords(depth) };
    }
    return schema;
  }

  leaf(): unknown {
    return this.pick([
      true,
      false,
      {},
      { type: this.pick(["string", "number", "integer", "boolean", "null", "object", "array"]) },
      { type: ["string", "null"] },
      { const: this.pick(VALUES) },
      { enum: [this.pick(VALUES), this.pick(VALUES)] },
      { type: "string", minLength: 1 },
      { minimum: 1 },
      { $ref: "#/$defs/a" },
    ]);
  }

  keywords(depth: number): Record<string, unknown> {
    const inner = () => this.schema(depth - 1);
    switch (this.below(16)) {
      case 0:
        return { type: this.pick([["object", "array"], ["object", "null"], "array", "object"]) };
      case 1:
      case 2:
        return { properties: this.record(KEYS, depth), required: [this.pick(KEYS)] };
      case 3:
        return { properties: this.record(KEYS, depth), additionalProperties: false };
      case 4:
        return { additionalProperties: inner() };
      case 5:
        return { patternProperties: this.record(["^a", "^x-", "^ab", "b", "^", "a$"], depth) };
      case 6:
        return { allOf: this.schemas(depth) };
      case 7:
        return { anyOf: this.schemas(depth) };
      case 8:
        return { oneOf: this.schemas(depth) };
      case 9:
        return { not: inner() };
      case 10:
        return { if: inner(), then: inner(), else: inner() };
      case 11:
        return { prefixItems: this.schemas(depth), items: inner(), minItems: this.below(3) };
      case 12:
        return { items: inner(), contains: inner() };
      case 13:
        return { dependentRequired: { [this.pick(KEYS)]: [this.pick(KEYS)] } };
      case 14:
        return { dependentSchemas: this.record(KEYS, depth) };
      default:
        return { propertyNames: this.pick([{ enum: ["a", "b"] }, { pattern: "^a" }]) };
    }
  }

  value(depth: number): unknown {
    if (depth === 0 || this.below(3) === 0) return this.pick(VALUES);
    const inner = () => this.value(depth - 1);
    const length = this.below(4);
    if (this.below(3) === 0) return Array.from({ length }, inner);
    return Object.fromEntries(Array.from({ length }, () => [this.pick(KEYS), inner()]));
  }
}

// An index signature of the second fixture admits what its members do: hence not 99 %.
Deno.test("toTypeModel accepts all valid arguments of our own fixtures and refuses 95 % of broken ones", () => {
  const instances = FIXTURES.flatMap((schema, at) => toolInstances(schema, `fixture ${at}`, at));
  const { wrong, refused, invalid } = measure("own fixtures", instances);
  assert.deepEqual(wrong, []);
  assert.ok(invalid > 50 && refused / invalid >= 0.95, `refused ${percent(refused, invalid)} %`);
});

const FIXTURES: readonly JsonObject[] = [
  {
    type: "object",
    properties: {
      path: { type: "string" },
      edits: {
        type: "array",
        items: {
          type: "object",
          properties: { from: { type: "integer" }, text: { type: "string" } },
          required: ["from", "text"],
          additionalProperties: false,
        },
      },
      mode: { enum: ["dry", "real", null] },
    },
    required: ["path", "edits"],
    additionalProperties: false,
  },
  {
    type: "object",
    properties: {
      filter: { $ref: "#/$defs/filter" },
      sort: { anyOf: [{ type: "string" }, { type: "null" }] },
      limit: { type: ["integer", "null"], minimum: 1 },
    },
    required: ["filter"],
    additionalProperties: { type: "boolean" },
    $defs: {
      filter: {
        oneOf: [
          {
            type: "object",
            properties: {
              op: { const: "and" },
              of: { type: "array", items: { $ref: "#/$defs/filter" } },
            },
            required: ["op", "of"],
            additionalProperties: false,
          },
          {
            type: "object",
            properties: { op: { const: "is" }, value: { type: "string" } },
            required: ["op", "value"],
            additionalProperties: false,
          },
        ],
      },
    },
  },
];

function realServers(): { server: string; tools: readonly JsonObject[] }[] {
  const names = [...Deno.readDirSync(new URL("corpus/", SHARED))].map((entry) => entry.name);
  return names.sort().map((server) => ({
    server,
    tools: readShared(`corpus/${server}`)["tools"] as readonly JsonObject[],
  }));
}

const AJV = new Ajv2020({
  strict: false,
  validateFormats: false,
  validateSchema: false,
  addUsedSchema: false,
  logger: false,
});
// Broken values of each sample; all of them would take minutes.
const MAX_BROKEN = 12;

// Some valid values of `schema`, and those values broken in one place; verdicts by ajv.
function toolInstances(schema: JsonObject, from: string, number: number): Instance[] {
  const { $schema: _dialect, ...plain } = schema;
  const validate = AJV.compile(plain);
  const model = toTypeModel(schema, { name: `Tool${number}` });
  const values = new Map<string, boolean>();
  for (let seed = 0; seed < 4; seed++) {
    const value = sample(schema, schema, seed, 0);
    if (!validate(value)) continue;
    values.set(JSON.stringify(value), true);
    const broken = mutations(value);
    const step = Math.max(1, broken.length / MAX_BROKEN);
    for (let at = 0; at < broken.length; at += step) {
      const mutant = broken[Math.floor(at)];
      values.set(JSON.stringify(mutant), validate(mutant));
    }
  }
  return [...values].map(([text, valid]) => ({ model, value: JSON.parse(text), valid, from }));
}

const STRINGS = [
  "a",
  "abc_1",
  "2024-05-06",
  "2024-05-06T07:08:09Z",
  "2024-05-06to2024-05-07",
  "00000000-0000-0000-0000-000000000000",
  "https://example.com/a",
  "someone@example.com",
  "key=value",
];

// A value that `schema` is likely to accept: seed 0 has all optional members, 1 none.
function sample(schema: unknown, root: JsonObject, seed: number, depth: number): unknown {
  if (typeof schema !== "object" || schema === null) return "anything";
  const { $ref, anyOf, oneOf, allOf, type, ...keywords } = schema as JsonObject;
  if (typeof $ref === "string") {
    const target = $ref.slice(2).split("/").reduce<unknown>(
      (at, key) => (at as JsonObject)[key],
      root,
    );
    return sample(target, root, seed, depth + 1);
  }
  if (keywords["const"] !== undefined) return keywords["const"];
  const listed = keywords["enum"] as unknown[] | undefined;
  if (listed !== undefined) return listed[seed % listed.length];
  const choices = (anyOf ?? oneOf) as unknown[] | undefined;
  if (choices !== undefined) {
    const choice = sample(choices[(seed + depth) % choices.length], root, seed, depth + 1);
    if (typeof choice !== "object" || choice === null || Array.isArray(choice)) return choice;
    const rest = sampleObject(keywords, root, seed, depth);
    return { ...rest, ...choice };
  }
  if (allOf !== undefined) {
    const parts = (allOf as unknown[]).map((part) => sample(part, root, seed, depth + 1));
    return Object.assign(sampleObject(keywords, root, seed, depth), ...parts);
  }
  const types = Array.isArray(type) ? type : [type];
  switch (types[seed % types.length] ?? (keywords["properties"] ? "object" : "any")) {
    case "string":
      return sampleString(keywords);
    case "integer":
    case "number": {
      const low = (keywords["minimum"] ?? keywords["exclusiveMinimum"]) as number | undefined;
      const high = (keywords["maximum"] ?? keywords["exclusiveMaximum"]) as number | undefined;
      const value = low === undefined ? Math.min(2, high ?? 2) : low + 1;
      return high === undefined ? value : Math.min(value, high);
    }
    case "boolean":
      return seed % 2 === 0;
    case "null":
      return null;
    case "array": {
      const prefix = (keywords["prefixItems"] ?? []) as unknown[];
      const items = prefix.map((item) => sample(item, root, seed, depth + 1));
      const wanted = Math.max(keywords["minItems"] as number ?? 0, seed === 1 ? 0 : 1);
      while (items.length < wanted && depth < 6 && keywords["items"] !== false) {
        items.push(sample(keywords["items"], root, seed + items.length, depth + 1));
      }
      return items;
    }
    case "object":
      return sampleObject(keywords, root, seed, depth);
    default:
      return "anything";
  }
}

function sampleString(keywords: JsonObject): string {
  const length = keywords["minLength"] as number ?? 0;
  const most = keywords["maxLength"] as number ?? Infinity;
  const pattern = new RegExp(keywords["pattern"] as string ?? "", "u");
  const found = STRINGS.find((text) => pattern.test(text) && text.length >= length);
  return (found ?? "abc".padEnd(length, "d")).slice(0, most);
}

function sampleObject(keywords: JsonObject, root: JsonObject, seed: number, depth: number) {
  const value: Record<string, unknown> = {};
  const required = new Set(keywords["required"] as string[] ?? []);
  const properties = keywords["properties"] as JsonObject ?? {};
  for (const [at, key] of Object.keys(properties).entries()) {
    const isWanted = seed === 0 ? depth < 5 : seed > 1 && (at + seed) % 2 === 0 && depth < 5;
    if (!required.has(key) && !isWanted) continue;
    value[key] = sample(properties[key], root, seed, depth + 1);
  }
  const additional = keywords["additionalProperties"];
  if (typeof additional === "object" && seed !== 1) {
    value["extra_key"] = sample(additional, root, seed, depth + 1);
  }
  return value;
}

// `value` with one thing changed, in every place: another kind, a member less, a member more,
// another string.
function mutations(value: unknown): unknown[] {
  const others = [null, true, 7, "zz other", [], { zz: 1 }].filter((other) =>
    kindOf(other) !== kindOf(value)
  );
  const mutants: unknown[] = [...others];
  if (typeof value === "string") mutants.push("zz other");
  if (Array.isArray(value)) {
    value.forEach((item, at) => {
      for (const mutant of mutations(item)) mutants.push(value.with(at, mutant));
    });
    mutants.push([...value, "zz other"], [...value, 7]);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      const { [key]: _gone, ...rest } = value as JsonObject;
      mutants.push(rest);
      for (const mutant of mutations(member)) mutants.push({ ...value, [key]: mutant });
    }
    mutants.push({ ...value, zz_unknown: 1 });
  }
  return mutants;
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}
