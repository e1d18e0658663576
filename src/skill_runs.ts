// Runs a program that is kept as a skill: verified, accepted, with arguments that fit and tools that
// are as they were. It may call the servers it was kept with and no other.

import { classifyChange, compareServers } from "./difference.ts";
import { AppError } from "./errors.ts";
import {
  type Invocation,
  type LimitFlagValues,
  limitsOf,
  openServers,
  type PolicyFlagValues,
  type ServerFlagValues,
  withSession,
} from "./flags.ts";
import { type Digest, digestOfJson } from "./hash.ts";
import type { ServerName, SessionId, ToolName } from "./names.ts";
import { logLines } from "./run_output.ts";
import type { JsonObject, ServerInfo } from "./server.ts";
import type { RunOutcome, RunRequest, Session } from "./session.ts";
import type { SkillProgram } from "./skill_metadata.ts";
import { PROGRAM_FILE, programSignature, recordedServers } from "./skill_programs.ts";
import { type Skill, withSkillStore } from "./skills.ts";
import { cleanLine, quoteText } from "./text.ts";

/** The values of the flags that a run of a skill heeds. */
export interface SkillRunFlags extends ServerFlagValues, LimitFlagValues, PolicyFlagValues {
  readonly acceptRoot?: Digest | undefined;
  readonly strictTools?: boolean | undefined;
  readonly trace?: boolean | undefined;
  readonly session?: SessionId | undefined;
  readonly preview?: number | undefined;
  /** Narrows the servers further. */
  readonly server?: readonly string[] | undefined;
}

/** What to run, and what with. */
export interface SkillRun {
  readonly skill: Skill;
  readonly flags: SkillRunFlags;
  /** The command that runs it, for the journal. */
  readonly command: string;
  readonly args?: unknown;
  readonly workspace?: RunRequest["workspace"] | undefined;
}

/** A skill verified and accepted; its warnings have been told. */
export async function loadSkill(
  { context, log, config }: Invocation,
  nameOrPath: string,
  options: { readonly accept?: Digest | undefined } = {},
): Promise<Skill> {
  if (options.accept !== undefined) {
    const { requireUnlocked } = await import("./servers.ts");
    await requireUnlocked(context, { config, what: "Skills accepted" });
  }
  const warn = (message: string) => log.warn(message);
  const skill = await withSkillStore(context, {
    warn,
    work: (store) => store.load(nameOrPath, options),
  });
  skill.warnings.forEach(warn);
  return skill;
}

/**
 * Runs the program of a skill. Throws a `usage` error for a skill that is none, `invalid` for
 * arguments that do not fit, and `integrity` when a tool it uses has changed so that it may break.
 */
export async function runSkill(
  invocation: Invocation,
  run: SkillRun,
): Promise<RunOutcome> {
  const { skill, flags } = run;
  await checkArguments(skill, programOf(skill), run.args);
  const needed = skill.metadata.servers.map((server) => server.name);
  const servers = await openServers(invocation, flags, needed);
  return await withSession(invocation, servers, {
    work: (session) =>
      runIn(session, run, {
        log: invocation.log,
        signal: invocation.context.signal,
        onLog: (entry) => invocation.note(logLines(entry)),
      }),
  });
}

/** What a run in an open session takes from whoever asks for it. */
export type SkillCaller =
  & Pick<RunRequest, "onLog" | "onCall" | "depth" | "fromClient">
  & Pick<Invocation, "log">
  & { readonly signal: AbortSignal };

/** As `runSkill`, with the servers of a session that is open already. */
export async function runSkillIn(
  session: Session,
  run: SkillRun,
  caller: SkillCaller,
): Promise<RunOutcome> {
  await checkArguments(run.skill, programOf(run.skill), run.args);
  return await runIn(session, run, caller);
}

async function runIn(
  session: Session,
  { skill, flags, args, workspace, command }: SkillRun,
  { log, ...request }: SkillCaller,
): Promise<RunOutcome> {
  const program = programOf(skill);
  const only = await checkServers(session, { skill, flags }, { log, signal: request.signal });
  return await session.run({
    ...request,
    source: skill.files.get(PROGRAM_FILE)!,
    path: `${skill.name}/${PROGRAM_FILE}`,
    command,
    servers: only,
    limits: { ...program.limits, ...limitsOf(flags) },
    ...(program.entry !== undefined && { entry: program.entry }),
    ...(args !== undefined && { args }),
    ...(flags.session !== undefined && { session: flags.session }),
    ...(workspace !== undefined && { workspace }),
    ...(flags.preview !== undefined && { preview: flags.preview }),
    ...(flags.trace && { notices: true }),
  });
}

function programOf({ name, metadata, files }: Skill): SkillProgram {
  const { program } = metadata;
  if (program !== undefined && files.has(PROGRAM_FILE)) return program;
  throw new AppError("usage", `Skill "${name}" is no program: it offers a server's tools`, {
    hint: `import them from "/mcp-tools/skills/${name}/index.ts"`,
  });
}

// The servers the run may call, once their tools were found to be as the program knows them.
async function checkServers(
  session: Session,
  { skill, flags }: Pick<SkillRun, "skill" | "flags">,
  { log, signal }: Pick<SkillCaller, "log" | "signal">,
): Promise<ServerName[]> {
  const needed = skill.metadata.servers;
  for (const { name, reach } of needed) {
    if (session.specs.has(name)) continue;
    throw new AppError("usage", `Skill "${skill.name}" needs the server "${name}"`, {
      hint: reach === undefined
        ? "add it to the configuration, or give it by flag"
        : `it was reached as: ${cleanLine(reach)}`,
    });
  }
  const strange = flags.server?.find((name) => needed.every((server) => server.name !== name));
  if (strange !== undefined) {
    throw new AppError("usage", `Skill "${skill.name}" does not use ${quoteText(strange)}`);
  }
  const only = needed.map(({ name }) => name).filter((name) =>
    flags.server === undefined || flags.server.includes(name)
  );
  await Promise.all(
    recordedServers(skill).map(async (before) => {
      if (!only.includes(before.name) || before.tools.length === 0) return;
      const after = await session.bridge.describe(before.name, { signal });
      const warning = checkServer(skill, { before, after, strict: flags.strictTools === true });
      if (warning !== undefined) log.warn(warning);
    }),
  );
  return only;
}

// The tools a program uses, and those that its server has now (K17): one warning where what changed
// does no harm, an `integrity` error that shows what broke.
function checkServer(
  skill: Pick<Skill, "name">,
  { before, after, strict }: {
    readonly before: ServerInfo;
    readonly after: ServerInfo;
    readonly strict: boolean;
  },
): string | undefined {
  const now = new Map(after.tools.map((tool) => [tool.name, tool]));
  const changed = before.tools.map((tool) => ({
    name: tool.name,
    change: classifyChange(tool, now.get(tool.name)),
  })).filter(({ change }) => change !== "none");
  if (changed.length === 0) return undefined;
  const names = new Set<ToolName>(changed.map(({ name }) => name));
  const only = (info: ServerInfo): ServerInfo => ({
    ...info,
    name: before.name,
    tools: info.tools.filter((tool) => names.has(tool.name)),
  });
  const lines = compareServers(only(before), only(after));
  const refused = changed.filter(({ change }) => strict || change === "breaking");
  const shown = (items: typeof changed) =>
    items.map(({ name }) => quoteText(`${before.name}/${name}`)).join(", ");
  if (refused.length === 0) {
    return `Tools that skill "${skill.name}" uses have changed: ${shown(changed)}${
      lines.length === 0 ? "" : ` (${lines.join("; ")})`
    }`;
  }
  throw new AppError(
    "integrity",
    `Tools that skill "${skill.name}" uses have changed: ${shown(refused)}`,
    {
      detail: lines,
      hint: "run the program.ts of its folder to see whether it still fits, then " +
        `mcp-exec skill save ${skill.name} --run last --force`,
    },
  );
}

async function checkArguments(skill: Skill, program: SkillProgram, args: unknown): Promise<void> {
  const { input } = program;
  if (input === undefined) return;
  if (args === undefined) {
    const required = input["required"];
    if (!Array.isArray(required) || required.length === 0) return;
    throw new AppError("invalid", `Skill "${skill.name}" needs --args`, {
      hint: `it is called as ${programSignature(skill.name, program)}`,
    });
  }
  // A program is called as a tool is, and its schema is no more to be trusted than a tool's.
  const { createSchemaChecker } = await import("./validate.ts");
  const name = skill.name as string as ToolName;
  await createSchemaChecker({ warn: () => {} }).checkArguments({
    server: "skill" as ServerName,
    tool: { name, inputSchema: input, digest: digestOfJson(input) },
  }, args as JsonObject);
}
