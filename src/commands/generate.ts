// `generate`: writes the tools of servers as skills, as TypeScript packages, or as the types of
// imports. Writes nothing when nothing has changed, and replaces nothing that it did not make.

import { buildCommand } from "@stricli/core";
import { AppError } from "../errors.ts";
import {
  argument,
  choiceFlag,
  chooseServer,
  type Invocation,
  isServerUrl,
  openServers,
  SERVER_FLAGS,
  type ServerFlagValues,
  switchFlag,
  textFlag,
  withSession,
} from "../flags.ts";
import { formatBytes, MAX_DIFFERENCE_LINES } from "../limits.ts";
import { type SkillName, toSkillName } from "../names.ts";
import type { FolderState } from "../output_folder.ts";
import type { Output } from "../outputs.ts";
import { countOf } from "../render.ts";
import type { ServerInfo } from "../server.ts";
import type { ServerSet } from "../servers.ts";
import type { Session } from "../session.ts";

const FEATURES = ["skills", "wasm"] as const;
const SCOPES = ["project", "user"] as const;

interface Flags extends ServerFlagValues {
  readonly feature?: (typeof FEATURES)[number] | undefined;
  readonly scope?: (typeof SCOPES)[number] | undefined;
  readonly output?: string | undefined;
  readonly name?: SkillName | undefined;
  readonly description?: string | undefined;
  readonly types?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly check?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly all?: boolean | undefined;
}

const SHOWN_FILES = 30;

/** The command `generate`. */
export const command = buildCommand<Flags, string[], Invocation>({
  docs: {
    brief: "Write a server's tools as a skill for agents, or as TypeScript",
    customUsage: ["[server]... [--feature skills|wasm] [--output DIR] [--types FILE] [--check]"],
    fullDescription: `Writes a skill for each server into .claude/skills of the project: SKILL.md,
which teaches an agent to find a tool and to run a program, a reference of all tools and their
TypeScript package. With --feature wasm only the package, into ./mcp-tools/servers/<server>:
TypeScript as well, for programs that the WebAssembly sandbox runs. With --types FILE the types of
"mcp:" imports for editors. What is up to date is left as it is. Programs need none of this to run.

EXAMPLES
  mcp-exec generate demo
  mcp-exec generate github --scope user --name github-work
  mcp-exec generate github --check
  mcp-exec generate github linear --types mcp-exec.d.ts
  mcp-exec generate --stdio "npx -y @modelcontextprotocol/server-memory" --dry-run
  mcp-exec generate --all --feature wasm`,
  },
  parameters: {
    flags: {
      feature: choiceFlag(
        "What to write: skills, or wasm for the TypeScript packages alone",
        FEATURES,
      ),
      scope: choiceFlag("Write skills for this project or for all of yours", SCOPES),
      output: textFlag("Folder to write; with several servers the one that holds theirs", "DIR"),
      name: { ...textFlag("Name of the skill and its folder", "NAME"), parse: toSkillName },
      description: textFlag("What the skill is for and when to use it", "TEXT"),
      types: textFlag("Write the types of imports into this file", "FILE"),
      dryRun: switchFlag("Show what would be written"),
      check: switchFlag("Write nothing; fail and show what differs unless all is up to date"),
      force: switchFlag("Replace what something else made"),
      all: switchFlag("Write for every configured server"),
      ...SERVER_FLAGS,
    },
    positional: {
      kind: "array",
      parameter: argument("Names or URLs of servers", "server"),
    },
  },
  async func(flags, ...names) {
    checkFlags(flags, names);
    const servers = await openServers(this, flags, flags.all ? undefined : names);
    const named = names.filter((name) => !isServerUrl(name));
    const choices = named.map((name) => chooseServer(servers, name));
    if (choices.length === 0 && servers.adHoc.length === 0 && !flags.all) {
      chooseServer(servers, undefined);
    }
    await withSession(this, servers, {
      work: async (session) => {
        const chosen = new Set(
          flags.all
            ? session.bridge.servers
            : [...choices.map((choose) => choose(session)), ...session.adHoc],
        );
        if (chosen.size > 1 && (flags.name ?? flags.description) !== undefined) {
          throw new AppError("usage", "--name and --description go with one server");
        }
        const infos: ServerInfo[] = [];
        for (const name of chosen) infos.push(await session.bridge.describe(name));
        const outputs = await planOutputs(this, session, { infos, flags });
        if (flags.check) await check(this, outputs);
        else await write(this, outputs, flags);
        if (!flags.check && !flags.dryRun) await tellCosts(this, infos, servers);
      },
    });
  },
});

/** Says what a client pays in each session for servers that a skill now stands for. */
async function tellCosts(
  { log }: Invocation,
  infos: readonly ServerInfo[],
  { found }: ServerSet,
): Promise<void> {
  for (const info of infos) {
    const entry = found.find(({ name, state }) => name === info.name && state === "used");
    if (entry?.file.scope !== "user") continue;
    const { definitionTokens } = await import("../stats.ts");
    const tokens = definitionTokens(info).toLocaleString("en-US");
    log.info(
      `${entry.file.title} still loads the ${
        countOf(info.tools.length, "tool")
      } of "${info.name}" ` +
        `in each session, about ${tokens} tokens: mcp-exec server import ${info.name} --move`,
    );
  }
}

// The types of imports alone, when nothing else is asked for.
function isTypesOnly({ types, feature }: Flags): boolean {
  return types !== undefined && feature === undefined;
}

function checkFlags(flags: Flags, names: readonly string[]): void {
  const refuse = (message: string): never => {
    throw new AppError("usage", message);
  };
  if (flags.all && names.length > 0) refuse("--all goes without names of servers");
  if (flags.check && (flags.dryRun || flags.force)) {
    refuse("--check goes neither with --dry-run nor with --force");
  }
  if (flags.output !== undefined && flags.scope !== undefined) {
    refuse("--output and --scope exclude each other");
  }
  const isSkill = flags.feature !== "wasm" && !isTypesOnly(flags);
  for (const flag of ["name", "description", "scope"] as const) {
    if (flags[flag] !== undefined && !isSkill) refuse(`--${flag} goes with skills only`);
  }
  if (flags.output !== undefined && isTypesOnly(flags)) {
    refuse("--output goes with --feature: --types names its own file");
  }
}

async function planOutputs(
  { context, log }: Invocation,
  session: Session,
  { infos, flags }: { readonly infos: readonly ServerInfo[]; readonly flags: Flags },
): Promise<Output[]> {
  const { packageOutput, skillOutput, typesOutput } = await import("../outputs.ts");
  const many = flags.all === true || infos.length > 1;
  const outputs: Output[] = [];
  for (const info of isTypesOnly(flags) ? [] : infos) {
    const spec = session.specs.get(info.name)!;
    outputs.push(
      flags.feature === "wasm"
        ? packageOutput(context, info, { output: flags.output, many })
        : skillOutput(context, { info, spec }, { ...flags, many }),
    );
  }
  const [first, second] = outputs.filter(({ path }, at) =>
    outputs.some((other, index) => index !== at && other.path === path)
  );
  if (first !== undefined) {
    throw new AppError(
      "usage",
      `Servers "${first.server}" and "${second!.server}" would be written to one folder`,
      { hint: "write them one by one, each with --name" },
    );
  }
  if (flags.types !== undefined) outputs.push(typesOutput(context, infos, flags.types));
  for (const { warnings } of outputs) for (const warning of warnings) log.warn(warning);
  return outputs;
}

async function write(
  { output: shown }: Invocation,
  outputs: readonly Output[],
  flags: Flags,
): Promise<void> {
  const reports: (Report & { readonly changes?: FolderState })[] = [];
  for (const output of outputs) {
    if (flags.dryRun) {
      const changes = await output.state();
      const state = changes.files.length === 0 ? "unchanged" : "not written";
      reports.push({ ...reportOf(output, state), changes });
    } else {
      const isWritten = await output.write({ force: flags.force === true });
      reports.push(reportOf(output, isWritten ? "written" : "unchanged"));
    }
  }
  if (shown.format === "json") shown.document({ ok: true, outputs: reports });
  else for (const report of reports) shown.print(reportText(report));
}

/** Throws a `stale` error that says what differs, unless everything is up to date. */
async function check({ output: shown }: Invocation, outputs: readonly Output[]): Promise<void> {
  const states = await Promise.all(outputs.map(async (output) => ({
    output,
    state: await output.state(),
  })));
  const stale = states.filter(({ state }) => state.files.length > 0);
  if (stale.length === 0) {
    const reports = outputs.map((output) => reportOf(output, "up to date"));
    if (shown.format === "json") shown.document({ ok: true, outputs: reports });
    else for (const { place } of outputs) shown.print(`up to date: ${place}`);
    return;
  }
  const [first] = stale;
  const message = stale.length > 1
    ? `${stale.length} of ${outputs.length} outputs are not up to date`
    : first!.state.exists
    ? `"${first!.output.place}" is not up to date`
    : `"${first!.output.place}" is not there`;
  const detail = stale.flatMap(({ output, state }) => [
    ...(stale.length > 1 ? [`${output.place}${state.exists ? ":" : " is not there"}`] : []),
    ...(!state.exists ? [] : state.tools.length > 0 ? state.tools : bounded(state.files)),
  ]);
  throw new AppError("stale", message, { detail, hint: "run it without --check to write it" });
}

function bounded(lines: readonly string[]): string[] {
  const left = lines.length - MAX_DIFFERENCE_LINES;
  return [...lines.slice(0, MAX_DIFFERENCE_LINES), ...(left > 0 ? [`and ${left} more`] : [])];
}

type Report = Pick<Output, "what" | "server" | "files" | "tokens"> & {
  readonly folder: string;
  readonly state: "written" | "unchanged" | "not written" | "up to date";
};

function reportOf({ what, server, files, tokens, place }: Output, state: Report["state"]): Report {
  return {
    what,
    ...(server !== undefined && { server }),
    folder: place,
    state,
    files,
    ...(tokens !== undefined && { tokens }),
  };
}

function reportText(report: Report & { readonly changes?: FolderState }): string {
  const { what, server, folder, state, files, tokens, changes } = report;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const name = server === undefined ? what : `${server}: ${what}`;
  const lines = [
    `${name}, ${countOf(files.length, "file")}, ${formatBytes(bytes)}, ${state}: ${folder}`,
  ];
  if (changes !== undefined) {
    for (const line of [...changes.tools, ...bounded(changes.files)]) lines.push(`  ${line}`);
  } else if (server !== undefined) {
    for (const { path } of files.slice(0, SHOWN_FILES)) lines.push(`  ${path}`);
    if (files.length > SHOWN_FILES) lines.push(`  and ${files.length - SHOWN_FILES} more`);
  }
  if (tokens !== undefined) {
    const skill = tokens["skill"] === undefined ? "" : `${tokens["skill"]} as SKILL.md, `;
    lines.push(
      `tokens to read all tools: ${tokens["definition"]} as schemas, ${
        tokens["module"]
      } as modules, ` +
        `${tokens["signature"]} as signatures, ${skill}${tokens["summary"]} as summaries ` +
        `(${tokens["estimate"]})`,
    );
  }
  return lines.join("\n");
}
