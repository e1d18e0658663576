// Programs kept as skills: what is found out of their text, and the full circle through the program
// as a process with a server whose tools change.

import assert from "node:assert/strict";
import { runCli } from "../src/cli.ts";
import { generateSkill, skillNameOf } from "../src/documents.ts";
import { checksumOf } from "../src/integrity.ts";
import type { SkillName } from "../src/names.ts";
import { importedSkills, mountSkills } from "../src/skill_code.ts";
import { completeSkill, skillServer } from "../src/skill_metadata.ts";
import {
  exportedInput,
  namedTools,
  programDraft,
  programSignature,
  recordedServers as toolsOfProgram,
  schemaOf,
} from "../src/skill_programs.ts";
import { assertProportional } from "./growth.ts";
import { ISSUE, type RawTool, recordedServers, SEARCH, serverOf } from "./server_fixtures.ts";
import { skillProblems } from "./skill_check.ts";
import { withPlace } from "./skill_store.ts";
import { freshPlace, PROGRAM, ROOT } from "./specs/run.ts";

const NAME = "weekly-report" as SkillName;

Deno.test("schemaOf gives a schema that the value fits, with all members required", () => {
  assert.deepEqual(schemaOf({ days: 7, who: null, tags: ["a"], none: [], deep: { yes: true } }), {
    type: "object",
    properties: {
      days: { type: "number" },
      who: { type: "null" },
      tags: { type: "array", items: { type: "string" } },
      none: { type: "array" },
      deep: { type: "object", properties: { yes: { type: "boolean" } }, required: ["yes"] },
    },
    required: ["days", "who", "tags", "none", "deep"],
  });
});

Deno.test("exportedInput finds the whole object, whatever its texts and comments hold", () => {
  const object = `{ a: "}", b: '{', c: \`}\`, // }\n d: { /* } */ e: "\\"}" } }`;
  assert.equal(exportedInput(`x;\nexport const input = ${object} as const;\nexport {};`), object);
  assert.equal(exportedInput(`export const input: Schema = ${object};`), object);
  assert.equal(exportedInput("const input = { a: 1 };"), undefined);
  assert.equal(exportedInput("export const input = schema;\nconst x = {};"), undefined);
  assert.equal(exportedInput("export const inputs = {};"), undefined);
  assert.equal(exportedInput("export const input = { a: 1"), undefined);
  assert.equal(exportedInput("export const input = { a: 1 /* }"), undefined);
});

Deno.test("exportedInput looks at a text that declares nothing whole in linear time", () => {
  for (const text of ["export const input ", "/*{}"]) {
    assertProportional(
      [1_000, 8_000],
      (count) => `export const input = {${text.repeat(count)}`,
      (source) => assert.equal(exportedInput(source), undefined),
    );
  }
});

Deno.test("namedTools takes functions by word and exact names in quotes", () => {
  const info = serverOf([ISSUE, SEARCH, { ...SEARCH, name: "find-all" }]);
  const names = (source: string) => namedTools(source, info).map((tool) => tool.name);
  assert.deepEqual(names('import { createIssue } from "mcp:demo";'), ["create_issue"]);
  assert.deepEqual(names('callTool("demo", "find-all")'), ["find-all"]);
  assert.deepEqual(names("const research = createIssues;"), []);
});

Deno.test("importedSkills gives each skill once, and refuses names that are none (V1)", () => {
  const path = (name: string) => `/mcp-tools/skills/${name}/index.ts`;
  assert.deepEqual(importedSkills([path("b"), "mcp:x", path("a"), path("b")]), ["a", "b"]);
  assert.throws(() => importedSkills([path("..")]), { kind: "usage" });
});

Deno.test("programSignature names the program as a function with its parameters", () => {
  const program = { limits: {}, skills: [] };
  assert.equal(programSignature(NAME, program), "weeklyReport()");
  const input = schemaOf({ days: 7 });
  assert.equal(
    programSignature(NAME, { ...program, input }),
    "weeklyReport(input: { days: number })",
  );
});

function draft(source: string, tools: readonly RawTool[] = [ISSUE]) {
  const info = serverOf(tools, "tracker");
  return programDraft({
    name: NAME,
    source,
    servers: [{ info, tools: info.tools }],
    input: schemaOf({ days: 7 }),
    example: { args: { days: 7, text: "it's <b>`x`</b>\n---\n# no" } },
    limits: { calls: 5, fuel: 1e9 },
    home: "/home/me",
  });
}

Deno.test("programDraft makes a skill that obeys the rules for skills, whatever the tools are called", () => {
  const hostile = { ...ISSUE, name: "x`\n---\n# y <b>" };
  for (
    const tools of [
      [ISSUE],
      [hostile],
      Array.from({ length: 300 }, (_, n) => ({
        ...ISSUE,
        name: `tool_with_a_long_name_${n}`,
      })),
    ]
  ) {
    const files = completeSkill(draft("export default 1;", tools), "2026-01-01T00:00:00.000Z");
    assert.deepEqual(skillProblems(NAME, files), []);
  }
});

Deno.test("programDraft keeps only limits that differ, and a module without types", () => {
  const { facts, files } = draft(
    'import { type Issue, createIssue } from "mcp:tracker";\nexport default (n: number): number => n;',
  );
  assert.deepEqual(facts.program?.limits, { calls: 5 });
  assert.doesNotMatch(files.get("module.js")!, /: number|type Issue/);
  assert.match(files.get("program.ts")!, /: number/);
});

Deno.test("recordedServers gives back what programDraft wrote, and refuses what is none (K15)", () => {
  const { files } = draft("export default 1;");
  const [server] = toolsOfProgram({ name: NAME, files });
  assert.deepEqual(server!.tools.map((tool) => tool.name), ["create_issue"]);
  const written = JSON.parse(files.get("tools.json")!);
  const [whole] = written.servers;
  const deep = JSON.parse(`${'{"a":'.repeat(300)}1${"}".repeat(300)}`);
  const odd = [
    ...["name", "protocolVersion", "identity", "tools"].map((key) => ({ ...whole, [key]: 5 })),
    ...["name", "digest", "title", "description", "inputSchema", "outputSchema", "annotations"]
      .map((key) => ({ ...whole, tools: [{ ...whole.tools[0], [key]: 5 }] })),
    { ...whole, name: "../x" },
    { ...whole, tools: [{ ...whole.tools[0], inputSchema: deep }] },
  ];
  const damaged = odd.map((item) => JSON.stringify({ ...written, servers: [item] }));
  const bad = [
    "",
    "{",
    "null",
    '{"format_version":2,"servers":[]}',
    '{"format_version":1,"servers":[null]}',
    '{"format_version":1,"servers":[{"name":"x","tools":3}]}',
    '{"format_version":1,"servers":[{"name":"x","tools":[null]}]}',
    ...damaged,
  ];
  for (const text of bad) {
    assert.throws(
      () => toolsOfProgram({ name: NAME, files: new Map([["tools.json", text]]) }),
      { kind: "invalid" },
      text,
    );
  }
});

Deno.test("mountSkills gives what skills import through others, each once, and no more than the bound", async () => {
  const skill = (module: string, more: [string, string][] = []) => ({
    files: new Map([["module.js", module], ["SKILL.md", "x"], ["checksum.blake3", "x"], ...more]),
  });
  const path = (name: string) => `/mcp-tools/skills/${name}/index.ts`;
  const code = JSON.stringify({ format_version: 1, files: { "/index.ts": "a", "/b.ts": "b" } });
  const skills: Record<string, ReturnType<typeof skill>> = {
    a: skill(`import "${path("b")}"; import "mcp:one";`),
    b: skill(`import "${path("a")}"; import "mcp:two";`, [["vfs.json", code]]),
  };
  const { files, imports } = await mountSkills(
    [path("a")],
    (name) => Promise.resolve(skills[name]!),
  );
  assert.deepEqual([...files.keys()].sort(), [
    "/mcp-tools/skills/a/SKILL.md",
    "/mcp-tools/skills/a/module.js",
    "/mcp-tools/skills/b/SKILL.md",
    "/mcp-tools/skills/b/b.ts",
    "/mcp-tools/skills/b/index.ts",
    "/mcp-tools/skills/b/module.js",
  ]);
  assert.deepEqual(imports.filter((item) => item.startsWith("mcp:")), ["mcp:one", "mcp:two"]);
  const endless = (name: SkillName) =>
    Promise.resolve(skill(`import "${path(`a${Number(name.slice(1)) + 1}`)}";`));
  await assert.rejects(mountSkills([path("a1")], endless), { kind: "limit" });
});

Deno.test("createSkillStore keeps the skills of all recorded servers, and they obey the rules", async () => {
  await withPlace(async ({ base, store }) => {
    for (const info of recordedServers()) {
      const name = skillNameOf(info.name);
      const { files, description } = generateSkill(info, { name });
      const servers = [skillServer(info, {})];
      const folder = `${base}/${name}`;
      await store.save({ facts: { name, kind: "server", description, servers }, files }, {
        folder,
      });
      const skill = await store.load(folder);
      assert.deepEqual(skillProblems(name, skill.files), []);
      assert.equal(skill.metadata.servers[0]!.tools.length, info.tools.length);
    }
  });
});

interface Circle {
  readonly folder: string;
  list(tools: readonly RawTool[]): Promise<void>;
  run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
}

/** A folder in which a server `tracker` is configured, and the program to run there. */
async function inCircle(work: (circle: Circle) => Promise<void>): Promise<void> {
  const { folder, env } = await freshPlace();
  const listing = `${folder}/../listing.json`;
  const circle: Circle = {
    folder,
    list: (tools) => Deno.writeTextFile(listing, JSON.stringify({ version: "1.0.0", tools })),
    async run(...args) {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [...PROGRAM, ...args],
        cwd: folder,
        clearEnv: true,
        env: { ...env, NO_COLOR: "1" },
        stdin: "null",
      }).output();
      const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code, stdout: decode(stdout), stderr: decode(stderr) };
    },
  };
  try {
    await Deno.mkdir(`${folder}/../config/mcp-exec`, { recursive: true });
    const args = ["run", "-A", `${ROOT}/tests/servers/listing.ts`, listing, `${folder}/../starts`];
    const config = { mcpServers: { tracker: { command: Deno.execPath(), args } } };
    await Deno.writeTextFile(`${folder}/../config/mcp-exec/config.json`, JSON.stringify(config));
    await circle.list([ISSUE, SEARCH]);
    await work(circle);
  } finally {
    await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
  }
}

function changed(tool: RawTool, change: (schema: Record<string, unknown>) => unknown): RawTool {
  return {
    ...tool,
    inputSchema: change(structuredClone(tool.inputSchema)) as RawTool["inputSchema"],
  };
}

const PLAIN_ISSUE = (({ outputSchema: _, ...tool }) => tool)(ISSUE);

Deno.test("mcp-exec keeps a program that imports a skill, runs it by name, and sees its tools change (K17)", async () => {
  await inCircle(async ({ folder, list, run }) => {
    await list([PLAIN_ISSUE, SEARCH]);
    const ok = async (...args: string[]) => {
      const outcome = await run(...args);
      assert.equal(outcome.code, 0, `${args.join(" ")}\n${outcome.stderr}`);
      return outcome;
    };
    await ok("generate", "tracker");
    assert.match((await ok("skill", "list")).stdout, /^tracker +server +project /);
    assert.match(
      (await ok("skill", "info", "tracker")).stdout,
      /\n {2}tools: create_issue, search\n/,
    );
    await Deno.writeTextFile(
      `${folder}/report.ts`,
      `import { createIssue } from "/mcp-tools/skills/tracker/index.ts";
export default async ({ title }: { title: string }): Promise<unknown> =>
  await createIssue({ owner: "me", title });
`,
    );
    const first = await ok("execute", "report.ts", "--args", '{"title":"one"}');
    const answer = (title: string) =>
      `${JSON.stringify({ tool: "create_issue", params: { owner: "me", title } })}\n`;
    assert.equal(first.stdout, answer("one"));
    const saved = await ok(
      ...["skill", "save", "open-issue", "--run", "last", "--args", '{"title":"one"}'],
    );
    assert.equal(
      saved.stdout,
      "open-issue: program, 1 tool, written: ./.claude/skills/open-issue\n",
    );
    assert.match(
      saved.stderr,
      /call it as openIssue\(input: \{ title: string \}\): mcp-exec execute open-issue --args '\{"title":"one"\}'/,
    );
    assert.match(
      (await ok("skill", "info", "open-issue")).stdout,
      /\nexample: mcp-exec execute open-issue --args '\{"title":"one"\}'\n {2}gave: \{ tool: string, /,
    );
    assert.equal(
      (await ok("execute", "open-issue", "--args", '{"title":"two"}')).stdout,
      answer("two"),
    );
    assert.equal(
      (await ok("skill", "load", "open-issue", "--args", '{"title":"three"}')).stdout,
      answer("three"),
    );
    const replayed = await ok("skill", "verify", "open-issue", "--run");
    assert.match(
      replayed.stderr,
      /ran well with its recorded arguments and gave its recorded result/,
    );
    const wrong = await run("execute", "open-issue", "--args", '{"title":1}');
    assert.equal(wrong.code, 2);
    assert.match(
      wrong.stderr,
      /^error: Call of "skill\/open-issue" is not valid: parameter "title" must be string/,
    );

    const call = ["execute", "open-issue", "--args", '{"title":"two"}'];
    // A tool that it does not use.
    await list([PLAIN_ISSUE, { ...SEARCH, inputSchema: { type: "object", required: ["x"] } }]);
    assert.doesNotMatch((await ok(...call, "--strict-tools")).stderr, /have changed/);
    // Words, and a parameter that may be left out.
    const milder = [
      [
        { ...PLAIN_ISSUE, description: "Other words." },
        /summary was "Opens an issue\.", is now "Other words\."/,
      ],
      [
        changed(PLAIN_ISSUE, (schema) => ({
          ...schema,
          properties: { ...schema["properties"] as object, labels: { type: "string" } },
        })),
        /parameter "labels" is new \(optional, string\)/,
      ],
    ] as const;
    for (const [tool, message] of milder) {
      await list([tool, SEARCH]);
      const mild = await ok(...call);
      assert.match(
        mild.stderr,
        /^warning: Tools that skill "open-issue" uses have changed: "tracker/m,
      );
      assert.match(mild.stderr, message);
      assert.equal(mild.stdout, answer("two"));
      const strict = await run(...call, "--strict-tools");
      assert.equal(strict.code, 6, strict.stderr);
      assert.match(strict.stderr, message);
      assert.equal(strict.stdout, "");
    }
    // A new required parameter, and no tool at all.
    await list([
      changed(PLAIN_ISSUE, (schema) => ({ ...schema, required: ["owner", "title", "body"] })),
      SEARCH,
    ]);
    const refused = await run(...call, "--format", "json");
    assert.equal(refused.code, 6);
    const { error } = JSON.parse(refused.stdout);
    assert.equal(error.kind, "integrity");
    assert.equal(
      error.message,
      'Tools that skill "open-issue" uses have changed: "tracker/create_issue"',
    );
    assert.match(error.hint, /mcp-exec skill save open-issue --run last --force$/);
    assert.deepEqual(error.detail, ['~ create_issue: parameter "body" is now required']);
    await list([SEARCH]);
    const gone = await run(...call);
    assert.equal(gone.code, 6);
    assert.match(gone.stderr, /\n {2}- create_issue\n/);
  });
});

Deno.test("mcp-exec skill verify --run says how a result differs from the recorded one", async () => {
  await inCircle(async ({ folder, run }) => {
    await run("execute", "-e", "return { at: Math.random() }");
    assert.equal((await run("skill", "save", "chance", "--run", "last")).code, 0);
    const text = await run("skill", "verify", "chance", "--run");
    assert.equal(text.code, 1);
    assert.equal(text.stdout, "");
    assert.match(
      text.stderr,
      /^error: Skill "chance" no longer gives its recorded result\n {2}recorded: \{ at: number \}, /m,
    );
    const [, again] = /hint: if the new one is right: mcp-exec (skill save .*)$/m.exec(
      text.stderr,
    )!;
    assert.equal((await run(...again!.split(" "))).code, 0);
    const json = await run("skill", "verify", "chance", "--run", "--format", "json");
    assert.equal(json.code, 1);
    const { ok, skills: [{ comparison, differences }] } = JSON.parse(json.stdout);
    assert.deepEqual([ok, comparison, differences.length], [false, "differs", 3]);

    await Deno.writeTextFile(`${folder}/a.ts`, "export default (n: number) => n;");
    await run("execute", "a.ts", "--args", "1");
    const other = await run("skill", "save", "same", "--run", "last", "--args", "2");
    assert.match(other.stderr, /^warning: Run \w+ was called with other --args: its result is not/);
    const without = await run("skill", "save", "bare", "--run", "last");
    assert.match(without.stderr, /^warning: Run \w+ was called with --args: give them once more, /);

    await Deno.writeTextFile(`${folder}/b.ts`, "export const main = 5; export default 6;");
    await run("execute", "b.ts", "--entry", "main");
    await run("skill", "save", "entry", "--run", "last");
    assert.equal((await run("execute", "entry")).stdout, "5\n");
    const replayed = await run("skill", "verify", "entry", "--run", "--format", "json");
    assert.equal(JSON.parse(replayed.stdout).skills[0].comparison, "same");
    const another = await run("skill", "save", "six", "--run", "last", "--entry", "default");
    assert.match(another.stderr, /^warning: Run \w+ gave another export: its result is not kept/);

    const unknown = await run("skill", "verify", "same", "--run", "--format", "json");
    assert.equal(unknown.code, 0);
    assert.equal(JSON.parse(unknown.stdout).skills[0].comparison, "none");
  });
});

Deno.test("mcp-exec runs no skill that nobody accepted, and accepts exactly the root given (K4)", async () => {
  await inCircle(async ({ folder, run }) => {
    await Deno.writeTextFile(`${folder}/a.ts`, "export default 1;");
    assert.equal((await run("skill", "save", "one", "--file", "a.ts")).code, 0);
    const skill = `${folder}/.claude/skills/one`;
    await Deno.writeTextFile(`${skill}/program.ts`, "export default 2;");
    const damaged = await run("execute", "one");
    assert.equal(damaged.code, 6);
    assert.match(
      damaged.stderr,
      /^error: Skill "one" is not as it was written: "program\.ts" was changed/,
    );
    const files = new Map<string, Uint8Array>();
    for await (const { name } of Deno.readDir(skill)) {
      files.set(name, await Deno.readFile(`${skill}/${name}`));
    }
    const { text, root } = checksumOf(files);
    await Deno.writeTextFile(`${skill}/checksum.blake3`, text);
    for (const args of [["execute", "one"], ["skill", "load", "one"], ["skill", "verify"]]) {
      const refused = await run(...args);
      assert.equal(refused.code, 6, args.join(" "));
      assert.match(
        refused.stderr,
        /error: Skill "one" was not accepted here\n {2}its root is blake3:/,
      );
    }
    const importing = await run(
      "execute",
      "-e",
      'import x from "/mcp-tools/skills/one/index.ts"; export default x;',
    );
    assert.equal(importing.code, 6);
    const asked = await run("skill", "verify", "one", "--accept");
    assert.equal(asked.code, 2);
    assert.ok(asked.stderr.includes(`--accept ${root}`), asked.stderr);
    const other = await run("execute", "one", "--accept-root", root.replace(/.{4}$/, "0000"));
    assert.equal(other.code, 6);
    assert.match(other.stderr, /has another root than the one given/);
    const accepted = await run("execute", "one", "--accept-root", root);
    assert.deepEqual([accepted.code, accepted.stdout], [0, "2\n"]);
    assert.equal((await run("skill", "verify", "one")).stdout, `one ${root}\n`);
  });
});

Deno.test("mcp-exec accepts no skill under a locked policy without a terminal", async () => {
  await inCircle(async ({ folder, run }) => {
    await Deno.writeTextFile(`${folder}/a.ts`, "export default 1;");
    assert.equal((await run("skill", "save", "one", "--file", "a.ts")).code, 0);
    const { stdout } = await run("skill", "verify", "one");
    const root = stdout.trim().split(" ")[1]!;
    await Deno.writeTextFile(
      `${folder}/../config/mcp-exec/config.json`,
      '{ "policy": { "locked": true } }',
    );
    for (
      const args of [
        ["skill", "verify", "one", "--accept", root],
        ["skill", "verify", "one", "--accept"],
        ["skill", "load", "one", "--accept-root", root],
        ["execute", "one", "--accept-root", root],
      ]
    ) {
      const refused = await run(...args);
      assert.equal(refused.code, 6, args.join(" "));
      assert.match(
        refused.stderr,
        /^error: Skills accepted without a terminal are ruled out: the policy of .* is locked/,
      );
    }
    assert.equal((await run("execute", "one")).stdout, "1\n");
  });
});

Deno.test("mcp-exec asks on a terminal before it accepts or removes a skill, and heeds a no", async () => {
  await withPlace(async ({ base, store }) => {
    const env = { get: () => undefined, toObject: () => ({}) };
    const written: string[] = [];
    const questions: string[] = [];
    const run = async (args: readonly string[], answer: boolean) => {
      written.length = 0;
      return await runCli({
        args,
        env,
        cwd: base,
        platform: "linux",
        paths: { home: `${base}/home`, config: `${base}/config/mcp-exec`, data: `${base}/data` },
        writeOut: (text) => written.push(String(text)) > 0,
        writeError: (text) => void written.push(text),
        readInput: () => Promise.resolve(new Uint8Array()),
        isTerminal: { in: true, out: false, error: true },
        confirm(question) {
          questions.push(question);
          return Promise.resolve(answer);
        },
        columns: 80,
        signal: new AbortController().signal,
        now: () => 0,
      });
    };
    const draftOf = draft("export default 1; // \x1b[31m");
    await store.save(draftOf, { folder: `${base}/.claude/skills/${NAME}` });
    assert.equal(await run(["skill", "verify", NAME, "--accept"], false), 6);
    assert.match(written.at(-1)!, /Skill "weekly-report" was not accepted\n$/);
    // What is to be accepted is shown, and nothing in it reaches the terminal as it is.
    assert.match(
      written[0]!,
      /\nsignature: weeklyReport\([^]*\n {2}program\.ts \d+ B\n[^]*export default 1; \/\/ /,
    );
    assert.match(written[0]!, /\n\nmodule\.js:\nexport default 1;/);
    assert.ok(!written[0]!.includes("\x1b"));
    assert.equal(await run(["skill", "load", NAME], true), 6);
    assert.equal(await run(["skill", "verify", NAME, "--accept"], true), 0);
    assert.equal(await run(["skill", "verify", NAME], true), 0);
    assert.equal(await run(["skill", "remove", NAME], false), 6);
    assert.equal(await run(["skill", "remove", NAME], true), 0);
    assert.equal(await run(["skill", "info", NAME], true), 2);
    assert.deepEqual(questions, [
      `Accept this content of skill "${NAME}"?`,
      `Accept this content of skill "${NAME}"?`,
      `Remove the program skill in ${base}/.claude/skills/${NAME}?`,
      `Remove the program skill in ${base}/.claude/skills/${NAME}?`,
    ]);
  });
});

Deno.test("mcp-exec lets a kept program call the servers it was kept with and no other", async () => {
  await inCircle(async ({ folder, run }) => {
    await Deno.writeTextFile(
      `${folder}/a.ts`,
      `import { search } from "mcp:tracker";
const parts = ["de", "mo"];
export default async () => {
  await search({});
  return await callTool(parts.join(""), "list_users").catch((error) => error.message);
};`,
    );
    assert.equal((await run("skill", "save", "one", "--file", "a.ts")).code, 0);
    const { stdout } = await run("execute", "one");
    assert.match(stdout, /^Server "demo" is not among those this run may call/);
  });
});
