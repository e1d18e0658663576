import assert from "node:assert/strict";
import { openDatabase } from "../src/database.ts";
import { createHandleStore } from "../src/handles.ts";
import { makePreview, shapeOf } from "../src/preview.ts";
import { byteLength } from "../src/text.ts";

async function preview(value: unknown, maxBytes: number) {
  const database = openDatabase(undefined, { warn: () => {} });
  try {
    const options = { folder: undefined, now: () => 1, warn: () => {} };
    const handles = createHandleStore(database, options);
    const made = await makePreview(value, { maxBytes, handles });
    const whole = made && new TextDecoder().decode(await handles.read(made.handle));
    return { made, whole };
  } finally {
    database.close();
  }
}

Deno.test("makePreview keeps a value that is larger than asked for, and no other", async () => {
  assert.equal((await preview("12345", 5)).made, undefined);
  assert.equal((await preview([1, 2], 5)).made, undefined);
  const { made, whole } = await preview({ list: [1, 2, 3] }, 9);
  assert.equal(made?.preview, '{"list":[');
  assert.equal(made?.shape, "{ list: number[3] }");
  assert.equal(made?.bytes, 16);
  assert.ok(made.tokens > 0);
  assert.equal(whole, '{"list":[1,2,3]}');
});

Deno.test("makePreview cuts between characters, and counts bytes", async () => {
  const text = "aé😀b";
  for (let maxBytes = 1; maxBytes < byteLength(text); maxBytes++) {
    const { made, whole } = await preview(text, maxBytes);
    assert.ok(text.startsWith(made!.preview) && made!.preview.isWellFormed(), `${maxBytes}`);
    assert.ok(byteLength(made!.preview) <= maxBytes);
    assert.equal(whole, text);
  }
});

Deno.test("shapeOf names the form of a value on one line", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [1, "number"],
    [null, "null"],
    ["abc", "string of 3 characters"],
    ["a\nb", "string of 3 characters in 2 lines"],
    [[], "[0]"],
    [{}, "{}"],
    [[1, "a", null], "(number | string | null)[3]"],
    [[{ id: 1, name: "a" }, { id: 2 }], "{ id: number, name?: string }[2]"],
    [{ pages: [[1], [1, 2]] }, "{ pages: number[1 to 2][2] }"],
    [{ "a b": true, "x\u202ey": 1 }, '{ "a b": boolean, "x\\\\u{202e}y": number }'],
  ];
  for (const [value, shape] of cases) assert.equal(shapeOf(value), shape);
});

Deno.test("shapeOf stays short whatever the value", () => {
  const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`key${at}`, { at }]));
  assert.match(shapeOf(wide), /, and 984 more \}$/);
  let deep: unknown = 1;
  for (let level = 0; level < 190; level++) deep = [deep, { deep }];
  const many = Array.from({ length: 30 }, () => wide);
  for (const value of [wide, deep, many, [wide, deep, many]]) {
    assert.ok(shapeOf(value).length < 2_000, `${shapeOf(value).length}`);
  }
});
