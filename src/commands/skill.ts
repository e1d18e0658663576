// `skill`: lists skills, shows and verifies what they hold, uses and removes them. Nothing of a
// skill runs before its files were verified and its content accepted.

import { buildCommand } from "@stricli/core";
import { AppError, toAppError } from "../errors.ts";
import {
  argument,
  choiceFlag,
  type CommandGroup,
  type Invocation,
  LIMIT_FLAGS,
  type LimitFlagValues,
  limitsOf,
  openServers,
  SERVER_FLAGS,
  type ServerFlagValues,
  switchFlag,
  textFlag,
  withSession,
} from "../flags.ts";
import { parseJsonText } from "../jsonc.ts";
import type { Digest } from "../hash.ts";
import { toRoot } from "../integrity.ts";
import { formatBytes } from "../limits.ts";
import { toSkillName } from "../names.ts";
import { countOf, roundMs } from "../render.ts";
import { scopedPlace, type SkillEntry } from "../skill_places.ts";
import type { Skill, SkillStore } from "../skills.ts";
import { byteLength, cleanLine, cleanText, maskHome, quoteText } from "../text.ts";

const NAME = argument("Name of a skill, or the path of its folder", "skill");

/** A positional argument that must be there. */
const ONE = { kind: "tuple", parameters: [NAME] } as const;

async function withStore<T>(
  { context, log }: Invocation,
  work: (store: SkillStore) => Promise<T>,
): Promise<T> {
  const { withSkillStore } = await import("../skills.ts");
  return await withSkillStore(context, { warn: (message) => log.warn(message), work });
}

const list = buildCommand<Record<never, never>, [], Invocation>({
  docs: {
    brief: "Show the skills of all places, and which hide which",
    fullDescription: `Shows every skill of the project (.claude/skills, .agents/skills) and yours
(~/.claude/skills, claude/skills in your configuration folder), and those written with --output.
Where two have one name, the first is used. Reads what skills say of themselves; "skill verify"
checks them.

EXAMPLES
  mcp-exec skill list
  mcp-exec skill list --format json`,
  },
  parameters: {},
  async func() {
    const { output, log, context: { paths } } = this;
    const { skills, warnings } = await withStore(this, (store) => store.list());
    for (const warning of warnings) log.warn(maskHome(warning, paths.home));
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
  const { name, kind, origin, problem, shadowedBy, description, folder } = skill;
  const about = origin === "output" ? `${folder}: ${description}` : description;
  const note = problem ?? (shadowedBy === undefined ? about : `hidden by ${shadowedBy}`);
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
    const { context, log, output } = this;
    const skill = await withStore(this, (store) => store.inspect(name));
    for (const warning of skill.warnings) log.warn(warning);
    const { describeSkill, skillLines } = await import("../skill_views.ts");
    const description = describeSkill(skill, context.paths);
    if (output.format === "json") output.document({ ok: true, skill: description });
    else output.print(skillLines(description).join("\n"));
  },
});

interface LoadFlags extends ServerFlagValues, LimitFlagValues {
  readonly args?: string | undefined;
  readonly acceptRoot?: Digest | undefined;
  readonly strictTools?: boolean | undefined;
  readonly trace?: boolean | undefined;
}

const load = buildCommand<LoadFlags, [skill: string], Invocation>({
  docs: {
    brief: "Verify a skill, then run its program or print what it offers",
    customUsage: ["<skill> [--args JSON] [--accept-root blake3:HEX] [limits] [server flags]"],
    fullDescription: `Verifies a skill. The program of one that is a program is run with --args, as
"execute" does; of another the tools are printed, one signature a line.

EXAMPLES
  mcp-exec skill load github
  mcp-exec skill load weekly-report --args '{"days": 7}'`,
  },
  parameters: {
    flags: {
      args: textFlag("JSON value that the program is called with", "JSON"),
      acceptRoot: {
        ...textFlag("Accept the skill if this is its root", "blake3:HEX"),
        parse: toRoot,
      },
      strictTools: switchFlag("Run only if no tool it uses has changed at all"),
      trace: switchFlag("List every tool call on stderr, with what servers told meanwhile"),
      ...LIMIT_FLAGS,
      ...SERVER_FLAGS,
    },
    positional: ONE,
  },
  async func(flags, name) {
    const args = flags.args === undefined ? undefined : await parseJsonText(flags.args, "--args");
    const { loadSkill, runSkill } = await import("../skill_runs.ts");
    const skill = await loadSkill(this, name, { accept: flags.acceptRoot });
    if (skill.metadata.kind === "program") {
      const outcome = await runSkill(this, { skill, flags, args, command: "skill load" });
      const { showRun, showTrace } = await import("../run_output.ts");
      if (flags.trace) showTrace(this, outcome);
      return showRun(this, outcome);
    }
    if (args !== undefined) {
      throw new AppError("usage", `Skill "${skill.name}" is no program: it takes no --args`);
    }
    const { describeSkill, toolsOf } = await import("../skill_views.ts");
    const tools = toolsOf(skill);
    const { output } = this;
    if (output.format === "json") {
      output.document({ ok: true, skill: describeSkill(skill, this.context.paths), tools });
    } else output.print(tools.map(({ signature }) => signature).join("\n"));
  },
});

interface VerifyFlags extends ServerFlagValues, LimitFlagValues {
  readonly accept?: string | undefined;
  readonly run?: boolean | undefined;
  readonly strictTools?: boolean | undefined;
}

const verify = buildCommand<VerifyFlags, string[], Invocation>({
  docs: {
    brief: "Check that skills are what was written and accepted; accept one",
    customUsage: ["[skill]... [--accept [blake3:HEX]] [--run [--strict-tools] [server flags]]"],
    fullDescription: `Checks every file of the skills named, or of all that mcp-exec wrote, against
its digest, and whether their content was accepted on this machine. A skill that came with a
checkout is accepted with --accept: on a terminal after a look at what it holds, elsewhere by its
root. One that was changed by hand is saved or generated anew, with --force. With --run the program
of the skill named is run with the arguments it was kept with, and must end well with the result it
had then, where that is known.

EXAMPLES
  mcp-exec skill verify
  mcp-exec skill verify weekly-report --accept
  mcp-exec skill verify weekly-report --accept blake3:6f3d...
  mcp-exec skill verify weekly-report --run`,
  },
  parameters: {
    flags: {
      accept: {
        kind: "parsed",
        parse: (text: string) => text === "" ? text : toRoot(text),
        inferEmpty: true,
        brief: "Accept the content of the one skill named",
        placeholder: "[blake3:HEX]",
        optional: true,
      },
      run: switchFlag("Run the program of the one skill named with its recorded arguments"),
      strictTools: switchFlag("With --run: only if no tool it uses has changed at all"),
      ...LIMIT_FLAGS,
      ...SERVER_FLAGS,
    },
    positional: { kind: "array", parameter: NAME },
  },
  async func({ accept, run, ...flags }, ...names) {
    if (run && names.length !== 1) throw new AppError("usage", "--run goes with one skill");
    if (accept !== undefined && names.length !== 1) {
      throw new AppError("usage", "--accept goes with one skill", {
        hint: "write it behind the name: mcp-exec skill verify NAME --accept",
      });
    }
    if (accept !== undefined) {
      const { requireUnlocked } = await import("../servers.ts");
      await requireUnlocked(this.context, { config: this.config, what: "Skills accepted" });
    }
    await withStore(this, async (store) => {
      if (accept !== undefined) {
        const skill = await store.inspect(names[0]!);
        if (accept === "") await askToAccept(this, skill);
        await store.accept(skill, accept === "" ? skill.root : toRoot(accept));
      }
      if (!run) await verifyAll(this, store, names);
    });
    if (run) await replay(this, names[0]!, flags);
  },
});

async function replay(invocation: Invocation, name: string, flags: VerifyFlags): Promise<void> {
  const { loadSkill, runSkill } = await import("../skill_runs.ts");
  const { runLine } = await import("../run_output.ts");
  const skill = await loadSkill(invocation, name);
  const args = skill.metadata.program?.example?.args;
  const outcome = await runSkill(invocation, { skill, flags, args, command: "skill verify" });
  const { output, note, log } = invocation;
  for (const warning of outcome.warnings) log.warn(warning);
  if (outcome.error !== undefined) throw outcome.error;
  const { run, value, ms } = outcome;
  const recorded = skill.metadata.program?.example?.result;
  const { compareResults, recordResult } = await import("../recorded_result.ts");
  const differences = recorded && compareResults(recorded, recordResult(value, { args }));
  const isSame = differences?.length === 0;
  if (output.format === "json") {
    const { name, root } = skill;
    const comparison = differences === undefined ? "none" : isSame ? "same" : "differs";
    const report = {
      skill: name,
      root,
      run,
      result: value,
      comparison,
      differences,
      ms: roundMs(ms),
    };
    output.document({ ok: comparison !== "differs", skills: [report] });
  } else if (differences === undefined || isSame) {
    output.print(`${skill.name} ${skill.root}`);
  }
  if (differences !== undefined && !isSame) {
    throw new AppError("stale", `Skill "${skill.name}" no longer gives its recorded result`, {
      detail: differences.map((line) => cleanLine(line, 1_000)),
      hint: `if the new one is right: mcp-exec skill save ${skill.name} --run ${run} --force` +
        `${args === undefined ? "" : " --args JSON"}`,
    });
  }
  note([
    `${skill.name} ran well with its recorded arguments${
      isSame ? " and gave its recorded result" : "; no result was recorded with them"
    }: ${runLine(outcome)}`,
  ]);
}

async function askToAccept({ context }: Invocation, skill: Skill): Promise<void> {
  const { root, name } = skill;
  if (context.confirm === undefined) {
    throw new AppError("usage", "There is no terminal to ask on", {
      hint: `read the skill, then mcp-exec skill verify ${name} --accept ${root}`,
    });
  }
  const { describeSkill, skillLines } = await import("../skill_views.ts");
  const lines = [...skillLines(describeSkill(skill, context.paths)), "", "files:"];
  for (const [path, text] of skill.files) {
    lines.push(`  ${cleanLine(path)} ${formatBytes(byteLength(text))}`);
  }
  // Both may run: the text of a program, and what others import, which may say something else.
  for (const path of ["program.ts", "module.js"]) {
    const text = skill.files.get(path);
    if (text !== undefined) lines.push("", `${path}:`, cleanText(text, 20_000).trimEnd());
  }
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

const SCOPES = ["project", "user"] as const;

interface SaveFlags extends ServerFlagValues, LimitFlagValues {
  readonly run?: string | undefined;
  readonly file?: string | undefined;
  readonly args?: string | undefined;
  readonly entry?: string | undefined;
  readonly description?: string | undefined;
  readonly scope?: (typeof SCOPES)[number] | undefined;
  readonly output?: string | undefined;
  readonly force?: boolean | undefined;
}

const save = buildCommand<SaveFlags, [name: string], Invocation>({
  docs: {
    brief: "Keep a program that worked as a skill, to run it again by name",
    customUsage: ["<name> (--run ID | --run last | --file FILE) [--args JSON] [--scope user]"],
    fullDescription: `Keeps the program of a run, out of the journal, or of a file as a skill: its
text, what it is called with, and the tools it uses as they are now. It does not run again for
that. --args is an example of what it is called with; a program that exports a JSON Schema as
"input" says so itself. "mcp-exec execute NAME --args JSON" runs it.

EXAMPLES
  mcp-exec skill save weekly-report --run last --args '{"days": 7}'
  mcp-exec skill save weekly-report --file report.ts --scope user`,
  },
  parameters: {
    flags: {
      run: textFlag('Run to keep: its id, or "last"', "ID"),
      file: textFlag("Program to keep, instead of a run", "FILE"),
      args: textFlag("Example of what the program is called with", "JSON"),
      entry: textFlag("Export that is the result, instead of the default one", "NAME"),
      description: textFlag("What the skill is for and when to use it", "TEXT"),
      scope: choiceFlag("Keep it for this project or for all of yours (project)", SCOPES),
      output: textFlag("Folder of the skill; its last part is the name", "DIR"),
      force: switchFlag("Replace a program of that name"),
      ...LIMIT_FLAGS,
      ...SERVER_FLAGS,
    },
    positional: { kind: "tuple", parameters: [argument("Name of the skill", "name")] },
  },
  async func(flags, text) {
    const name = toSkillName(text);
    const { output, scope } = flags;
    if (output !== undefined && scope !== undefined) {
      throw new AppError("usage", "--output and --scope exclude each other");
    }
    const args = flags.args === undefined ? undefined : await parseJsonText(flags.args, "--args");
    const servers = await openServers(this, flags);
    await withStore(this, (store) =>
      withSession(this, servers, {
        work: async (session) => {
          const { draftProgram } = await import("../skill_saving.ts");
          const { home } = this.context.paths;
          const request = { ...flags, name, args, limits: limitsOf(flags) };
          const warn = (message: string) => this.log.warn(message);
          const draft = await draftProgram({ session, store, home, warn }, request);
          const place = scopedPlace(this.context, scope ?? "project");
          const saved = await store.save(draft, {
            folder: output ?? `${place.folder}/${name}`,
            force: flags.force === true,
            ...(output === undefined && { within: place.within }),
          });
          const skill = await store.load(saved.folder);
          await showSaved(this, skill, saved.unchanged ? "unchanged" : "written");
        },
      }));
  },
});

async function showSaved(
  { context, output, note }: Invocation,
  skill: Skill,
  state: "written" | "unchanged",
): Promise<void> {
  const { describeSkill } = await import("../skill_views.ts");
  const description = describeSkill(skill, context.paths);
  if (output.format === "json") {
    return output.document({ ok: true, state, skill: description });
  }
  const count = description.servers.reduce((sum, { tools }) => sum + tools.length, 0);
  // As "generate" shows what it wrote.
  const { cwd } = context;
  const { folder, signature, example } = description;
  const shown = skill.folder.startsWith(`${cwd}/`) ? `.${skill.folder.slice(cwd.length)}` : folder;
  output.print(`${skill.name}: program, ${countOf(count, "tool")}, ${state}: ${cleanLine(shown)}`);
  note([`call it as ${signature}: ${example?.command ?? `mcp-exec execute ${skill.name}`}`]);
}

/** The command `skill`. */
export const command: CommandGroup = {
  description: `Skills are folders that agents read and programs that mcp-exec runs. What mcp-exec
wrote is used only as it was written: every file has a digest, and the content as a whole must have
been accepted on this machine. "generate" writes the skills of servers, "skill save" keeps programs.

EXAMPLES
  mcp-exec skill list
  mcp-exec skill save weekly-report --run last
  mcp-exec skill verify github
  mcp-exec skill remove github`,
  commands: { list, load, info, remove, verify, save },
};
