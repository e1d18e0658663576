import assert from "node:assert/strict";
import { parseJsonText, setInJson } from "../src/jsonc.ts";

Deno.test("setInJson takes a member out and leaves its neighbours as they are", async () => {
  const cases: readonly (readonly [before: string, after: string])[] = [
    ['{ "x": 1 }', "{  }"],
    ['{"x":1,"y":2}', '{"y":2}'],
    ['{"y":2,"x":1}', '{"y":2}'],
    ['{ "y": 2, "x": 1, "z": 3 }', '{ "y": 2, "z": 3 }'],
    [
      '{\n  "x": { "a": [1] }, // gone\n  // about y\n  "y": {"b":2}\n}\n',
      '{\n  // about y\n  "y": {"b":2}\n}\n',
    ],
    ['{\n  "y": 2, // stays\n  "x": {\n    "a": 1\n  }\n}\n', '{\n  "y": 2 // stays\n}\n'],
    ['{\n  "y": 2,\n  "x": 1,\n}\n', '{\n  "y": 2,\n}\n'],
    ['{\n  "y": 2 /* , */, /* , */\n  "x": 1\n}\n', '{\n  "y": 2 /* , */ /* , */\n}\n'],
    ['{"y": 1}', '{"y": 1}'],
    ['{\r\n  "x": 1, // gone\r\n  "y": 2\r\n}\r\n', '{\r\n  "y": 2\r\n}\r\n'],
    ['{\r\n  "y": 2,\r\n  "x": 1\r\n}\r\n', '{\r\n  "y": 2\r\n}\r\n'],
  ];
  for (const [before, after] of cases) {
    assert.equal(await setInJson(before, ["x"], undefined), after);
  }
});

Deno.test("setInJson puts a member in place of the comment that stands for it", async () => {
  const cases: readonly (readonly [before: string, after: string])[] = [
    [
      '{"a": {\n  // about\n  // "x": 1,\n  // "y": 2\n}}',
      '{"a": {\n  // about\n  "x": 5\n  // "y": 2\n}}',
    ],
    ['{"a": {\n  // "x": 1\n  "y": 2\n}}', '{"a": {\n  "x": 5,\n  "y": 2\n}}'],
    ['{"a": {\n  "y": 2 // b\n  // "x": 1\n}}', '{"a": {\n  "y": 2, // b\n  "x": 5\n}}'],
    ['{"a": {\r\n  "y": 2,\r\n  // "x": 1,\r\n}}', '{"a": {\r\n  "y": 2,\r\n  "x": 5\r\n}}'],
    // What somebody has changed, what stands elsewhere or in a longer comment is left alone.
    ['{"a": {\n  // "x": 2\n  "y": 2\n}}', '{"a": {\n  // "x": 2\n  "y": 2,\n  "x": 5\n}}'],
    ['{"b": {\n  // "x": 1\n}, "a": {"x": 2}}', '{"b": {\n  // "x": 1\n}, "a": {"x": 5}}'],
    ['{"a": {\n  // "x": 1\n  "x": 2\n}}', '{"a": {\n  // "x": 1\n  "x": 5\n}}'],
    [
      '{"a": {\n  /*\n  // "x": 1\n  */\n  "y": 2\n}}',
      '{"a": {\n  /*\n  // "x": 1\n  */\n  "y": 2,\n  "x": 5\n}}',
    ],
  ];
  for (const [before, after] of cases) {
    assert.equal(await setInJson(before, ["a", "x"], 5, { insteadOf: '  // "x": 1' }), after);
  }
});

Deno.test("setInJson leaves the comment that stands for a member below the one that explains it", async () => {
  const cases: readonly (readonly [before: string, after: string])[] = [
    ['{"a": {\n  // about\n  "x": 5\n}}', '{"a": {\n  // about\n  // "x": 1\n}}'],
    [
      '{"a": {\r\n  // about\r\n  "x": 5,\r\n  "y": 2\r\n}}',
      '{"a": {\r\n  // about\r\n  // "x": 1,\r\n  "y": 2\r\n}}',
    ],
    [
      '{"a": {\n  "y": 2,\n  // about\n  "x": [\n    5\n  ]\n  // more\n}}',
      '{"a": {\n  "y": 2\n  // about\n  // "x": 1,\n  // more\n}}',
    ],
    // Below another comment, or on a line with other members, nothing is left.
    ['{"a": {\n  // mine\n  "x": 5\n}}', '{"a": {\n  // mine\n}}'],
    ['{"a": {\n  // about\n  "x": 5, "y": 2\n}}', '{"a": {\n  // about\n  "y": 2\n}}'],
  ];
  const comments = { insteadOf: '  // "x": 1', explainedBy: "  // about" };
  for (const [before, after] of cases) {
    assert.equal(await setInJson(before, ["a", "x"], undefined, comments), after);
  }
});

Deno.test("setInJson takes an object out with the last that was in it, where it is told to", async () => {
  const cases: readonly (readonly [before: string, after: string])[] = [
    ['{\n  // mine\n  "a": {\n    "x": 5\n  }\n}\n', "{\n  // mine\n}\n"],
    ['{\n  "b": 1,\n  "a": {"x": 5}\n}', '{\n  "b": 1\n}'],
    ['{"a": {"x": 5}, "b": 1}', '{"b": 1}'],
    ['{"a": {"x": 5, "y": 6}}', '{"a": {"y": 6}}'],
    ['{"a": {\n  // about\n  "x": 5\n}}', '{"a": {\n  // about\n}}'],
  ];
  for (const [before, after] of cases) {
    assert.equal(await setInJson(before, ["a", "x"], undefined, { withGroup: true }), after);
  }
  assert.equal(await setInJson('{"x": 5}', ["x"], undefined, { withGroup: true }), "{}");
});

Deno.test("setInJson refuses what a later member of the same name would undo", async () => {
  for (const value of [1, undefined]) {
    for (const text of ['{"a": {"x": 2}, "a": {"x": 3}}', '{"a": {"x": 2, "x": 3}}']) {
      await assert.rejects(setInJson(text, ["a", "x"], value), {
        kind: "invalid",
        message: `Key "a.x" cannot be changed: a part of it stands twice`,
      });
    }
  }
  assert.equal(await setInJson('{"b": 1, "b": 2, "a": {}}', ["a"], 1), '{"b": 1, "b": 2, "a": 1}');
});

Deno.test("parseJsonText gives the value, or line and column of what is wrong (A10)", async () => {
  assert.deepEqual(await parseJsonText('{"a": [1]}', "--args"), { a: [1] });
  const cases: [string, number, number][] = [
    ['{"a": 1,\n "b": }', 2, 7],
    ["{'a': 1}", 1, 2],
    ["", 1, 1],
    ["[1, 2,]", 1, 7],
    ["[".repeat(100_000), 1, 201],
  ];
  for (const [text, line, column] of cases) {
    const at = { file: "--args", line, column };
    await assert.rejects(parseJsonText(text, "--args"), { exitCode: 2, at }, text.slice(0, 20));
  }
});
