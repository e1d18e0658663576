import { deepStrictEqual as equal, ok } from "node:assert/strict";
import { generateSkill, skillNameOf } from "../../src/documents.ts";
import type { ServerInfo } from "../../src/server.ts";
import { estimateTokens } from "../../src/stats.ts";
import { hostileServer, ISSUE, recordedServers, SEARCH, serverOf } from "../server_fixtures.ts";

const VALIDATOR = "skills-ref@0.1.5";

Deno.test("generateSkill passes the reference validator of Agent Skills for every server", async () => {
  const infos: ServerInfo[] = [
    serverOf([ISSUE, SEARCH]),
    serverOf([], "empty"),
    { ...hostileServer(), name: "my.Claude_server" as ServerInfo["name"] },
    ...recordedServers(),
  ];
  const folder = await Deno.makeTempDir();
  try {
    const skills: string[] = [];
    for (const info of infos) {
      const name = skillNameOf(info.name);
      const { files } = generateSkill(info, { name, estimateTokens });
      await Deno.mkdir(`${folder}/${name}`);
      await Deno.writeTextFile(`${folder}/${name}/SKILL.md`, files.get("SKILL.md")!);
      skills.push(name);
    }
    await Deno.mkdir(`${folder}/wrong`);
    await Deno.writeTextFile(`${folder}/wrong/SKILL.md`, "---\nname: Right\n---\n");
    // One start of npx for all: a line of output each, and the code of the last one.
    const validate = async (names: readonly string[]) => {
      const commands = names.map((name) => `skills-ref validate '${folder}/${name}'`);
      const { stdout, stderr } = await new Deno.Command("npx", {
        args: ["-y", "-p", VALIDATOR, "-c", commands.join("; ")],
        cwd: folder,
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      return text.split("\n").filter((line) => /^(?:Valid|Validation| {2}- )/.test(line));
    };
    ok((await validate(["wrong"])).some((line) => line.startsWith("Validation failed")));
    equal(await validate(skills), skills.map((name) => `Valid skill: ${folder}/${name}`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
