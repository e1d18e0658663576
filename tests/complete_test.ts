import assert from "node:assert/strict";
import { createCatalog } from "../src/catalog.ts";
import { openDatabase } from "../src/database.ts";
import { digestOf, digestOfJson } from "../src/hash.ts";
import { createJournal } from "../src/journal.ts";
import { DEFAULT_RUN_LIMITS } from "../src/limits.ts";
import { type ServerName, type ToolName, toSessionId } from "../src/names.ts";
import type { StdioSpec } from "../src/server.ts";
import { hasShell, type Place, typeInto } from "./live_shell.ts";
import { freshPlace, PROGRAM } from "./specs/run.ts";

/** Runs `work` in a place where `mcp-exec` is this program, which answers and otherwise records. */
async function withPlace(work: (place: Place) => Promise<void>): Promise<void> {
  const { folder, env } = await freshPlace();
  const bin = `${folder}/bin`;
  try {
    await Deno.mkdir(bin);
    // Anything but a question of the shell is only written down, a word in each pair of brackets.
    const program = [Deno.execPath(), ...PROGRAM].map((word) => `'${word}'`).join(" ");
    const script = `#!/bin/bash
case "$1" in
  __complete|completions) exec ${program} "$@" ;;
  *) printf '[%s]' "$@" >> "${folder}/ran"; echo >> "${folder}/ran" ;;
esac
`;
    await Deno.writeTextFile(`${bin}/mcp-exec`, script, { mode: 0o755 });
    await Deno.mkdir(env["HOME"]!, { recursive: true });
    await Deno.writeTextFile(`${folder}/plan.ts`, "");
    await Deno.writeTextFile(
      `${folder}/.mcp.json`,
      JSON.stringify({
        mcpServers: { alpha: { command: "touch", args: ["started"] }, altar: { command: "false" } },
      }),
    );
    fillIndex(`${env["XDG_DATA_HOME"]}/mcp-exec/mcp-exec.db`);
    await work({ folder, env: { ...env, PATH: `${bin}:${env["PATH"]}`, TERM: "dumb" } });
    await assert.rejects(Deno.stat(`${folder}/started`), "a server was started");
  } finally {
    await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
  }
}

const HOSTILE_NAMES = ["$(touch x)", "`id`", "a b", "a;b", "a\u00a0b", "~root", "-rf", "#x", "'q"];

function fillIndex(path: string): void {
  const spec = (command: string, args: string[]): StdioSpec => ({
    name: (command === "touch" ? "alpha" : "altar") as ServerName,
    origin: "project",
    transport: "stdio",
    command,
    args,
    env: {},
  });
  const tools = ["read_page", "write_page", "write_pages", ...HOSTILE_NAMES].map((name) => ({
    name: name as ToolName,
    description: `Does ${name}\tand\u001b[31m more. And then some.`,
    inputSchema: {
      type: "object",
      properties: {
        title: { type: "string" },
        labels: { type: "array" },
        order: { enum: ["asc", "desc", "$(touch x)", 2, null] },
        draft: { type: "boolean" },
        "$(x)": {},
      },
    },
    digest: digestOfJson(name),
  }));
  const database = openDatabase(path, { warn: (message) => assert.fail(message) });
  createCatalog(database, { now: () => 1 }).save(spec("touch", ["started"]), {
    name: "alpha" as ServerName,
    identity: { name: "alpha", version: "1" },
    protocolVersion: "2025-11-25",
    capabilities: {},
    tools,
    warnings: [],
  });
  database.close();
}

async function run(
  { folder, env }: Place,
  [command, ...args]: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command!, {
    args,
    cwd: folder,
    clearEnv: true,
    env,
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/** The values offered after `words`, the last of which is unfinished. */
async function offered(place: Place, ...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await run(place, ["mcp-exec", "__complete", "zsh", ...words]);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  return stdout.split("\n").slice(0, -1).map((line) => line.split("\t")[0]!);
}

Deno.test("__complete offers commands, their flags, and the values of flags", async () => {
  await withPlace(async (place) => {
    assert.deepEqual(await offered(place, "gen"), ["generate"]);
    assert.deepEqual(await offered(place, "--quiet", "help", "gen"), ["generate"]);
    assert.deepEqual(await offered(place, "--form"), ["--format"]);
    assert.deepEqual(await offered(place, "generate", "--dry"), ["--dry-run"]);
    assert.deepEqual(await offered(place, "generate", "--dry-run", "--dry"), []);
    assert.deepEqual(await offered(place, "generate", "--feature", ""), ["skills", "wasm"]);
    assert.deepEqual(await offered(place, "generate", "--feature=w"), ["--feature=wasm"]);
    assert.deepEqual(await offered(place, "introspect", "--format", "j"), ["json"]);
    assert.deepEqual(await offered(place, "skill", "ver"), ["verify"]);
    assert.deepEqual(await offered(place, "completions", "f"), ["fish"]);
    assert.deepEqual(await offered(place, "serve", "--install", "cu"), ["cursor"]);
  });
});

Deno.test("__complete offers servers, tools of one and their parameters, without a connection", async () => {
  await withPlace(async (place) => {
    assert.deepEqual(await offered(place, "introspect", ""), ["alpha", "altar", "demo"]);
    assert.deepEqual(await offered(place, "generate", "alpha", "al"), ["altar"]);
    assert.deepEqual(await offered(place, "execute", "--server", "alp"), ["alpha"]);
    assert.deepEqual(await offered(place, "introspect", "alpha", "--tool", "re"), ["read_page"]);
    assert.deepEqual(await offered(place, "call", "alpha", "write"), ["write_page", "write_pages"]);
    assert.deepEqual(await offered(place, "call", "alpha", "read_page", ""), [
      "title=",
      "labels:=",
      "order=",
      "draft=",
    ]);
    assert.deepEqual(
      await offered(place, "call", "alpha", "read_page", "title=x", ""),
      ["labels:=", "order=", "draft="],
    );
    const values = async (typed: string) =>
      await offered(place, "call", "alpha", "read_page", typed);
    assert.deepEqual(await values("order="), ["order=asc", "order=desc", "order=2"]);
    assert.deepEqual(await values("order=d"), ["order=desc"]);
    assert.deepEqual(await values("draft="), ["draft=true", "draft=false"]);
    assert.deepEqual(await values("title="), ["title="]);
    assert.deepEqual(await offered(place, "call", "altar", ""), []);
    assert.deepEqual(await offered(place, "execute", ""), [":files"]);
  });
});

Deno.test("__complete offers sessions and runs from the journal", async () => {
  await withPlace(async (place) => {
    const database = openDatabase(`${place.env["XDG_DATA_HOME"]}/mcp-exec/mcp-exec.db`, {
      warn: (message) => assert.fail(message),
    });
    const journal = createJournal(database, { warn: assert.fail, now: () => 1 });
    const id = journal.startRun({
      command: "execute",
      code: "",
      codeDigest: digestOf(""),
      session: toSessionId("nightly"),
      servers: [],
      limits: DEFAULT_RUN_LIMITS,
    });
    database.close();
    assert.deepEqual(await offered(place, "execute", "--session", ""), ["nightly"]);
    assert.deepEqual(await offered(place, "stats", "runs", ""), ["last", id]);
    assert.deepEqual(await offered(place, "stats", "t"), ["tokens"]);
    assert.deepEqual(await offered(place, "debug", "d"), ["doctor"]);
  });
});

Deno.test("__complete offers skills of the project, and those that were written elsewhere", async () => {
  await withPlace(async (place) => {
    const generate = (...args: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args: [...PROGRAM, "generate", "demo", ...args],
        cwd: place.folder,
        env: place.env,
        clearEnv: true,
        stdout: "null",
        stderr: "null",
      }).output();
    await generate();
    await generate("--output", `${place.folder}/out/tracker`);
    assert.deepEqual(await offered(place, "skill", "info", ""), ["demo", "tracker"]);
  });
});

Deno.test("__complete offers settings and their values, and the handles there are", async () => {
  await withPlace(async (place) => {
    assert.deepEqual(await offered(place, "config", "get", "policy.d"), ["policy.default"]);
    assert.deepEqual(await offered(place, "config", "set", "policy.default", "d"), ["deny"]);
    assert.deepEqual(await offered(place, "config", "set", "journal.required", "t"), ["true"]);
    assert.deepEqual(await offered(place, "config", "set", "limits.timeout", ""), []);
    assert.deepEqual(await offered(place, "result", ""), []);
    const code = "return await callTool('demo', 'list_users')";
    const ran = await new Deno.Command(Deno.execPath(), {
      args: [...PROGRAM, "execute", "-e", code, "--preview", "1", "--format", "json"],
      cwd: place.folder,
      env: place.env,
      clearEnv: true,
    }).output();
    const { handle } = JSON.parse(new TextDecoder().decode(ran.stdout));
    assert.deepEqual(await offered(place, "result", "h"), [handle]);
  });
});

Deno.test("__complete offers no name that a shell would obey, and cleans what servers say", async () => {
  await withPlace(async (place) => {
    const { stdout } = await run(place, ["mcp-exec", "__complete", "fish", "call", "alpha", ""]);
    assert.deepEqual(stdout.split("\n").map((line) => line.split("\t")[0]), [
      "read_page",
      "write_page",
      "write_pages",
      "",
    ]);
    assert.equal(stdout.split("\n")[0], "read_page\tDoes read_page and\\u{1b}[31m more.");
  });
});

Deno.test("__complete says nothing and succeeds whatever it is asked", async () => {
  await withPlace(async (place) => {
    await Deno.writeTextFile(`${place.folder}/broken.json`, "{");
    for (
      const words of [
        ["--config", "broken.json", "introspect", ""],
        ["nonsense", ""],
        ["__proto__", ""],
        ["skill", "constructor", ""],
        ["execute", "--code", ""],
        ["call", "nobody", ""],
      ]
    ) assert.deepEqual(await offered(place, ...words), [], words.join(" "));
    for (const args of [[], ["zsh"], ["bash"], ["bash", "mcp-exec 'gen"], ["tcsh", "x", ""]]) {
      const { code, stderr } = await run(place, ["mcp-exec", "__complete", ...args]);
      assert.equal(code + stderr, "0");
    }
  });
});

Deno.test("__complete takes a whole line for bash and PowerShell", async () => {
  await withPlace(async (place) => {
    const ask = async (...words: string[]) =>
      (await run(place, ["mcp-exec", "__complete", ...words])).stdout;
    assert.equal(await ask("bash", "mcp-exec gen", "=:"), "generate\n");
    assert.equal(await ask("bash", "mcp-exec --format=j", "=:"), "json\n");
    assert.equal(await ask("bash", "mcp-exec --format=j", " "), "--format=json\n");
    assert.equal(await ask("bash", "mcp-exec execute ", "=:"), ":files\n");
    assert.equal(await ask("bash", "mcp-exec call alpha read_page order=d", "=:"), "desc\n");
    assert.match(await ask("powershell", "mcp-exec call alpha "), /^read_page\tDoes read_page/);
    assert.match(await ask("powershell", "mcp-exec 'call' \"al"), /^alpha\t/);
  });
});

const TYPED = [
  "mcp-exec intros\tdem\t--to\tx",
  "mcp-exec generate --feature w\tal\tph\t",
  "mcp-exec --format=j\tdemo",
  "mcp-exec call alpha re\tti\tHello",
  "mcp-exec call alpha re\tord\td\t",
  "mcp-exec execute pl\t",
];

const RAN = [
  "[introspect][demo][--tool][x]",
  "[generate][--feature][wasm][alpha]",
  "[--format=json][demo]",
  "[call][alpha][read_page][title=Hello]",
  "[call][alpha][read_page][order=desc]",
  "[execute][plan.ts]",
];

Deno.test("completions offer files beside skills in bash", async () => {
  await withPlace(async (place) => {
    const skill = `${place.folder}/.claude/skills/plan-week`;
    await Deno.mkdir(skill, { recursive: true });
    await Deno.writeTextFile(`${skill}/SKILL.md`, "---\nname: plan-week\ndescription: A\n---\n");
    const ask = async (word: string) => {
      const script = `eval "$(mcp-exec completions bash)"; COMP_LINE='mcp-exec execute ${word}'; ` +
        `COMP_POINT=\${#COMP_LINE}; COMP_WORDS=(mcp-exec execute '${word}'); COMP_CWORD=2; ` +
        `_mcp_exec; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = await run(place, ["bash", "--norc", "--noprofile", "-c", script]);
      return stdout.trimEnd().split("\n");
    };
    assert.deepEqual(await ask("pl"), ["plan-week", "plan.ts"]);
    // Bash offers files itself where there is nothing else.
    assert.deepEqual(await ask("plan."), [""]);
  });
});

Deno.test("completions work in a live bash", async () => {
  await withPlace(async (place) => {
    const setup = `PS1='$ '; eval "$(mcp-exec completions bash)"`;
    const shell = "bash --norc --noprofile -i";
    assert.deepEqual(await typeInto(place, { shell, setup, lines: TYPED }), RAN);
  });
});

Deno.test({
  name: "completions work in a live zsh",
  ignore: !await hasShell("zsh"),
  fn: () =>
    withPlace(async (place) => {
      const setup = `PS1='$ '; unsetopt PROMPT_SP; autoload -Uz compinit; compinit -u -D; ` +
        `eval "$(mcp-exec completions zsh)"`;
      assert.deepEqual(await typeInto(place, { shell: "zsh -f -i", setup, lines: TYPED }), RAN);
    }),
});

Deno.test({
  name: "completions work in a live fish",
  ignore: !await hasShell("fish"),
  fn: () =>
    withPlace(async (place) => {
      // Fish's own way to ask what Tab would offer.
      const ask = async (line: string) => {
        const script = `mcp-exec completions fish | source; complete -C '${line}'`;
        const { stdout, stderr } = await run(place, ["fish", "--no-config", "-c", script]);
        assert.equal(stderr, "");
        return stdout.trimEnd().split("\n").map((item) => item.split("\t")[0]);
      };
      assert.deepEqual(await ask("mcp-exec intros"), ["introspect"]);
      assert.deepEqual(await ask("mcp-exec introspect "), ["alpha", "altar", "demo"]);
      assert.deepEqual(await ask("mcp-exec --format=j"), ["--format=json"]);
      assert.deepEqual(await ask("mcp-exec call alpha re"), ["read_page"]);
      assert.deepEqual(await ask("mcp-exec call alpha read_page ti"), ["title="]);
      assert.deepEqual(await ask("mcp-exec call alpha read_page order=d"), ["order=desc"]);
      assert.deepEqual(await ask("mcp-exec execute pl"), ["plan.ts"]);
    }),
});
