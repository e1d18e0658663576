// The global options of a command line: taken out of its arguments wherever they stand, with what the
// configuration says of printing. Reads the configuration's text and, unless that names it, no more.

import type { Config } from "./config.ts";
import { configPath, type Context, type OutputFormat, pathFrom } from "./context.ts";
import { AppError } from "./errors.ts";
import { MAX_CONFIG_BYTES } from "./limits.ts";
import { nearestHint } from "./names.ts";
import { quoteText } from "./text.ts";

/** The options that every command takes, and what is left for the command. */
export interface Globals {
  readonly format: OutputFormat;
  /** Whether a flag or a variable said it. */
  readonly isFormatSaid: boolean;
  readonly color: boolean;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly help: boolean;
  readonly version: boolean;
  readonly config: string | undefined;
  readonly command: string | undefined;
  /** The command's own arguments. */
  readonly rest: readonly string[];
  /** What is wrong with the global options; kept back until it is known how to show it. */
  readonly problem: AppError | undefined;
}

/** The flags of all of them. */
export const GLOBAL_FLAGS = [
  "--format",
  "--config",
  "--verbose",
  "--quiet",
  "--no-color",
  "--version",
  "--help",
];

/** Takes the global options out of the arguments, wherever they stand before a `--`. */
export function readGlobals(context: Context): Globals {
  const { args, env, isTerminal } = context;
  const values = new Map<string, string>();
  const rest: string[] = [];
  let command: string | undefined;
  let problem: AppError | undefined;
  const refuse = (message: string, hint?: string) => {
    problem ??= new AppError("usage", message, hint === undefined ? {} : { hint });
  };
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!;
    if (arg === "--") {
      rest.push(arg, ...literalArguments(args.slice(index + 1)));
      break;
    }
    const [, long, attached] = /^(--[a-z-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const name = arg === "-h" ? "--help" : arg === "-V" ? "--version" : long ?? "";
    if (name === "--format" || name === "--config") {
      const value = attached ?? args[++index];
      if (value === undefined || value === "") refuse(`Flag "${name}" needs a value`);
      else if ((values.get(name) ?? value) !== value) refuse(`Flag "${name}" is given twice`);
      else values.set(name, value);
    } else if (GLOBAL_FLAGS.includes(name)) {
      if (attached === undefined) values.set(name, "");
      else refuse(`Flag "${name}" takes no value`);
    } else if (command !== undefined) {
      // Only so does stricli take an empty value, or one of several lines, for a value.
      if (attached === "" || attached?.includes("\n")) rest.push(name, attached);
      else rest.push(arg);
    } else if (arg.startsWith("-")) {
      const begun = GLOBAL_FLAGS.filter((flag) => flag.startsWith(`-${arg}`));
      refuse(
        `Flag ${quoteText(name || arg)} is not a global one`,
        arg.length === 2 && begun.length > 0
          ? `did you mean ${begun.map((flag) => `"${flag}"`).join(" or ")}?`
          : nearestHint(name, { known: GLOBAL_FLAGS, otherwise: "write it after the command" }),
      );
      break;
    } else {
      command = arg;
    }
  }
  if (values.has("--verbose") && values.has("--quiet")) {
    refuse(`Flags "--verbose" and "--quiet" exclude each other`);
  }
  const fallback = isTerminal.out ? "pretty" : "text";
  const asked = values.get("--format") ?? (env.get("MCP_EXEC_FORMAT") || fallback);
  const format = (["json", "text", "pretty"] as const).find((item) => item === asked);
  if (format === undefined) {
    const source = values.has("--format") ? "--format" : "MCP_EXEC_FORMAT";
    refuse(`Value ${quoteText(asked)} of ${source} is not json, text or pretty`);
  }
  return {
    format: format ?? fallback,
    isFormatSaid: values.has("--format") || Boolean(env.get("MCP_EXEC_FORMAT")),
    color: !values.has("--no-color") && !env.get("NO_COLOR"),
    verbose: values.has("--verbose"),
    quiet: values.has("--quiet"),
    help: values.has("--help") || command === "help",
    version: values.has("--version"),
    config: values.get("--config"),
    command: command === "help" ? rest.shift() : command,
    rest,
    problem,
  };
}

// Marks what came after `--`, for whoever reads it later. No argument of a process can hold it.
const MARK = "\0";

/** The arguments marked, so that those that begin with a hyphen are taken as well. */
function literalArguments(args: readonly string[]): string[] {
  return args.map((arg) => MARK + arg);
}

/** The argument without its mark; undefined when it has none. */
export function literalText(arg: string): string | undefined {
  return arg.startsWith(MARK) ? arg.slice(MARK.length) : undefined;
}

/** Our own configuration if its text has `words` in it; what is wrong with it is told by others. */
export async function configWith(
  words: string,
  context: Context,
  { config }: Pick<Globals, "config">,
): Promise<Config | undefined> {
  const path = pathFrom(context.cwd, configPath(context, config).path);
  const text = lookInto(path);
  if (!text.includes(words)) return undefined;
  const { parseConfig } = await import("./config.ts");
  return await parseConfig(text, { origin: "user", shownPath: path }).catch(() => undefined);
}

// Most files say nothing of it, and the reader of files costs more than a look; so does a thread.
function lookInto(path: string): string {
  try {
    const { isFile, size } = Deno.statSync(path);
    if (!isFile || size > MAX_CONFIG_BYTES) return "";
    return Deno.readTextFileSync(path).replace(/^\ufeff/, "");
  } catch {
    return "";
  }
}

/** The options with what the configuration says of printing, where nothing else does. */
export async function withConfigured(globals: Globals, context: Context): Promise<Globals> {
  if (globals.help || globals.version || globals.command === undefined) return globals;
  const config = await configWith('"output"', context, globals);
  const { format, color = true } = config?.output ?? {};
  return {
    ...globals,
    color: globals.color && color,
    ...(format !== undefined && !globals.isFormatSaid && { format }),
  };
}
