// `execute`: runs one program in the sandbox and prints what it gave. The program's text is never
// changed here, and nothing of it is evaluated outside the sandbox.

import { buildCommand } from "@stricli/core";
import { AppError } from "../errors.ts";
import { startExecutor } from "../executor.ts";
import {
  argument,
  chooseServer,
  type Invocation,
  LIMIT_FLAGS,
  type LimitFlagValues,
  limitsOf,
  listFlag,
  openServers,
  POLICY_FLAGS,
  type PolicyFlagValues,
  PREVIEW_FLAG,
  SERVER_FLAGS,
  type ServerFlagValues,
  switchFlag,
  textFlag,
  withSession,
} from "../flags.ts";
import type { Digest } from "../hash.ts";
import { toRoot } from "../integrity.ts";
import { parseJsonText } from "../jsonc.ts";
import { MAX_SOURCE_BYTES } from "../limits.ts";
import { readTextFile } from "../read.ts";
import { logLines, showRun, showTrace } from "../run_output.ts";
import { type SessionId, toSessionId } from "../names.ts";
import type { WorkspaceOptions } from "../workspace.ts";

interface Flags extends ServerFlagValues, LimitFlagValues, PolicyFlagValues {
  readonly code?: string | undefined;
  readonly entry?: string | undefined;
  readonly args?: string | undefined;
  readonly server?: readonly string[] | undefined;
  readonly session?: SessionId | undefined;
  readonly trace?: boolean | undefined;
  readonly preview?: number | undefined;
  readonly workspace?: string | undefined;
  readonly workspaceWrite?: string | undefined;
  readonly acceptRoot?: Digest | undefined;
  readonly strictTools?: boolean | undefined;
}

/** The command `execute`. */
export const command = buildCommand<Flags, [file?: string], Invocation>({
  docs: {
    brief: "Run a TypeScript program in the sandbox, with servers to call",
    customUsage: [
      "(FILE | SKILL | - | -e CODE) [--args JSON] [--server NAME]... [limits] [server flags]",
    ],
    fullDescription: `Runs a program and prints its result: the default export, or what a body that
ends in "return" gives. A function is called with --args. The program may call every configured
server, or only those named with --server; it reaches nothing else. A name without a slash or an
ending is that of a skill: its program runs once its files and the tools it uses are found unchanged.

  import { listIssues } from "mcp:demo";      // typed functions of a server
  import { callTool } from "mcp:host";        // also a global: callTool(server, tool, params)

Text prints a string as it is and anything else as JSON; console and progress go to stderr.

EXAMPLES
  mcp-exec execute program.ts --args '{"days": 7}'
  mcp-exec execute -e 'return (await callTool("demo", "list_users")).length'
  mcp-exec execute weekly-report --args '{"days": 7}'
  mcp-exec execute - --server github --timeout 2m < program.ts
  mcp-exec execute -e 'return await callTool("demo", "export_project", {project: "PAY"})' --preview 2000
  mcp-exec execute -e 'return listFiles("/workspace")' --workspace .`,
  },
  parameters: {
    flags: {
      code: textFlag("The program itself, instead of a file", "CODE"),
      entry: textFlag("Export that is the result, instead of the default one", "NAME"),
      args: textFlag("JSON value for a result that is a function", "JSON"),
      server: listFlag("Let the program call this server only", "NAME"),
      session: {
        ...textFlag("Keep what setState is given under this name for later runs", "ID"),
        parse: toSessionId,
      },
      trace: switchFlag("List every tool call on stderr, with what servers told meanwhile"),
      preview: PREVIEW_FLAG,
      workspace: textFlag("Folder that the program may read as /workspace", "DIR"),
      workspaceWrite: textFlag("The same, and it may write there with writeFile", "DIR"),
      acceptRoot: {
        ...textFlag("Accept the skill if this is its root", "blake3:HEX"),
        parse: toRoot,
      },
      strictTools: switchFlag("Run the skill only if no tool it uses has changed at all"),
      ...POLICY_FLAGS,
      ...LIMIT_FLAGS,
      ...SERVER_FLAGS,
    },
    aliases: { e: "code" },
    positional: {
      kind: "tuple",
      parameters: [{
        ...argument('File, "-" for standard input, or a skill', "program"),
        optional: true,
      }],
    },
  },
  async func(flags, file) {
    const args = flags.args === undefined ? undefined : await parseJsonText(flags.args, "--args");
    if (flags.code === undefined && file !== undefined && isSkillName(file)) {
      return await executeSkill(this, file, { flags, args });
    }
    for (const flag of ["acceptRoot", "strictTools"] as const) {
      if (flags[flag] === undefined) continue;
      const name = flag === "acceptRoot" ? "--accept-root" : "--strict-tools";
      throw new AppError("usage", `${name} goes with a skill`);
    }
    const program = await readProgram(this, flags.code, file);
    const workspace = workspaceOf(this, flags);
    // Its worker starts while servers and database are opened.
    const executor = this.warm === undefined ? startExecutor(this.context) : undefined;
    try {
      const servers = await openServers(this, flags, flags.server);
      const choices = flags.server?.map((name) => chooseServer(servers, name));
      await withSession(this, servers, {
        ...(executor !== undefined && { executor }),
        work: async (session) => {
          const outcome = await session.run({
            ...program,
            command: "execute",
            limits: limitsOf(flags),
            ...(flags.entry !== undefined && { entry: flags.entry }),
            ...(args !== undefined && { args }),
            ...(flags.session !== undefined && { session: flags.session }),
            ...(workspace !== undefined && { workspace }),
            ...(flags.preview !== undefined && { preview: flags.preview }),
            ...(choices !== undefined && { servers: choices.map((choose) => choose(session)) }),
            ...(flags.trace && { notices: true }),
            onLog: (entry) => this.note(logLines(entry)),
          });
          if (flags.trace) showTrace(this, outcome);
          showRun(this, outcome);
        },
      });
    } finally {
      await executor?.close();
    }
  },
});

// A slash or an ending makes it a file.
function isSkillName(text: string): boolean {
  return !["-", "", ".", ".."].includes(text) && !/[/\\]|\.[A-Za-z]+$/.test(text);
}

async function executeSkill(
  invocation: Invocation,
  name: string,
  { flags, args }: { readonly flags: Flags; readonly args: unknown },
): Promise<void> {
  if (flags.entry !== undefined) {
    throw new AppError("usage", "--entry goes with a file: a skill has its own");
  }
  const { loadSkill, runSkill } = await import("../skill_runs.ts");
  const skill = await loadSkill(invocation, name, { accept: flags.acceptRoot });
  const workspace = workspaceOf(invocation, flags);
  const command = "execute";
  const outcome = await runSkill(invocation, { skill, flags, args, workspace, command });
  if (flags.trace) showTrace(invocation, outcome);
  showRun(invocation, outcome);
}

function workspaceOf(
  { context }: Pick<Invocation, "context">,
  { workspace, workspaceWrite }: Flags,
): WorkspaceOptions | undefined {
  const folder = workspaceWrite ?? workspace;
  if (folder === undefined) return undefined;
  if (workspace === undefined || workspaceWrite === undefined) {
    return { folder, from: context.cwd, writable: workspaceWrite !== undefined };
  }
  throw new AppError("usage", "Give --workspace or --workspace-write, not both");
}

interface ProgramText {
  readonly source: string;
  /** What errors call it. */
  readonly path: string;
}

async function readProgram(
  { context }: Invocation,
  code: string | undefined,
  file: string | undefined,
): Promise<ProgramText> {
  if ((code === undefined) === (file === undefined) || file === "") {
    throw new AppError("usage", "Give one program: a file, - for standard input, or -e CODE");
  }
  if (code !== undefined) return { source: code, path: "code.ts" };
  if (file === "-") {
    const bytes = await context.readInput(MAX_SOURCE_BYTES);
    try {
      return { source: new TextDecoder("utf-8", { fatal: true }).decode(bytes), path: "stdin.ts" };
    } catch {
      throw new AppError("invalid", "Program on standard input is not valid UTF-8 text");
    }
  }
  const options = { maxBytes: MAX_SOURCE_BYTES, from: context.cwd };
  return { source: await readTextFile(file!, options), path: file! };
}
