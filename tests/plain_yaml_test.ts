import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { parsePlainYaml } from "../src/plain_yaml.ts";
import { assertProportional } from "./growth.ts";

const parse = (...lines: string[]) => parsePlainYaml(lines.join("\n"), "file.yaml");

Deno.test("parsePlainYaml reads mappings, lists, scalars and text blocks", () => {
  assert.deepEqual(
    parse(
      "---",
      "# a comment",
      "a: 1",
      "'b c': plain text # not this",
      '"d": "quoted: \\"x\\" # kept"',
      "e: 'it''s'",
      "f: [\"-y\", '@my/tool', plain]",
      "empty: {}",
      "none: []",
      "no: ~",
      "yes: true",
      "url: https://a.example/#x",
      "text: |-",
      "  one",
      "",
      "  two",
      "folded: >",
      "  one",
      "  two",
      "list:",
      "- -y",
      "- name: x",
      "  value: 2.5",
      "-",
      "  deep: null",
      "indented:",
      "    - 1",
      "    - -2",
      "last:",
    ),
    {
      a: 1,
      "b c": "plain text",
      d: 'quoted: "x" # kept',
      e: "it's",
      f: ["-y", "@my/tool", "plain"],
      empty: {},
      none: [],
      no: null,
      yes: true,
      url: "https://a.example/#x",
      text: "one\n\ntwo",
      folded: "one two\n",
      list: ["-y", { name: "x", value: 2.5 }, { deep: null }],
      indented: [1, -2],
      last: null,
    },
  );
  assert.equal(parse(""), null);
});

Deno.test("parsePlainYaml refuses what it might misread, naming the line", () => {
  const cases: readonly (readonly [number, ...string[]])[] = [
    [1, "a: &anchor b"],
    [1, "a: *alias"],
    [2, "a: 1", "b: !!binary x"],
    [2, "a: 1", "a: 2"],
    [1, "a: {b: c}"],
    [1, '"a": "open'],
    [2, "a: 1", "  b: 2"],
    [2, "a: 1", "\tb: 2"],
    [1, "just text"],
    [1, "a: first", "  goes on"],
    [1, "? a"],
  ];
  for (const [line, ...lines] of cases) {
    assert.throws(() => parse(...lines), (error) => {
      assert.ok(error instanceof AppError && error.kind === "invalid", String(error));
      assert.match(error.message, /^Config "file\.yaml" is not plain YAML/);
      assert.ok(error.at!.line === line || error.at!.line === line + 1, lines.join("|"));
      return true;
    });
  }
});

Deno.test("parsePlainYaml reads a long line of spaces in one pass", () => {
  const spaces = " ".repeat(1_000_000);
  assert.deepEqual(parse(`a: b${spaces}c`), { a: `b${spaces}c` });
  assert.deepEqual(parse(`a: b${spaces}# c`), { a: "b" });
});

Deno.test("parsePlainYaml refuses a long line that it cannot read in linear time", () => {
  for (const start of ["a:", "-"]) {
    assertProportional(
      [1_000, 8_000],
      (length) => `${start}${" ".repeat(length)}b\u2028c`,
      (line) => assert.throws(() => parse(line), AppError),
    );
  }
});

Deno.test("parsePlainYaml bounds how deep it nests", () => {
  const lines = Array.from({ length: 1000 }, (_, depth) => `${" ".repeat(depth)}a:`);
  assert.throws(() => parse(...lines), { message: /nested deeper than 200/ });
  const flow = `a: ${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  assert.throws(() => parse(flow), { message: /a list in a list is not read here/ });
});
