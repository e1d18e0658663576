import { deepStrictEqual as equal, match } from "node:assert/strict";
import { makePlace } from "./program.ts";

const EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31";
const MEMORY = "@modelcontextprotocol/server-memory@2026.8.31";

Deno.test("a program that imports skills of real servers is kept, run by name, and refused when a tool is gone", async () => {
  await using place = await makePlace();
  await Deno.mkdir(`${place.folder}/config/mcp-exec`, { recursive: true });
  const memory = {
    command: "npx",
    args: ["-y", MEMORY],
    env: { MEMORY_FILE_PATH: `${place.folder}/memory.json` },
    // The first start of a package downloads it.
    timeout: "3m",
  };
  const everything = { command: "npx", args: ["-y", EVERYTHING, "stdio"], timeout: "3m" };
  const configure = (mcpServers: unknown) =>
    place.write("config/mcp-exec/config.json", JSON.stringify({ mcpServers }));
  const run = async (...args: string[]) => {
    const ended = await place.run(...args);
    equal(ended.code, 0, `${args.join(" ")}\n${ended.error}`);
    return ended.out;
  };
  await configure({ notes: memory, everything });
  await run("generate", "notes", "everything");
  equal((await run("skill", "list")).split("\n").map((line) => line.split(" ")[0]).slice(0, 2), [
    "everything",
    "notes",
  ]);
  match(await run("skill", "info", "notes"), /^server: notes \(memory-server /m);
  await place.write(
    "note.ts",
    `import { createEntities, readGraph } from "/mcp-tools/skills/notes/index.ts";
import { echo } from "/mcp-tools/skills/everything/index.ts";
export default async ({ name }: { name: string }) => {
  await createEntities({ entities: [{ name, entityType: "note", observations: [] }] });
  const { entities } = await readGraph({}) as { entities: { name: string }[] };
  return { names: entities.map((entity) => entity.name), echo: await echo({ message: name }) };
};
`,
  );
  equal(JSON.parse(await run("execute", "note.ts", "--args", '{"name":"one"}')), {
    names: ["one"],
    echo: "Echo: one",
  });
  await run("skill", "save", "add-note", "--run", "last", "--args", '{"name":"one"}');
  equal(JSON.parse(await run("execute", "add-note", "--args", '{"name":"two"}')), {
    names: ["one", "two"],
    echo: "Echo: two",
  });
  await run("skill", "verify");
  await configure({ notes: everything, everything });
  const refused = await place.run("execute", "add-note", "--args", '{"name":"three"}');
  equal(refused.code, 6, refused.error);
  match(refused.error, /^error: Tools that skill "add-note" uses have changed: "notes\//m);
  match(refused.error, /\n {2}- create_entities\n/);
});
