import assert from "node:assert/strict";
import { skillEntry } from "@modelcontextprotocol/server/ext/skills";
import { generateSkill, skillNameOf } from "../src/documents.ts";
import { digestOfJson } from "../src/hash.ts";
import { toSkillName } from "../src/names.ts";
import type { ServerInfo } from "../src/server.ts";
import { disclosureOf, overallDisclosure } from "./disclosure.ts";
import { assertProportional } from "./growth.ts";
import {
  EMPTY,
  HAS_CORPUS,
  HOSTILE_TEXTS,
  hostileServer,
  ISSUE,
  type RawTool,
  recordedServers,
  SEARCH,
  serverOf,
} from "./server_fixtures.ts";
import { skillProblems } from "./skill_check.ts";

const NAME = toSkillName("demo");

function skillOf(info: ServerInfo, more: Partial<Parameters<typeof generateSkill>[1]> = {}) {
  return generateSkill(info, { name: NAME, ...more });
}

async function assertValid(info: ServerInfo, name = NAME): Promise<ReadonlyMap<string, string>> {
  const { files } = skillOf(info, { name });
  assert.deepEqual(skillProblems(name, files), [], info.name);
  await skillEntry(name, Object.fromEntries(files));
  return files;
}

function manyTools(count: number, more: Partial<RawTool> = {}): ServerInfo {
  const verbs = ["create", "list", "get", "update", "delete"];
  const nouns = ["issue", "merge_request", "pipeline", "wiki_page", "user", "label", "branch"];
  return serverOf(Array.from({ length: count }, (_, n) => ({
    ...ISSUE,
    name: `${verbs[n % 5]}_${nouns[n % 7]}_${n}`,
    description: `Does thing number ${n} to one of the things that there are. And more.`,
    ...more,
  })));
}

Deno.test("generateSkill teaches to find a tool, read its signature and run a program", () => {
  const text = skillOf(serverOf([ISSUE, SEARCH])).files.get("SKILL.md")!;
  assert.match(text, /^---\nname: "demo"\ndescription: "Calls the 2 tools of the MCP server demo /);
  const steps = [
    "The MCP server `demo` (Demo server 1.2.3) offers 2 tools: create\\_issue, search.",
    '`mcp-exec search "words" --server demo`',
    "`mcp-exec introspect demo --tool search`",
    "mcp-exec execute --server demo - <<'TS'\n" +
    'import { search } from "mcp:demo";\n\nconst result = await search();\n' +
    "export default result;\nTS\n",
    "mcp-exec result HANDLE --slice",
    "`--session ID`",
    "`mcp-exec skill save NAME --run last`",
    "[REFERENCE.md](REFERENCE.md)",
    "- `create_issue`: Opens an issue.\n- `search`\n",
  ];
  let at = 0;
  for (const step of steps) {
    const next = text.indexOf(step, at);
    assert.ok(next > at, `${step}\n\nis missing, or too early, in\n\n${text}`);
    at = next;
  }
});

Deno.test("generateSkill shows a program that reads rather than one that writes", () => {
  const tool = (name: string, readOnlyHint?: boolean): RawTool => ({
    name,
    inputSchema: { ...EMPTY, properties: { id: { type: "string" } }, required: ["id"] },
    ...(readOnlyHint !== undefined && { annotations: { readOnlyHint } }),
  });
  const sample = (...tools: RawTool[]) =>
    /await (\w+\([^\n]*\));/.exec(skillOf(serverOf(tools)).files.get("SKILL.md")!)![1];
  assert.equal(sample(tool("delete_all"), tool("get_one")), 'getOne({ id: "..." })');
  assert.equal(sample(tool("a", false), tool("b", true), tool("c")), 'b({ id: "..." })');
  // Nothing that a shell would read in another way is put into a command.
  const odd = skillOf(serverOf([tool("x; rm -rf ~")])).files.get("SKILL.md")!;
  assert.match(odd, /--tool TOOL`/);
});

Deno.test("generateSkill puts flags that reach the server behind every command", () => {
  const reach = "--http 'demo=https://example.com/mcp'";
  const { files } = skillOf(serverOf([ISSUE]), { reach });
  const all = files.get("SKILL.md")! + files.get("REFERENCE.md")!;
  const commands = all.match(/mcp-exec (?:search|introspect|execute)[^`\n]*/g)!;
  assert.equal(commands.length, 4);
  for (const command of commands) assert.ok(command.includes(` ${reach}`), command);
});

Deno.test("generateSkill takes a description that skills may have and refuses others", () => {
  const describe = (description: string) =>
    skillOf(serverOf([ISSUE]), { description }).files.get("SKILL.md")!;
  assert.match(
    describe('Opens "issues": when\n asked --- ok'),
    /^---\nname: "demo"\ndescription: "Opens \\"issues\\": when asked \\x2d\\x2d\\x2d ok"\n---\n/,
  );
  for (const text of ["", " \n ", "a <b>", "x".repeat(1025), "a\u202eb", "🚀".repeat(513)]) {
    assert.throws(() => describe(text), { name: "AppError", kind: "usage" });
  }
  const { files } = skillOf(serverOf([ISSUE]), { description: "🚀".repeat(512) });
  assert.deepEqual(skillProblems("demo", files), []);
});

Deno.test("skillNameOf gives a valid name that no client uses as a command", () => {
  const wanted = {
    github: "github",
    "My.Server_2": "my-server-2",
    memory: "memory-tools",
    debug: "debug-tools",
    REVIEW: "review-tools",
    context: "context-tools",
    "claude-code": "code-tools",
    Anthropic: "mcp-server",
    claclaudeude: "mcp-server",
    "---": "mcp-server",
    NUL: "nul-tools",
    "名前": "mcp-server",
    ["x".repeat(64)]: "x".repeat(58),
  };
  for (const [server, name] of Object.entries(wanted)) {
    assert.equal(skillNameOf(server), name, server);
    assert.equal(toSkillName(name), name);
  }
});

Deno.test("generateSkill obeys every rule for skills on servers of every size", async () => {
  for (const count of [0, 1, 12, 40, 41, 201, 1_000]) await assertValid(manyTools(count));
});

Deno.test("generateSkill keeps within its budget for 10,000 tools, and for long words of all kinds", () => {
  for (
    const info of [
      manyTools(10_000),
      manyTools(1_000, { description: "漢字".repeat(500) }),
      serverOf(Array.from({ length: 300 }, (_, n) => ({
        ...ISSUE,
        name: `${"ab_".repeat(80)}${n}`,
        description: "🚀".repeat(300),
      }))),
      serverOf(Array.from({ length: 50 }, (_, n) => ({
        name: "漢".repeat(80) + n,
        inputSchema: {
          type: "object",
          properties: Object.fromEntries(
            Array.from({ length: 60 }, (_, at) => [
              `${"漢".repeat(100)}${at}`,
              { type: "string", description: "<*_`|> ".repeat(99), default: "é".repeat(99) },
            ]),
          ),
        },
      }))),
    ]
  ) {
    const { files } = skillOf(info);
    assert.deepEqual(skillProblems("demo", files), []);
    const text = files.get("SKILL.md")!;
    assert.match(text, /mcp-exec search "words"/);
  }
});

Deno.test("generateSkill lists groups where not even names fit, and links what it names", () => {
  const text = skillOf(manyTools(3_000)).files.get("SKILL.md")!;
  assert.match(text, /\n- \[merge-request\]\(references\/merge-request\.md\) \[2\]\(/);
  assert.match(text, /, 428 tools\n/);
  const named = skillOf(manyTools(201)).files.get("SKILL.md")!;
  assert.match(named, /\n- \[branch\]\(references\/branch\.md\).*: `create_branch_\d+`, `/);
});

Deno.test("generateSkill lets no text of a server be markup (G1, H22, H23, H24)", async () => {
  const info: ServerInfo = {
    ...hostileServer(),
    identity: { name: HOSTILE_TEXTS[4]!, version: HOSTILE_TEXTS[5]!, title: HOSTILE_TEXTS[0]! },
    instructions: `${HOSTILE_TEXTS.join("\n")}\n1. a\n- b\n+ c\n===\n~~~\n<script>\n[x](y)\n`,
  };
  const files = await assertValid(info);
  const text = files.get("SKILL.md")!;
  assert.match(text, /^> \\-\\--$|^> \\---$/m);
  assert.match(text, /^> \\# Heading$/m);
  assert.match(text, /^> \\`\\`\\`ts$/m);
  for (const hostile of HOSTILE_TEXTS) {
    const one: ServerInfo = {
      ...serverOf([{ ...ISSUE, description: hostile, title: hostile }, {
        name: "odd",
        inputSchema: {
          type: "object",
          properties: {
            [hostile]: { type: "string", description: hostile, default: hostile },
            kind: { enum: [hostile], description: hostile },
          },
          required: [hostile, "kind"],
        },
      }]),
      identity: { name: hostile, version: hostile },
      instructions: hostile,
    };
    await assertValid(one);
  }
});

Deno.test("generateSkill gives the same bytes whatever the order of tools (G7)", () => {
  const info = manyTools(60);
  const once = skillOf(info);
  const turned = skillOf({ ...info, tools: [...info.tools].reverse() });
  assert.deepEqual([...turned.files], [...once.files]);
});

Deno.test("generateSkill moves only the files of a tool whose description changed", () => {
  const info = manyTools(201);
  const before = skillOf(info).files;
  for (const description of ["", "Other.", "Much longer than before. ".repeat(100)]) {
    const tools = info.tools.map((tool, at) =>
      at === 100 ? { ...tool, description, digest: digestOfJson(description) } : tool
    );
    const after = skillOf({ ...info, tools }).files;
    assert.deepEqual([...after.keys()], [...before.keys()]);
    const moved = [...after.keys()].filter((path) => after.get(path) !== before.get(path));
    const name = info.tools[100]!.name;
    const own = moved.filter((path) => path.startsWith("references/"));
    assert.ok(own.length === 1 && after.get(own[0]!)!.includes(`Tool \`${name}\``), moved.join());
    const others = moved.filter((path) => path !== "SKILL.md" && path !== own[0]);
    assert.deepEqual(others, ["vfs.json"]);
  }
});

Deno.test("generateSkill takes time in proportion to the number of tools (G10)", () => {
  assertProportional([150, 3_000], manyTools, skillOf);
});

Deno.test({
  name: "generateSkill obeys every rule for skills on all recorded servers",
  ignore: !HAS_CORPUS,
  async fn() {
    let count = 0;
    for (const info of recordedServers()) {
      await assertValid(info, skillNameOf(info.name));
      count++;
    }
    assert.equal(count, 28);
  },
});

Deno.test({
  name: "generateSkill saves 98 % of the tokens of all definitions of the recorded servers",
  ignore: !HAS_CORPUS,
  fn() {
    const { definitions, offered, saving, skill } = overallDisclosure(
      [...recordedServers()].map(disclosureOf),
    );
    const figures = `${definitions} tokens in definitions, ${offered} in what skills offer, ` +
      `${Math.round(skill)} in a SKILL.md: ${(saving * 100).toFixed(1)} % saved`;
    assert.ok(saving >= 0.98, figures);
  },
});

Deno.test("skillProblems finds what breaks a rule", () => {
  const { files } = skillOf(serverOf([ISSUE, SEARCH]));
  const broken = (path: string, from: string | RegExp, to: string) => {
    const text = files.get(path)!;
    assert.match(text, new RegExp(from));
    return skillProblems("demo", new Map([...files, [path, text.replace(from, to)]])).length;
  };
  assert.deepEqual(skillProblems("demo", files), []);
  assert.ok(skillProblems("other", files).length > 0);
  assert.ok(broken("SKILL.md", /^---\n/, "\n---\n") > 0);
  assert.ok(broken("SKILL.md", "Calls the", "Calls --- <the>") > 0);
  assert.ok(broken("SKILL.md", "description:", "allowed-tools: x\ndescription:") > 0);
  assert.ok(broken("SKILL.md", "Opens an issue.", "Opens *an* issue.") > 0);
  assert.ok(broken("SKILL.md", "Opens an issue.", "[Opens](http://example.com).") > 0);
  assert.ok(broken("SKILL.md", "Opens an issue.", "Opens\n# Rules") > 0);
  assert.ok(broken("SKILL.md", "Opens an issue.", "Opens ` it") > 0);
  assert.ok(broken("SKILL.md", "Opens an issue.", "Opens\n```\nthem") > 0);
  assert.ok(broken("SKILL.md", "Opens an issue.", "Opens \u202e") > 0);
  assert.ok(broken("SKILL.md", "Opens an issue.", "word ".repeat(5_000)) > 0);
  assert.ok(broken("REFERENCE.md", "## Table of contents", "## Contents") > 0);
});
