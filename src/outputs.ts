// What can be written for a server: a skill, its TypeScript package alone, or the types of imports
// of several servers. Knows where each goes and what may be replaced; decides nothing by itself.

import { generateTypescript } from "./codegen.ts";
import type { Context } from "./context.ts";
import { DECLARATIONS_MARKER, generateDeclarations } from "./declarations.ts";
import { replaceFolder, writeFileAtomic } from "./disk.ts";
import { generateSkill, skillNameOf } from "./documents.ts";
import { AppError } from "./errors.ts";
import { shellWord } from "./escape.ts";
import { MAX_VFS_BYTES } from "./limits.ts";
import { type SkillName, toSkillName } from "./names.ts";
import { compareFolder, type FolderState, isPackage, manifestText } from "./output_folder.ts";
import { isThere, readTextFile } from "./read.ts";
import { describeSpec, type ServerInfo, type ServerSpec } from "./server.ts";
import { CODE_FILE } from "./skill_code.ts";
import {
  completeSkill,
  SKILL_FILE,
  type SkillDraft,
  type SkillFacts,
  skillServer,
} from "./skill_metadata.ts";
import { scopedPlace, type SkillScope } from "./skill_places.ts";
import { type SkillStore, withSkillStore } from "./skills.ts";
import { estimateTokens, TOKENIZER } from "./stats.ts";
import { byteLength, cleanLine, maskHome, quoteText } from "./text.ts";
import type { FileSet } from "./vfs.ts";

/** One thing to write, and how to tell whether it has to be. */
export interface Output {
  readonly what: "skill" | "package" | "types";
  /** The server it is of, where it is of one. */
  readonly server?: string;
  readonly path: string;
  /** The path as it is shown. */
  readonly place: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** What it takes to read all tools in several ways, and what the counts stand for. */
  readonly tokens?: Readonly<Record<string, number | string>>;
  /** One line each, safe to show. */
  readonly warnings: readonly string[];
  /** How what is there differs from it. */
  state(): Promise<FolderState>;
  /** Writes it; false when it was up to date. Throws when something else stands there. */
  write(options: { readonly force: boolean }): Promise<boolean>;
}

/** Where an output goes; without a choice to its usual place in the project. */
export interface Destination {
  /** The folder itself, or with `many` the one that holds a folder for each server. */
  readonly output?: string | undefined;
  readonly many: boolean;
}

const PACKAGES = "mcp-tools/servers";

/** The TypeScript package of a server. */
export function packageOutput(
  context: Context,
  info: ServerInfo,
  destination: Destination,
): Output {
  const { files, warnings } = generateTypescript(info, { estimateTokens });
  const folder = chosenFolder(destination, info.name) ?? {
    path: `${context.cwd}/${PACKAGES}/${info.name}`,
    place: `./${PACKAGES}/${info.name}`,
    within: context.cwd,
  };
  return packageFolder(context, { info, files, warnings, ...folder });
}

/** Choices for a skill beside its destination. */
export interface SkillChoices extends Destination {
  readonly name?: SkillName | undefined;
  readonly description?: string | undefined;
  /** Whether it is for one project or for all of a person's. */
  readonly scope?: SkillScope | undefined;
}

/** The skill of a server. A skill has the name of its folder: a `usage` error where it has not. */
export function skillOutput(
  context: Context,
  { info, spec }: { readonly info: ServerInfo; readonly spec: ServerSpec },
  choices: SkillChoices,
): Output {
  const name = choices.name ?? nameByFolder(choices) ?? skillNameOf(info.name);
  const folder = chosenFolder(choices, name) ?? skillFolder(context, name, choices.scope);
  if (!new RegExp(`(?:^|[\\\\/])${name}[\\\\/]*$`).test(folder.path)) {
    throw new AppError("usage", `Skill "${name}" has to be in a folder of its name`, {
      hint: `write it to ${quoteText(`${folder.place}/${name}`)}`,
    });
  }
  const reach = reachOf(spec);
  const { files, warnings, description } = generateSkill(info, {
    name,
    ...(reach !== undefined && { reach }),
    ...(choices.description !== undefined && { description: choices.description }),
  });
  const unreachable = spec.origin === "flag" && reach === undefined
    ? [`Skill "${name}" works only where a server "${info.name}" is configured`]
    : [];
  const { home } = context.paths;
  const servers = [skillServer(info, { spec, home })];
  return skillInFolder(context, {
    info,
    files,
    facts: { name, kind: "server", description, servers },
    warnings: [...warnings, ...unreachable],
    ...folder,
  });
}

/** The types of imports of `infos` in one file. */
export function typesOutput(
  { paths }: Context,
  infos: readonly ServerInfo[],
  path: string,
): Output {
  const text = generateDeclarations(infos);
  const place = maskHome(path, paths.home);
  const read = async () =>
    isThere(path) ? await readTextFile(path, { maxBytes: MAX_VFS_BYTES }) : undefined;
  return {
    what: "types",
    path,
    place,
    files: sizesOf(new Map([[path, text]])),
    warnings: [],
    async state() {
      const found = await read();
      const mark = found === undefined ? "+" : "~";
      return {
        exists: found !== undefined,
        tools: [],
        files: found === text ? [] : [`${mark} ${cleanLine(path)}`],
      };
    },
    async write({ force }) {
      const found = await read();
      if (found === text) return false;
      if (!force && found !== undefined && !found.startsWith(DECLARATIONS_MARKER)) {
        throw new AppError("usage", `File "${place}" was not made by this program`, {
          hint: "choose another file, or replace it with --force",
        });
      }
      await writeFileAtomic(path, text);
      return true;
    },
  };
}

interface Folder {
  readonly path: string;
  readonly place: string;
  /** A folder that is trusted as it is. */
  readonly within?: string;
}

function chosenFolder({ output, many }: Destination, name: string): Folder | undefined {
  if (output === undefined) return undefined;
  const path = many ? `${output.replace(/[\\/]+$/, "")}/${name}` : output;
  return { path, place: path };
}

// The folder that was chosen names the skill.
function nameByFolder({ output, many }: Destination): SkillName | undefined {
  if (output === undefined || many) return undefined;
  return toSkillName(/([^\\/]*)[\\/]*$/.exec(output)![1]!);
}

function skillFolder(
  context: Context,
  name: SkillName,
  scope: SkillScope = "project",
): Folder {
  const { folder, within } = scopedPlace(context, scope);
  const path = `${folder}/${name}`;
  const { cwd } = context;
  return { path, place: path.startsWith(`${cwd}/`) ? `.${path.slice(cwd.length)}` : path, within };
}

interface FolderParts extends Folder {
  readonly info: ServerInfo;
  readonly files: FileSet;
  readonly warnings: readonly string[];
}

function packageFolder({ paths }: Context, parts: FolderParts): Output {
  const { files, path, within } = parts;
  return {
    ...outputOf("package", parts, paths),
    state: () => compareFolder(path, files, { manifest: "manifest.json" }),
    async write({ force }) {
      const { unchanged } = await replaceFolder(path, files, {
        force,
        isOurs: (names) => isPackage(path, names),
        ...(within !== undefined && { within }),
      });
      return !unchanged;
    },
  };
}

function skillInFolder(
  context: Context,
  parts: FolderParts & { readonly facts: SkillFacts },
): Output {
  const { facts, files, path, within } = parts;
  const draft: SkillDraft = { facts, files };
  // The session over the same database has told what is wrong with it.
  const withStore = <T>(work: (store: SkillStore) => Promise<T>) =>
    withSkillStore(context, { warn: () => {}, work });
  return {
    ...outputOf("skill", parts, context.paths),
    files: sizesOf(completeSkill(draft, new Date(context.now()).toISOString())),
    state: () =>
      withStore(async (store) =>
        await compareFolder(path, await store.prepare(draft, path), { manifest: CODE_FILE })
      ),
    write: ({ force }) =>
      withStore(async (store) => {
        const options = { folder: path, force, ...(within !== undefined && { within }) };
        return !(await store.save(draft, options)).unchanged;
      }),
  };
}

function outputOf(
  what: "skill" | "package",
  { info, files, path, place, warnings }: FolderParts,
  { home }: Context["paths"],
): Omit<Output, "state" | "write"> {
  const file = what === "skill" ? CODE_FILE : "manifest.json";
  const skill = files.get(SKILL_FILE);
  return {
    what,
    server: info.name,
    path,
    place: maskHome(place, home),
    files: sizesOf(files),
    tokens: {
      ...JSON.parse(manifestText(files.get(file)!, file)).tokens,
      ...(skill !== undefined && { skill: estimateTokens(skill) }),
      estimate: TOKENIZER,
    },
    warnings,
  };
}

function sizesOf(files: FileSet): { path: string; bytes: number }[] {
  return [...files].map(([path, text]) => ({ path, bytes: byteLength(text) }));
}

const MAX_REACH_CHARS = 300;

// Flags that reach a server which no configuration names; none where they might hold a secret.
function reachOf(spec: ServerSpec): string | undefined {
  if (spec.origin !== "flag" || spec.transport === "embedded") return undefined;
  const shown = describeSpec(spec);
  if (!/^[\x20-\x7e]+$/.test(shown) || shown.length > MAX_REACH_CHARS) return undefined;
  if (spec.transport === "http") {
    const isOpen = Object.keys(spec.headers).length === 0 && !shown.includes("***");
    return isOpen ? `--http ${shellWord(`${spec.name}=${shown}`)}` : undefined;
  }
  const words = [spec.command, ...spec.args];
  const isOpen = Object.keys(spec.env).length === 0 && spec.cwd === undefined &&
    shown === words.join(" ");
  return isOpen
    ? `--stdio ${shellWord(`${spec.name}=${words.map(shellWord).join(" ")}`)}`
    : undefined;
}
