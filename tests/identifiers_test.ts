import assert from "node:assert/strict";
import { identifiersOf } from "../src/identifiers.ts";

function functionsOf(...names: string[]): string[] {
  const map = identifiersOf(names, { style: "function" });
  return names.map((name) => map.get(name)!);
}

Deno.test("identifiersOf writes the usual spellings of names in camel case", () => {
  assert.deepEqual(
    functionsOf("create_issue", "resolve-library-id", "getUser", "ListItems", "API-get-self"),
    ["createIssue", "resolveLibraryId", "getUser", "listItems", "apiGetSelf"],
  );
  assert.deepEqual(
    functionsOf("HTTPServer", "SEARCH_ALL", "fs/read.file", "get_v2", "__node_version"),
    ["httpServer", "searchAll", "fsReadFile", "getV2", "nodeVersion"],
  );
  const types = identifiersOf(["rich-text", "pageIdParent", "error"], { style: "type" });
  assert.deepEqual([...types.values()], ["RichText", "PageIdParent", "Error_"]);
});

Deno.test("identifiersOf makes unique stable names of awkward ones (G2, H16)", () => {
  const [del, digit, dash, dot, index, blank, proto, construct, then, escape, emoji] = functionsOf(
    "delete",
    "2x",
    "a-b",
    "a.b",
    "Index",
    "---",
    "__proto__",
    "constructor",
    "then",
    "../x",
    "🚀",
  );
  assert.equal(del, "delete_");
  assert.equal(digit, "_2x");
  assert.match(dash!, /^aB_[0-9a-f]{6}$/);
  assert.match(dot!, /^aB_[0-9a-f]{6}$/);
  assert.notEqual(dash, dot);
  assert.equal(index, "index_");
  assert.match(blank!, /^tool_[0-9a-f]{6}$/);
  assert.equal(proto, "proto");
  assert.equal(construct, "constructor_");
  assert.equal(then, "then_");
  assert.equal(escape, "x");
  assert.match(emoji!, /^tool_[0-9a-f]{6}$/);
  for (const name of ["types", "host", "manifest", "deno", "tsconfig", "con", "LPT1", "callTool"]) {
    assert.match(functionsOf(name)[0]!, /_$/, name);
  }
});

Deno.test("identifiersOf keeps names apart that differ only by case (V4, H16)", () => {
  const names = functionsOf("getUser", "getuser", "GETUSER", "get_user", "list");
  const folded = new Set(names.map((name) => name.toLowerCase()));
  assert.equal(folded.size, 5);
  assert.equal(names[4], "list");
  for (const name of names.slice(0, 4)) assert.match(name, /^get[uU]ser_[0-9a-f]{6}$/);
});

Deno.test("identifiersOf gives a clashing name no one could have meant another tool by", () => {
  const before = identifiersOf(["create_issue"], { style: "function" });
  const after = identifiersOf(["create_issue", "createIssue"], { style: "function" });
  assert.equal(before.get("create_issue"), "createIssue");
  assert.ok(![...after.values()].includes("createIssue"));
});

Deno.test("identifiersOf does not depend on order, nor on tools that come or go (G7)", () => {
  const names = ["a-b", "a.b", "c", "delete", "Ünïcode", "x".repeat(200), "ok"];
  const all = identifiersOf(names, { style: "function" });
  const reversed = identifiersOf([...names].reverse(), { style: "function" });
  for (const name of names) assert.equal(reversed.get(name), all.get(name));
  const more = identifiersOf([...names, "a_b", "new_one", "é"], { style: "function" });
  for (const name of names) assert.equal(more.get(name), all.get(name), name);
  for (const alone of ["c", "delete", "Ünïcode", "x".repeat(200)]) {
    assert.equal(identifiersOf([alone], { style: "function" }).get(alone), all.get(alone));
  }
});

Deno.test("identifiersOf avoids names that the caller has taken", () => {
  const map = identifiersOf(["item", "other"], { style: "type", taken: new Set(["item"]) });
  assert.match(map.get("item")!, /^Item_[0-9a-f]{6}$/);
  assert.equal(map.get("other"), "Other");
});

Deno.test("identifiersOf gives 10,000 hostile names short, unique, valid identifiers", () => {
  const names = Array.from({ length: 10_000 }, (_, n) => `${n % 2 ? "a-" : "A."}\u00e9${n}`);
  const map = identifiersOf(names, { style: "function" });
  assert.equal(map.size, 10_000);
  assert.equal(new Set([...map.values()].map((name) => name.toLowerCase())).size, 10_000);
  for (const name of map.values()) assert.match(name, /^[A-Za-z_][A-Za-z0-9_]{0,90}$/);
});
