import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { openDatabase } from "../src/database.ts";
import { CHECKSUM_FILE, checksumOf } from "../src/integrity.ts";
import type { ServerName, SkillName } from "../src/names.ts";
import { scopedPlace, skillPlaces } from "../src/skill_places.ts";
import { createSkillRoots } from "../src/skill_roots.ts";
import { createSkillStore } from "../src/skills.ts";
import { draft, facts, filesIn, forge, NO_ENV, NOON, save, withPlace } from "./skill_store.ts";
import { fails, names } from "./watched_disk.ts";

Deno.test("SkillStore keeps a skill that loads as it was saved, accepted as written", async () => {
  await withPlace(async (place) => {
    const { folder, root, unchanged } = await save(place);
    strictEqual(unchanged, false);
    const skill = await place.store.load("notes");
    strictEqual(skill.folder, folder);
    strictEqual(skill.root, root);
    strictEqual(skill.accepted, true);
    strictEqual(skill.metadata.written_at, new Date(NOON).toISOString());
    strictEqual(skill.files.get("references/a.md"), "one");
    strictEqual(skill.files.get(".gitattributes"), "* -text\n");
    deepStrictEqual(skill.warnings, []);
    deepStrictEqual(await names(place.folder), ["notes"]);
  });
});

Deno.test("SkillStore writes for this user only, and warns of folders that others may change (K11)", async () => {
  await withPlace(async (place) => {
    const { folder } = await save(place);
    for (const path of ["", "references"]) {
      strictEqual((await Deno.lstat(`${folder}/${path}`)).mode! & 0o777, 0o700);
    }
    for (const path of await filesIn(folder)) {
      strictEqual((await Deno.lstat(`${folder}/${path}`)).mode! & 0o777, 0o600, path);
    }
    await Deno.chmod(`${folder}/references/a.md`, 0o622);
    const [warning] = (await place.store.load("notes")).warnings;
    match(warning!, /^Skill "notes" can be changed by other users: "references\/a\.md" \(chmod/);
  });
});

Deno.test("SkillStore.save writes nothing when nothing but the time differs", async () => {
  await withPlace(async (place) => {
    const first = await save(place);
    const before = (await Deno.lstat(first.folder)).ino;
    const later = place.at(NOON + 86_400_000);
    const again = await later.save(draft(), { folder: first.folder });
    deepStrictEqual(again, { ...first, unchanged: true });
    strictEqual((await Deno.lstat(first.folder)).ino, before);
    const changed = await later.save(draft("two"), { folder: first.folder });
    strictEqual(changed.unchanged, false);
    match((await later.load("notes")).metadata.written_at, /^2026-01-03/);
  });
});

Deno.test("SkillStore.save works when the clock goes backwards (K18)", async () => {
  await withPlace(async (place) => {
    const { folder } = await save(place);
    const earlier = place.at(NOON - 86_400_000);
    await earlier.save(draft("two"), { folder });
    match((await earlier.load("notes")).metadata.written_at, /^2026-01-01/);
    strictEqual((await earlier.save(draft("two"), { folder })).unchanged, true);
  });
});

Deno.test("SkillStore refuses files that one disk would take for the same (K18, V4)", async () => {
  await withPlace(async (place) => {
    const twins = new Map([...draft().files, ["REFERENCES/b.md", "x"]]);
    await fails(
      place.store.save({ facts: facts(), files: twins }, { folder: `${place.folder}/notes` }),
      "invalid",
      /are one file$/,
    );
    strictEqual((await place.store.list()).skills.length, 0);
  });
});

Deno.test("SkillStore replaces its own skill of a server, and nothing else without force (V9)", async () => {
  await withPlace(async (place) => {
    const { folder } = await save(place);
    await save(place, "two");
    const other = facts().servers.map((server) => ({ ...server, name: "other" as ServerName }));
    const options = { folder };
    await fails(
      place.store.save(draft("three", { servers: other }), options),
      "usage",
      /^Skill "notes" at this place is of the server "notes"$/,
    );
    await Deno.writeTextFile(`${folder}/SKILL.md`, "edited");
    await fails(
      place.store.save(draft("four"), options),
      "usage",
      /^Skill "notes" is there already and is not as it was written$/,
    );
    strictEqual(await Deno.readTextFile(`${folder}/SKILL.md`), "edited");
    await place.store.save(draft("four"), { folder, force: true });
    strictEqual((await place.store.load("notes")).files.get("references/a.md"), "four");
    const program = { limits: {}, skills: [] };
    const draftOf = (text: string) => draft(text, { kind: "program", program });
    await place.store.save(draftOf("a"), { folder, force: true });
    await place.store.save(draftOf("a"), options);
    await fails(place.store.save(draftOf("b"), options), "usage", /is there already and differs$/);
  });
});

Deno.test("SkillStore.save refuses a folder that has not the skill's name (K14)", async () => {
  await withPlace(async (place) => {
    const folder = `${place.folder}/elsewhere`;
    await fails(place.store.save(draft(), { folder }), "usage", /must have its name/);
    strictEqual((await place.store.list()).skills.length, 0);
  });
});

Deno.test("SkillStore refuses names that are no skill's, before any path is made of them (V1)", async () => {
  await withPlace(async (place) => {
    for (const name of ["..", "a b", "A", "", "con", "a\0", "x".repeat(65), "claude-x", "é"]) {
      await fails(place.store.load(name), "usage", /^Skill name /);
    }
    await fails(place.store.load("../x"), "usage", /^There is no skill in/);
  });
});

Deno.test("SkillStore.load names the file of which any byte was flipped (K1)", async () => {
  await withPlace(async (place) => {
    const { folder } = await save(place);
    for (const path of await filesIn(folder)) {
      const good = await Deno.readFile(`${folder}/${path}`);
      const bad = good.slice();
      bad[Math.floor(bad.length / 2)]! ^= 1;
      await Deno.writeFile(`${folder}/${path}`, bad);
      const error = await fails(place.store.load("notes"), "integrity", /^Skill "notes" /);
      strictEqual(error.exitCode, 6);
      if (path !== CHECKSUM_FILE) ok(error.message.includes(`"${path}" was changed`));
      await Deno.writeFile(`${folder}/${path}`, good);
    }
    await place.store.load("notes");
  });
});

Deno.test("SkillStore.load refuses files that were cut, emptied, removed and added (K2, K3)", async () => {
  await withPlace(async (place) => {
    for (const damage of ["cut", "emptied", "removed", "added"]) {
      for (const path of ["SKILL.md", "metadata.json", "references/a.md", CHECKSUM_FILE]) {
        const { folder } = await place.store.save(draft(), {
          folder: `${place.folder}/notes`,
          force: true,
        });
        const at = `${folder}/${path}`;
        const text = await Deno.readTextFile(at);
        if (damage === "cut") await Deno.writeTextFile(at, text.slice(0, -1));
        else if (damage === "emptied") await Deno.writeTextFile(at, "");
        else if (damage === "removed") await Deno.remove(at);
        else await Deno.writeTextFile(`${folder}/more.md`, "");
        await fails(place.store.load("notes"), "integrity", /^Skill "notes" (?:is not|has)/);
      }
    }
  });
});

Deno.test("SkillStore.load refuses a skill whose file and checksum were both rewritten (K4)", async () => {
  await withPlace(async (place) => {
    const { folder } = await save(place);
    await Deno.writeTextFile(`${folder}/references/a.md`, "evil");
    await forge(folder);
    const error = await fails(place.store.load("notes"), "untrusted", /was not accepted here$/);
    strictEqual(error.exitCode, 6);
    const found = await place.store.inspect("notes");
    strictEqual(found.accepted, false);
    const wrong = checksumOf(new Map()).root;
    await fails(place.store.load("notes", { accept: wrong }), "integrity", /has another root/);
    strictEqual((await place.store.load("notes", { accept: found.root })).accepted, true);
    strictEqual((await place.store.load("notes")).files.get("references/a.md"), "evil");
  });
});

Deno.test("SkillStore refuses links and hard links as file, folder and store (K5)", async () => {
  await withPlace(async (place) => {
    const { folder } = await save(place);
    const plant: [RegExp, () => Promise<unknown>][] = [
      [/is a link or/, async () => {
        await Deno.rename(`${folder}/SKILL.md`, `${place.base}/SKILL.md`);
        await Deno.symlink(`${place.base}/SKILL.md`, `${folder}/SKILL.md`);
      }],
      [/is a hard link/, () => Deno.link(`${folder}/SKILL.md`, `${place.base}/hard.md`)],
      [/is a link or/, async () => {
        await Deno.rename(`${folder}/references`, `${place.base}/references`);
        await Deno.symlink(`${place.base}/references`, `${folder}/references`);
      }],
      [/is not a folder, or is a link/, async () => {
        await Deno.rename(folder, `${place.base}/moved`);
        await Deno.symlink(`${place.base}/moved`, folder);
      }],
    ];
    for (const [message, act] of plant) {
      await Deno.remove(folder, { recursive: true });
      await save(place);
      await act();
      await fails(place.store.load("notes"), "integrity", message);
    }
    await fails(
      place.store.save(draft("two"), { folder, force: true }),
      "denied",
      /is a symbolic link$/,
    );
    strictEqual((await place.store.list()).skills[0]!.problem, "it is a symbolic link");
    await Deno.remove(folder);
    await Deno.rename(place.folder, `${place.base}/skills`);
    await Deno.symlink(`${place.base}/skills`, place.folder);
    const { skills, warnings } = await place.store.list();
    deepStrictEqual(skills, []);
    match(warnings[0]!, /are left out: ".*\.claude\/skills" is a link or no folder$/);
    await fails(place.store.load("notes"), "usage", /^There is no skill "notes"$/);
    await fails(save(place, "two"), "denied", /is a link to one$/);
  });
});

Deno.test("SkillStore.load refuses a skill beyond its bounds before reading it whole (K12)", async () => {
  await withPlace(async (place) => {
    const { folder } = await save(place);
    const big = await Deno.open(`${folder}/big`, { write: true, create: true });
    await big.truncate(2 ** 30);
    big.close();
    await fails(place.store.load("notes"), "integrity", /is beyond the size/);
    await Deno.remove(`${folder}/big`);
    await Deno.mkdir(`${folder}/many`);
    for (let at = 0; at < 2_001; at++) await Deno.writeTextFile(`${folder}/many/${at}`, "");
    await fails(place.store.load("notes"), "integrity", /is beyond 2000 files/);
  });
});

Deno.test("SkillStore.list looks at so many skills of a place and counts the rest (K12)", async () => {
  await withPlace(async ({ places, folder, roots }) => {
    for (let at = 0; at < 13; at++) {
      await Deno.mkdir(`${folder}/s${at}`, { recursive: true });
      const text = `---\nname: s${at}\ndescription: x\n---\n`;
      await Deno.writeTextFile(`${folder}/s${at}/SKILL.md`, text);
    }
    const store = createSkillStore({
      places,
      roots: () => Promise.resolve(roots),
      now: () => NOON,
      maxSkills: 10,
    });
    const { skills, warnings } = await store.list();
    strictEqual(skills.length, 10);
    match(warnings[0]!, /has more than 10 skills: 3 left out$/);
  });
});

Deno.test("SkillStore names skills that somebody else wrote, and does not load them (K13)", async () => {
  await withPlace(async (place) => {
    const write = async (name: string, text: string) => {
      await Deno.mkdir(`${place.folder}/${name}`, { recursive: true });
      await Deno.writeTextFile(`${place.folder}/${name}/SKILL.md`, text);
    };
    await write("good", "---\nname: good\ndescription: Does it.\n---\n");
    await write("bomb", "---\na: &a [x]\nb: [*a,*a]\n---\n");
    await write("tabs", "---\nname:\tx\n---\n");
    await write("crlf", "---\r\nname: crlf\r\ndescription: Lines.\r\n---\r\n");
    await write("nameless", "---\ndescription: x\n---\n");
    await write("huge", `---\nname: ${"x".repeat(5_000_000)}\n---\n`);
    const { skills } = await place.store.list();
    deepStrictEqual(skills.map(({ name, kind }) => `${name} ${kind}`), [
      "bomb broken",
      "crlf document",
      "good document",
      "huge broken",
      "nameless broken",
      "tabs broken",
    ]);
    for (const { name, problem } of skills) {
      const error = await fails(place.store.load(name), "invalid", /./);
      strictEqual(error.exitCode, 2);
      if (problem !== undefined) match(problem, /Front matter|too large/);
    }
    const error = await fails(place.store.load("good"), "invalid", /not written by mcp-exec/);
    strictEqual(error.hint, "an agent may read SKILL.md");
  });
});

Deno.test("SkillStore.load refuses a skill whose folder has another name (K14)", async () => {
  await withPlace(async (place) => {
    const { folder } = await save(place);
    await Deno.rename(folder, `${place.folder}/other`);
    await fails(place.store.load("other"), "integrity", /says that its name is "notes"$/);
    const metadata = `${place.folder}/other/metadata.json`;
    const text = await Deno.readTextFile(metadata);
    await Deno.writeTextFile(metadata, text.replace('"notes"', '"other"'));
    await forge(`${place.folder}/other`);
    await fails(place.store.load("other"), "integrity", /says that its name is "notes"$/);
  });
});

Deno.test("SkillStore.load says which version a skill is of, and leaves it as it is (K15)", async () => {
  await withPlace(async (place) => {
    for (const version of [0, 2, 99]) {
      const { folder } = await save(place);
      const path = `${folder}/metadata.json`;
      const text = (await Deno.readTextFile(path)).replace(
        '"format_version": 1',
        `"format_version": ${version}`,
      );
      await Deno.writeTextFile(path, text);
      await forge(folder);
      const error = await fails(
        place.store.load("notes"),
        "invalid",
        new RegExp(`is of version ${version} of its form, this program knows 1$`),
      );
      match(error.hint!, version > 1 ? /newer version/ : /write it again/);
      strictEqual(await Deno.readTextFile(path), text);
      await Deno.remove(folder, { recursive: true });
    }
  });
});

Deno.test("SkillStore.load refuses compiled code, bytecode and imports beyond the host (K16)", async () => {
  await withPlace(async (place) => {
    const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    const bytecode = Uint8Array.of(0x43, 3, 0xff, 0xfe, 0x80, 0x81);
    const cases: [string, Uint8Array | string, RegExp][] = [
      ["module.wasm", wasm, /holds a file that is not text$/],
      ["module.wasm", "(module)", /holds compiled code: "module\.wasm"$/],
      ["module.js", wasm, /holds a file that is not text$/],
      ["module.js", bytecode, /holds a file that is not text$/],
      ["module.qjsc", "text", /holds compiled code/],
      ["module.js", 'import "node:fs";', /module\.js that imports "node:fs"$/],
      ["module.js", 'import x from "https://x.test/a.js";', /that imports "https:/],
      ["module.js", 'export * from "../other/module.js";', /that imports "\.\.\/other/],
      ["module.js", 'await import("data:text/javascript,1");', /that imports "data:/],
      ["module.js", 'import x from "node\\u003afs";', /that imports by a name that is computed/],
      ["module.js", 'export * from "\\x6eode:fs";', /that imports by a name that is computed/],
      ["module.js", 'await import("node:" + "fs");', /that imports by a name that is computed/],
      ["module.js", "await import(`node:fs`);", /that imports by a name that is computed/],
      ["module.js", 'await import /* a */ ((0, "node:fs"));', /by a name that is computed/],
      ["module.js", "export default `${await import('node:fs')}`;", /that imports "node:fs"/],
      ["module.js", "() => {}\n/'/.x; import(\"node:fs\") //'", /imports what a text or a regular/],
      ["module.js", "() => {}\n/'/.x\nimport a from \"node:fs\" //'", /that imports "node:fs"/],
    ];
    for (const [path, data, message] of cases) {
      const { folder } = await save(place);
      if (typeof data === "string") await Deno.writeTextFile(`${folder}/${path}`, data);
      else await Deno.writeFile(`${folder}/${path}`, data);
      await forge(folder);
      const error = await fails(place.store.load("notes"), "integrity", message);
      strictEqual(error.exitCode, 6);
      await Deno.remove(folder, { recursive: true });
    }
  });
});

Deno.test("SkillStore.list shows every place, and which skill hides which", async () => {
  await withPlace(async (place) => {
    for (const { folder } of place.places) {
      await place.store.save(draft("x"), { folder: `${folder}/notes` });
    }
    const own = draft("x", { name: "own" as SkillName });
    await place.store.save(own, { folder: `${place.places[2]!.folder}/own` });
    const { skills } = await place.store.list();
    deepStrictEqual(skills.map(({ name, origin, shadowedBy }) => [name, origin, shadowedBy]), [
      ["notes", "project", undefined],
      ["notes", "project-agents", `${place.folder}/notes`],
      ["notes", "user", `${place.folder}/notes`],
      ["own", "user", undefined],
      ["notes", "config", `${place.folder}/notes`],
    ]);
    strictEqual((await place.store.find("notes")).origin, "project");
    strictEqual((await place.store.find("own")).origin, "user");
    const path = `${place.places[3]!.folder}/notes/`;
    strictEqual((await place.store.load(path)).folder, path.slice(0, -1));
  });
});

Deno.test("SkillStore.list shows what was written elsewhere as long as it is there, and finds it", async () => {
  await withPlace(async (place) => {
    const { base, store, roots } = place;
    await store.save(draft("one"), { folder: `${base}/out/notes` });
    await store.save(draft("again"), { folder: `${base}/out/../out/notes`, force: true });
    deepStrictEqual(
      (await store.list()).skills.map(({ name, origin, folder }) => [name, origin, folder]),
      [
        ["notes", "output", `${base}/out/notes`],
      ],
    );
    strictEqual((await store.load("notes")).folder, `${base}/out/notes`);
    await save(place);
    const [own, other] = (await store.list()).skills;
    deepStrictEqual([own!.origin, other!.origin, other!.shadowedBy], [
      "project",
      "output",
      own!.folder,
    ]);
    strictEqual((await store.find("notes")).folder, own!.folder);
    await store.remove(other!);
    strictEqual((await store.list()).skills.length, 1);
    deepStrictEqual(roots.folders(), []);
  });
});

Deno.test("SkillStore.list shows once what was written into a place by another path", async () => {
  await withPlace(async ({ base, folder, store }) => {
    await Deno.symlink(`${base}/project`, `${base}/link`);
    await store.save(draft(), { folder: `${base}/link/.claude/skills/notes` });
    const nested = draft("x", { name: "nested" as SkillName });
    await store.save(nested, { folder: `${folder}/team/nested` });
    const { skills } = await store.list();
    deepStrictEqual(skills.map(({ name, origin }) => `${name} ${origin}`), [
      "notes project",
      "nested output",
    ]);
  });
});

Deno.test("SkillStore.find takes no folder for a skill that holds none, so that none is removed (V9)", async () => {
  await withPlace(async ({ base, folder, store }) => {
    for (const name of ["Documents", "data"]) {
      await Deno.mkdir(`${base}/${name}`);
      await Deno.writeTextFile(`${base}/${name}/metadata.json`, "{}");
      await fails(store.find(`${base}/${name}`), "usage", /^There is no skill in /);
    }
    await Deno.mkdir(`${folder}/Odd_Name`, { recursive: true });
    deepStrictEqual((await store.list()).skills, []);
    await Deno.writeTextFile(`${folder}/Odd_Name/SKILL.md`, "");
    strictEqual((await store.list()).skills[0]!.kind, "broken");
  });
});

Deno.test("SkillStore.find offers the nearest names", async () => {
  await withPlace(async (place) => {
    await save(place);
    const error = await fails(place.store.find("nots"), "usage", /^There is no skill "nots"$/);
    strictEqual(error.hint, 'did you mean "notes"?');
  });
});

Deno.test("SkillStore.remove says when there is nothing to remove", async () => {
  await withPlace(async (place) => {
    const { folder } = await save(place);
    await place.store.remove({ folder });
    deepStrictEqual(await names(place.folder), []);
    await fails(place.store.remove({ folder }), "usage", /^There is no skill in/);
  });
});

Deno.test("skillPlaces takes the project's place and the user's for one in the home folder", () => {
  const context = {
    cwd: "/home/me",
    env: NO_ENV,
    paths: { home: "/home/me", config: "/home/me/.config/mcp-exec", data: "/d" },
  };
  deepStrictEqual(skillPlaces(context).map(({ folder }) => folder), [
    "/home/me/.claude/skills",
    "/home/me/.agents/skills",
    "/home/me/.config/claude/skills",
  ]);
  strictEqual(scopedPlace(context, "user").folder, "/home/me/.claude/skills");
  strictEqual(scopedPlace(context, "project").folder, "/home/me/.claude/skills");
  const env = { ...NO_ENV, get: () => "/elsewhere" };
  strictEqual(scopedPlace({ ...context, env }, "user").folder, "/elsewhere/skills");
});

Deno.test("createSkillRoots remembers folders, the last noted first", () => {
  const database = openDatabase(undefined, { warn: () => {} });
  let time = 0;
  const roots = createSkillRoots(database, { now: () => ++time });
  for (const folder of ["/a/one", "/b/two", "/a/one", "/c/three"]) roots.note(folder);
  deepStrictEqual(roots.folders(), ["/c/three", "/a/one", "/b/two"]);
  roots.forget("/a/one");
  deepStrictEqual(roots.folders(), ["/c/three", "/b/two"]);
  database.close();
});

Deno.test("createSkillRoots remembers roots in the database, outside of every skill (K4)", async () => {
  await withPlace(({ base }) => {
    const path = `${base}/data/mcp-exec.db`;
    const [one, two] = ["1", "2"].map((text) => checksumOf(new Map([["a", text]])).root);
    const name = "notes" as SkillName;
    for (const round of [1, 2]) {
      const database = openDatabase(path, { warn: (message) => ok(false, message) });
      const roots = createSkillRoots(database, { now: () => round });
      strictEqual(roots.has(one!), round === 2);
      strictEqual(roots.has(two!), false);
      roots.accept(one!, name);
      strictEqual(roots.has(one!), true);
      database.close();
    }
    return Promise.resolve();
  });
});
