// What `generate` writes and what an agent does with it, through the program as a process.

import assert from "node:assert/strict";
import { estimateTokens } from "../src/stats.ts";
import { HAS_CORPUS, ISSUE, type RawTool, recordedServers, SEARCH } from "./server_fixtures.ts";
import { skillProblems } from "./skill_check.ts";
import { freshPlace, PROGRAM, ROOT } from "./specs/run.ts";

/** A folder with a server `tracker` configured, and the program to run in it. */
interface Place {
  readonly folder: string;
  list(tools: readonly RawTool[], version?: string): Promise<void>;
  starts(): Promise<number>;
  run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Runs a shell script in which `mcp-exec` is the program. */
  shell(script: string): Promise<{ code: number; stdout: string; stderr: string }>;
}

async function inPlace(tools: readonly RawTool[], work: (place: Place) => Promise<void>) {
  const { folder, env } = await freshPlace();
  const [listing, starts] = [`${folder}/../listing.json`, `${folder}/../starts`];
  const execute = async (command: string, args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args,
      cwd: folder,
      clearEnv: true,
      env: { ...env, NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: decode(stdout), stderr: decode(stderr) };
  };
  const place: Place = {
    folder,
    list: (tools, version = "1.0.0") =>
      Deno.writeTextFile(listing, JSON.stringify({ version, tools })),
    async starts() {
      return (await Deno.readTextFile(starts).catch(() => "")).split("\n").length - 1;
    },
    run: (...args) => execute(Deno.execPath(), [...PROGRAM, ...args]),
    async shell(script) {
      const bin = `${folder}/../bin`;
      await Deno.mkdir(bin, { recursive: true });
      const words = [Deno.execPath(), ...PROGRAM].map((word) => `'${word}'`).join(" ");
      await Deno.writeTextFile(`${bin}/mcp-exec`, `#!/bin/sh\nexec ${words} "$@"\n`, {
        mode: 0o755,
      });
      return await execute("/bin/sh", ["-c", `PATH='${bin}':$PATH\n${script}`]);
    },
  };
  try {
    await Deno.mkdir(`${folder}/../config/mcp-exec`, { recursive: true });
    const args = ["run", "-A", `${ROOT}/tests/servers/listing.ts`, listing, starts];
    await Deno.writeTextFile(
      `${folder}/../config/mcp-exec/config.json`,
      JSON.stringify({ mcpServers: { tracker: { command: Deno.execPath(), args } } }),
    );
    await place.list(tools);
    await work(place);
  } finally {
    await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
  }
}

async function readSkill(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isFile) files.set(entry.name, await Deno.readTextFile(path));
    else {
      for (const [name, text] of await readSkill(path)) files.set(`${entry.name}/${name}`, text);
    }
  }
  return files;
}

function manyTools(): RawTool[] {
  const recorded = [...recordedServers()].find(({ tools }) => tools.length === 201);
  if (HAS_CORPUS) return recorded!.tools.map(({ digest: _, ...tool }) => tool);
  return Array.from({ length: 201 }, (_, n) => ({
    ...ISSUE,
    name: ["create", "list", "get"][n % 3]! + ["_note", "_issue", "_merge_request"][n % 7 % 3]! + n,
  }));
}

Deno.test("mcp-exec finds one tool of 201 and reads its signature in 600 tokens, with no server started", async () => {
  const tools = manyTools();
  await inPlace(tools, async ({ run, starts }) => {
    assert.equal((await run("introspect", "tracker", "--format", "json")).code, 0);
    assert.equal(await starts(), 1);
    for (const { name } of [tools[10]!, tools[100]!, tools[190]!]) {
      const found = await run("search", name.replaceAll("_", " "), "--server", "tracker");
      assert.equal(found.code, 0, found.stderr);
      const line = found.stdout.split("\n").find((line) => line.split(":")[0] === name);
      assert.ok(line, `${name} is not in\n${found.stdout}`);
      const read = await run("search", name, "--detail", "signature", "--limit", "1");
      assert.match(read.stdout, /^\w+\(params\??: .*\): Promise<.*>\n/);
      assert.ok(read.stdout.includes(name));
      const tokens = estimateTokens(found.stdout + found.stderr + read.stdout + read.stderr);
      assert.ok(tokens <= 600, `${tokens} tokens`);
    }
    const [{ name } = SEARCH] = tools;
    const whole = await run("introspect", "tracker", "--tool", name);
    assert.match(whole.stdout, /^export async function /m);
    assert.match(whole.stderr, /^From the index of "tracker", saved moments ago/);
    const full = await run("search", name, "--detail", "full", "--limit", "1", "--format", "json");
    assert.match(JSON.parse(full.stdout).tools[0].module, /\nexport async function /);
    assert.equal(await starts(), 1);
  });
});

Deno.test("mcp-exec runs every command that SKILL.md teaches, as it is written there", async () => {
  await inPlace([ISSUE, SEARCH], async ({ folder, run, shell, starts }) => {
    const written = await run("generate", "tracker");
    assert.equal(written.code, 0, written.stderr);
    const files = await readSkill(`${folder}/.claude/skills/tracker`);
    assert.deepEqual(skillProblems("tracker", files), []);
    const text = files.get("SKILL.md")!;
    const before = await starts();
    const [search, introspect] = [/`(mcp-exec search [^`]*)`/, /`(mcp-exec introspect [^`]*)`/]
      .map((pattern) => pattern.exec(text)![1]!);
    const found = await shell(search!.replace('"words"', '"open issue"'));
    assert.equal(found.stdout, "create_issue: Opens an issue.\n");
    const signature = await shell(introspect!);
    assert.match(signature.stdout, /export async function search\(params\?: SearchParams\)/);
    assert.equal(await starts(), before);
    const program = /```sh\n(.*?)```/s.exec(text)![1]!;
    const ran = await shell(program);
    assert.deepEqual([ran.code, ran.stdout], [0, '{"tool":"search","params":{}}\n'], ran.stderr);
    // What is taught in passing is there too, with its flags.
    for (const [, command, rest] of text.matchAll(/mcp-exec ([a-z]+)([^`\n]*)/g)) {
      const { code, stdout } = await run(command!, "--help");
      assert.equal(code, 0, command);
      for (const [flag] of rest!.matchAll(/--[a-z-]+/g)) assert.ok(stdout.includes(flag), flag);
    }
    // The example of the reference, put where the program has its call.
    const example = /\/\/ Example\nawait (createIssue\(.*\));/.exec(
      files.get("REFERENCE.md")!,
    )![1]!;
    const other = program.replace("{ search }", "{ createIssue }").replace("search()", example);
    assert.deepEqual(JSON.parse((await shell(other)).stdout), {
      tool: "create_issue",
      params: { owner: "...", title: "..." },
    });
  });
});

Deno.test("mcp-exec generate writes nothing when nothing changed, and --check says what did", async () => {
  await inPlace([ISSUE, SEARCH], async ({ folder, list, run }) => {
    const skill = `${folder}/.claude/skills/tracker`;
    await run("generate", "tracker");
    const stamps = async () => {
      const times = [];
      for (const path of ["", "/SKILL.md", "/vfs.json"]) {
        const { ino, mtime } = await Deno.stat(skill + path);
        times.push([ino, mtime?.getTime()]);
      }
      return times;
    };
    const before = await stamps();
    assert.match((await run("generate", "tracker")).stdout, /, unchanged: /);
    const upToDate = await run("generate", "tracker", "--check");
    assert.deepEqual([upToDate.code, upToDate.stdout], [
      0,
      "up to date: ./.claude/skills/tracker\n",
    ]);
    assert.deepEqual(await stamps(), before);

    const issue = { ...ISSUE, inputSchema: { ...ISSUE.inputSchema, required: ["body", "title"] } };
    await list([issue, { ...SEARCH, name: "find" }], "1.1.0");
    const stale = await run("generate", "tracker", "--check");
    assert.equal(stale.code, 1);
    assert.equal(
      stale.stderr,
      `error: "./.claude/skills/tracker" is not up to date
  server version was 1.0.0, is now 1.1.0
  ~ create_issue: parameter "body" is now required
  ~ create_issue: parameter "owner" is now optional
  + find: find(params?: { words?: string }): Promise<unknown>
  - search
  hint: run it without --check to write it
`,
    );
    const json = JSON.parse(
      (await run("generate", "tracker", "--check", "--format", "json")).stdout,
    );
    assert.equal(json.error.kind, "stale");
    const dry = await run("generate", "tracker", "--dry-run");
    assert.match(dry.stdout, /, not written: [^]*\n {2}~ SKILL\.md\n/);
    assert.match(dry.stdout, /\n {2}~ module\.js\n {2}~ vfs\.json\n/);
    assert.deepEqual(await stamps(), before);

    assert.match((await run("generate", "tracker")).stdout, /, written: /);
    assert.equal((await run("generate", "tracker", "--check")).code, 0);
    await Deno.writeTextFile(`${skill}/SKILL.md`, "changed by hand");
    const edited = await run("generate", "tracker", "--check");
    assert.match(edited.stderr, /is not up to date\n {2}~ SKILL\.md\n {2}hint/);
  });
});

Deno.test("mcp-exec generate replaces a skill that something was added to only with --force (V9)", async () => {
  await inPlace([ISSUE], async ({ folder, list, run }) => {
    const skill = `${folder}/.claude/skills/tracker`;
    for (const added of ["notes.md", "mine.ts", "references/mine.md"]) {
      await list([ISSUE]);
      await run("generate", "tracker", "--force");
      await Deno.mkdir(`${skill}/references`, { recursive: true });
      await Deno.writeTextFile(`${skill}/${added}`, "Mine");
      await list([ISSUE, SEARCH]);
      const refused = await run("generate", "tracker");
      assert.equal(refused.code, 2, added);
      assert.match(refused.stderr, /is not as it was written[^]*skill verify tracker[^]*--force/);
      assert.equal(await Deno.readTextFile(`${skill}/${added}`), "Mine");
    }
    assert.equal((await run("generate", "tracker", "--force")).code, 0);
    // Another server's skill under the same name is not an older form of this one.
    await run("generate", "demo", "--name", "tracker", "--force");
    const refused = await run("generate", "tracker");
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /^error: Skill "tracker" at this place is of the server "demo"\n[^]*--name/,
    );
  });
});

Deno.test("mcp-exec generate puts skills where they were asked for, under the name given", async () => {
  await inPlace([ISSUE], async ({ folder, run }) => {
    const user = await run("generate", "tracker", "--scope", "user", "--name", "my-tracker");
    assert.match(user.stdout, /, written: ~\/\.claude\/skills\/my-tracker\n/);
    const files = await readSkill(`${folder}/../home/.claude/skills/my-tracker`);
    assert.deepEqual(skillProblems("my-tracker", files), []);
    const chosen = await run(
      "generate",
      "tracker",
      "--output",
      "out/issues",
      "--description",
      "Opens.",
    );
    assert.equal(chosen.code, 0, chosen.stderr);
    const text = await Deno.readTextFile(`${folder}/out/issues/SKILL.md`);
    assert.match(text, /^---\nname: "issues"\ndescription: "Opens\."\n---\n\n# issues\n/);
    const both = await run("generate", "tracker", "demo", "--output", "all");
    assert.equal(both.code, 0, both.stderr);
    for (const name of ["tracker", "demo"]) {
      assert.deepEqual(skillProblems(name, await readSkill(`${folder}/all/${name}`)), []);
    }
  });
});

Deno.test("mcp-exec generate --types replaces its own file however large, and no other without force (V9)", async () => {
  await inPlace([ISSUE], async ({ folder, run }) => {
    const generate = () => run("generate", "tracker", "--types", "all.d.ts");
    assert.equal((await generate()).code, 0);
    const own = await Deno.readTextFile(`${folder}/all.d.ts`);
    await Deno.writeTextFile(`${folder}/all.d.ts`, own + " ".repeat(5_000_000));
    const again = await generate();
    assert.equal(again.code, 0, again.stderr);
    assert.equal(await Deno.readTextFile(`${folder}/all.d.ts`), own);
    await Deno.writeTextFile(`${folder}/all.d.ts`, "// mine");
    assert.match((await generate()).stderr, /^error: File "all\.d\.ts" was not made by this/);
    const below = await run("generate", "tracker", "--output", "all.d.ts/tracker");
    assert.match(below.stderr, /^error: "all\.d\.ts" is a file, not a folder/);
    assert.equal(await Deno.readTextFile(`${folder}/all.d.ts`), "// mine");
  });
});

Deno.test("mcp-exec generate teaches how an ad hoc server is reached unless that needs a secret", async () => {
  await inPlace([ISSUE], async ({ folder, run, shell }) => {
    const args = `run -A ${ROOT}/tests/servers/listing.ts ../listing.json ../starts`;
    const stdio = `local=${Deno.execPath()} ${args}`;
    assert.equal((await run("generate", "--stdio", stdio)).stderr, "");
    const text = await Deno.readTextFile(`${folder}/.claude/skills/local/SKILL.md`);
    const ran = await shell(/```sh\n(.*?)```/s.exec(text)![1]!);
    assert.match(ran.stdout, /^\{"tool":"create_issue"/, ran.stderr);
    const found = await shell(
      /`(mcp-exec search [^`]*)`/.exec(text)![1]!.replace("words", "issue"),
    );
    assert.match(found.stdout, /^create_issue: /);
    const secret = await run("generate", "--stdio", stdio, "--env", "TOKEN=hush-hush");
    assert.match(secret.stderr, /^warning: Skill "local" works only where a server "local" is/);
    const files = await readSkill(`${folder}/.claude/skills/local`);
    assert.doesNotMatch([...files.values()].join(""), /hush-hush|--stdio/);
  });
});
