// Runs one command whose module is loaded: reads its arguments, says what is wrong with them, and
// prints its help. What commands do is theirs; which there are, and global options, are not known here.

import {
  AliasNotFoundError,
  type ApplicationText,
  ArgumentParseError,
  buildApplication,
  type Command,
  EnumValidationError,
  FlagNotFoundError,
  run,
  text_en,
  UnexpectedFlagError,
  UnexpectedPositionalError,
  UnsatisfiedFlagError,
  UnsatisfiedPositionalError,
} from "@stricli/core";
import { AppError, prefixError, toAppError } from "./errors.ts";
import type { Invocation } from "./flags.ts";
import { GLOBAL_FLAGS } from "./globals.ts";
import { unknownError } from "./names.ts";
import { maskArguments, quoteText } from "./text.ts";

/** Runs `command` with its arguments; throws what it throws, and `usage` errors that name one. */
export async function runParsed(
  name: string,
  command: Command<Invocation>,
  args: readonly string[],
  invocation: Invocation,
): Promise<void> {
  // Each failure is kept as it is; what stricli would print about it is dropped.
  let failure: unknown;
  const keep = (error: unknown) => {
    failure ??= error;
    return "";
  };
  const text: ApplicationText = {
    ...text_en,
    exceptionWhileParsingArguments: (error) => keep(argumentError(error, { name, command, args })),
    exceptionWhileRunningCommand: keep,
  };
  // Without stricli's own flags for help: it would take -H for one, and the command would not run.
  const application = buildApplication(command, {
    name: `mcp-exec ${name}`,
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    localization: { text },
  }, {});
  await run(application, args, invocation);
  if (failure !== undefined) throw failure;
}

/** A command's usage, description and flags; stricli's own list leaves out what flags take. */
export function helpOf(name: string, command: Command<Invocation>): string {
  const whole = command.formatHelp({
    prefix: ["mcp-exec", name],
    config: {
      caseStyle: "convert-camel-to-kebab",
      onlyRequiredInUsageLine: false,
      useAliasInUsageLine: false,
    },
    text: text_en,
    additionalFlags: [],
    includeArgumentEscapeSequenceFlag: false,
    includeHidden: false,
    ansiColor: false,
  });
  const { flags = {}, aliases = {} } = command.parameters;
  const rows = Object.entries(flags).map(([key, flag]) => {
    const alias = Object.entries(aliases).find(([, target]) => target === key)?.[0];
    const names = alias === undefined ? flagName(key) : `-${alias}, ${flagName(key)}`;
    const repeats = "variadic" in flag && flag.variadic ? " (may be repeated)" : "";
    return [`${names} ${flag.placeholder ?? ""}`.trimEnd(), flag.brief + repeats] as const;
  });
  const width = Math.max(...rows.map(([names]) => names.length));
  const lines = rows.map(([names, brief]) => `  ${names.padEnd(width)}  ${brief}`);
  const body = whole.split("\nFLAGS\n", 1)[0]!.replace(/ +$/gm, "");
  return lines.length === 0 ? body : `${body}\nFLAGS\n${lines.join("\n")}\n`;
}

/** What is wrong with a command's arguments, as an error that names the argument. */
function argumentError(
  error: unknown,
  { name, command, args }: {
    readonly name: string;
    readonly command: Command<Invocation>;
    readonly args: readonly string[];
  },
): AppError {
  const usage = (message: string) => {
    const line = helpOf(name, command).split("\n")[1]!.trim();
    return new AppError("usage", message, { hint: `usage: ${line}` });
  };
  if (error instanceof FlagNotFoundError || error instanceof AliasNotFoundError) {
    const isAlias = error instanceof AliasNotFoundError;
    const flag = `${isAlias ? "-" : "--"}${error.input}`;
    return unknownError(`Flag ${quoteText(flag)} of "mcp-exec ${name}"`, flag, {
      known: isAlias ? [] : [...flagNames(command), ...GLOBAL_FLAGS],
      otherwise: dashesHint(name, command, args) ?? `mcp-exec ${name} --help lists the flags`,
    });
  }
  if (error instanceof ArgumentParseError) {
    const cause = toAppError(error.exception);
    // A positional argument's own error says all there is to say.
    if (!flagNames(command).includes(`--${error.externalFlagNameOrPlaceholder}`)) return cause;
    return prefixError(`Flag "--${error.externalFlagNameOrPlaceholder}" is not usable`, cause);
  }
  if (error instanceof EnumValidationError) {
    return new AppError(
      "usage",
      `Value ${quoteText(error.input)} of --${error.externalFlagName} is not known`,
      { hint: `it is one of ${error.values.join(", ")}` },
    );
  }
  if (error instanceof UnsatisfiedFlagError) {
    return usage(`Flag "--${error.externalFlagName}" needs a value`);
  }
  if (error instanceof UnexpectedFlagError) {
    return usage(`Flag "--${error.externalFlagName}" is given twice`);
  }
  if (error instanceof UnsatisfiedPositionalError) {
    return usage(`Argument <${error.placeholder}> of "mcp-exec ${name}" is missing`);
  }
  if (error instanceof UnexpectedPositionalError) {
    // It may be half of a header or variable that was not quoted: its text is not repeated.
    const message = `Too many arguments for "mcp-exec ${name}"`;
    if (!args.some((arg) => /^(?:(?!-)\p{Pd}|--?\P{ASCII})/u.test(arg))) return usage(message);
    return new AppError("usage", message, {
      hint: 'a flag is "-" or "--" and plain letters, never a longer dash',
    });
  }
  return toAppError(error);
}

const PLAIN_WORD = /^[A-Za-z0-9_./:@%+=,-]{1,80}$/;

/** How to write a command line whose flags were taken for ours; undefined where it takes none. */
function dashesHint(
  name: string,
  command: Command<Invocation>,
  args: readonly string[],
): string | undefined {
  const [first, program, ...others] = args;
  if (first === undefined || program === undefined || /^-|^https?:/i.test(program)) {
    return undefined;
  }
  if (first.startsWith("-") || !helpOf(name, command).includes(" -- <command>")) return undefined;
  // Only words that a shell takes as they are, and that are no secret, are repeated.
  const typed = [first, "--", program, ...others];
  const isPlain = typed.every((word) => PLAIN_WORD.test(word)) &&
    maskArguments(typed).every((word, at) => word === typed[at]) && typed.length <= 12;
  const line = isPlain ? typed.join(" ") : "<name> -- <command> [args]...";
  return `put the command behind "--": mcp-exec ${name} ${line}`;
}

function flagNames(command: Command<Invocation>): string[] {
  return Object.keys(command.parameters.flags ?? {}).map(flagName);
}

function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
