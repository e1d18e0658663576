import assert from "node:assert/strict";
import { generateTypescript } from "../src/codegen.ts";
import { planServer } from "../src/plan.ts";
import { exampleCall, writeReference } from "../src/reference.ts";
import type { ServerInfo } from "../src/server.ts";
import { estimateTokens } from "../src/stats.ts";
import { inFolder, problemsOf } from "./compile_check.ts";
import {
  HAS_CORPUS,
  HOSTILE_TEXTS,
  hostileServer,
  ISSUE,
  type RawTool,
  recordedServers,
  SEARCH,
  serverOf,
} from "./server_fixtures.ts";

function referenceOf(info: ServerInfo) {
  return writeReference(planServer(info), "");
}

function withParameters(properties: Record<string, unknown>, required: string[] = []): RawTool {
  return { name: "tool", inputSchema: { type: "object", properties, required } };
}

Deno.test("writeReference shows signature, parameters, result and an example of every tool", () => {
  const { files, groups } = referenceOf(serverOf([ISSUE, SEARCH]));
  assert.equal(groups, undefined);
  assert.deepEqual([...files.keys()], ["REFERENCE.md"]);
  assert.equal(
    files.get("REFERENCE.md"),
    `# Reference of demo

Functions of \`mcp:demo\`, each with the name of its tool. \`mcp-exec introspect demo --tool TOOL\` shows all types of a tool.

## Table of contents

- [createIssue](#createissue)
- [search](#search)

## createIssue

Tool \`create_issue\`: Opens an issue. It takes a title. More follows.

\`\`\`ts
createIssue(params: { owner: string; title: string; body?: string }): Promise<{ number: number }>
// Example
await createIssue({ owner: "...", title: "..." });
\`\`\`

- \`owner\`: Who owns it

## search

Tool \`search\`

\`\`\`ts
search(params?: { words?: string }): Promise<unknown>
// Example
await search();
\`\`\`
`,
  );
});

Deno.test("writeReference splits past 40 tools into one file a group, each linked", () => {
  const info = serverOf(Array.from({ length: 41 }, (_, n) => ({
    ...SEARCH,
    name: `${n % 2 ? "get" : "list"}_${n < 20 ? "issue" : "page"}_${n}`,
  })));
  const { files, groups } = referenceOf(info);
  assert.deepEqual(groups!.map(({ label, tools }) => [label, tools.length]), [
    ["issue", 20],
    ["page", 21],
  ]);
  assert.deepEqual(
    [...files.keys()],
    groups!.flatMap((group) => group.files).concat("REFERENCE.md"),
  );
  for (const group of groups!) {
    for (const path of group.files) {
      assert.ok(files.get("REFERENCE.md")!.includes(`](${path})`));
      assert.match(files.get(path)!, /^# Reference of demo: [a-z-]+\d?\n/);
    }
    const texts = group.files.map((path) => files.get(path)).join("");
    for (const { tool } of group.tools) assert.ok(texts.includes(`Tool \`${tool}\``));
  }
});

Deno.test("writeReference splits fewer tools too where one file would cost too much", () => {
  const wide = Object.fromEntries(
    Array.from({ length: 20 }, (_, n) => [`field_${n}`, { type: "string" }]),
  );
  const info = serverOf(
    Array.from({ length: 12 }, (_, n) => ({ ...withParameters(wide), name: `list_item_${n}` })),
  );
  const { files, groups } = referenceOf(info);
  assert.ok(groups![0]!.files.length > 1);
  for (const text of files.values()) assert.ok(estimateTokens(text) < 5_000);
});

Deno.test("writeReference names defaults, and types where the signature had no room for them", () => {
  const short = referenceOf(serverOf([withParameters({
    limit: { type: "integer", description: "How many", default: 30 },
    deep: { type: "boolean", default: false },
    odd: { type: "object", default: {} },
  })])).files.get("REFERENCE.md")!;
  assert.match(short, /\n- `deep`: Default false\n- `limit`: How many \(default 30\)\n$/);
  const many = Object.fromEntries(
    Array.from({ length: 60 }, (_, n) => [`a_rather_long_name_${n}`, { type: "string" }]),
  );
  const long = referenceOf(serverOf([withParameters(many, ["a_rather_long_name_0"])]))
    .files.get("REFERENCE.md")!;
  assert.match(long, /\ntool\(params: ToolParams\): Promise<ToolResult>\n/);
  assert.match(long, /\n- `a_rather_long_name_0` \(`string`\)\n/);
  assert.match(long, /\n- `a_rather_long_name_1` \(`string`, optional\)\n[^]*\n- and 35 more\n$/);
});

Deno.test("writeReference cuts a text that is too long at a word and keeps its file", () => {
  const said = (description: string) =>
    referenceOf(serverOf([{ ...SEARCH, description }, ISSUE])).files.get("REFERENCE.md")!;
  const line = (text: string) => /\nTool `search`: (.*)\n/.exec(text)![1]!;
  assert.match(line(said("some words ".repeat(200))), /^(?:some words )+some(?: words)?\.\.\.$/);
  for (const text of ["漢".repeat(5_000), "x".repeat(5_000), `a ${"*".repeat(5_000)}`]) {
    assert.ok(estimateTokens(line(said(text))) <= 90, text.slice(0, 3));
  }
});

Deno.test("exampleCall gives values that the types accept, hostile names among them (G3, G4)", () => {
  const { tools } = planServer(hostileServer());
  const { files } = generateTypescript(hostileServer());
  assert.deepEqual(problemsOf(withExamples("/demo", files, tools.map(exampleOf))), []);
  const call = (properties: Record<string, unknown>) =>
    exampleCall(
      planServer(serverOf([withParameters(properties, Object.keys(properties))])).tools[0]!,
    );
  assert.equal(
    call({
      text: { type: "string" },
      count: { type: "number" },
      flag: { type: "boolean" },
      kind: { enum: [HOSTILE_TEXTS[1], "b"] },
      list: { type: "array", items: { type: "integer" } },
      pair: { type: "array", prefixItems: [{ type: "string" }, { type: "null" }], minItems: 2 },
      any: {},
      inner: { type: "object", properties: { a: { const: 1 } }, required: ["a"] },
      empty: { type: "object" },
    }),
    `tool({ text: "...", count: 1, flag: true, kind: ${'"a\\u2028b\\u2029c */ ` ${hacked} \\\\"'}, list: [1], pair: ["...", null], any: "...", inner: { a: 1 }, empty: {} })`,
  );
  assert.equal(call({ none: false }), undefined);
});

Deno.test("exampleCall gives up on types without end, soon", () => {
  const node = { type: "object", properties: { next: { $ref: "#/$defs/n" } }, required: ["next"] };
  const wide = Object.fromEntries(
    Array.from({ length: 30 }, (_, n) => [`m${n}`, { $ref: "#/$defs/w" }]),
  );
  const endless = (name: string, $ref: string): RawTool => ({
    name,
    inputSchema: {
      $ref,
      $defs: { n: node, w: { type: "object", properties: wide, required: Object.keys(wide) } },
    },
  });
  const { tools } = planServer(serverOf([endless("a", "#/$defs/n"), endless("b", "#/$defs/w")]));
  assert.deepEqual(tools.map(exampleCall), [undefined, undefined]);
});

function exampleOf(tool: Parameters<typeof exampleCall>[0]): string {
  const call = exampleCall(tool);
  return call === undefined ? "" : `await all.${call};`;
}

function withExamples(
  folder: string,
  files: ReadonlyMap<string, string>,
  lines: readonly string[],
): Map<string, string> {
  const main = `import * as all from "./index.ts";\n${lines.join("\n")}\nexport { all };\n`;
  return new Map([...inFolder(folder, files), [`${folder}/main.ts`, main]]);
}

Deno.test({
  name: "exampleCall gives calls of all recorded servers that compile",
  ignore: !HAS_CORPUS,
  fn() {
    const all = new Map<string, string>();
    let missing = 0;
    for (const info of recordedServers()) {
      const { tools } = planServer(info);
      const calls = tools.map(exampleOf);
      missing += calls.filter((call) => call === "").length;
      const { files } = generateTypescript(info);
      for (const [path, text] of withExamples(`/${info.name}`, files, calls)) all.set(path, text);
    }
    assert.deepEqual(problemsOf(all), []);
    assert.equal(missing, 0);
  },
});
