import { strictEqual } from "node:assert/strict";
import { digestOfJson } from "../src/hash.ts";
import type { ToolName } from "../src/names.ts";
import type { JsonObject, ToolDefinition } from "../src/server.ts";
import { classifyChange, type ToolChange } from "../src/tool_changes.ts";

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
    strictEqual(classifyChange(old!, current!), wanted, shown);
  }
}

Deno.test("classifyChange takes a tool that is gone for a break, and equal ones for the same (K17)", () => {
  strictEqual(classifyChange(tool(), undefined), "breaking");
  strictEqual(classifyChange(tool(), tool()), "none");
});

Deno.test("classifyChange tells changed words from changed schemas (K17)", () => {
  const described = { type: "string", description: "Words.", title: "T", examples: ["a"] };
  strictEqual(classifyChange(tool(), tool({ description: "Finds." })), "text");
  strictEqual(classifyChange(tool(), tool({ annotations: { readOnlyHint: true } })), "text");
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
