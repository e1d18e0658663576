// Where skills live on this machine, in the order in which one name hides another. Only looks:
// places behind a link are named and left out.

import type { Context } from "./context.ts";
import { AppError } from "./errors.ts";

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
