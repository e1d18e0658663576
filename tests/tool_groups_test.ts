import assert from "node:assert/strict";
import { groupTools } from "../src/tool_groups.ts";
import { HAS_CORPUS, recordedServers } from "./server_fixtures.ts";

function groupsOf(...names: string[]): Record<string, string[]> {
  const groups = groupTools(names.map((tool) => ({ tool })));
  return Object.fromEntries(
    groups.map(({ label, tools }) => [label, tools.map(({ tool }) => tool)]),
  );
}

Deno.test("groupTools groups by what names are about, whatever is done to it", () => {
  assert.deepEqual(
    groupsOf(
      "create_issue",
      "list_issues",
      "deleteIssue",
      "merge_pull_request",
      "whoami",
    ) as unknown,
    {
      issue: ["create_issue", "list_issues", "deleteIssue"],
      other: ["merge_pull_request", "whoami"],
    },
  );
  assert.deepEqual(Object.keys(groupsOf("pods_list", "pods_log", "pods_get", "events_list")), [
    "pod",
    "other",
  ]);
  assert.deepEqual(
    Object.keys(groupsOf("get_merge_request", "merge_merge_request", "list_merge_request_notes")),
    ["merge-request"],
  );
});

Deno.test("groupTools leaves out what all names begin with", () => {
  assert.deepEqual(
    Object.keys(groupsOf("API-get-page", "API-post-page", "API-a-page-move", "API-get-user")),
    ["page", "other"],
  );
});

Deno.test("groupTools has one group of its own for names without anything in common", () => {
  assert.deepEqual(groupsOf("one", "two", "---", "名前"), { tools: ["one", "two", "---", "名前"] });
  assert.deepEqual(groupTools([]), []);
});

Deno.test("groupTools gives labels that are unique and good for files, for hostile names too", () => {
  const words = ["con", "NUL", "other", "others", "tools", "tool", "../../x", "x".repeat(250)];
  const names = [...words, "constructor", "__proto__", "x".repeat(40), "aux_1", "issue-2", "2"]
    .flatMap((word) => ["get", "set", "list"].map((verb) => `${verb}_${word}`));
  const groups = groupTools(names.map((tool) => ({ tool })));
  const labels = groups.map(({ label }) => label);
  assert.equal(new Set(labels).size, labels.length, labels.join());
  for (const label of labels) {
    assert.match(label, /^[a-z][a-z0-9]*(?:-[a-z][a-z0-9]*)*$/);
    assert.doesNotMatch(label, /^(?:con|nul|aux)$/);
    assert.ok(label.length <= 40);
  }
  assert.equal(groups.flatMap(({ tools }) => tools).length, names.length);
});

Deno.test("groupTools puts a tool into its group whatever order the tools come in", () => {
  const names = ["get_a_b", "set_a_b", "list_a_b", "get_c", "set_c", "list_c", "x"];
  const sorted = (groups: Record<string, string[]>) =>
    Object.entries(groups).map(([label, tools]) => [label, [...tools].sort()]);
  assert.deepEqual(sorted(groupsOf(...names.toReversed())), sorted(groupsOf(...names)));
});

Deno.test({
  name: "groupTools tells the subjects of a recorded server of 201 tools apart",
  ignore: !HAS_CORPUS,
  fn() {
    const info = [...recordedServers()].find(({ tools }) => tools.length === 201)!;
    const groups = groupTools(info.tools.map(({ name }) => ({ tool: name })));
    const labels = groups.map(({ label }) => label);
    for (const label of ["issue", "merge-request", "pipeline", "wiki-page", "milestone"]) {
      assert.ok(labels.includes(label), labels.join());
    }
    assert.ok(groups.find(({ label }) => label === "other")!.tools.length < 30);
  },
});
