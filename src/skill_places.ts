// Where skills live on this machine, in the order in which one name hides another, and what stands
// there at a look. Nothing is verified here, and every text is untrusted. Looks are synchronous,
// because a thousand skills are listed with them; places behind a link are named and left out.

import type { Context } from "./context.ts";
import { AppError, toAppError } from "./errors.ts";
import { readFrontMatter } from "./front_matter.ts";
import { CHECKSUM_FILE } from "./integrity.ts";
import { MAX_FRONT_MATTER_BYTES, MAX_SKILL_METADATA_BYTES } from "./limits.ts";
import { toSkillName } from "./names.ts";
import { isThere, quotePath } from "./read.ts";
import { METADATA_FILE, readMetadata, SKILL_FILE, type SkillMetadata } from "./skill_metadata.ts";
import { quoteText } from "./text.ts";

/** One folder that may hold skills. */
export interface SkillPlace {
  readonly origin: "project" | "project-agents" | "user" | "config";
  /** The folder whose entries are skills. */
  readonly folder: string;
  /** The folder that is trusted as it is; everything below it must be real folders. */
  readonly within: string;
}

/** Who may be meant by `--scope`. */
export type SkillScope = "project" | "user";

/** Every place, the one that wins first. */
export function skillPlaces(
  { cwd, env, paths }: Pick<Context, "cwd" | "env" | "paths">,
): SkillPlace[] {
  const config = paths.config.replace(/[\\/][^\\/]*$/, "");
  const { home } = paths;
  // The client's own variable for its folder.
  const client = env.get("CLAUDE_CONFIG_DIR") || undefined;
  const places: SkillPlace[] = [
    { origin: "project", folder: `${cwd}/.claude/skills`, within: cwd },
    { origin: "project-agents", folder: `${cwd}/.agents/skills`, within: cwd },
    ...(client !== undefined
      ? [{ origin: "user", folder: `${client}/skills`, within: client } as const]
      : home !== undefined
      ? [{ origin: "user", folder: `${home}/.claude/skills`, within: home } as const]
      : []),
    { origin: "config", folder: `${config}/claude/skills`, within: config },
  ];
  // In one's own home folder, the project's place and the user's are the same.
  return places.filter(({ folder }, at) =>
    places.findIndex((place) => place.folder === folder) === at
  );
}

/** The place that `--scope` names; a `usage` error for a user without a home folder. */
export function scopedPlace(
  context: Pick<Context, "cwd" | "env" | "paths">,
  scope: SkillScope,
): SkillPlace {
  const places = skillPlaces(context);
  const place = places.find(({ origin }) => origin === scope) ??
    places.find(({ folder }) => folder === `${context.paths.home}/.claude/skills`);
  if (place !== undefined) return place;
  throw new AppError("usage", "There is no home folder for skills of the user");
}

/** What stands between the trusted folder and a place and is no real folder; undefined if nothing. */
export function linkOnTheWay({ folder, within }: SkillPlace): string | undefined {
  let path = within;
  for (const part of folder.slice(within.length + 1).split("/")) {
    path = `${path}/${part}`;
    try {
      if (!Deno.lstatSync(path).isDirectory) return path;
    } catch {
      return undefined; // not there, or not ours to see: then nothing is read from it
    }
  }
  return undefined;
}

/** A skill as far as a look at its folder tells; its texts are untrusted. */
export interface SkillEntry {
  readonly name: string;
  readonly folder: string;
  /** `output`: written where `--output` said. `path`: asked for by its path. */
  readonly origin: SkillPlace["origin"] | "output" | "path";
  /** `document`: somebody else's, to be read by agents only. `broken`: see `problem`. */
  readonly kind: SkillMetadata["kind"] | "document" | "broken";
  readonly description: string;
  readonly problem?: string;
  /** The folder of the skill of the same name that is used instead. */
  readonly shadowedBy?: string;
}

const REMAINS = /^\.(.+?)(?:\.[0-9a-f]{16}\.(?:new|old|tmp|gone)|\.lock)$/;

/**
 * The folders of a place that may hold skills, at most `most`, sorted; and the names of skills of
 * which a process that died left remains.
 */
export function namesIn(
  place: SkillPlace,
  most: number,
): { names: string[]; remains: string[]; warning?: string } {
  const link = linkOnTheWay(place);
  if (link !== undefined) {
    const warning = `Skills in ${quotePath(place.folder)} are left out: ${
      quotePath(link)
    } is a link or no folder`;
    return { names: [], remains: [], warning };
  }
  const names: string[] = [];
  const remains = new Set<string>();
  let left = 0;
  try {
    for (const { name, isDirectory, isSymlink } of Deno.readDirSync(place.folder)) {
      const remaining = REMAINS.exec(name)?.[1];
      if (remaining !== undefined) remains.add(remaining);
      if (name.startsWith(".") || (!isDirectory && !isSymlink)) continue;
      if (names.length < most) names.push(name);
      else left++;
    }
  } catch {
    return { names: [], remains: [] }; // no such place
  }
  names.sort();
  const warning = `${quotePath(place.folder)} has more than ${most} skills: ${left} left out`;
  return { names, remains: [...remains].filter(isName), ...(left > 0 && { warning }) };
}

function isName(text: string): boolean {
  try {
    return toSkillName(text) === text;
  } catch {
    return false;
  }
}

/** What a folder says it is, without checking that; undefined where it holds no skill. */
export function lookAt(
  folder: string,
  { name, origin }: Pick<SkillEntry, "name" | "origin">,
): SkillEntry | undefined {
  const entry = { name, folder, origin };
  const broken = (problem: string): SkillEntry => ({
    ...entry,
    kind: "broken",
    description: "",
    problem,
  });
  try {
    const info = Deno.lstatSync(folder);
    if (info.isSymlink) return broken("it is a symbolic link");
    if (!info.isDirectory) return undefined;
    toSkillName(name);
    const text = readSmall(`${folder}/${METADATA_FILE}`, MAX_SKILL_METADATA_BYTES);
    if (text !== undefined) {
      const { kind, description } = readMetadata(text, `Skill ${quoteText(name)}`);
      return { ...entry, kind, description };
    }
    const skill = readSmall(`${folder}/${SKILL_FILE}`, 64 * MAX_FRONT_MATTER_BYTES);
    if (skill === undefined) return undefined;
    const { description } = readFrontMatter(skill, `${name}/${SKILL_FILE}`);
    return { ...entry, kind: "document", description };
  } catch (error) {
    // What has none of these is no skill at all, and is not to be removed as one.
    const isSkill = [SKILL_FILE, CHECKSUM_FILE].some((file) => isThere(`${folder}/${file}`));
    return isSkill ? broken(toAppError(error).message) : undefined;
  }
}

function readSmall(path: string, maxBytes: number): string | undefined {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  if (!info.isFile) throw new AppError("integrity", `${quotePath(path)} is a link or no file`);
  if (info.size > maxBytes) throw new AppError("invalid", `${quotePath(path)} is too large`);
  return new TextDecoder().decode(Deno.readFileSync(path));
}

/** What tells a folder from another one that took its path; undefined where there is none. */
export function identityOf(path: string): string | undefined {
  try {
    const { dev, ino, birthtime, mtime } = Deno.lstatSync(path);
    // A disk gives the number of what was removed to what is made next.
    return [dev, ino, birthtime?.getTime(), mtime?.getTime()].join(":");
  } catch {
    return undefined;
  }
}
