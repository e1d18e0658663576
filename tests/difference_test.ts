import assert from "node:assert/strict";
import { generateTypescript } from "../src/codegen.ts";
import {
  classifyChange,
  compareFiles,
  compareManifests,
  compareServers,
  readManifest,
  type ToolChange,
} from "../src/difference.ts";
import { digestOfJson } from "../src/hash.ts";
import type { ToolName } from "../src/names.ts";
import type { JsonObject, ToolDefinition } from "../src/server.ts";
import {
  HOSTILE_TEXTS,
  hostileServer,
  ISSUE,
  type RawTool,
  SEARCH,
  serverOf,
} from "./server_fixtures.ts";

function compare(before: RawTool, after: RawTool): string[] {
  return compareServers(serverOf([before]), serverOf([after]));
}

function issueWith(properties: Record<string, unknown>, required = ["owner", "title"]): RawTool {
  const old = ISSUE.inputSchema["properties"] as JsonObject;
  const inputSchema = { ...ISSUE.inputSchema, properties: { ...old, ...properties }, required };
  return { ...ISSUE, inputSchema };
}

Deno.test("compareServers says nothing of servers that say the same, in any order", () => {
  assert.deepEqual(compareServers(serverOf([ISSUE, SEARCH]), serverOf([SEARCH, ISSUE])), []);
});

Deno.test("compareServers names tools that came and went", () => {
  assert.deepEqual(compareServers(serverOf([ISSUE]), serverOf([SEARCH])), [
    "- create_issue",
    "+ search: search(params?: { words?: string }): Promise<unknown>",
  ]);
});

Deno.test("compareServers says of each parameter what changed", () => {
  assert.deepEqual(compare(ISSUE, issueWith({}, ["owner", "title", "body"])), [
    '~ create_issue: parameter "body" is now required',
  ]);
  assert.deepEqual(compare(ISSUE, issueWith({}, ["title"])), [
    '~ create_issue: parameter "owner" is now optional',
  ]);
  assert.deepEqual(
    compare(ISSUE, issueWith({ labels: { type: "array", items: { type: "string" } } })),
    [
      '~ create_issue: parameter "labels" is new (optional, string[])',
    ],
  );
  assert.deepEqual(compare(issueWith({ labels: { type: "string" } }, ["labels"]), ISSUE), [
    '~ create_issue: parameter "labels" is gone',
    '~ create_issue: parameter "owner" is now required',
    '~ create_issue: parameter "title" is now required',
  ]);
  assert.deepEqual(compare(ISSUE, issueWith({ body: { enum: ["a", 1] } })), [
    '~ create_issue: parameter "body" was string, is now "a" | 1',
  ]);
});

Deno.test("compareServers names changes of result, hints, summary and the server", () => {
  const { outputSchema: _, ...silent } = ISSUE;
  assert.deepEqual(compare(silent, ISSUE), [
    "~ create_issue: result was unknown, is now { number: number }",
  ]);
  assert.deepEqual(compare(ISSUE, { ...ISSUE, annotations: { readOnlyHint: true } }), [
    "~ create_issue: readOnlyHint was false, is now true",
    "~ create_issue: destructiveHint was false, is now unsaid",
  ]);
  assert.deepEqual(compare(ISSUE, { ...ISSUE, description: "Other." }), [
    '~ create_issue: summary was "Opens an issue.", is now "Other."',
  ]);
  assert.deepEqual(compare(ISSUE, { ...ISSUE, description: `${ISSUE.description} Beware.` }), [
    "~ create_issue: description or details of its schemas changed",
  ]);
  const server = serverOf([]);
  const identity = { name: "Demo server", version: "2.0.0" };
  assert.deepEqual(compareServers(server, { ...server, identity, protocolVersion: "2026-07-28" }), [
    "server version was 1.2.3, is now 2.0.0",
    "protocol was 2025-11-25, is now 2026-07-28",
  ]);
});

Deno.test("compareServers compares whole signatures where a tool takes a choice of objects", () => {
  const either = { ...ISSUE, inputSchema: { anyOf: [ISSUE.inputSchema, SEARCH.inputSchema] } };
  const [line, ...others] = compare(ISSUE, either);
  assert.match(line!, /^~ create_issue: signature was createIssue\(params: \{ owner.*, is now /);
  assert.deepEqual(others, []);
});

Deno.test("compareServers keeps its lines safe to show and bounded (H22)", () => {
  const changed = serverOf(
    hostileServer().tools.map((tool, at) => ({
      ...tool,
      description: HOSTILE_TEXTS[(at + 1) % HOSTILE_TEXTS.length]!,
      inputSchema: {
        type: "object",
        properties: { [HOSTILE_TEXTS[5]!]: { const: HOSTILE_TEXTS[1] } },
      },
    })),
  );
  const lines = compareServers(hostileServer(), changed);
  assert.equal(lines.length, 201);
  assert.match(lines.at(-1)!, /^and \d+ more changes$/);
  for (const line of lines) {
    assert.doesNotMatch(line, /[\p{C}\u2028\u2029]/u);
    assert.ok(line.length < 700, line);
  }
});

Deno.test("compareManifests reads what a package says of itself", () => {
  const manifestOf = (tool: RawTool) =>
    readManifest(generateTypescript(serverOf([tool])).files.get("manifest.json")!)!;
  assert.deepEqual(compareManifests(manifestOf(ISSUE), manifestOf(issueWith({}, ["title"]))), [
    '~ create_issue: parameter "owner" is now optional',
  ]);
  const text = generateTypescript(serverOf([SEARCH])).files.get("manifest.json")!;
  const odd = readManifest(
    text.replace(/"annotations":\s*\{[^}]*\}/, '"annotations":{"toString":true}'),
  )!;
  assert.deepEqual(
    compareManifests(odd, { ...odd, tools: [{ ...odd.tools[0]!, annotations: {} }] }),
    [
      "~ search: toString was true, is now unsaid",
    ],
  );
});

Deno.test("readManifest gives nothing for a text that is no manifest", () => {
  const { files } = generateTypescript(serverOf([ISSUE]));
  const text = files.get("manifest.json")!;
  assert.ok(readManifest(text));
  const broken = [
    ...["", "{", "null", "[]", '{"format_version": 1, "tools": []}'],
    text.replace('"tool":', '"tol":'),
    text.replace('"required":true', '"required":1'),
    text.replace('"annotations":{', '"annotations":1,"x":{'),
    text.replace('"server":', '"serve":'),
  ];
  for (const item of broken) assert.equal(readManifest(item), undefined, item.slice(0, 60));
});

Deno.test("compareFiles names files that would be written, changed and removed", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const before = new Map([["b", bytes("1")], ["c", bytes("é")], ["old\u001b", bytes("")]]);
  const after = new Map([["a", ""], ["b", "2"], ["c", "é"]]);
  assert.deepEqual(compareFiles(before, after), ["+ a", "~ b", "- old\\u{1b}"]);
});

function tool(parts: Partial<ToolDefinition> = {}): ToolDefinition {
  const definition = { name: "find" as ToolName, inputSchema: {}, ...parts };
  return { ...definition, digest: digestOfJson(definition) };
}

const object = (properties: JsonObject, required: string[] = [], more: JsonObject = {}) => ({
  type: "object",
  properties,
  required,
  ...more,
});
const TEXT = { type: "string" };
const NUMBER = { type: "number" };
const EXTRA_TEXTS = { additionalProperties: TEXT };

function changes(
  what: "inputSchema" | "outputSchema",
  cases: readonly [ToolChange, JsonObject | undefined, JsonObject | undefined][],
): void {
  for (const [wanted, before, after] of cases) {
    const [old, current] = [before, after].map((schema) => tool(schema && { [what]: schema }));
    const shown = `${JSON.stringify(before)} to ${JSON.stringify(after)}`;
    assert.equal(classifyChange(old!, current!), wanted, shown);
  }
}

Deno.test("classifyChange takes a tool that is gone for a break, and equal ones for the same (K17)", () => {
  assert.equal(classifyChange(tool(), undefined), "breaking");
  assert.equal(classifyChange(tool(), tool()), "none");
});

Deno.test("classifyChange tells changed words from changed schemas (K17)", () => {
  const described = { type: "string", description: "Words.", title: "T", examples: ["a"] };
  assert.equal(classifyChange(tool(), tool({ description: "Finds." })), "text");
  assert.equal(classifyChange(tool(), tool({ annotations: { readOnlyHint: true } })), "text");
  changes("inputSchema", [
    ["text", object({ a: TEXT }), object({ a: described })],
    ["text", object({ a: TEXT }), { ...object({ a: TEXT }), description: "All." }],
    // Properties may have the names of keywords.
    ["breaking", object({ title: TEXT }), object({})],
    ["breaking", object({ description: TEXT }), object({ description: NUMBER })],
    ["compatible", object({}), object({ title: TEXT })],
    ["breaking", { enum: [{ title: "a" }] }, { enum: [{ title: "b" }] }],
    ["breaking", { dependencies: { title: ["a"] } }, { dependencies: { title: ["b"] } }],
    ["breaking", { dependentRequired: { title: ["a"] } }, { dependentRequired: {} }],
    [
      "breaking",
      { dependentSchemas: { title: { required: ["a"] } } },
      { dependentSchemas: { title: { required: ["b"] } } },
    ],
    // It is what references lead to.
    ["breaking", { $defs: { a: { $id: "urn:a" } } }, { $defs: { a: { $id: "urn:b" } } }],
  ]);
});

Deno.test("classifyChange takes more parameters that may be left out as compatible (K17)", () => {
  changes("inputSchema", [
    ["compatible", object({ a: TEXT }), object({ a: TEXT, b: NUMBER })],
    ["compatible", object({ a: TEXT }, ["a"]), object({ a: TEXT })],
    ["compatible", object({ a: object({}) }), object({ a: object({ b: TEXT }) })],
    [
      "compatible",
      object({ a: { type: "array", items: object({}) } }),
      object({
        a: { type: "array", items: object({ b: TEXT }) },
      }),
    ],
    ["compatible", object({ a: { enum: ["x"] } }), object({ a: { enum: ["x", "y"] } })],
    ["compatible", object({ a: { type: "string", enum: ["x"] } }), object({ a: TEXT })],
    ["breaking", object({ a: TEXT }), object({ a: TEXT, b: NUMBER }, ["b"])],
    ["breaking", object({ a: TEXT }), object({ a: TEXT }, ["a"])],
    ["breaking", object({ a: TEXT, b: TEXT }), object({ a: TEXT })],
    ["breaking", object({ a: TEXT }), object({ a: NUMBER })],
    ["breaking", object({ a: TEXT }), object({ a: { type: "string", enum: ["x"] } })],
    ["breaking", object({ a: { enum: ["x", "y"] } }), object({ a: { enum: ["x"] } })],
    ["breaking", object({ a: TEXT }), object({ a: TEXT }, [], { additionalProperties: false })],
    ["breaking", object({ a: TEXT }), object({ a: { ...TEXT, maxLength: 3 } })],
    ["breaking", object({ a: TEXT }), object({ a: { ...TEXT, default: "x" } })],
    ["breaking", object({ a: object({}) }), object({ a: object({ b: TEXT }, ["b"]) })],
    // What had another name before had the type of all other names.
    ["compatible", object({}, [], EXTRA_TEXTS), object({ b: TEXT }, [], EXTRA_TEXTS)],
    ["breaking", object({}, [], EXTRA_TEXTS), object({ b: NUMBER }, [], EXTRA_TEXTS)],
  ]);
});

Deno.test("classifyChange takes results that hold more as compatible, and less as a break (K17)", () => {
  changes("outputSchema", [
    ["compatible", object({ a: TEXT }), object({ a: TEXT, b: NUMBER })],
    ["compatible", object({ a: TEXT }), object({ a: TEXT }, ["a"])],
    ["compatible", object({ a: { enum: ["x", "y"] } }), object({ a: { enum: ["x"] } })],
    ["breaking", object({ a: TEXT }, ["a"]), object({ a: TEXT })],
    ["breaking", object({ a: TEXT, b: TEXT }), object({ a: TEXT })],
    ["breaking", object({ a: { enum: ["x"] } }), object({ a: { enum: ["x", "y"] } })],
    ["breaking", object({}, [], EXTRA_TEXTS), object({ b: NUMBER }, [], EXTRA_TEXTS)],
    // With a schema the value is the structured content, without it the text.
    ["breaking", undefined, object({ a: TEXT })],
    ["breaking", object({ a: TEXT }), undefined],
  ]);
});
