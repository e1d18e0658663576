import assert from "node:assert/strict";
import {
  codeBlock,
  codeSpan,
  docComment,
  docTagText,
  docText,
  firstChars,
  firstWords,
  markdownQuote,
  markdownText,
  propertyKey,
  shellWord,
  stringLiteral,
  templateText,
  yamlString,
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

// What a reader of Markdown sees of a line without code spans.
function rendered(markdown: string): string {
  return markdown.replace(/\\([!-/:-@[-`{-~])/g, "$1");
}

const MARKUP = [
  ...["# Heading", "---", "- item", "+ item", "* item", "= x", "===", "1. one", "12) two", "~~~"],
  ...[
    "> quote",
    "```ts",
    "`code` *a* **b** _c_ <b>d</b> | e",
    "[a](http://b) ![c](d)",
    "&lt;&#35;",
  ],
  ...["a\\*b", "<!-- x -->", "a_b_c", "http://x.y/z", "\\", "~~gone~~", "2024. a"],
];

Deno.test("markdownText shows any text as it is, with no markup in it (H23, H24)", () => {
  for (const text of MARKUP) {
    const line = markdownText(text);
    assert.equal(rendered(line), text);
    assert.doesNotMatch(line, /^[-#>+=~`*_|]|^\d+[.)]/);
    assert.doesNotMatch(line.replace(/\\./g, ""), /[`*_#<>|[\]~]|&[#a-z]/);
  }
  assert.equal(markdownText(" a\n# b\r\n\t---\u2028c "), "a \\# b --- c");
  assert.equal(markdownText("\u202e\u001b[0m"), "\\\\u{202e}\\\\u{1b}\\[0m");
  assert.equal(markdownText("plain, e.g. (this) at 5.0%"), "plain, e.g. (this) at 5.0%");
});

Deno.test("markdownQuote keeps every line inside the quotation (H24)", () => {
  const quote = markdownQuote(`${MARKUP.join("\n")}\n\n  indented\r\nlast\n`);
  assert.ok(quote.endsWith("\n> indented\n> last\n"));
  for (const line of quote.trimEnd().split("\n")) {
    assert.match(line, /^>(?: [^-#>+=~`*_|\s]|$)/);
  }
  assert.equal(markdownQuote("x".repeat(50), 10).startsWith("> xxxxxxxxxx... (40 more)"), true);
});

Deno.test("firstChars and firstWords cut what is too long, and never within a character", () => {
  assert.equal(firstChars("one two", 7), "one two");
  assert.equal(firstChars("one two three", 10), "one two...");
  assert.equal(firstChars("🚀".repeat(9), 10), "🚀🚀🚀...");
  assert.equal(firstWords("one two", 7), "one two");
  assert.equal(firstWords("one two three", 10), "one...");
  assert.equal(firstWords("🚀".repeat(9), 10), "🚀🚀🚀...");
});

Deno.test("codeSpan and codeBlock have fences longer than any inside (H24)", () => {
  assert.equal(codeSpan("create_issue"), "`create_issue`");
  assert.equal(codeSpan("a`b``c"), "```a`b``c```");
  assert.equal(codeSpan("`a`"), "`` `a` ``");
  assert.equal(codeSpan("a\nb\u0007"), "`a b\\u{7}`");
  assert.equal(codeSpan(""), "`  `");
  assert.equal(codeBlock("const a = 1;\n", "ts"), "```ts\nconst a = 1;\n```\n");
  assert.equal(codeBlock("```\n````x", "ts"), "`````ts\n```\n````x\n`````\n");
  const ticks = "`a".repeat(500_000);
  assert.equal(codeBlock(ticks, "ts"), `\`\`\`ts\n${ticks}\n\`\`\`\n`);
});

Deno.test("yamlString is one quoted line of that value, without what ends front matter (H24, K13)", () => {
  const values = [
    ...MARKUP,
    ...HOSTILE,
    'say "hi": yes',
    "a\\nb",
    "!!js/function x",
    "*alias &a",
    "é日",
  ];
  for (const value of values) {
    const yaml = yamlString(value);
    assert.match(yaml, /^"[^\n]*"$/);
    assert.equal(yaml.includes("---"), false);
    assert.equal(JSON.parse(yaml.replaceAll("\\x2d", "-")), value);
  }
  assert.equal(yamlString("a\n---\n# b\u2028"), '"a \\x2d\\x2d\\x2d # b"');
});

Deno.test("shellWord is one word of exactly that value for a shell", async () => {
  const words = [
    "plain-1.0/x:y@z",
    "two words",
    "it's",
    '$HOME `id` "q" \\ ; & | > #',
    "",
    "-n",
    "a\nb",
    "*?[x]",
  ];
  const { stdout } = await new Deno.Command("/bin/sh", {
    args: ["-c", `for word in ${words.map(shellWord).join(" ")}; do printf '%s\\0' "$word"; done`],
  }).output();
  assert.deepEqual(new TextDecoder().decode(stdout).split("\0").slice(0, -1), words);
});
