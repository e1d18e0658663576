import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { planServer } from "../src/plan.ts";
import type { ServerSpec } from "../src/server.ts";
import { readCode, writeCode, writeToolModule } from "../src/skill_code.ts";
import { completeSkill, METADATA_FILE, readMetadata, skillServer } from "../src/skill_metadata.ts";
import { Secret } from "../src/text.ts";
import {
  EMPTY,
  hostileServer,
  ISSUE,
  recordedServers,
  SEARCH,
  serverOf,
} from "./server_fixtures.ts";

const HOST = 'import { callTool as call } from "./host.ts";\n';

Deno.test("writeToolModule gives one function for each tool, whatever the tools are called", async () => {
  const names = ["call", "f0", "f1", "default", "callTool", "await", "constructor", "__proto__"];
  const odd = serverOf(names.map((name) => ({ name, inputSchema: EMPTY })), "odd");
  for (
    const info of [
      serverOf([ISSUE, SEARCH]),
      serverOf([]),
      odd,
      hostileServer(),
      ...recordedServers(),
    ]
  ) {
    const plan = planServer(info);
    const text = writeToolModule(plan);
    ok(text.startsWith(HOST));
    const alone = `const call = (...args) => args;\n${text.slice(HOST.length)}`;
    const module = await import(`data:text/javascript,${encodeURIComponent(alone)}`);
    deepStrictEqual(Object.keys(module).sort(), plan.tools.map((tool) => tool.functionName).sort());
    for (const { tool, functionName } of plan.tools) {
      deepStrictEqual(await module[functionName]({ a: 1 }), [info.name, tool, { a: 1 }]);
    }
  }
});

Deno.test("writeCode sorts its files, and readCode gives them back by absolute path", () => {
  const files = new Map([["b.ts", "two\r\n\u202e"], ["a.ts", "one"]]);
  const text = writeCode(files);
  match(text, /^\{\n {2}"format_version": 1,\n {2}"files": \{\n {4}"\/a\.ts"/);
  ok(!text.includes("\u202e"));
  deepStrictEqual([...readCode(text)], [["/a.ts", "one"], ["/b.ts", "two\r\n\u202e"]]);
});

Deno.test("readCode gives nothing for what is no code file, and leaves out what is no file", () => {
  for (
    const text of [
      undefined,
      "",
      "{",
      "[]",
      "null",
      '{"files":{"/a":"x"}}',
      '{"format_version":1,"files":3}',
    ]
  ) {
    strictEqual(readCode(text).size, 0);
  }
  const text = '{"format_version":1,"files":{"/a":"x","b":"y","/c":3,"__proto__":"z"}}';
  deepStrictEqual([...readCode(text)], [["/a", "x"]]);
});

const INFO = serverOf([ISSUE]);
const SERVERS = [skillServer(INFO, {})];

Deno.test("skillServer keeps how a server is reached, and no secret or home folder (X3, X4, X5, X6)", () => {
  const base = { name: INFO.name, origin: "user" } as const;
  const specs: ServerSpec[] = [
    {
      ...base,
      transport: "stdio",
      command: "/home/me/bin/server",
      args: ["--token", "sk-CANARY", "--key=CANARY", "/home/me/notes"],
      env: { TOKEN: new Secret("CANARY") },
    },
    {
      ...base,
      transport: "http",
      url: new Secret("https://CANARY:CANARY@host.test/mcp?key=CANARY"),
      shownUrl: "https://CANARY:CANARY@host.test/mcp?key=CANARY",
      headers: { Authorization: new Secret("CANARY") },
    },
  ];
  const reached = specs.map((spec) => skillServer(INFO, { spec, home: "/home/me" }));
  ok(!/CANARY|\/home/.test(JSON.stringify(reached)));
  deepStrictEqual(reached.map(({ reach }) => reach), [
    "~/bin/server --token *** --key=*** ~/notes",
    "https://***@host.test/mcp?key=***",
  ]);
});

Deno.test("readMetadata gives back what completeSkill wrote", () => {
  const facts = {
    name: "notes",
    kind: "program",
    description: "Does.",
    servers: SERVERS,
    program: {
      limits: { calls: 3 },
      skills: [],
      input: { type: "object" },
      example: { args: [1] },
    },
  } as never;
  const files = completeSkill({ facts, files: new Map() }, "2026-01-01T00:00:00.000Z");
  const metadata = readMetadata(files.get(METADATA_FILE)!, "x");
  deepStrictEqual(JSON.parse(JSON.stringify(metadata.program)), (facts as typeof metadata).program);
  strictEqual(metadata.servers[0]!.tools[0]!.name, "create_issue");
});

Deno.test("readMetadata refuses what is none, without reading it as one (K13, K15)", () => {
  const good = {
    format_version: 1,
    name: "notes",
    kind: "server",
    description: "d",
    generator: "g",
    written_at: "t",
    servers: SERVERS,
  };
  readMetadata(JSON.stringify(good), "x");
  const bad: unknown[] = [
    "",
    "[]",
    "null",
    "[".repeat(100_000),
    { ...good, format_version: "1" },
    { ...good, name: 3 },
    { ...good, kind: "other" },
    { ...good, kind: "program" },
    { ...good, program: { limits: {}, skills: [] } },
    { ...good, servers: [{ ...SERVERS[0], name: "../x" }] },
    { ...good, servers: [{ ...SERVERS[0], tools: [{ name: "x" }] }] },
    { ...good, servers: [{ ...SERVERS[0], reach: 5 }] },
    { ...good, kind: "program", program: { limits: { fuel: -1 }, skills: [] } },
    { ...good, kind: "program", program: { limits: {}, skills: ["../x"] } },
    { ...good, name: "../../x" },
  ];
  for (const value of bad) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    try {
      readMetadata(text, 'Skill "x"');
    } catch (error) {
      strictEqual((error as { kind: string }).kind, "invalid");
      match((error as Error).message, new RegExp(`^Skill "x" has a ${METADATA_FILE}`));
      continue;
    }
    ok(false, text.slice(0, 200));
  }
});
