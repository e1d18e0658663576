import assert from "node:assert/strict";
import ts from "typescript";
import { DECLARATIONS_MARKER, generateDeclarations } from "../src/declarations.ts";
import type { ServerInfo } from "../src/server.ts";
import { problemsOf, STRICT } from "./compile_check.ts";
import {
  HAS_CORPUS,
  hostileServer,
  ISSUE,
  recordedServers,
  SEARCH,
  serverOf,
} from "./server_fixtures.ts";

function check(infos: readonly ServerInfo[], main = "export {};\n"): string[] {
  return problemsOf(
    new Map([["/mcp-exec.d.ts", generateDeclarations(infos)], ["/main.ts", main]]),
    { ...STRICT, noUnusedLocals: false },
  );
}

Deno.test("generateDeclarations gives each import the types of its server's tools", () => {
  const text = generateDeclarations([serverOf([ISSUE, SEARCH]), serverOf([SEARCH], "a.b-c")]);
  assert.ok(text.startsWith(`${DECLARATIONS_MARKER}\n\ndeclare module "mcp:a.b-c" {\n`));
  assert.ok(
    text.includes(`  /**
   * Opens an issue. It takes
   * a title.
   *
   * More follows.
   *
   * Hints of the server: writes, not destructive.
   */
  export function createIssue(params: CreateIssueParams): Promise<CreateIssueResult>;
`),
    text,
  );
  const main = `import { createIssue, type CreateIssueParams } from "mcp:demo";
import { search } from "mcp:a.b-c";
import { callTool, callTools, type ContentBlock, getPrompt, getState } from "mcp:host";
import { listResources, log, readResource, readResult, type ToolError, writeFile } from "mcp:host";
const params: CreateIssueParams = { owner: "o", title: "t" };
const number: number = (await createIssue(params)).number;
const found: unknown = await search();
const text: string = await callTool<string>("demo", "x", {});
const [first] = await callTools([{ server: "demo", tool: "x" }], { concurrency: 2 });
const failed: ToolError | undefined = first?.ok === false ? first.error : undefined;
const kept: number | undefined = await getState<number>("key");
log("info", [number, found, text, failed?.kind, kept]);
const blocks = await callTool<ContentBlock[]>("demo", "picture");
const [contents] = await readResource("demo", "mem:a");
for (const block of [...blocks, ...failed?.content ?? []]) {
  if (block.type === "image") await writeFile("/workspace/a.png", block);
  else if (block.type === "text") log("info", block.text);
}
if (contents && "handle" in contents) await readResult(contents, { start: 0, end: 10 });
const { structuredContent } = await callTool("demo", "x", {}, { raw: true });
const { templates } = await listResources("demo", { cursor: "2" });
const { messages } = await getPrompt("demo", "about", { topic: "cats" });
log("info", [structuredContent, templates[0]?.uriTemplate, messages[0]?.content.type]);
`;
  assert.deepEqual(check([serverOf([ISSUE, SEARCH]), serverOf([SEARCH], "a.b-c")], main), []);
});

Deno.test("generateDeclarations makes tsc report wrong fields and misspelt names", () => {
  const main = `import { createIssue } from "mcp:demo";
import { createIsue } from "mcp:demo";
import { callTol } from "mcp:host";
import { nothing } from "mcp:other";
await createIssue({ owner: "o", title: "t", boddy: "b" });
await createIssue({ owner: 1, title: "t" });
await createIssue();
(await createIssue({ owner: "o", title: "t" })).numbr;
export { callTol, createIsue, nothing };
`;
  const problems = check([serverOf([ISSUE])], main);
  assert.equal(problems.length, 7, problems.join("\n"));
  for (const wrong of ["createIsue", "callTol", "mcp:other", "boddy", "numbr"]) {
    assert.ok(problems.some((problem) => problem.includes(wrong)), wrong);
  }
});

Deno.test("generateDeclarations names a shared type in the module of its server", () => {
  const node = { type: "object", properties: { next: { $ref: "#/$defs/node" } } };
  const tool = {
    name: "walk",
    inputSchema: { type: "object", properties: node.properties, $defs: { node } },
  };
  const text = generateDeclarations([serverOf([tool])]);
  assert.match(text, /\n {2}export type Node = \{\n? +next\?: Node;/);
  assert.deepEqual(check([serverOf([tool])]), []);
});

Deno.test("generateDeclarations is a script whose every statement declares a module (G1, G3)", () => {
  const text = generateDeclarations([hostileServer(), serverOf([], "empty")]);
  const source = ts.createSourceFile("/a.d.ts", text, ts.ScriptTarget.ES2022, true);
  assert.ok(source.statements.every(ts.isModuleDeclaration));
  assert.equal(ts.isExternalModule(source), false);
  assert.deepEqual(check([hostileServer(), serverOf([], "empty")]), []);
  assert.doesNotMatch(text, /[^\P{C}\n]|\p{DI}|\u2028|\u2029/u);
});

Deno.test("generateDeclarations gives the same text whatever the order (G7)", () => {
  const infos = [hostileServer(), serverOf([ISSUE, SEARCH], "b"), serverOf([], "a")];
  const turned = infos.toReversed().map((info) => ({ ...info, tools: [...info.tools].reverse() }));
  assert.equal(generateDeclarations(turned), generateDeclarations(infos));
});

Deno.test({
  name: "generateDeclarations compiles for all recorded servers at once",
  ignore: !HAS_CORPUS,
  fn() {
    assert.deepEqual(check([...recordedServers()]), []);
  },
});
