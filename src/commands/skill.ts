// `skill`: lists skills, shows and verifies what they hold, uses and removes them. Nothing of a
// skill runs before its files were verified and its content accepted.

import { buildCommand } from "@stricli/core";
import { AppError, toAppError } from "../errors.ts";
import { argument, type CommandGroup, type Invocation, switchFlag, textFlag } from "../flags.ts";
import { toRoot } from "../integrity.ts";
import { formatBytes } from "../limits.ts";
import { describeSkill, type SkillDescription, skillLines, toolsOf } from "../skill_views.ts";
import type { Skill, SkillEntry, SkillStore } from "../skills.ts";
import { cleanLine, cleanText, maskHome, quoteText } from "../text.ts";

const NAME = argument("Name of a skill, or the path of its folder", "skill");

/** A positional argument that must be there. */
const ONE = { kind: "tuple", parameters: [NAME] } as const;

async function withStore<Result>(
  { context, log }: Invocation,
  work: (store: SkillStore) => Promise<Result>,
): Promise<Result> {
  const { openSkillStore } = await import("../skills.ts");
  const store = openSkillStore(context, { warn: (message) => log.warn(message) });
  try {
    return await work(store);
  } finally {
    store.close();
  }
}

const list = buildCommand<Record<never, never>, [], Invocation>({
  docs: {
    brief: "Show the skills of all places, and which hide which",
    fullDescription: `Shows every skill of the project (.claude/skills, .agents/skills) and yours
(~/.claude/skills, claude/skills in your configuration folder). Where two have one name, the first
is used. Reads what skills say of themselves; "skill verify" checks them.

EXAMPLES
  mcp-exec skill list
  mcp-exec skill list --format json`,
  },
  parameters: {},
  async func() {
    const { output, log, context: { paths } } = this;
    const { skills, warnings } = await withStore(this, (store) => store.list());
    for (const warning of warnings) log.warn(maskPaths(warning, paths.home));
    const shown = skills.map((skill) => ({
      ...skill,
      folder: maskHome(skill.folder, paths.home),
      description: cleanLine(skill.description, 1_024),
      ...(skill.shadowedBy !== undefined && {
        shadowedBy: maskHome(skill.shadowedBy, paths.home),
      }),
    }));
    if (output.format === "json") return output.document({ ok: true, skills: shown });
    if (shown.length === 0) {
      log.info('No skills: "mcp-exec generate SERVER" writes one, "mcp-exec skill save" another');
    } else output.print(shown.map((skill) => listLine(skill, output.width)).join("\n"));
  },
});

function listLine(skill: SkillEntry, width: number): string {
  const { name, kind, origin, problem, shadowedBy, description } = skill;
  const note = problem ?? (shadowedBy === undefined ? description : `hidden by ${shadowedBy}`);
  const line = `${cleanLine(name, 64).padEnd(24)} ${kind.padEnd(8)} ${origin.padEnd(14)} ${
    cleanLine(note, 1_024)
  }`;
  return line.length > width ? `${line.slice(0, width - 3)}...` : line.trimEnd();
}

const info = buildCommand<Record<never, never>, [skill: string], Invocation>({
  docs: {
    brief: "Show what a skill is, its signature, and the tools it uses",
    fullDescription: `Verifies the files of a skill and shows what it says of itself.

EXAMPLES
  mcp-exec skill info github
  mcp-exec skill info ./team/skills/weekly-report`,
  },
  parameters: { positional: ONE },
  async func(_flags, name) {
    const skill = await withStore(this, (store) => store.inspect(name));
    warn(this, skill);
    print(this, describeSkill(skill, this.context.paths));
  },
});

function warn({ log }: Invocation, { warnings }: Pick<Skill, "warnings">): void {
  for (const warning of warnings) log.warn(warning);
}

function print({ output }: Invocation, description: SkillDescription): void {
  if (output.format === "json") output.document({ ok: true, skill: description });
  else output.print(skillLines(description).join("\n"));
}

interface LoadFlags {
  readonly acceptRoot?: string | undefined;
}

const load = buildCommand<LoadFlags, [skill: string], Invocation>({
  docs: {
    brief: "Verify a skill, then print what it offers",
    customUsage: ["<skill> [--accept-root blake3:HEX]"],
    fullDescription: `Verifies a skill and prints the tools it offers, one signature a line.

EXAMPLES
  mcp-exec skill load github`,
  },
  parameters: {
    flags: {
      acceptRoot: { ...textFlag("Accept the skill if this is its root", "ROOT"), parse: toRoot },
    },
    positional: ONE,
  },
  async func({ acceptRoot }, name) {
    const skill = await withStore(
      this,
      (store) => store.load(name, acceptRoot === undefined ? {} : { accept: toRoot(acceptRoot) }),
    );
    warn(this, skill);
    const tools = toolsOf(skill);
    const { output } = this;
    if (output.format === "json") {
      output.document({ ok: true, skill: describeSkill(skill, this.context.paths), tools });
    } else output.print(tools.map(({ signature }) => cleanLine(signature, 4_000)).join("\n"));
  },
});

interface VerifyFlags {
  readonly accept?: string | undefined;
}

const verify = buildCommand<VerifyFlags, string[], Invocation>({
  docs: {
    brief: "Check that skills are what was written and accepted; accept one",
    customUsage: ["[skill]... [--accept [blake3:HEX]]"],
    fullDescription: `Checks every file of the skills named, or of all that mcp-exec wrote, against
its digest, and whether their content was accepted on this machine. A skill that came with a
checkout or was changed on purpose is accepted with --accept: on a terminal after a look at what it
holds, elsewhere by its root.

EXAMPLES
  mcp-exec skill verify
  mcp-exec skill verify weekly-report --accept
  mcp-exec skill verify weekly-report --accept blake3:6f3d...`,
  },
  parameters: {
    flags: {
      accept: {
        kind: "parsed",
        parse: (text: string) => text === "" ? text : toRoot(text),
        inferEmpty: true,
        brief: "Accept the content of the one skill named",
        placeholder: "[ROOT]",
        optional: true,
      },
    },
    positional: { kind: "array", parameter: NAME },
  },
  async func({ accept }, ...names) {
    if (accept !== undefined && names.length !== 1) {
      throw new AppError("usage", "--accept goes with one skill", {
        hint: "write it behind the name: mcp-exec skill verify NAME --accept",
      });
    }
    await withStore(this, async (store) => {
      if (accept !== undefined) {
        const skill = await store.inspect(names[0]!);
        if (accept === "") await askToAccept(this, skill);
        await store.accept(skill, accept === "" ? skill.root : toRoot(accept));
      }
      await verifyAll(this, store, names);
    });
  },
});

async function askToAccept({ context }: Invocation, skill: Skill): Promise<void> {
  const { root, name } = skill;
  if (context.confirm === undefined) {
    throw new AppError("usage", "There is no terminal to ask on", {
      hint: `read the skill, then mcp-exec skill verify ${name} --accept ${root}`,
    });
  }
  const lines = [...skillLines(describeSkill(skill, context.paths)), "", "files:"];
  for (const [path, text] of skill.files) {
    lines.push(`  ${cleanLine(path)} ${formatBytes(new TextEncoder().encode(text).length)}`);
  }
  const program = skill.files.get("program.ts");
  if (program !== undefined) lines.push("", cleanText(program, 20_000).trimEnd());
  context.writeError(`${lines.join("\n")}\n\n`);
  if (await context.confirm(`Accept this content of skill "${name}"?`)) return;
  throw new AppError("denied", `Skill "${name}" was not accepted`);
}

async function verifyAll(
  { output, log, context: { paths } }: Invocation,
  store: SkillStore,
  names: readonly string[],
): Promise<void> {
  const chosen = names.length > 0
    ? names
    : (await store.list()).skills.filter(({ kind }) => kind !== "document").map((entry) =>
      entry.folder
    );
  const reports: { skill: string; folder?: string; root?: string; error?: AppError }[] = [];
  for (const name of chosen) {
    try {
      const skill = await store.load(name);
      for (const warning of skill.warnings) log.warn(warning);
      const folder = maskHome(skill.folder, paths.home);
      reports.push({ skill: skill.name, folder, root: skill.root });
    } catch (error) {
      reports.push({ skill: maskHome(name, paths.home), error: toAppError(error) });
    }
  }
  const failed = reports.filter((report) => report.error !== undefined);
  if (output.format === "json") output.document({ ok: failed.length === 0, skills: reports });
  else {
    for (const { skill, root } of reports) if (root !== undefined) output.print(`${skill} ${root}`);
  }
  if (chosen.length === 0) log.info("No skills to verify");
  const [first, ...others] = failed;
  if (first === undefined) return;
  const { error } = first;
  throw new AppError(error!.kind, error!.message, {
    ...error,
    detail: [
      ...error!.detail ?? [],
      ...others.map((other) => other.error!.message),
    ],
  });
}

interface RemoveFlags {
  readonly yes?: boolean | undefined;
}

const remove = buildCommand<RemoveFlags, [skill: string], Invocation>({
  docs: {
    brief: "Remove a skill's folder",
    customUsage: ["<skill> [--yes]"],
    fullDescription: `Removes the folder of a skill after asking on the terminal, or with --yes.

EXAMPLES
  mcp-exec skill remove github --yes`,
  },
  parameters: {
    flags: { yes: switchFlag("Do not ask") },
    aliases: { y: "yes" },
    positional: ONE,
  },
  async func({ yes }, name) {
    const { context, output } = this;
    await withStore(this, async (store) => {
      const entry = await store.find(name);
      const folder = maskHome(entry.folder, context.paths.home);
      if (!yes) {
        if (context.confirm === undefined) {
          throw new AppError("usage", `Removing ${quoteText(folder)} needs --yes`, {
            hint: "there is no terminal to ask on",
          });
        }
        if (!await context.confirm(`Remove the ${entry.kind} skill in ${cleanLine(folder)}?`)) {
          throw new AppError("denied", `Skill "${entry.name}" was not removed`);
        }
      }
      await store.remove(entry);
      if (output.format === "json") output.document({ ok: true, removed: folder });
      else output.print(`removed: ${folder}`);
    });
  },
});

// A warning names a path in the middle of its text.
function maskPaths(text: string, home: string | undefined): string {
  return home === undefined || home === "/" ? text : text.replaceAll(`${home}/`, "~/");
}

/** The command `skill`. */
export const command: CommandGroup = {
  description: `Skills are folders that agents read and programs that mcp-exec runs. What mcp-exec
wrote is used only as it was written: every file has a digest, and the content as a whole must have
been accepted on this machine. "generate" writes the skills of servers.

EXAMPLES
  mcp-exec skill list
  mcp-exec skill verify github
  mcp-exec skill remove github`,
  commands: { list, load, info, remove, verify },
};
