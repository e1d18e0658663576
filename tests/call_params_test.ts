import assert from "node:assert/strict";
import { type Parameter, valuesOf } from "../src/call_params.ts";
import type { JsonObject } from "../src/server.ts";

/** What `text` becomes where a tool takes `schema` for its parameter `key`. */
function valueOf(text: string, schema: JsonObject, key = "a"): unknown {
  const params = new Map<string, Parameter>([[key, { text }]]);
  return valuesOf(params, { properties: { [key]: schema } })[key];
}

Deno.test("valuesOf makes of a text what the schema takes, a text where it may be one", () => {
  const cases: readonly (readonly [text: string, schema: JsonObject, value: unknown])[] = [
    ["1.5e3", { type: "integer" }, 1500],
    ["true", { type: "boolean" }, true],
    ["null", { type: ["number", "null"] }, null],
    ["null", { enum: [1, null] }, null],
    ["null", { type: ["string", "null"] }, "null"],
    ["7", { type: ["string", "number"] }, "7"],
    ["7", {}, "7"],
  ];
  for (const [text, schema, value] of cases) {
    assert.deepEqual(valueOf(text, schema), value, JSON.stringify(schema));
  }
});

Deno.test("valuesOf says in words what a parameter takes and what it got", () => {
  const cases: readonly (readonly [schema: JsonObject, takes: string])[] = [
    [{ type: "integer" }, "a number"],
    [{ type: "boolean" }, "true or false"],
    [{ type: "object" }, "an object"],
    [{ type: ["array", "null"] }, "a list or null"],
    [{ type: "\u001b[2J" }, '"\\u{1b}[2J"'],
  ];
  for (const [schema, takes] of cases) {
    assert.throws(() => valueOf("x", schema), { message: `Parameter "a" takes ${takes}, got "x"` });
  }
});

Deno.test("valuesOf repeats no text that is long or may be a secret (X1)", () => {
  const cases: readonly (readonly [key: string, text: string])[] = [
    ["a", "x".repeat(21)],
    ["api_key", "sesame"],
    ["user password", "-sesame"],
    ["a", "ghp_sesame"],
    ["a", "https://me:x@b.c/"],
  ];
  for (const [key, text] of cases) {
    assert.throws(() => valueOf(text, { type: "number" }, key), {
      message: `Parameter "${key}" takes a number, got another text`,
    });
  }
});
