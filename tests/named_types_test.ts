import assert from "node:assert/strict";
import { toTypeModel } from "../src/schema.ts";
import { nameDefinitions, type SharedTypes } from "../src/named_types.ts";
import type { TypeModel } from "../src/type_model.ts";

type Schema = Record<string, unknown>;

function modelOf(name: string, definitions: Record<string, Schema>): TypeModel {
  const properties = Object.fromEntries(
    Object.keys(definitions).map((key) => [key, { $ref: `#/$defs/${key}` }]),
  );
  return toTypeModel({ type: "object", properties, $defs: definitions }, { name });
}

function object(properties: Schema, description = ""): Schema {
  return { type: "object", properties, additionalProperties: false, description };
}

function named(models: Record<string, TypeModel>, taken: string[] = []): SharedTypes {
  const placed = Object.entries(models).map(([place, model]) => ({ model, place }));
  return nameDefinitions(placed, { taken });
}

function namesOf(shared: SharedTypes): string[] {
  return shared.definitions.map((definition) => definition.name);
}

const STRING = { type: "string" };
const NUMBER = { type: "number" };

Deno.test("nameDefinitions gives one name to one structure, whatever its docs say", () => {
  const shared = named({
    one: modelOf("One", { item: object({ a: { ...STRING, description: "First" } }, "A") }),
    two: modelOf("Two", { item: object({ a: { ...STRING, description: "Other" } }, "B") }),
  });
  assert.deepEqual(namesOf(shared), ["Item"]);
  assert.match(shared.definitions[0]!.text, /First/);
});

Deno.test("nameDefinitions keeps apart what differs, also further down", () => {
  const link = (value: Schema) => ({
    item: object({ next: { $ref: "#/$defs/leaf" } }),
    leaf: object({ value }),
  });
  const shared = named({
    one: modelOf("One", link(STRING)),
    two: modelOf("Two", link(NUMBER)),
    three: modelOf("Three", link(STRING)),
  });
  assert.deepEqual(namesOf(shared), ["OneItem", "OneLeaf", "TwoItem", "TwoLeaf"]);
  const open = named({
    one: modelOf("One", { item: object({ a: STRING }) }),
    two: modelOf("Two", { item: { type: "object", properties: { a: STRING } } }),
  });
  assert.deepEqual(namesOf(open), ["OneItem", "TwoItem"]);
});

Deno.test("nameDefinitions keeps apart and together what a long chain leads to", () => {
  const chain = (end: string) =>
    Object.fromEntries(Array.from({ length: 50 }, (_, at) => [
      `d${at}`,
      object(at === 49 ? { end: { const: end } } : { next: { $ref: `#/$defs/d${at + 1}` } }),
    ]));
  const ends = ["a", "b", "c", "a", "b", "d"];
  const shared = named(Object.fromEntries(
    ends.map((end, at) => [`tool${at}`, modelOf(`Tool${at}`, chain(end))]),
  ));
  assert.equal(shared.definitions.length, 4 * 50);
});

Deno.test("nameDefinitions sees that recursive types are the same", () => {
  const tree = () => object({ left: { $ref: "#/$defs/tree" }, value: STRING });
  const shared = named({
    one: modelOf("One", { tree: tree() }),
    two: modelOf("Two", { tree: tree(), other: object({ of: { $ref: "#/$defs/tree" } }) }),
  });
  assert.deepEqual(namesOf(shared), ["Other", "Tree"]);
  assert.match(shared.definitions[1]!.text, /left\?: Tree;/);
});

Deno.test("nameDefinitions gives no name that is taken", () => {
  const shared = named({ one: modelOf("One", { item: object({ a: STRING }) }) }, ["ITEM"]);
  assert.match(namesOf(shared)[0]!, /^Item_[0-9a-f]{6}$/);
});

Deno.test("nameDefinitions shares nothing of a schema with too many definitions", () => {
  const many = (): Record<string, Schema> =>
    Object.fromEntries(
      Array.from({ length: 300 }, (_, n) => [`d${n}`, object({ [`k${n}`]: STRING })]),
    );
  const shared = named({ one: modelOf("One", many()), two: modelOf("Two", many()) });
  assert.equal(shared.definitions.length, 600);
  assert.equal(new Set(namesOf(shared).map((name) => name.toLowerCase())).size, 600);
});
