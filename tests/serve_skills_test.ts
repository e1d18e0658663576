import assert from "node:assert/strict";
import { type JSONRPCMessage, McpServer, type Transport } from "@modelcontextprotocol/server";
import { digestOf } from "../src/hash.ts";
import { createSkillAttachment } from "../src/serve_skills.ts";
import type { Skill, SkillStore } from "../src/skills.ts";

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
