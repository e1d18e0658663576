// What commands share of their command line: the flags that name servers, and readers of values.
// It parses and checks; it connects to nothing, and never repeats the value of --env or --header.

import type { Command, CommandContext, TypedFlagParameter } from "@stricli/core";
import type { Context } from "./context.ts";
import { AppError, type ExitCode } from "./errors.ts";
import { literalText } from "./globals.ts";
import { parseCount, parseDuration, parseSize, type RunLimits, toMemoryLimit } from "./limits.ts";
import type { Log } from "./log.ts";
import type { ServerName } from "./names.ts";
import type { Progress } from "./progress.ts";
import type { Output } from "./render.ts";
import { describeSpec, secretNames, type ServerSpec } from "./server.ts";
import { findServer, loadServers, type ServerSet, withTrustStore } from "./servers.ts";
import type { Session, SessionOptions } from "./session.ts";
import { cleanLine, quoteText } from "./text.ts";
import type { Warm } from "./warm.ts";

/** What the function of a command gets as `this`. */
export interface Invocation extends CommandContext {
  readonly context: Context;
  readonly output: Output;
  readonly log: Log;
  /** Shows on a terminal what takes a while. */
  readonly progress: Progress;
  /** The value of the global `--config`. */
  readonly config: string | undefined;
  /** What is warm already, where a process runs many commands. */
  readonly warm: Warm | undefined;
  /** Runs another command line in this process, with what is warm. */
  runLine(context: Context, options: { readonly warm: Warm }): Promise<ExitCode>;
  /** Writes lines to stderr unless `--quiet`; what is in them must be safe to show. */
  note(lines: readonly string[]): void;
}

/** A command that stands for several: the word after it says which. */
export interface CommandGroup {
  /** What they are about, with examples. */
  readonly description: string;
  readonly commands: Readonly<Record<string, Command<Invocation>>>;
  /** Other words for them. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** The values of the flags that name servers. */
export interface ServerFlagValues {
  readonly stdio?: readonly string[] | undefined;
  readonly http?: readonly string[] | undefined;
  readonly env?: readonly string[] | undefined;
  readonly header?: readonly string[] | undefined;
  readonly trust?: boolean | undefined;
  readonly serverTimeout?: number | undefined;
}

/** The values of the flags that narrow what may be called. */
export interface PolicyFlagValues {
  readonly allow?: readonly string[] | undefined;
  readonly deny?: readonly string[] | undefined;
}

/** A flag that takes any text but an empty one. */
export function textFlag(brief: string, placeholder: string) {
  return { kind: "parsed", parse: notEmpty, brief, placeholder, optional: true } as const;
}

/** A flag that may be given several times. */
export function listFlag(brief: string, placeholder: string) {
  return { ...textFlag(brief, placeholder), variadic: true } as const;
}

/** A flag that takes one of a few words. */
export function choiceFlag<Choice extends string>(brief: string, choices: readonly Choice[]) {
  return {
    ...textFlag(brief, choices.join("|")),
    parse(text: string): Choice {
      const choice = choices.find((item) => item === text);
      if (choice !== undefined) return choice;
      throw new AppError("usage", `Value ${quoteText(text)} is not ${choices.join(" or ")}`);
    },
  } as const;
}

/** A flag that is given or not. */
export function switchFlag(brief: string) {
  return { kind: "boolean", brief, optional: true, withNegated: false } as const;
}

/** A flag that takes a duration such as `500ms`, `2s` or `5m`; its value is in milliseconds. */
export function durationFlag(brief: string) {
  return { ...textFlag(brief, "DURATION"), parse: parseDuration } as const;
}

/** A positional argument: anything that does not look like a flag. */
export function argument(brief: string, placeholder: string) {
  return { parse: notFlag, brief, placeholder } as const;
}

/** The flags of every command that talks to servers. */
export const SERVER_FLAGS = {
  stdio: listFlag("Start a server: its command and arguments, as one text", '[NAME=]"CMD ARGS"'),
  http: listFlag("Use the server at a URL", "[NAME=]URL"),
  env: listFlag("Variable for the --stdio server", "NAME=VALUE"),
  header: listFlag("Header for the --http server", '"NAME: VALUE"'),
  trust: switchFlag("Use servers of the project's files without asking"),
  serverTimeout: durationFlag("Deadline for connecting and for each call (30s and 60s)"),
} satisfies { [Name in keyof ServerFlagValues]-?: TypedFlagParameter<ServerFlagValues[Name]> };

/** The flags that narrow what may be called; they never widen what the configuration says. */
export const POLICY_FLAGS = {
  allow: listFlag("Allow calls of this server or tool only, * for any characters", "SERVER[/TOOL]"),
  deny: listFlag("Refuse calls of this server or tool", "SERVER[/TOOL]"),
} satisfies { [Name in keyof PolicyFlagValues]-?: TypedFlagParameter<PolicyFlagValues[Name]> };

/** The flag that bounds what is printed of a result. */
export const PREVIEW_FLAG = {
  ...textFlag("Of a larger result print the start, the shape and a handle", "BYTES"),
  parse: parseSize,
} as const;

/** The values of the flags that bound a run. */
export interface LimitFlagValues {
  readonly timeout?: number | undefined;
  readonly memory?: RunLimits["memory"] | undefined;
  readonly fuel?: number | undefined;
  readonly maxCalls?: number | undefined;
}

/** The flags that bound a run. */
export const LIMIT_FLAGS = {
  timeout: durationFlag("Wall clock of the run, connecting not counted (30s)"),
  memory: {
    ...textFlag("Memory of the sandbox, 16MiB to 2GiB (256MiB)", "SIZE"),
    parse: (text: string) => toMemoryLimit(parseSize(text)),
  },
  fuel: {
    ...textFlag("Computing allowed, in units of about 10 ns (1e9)", "UNITS"),
    parse: (text: string) => parseCount(text, "Fuel"),
  },
  maxCalls: {
    ...textFlag("Tool calls allowed (1000)", "COUNT"),
    parse: (text: string) => parseCount(text, "Number of calls", 1_000_000),
  },
} satisfies { [Name in keyof LimitFlagValues]-?: TypedFlagParameter<LimitFlagValues[Name]> };

/** The bounds that were given by flag. */
export function limitsOf(flags: LimitFlagValues): Partial<RunLimits> {
  return {
    ...(flags.timeout !== undefined && { wallMs: flags.timeout }),
    ...(flags.memory !== undefined && { memory: flags.memory }),
    ...(flags.fuel !== undefined && { fuel: flags.fuel }),
    ...(flags.maxCalls !== undefined && { calls: flags.maxCalls }),
  };
}

/** Whether an argument stands for a server by itself. */
export function isServerUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/**
 * The servers of a command: flags, URLs given as arguments, configuration, those of clients and of
 * the project, the built-in one. `named` are the only ones, by name or URL, that the command can
 * mean besides those of flags; a person is asked about those of a project. Throws what
 * `loadServers` throws.
 */
export async function openServers(
  { context, config, log }: Pick<Invocation, "context" | "config" | "log">,
  flags: ServerFlagValues & PolicyFlagValues,
  named?: readonly string[],
): Promise<ServerSet> {
  const http = [...flags.http ?? [], ...(named ?? []).filter(isServerUrl)];
  const isAny = named?.length === 0 && http.length === 0 && flags.stdio === undefined;
  const wanted = isAny ? undefined : named?.filter((name) => !isServerUrl(name));
  const servers = await loadServers(context, {
    ...(flags.stdio && { stdio: flags.stdio }),
    ...(http.length > 0 && { http }),
    ...(flags.env && { env: flags.env }),
    ...(flags.header && { header: flags.header }),
    ...(flags.trust && { trust: flags.trust }),
    ...(flags.allow && { allow: flags.allow }),
    ...(flags.deny && { deny: flags.deny }),
    ...(config !== undefined && { config }),
  }, {
    embedded: async () => await (await import("./demo_server.ts")).openDemoServer(),
    log,
    ...(wanted !== undefined && { wanted }),
  });
  const specs = new Map(servers.specs);
  for (const name of wanted ?? []) {
    const spec = specs.get(name as ServerName);
    if (spec?.untrusted && await askForTrust(context, spec)) {
      const { untrusted: _, ...trusted } = spec;
      specs.set(spec.name, trusted);
    }
  }
  const timeoutMs = flags.serverTimeout;
  if (timeoutMs === undefined) return { ...servers, specs };
  for (const [name, spec] of specs) specs.set(name, { ...spec, timeoutMs });
  return { ...servers, specs, config: { ...servers.config, timeouts: [] } };
}

/** Asks on a terminal whether an entry of a project may be started, and remembers a yes. */
async function askForTrust(context: Context, spec: ServerSpec): Promise<boolean> {
  if (context.confirm === undefined || spec.digest === undefined) return false;
  context.writeError(`${trustLines(spec).join("\n")}\n`);
  if (!await context.confirm("Trust it in this folder?")) return false;
  const { digest, name } = spec;
  await withTrustStore(context, {
    warn: () => {},
    work: (store) => store.trust({ folder: context.cwd, digest, server: name }),
  });
  return true;
}

/** What somebody has to see of a project's entry before trusting it. */
export function trustLines(spec: ServerSpec): string[] {
  const names = secretNames(spec);
  const what = spec.transport === "stdio" ? "variables" : "headers";
  return [
    `Server "${spec.name}" of ${quoteText(spec.file ?? "the project")} ${
      spec.transport === "stdio" ? "runs" : "is reached at"
    }`,
    `  ${cleanLine(describeSpec(spec), 2_000)}`,
    ...(names.length === 0
      ? []
      : [`  ${what}: ${names.map((name) => cleanLine(name)).join(", ")}`]),
    `  ${spec.digest ?? ""}`,
  ];
}

/**
 * Which server a command is about: the one named by `text`, else the only one given by flag or URL.
 * The answer is found in a session, where ad hoc servers go under the names they gave themselves.
 * Throws a `usage` error when there is none, or more than one.
 */
export function chooseServer(
  servers: ServerSet,
  text: string | undefined,
): (session: Pick<Session, "adHoc">) => ServerName {
  if (text !== undefined && !isServerUrl(text)) {
    const { name } = findServer(servers, text);
    const index = servers.adHoc.indexOf(name);
    return (session) => session.adHoc[index] ?? name;
  }
  if (servers.adHoc.length === 1) return (session) => session.adHoc[0]!;
  const known = servers.adHoc.length > 1 ? servers.adHoc : [...servers.specs.keys()];
  const isOpen = servers.adHoc.length > 1;
  throw new AppError("usage", isOpen ? "Several servers may be meant" : "No server is named", {
    hint: `name one of ${known.slice(0, 10).map((name) => `"${name}"`).join(", ")}, or give a URL`,
  });
}

/** Runs `work` with a session over `servers` that is closed afterwards, whatever happens. */
export async function withSession<Result>(
  { context, log, progress, warm }:
    & Pick<Invocation, "context" | "log" | "progress">
    & Partial<Pick<Invocation, "warm">>,
  servers: ServerSet,
  options: Omit<SessionOptions, "log"> & { work: (session: Session) => Promise<Result> },
): Promise<Result> {
  const { openSession } = await import("./session.ts");
  const session = await openSession(context, servers, {
    ...(warm && { executor: warm.executor, connect: warm.connectIn(context.cwd) }),
    ...options,
    log,
    progress,
    onConnect: (name) => log.debug(`Connecting to "${name}"`),
  });
  try {
    return await options.work(session);
  } finally {
    await session.close();
  }
}

function notEmpty(text: string): string {
  if (text === "") throw new AppError("usage", "Value is empty");
  return text;
}

function notFlag(text: string): string {
  const literal = literalText(text);
  if (literal !== undefined) return literal;
  if (!/^-./.test(text)) return text;
  throw new AppError("usage", `Flag ${quoteText(text.replace(/=.*$/s, ""))} is not known`, {
    hint: "write -- before an argument that begins with a hyphen",
  });
}
