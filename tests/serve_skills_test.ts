import assert from "node:assert/strict";
import { type JSONRPCMessage, McpServer, type Transport } from "@modelcontextprotocol/server";
import { digestOf } from "../src/hash.ts";
import { createSkillAttachment } from "../src/serve_skills.ts";
import type { SkillName } from "../src/names.ts";
import { draftProgram } from "../src/skill_saving.ts";
import type { Skill, SkillStore } from "../src/skills.ts";
import { DEMO, fixtureSpec, type ServeSetup, withServing } from "./serve_fixture.ts";

/** A store of accepted programs, each with the front matter given. */
function storeOf(skills: Readonly<Record<string, string>>): SkillStore {
  const listed = Object.keys(skills).map((name) => ({ name, kind: "program" }));
  const load = (name: string) => {
    const text = `---\nname: ${name}\n${skills[name]}\n---\n`;
    const files = new Map([["SKILL.md", text]]);
    return Promise.resolve({ name, root: digestOf(text), files } as unknown as Skill);
  };
  return { list: () => Promise.resolve({ skills: listed }), load } as unknown as SkillStore;
}

/** What a server answers to `method`. */
async function ask(server: McpServer, method: string) {
  const answers = new Map<unknown, PromiseWithResolvers<JSONRPCMessage>>();
  const transport: Transport = {
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
    send(message) {
      if ("id" in message) answers.get(message.id)?.resolve(message);
      return Promise.resolve();
    },
  };
  await server.connect(transport);
  const send = async (id: number, method: string, params: Record<string, unknown>) => {
    const answer = Promise.withResolvers<JSONRPCMessage>();
    answers.set(id, answer);
    transport.onmessage!({ jsonrpc: "2.0", id, method, params });
    return await answer.promise;
  };
  await send(1, "initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  });
  // deno-lint-ignore no-explicit-any -- tests look into it as they please
  return await send(2, method, {}) as any;
}

Deno.test("createSkillAttachment lists the other skills beside one that the protocol cannot take", async () => {
  const told: string[] = [];
  const store = storeOf({
    "well-formed": "description: Adds up.",
    "ill-formed": "description: Adds up.\nmetadata:\n  version: 1",
  });
  const attach = await createSkillAttachment(() => store, { debug: (text) => told.push(text) });
  const server = new McpServer({ name: "test", version: "1" });
  attach(server);
  const { result, error } = await ask(server, "skills/list");
  assert.equal(error, undefined, JSON.stringify(error));
  assert.deepEqual(
    result.skills.map(({ uri }: { uri: string }) => uri),
    ["skill://well-formed/SKILL.md"],
  );
  assert.match(told.join("\n"), /^Skill "ill-formed" is not served: .*metadata/m);
  await server.close();
});

Deno.test("run_skill calls the built-in server for a skill that was kept with it, and no program does", async () => {
  const source = `import { listUsers } from "mcp:demo";
    export default typeof await listUsers() === "object";`;
  const serve = async (setup: ServeSetup) => {
    let given: readonly [skill: unknown, program: string] = [undefined, ""];
    await withServing(async ({ serving: { session, skills }, folder, connect }) => {
      const file = `${folder}/program.ts`;
      await Deno.writeTextFile(file, source);
      const draft = await draftProgram(
        { session, store: skills, home: undefined, warn: (message) => assert.fail(message) },
        { name: "has-users" as SkillName, file, limits: {} },
      );
      await skills.save(draft, { folder: `${folder}/.claude/skills/has-users` });
      const { call } = await connect("stdio");
      const [skill, program, listed] = [
        await call("run_skill", { name: "has-users" }),
        await call("execute_code", { code: source }),
        await call("read_tool_files", { paths: ["demo/"] }),
      ];
      assert.equal(program.isError, listed.isError);
      given = [skill.data?.value ?? skill.text, program.text];
    }, setup);
    return given;
  };
  const refused = /"demo" is not among those this run may call/;
  const specs = [DEMO, fixtureSpec("honest")];
  const [skill, program] = await serve({ specs });
  assert.equal(skill, true);
  assert.match(program, refused);
  const [narrowed] = await serve({ specs, only: [specs[1]!.name] });
  assert.match(String(narrowed), refused);
  assert.equal((await serve({}))[0], true);
});
