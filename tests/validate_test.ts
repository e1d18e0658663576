import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { digestOfJson } from "../src/hash.ts";
import { MAX_CHECKED_SUBSCHEMAS } from "../src/limits.ts";
import type { ServerName, ToolName } from "../src/names.ts";
import { toPlainSchema } from "../src/schema_plain.ts";
import type { JsonObject, ToolDefinition } from "../src/server.ts";
import { type CheckedTool, createSchemaChecker } from "../src/validate.ts";

function tool(inputSchema: JsonObject, outputSchema?: JsonObject): CheckedTool {
  const parts = {
    name: "make_issue" as ToolName,
    inputSchema,
    ...(outputSchema !== undefined && { outputSchema }),
  };
  const definition: ToolDefinition = { ...parts, digest: digestOfJson(parts) };
  return { server: "git" as ServerName, tool: definition };
}

function object(properties: JsonObject, more: JsonObject = {}): JsonObject {
  return { type: "object", properties, ...more };
}

/** What is wrong with `params`, as one list of lines; warnings fail the test unless expected. */
async function problemsOf(
  schema: JsonObject,
  params: unknown,
  warnings: string[] | undefined = undefined,
): Promise<readonly string[]> {
  const checker = createSchemaChecker({
    warn: (message) => warnings === undefined ? assert.fail(message) : warnings.push(message),
  });
  try {
    await checker.checkArguments(tool(schema), params as JsonObject);
    return [];
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.kind, "invalid");
    const [, first] = /^Call of "git\/make_issue" is not valid: (.*)$/s.exec(error.message) ?? [];
    assert.ok(first, error.message);
    return [first, ...error.detail ?? []];
  }
}

const ISSUE = object({
  title: { type: "string", minLength: 3 },
  state: { enum: ["open", "closed"] },
  labels: { type: "array", items: { type: "string" }, maxItems: 2 },
  owner: { anyOf: [{ type: "string" }, { type: "null" }] },
  count: { type: "integer", minimum: 1, multipleOf: 2 },
  place: object({ line: { type: "number" } }, { required: ["line"] }),
}, { required: ["title"], additionalProperties: false });

Deno.test("checkArguments lets through what fits", async () => {
  for (
    const params of [
      { title: "abc" },
      { title: "abc", state: "open", labels: [], owner: null, count: 2, place: { line: 1.5 } },
      { title: "abc", place: { line: 1, more: true } },
    ]
  ) assert.deepEqual(await problemsOf(ISSUE, params), []);
});

Deno.test("checkArguments says which parameter is wrong, what was wanted and what came", async () => {
  const first = async (params: object) => (await problemsOf(ISSUE, { title: "abc", ...params }))[0];
  assert.deepEqual(await problemsOf(ISSUE, {}), [`parameter "title" (string) is missing`]);
  assert.equal(await first({ title: 5 }), `parameter "title" must be string, got a number`);
  assert.equal(
    await first({ title: "ab" }),
    `parameter "title" must have at least 3 characters, got 2`,
  );
  assert.equal(
    await first({ labels: ["a", 1] }),
    `parameter "labels[1]" must be string, got a number`,
  );
  assert.equal(
    await first({ labels: ["a", "b", "c"] }),
    `parameter "labels" must have at most 2 items, got 3`,
  );
  assert.equal(
    await first({ labels: "bug" }),
    `parameter "labels" must be string[], got a string`,
  );
  assert.equal(await first({ owner: 1 }), `parameter "owner" must be string | null, got a number`);
  assert.equal(await first({ count: 0 }), `parameter "count" must be >= 1`);
  assert.equal(await first({ count: 3 }), `parameter "count" must be a multiple of 2`);
  assert.equal(await first({ count: 1.5 }), `parameter "count" must be a whole number`);
  assert.equal(await first({ place: {} }), `parameter "place.line" (number) is missing`);
  assert.equal(
    await first({ place: [] }),
    `parameter "place" must be { line: number }, got an array`,
  );
});

Deno.test("checkArguments gives the nearest valid name for a misspelt one", async () => {
  assert.deepEqual(await problemsOf(ISSUE, { titel: "abc" }), [
    `parameter "title" (string) is missing, "titel" is not known`,
  ]);
  assert.deepEqual(await problemsOf(ISSUE, { title: "abc", lables: [] }), [
    `parameter "lables" is not known, did you mean "labels"?`,
  ]);
  assert.deepEqual(await problemsOf(ISSUE, { title: "abc", state: "opne" }), [
    `parameter "state" must be "open" | "closed", got another string, did you mean "open"?`,
  ]);
  assert.match(
    (await problemsOf(ISSUE, { title: "abc", zzz: 1 }))[0]!,
    /known are "title", "state"/,
  );
});

Deno.test("checkArguments names several problems at once, and shows the signature", async () => {
  const checker = createSchemaChecker({ warn: assert.fail });
  // However much the tool gives back.
  const columns = Array.from({ length: 100 }, (_, at) => [`column_${at}`, { type: "string" }]);
  await assert.rejects(
    checker.checkArguments(
      tool(ISSUE, object(Object.fromEntries(columns))),
      { titel: "x", state: 1, count: "2" },
    ),
    (error) => {
      assert.ok(error instanceof AppError);
      assert.deepEqual(error.detail, [
        `parameter "state" must be "open" | "closed", got a number`,
        `parameter "count" must be number, got a string`,
      ]);
      assert.match(error.hint!, /^it is makeIssue\(params: \{ title: string; .* \}\)$/);
      return true;
    },
  );
  const many = Object.fromEntries(Array.from({ length: 9 }, (_, at) => [`p${at}`, true]));
  const properties = Object.fromEntries(Object.keys(many).map((key) => [key, { type: "number" }]));
  const problems = await problemsOf(object(properties), many);
  assert.equal(problems.length, 6);
  assert.equal(problems[5], "and 4 more");
});

// With each problem put into words and held against each name this takes most of a minute.
Deno.test("checkArguments counts problems beyond the first few without a look at each (H14)", async () => {
  const names = Array.from({ length: 500 }, (_, at) => `wanted_name_${at}`);
  const schema = object(Object.fromEntries(names.map((name) => [name, { type: "string" }])), {
    required: names,
  });
  const sent = Array.from({ length: 40_000 }, (_, at) => [`something_else_${at}`, 1]);
  const problems = await problemsOf(schema, Object.fromEntries(sent));
  assert.equal(problems[4], 'parameter "wanted_name_4" (string) is missing');
  assert.equal(problems[5], "and 495 more");
  const choice = object({ a: { type: "array", items: { anyOf: [{ type: "string" }] } } });
  const unfit = await problemsOf(choice, { a: Array(3_000).fill(true) });
  assert.equal(unfit[4], 'parameter "a[4]" must be string, got a boolean');
  assert.equal(unfit[5], "and 2995 more");
});

Deno.test("checkArguments repeats no value: it may be a secret", async () => {
  const canary = "canary-5309";
  const schema = object({
    a: { type: "number" },
    b: { enum: ["x"] },
    c: { const: 1 },
    d: { type: "string", maxLength: 1 },
    e: { anyOf: [{ type: "number" }, { type: "object" }] },
    f: { items: { type: "number" } },
    g: { not: {} },
    h: { oneOf: [{ type: "string" }, {}] },
    i: { uniqueItems: true },
  });
  for (const key of "abcdefghi") {
    const value = key === "f" ? [canary] : key === "i" ? [canary, canary] : canary;
    const problems = await problemsOf(schema, { [key]: value });
    assert.ok(problems.length > 0, key);
    assert.ok(!problems.join("\n").includes(canary), problems.join("\n"));
  }
});

Deno.test("checkArguments cleans names that came from elsewhere (H22)", async () => {
  const evil = "a\u001b[31m\nb";
  const schema = object({ [evil]: { type: "number" } }, { additionalProperties: false });
  for (const params of [{ [evil]: "x" }, { [`${evil}c`]: 1 }]) {
    const text = (await problemsOf(schema, params)).join("|");
    // deno-lint-ignore no-control-regex
    assert.ok(!/[\u001b\n]/.test(text), text);
  }
});

Deno.test("checkArguments takes no pattern of a server for a regular expression (H18)", async () => {
  const evil = "^(a+)+$";
  const text = `${"a".repeat(60)}!`;
  const schema = object({
    plain: { type: "string", pattern: evil, format: "regex" },
    not: { not: { pattern: evil } },
    if: { if: { pattern: evil }, then: false },
    one: { oneOf: [{ pattern: evil }, { type: "string" }] },
    keys: {
      patternProperties: { [evil]: { type: "number" } },
      propertyNames: { pattern: evil },
      additionalProperties: false,
    },
    seen: {
      allOf: [{ patternProperties: { [evil]: true } }],
      unevaluatedProperties: false,
    },
    contains: { contains: { pattern: evil } },
    dependent: { dependentSchemas: { [text]: { not: { propertyNames: { pattern: evil } } } } },
  });
  const params = {
    plain: text,
    not: text,
    if: text,
    one: text,
    keys: { [text]: "x" },
    seen: { [text]: 1 },
    contains: [text],
    dependent: { [text]: 1 },
  };
  assert.deepEqual(await problemsOf(schema, params), []);
  assert.ok(!JSON.stringify(toPlainSchema(schema)).includes(evil));
  // What can be told without them is still checked.
  assert.equal((await problemsOf(schema, { plain: 1, one: 1, keys: 1 })).length, 1);
});

// Whether a value fits a schema, for a few values each: [schema, fitting ones, others].
const KEYWORDS: readonly (readonly [JsonObject, readonly unknown[], readonly unknown[]])[] = [
  [{ type: ["string", "null"] }, ["a", null], [1]],
  [{ type: "string", nullable: true }, ["a", null], [1]],
  [{ type: "integer" }, [1, 1.0], [1.5, "1"]],
  [{ multipleOf: 0.1 }, [0.3, 1.1], [0.35]],
  [{ const: { a: [1] } }, [{ a: [1] }], [{ a: ["1"] }]],
  [{ enum: [1, { a: 1 }] }, [1, { a: 1 }], ["1", { a: 2 }]],
  [{ uniqueItems: true }, [[1, "1"], [{ a: 1 }, { a: 2 }]], [[{ a: 1, b: 2 }, { b: 2, a: 1 }]]],
  [{ oneOf: [{ minimum: 5 }, { maximum: 7 }] }, [1, 9], [6]],
  [{ not: { required: ["a"] } }, [{}], [{ a: 1 }]],
  [
    {
      if: { properties: { a: { const: 1 } } },
      then: { required: ["b"] },
      else: { required: ["c"] },
    },
    [{ a: 1, b: 1 }, { a: 2, c: 1 }],
    [{ a: 1 }, { a: 2, b: 1 }],
  ],
  [{ dependentRequired: { a: ["b"] } }, [{ b: 1 }, { a: 1, b: 1 }], [{ a: 1 }]],
  [{ dependentSchemas: { a: { required: ["b"] } } }, [{}], [{ a: 1 }]],
  [{ propertyNames: { maxLength: 1 } }, [{ a: 1 }], [{ ab: 1 }]],
  [{ minProperties: 1, maxProperties: 2 }, [{ a: 1 }], [{}, { a: 1, b: 1, c: 1 }]],
  [{ prefixItems: [{ type: "string" }], items: false }, [["a"], []], [[1], ["a", "b"]]],
  [
    { allOf: [{ properties: { a: true } }], properties: { b: true }, unevaluatedProperties: false },
    [{ a: 1, b: 1 }],
    [{ c: 1 }],
  ],
  [
    {
      $ref: "#/$defs/n",
      $defs: { n: { type: "object", properties: { next: { $ref: "#/$defs/n" } } } },
    },
    [{ next: { next: {} } }],
    [{ next: { next: 1 } }],
  ],
  [{ $ref: "#n", $defs: { n: { $anchor: "n", type: "number" } } }, [1], ["a"]],
  [
    {
      $ref: "https://example.org/b#/$defs/n",
      $defs: { x: { $id: "https://example.org/b", $defs: { n: { type: "number" } } } },
    },
    [1],
    ["a"],
  ],
  [{ required: ["constructor", "toString"] }, [{ constructor: 1, toString: 1 }], [{}]],
  // draft-07
  [
    {
      $schema: "http://json-schema.org/draft-07/schema#",
      items: [{ type: "string" }],
      additionalItems: false,
    },
    [["a"]],
    [[1], ["a", 1]],
  ],
  [
    {
      $schema: "http://json-schema.org/draft-07/schema#",
      definitions: { s: { type: "string" } },
      properties: { a: { $ref: "#/definitions/s", minLength: 5 } },
      dependencies: { a: ["b"], c: { required: ["d"] } },
    },
    [{ a: "x", b: 1 }, { c: 1, d: 1 }],
    [{ a: 1, b: 1 }, { a: "x" }, { c: 1 }],
  ],
  // Parts that are not understood are left out, and make nothing stricter.
  [{ type: "strnig", minimum: "3", required: "a", properties: { a: 5 } }, [1, { a: 1 }], []],
  [{ not: { minimum: "3" } }, [1], []],
  [{ format: "email", unknownKeyword: { $ref: "#/no" } }, ["not an address"], []],
  [{ enum: [] }, [1], []],
  [{ properties: "x", additionalProperties: false }, [{ a: 1 }], []],
  [{ $ref: "https://example.org/elsewhere.json", type: "string" }, ["a"], [1]],
  [{ $ref: "#/$defs/missing" }, [1], []],
  [{ $dynamicRef: "#x" }, [1], []],
];

Deno.test("checkArguments knows the keywords of 2020-12 and draft-07", async () => {
  for (const [schema, good, bad] of KEYWORDS) {
    // Under a property, where references still start from the root.
    const { $schema, $defs, definitions, ...rest } = schema as Record<string, JsonObject>;
    const whole = object({ v: rest }, {
      ...($schema && { $schema }),
      ...($defs && { $defs }),
      ...(definitions && { definitions }),
    });
    for (const v of good) {
      assert.deepEqual(await problemsOf(whole, { v }), [], JSON.stringify([schema, v]));
    }
    for (const v of bad) {
      assert.ok((await problemsOf(whole, { v })).length > 0, JSON.stringify([schema, v]));
    }
  }
});

Deno.test("checkArguments checks nothing in a dialect that is not known, and says so once", async () => {
  const warnings: string[] = [];
  const checker = createSchemaChecker({ warn: (message) => warnings.push(message) });
  const called = tool({ $schema: "http://json-schema.org/draft-04/schema#", required: ["a"] });
  for (let count = 0; count < 3; count++) await checker.checkArguments(called, {});
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, /^Parameters of "git\/make_issue" are not checked: /);
});

Deno.test("checkArguments gives up on schemas that cost too much, and lets the call pass (H14, H17)", async () => {
  const chain = (keyword: string, leaf: JsonObject): JsonObject => {
    const $defs: Record<string, unknown> = { a40: leaf };
    for (let at = 0; at < 40; at++) {
      const next = { $ref: `#/$defs/a${at + 1}` };
      $defs[`a${at}`] = { [keyword]: [next, next] };
    }
    return { type: "object", $ref: "#/$defs/a0", $defs };
  };
  const nest = (schema: JsonObject, levels: number): JsonObject =>
    levels === 0 ? schema : nest({ allOf: [schema, { anyOf: [{ type: "object" }] }] }, levels - 1);
  const many = Array.from({ length: MAX_CHECKED_SUBSCHEMAS + 1 }, () => ({ type: "object" }));
  const costly: JsonObject[] = [
    chain("allOf", { type: "object" }),
    chain("anyOf", { type: "number" }),
    chain("oneOf", { type: "number" }),
    { type: "object", allOf: [{ $ref: "#" }] },
    { $ref: "#" },
    { $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" },
    { type: "object", anyOf: many },
  ];
  for (const schema of costly) {
    const warnings: string[] = [];
    assert.deepEqual(await problemsOf(schema, {}, warnings), []);
    assert.equal(warnings.length, 1, JSON.stringify(schema).slice(0, 80));
  }
  assert.deepEqual(await problemsOf(nest({ required: [] }, 90), {}, []), []);
  const items = Array.from({ length: 3_000_000 }, () => 0);
  const unique = object({
    v: { uniqueItems: true, items: { anyOf: [false, { type: "number" }] } },
  });
  const warnings: string[] = [];
  await problemsOf(unique, { v: items.map((_, at) => at) }, warnings);
  assert.equal(warnings.length, 1);
});

Deno.test("checkArguments compiles nothing that a schema's names could turn into code (G3)", async () => {
  const names = [`"];throw 1;//`, "`${1}`", "'+alert()+'", "\\", "\u2028", "__proto__", "*/"];
  for (const name of names) {
    const properties = Object.fromEntries([[name, { type: "number" }]]);
    const schema = object(properties, { required: [name] });
    const good = Object.fromEntries([[name, 1]]);
    assert.deepEqual(await problemsOf(schema, good), [], name);
    if (name === "__proto__") continue; // the validator leaves this one out
    assert.equal((await problemsOf(schema, { [name]: "x" })).length, 1, name);
    assert.equal((await problemsOf(schema, {})).length, 1, name);
  }
  assert.equal(({} as JsonObject)["type"], undefined);
});

Deno.test("checkResult refuses structured content that breaks its promise", async () => {
  const checker = createSchemaChecker({ warn: assert.fail });
  const users = object({ users: { type: "array", items: object({ id: { type: "number" } }) } });
  const called = tool(object({}), users);
  const good = { content: [], structuredContent: { users: [{ id: 1 }] } };
  await checker.checkResult(called, good);
  await checker.checkResult(called, { content: [{ type: "text", text: "no structure" }] });
  await checker.checkResult(tool(object({})), { structuredContent: 5 });
  const bad = { structuredContent: { users: [{ id: 1 }, { id: "2" }] } };
  await assert.rejects(checker.checkResult(called, bad), (error) => {
    assert.ok(error instanceof AppError);
    assert.equal(error.kind, "protocol");
    assert.equal(
      error.message,
      `Result of "git/make_issue" breaks its output schema: "users[1].id" must be number, got a string`,
    );
    return true;
  });
});

Deno.test("createSchemaChecker tells definitions apart that share a name", async () => {
  const checker = createSchemaChecker({ warn: assert.fail });
  const old = tool(object({ a: { type: "number" } }));
  const changed = tool(object({ a: { type: "string" } }));
  await checker.checkArguments(old, { a: 1 });
  await checker.checkArguments(changed, { a: "x" });
  await assert.rejects(checker.checkArguments(changed, { a: 1 }));
  await assert.rejects(checker.checkArguments(old, { a: "x" }));
});
