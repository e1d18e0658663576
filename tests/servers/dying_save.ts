// Saves a skill over the one in $FOLDER and kills its own process at the step $DIE_AT, such as
// `rename 1` for the first rename. For tests of what is left then.

import type { SkillName } from "../../src/names.ts";
import { createSkillStore } from "../../src/skills.ts";

const [wanted, number] = Deno.env.get("DIE_AT")!.split(" ");
const folder = Deno.env.get("FOLDER")!;
const counts = new Map<string, number>();

function step(name: string): void {
  const count = (counts.get(name) ?? 0) + 1;
  counts.set(name, count);
  if (name === wanted && count === Number(number)) Deno.kill(Deno.pid, "SIGKILL");
}

const store = createSkillStore({
  places: [],
  roots: () =>
    Promise.resolve({
      has: () => true,
      accept: () => {},
      folders: () => [],
      note: () => {},
      forget: () => {},
    }),
  now: () => 0,
  operations: {
    lstat: Deno.lstat,
    mkdir: Deno.mkdir,
    realPath: Deno.realPath,
    readDir: Deno.readDir,
    remove: (path, options) => (step("remove"), Deno.remove(path, options)),
    rename: (from, to) => (step("rename"), Deno.rename(from, to)),
    async open(path, options) {
      const file = await Deno.open(path, options);
      return new Proxy(file, {
        get(target, key) {
          const value = Reflect.get(target, key, target);
          if (typeof value !== "function") return value;
          if (key === "write" || key === "sync") step(key);
          return value.bind(target);
        },
      });
    },
  },
});

await store.save({
  facts: {
    name: "notes" as SkillName,
    kind: "server",
    description: "Keeps notes.",
    servers: [{
      name: "notes",
      identity: { name: "notes", version: "1" },
      protocol: "2025-11-25",
      tools: [],
    }] as never,
  },
  files: new Map([
    ["SKILL.md", '---\nname: "notes"\ndescription: "Keeps notes."\n---\nnew\n'],
    ["references/a.md", "new"],
  ]),
}, { folder });
