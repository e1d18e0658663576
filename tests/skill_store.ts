// A store of skills for tests: in folders of its own, with what it writes there.

import type { Digest } from "../src/hash.ts";
import { CHECKSUM_FILE, checksumOf } from "../src/integrity.ts";
import type { ServerName, SkillName } from "../src/names.ts";
import type { FileOperations } from "../src/read.ts";
import type { SkillDraft, SkillFacts } from "../src/skill_metadata.ts";
import { type SkillPlace, skillPlaces } from "../src/skill_places.ts";
import type { SkillRoots } from "../src/skill_roots.ts";
import { createSkillStore, type SkillStore } from "../src/skills.ts";

/** What a test of the store works with. */
export interface Place {
  readonly base: string;
  /** The folder of the project's skills. */
  readonly folder: string;
  readonly places: SkillPlace[];
  readonly roots: SkillRoots & { readonly known: Set<Digest> };
  readonly store: SkillStore;
  /** A store over the same places and roots whose disk is `operations`. */
  over(operations: FileOperations): SkillStore;
  at(time: number): SkillStore;
}

/** An environment without variables. */
export const NO_ENV = { get: () => undefined, toObject: () => ({}) };
/** The time at which skills are written. */
export const NOON = Date.UTC(2026, 0, 2, 12);

/** Runs `run` with a store over folders of its own. */
export async function withPlace(run: (place: Place) => Promise<void>): Promise<void> {
  const base = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-skills-" }));
  const known = new Set<Digest>();
  const noted = new Set<string>();
  const roots = {
    known,
    has: (root: Digest) => known.has(root),
    accept: (root: Digest) => void known.add(root),
    folders: () => [...noted],
    note: (folder: string) => void noted.add(folder),
    forget: (folder: string) => void noted.delete(folder),
  };
  const places = skillPlaces({
    cwd: `${base}/project`,
    env: NO_ENV,
    paths: { home: `${base}/home`, config: `${base}/config/mcp-exec`, data: `${base}/data` },
  });
  await Deno.mkdir(`${base}/project`);
  const make = (time: number, operations?: FileOperations) =>
    createSkillStore({
      places,
      roots: () => Promise.resolve(roots),
      now: () => time,
      ...(operations && { operations }),
    });
  try {
    await run({
      base,
      folder: places[0]!.folder,
      places,
      roots,
      store: make(NOON),
      over: (operations) => make(NOON, operations),
      at: (time) => make(time),
    });
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

/** What is known of a skill of notes. */
export function facts(parts: Partial<SkillFacts> = {}): SkillFacts {
  return {
    name: "notes" as SkillName,
    kind: "server",
    description: "Keeps notes.",
    servers: [{
      name: "notes" as ServerName,
      identity: { name: "notes", version: "1" },
      protocol: "2025-11-25",
      tools: [],
    }],
    ...parts,
  };
}

/** A skill of notes that says `text`. */
export function draft(text = "one", parts: Partial<SkillFacts> = {}): SkillDraft {
  const all = facts(parts);
  return {
    facts: all,
    files: new Map([
      ["SKILL.md", `---\nname: "${all.name}"\ndescription: "Keeps notes."\n---\n${text}\n`],
      ["references/a.md", text],
      ["module.js", `import { callTool } from "./host.ts";\nexport const text = "${text}";\n`],
    ]),
  };
}

/** Writes that skill into the first place. */
export async function save(place: Place, text = "one", parts: Partial<SkillFacts> = {}) {
  const made = draft(text, parts);
  const folder = `${place.folder}/${made.facts.name}`;
  return await place.store.save(made, { folder, within: place.places[0]!.within });
}

/** Every file of a skill, by path from its folder. */
export async function filesIn(folder: string, prefix = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${folder}/${prefix}`)) {
    if (entry.isDirectory) found.push(...await filesIn(folder, `${prefix}${entry.name}/`));
    else found.push(`${prefix}${entry.name}`);
  }
  return found.sort();
}

/** Rewrites the checksum so that it fits whatever the folder holds. */
export async function forge(folder: string): Promise<void> {
  const paths = (await filesIn(folder)).filter((path) => path !== CHECKSUM_FILE);
  const files = new Map<string, Uint8Array>();
  for (const path of paths) files.set(path, await Deno.readFile(`${folder}/${path}`));
  await Deno.writeTextFile(`${folder}/${CHECKSUM_FILE}`, checksumOf(files).text);
}
