// Where skills live on this machine, in the order in which one name hides another. Only looks:
// places behind a link are named and left out.

import type { Context } from "./context.ts";

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
  { cwd, paths }: Pick<Context, "cwd" | "paths">,
): SkillPlace[] {
  const config = paths.config.replace(/[\\/][^\\/]*$/, "");
  const { home } = paths;
  const places: SkillPlace[] = [
    { origin: "project", folder: `${cwd}/.claude/skills`, within: cwd },
    { origin: "project-agents", folder: `${cwd}/.agents/skills`, within: cwd },
    ...(home === undefined
      ? []
      : [{ origin: "user", folder: `${home}/.claude/skills`, within: home } as const]),
    { origin: "config", folder: `${config}/claude/skills`, within: config },
  ];
  // In one's own home folder, the project's place and the user's are the same.
  return places.filter(({ folder }, at) =>
    places.findIndex((place) => place.folder === folder) === at
  );
}

/** The place that `--scope` names; undefined for a user without a home folder. */
export function scopedPlace(
  context: Pick<Context, "cwd" | "paths">,
  scope: SkillScope,
): SkillPlace | undefined {
  const places = skillPlaces(context);
  return places.find(({ origin }) => origin === scope) ??
    places.find(({ folder }) => folder === `${context.paths.home}/.claude/skills`);
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
