// The skills of this machine: found, listed, written whole or not at all, and used only when their
// files are what was written and their content was accepted. Runs nothing of what it reads.

import { type Context, dataFile } from "./context.ts";
import type { Database } from "./database.ts";
import { removeFolder, repairFolder, replaceFolder, whileUnchanged } from "./disk.ts";
import { AppError, toAppError } from "./errors.ts";
import { readFrontMatter } from "./front_matter.ts";
import type { Digest } from "./hash.ts";
import { CHECKSUM_FILE, rootOf, verifyFiles } from "./integrity.ts";
import { MAX_SKILL_BYTES, MAX_SKILL_FILES, MAX_SKILLS } from "./limits.ts";
import { nearestHint, type SkillName, toSkillName } from "./names.ts";
import { type FileOperations, isThere, quotePath, readFolder } from "./read.ts";
import {
  completeSkill,
  METADATA_FILE,
  readMetadata,
  SKILL_FILE,
  type SkillDraft,
  type SkillFacts,
  type SkillMetadata,
} from "./skill_metadata.ts";
import { checkCode, decodeText } from "./skill_code.ts";
import {
  identityOf,
  linkOnTheWay,
  lookAt,
  namesIn,
  type SkillEntry,
  type SkillPlace,
  skillPlaces,
} from "./skill_places.ts";
import { createSkillRoots, type SkillRoots } from "./skill_roots.ts";
import { quoteText } from "./text.ts";

/** The skills of all places, by place and name, with what was left out. */
export interface SkillListing {
  readonly skills: readonly SkillEntry[];
  readonly warnings: readonly string[];
}

/** A skill whose files are what its checksum says. */
export interface Skill {
  readonly name: SkillName;
  readonly folder: string;
  readonly root: Digest;
  /** Whether this content was accepted here; only then may it run. */
  readonly accepted: boolean;
  readonly metadata: SkillMetadata;
  /** Every file by relative path. */
  readonly files: ReadonlyMap<string, string>;
  /** One line each, safe to show. */
  readonly warnings: readonly string[];
}

/** How a draft is written. */
export interface SaveOptions {
  readonly folder: string;
  /** The folder that is trusted as it is; the whole path when left out. */
  readonly within?: string;
  /** Replaces a folder whatever it holds. */
  readonly force?: boolean;
}

/** What a save did. */
export interface SaveOutcome {
  readonly folder: string;
  readonly root: Digest;
  readonly unchanged: boolean;
}

/** The skills of this machine. */
export interface SkillStore {
  /** Every skill of every place; a place behind a link is left out with a warning. */
  list(): Promise<SkillListing>;
  /** The skill that goes by a name, or the one in a folder given as a path. */
  find(nameOrPath: string): Promise<SkillEntry>;
  /**
   * Reads a skill and checks its files. Throws `integrity` errors for what is not as it was
   * written, `invalid` ones for metadata of another version and skills that somebody else made.
   */
  inspect(nameOrPath: string): Promise<Skill>;
  /** As `inspect`, and an `untrusted` error for a content that nobody accepted, but for `accept`. */
  load(nameOrPath: string, options?: { readonly accept?: Digest | undefined }): Promise<Skill>;
  /** Accepts a skill; an `integrity` error when its root is not `root`. */
  accept(skill: Skill, root: Digest): Promise<void>;
  /** The files that `save` would write; those of the folder when nothing but the time changed. */
  prepare(draft: SkillDraft, folder: string): Promise<ReadonlyMap<string, string>>;
  /** Writes a skill as a whole, accepted as written; nothing when nothing but the time changed. */
  save(draft: SkillDraft, options: SaveOptions): Promise<SaveOutcome>;
  /** Removes the folder of a skill. */
  remove(entry: Pick<SkillEntry, "folder">): Promise<void>;
}

/** What a store is made of. */
export interface SkillStoreOptions {
  readonly places: readonly SkillPlace[];
  /** The index of accepted roots, opened when it is first needed. */
  readonly roots: () => Promise<SkillRoots>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly operations?: FileOperations;
  /** Skills of one place that are looked at. */
  readonly maxSkills?: number;
}

/** How many skills are repaired at one look; for the others there will be another one. */
const REPAIRS_AT_ONCE = 50;
type OwnPlaces = Pick<Context, "cwd" | "env" | "paths" | "now">;

/** Works with a person's own skills over a database that is opened if need be, and closed. */
export async function withSkillStore<T>(
  context: OwnPlaces,
  { warn, work }: {
    readonly warn: (message: string) => void;
    readonly work: (store: SkillStore) => Promise<T>;
  },
): Promise<T> {
  let database: Database | undefined;
  const open = async () => {
    const { openDatabase } = await import("./database.ts");
    return database ??= openDatabase(dataFile(context.paths, "mcp-exec.db"), { warn });
  };
  try {
    return await work(ownSkills(context, open));
  } finally {
    database?.close();
  }
}

/** The store of a person's own skills over a database that is open. */
export function skillStoreOver(context: OwnPlaces, database: Database): SkillStore {
  return ownSkills(context, () => Promise.resolve(database));
}

function ownSkills(context: OwnPlaces, database: () => Promise<Database>): SkillStore {
  const { now } = context;
  return createSkillStore({
    places: skillPlaces(context),
    now,
    roots: async () => createSkillRoots(await database(), { now }),
  });
}

/** The store of the skills in `places`. */
export function createSkillStore(options: SkillStoreOptions): SkillStore {
  const { places, roots, operations, maxSkills = MAX_SKILLS } = options;
  const onDisk = operations === undefined ? {} : { operations };
  const bounds = { ...onDisk, maxFiles: MAX_SKILL_FILES, maxBytes: MAX_SKILL_BYTES };

  async function list(): Promise<SkillListing> {
    const skills: SkillEntry[] = [];
    const warnings: string[] = [];
    const first = new Map<string, string>();
    const add = (entry: SkillEntry) => {
      const shadowedBy = first.get(entry.name);
      if (shadowedBy === undefined) first.set(entry.name, entry.folder);
      skills.push(shadowedBy === undefined ? entry : { ...entry, shadowedBy });
    };
    for (const place of places) {
      const { names, remains, warning } = namesIn(place, maxSkills);
      if (warning !== undefined) warnings.push(warning);
      if (remains.length > 0) names.push(...await repair(place, remains, names));
      for (const name of names) {
        const entry = lookAt(`${place.folder}/${name}`, { name, origin: place.origin });
        if (entry !== undefined) add(entry);
      }
    }
    (await elsewhere()).forEach(add);
    return { skills, warnings };
  }

  // What was written where somebody said, as far as it is still there, the last written first.
  async function elsewhere(): Promise<SkillEntry[]> {
    const known = await roots();
    // These are real paths; a place may be known by another one.
    const listed = await Promise.all(places.map(({ folder }) => realPathIfAny(folder)));
    return known.folders().flatMap((folder) => {
      const { parent, name } = splitFolder(folder);
      if (listed.includes(parent)) return [];
      const entry = lookAt(folder, { name, origin: "output" });
      if (entry === undefined) known.forget(folder);
      return entry ?? [];
    });
  }

  // What processes that died left behind; gives the names of skills that are whole again.
  async function repair(
    { folder, within }: SkillPlace,
    remains: readonly string[],
    known: readonly string[],
  ): Promise<string[]> {
    const back: string[] = [];
    for (const name of remains.slice(0, REPAIRS_AT_ONCE)) {
      await repairFolder(`${folder}/${name}`, { within, ...onDisk }).catch(() => {});
      if (!known.includes(name) && isThere(`${folder}/${name}`)) back.push(name);
    }
    return back;
  }

  async function find(nameOrPath: string): Promise<SkillEntry> {
    if (/[/\\]/.test(nameOrPath)) {
      const folder = withoutSlash(nameOrPath);
      if (!isThere(folder)) await repairFolder(folder, onDisk).catch(() => {});
      const { name } = splitFolder(folder);
      const entry = lookAt(folder, { name, origin: "path" });
      if (entry !== undefined) return entry;
      throw new AppError("usage", `There is no skill in ${quotePath(folder)}`);
    }
    const name = toSkillName(nameOrPath);
    for (const place of places) {
      if (linkOnTheWay(place) !== undefined) continue;
      const folder = `${place.folder}/${name}`;
      if (!isThere(folder)) {
        const { remains } = namesIn(place, maxSkills);
        if (remains.includes(name)) await repair(place, [name], []);
      }
      const entry = lookAt(folder, { name, origin: place.origin });
      if (entry !== undefined) return entry;
    }
    const other = (await elsewhere()).find((entry) => entry.name === name);
    if (other !== undefined) return other;
    throw new AppError("usage", `There is no skill ${quoteText(name)}`, {
      hint: nearestHint(name, {
        known: (await list()).skills.map((skill) => skill.name),
        otherwise:
          `mcp-exec skill list shows all of them; a file has an ending or a slash, as ./${name}`,
      }),
    });
  }

  async function inspect(nameOrPath: string): Promise<Skill> {
    const entry = await find(nameOrPath);
    return await steadily(entry.folder, () => read(entry));
  }

  // Another process may replace a folder while it is read, and half of each be taken for one: then
  // it is read again while nobody may.
  async function steadily<T>(folder: string, look: () => Promise<T>): Promise<T> {
    const before = identityOf(folder);
    const isStill = () => before !== undefined && identityOf(folder) === before;
    try {
      const found = await look();
      if (isStill()) return found;
    } catch (error) {
      if (isStill()) throw error;
    }
    return await whileUnchanged(folder, look, onDisk);
  }

  async function read({ name, folder, kind }: SkillEntry): Promise<Skill> {
    const what = `Skill ${quoteText(name)}`;
    const writable: string[] = [];
    const bytes = await readFolder(folder, {
      ...bounds,
      onEntry(path, { mode }) {
        if (((mode ?? 0) & 0o022) !== 0) writable.push(path);
      },
    });
    if (!bytes.has(CHECKSUM_FILE) && !bytes.has(METADATA_FILE)) {
      const text = decodeText(bytes.get(SKILL_FILE) ?? new Uint8Array(), what);
      readFrontMatter(text, `${name}/${SKILL_FILE}`);
      throw new AppError("invalid", `${what} was not written by mcp-exec: it cannot be verified`, {
        hint: kind === "document" ? `an agent may read ${SKILL_FILE}` : "see mcp-exec skill list",
      });
    }
    const root = verifyFiles(bytes, what);
    const files = new Map([...bytes].map(([path, data]) => [path, decodeText(data, what)]));
    const metadata = readMetadata(files.get(METADATA_FILE) ?? "", what);
    const document = readFrontMatter(files.get(SKILL_FILE) ?? "", `${name}/${SKILL_FILE}`);
    for (const own of [metadata.name, document.name]) {
      if (own === name) continue;
      throw new AppError("integrity", `${what} says that its name is ${quoteText(own)}`, {
        hint: "the folder of a skill has its name",
      });
    }
    checkCode(files, what);
    const accepted = (await roots()).has(root);
    const warnings = writable.length === 0 ? [] : [
      `${what} can be changed by other users: ${quotePath(writable[0] || ".")}${
        writable.length > 1 ? ` and ${writable.length - 1} more` : ""
      } (chmod -R go-w ${quotePath(folder)})`,
    ];
    return { name: metadata.name, folder, root, accepted, metadata, files, warnings };
  }

  async function accept(skill: Skill, root: Digest): Promise<void> {
    if (skill.root !== root) {
      throw new AppError(
        "integrity",
        `Skill ${quoteText(skill.name)} has another root than the one given: ${skill.root}`,
      );
    }
    (await roots()).accept(root, skill.name);
  }

  async function save(
    draft: SkillDraft,
    { folder: path, within, force = false }: SaveOptions,
  ): Promise<SaveOutcome> {
    const { facts } = draft;
    const folder = withoutSlash(path);
    if (splitFolder(folder).name !== facts.name) {
      throw new AppError(
        "usage",
        `Folder of skill ${quoteText(facts.name)} must have its name: ${quotePath(folder)}`,
      );
    }
    const { files, unchanged, before } = await plan(draft, folder);
    const root = rootOf(files.get(CHECKSUM_FILE)!)!;
    // First, so that no process may die between the two: what is accepted and absent does no harm.
    const known = await roots();
    known.accept(root, facts.name);
    if (!unchanged) {
      await replaceFolder(folder, files, {
        ...onDisk,
        ...(within !== undefined && { within }),
        force,
        differs: true,
        // Asked while the folder is locked: another one may have taken its place meanwhile.
        async isOurs() {
          const now = identityOf(folder) === before?.identity ? before : await readBefore(folder);
          if (now?.metadata !== undefined) return mayReplace(now.metadata, facts);
          if (now?.writtenAt === undefined) return false;
          throw new AppError(
            "usage",
            `Skill ${quoteText(facts.name)} is there already and is not as it was written`,
            {
              hint: `mcp-exec skill verify ${facts.name} says what was changed; ` +
                "choose another name, or replace it with --force",
            },
          );
        },
      });
    }
    // A folder that is given as it is may be anywhere, and would be listed nowhere.
    const real = within === undefined ? await realPathIfAny(folder) : undefined;
    if (real !== undefined) known.note(real);
    return { folder, root, unchanged };
  }

  async function plan(draft: SkillDraft, folder: string): Promise<Plan> {
    if (!isThere(folder)) await repairFolder(folder, onDisk).catch(() => {});
    const before = isThere(folder) ? await steadily(folder, () => readBefore(folder)) : undefined;
    const digests = new Map<string, Digest>();
    const old = completeSkill(draft, before?.writtenAt ?? "", digests);
    if (before?.checksum === old.get(CHECKSUM_FILE)) {
      return { files: old, unchanged: before!.isWhole, before };
    }
    digests.delete(METADATA_FILE);
    const writtenAt = new Date(options.now()).toISOString();
    return { files: completeSkill(draft, writtenAt, digests), unchanged: false, before };
  }

  // What stands in the folder now. Only what is whole is ours to replace: who changed a file by hand
  // decides what becomes of it.
  async function readBefore(folder: string): Promise<Before | undefined> {
    const identity = identityOf(folder);
    if (identity === undefined) return undefined;
    let files: Map<string, Uint8Array>;
    let isWhole = true;
    try {
      files = await readFolder(folder, bounds);
    } catch (error) {
      if (toAppError(error).kind === "integrity") return { identity, isWhole: false };
      throw error;
    }
    try {
      verifyFiles(files, "");
    } catch {
      isWhole = false;
    }
    const text = (name: string) => new TextDecoder().decode(files.get(name));
    const checksum = text(CHECKSUM_FILE);
    try {
      const metadata = readMetadata(text(METADATA_FILE), "");
      const { written_at: writtenAt } = metadata;
      return { identity, isWhole, checksum, writtenAt, ...(isWhole && { metadata }) };
    } catch {
      return { identity, isWhole, checksum };
    }
  }

  return {
    list,
    find,
    inspect,
    async load(nameOrPath, { accept: root } = {}) {
      const skill = await inspect(nameOrPath);
      if (root !== undefined) await accept(skill, root);
      else if (!skill.accepted) {
        throw new AppError("untrusted", `Skill ${quoteText(skill.name)} was not accepted here`, {
          detail: [`its root is ${skill.root}`],
          hint: `read it, then mcp-exec skill verify ${nameOrPath} --accept`,
        });
      }
      return { ...skill, accepted: true };
    },
    accept,
    prepare: async (draft, folder) => (await plan(draft, folder)).files,
    save,
    async remove({ folder }) {
      if (await removeFolder(folder, onDisk)) return;
      throw new AppError("usage", `There is no skill in ${quotePath(folder)}`);
    },
  };
}

function withoutSlash(folder: string): string {
  return folder.replace(/(?<=.)[/\\]+$/, "");
}

function splitFolder(folder: string): { parent: string; name: string } {
  const name = /[^/\\]*$/.exec(folder)![0];
  return { parent: folder.slice(0, -name.length - 1), name };
}

async function realPathIfAny(path: string): Promise<string | undefined> {
  return await Deno.realPath(path).catch(() => undefined);
}

interface Plan {
  readonly files: ReadonlyMap<string, string>;
  readonly unchanged: boolean;
  readonly before: Before | undefined;
}

interface Before {
  readonly identity: string;
  /** Whether all files are what the checksum says. */
  readonly isWhole: boolean;
  readonly checksum?: string;
  readonly writtenAt?: string;
  /** Only of what is whole. */
  readonly metadata?: SkillMetadata;
}

// The same server's skill may be written again; a program is somebody's work.
function mayReplace(before: SkillMetadata, after: SkillFacts): boolean {
  if (before.kind !== "server" || after.kind !== "server") {
    throw new AppError("usage", `Skill ${quoteText(after.name)} is there already and differs`, {
      hint: "choose another name, or replace it with --force",
    });
  }
  const [old, current] = [before, after].map(({ servers }) => servers[0]?.name ?? "");
  if (old === current) return true;
  throw new AppError(
    "usage",
    `Skill ${quoteText(after.name)} at this place is of the server ${quoteText(old!)}`,
    { hint: "choose a name with --name, or replace it with --force" },
  );
}
