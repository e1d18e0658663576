// `execute`: runs one program in the sandbox and prints what it gave. The program's text is never
// changed here, and nothing of it is evaluated outside the sandbox.

import { buildCommand } from "@stricli/core";
import { readTextFile } from "../disk.ts";
import { AppError } from "../errors.ts";
import {
  argument,
  chooseServer,
  type Invocation,
  LIMIT_FLAGS,
  type LimitFlagValues,
  limitsOf,
  listFlag,
  openServers,
  parseJsonText,
  SERVER_FLAGS,
  type ServerFlagValues,
  switchFlag,
  textFlag,
  withSession,
} from "../flags.ts";
import { MAX_SOURCE_BYTES } from "../limits.ts";
import { callLines, logLines, runDocument, runLine } from "../render.ts";
import type { RunOutcome } from "../session.ts";
import { quoteText } from "../text.ts";
import type { WorkspaceOptions } from "../workspace.ts";

interface Flags extends ServerFlagValues, LimitFlagValues {
  readonly code?: string | undefined;
  readonly entry?: string | undefined;
  readonly args?: string | undefined;
  readonly server?: readonly string[] | undefined;
  readonly trace?: boolean | undefined;
  readonly workspace?: string | undefined;
  readonly workspaceWrite?: string | undefined;
}

/** The command `execute`. */
export const command = buildCommand<Flags, [file?: string], Invocation>({
  docs: {
    brief: "Run a TypeScript program in the sandbox, with servers to call",
    customUsage: ["(FILE | - | -e CODE) [--args JSON] [--server NAME]... [limits] [server flags]"],
    fullDescription: `Runs a program and prints its result: the default export, or what a body that
ends in "return" gives. A function is called with --args. The program may call every configured
server, or only those named with --server; it reaches nothing else.

  import { listIssues } from "mcp:demo";      // typed functions of a server
  import { callTool } from "mcp:host";        // also a global: callTool(server, tool, params)

Text prints a string as it is and anything else as JSON; console and progress go to stderr.

EXAMPLES
  mcp-exec execute program.ts --args '{"days": 7}'
  mcp-exec execute -e 'return (await callTool("demo", "list_users")).length'
  mcp-exec execute - --server github --timeout 2m < program.ts
  mcp-exec execute -e 'return listFiles("/workspace")' --workspace .`,
  },
  parameters: {
    flags: {
      code: textFlag("The program itself, instead of a file", "CODE"),
      entry: textFlag("Export that is the result, instead of the default one", "NAME"),
      args: textFlag("JSON value for a result that is a function", "JSON"),
      server: listFlag("Let the program call this server only", "NAME"),
      trace: switchFlag("List every tool call on stderr"),
      workspace: textFlag("Folder that the program may read as /workspace", "DIR"),
      workspaceWrite: textFlag("The same, and it may write there with writeFile", "DIR"),
      ...LIMIT_FLAGS,
      ...SERVER_FLAGS,
    },
    aliases: { e: "code" },
    positional: {
      kind: "tuple",
      parameters: [{ ...argument('File, or "-" for standard input', "file"), optional: true }],
    },
  },
  async func(flags, file) {
    const args = flags.args === undefined ? undefined : await parseJsonText(flags.args, "--args");
    const program = await readProgram(this, flags.code, file);
    const workspace = workspaceOf(flags);
    const servers = await openServers(this, flags);
    const choices = flags.server?.map((name) => chooseServer(servers, name));
    await withSession(this, servers, {
      work: async (session) => {
        const outcome = await session.run({
          ...program,
          command: "execute",
          limits: limitsOf(flags),
          ...(flags.entry !== undefined && { entry: flags.entry }),
          ...(args !== undefined && { args }),
          ...(workspace !== undefined && { workspace }),
          ...(choices !== undefined && { servers: choices.map((choose) => choose(session)) }),
          onLog: (entry) => this.note(logLines(entry)),
        });
        if (flags.trace) {
          this.note(callLines(outcome.calls, Infinity).map((line) => `[call] ${line}`));
        }
        showRun(this, outcome);
      },
    });
  },
});

function workspaceOf({ workspace, workspaceWrite }: Flags): WorkspaceOptions | undefined {
  const folder = workspaceWrite ?? workspace;
  if (folder === undefined) return undefined;
  if (workspace === undefined || workspaceWrite === undefined) {
    return { folder, writable: workspaceWrite !== undefined };
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
  if ((code === undefined) === (file === undefined)) {
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
  if (!/[/\\]|\.[A-Za-z]+$/.test(file!)) {
    throw new AppError("usage", `Program ${quoteText(file!)} is not a file name`, {
      hint: `a file has an ending or a slash: ./${file}`,
    });
  }
  return { source: await readTextFile(file!, { maxBytes: MAX_SOURCE_BYTES }), path: file! };
}

/** Prints the result of a run; throws why it failed, with the calls that had succeeded by then. */
function showRun({ output, log }: Invocation, outcome: RunOutcome): void {
  for (const line of [...outcome.warnings, ...outcome.truncated]) log.warn(line);
  if (output.format === "json") output.document(runDocument(outcome, output.mask));
  else if (outcome.ok && outcome.hasValue) output.value(outcome.value);
  log.info(runLine(outcome));
  if (outcome.error === undefined) return;
  const succeeded = outcome.calls.filter((call) => call.ok);
  if (succeeded.length === 0) throw outcome.error;
  throw new AppError(outcome.error.kind, outcome.error.message, {
    ...outcome.error,
    detail: [
      ...outcome.error.detail ?? [],
      `calls that had succeeded: ${succeeded.length}`,
      ...callLines(succeeded).map((line) => `  ${line}`),
    ],
  });
}
