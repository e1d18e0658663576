import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import type { AppError } from "../src/errors.ts";
import { readFrontMatter } from "../src/front_matter.ts";
import { yamlString } from "../src/escape.ts";
import { assertProportional } from "./growth.ts";

function read(...lines: string[]) {
  return readFrontMatter(["---", ...lines, "---", "# Body", ""].join("\n"), "SKILL.md");
}

function refuses(text: string, message: RegExp): void {
  throws(() => readFrontMatter(text, "SKILL.md"), (error: AppError) => {
    strictEqual(error.kind, "invalid");
    strictEqual(error.exitCode, 2);
    match(error.message, message);
    return true;
  });
}

Deno.test("readFrontMatter reads plain, quoted, folded and literal values", () => {
  const found = read(
    "# a comment",
    'name: "a\\x2db"',
    "description: >-",
    "  What it does",
    "  and when.",
    "license: any # comment",
    "allowed-tools:",
    "  - Bash",
    "metadata:",
    '  version: "1"',
    "  author: somebody",
  );
  deepStrictEqual(found, { name: "a-b", description: "What it does and when." });
  const others: [string[], string][] = [
    [["'it''s mine' # said so"], "it's mine"],
    [["any client # comment"], "any client"],
    [["|", "  one", "  two"], "one\ntwo"],
  ];
  for (const [[first, ...more], value] of others) {
    strictEqual(read("name: x", `description: ${first}`, ...more).description, value);
  }
});

Deno.test("readFrontMatter takes CRLF line ends and values over several lines (K13)", () => {
  const text = "---\r\nname: x\r\ndescription: one\r\n  two\r\n---\r\n";
  deepStrictEqual(readFrontMatter(text, "SKILL.md").description, "one two");
});

Deno.test("readFrontMatter gives back what yamlString wrote", () => {
  for (const text of ["a: b", 'quote " and \\ back', "--- not the end", "é 👍", "# no comment"]) {
    strictEqual(read("name: x", `description: ${yamlString(text)}`).description, text);
  }
});

Deno.test("readFrontMatter refuses what is no front matter of a skill (K13)", () => {
  const bomb = ["a: &a [x,x,x,x]", ...Array.from({ length: 9 }, () => "b: [*a,*a,*a,*a]")];
  const cases: [string, RegExp][] = [
    ["", /does not begin with ---$/],
    ["# Title\n", /does not begin with ---$/],
    ["---\nname: x\n", /does not end with ---$/],
    ["---\ndescription: x\n---\n", /has no name$/],
    ["---\nname: x\n---\n", /has no description$/],
    ["---\nname: \ndescription: d\n---\n", /has no name$/],
    ["---\nname:\tx\ndescription: d\n---\n", /holds a tab$/],
    ["---\nname: x\nname: y\n---\n", /has the key "name" twice$/],
    ["---\nname: *a\n---\n", /anchor, alias, tag/],
    ["---\nname: !!js/function x\n---\n", /anchor, alias, tag/],
    [`---\n${bomb.join("\n")}\n---\n`, /anchor, alias, tag/],
    ['---\nname: "x\n---\n', /does not end$/],
    ['---\nname: "x" y\n---\n', /does not end$/],
    ['---\nname: "\\q"\n---\n', /escape that is not known$/],
    ["---\n - x\n---\n", /belongs to no key$/],
    ["---\nx\n---\n", /line that is no key$/],
    ["---\nmetadata:\n  - a\n---\n", /no flat list of keys$/],
    ["---\nmetadata:\n  a: 1\n  a: 2\n---\n", /has metadata "a" twice$/],
    ["---\nmetadata:\n  a: *b\n---\n", /anchor, alias, tag/],
    [`---\nname: ${"x".repeat(5_000_000)}\n---\n`, /is longer than 16384 bytes$/],
    [`---\n${"a: b\n".repeat(300)}---\n`, /has more than 200 lines$/],
  ];
  for (const [text, message] of cases) refuses(text, message);
});

Deno.test("readFrontMatter refuses a long line that it cannot read in linear time (K13)", () => {
  assertProportional(
    [1_000, 8_000],
    (length) => `---\nname:${" ".repeat(length)}a\u2028b\n---\n`,
    (text) => refuses(text, /has a line that is no key/),
  );
});
