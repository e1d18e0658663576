// The command line: global options, the table of commands, and how failures are shown. Knows no
// command's arguments; a command's module is loaded only when it was named.

import type { Command } from "@stricli/core";
import { type Context, createContext, daemonFolder, type ProcessView } from "./context.ts";
import type { RemoteRun } from "./daemon_client.ts";
import { AppError, changeTexts, ExitCode, toAppError } from "./errors.ts";
import { COMMANDS, commandsBefore, unused, type Use } from "./command_table.ts";
import type { CommandGroup, Invocation } from "./flags.ts";
import { configWith, GLOBAL_FLAGS, type Globals, readGlobals, withConfigured } from "./globals.ts";
import { INTERRUPT_GRACE_MS } from "./limits.ts";
import { createLog, type Log } from "./log.ts";
import { unknownError } from "./names.ts";
import { createProgress, type Progress } from "./progress.ts";
import { createOutput, createStyle, errorLines, type Output } from "./render.ts";
import { quoteText } from "./text.ts";
import { VERSION } from "./version.ts";
import type { Warm } from "./warm.ts";

const ROOT_HELP = `mcp-exec turns MCP servers into code that agents can run safely.

USAGE
  mcp-exec <command> [arguments] [options]

COMMANDS
${Object.entries(COMMANDS).map(([name, { brief }]) => `  ${name.padEnd(13)}${brief}`).join("\n")}

A server is a name from the configuration, a URL, the built-in "demo", or given in place with
--stdio "command args" or --http URL.

EXAMPLES
  mcp-exec demo
  mcp-exec introspect demo
  mcp-exec introspect --stdio "npx -y @modelcontextprotocol/server-everything"
  mcp-exec call echo message=hello --stdio "npx -y @modelcontextprotocol/server-everything"
  mcp-exec execute program.ts --args '{"days": 7}'
  mcp-exec <command> --help
`;

const GLOBAL_HELP = `
GLOBAL OPTIONS, before or after the command
  --format json|text|pretty  How results are printed (pretty on a terminal, text in a pipe)
  --config FILE              Configuration to use instead of the one in its usual place
  --verbose, --quiet         Say more, or only errors
  --no-color                 No colours, as with NO_COLOR
  --version, --help

ENVIRONMENT
  MCP_EXEC_FORMAT, MCP_EXEC_CONFIG, MCP_EXEC_DATA_DIR, MCP_EXEC_TRUST,
  MCP_EXEC_NO_DAEMON, NO_COLOR

EXIT CODES
  0 ok, 1 failure, 2 usage or invalid input, 3 server, 4 timeout, 5 program failed or met a limit,
  6 refused, 130 interrupted
`;

/** Runs the program for a process; gives its exit code when nothing of it is left running. */
export async function main(view: ProcessView): Promise<ExitCode> {
  // Somebody waits behind the Tab key, and nothing is started that would have to be ended.
  if (view.args[0] === "__complete") {
    view.drop?.(["net", "run"]);
    const { printCandidates } = await import("./complete.ts");
    await printCandidates(createContext(view), { commands: COMMANDS, globalFlags: GLOBAL_FLAGS });
    return ExitCode.ok;
  }
  const context = createContext(view);
  const remote = await daemonFor(context);
  if (
    remote === undefined && view.args[0] === "execute" &&
    !view.args.some((arg) => /^(?:-h|--help)$/.test(arg))
  ) {
    await (await import("./executor.ts")).startAhead(context);
  }
  const { promise: stray, resolve } = Promise.withResolvers<AppError>();
  // A failure that nobody waits for ends the program with one line too, instead of a stack.
  const onStray = (event: PromiseRejectionEvent | ErrorEvent) => {
    event.preventDefault();
    resolve(toAppError("reason" in event ? event.reason : event.error));
  };
  globalThis.addEventListener("unhandledrejection", onStray);
  globalThis.addEventListener("error", onStray);
  return await runCli(context, { stray, remote, ...(view.drop && { drop: view.drop }) });
}

/** What a process adds to a command line. */
interface RunOptions {
  readonly stray?: Promise<AppError>;
  readonly graceMs?: number;
  readonly drop?: (names: readonly Use[]) => void;
  /** Runs it in another process. */
  readonly remote?: RemoteRun | undefined;
  /** What is warm in this one. */
  readonly warm?: Warm;
}

/**
 * Runs one command line and gives its exit code; every failure has been shown by then. A failure
 * that comes in through `stray` ends it at once; after an interrupt it gets `graceMs` to close;
 * `drop` is told what the command does not need before it is loaded.
 */
export async function runCli(
  whole: Context,
  options: RunOptions = {},
): Promise<ExitCode> {
  const globals = await withConfigured(readGlobals(whole), whole);
  const { context, progress } = createProgress(whole, globals);
  const output = createOutput(context, globals);
  const work =
    (options.remote === undefined
      ? dispatch({ ...options, context, globals, output, progress })
      : options.remote(context)).catch((error) => {
        const failure = toAppError(error);
        // What an interrupt broke on its way out is not the reason.
        return context.signal.aborted && failure.kind !== "interrupted"
          ? toAppError(context.signal.reason)
          : failure;
      });
  const grace = afterInterrupt(context.signal, options.graceMs ?? INTERRUPT_GRACE_MS);
  const never = new Promise<never>(() => {});
  const outcome = await Promise.race([work, grace.elapsed, options.stray ?? never]);
  grace.cancel();
  progress.close();
  if (!(outcome instanceof AppError)) return outcome;
  const isJson = globals.format === "json";
  if (isJson) output.document({ ok: false, error: changeTexts(outcome, output.mask) });
  // Where results cannot be written any more, this is the place to say so.
  if (!isJson || !context.writeOut("")) {
    const style = createStyle(globals.color && context.isTerminal.error);
    context.writeError(`${output.mask(errorLines(outcome, style))}\n`);
  }
  return outcome.exitCode;
}

// A command that was interrupted closes what it opened; one that cannot is not waited for.
function afterInterrupt(
  signal: AbortSignal,
  graceMs: number,
): { elapsed: Promise<AppError>; cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<AppError>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const start = () => {
    timer = setTimeout(() => resolve(toAppError(signal.reason)), graceMs);
  };
  if (signal.aborted) start();
  else signal.addEventListener("abort", start, { once: true });
  return {
    elapsed: promise,
    cancel() {
      signal.removeEventListener("abort", start);
      // Not before there is one: the first use of timers takes 4 ms.
      if (timer !== undefined) clearTimeout(timer);
    },
  };
}

async function dispatch(parts: DispatchParts): Promise<ExitCode> {
  const { globals, output } = parts;
  if (globals.problem !== undefined) throw globals.problem;
  if (globals.version) return show(output, "version", VERSION);
  const { command: name, rest } = globals;
  if (name === undefined) return show(output, "help", ROOT_HELP + GLOBAL_HELP);
  if (!Object.hasOwn(COMMANDS, name)) {
    const whole = commandsBefore(name).map((group) => `"${group} ${name}"`);
    throw unknownError(`Command ${quoteText(name)}`, name, {
      known: Object.keys(COMMANDS),
      otherwise: whole.length > 0
        ? `did you mean ${whole.join(" or ")}?`
        : "mcp-exec --help lists the commands",
    });
  }
  parts.drop?.(unused(name, rest[0]));
  const loaded = await COMMANDS[name]!.load();
  if (!("commands" in loaded)) return await runCommand({ name, command: loaded, rest }, parts);
  const { commands, aliases = {} } = loaded;
  const [given, ...others] = rest;
  const word = Object.hasOwn(aliases, given ?? "") ? aliases[given!] : given;
  if (word === undefined && globals.help) {
    return show(output, "help", groupHelp(name, loaded) + GLOBAL_HELP);
  }
  const known = Object.keys(commands);
  if (word === undefined) {
    const hint = `it is followed by ${known.join(", ")}`;
    throw new AppError("usage", `Command "${name}" is not whole`, { hint });
  }
  if (!known.includes(word)) {
    throw unknownError(`Command ${quoteText(`${name} ${word}`)}`, word, {
      known,
      otherwise: `"${name}" is followed by ${known.join(", ")}`,
    });
  }
  const command = { name: `${name} ${word}`, command: commands[word]!, rest: others };
  return await runCommand(command, parts);
}

/** What the commands of one process share. */
interface DispatchParts extends Pick<RunOptions, "drop" | "warm"> {
  readonly context: Context;
  readonly globals: Globals;
  readonly output: Output;
  readonly progress: Progress;
}

async function runCommand(
  { name, command, rest }: {
    readonly name: string;
    readonly command: Command<Invocation>;
    readonly rest: readonly string[];
  },
  { context, globals, output, progress, warm }: DispatchParts,
): Promise<ExitCode> {
  const { helpOf, runParsed } = await import("./command_run.ts");
  if (globals.help) return show(output, "help", helpOf(name, command) + GLOBAL_HELP);
  const silent = { write: () => {} };
  await runParsed(name, command, rest, {
    process: { stdout: silent, stderr: silent },
    context,
    output,
    log: logOf(context, globals, output.mask),
    progress,
    warm,
    runLine: runCli,
    config: globals.config,
    note(lines: readonly string[]) {
      if (!globals.quiet) context.writeError(lines.map((line) => `${line}\n`).join(""));
    },
  });
  return ExitCode.ok;
}

function logOf(
  context: Context,
  { verbose, quiet, color }: Globals,
  mask = (text: string) => text,
): Log {
  return createLog((text) => context.writeError(mask(text)), {
    verbose,
    quiet,
    color: color && context.isTerminal.error,
  });
}

function groupHelp(name: string, { description, commands }: CommandGroup): string {
  const width = Math.max(...Object.keys(commands).map((word) => word.length));
  const lines = Object.entries(commands).map(([word, command]) =>
    `  ${word.padEnd(width)}  ${command.brief}`
  );
  return `USAGE\n  mcp-exec ${name} <command> [arguments] [options]\n\n${description}\n\n` +
    `COMMANDS\n${lines.join("\n")}\n  mcp-exec ${name} <command> --help\n`;
}

function show(output: Output, kind: "help" | "version", text: string): ExitCode {
  if (output.format === "json") output.document({ [kind]: text.trimEnd() });
  else output.print(text.trimEnd());
  return ExitCode.ok;
}

// They start servers, or the sandbox, or read much of what is kept.
const WARM_COMMANDS = ["execute", "call", "introspect", "search"];

/** A daemon to run the command line in; undefined where it runs here. */
async function daemonFor(context: Context): Promise<RemoteRun | undefined> {
  const globals = readGlobals(context);
  const { command = "", help, version, problem } = globals;
  const isOff = help || version || problem !== undefined || !WARM_COMMANDS.includes(command);
  if (isOff || context.env.get("MCP_EXEC_NO_DAEMON")) return undefined;
  const isWanted = async () => {
    const config = await configWith('"keepWarm"', context, globals);
    return config?.daemon.keepWarm ? config.daemon : undefined;
  };
  // What finds one is not even loaded where there never was any.
  if (!hasDaemonFolder(context) && await isWanted() === undefined) return undefined;
  const { findDaemon } = await import("./daemon_client.ts");
  return await findDaemon(context, {
    isWanted,
    warn: (message) => logOf(context, globals).warn(message),
  });
}

function hasDaemonFolder(context: Context): boolean {
  try {
    const folder = daemonFolder(context);
    return folder !== undefined && Deno.lstatSync(folder) !== undefined;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}
