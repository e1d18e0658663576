import assert from "node:assert/strict";
import ts from "typescript";
import { toTypeModel } from "../src/schema.ts";
import { printType } from "../src/type_text.ts";
import { diagnose, printModel } from "./typescript_check.ts";

function print(schema: unknown, options: Parameters<typeof printType>[1] = {}): string {
  return printType(toTypeModel(schema, { name: "T" }).root, options);
}

const STRING = { type: "string" };

Deno.test("printType documents members with description, default, deprecation and bounds", () => {
  const schema = {
    type: "object",
    properties: {
      count: {
        type: "integer",
        description: "How many.\nAt most ten.",
        maximum: 10,
        minimum: 1,
        default: 5,
        deprecated: true,
      },
      when: { ...STRING, format: "date", description: "The day" },
      tags: { type: "array", items: STRING, default: { b: 1, a: [] } },
      plain: STRING,
    },
    required: ["plain"],
    additionalProperties: false,
  };
  assert.equal(
    print(schema, { indent: 2 }),
    `{
    plain: string;
    /**
     * How many.
     * At most ten.
     * @deprecated
     * @default 5
     * @minimum 1
     * @maximum 10
     */
    count?: number;
    /** @default {"a":[],"b":1} */
    tags?: string[];
    /**
     * The day
     * @format date
     */
    when?: string;
  }`,
  );
  assert.equal(
    print(schema, { line: true }),
    "{ plain: string; count?: number; tags?: string[]; when?: string }",
  );
});

Deno.test("printType takes the description of a bare reference from where it leads", () => {
  const schema = {
    type: "object",
    properties: { a: { $ref: "#/$defs/x" }, b: { $ref: "#/$defs/x", description: "Own" } },
    $defs: { x: { ...STRING, description: "Shared" } },
  };
  assert.match(print(schema), /Shared \*\/\n {2}a\?: string;\n {2}\/\*\* Own \*\/\n {2}b\?/);
});

Deno.test("printType leaves out the openness of objects with members on one line only", () => {
  const schema = { type: "object", properties: { a: { type: "object" } }, required: ["a"] };
  assert.equal(print(schema, { line: true }), "{ a: { [key: string]: unknown } }");
  assert.equal(print(schema), "{ a: { [key: string]: unknown }; [key: string]: unknown }");
});

Deno.test("printType puts unions and arrays of unions in brackets and wraps long ones", () => {
  assert.equal(print({ type: "array", items: { enum: ["a", 1] } }), '("a" | 1)[]');
  const values = Array.from({ length: 40 }, (_, at) => `value ${at}`);
  const text = print({ type: "object", properties: { a: { enum: values } } });
  assert.ok(text.split("\n").every((line) => line.length <= 101));
  assert.deepEqual([...diagnose(`type A = ${text};`)], []);
});

Deno.test("printType prints definitions under the names it is given", () => {
  const schema = {
    $ref: "#/$defs/node",
    $defs: {
      node: {
        type: "object",
        properties: { next: { $ref: "#/$defs/node" }, leaf: { $ref: "#/$defs/leaf" } },
      },
      leaf: { type: "object", properties: { value: STRING }, additionalProperties: false },
    },
  };
  const model = toTypeModel(schema, { name: "Tool" });
  assert.deepEqual([...model.localNames], [["ToolNode", "Node"], ["ToolLeaf", "Leaf"]]);
  const names = (name: string) => `Shared${model.localNames.get(name)}`;
  const printed = printModel(model, { names });
  assert.equal(printed.text, "SharedNode");
  assert.deepEqual(printed.definitions, [
    ["SharedNode", "{ leaf?: SharedLeaf; next?: SharedNode; [key: string]: unknown }"],
    ["SharedLeaf", "{ value?: string }"],
  ]);
});

// What TypeScript reads back from a printed object type: keys, literals and doc comments.
function readBack(text: string): { keys: string[]; literals: string[]; docs: string[] } {
  const file = ts.createSourceFile("x.ts", `type A = ${text};`, ts.ScriptTarget.ESNext, true);
  const keys: string[] = [];
  const literals: string[] = [];
  const docs: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isPropertySignature(node)) {
      keys.push((node.name as ts.Identifier | ts.StringLiteral).text);
      docs.push(...ts.getJSDocCommentsAndTags(node).map((doc) => doc.getText()));
    }
    if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) {
      literals.push(node.literal.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { keys, literals, docs };
}

const TEXTS = [
  "*/ alert(1) /*",
  "a `b` ${c} \"d\" 'e' \\",
  '"] = x;',
  "-->",
  '"""',
  "line\nbreak\ttab",
  "\u2028\u2029\u202e",
  "\ud800",
  "\u0000\u0007\u007f",
  "é 日本 𝒳",
  "__proto__",
  "2x",
  "a-b",
  "delete",
  "new",
  "readonly",
  "get",
  "async",
  "",
];

Deno.test("printType keeps keys and literals byte for byte whatever they hold (G1, G3, G4)", () => {
  const properties = Object.fromEntries(TEXTS.map((text) => [text, { const: text }]));
  Object.defineProperty(properties, "__proto__", {
    value: { const: "__proto__" },
    enumerable: true,
  });
  const text = print({ type: "object", properties, required: TEXTS, additionalProperties: false });
  assert.deepEqual([...diagnose(`type A = ${text};`)], []);
  const { keys, literals } = readBack(text);
  assert.deepEqual(keys, TEXTS);
  assert.deepEqual(literals, TEXTS);
  const optional = print({ type: "object", properties });
  assert.deepEqual([...diagnose(`type A = ${optional};`)], []);
  assert.deepEqual(readBack(optional).keys, [...TEXTS].sort());
});

Deno.test("printType cannot be led out of a doc comment, and its text reads back intact (G1, H22, H23)", () => {
  for (const text of TEXTS.filter((text) => text.trim() !== "")) {
    const schema = {
      type: "object",
      properties: { a: { ...STRING, description: text, default: text, format: text } },
      additionalProperties: false,
    };
    const printed = print(schema);
    assert.deepEqual([...diagnose(`type A = ${printed};`)], []);
    const { keys, docs } = readBack(printed);
    assert.deepEqual(keys, ["a"]);
    assert.equal(docs.length, 1);
    assert.doesNotMatch(printed, /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    if (/^[\x20-\x7e]*$/.test(text)) assert.ok(docs[0]!.replaceAll("*\\/", "*/").includes(text));
  }
});

Deno.test("printType escapes what cleaning rebuilds: an invisible character inside a comment end (G1)", () => {
  const printed = print({
    type: "object",
    properties: { a: { description: "*\u200b/ x *\\/ y *\u0000/", type: "string" } },
  });
  assert.equal(printed.match(/\*\//g)?.length, 1);
});

Deno.test("printType writes prefixes as template keys of exactly that text (G3, G5)", () => {
  for (const prefix of ["a`b", "${x}", "\\d", "x\"'", "\u202e", "$"]) {
    const pattern = `^${prefix.replace(/[\\$*.+?()[\]{}|^]/g, "\\$&")}`;
    const schema = { type: "object", patternProperties: { [pattern]: { const: 1 } } };
    const text = print({ ...schema, additionalProperties: false });
    const source = `type A = ${text};\nconst a: A = { ${JSON.stringify(`${prefix}rest`)}: 1 };\n` +
      `const b: A = { ${JSON.stringify(`-${prefix}`)}: 1 };`;
    assert.deepEqual([...diagnose(source).keys()], [2], text);
  }
});

Deno.test("printType bounds what a schema can make it write (H23)", () => {
  const long = "x".repeat(100_000);
  let deep: unknown = [];
  for (let at = 0; at < 20_000; at++) deep = [deep];
  const printed = (schema: Record<string, unknown>) =>
    print({ type: "object", properties: { a: schema }, additionalProperties: false });
  const all = { description: long, default: [long], pattern: long, format: long };
  assert.ok(printed(all).length < 4_000);
  const shown = `{\n  /** @default ${"[".repeat(9)}"..."${"]".repeat(9)} */\n  a?: unknown;\n}`;
  assert.equal(printed({ default: deep }), shown);
  const odd = { description: 5, format: { a: 1 }, minimum: null };
  assert.equal(printed(odd), "{ a?: unknown }");
});

Deno.test("printType writes a union of 1,000 values that compiles (G5)", () => {
  const text = print({ enum: Array.from({ length: 1000 }, (_, at) => `v${at}`) });
  assert.deepEqual([...diagnose(`type A = ${text};\nconst a: A = "v999";`)], []);
  assert.equal(diagnose(`type A = ${text};\nconst a: A = "v1000";`).size, 1);
});
