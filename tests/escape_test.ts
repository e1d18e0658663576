import assert from "node:assert/strict";
import {
  docComment,
  docTagText,
  docText,
  propertyKey,
  stringLiteral,
  templateText,
} from "../src/escape.ts";

// What a reader of the generated comment does to see the text as the server wrote it.
function readBack(comment: string): string {
  const inner = comment.replace(/^\/\*\*\n?/, "").replace(/\s*\*\/\n?$/, "");
  return inner.split("\n").map((line) => line.replace(/^ \* ?/, "")).join("\n")
    .replace(/\*\\(\\*)\//g, "*$1/").replace(/\\@/g, "@");
}

function evaluate(expression: string): unknown {
  return new Function(`"use strict"; return (${expression});`)();
}

const HOSTILE = [
  "*/ globalThis.hacked = 1; /*",
  "**/ */ *\\/ *\\\\/ /* /** */",
  "--> ` ${1} \"\"\" ''' \\",
  "</script><!-- {{this}} {{{x}}}",
];

Deno.test("docText and docComment keep hostile text inside the comment and intact (G1)", () => {
  for (const text of HOSTILE) {
    const comment = docComment(["First line", ...docText(text)]);
    assert.equal(comment.indexOf("*/"), comment.length - 3, text);
    assert.equal(readBack(comment), `First line\n${text}`);
  }
});

Deno.test("docText makes invisible characters visible before it escapes (G1, H22)", () => {
  // Removing the invisible character afterwards would have joined a comment end.
  const lines = docText("*\u200b/ \u001b[31m \u202e \u{e0041} a\u2028b\u2029c\rd\u0085e");
  assert.deepEqual(lines, [
    "*\\u{200b}/ \\u{1b}[31m \\u{202e} \\u{e0041} a\\u{2028}b\\u{2029}c\\u{d}d\\u{85}e",
  ]);
});

Deno.test("docText lets no text begin a doc tag or a compiler directive (H23, H24)", () => {
  const [directive, tag, inline, mail] = docText(
    "@ts-ignore\n  @deprecated\nsee {@link x} and @param\nmail a@b.org",
  );
  assert.equal(directive, "\\@ts-ignore");
  assert.equal(tag, "  \\@deprecated");
  assert.equal(inline, "see {\\@link x} and \\@param");
  assert.equal(mail, "mail a@b.org");
});

Deno.test("docText cuts a text that is too long and says by how much", () => {
  assert.deepEqual(docText("x".repeat(30), 10), [`${"x".repeat(10)}... (20 more)`]);
  assert.deepEqual(docText(" \n\t "), []);
});

Deno.test("docTagText stays on one line whatever the text holds (G1)", () => {
  assert.equal(docTagText(" a\r\nb\tc\u2028d */ @e "), "a b c d *\\/ \\@e");
  assert.ok(docTagText("y".repeat(1e6)).length < 600);
});

Deno.test("docComment prints nothing, one line or a block", () => {
  assert.equal(docComment([]), "");
  assert.equal(docComment(["One"], "  "), "  /** One */\n");
  assert.equal(docComment(["One", "", "Two"], "  "), "  /**\n   * One\n   *\n   * Two\n   */\n");
});

Deno.test("stringLiteral gives exactly the value, as TypeScript and as JSON (G1, G4)", () => {
  const values = [
    ...HOSTILE,
    "a\u2028\u2029b",
    '"; x = "',
    "\u0000\u001b\u007f\u202e",
    "\ud800",
    "",
  ];
  for (const value of [...values, "日本語 é", "\u{e0041}\u{1f680}", "\\u0041", "\n\r\t"]) {
    const literal = stringLiteral(value);
    assert.equal(evaluate(literal), value);
    assert.equal(JSON.parse(literal), value);
    assert.doesNotMatch(literal, /[\p{C}\u2028\u2029]/u);
  }
  assert.equal(stringLiteral("日本語"), '"日本語"');
});

Deno.test("propertyKey quotes whatever is not a plain name (G3)", () => {
  assert.equal(propertyKey("owner"), "owner");
  assert.equal(propertyKey("delete"), "delete");
  for (const key of ['"] = x;', "", "2x", "a-b", "日本", "a\u2028b", "x: never; y"]) {
    const literal = propertyKey(key);
    assert.deepEqual(Object.keys(evaluate(`{ ${literal}: 1 }`) as object), [key]);
  }
});

Deno.test("templateText stays inside a template literal and keeps its value (G1)", () => {
  for (const text of [...HOSTILE, "a${b}`c\\", '"$', "$", "\u2028"]) {
    assert.equal(evaluate(`\`${templateText(text)}\${"!"}\``), `${text}!`);
  }
});
