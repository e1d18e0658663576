import assert from "node:assert/strict";
import ts from "typescript";
import { generateDeclarations } from "../src/declarations.ts";
import { BUILT_INS, HOST_MODULE } from "../src/prelude.ts";
import { generateTypescript } from "../src/codegen.ts";
import type { ServerName } from "../src/names.ts";
import { planServer } from "../src/plan.ts";
import type { JsonObject, ServerInfo } from "../src/server.ts";
import { inFolder, problemsOf, STRICT } from "./compile_check.ts";
import { assertProportional } from "./growth.ts";
import {
  EMPTY,
  HAS_CORPUS,
  HOSTILE_NAMES,
  HOSTILE_TEXTS,
  hostileServer,
  ISSUE,
  type RawTool,
  recordedServers,
  SEARCH,
  serverOf,
} from "./server_fixtures.ts";

/** The package of a server, and the tools it was made from. */
function generate(info: ServerInfo, options?: Parameters<typeof generateTypescript>[1]) {
  return { ...generateTypescript(info, options), tools: planServer(info).tools };
}

Deno.test("generateTypescript writes one typed module a tool", () => {
  const { files, tools } = generate(serverOf([SEARCH, ISSUE]));
  assert.deepEqual([...files.keys()].sort(), [
    "createIssue.ts",
    "deno.json",
    "host.ts",
    "index.ts",
    "manifest.json",
    "search.ts",
    "tsconfig.json",
    "types.ts",
  ]);
  const module = files.get("createIssue.ts")!;
  assert.match(module, /^import \{ callTool \} from "\.\/host\.ts";\n/);
  assert.ok(module.includes('callTool<CreateIssueResult>("demo", "create_issue", params)'));
  assert.ok(
    module.includes("/**\n * Opens an issue. It takes\n * a title.\n *\n * More follows.\n *\n") &&
      module.includes(" * Hints of the server: writes, not destructive.\n */\nexport async"),
    module,
  );
  assert.deepEqual(tools.map((tool) => [tool.tool, tool.file, tool.functionName, tool.summary]), [
    ["create_issue", "createIssue.ts", "createIssue", "Opens an issue."],
    ["search", "search.ts", "search", ""],
  ]);
});

Deno.test("generateTypescript gives signatures on one line, optional where nothing is required", () => {
  const { tools } = generate(
    serverOf([ISSUE, SEARCH, { name: "ping", inputSchema: EMPTY }]),
  );
  const [issue, ping, search] = tools.map((tool) => tool.signature);
  assert.match(
    issue!,
    /^createIssue\(params: \{ owner: string; title: string; body\?: string \}\): Promise<\{ number: number \}>$/,
  );
  assert.match(ping!, /^ping\(params\?: .+\): Promise<unknown>$/);
  assert.match(search!, /^search\(params\?: \{ words\?: string \}\): Promise<unknown>$/);
});

Deno.test("generateTypescript names the types of a signature that would be too long", () => {
  const properties = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [`property_${n}`, { type: "string" }]),
  );
  const { tools } = generate(
    serverOf([{ name: "wide", inputSchema: { type: "object", properties } }]),
  );
  assert.equal(tools[0]!.signature, "wide(params?: WideParams): Promise<WideResult>");
});

Deno.test("generateTypescript types tools beyond what all schemas may take as unknown (H17)", () => {
  const costly = {
    type: "object",
    properties: { a: { enum: Array.from({ length: 20_001 }).keys().toArray() } },
  };
  const plain = { type: "object", properties: { a: { type: "string" } }, required: ["a"] };
  const tools = [
    { name: "a_first", inputSchema: plain, outputSchema: plain },
    ...Array.from({ length: 20 }, (_, at) => ({ name: `costly_${at}`, inputSchema: costly })),
    { name: "z_last", description: "The last.", inputSchema: plain, outputSchema: plain },
  ];
  const forth = generate(serverOf(tools));
  const [first, last] = [forth.tools.at(0)!, forth.tools.at(-1)!];
  assert.equal(first.signature, "aFirst(params: { a: string }): Promise<{ a: string }>");
  assert.equal(last.signature, "zLast(params?: { [key: string]: unknown }): Promise<unknown>");
  assert.equal(last.summary, "The last.");
  assert.match(
    forth.warnings.at(-1)!,
    /more than 400000 parts together: the last 1 of 22 are typed as unknown/,
  );
  const back = generate(serverOf(tools.toReversed()));
  assert.deepEqual(back.files, forth.files);
});

Deno.test("generateTypescript takes the first sentence of a description as its summary", () => {
  const summaries = new Map([
    ["Reads a file, e.g. a log. Then more.", "Reads a file, e.g. a log."],
    ["# List things\n\nLong text.", "List things"],
    ["Gets v1.2 of it\n- a\n- b", "Gets v1.2 of it"],
    ["wrapped\nline", "wrapped line"],
    ["x\u202ey */ z.", "x\\u{202e}y */ z."],
    ["", ""],
  ]);
  for (const [description, summary] of summaries) {
    const { tools } = generate(serverOf([{ ...SEARCH, description }]));
    assert.equal(tools[0]!.summary, summary);
  }
  const long = generate(serverOf([{ ...SEARCH, description: "word ".repeat(9_999) }]));
  assert.match(long.tools[0]!.summary, /^(?:word )+word\.\.\.$/);
  assert.ok(long.tools[0]!.summary.length <= 160);
});

Deno.test("generateTypescript marks what the server calls deprecated", () => {
  for (
    const parts of [
      { description: "DEPRECATED: use search2." },
      { inputSchema: { ...EMPTY, deprecated: true } },
      { annotations: { deprecated: true } },
    ]
  ) {
    const { files } = generateTypescript(serverOf([{ ...SEARCH, ...parts }]));
    assert.match(files.get("search.ts")!, /\* @deprecated/);
  }
  assert.doesNotMatch(
    generateTypescript(serverOf([SEARCH])).files.get("search.ts")!,
    /deprecated/,
  );
});

Deno.test("generateTypescript gives the same bytes whatever the order (G7)", () => {
  const shuffle = (value: unknown): unknown => {
    if (Array.isArray(value) || typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).reverse().map(([key, item]) => [key, shuffle(item)]),
    );
  };
  const info = serverOf([ISSUE, SEARCH, { name: "a-b", inputSchema: EMPTY }, {
    name: "a.b",
    inputSchema: EMPTY,
  }]);
  const once = generateTypescript(info);
  assert.deepEqual(generateTypescript(info), once);
  const turned = generateTypescript({
    ...info,
    tools: [...info.tools].reverse().map((tool) => shuffle(tool) as typeof tool),
  });
  assert.deepEqual([...turned.files], [...once.files]);
});

Deno.test("generateTypescript moves only one tool's module, and lists, for a changed text", () => {
  const before = generateTypescript(serverOf([ISSUE, SEARCH]));
  const after = generateTypescript(serverOf([{ ...ISSUE, description: "Other." }, SEARCH]));
  const moved = [...after.files.keys()].filter((path) =>
    before.files.get(path) !== after.files.get(path)
  );
  assert.deepEqual(moved.sort(), ["createIssue.ts", "index.ts", "manifest.json"]);
});

Deno.test("generateTypescript keeps every module as it was when tools come or go", () => {
  const before = generateTypescript(serverOf([ISSUE, SEARCH]));
  const after = generateTypescript(
    serverOf([{ name: "zap", inputSchema: EMPTY }, ISSUE, { name: "abc", inputSchema: EMPTY }]),
  );
  assert.equal(after.files.get("createIssue.ts"), before.files.get("createIssue.ts"));
  assert.equal(after.files.get("types.ts"), before.files.get("types.ts"));
});

Deno.test("generateTypescript keeps the first of two tools with one name and says so (H16)", () => {
  const { tools, warnings } = generate(
    serverOf([SEARCH, { ...SEARCH, description: "Second." }]),
  );
  assert.deepEqual(tools.map((tool) => tool.summary), [""]);
  assert.match(warnings[0]!, /"search" is defined twice/);
});

Deno.test("generateTypescript names a definition once a server, and structures apart", () => {
  const withItem = (name: string, item: JsonObject, title: string): RawTool => ({
    name,
    inputSchema: {
      type: "object",
      properties: { item: { $ref: "#/$defs/item" }, node: { $ref: "#/$defs/node" } },
      $defs: {
        item: { type: "object", properties: { value: item }, description: title },
        node: {
          type: "object",
          properties: { item: { $ref: "#/$defs/item" }, next: { $ref: "#/$defs/node" } },
        },
      },
    },
  });
  const same = generateTypescript(
    serverOf([
      withItem("one", { type: "string", description: "A" }, "First"),
      withItem("two", { type: "string", description: "B" }, "Second"),
    ]),
  );
  const names = (text: string) =>
    [...text.matchAll(/^export type (\w+)/gm)].map((found) => found[1]);
  assert.deepEqual(names(same.files.get("types.ts")!), ["Item", "Node"]);
  for (const file of ["one.ts", "two.ts"]) {
    assert.match(same.files.get(file)!, /import type \{ Item, Node \} from "\.\/types\.ts";/);
  }
  // A node is not the same node when the item it holds is not the same item.
  const other = generateTypescript(
    serverOf([withItem("one", { type: "string" }, ""), withItem("two", { type: "number" }, "")]),
  );
  const apart = names(other.files.get("types.ts")!);
  assert.equal(new Set(apart).size, 4);
  assert.ok(!apart.includes("Item") && !apart.includes("Node"));
  assert.deepEqual(problemsOf(inFolder("/same", same.files)), []);
  assert.deepEqual(problemsOf(inFolder("/other", other.files)), []);
});

Deno.test("generateTypescript gives a schema that admits no object no parameters at all", () => {
  const odd = (inputSchema: JsonObject, name: string): RawTool => ({ name, inputSchema });
  const { files, tools } = generate(serverOf([
    odd({ type: "string" }, "text"),
    odd({}, "open"),
    odd({ anyOf: [{ type: "string" }, ISSUE.inputSchema] }, "either"),
    odd({ $ref: "#/$defs/a", $defs: { a: SEARCH.inputSchema } }, "referred"),
  ]));
  assert.deepEqual(problemsOf(inFolder("/p", files)), []);
  const byName = new Map(tools.map((tool) => [tool.tool as string, tool.signature]));
  assert.equal(byName.get("text"), "text(params: never): Promise<unknown>");
  assert.match(byName.get("open")!, /^open\(params\?: /);
  assert.match(byName.get("either")!, /^either\(params: \{ owner: string;/);
  assert.match(byName.get("referred")!, /^referred\(params\?: /);
});

Deno.test("generateTypescript lets a schema that is refused cost that one type (H17, G5)", () => {
  const deep = (depth: number): JsonObject =>
    depth === 0 ? { type: "string" } : { type: "object", properties: { a: deep(depth - 1) } };
  const field = (schema: JsonObject): JsonObject => ({
    type: "object",
    properties: { odd: schema, plain: { type: "string" } },
    required: ["odd", "plain"],
  });
  const refused: Record<string, JsonObject> = {
    abroad: field({ $ref: "https://example.com/schema.json" }),
    absent: field({ $ref: "#/$defs/nothing" }),
    dialect: { $schema: "https://example.com/own-dialect", type: "object" },
    deep: field(deep(190)),
    loop: field({ $ref: "#/properties/odd" }),
  };
  const tools = Object.entries(refused).map(([name, inputSchema]) => ({ name, inputSchema }));
  const { files, warnings, tools: made } = generate(serverOf([...tools, ISSUE]));
  assert.deepEqual(problemsOf(inFolder("/p", files)), []);
  const signatures = new Map(made.map(({ tool, signature }) => [tool as string, signature]));
  assert.equal(
    signatures.get("abroad"),
    "abroad(params: { odd: unknown; plain: string }): Promise<unknown>",
  );
  assert.match(signatures.get("absent")!, /odd: unknown; plain: string/);
  assert.match(signatures.get("dialect")!, /^dialect\(params\?: /);
  assert.match(signatures.get("loop")!, /odd: unknown; plain: string/);
  assert.match(signatures.get("deep")!, /^deep\(params: /);
  assert.match(signatures.get("create_issue")!, /owner: string; title: string; body\?: string/);
  for (const name of ["abroad", "absent", "dialect", "deep"]) {
    assert.ok(warnings.some((warning) => warning.startsWith(`Tool "${name}": `)), name);
  }
  assert.ok(!warnings.some((warning) => warning.includes("create_issue")));
});

Deno.test("generateTypescript compiles with hostile names and texts (G1, G2, G3, G4, H16, H22)", () => {
  const { files, tools } = generate(hostileServer());
  assert.equal(tools.length, HOSTILE_NAMES.length);
  assert.equal(new Set([...files.keys()].map((path) => path.toLowerCase())).size, files.size);
  assert.deepEqual(problemsOf(inFolder("/p", files)), []);
  for (const [path, text] of files) {
    assert.match(path, /^[A-Za-z_][A-Za-z0-9_]{0,80}\.(?:ts|json)$/);
    assert.doesNotMatch(text, /[^\P{C}\n]|\p{DI}|\u2028|\u2029/u, path);
  }
});

Deno.test("generateTypescript lets no text of a server become code (G1, H23, H24)", () => {
  const { files, tools } = generate(hostileServer());
  const allowed = new Set([
    ts.SyntaxKind.ImportDeclaration,
    ts.SyntaxKind.TypeAliasDeclaration,
    ts.SyntaxKind.FunctionDeclaration,
  ]);
  for (const { file, tool } of tools) {
    const source = ts.createSourceFile(file, files.get(file)!, ts.ScriptTarget.ES2022, true);
    for (const statement of source.statements) assert.ok(allowed.has(statement.kind), file);
    const [run, ...others] = source.statements.filter(ts.isFunctionDeclaration);
    assert.equal(others.length, 0);
    const tags = ts.getJSDocTags(run!).map((tag) => tag.tagName.text);
    assert.deepEqual(tags, [], file);
    const calls: ts.CallExpression[] = [];
    const visit = (node: ts.Node) => {
      if (ts.isCallExpression(node)) calls.push(node);
      ts.forEachChild(node, visit);
    };
    visit(source);
    assert.equal(calls.length, 1);
    assert.equal((calls[0]!.arguments[1] as ts.StringLiteral).text, tool);
  }
  const index = ts.createSourceFile("i.ts", files.get("index.ts")!, ts.ScriptTarget.ES2022, true);
  assert.ok(index.statements.every(ts.isExportDeclaration));
  assert.equal(index.statements.length, tools.length + 1);
});

Deno.test("generateTypescript keeps descriptions readable to the letter (G1)", () => {
  const description = "Ends */ here, @tags, `ticks` and ${braces}: **/ *\\/ a@b.org";
  const { files } = generateTypescript(serverOf([{ ...SEARCH, description }]));
  const comment = /\/\*\* (.*) \*\/\nexport async/.exec(files.get("search.ts")!)![1]!;
  assert.equal(comment.replace(/\*\\(\\*)\//g, "*$1/").replace(/\\@/g, "@"), description);
});

Deno.test("generateTypescript calls tools by their exact names when it runs (G2, G7, H25)", async () => {
  const folder = await Deno.makeTempDir();
  const calls: unknown[][] = [];
  const scope = globalThis as unknown as { callTool?: unknown };
  scope.callTool = (...args: unknown[]) => Promise.resolve(calls.push(args));
  try {
    for (const server of ["first", "second"]) {
      const info = { ...hostileServer(), name: server as ServerName };
      const { files, tools } = generate(info);
      await Deno.mkdir(`${folder}/${server}`);
      for (const [path, text] of files) {
        await Deno.writeTextFile(`${folder}/${server}/${path}`, text);
      }
      const module = await import(`file://${folder}/${server}/index.ts`);
      assert.equal("injected" in globalThis || "injected" in module, false);
      for (const { tool, functionName } of tools) {
        await module[functionName]({ a: functionName });
        assert.deepEqual(calls.pop(), [server, tool, { a: functionName }]);
      }
    }
    assert.equal(calls.length, 0);
  } finally {
    delete scope.callTool;
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("generateTypescript writes a manifest that names all and shows nothing unsafe (H22)", () => {
  const info = {
    ...hostileServer(),
    identity: { name: HOSTILE_TEXTS[5]!, version: "1\u202e", title: HOSTILE_TEXTS[1]! },
    warnings: ['Tool "x" left out'],
  };
  const { files, tools } = generate(info);
  const text = files.get("manifest.json")!;
  const manifest = JSON.parse(text);
  assert.equal(manifest.format_version, 1);
  assert.equal(manifest.server, "demo");
  assert.equal(manifest.protocol, "2025-11-25");
  assert.match(manifest.identity.version, /^1\\u\{202e\}$/);
  assert.equal(manifest.tools.length, tools.length);
  for (const [at, tool] of tools.entries()) {
    const entry = manifest.tools[at];
    assert.equal(entry.tool, tool.tool);
    assert.equal(entry.function, tool.functionName);
    assert.equal(entry.signature, tool.signature);
    assert.match(entry.digest, /^blake3:/);
    assert.deepEqual(entry.annotations, { readOnlyHint: true });
    assert.ok(files.has(entry.file));
  }
  assert.deepEqual(manifest.warnings.slice(0, 1), ['Tool "x" left out']);
});

Deno.test("generateTypescript tells in the manifest what each level of detail costs to read", () => {
  const info = serverOf([ISSUE, SEARCH]);
  const plain = generateTypescript(info);
  const counted = generate(info, { estimateTokens: (text) => text.length });
  const manifest = JSON.parse(counted.files.get("manifest.json")!);
  for (const [at, tool] of counted.tools.entries()) {
    assert.deepEqual(manifest.tools[at].tokens, {
      summary: `${tool.tool}: ${tool.summary}`.length,
      signature: tool.signature.length,
      module: counted.files.get(tool.file)!.length,
      definition: JSON.stringify(at === 0 ? ISSUE : SEARCH).length,
    });
  }
  const [issue, search] = manifest.tools;
  assert.equal(manifest.tokens.module, issue.tokens.module + search.tokens.module);
  assert.equal(counted.files.get("createIssue.ts"), plain.files.get("createIssue.ts"));
  assert.equal("tokens" in JSON.parse(plain.files.get("manifest.json")!), false);
});

const PLANTED = `import { createIssue } from "mcp:demo";
import { callTool } from "mcp:host";
import { createIsue } from "mcp:demo";
await createIssue({ owner: "o", title: "t" });
await createIssue({ owner: "o", title: "t", boddy: "b" });
await createIssue({ owner: 1, title: "t" });
(await createIssue({ owner: "o", title: "t" })).numbr;
const text: string = await callTool<string>("demo", "x", "no object");
export { createIsue, text };
`;

Deno.test("generateTypescript's tsconfig.json makes mcp: imports report wrong fields and names", () => {
  const { files } = generateTypescript(serverOf([ISSUE, SEARCH]));
  const config = ts.parseConfigFileTextToJson("/p/tsconfig.json", files.get("tsconfig.json")!);
  const { options, errors } = ts.parseJsonConfigFileContent(config.config, {
    useCaseSensitiveFileNames: true,
    fileExists: () => true,
    readFile: () => undefined,
    readDirectory: () => ["/p/index.ts"],
  }, "/p");
  assert.deepEqual(errors, []);
  const problems = problemsOf(
    new Map([...inFolder("/p", files), ["/p/main.ts", PLANTED]]),
    { ...options, lib: STRICT.lib! },
  );
  assert.equal(problems.length, 5, problems.join("\n"));
  for (const wrong of ["createIsue", "boddy", "number", "numbr", "object"]) {
    assert.ok(problems.some((problem) => problem.includes(wrong)), wrong);
  }
});

Deno.test("generateTypescript's deno.json makes deno check report wrong fields and names", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { files } = generateTypescript(serverOf([ISSUE, SEARCH]));
    for (const [path, text] of files) await Deno.writeTextFile(`${folder}/${path}`, text);
    await Deno.writeTextFile(`${folder}/main.ts`, PLANTED);
    const check = (...files: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args: ["check", "--quiet", ...files],
        cwd: folder,
        env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
        stdout: "piped",
        stderr: "piped",
      }).output();
    const clean = await check("index.ts");
    assert.ok(clean.success, new TextDecoder().decode(clean.stderr));
    const planted = await check("main.ts");
    assert.equal(planted.code, 1);
    const text = new TextDecoder().decode(planted.stderr);
    for (const wrong of ["createIsue", "boddy", "numbr", "Found 5 errors"]) {
      assert.ok(text.includes(wrong), text);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "generateTypescript makes packages of all recorded servers that compile",
  ignore: !HAS_CORPUS,
  fn() {
    const all = new Map<string, string>();
    let tools = 0;
    for (const info of recordedServers()) {
      const generated = generate(info);
      assert.equal(generated.tools.length, info.tools.length);
      for (const [path, text] of inFolder(`/${info.name}`, generated.files)) all.set(path, text);
      tools += generated.tools.length;
    }
    assert.ok(tools > 600);
    assert.deepEqual(problemsOf(all), []);
  },
});

Deno.test("generateTypescript takes time in proportion to the number of tools (G10)", () => {
  const sized = (count: number) =>
    serverOf(Array.from({ length: count }, (_, n) => ({ ...ISSUE, name: `tool_${n}` })));
  assertProportional([100, 2_000], sized, generateTypescript);
});

Deno.test("generateTypescript gives the types of just what the sandbox offers", () => {
  const exported = (text: string) => {
    const names = /export (?:const )?\{([^}]*)\}/.exec(text)?.[1] ?? "";
    return names.split(",").map((name) => name.trim()).filter((name) => name !== "").sort();
  };
  const host = generateTypescript(serverOf([ISSUE])).files.get("host.ts")!;
  const offered = exported(BUILT_INS.get(HOST_MODULE)!);
  assert.ok(offered.includes("callTool"));
  assert.deepEqual(exported(host), offered);
  const declared = generateDeclarations([]).split('declare module "mcp:host"')[1] ?? "";
  for (const name of offered) assert.match(declared, new RegExp(`\\b${name}\\b`));
});
