// Looks for what makes a server costly, unsafe or hard to use: one table of rules over what it said
// and how it behaved. Pure; every text of a server is made safe before it stands in a finding.

import type { Config } from "./config.ts";
import { AppError } from "./errors.ts";
import { isObject, type ServerInfo, type ServerSpec, type ToolDefinition } from "./server.ts";
import { LINT_BOUNDS } from "./limits.ts";
import { definitionTokens, toolTokens } from "./stats.ts";
import { cleanLine, cleanText, quoteText } from "./text.ts";

/** How much a finding matters: `info` counts only when strictness is asked for. */
export type Severity = "error" | "warning" | "info";

/** What a rule found in one server. */
export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  readonly message: string;
  /** The tools it is about, when not the whole server. */
  readonly tools?: readonly string[];
}

/** How a server behaved while it was looked at; times in milliseconds. */
export interface Behaviour {
  readonly connectMs: number;
  readonly closeMs: number;
  /** What was warned of meanwhile, safe to show. */
  readonly warnings: readonly string[];
}

/** What is looked at. */
export interface Subject {
  readonly spec: ServerSpec;
  readonly info: ServerInfo;
  readonly behaviour: Behaviour;
}

/** What a rule says of one server: nothing, a sentence, or the tools it is about. */
type Answer = undefined | string | readonly string[];

/** One rule. */
export interface LintRule {
  readonly id: string;
  readonly severity: Severity;
  /** What it looks for, and why that matters. */
  readonly about: string;
  /** What mends it. */
  readonly mend: string;
  /** Said of the tools it names; a sentence of the rule's own stands for itself. */
  readonly says?: string;
  readonly find: (subject: Subject) => Answer;
}

/** Every rule, the gravest first. */
export const LINT_RULES: readonly LintRule[] = [
  {
    id: "broken-listing",
    severity: "error",
    about: "tools that are left out as invalid",
    mend: "give each tool a valid name, description and schema",
    find: ({ info }) => sentences(info.warnings.filter((warning) => !UNENDING.test(warning))),
  },
  {
    id: "looping-cursor",
    severity: "error",
    about: "listings that loop, never end or are too large to be read whole",
    mend: "give a new cursor with each page and none with the last one",
    find: ({ info }) => sentences(info.warnings.filter((warning) => UNENDING.test(warning))),
  },
  {
    id: "input-not-object",
    severity: "error",
    about: "parameters must be an object; many clients refuse anything else",
    mend: 'write "type": "object" at the top of inputSchema',
    says: "input is no object",
    find: toolsWhere(({ inputSchema }) => inputSchema["type"] !== "object"),
  },
  {
    id: "hidden-text",
    severity: "error",
    about: "control, bidi or invisible characters: a model reads what no person sees",
    mend: "remove the characters; distrust a server that needs them",
    says: "texts hold hidden characters",
    find: toolsWhere((tool) =>
      textsOf(tool).map((text) => text.replaceAll("\r\n", "\n").replace(EMOJI_PART, ""))
        .some((text) => cleanText(text, Infinity) !== text)
    ),
  },
  {
    id: "instructions-in-text",
    severity: "error",
    about: "descriptions that give a model orders instead of describing a tool",
    mend: "say what the tool does; distrust a server that tells a model what else to do",
    says: "texts give orders to a model",
    find: toolsWhere((tool) => textsOf(tool).some((text) => ORDER.test(text))),
  },
  {
    id: "top-level-union",
    severity: "warning",
    about: "anyOf, oneOf or allOf at the top of the input: some model APIs refuse it",
    mend: "make one object of it, with optional properties, or several tools",
    says: "input is a union at its top",
    find: toolsWhere(({ inputSchema }) =>
      ["anyOf", "oneOf", "allOf"].some((key) => key in inputSchema)
    ),
  },
  {
    id: "external-ref",
    severity: "warning",
    about: "references to other documents: nobody follows them",
    mend: "copy what is referred to into $defs of the schema",
    says: "schema refers to another document",
    find: toolsWhere((tool) => refsOf(tool).some((ref) => !ref.startsWith("#"))),
  },
  {
    id: "tool-name",
    severity: "warning",
    about: "names that model APIs refuse: they take A-Z a-z 0-9 _ - up to 64",
    mend: "rename the tool",
    says: "name is not taken by every client",
    find: toolsWhere(({ name }) => !/^[A-Za-z0-9_-]{1,64}$/.test(name)),
  },
  {
    id: "parameter-name",
    severity: "warning",
    about: "keys that model APIs refuse: they take A-Z a-z 0-9 _ . - up to 64",
    mend: "rename the parameter",
    says: "a parameter's name is not taken by every client",
    find: toolsWhere(({ inputSchema: { properties } }) =>
      Object.keys(isObject(properties) ? properties : {}).some((key) =>
        !/^[A-Za-z0-9_.-]{1,64}$/.test(key)
      )
    ),
  },
  {
    id: "no-description",
    severity: "warning",
    about: "a model cannot know when to use such a tool",
    mend: "describe what the tool does in a sentence or two",
    says: "no description",
    find: toolsWhere(({ description }) => (description ?? "").trim() === ""),
  },
  {
    id: "long-description",
    severity: "warning",
    about: `descriptions over ${LINT_BOUNDS.descriptionChars} characters`,
    mend: "say it shorter; put manuals into resources",
    says: "description is very long",
    find: toolsWhere(({ description }) =>
      (description ?? "").length > LINT_BOUNDS.descriptionChars
    ),
  },
  {
    id: "heavy-tool",
    severity: "warning",
    about: `definitions over ${LINT_BOUNDS.toolTokens} tokens: every session of a client pays them`,
    mend: "shorten texts and schemas, or split the tool",
    says: "definition is heavy",
    find: toolsWhere((tool) => toolTokens(tool) > LINT_BOUNDS.toolTokens),
  },
  {
    id: "heavy-server",
    severity: "warning",
    about: `definitions over ${LINT_BOUNDS.serverTokens} tokens together`,
    mend: "generate a skill from it instead of loading it in a client",
    find: ({ info }) => {
      const tokens = definitionTokens(info);
      return tokens > LINT_BOUNDS.serverTokens
        ? `Definitions of all tools cost about ${tokens.toLocaleString("en-US")} tokens`
        : undefined;
    },
  },
  {
    id: "no-annotations",
    severity: "warning",
    about: "without readOnlyHint nobody can tell a look from a change",
    mend: "add readOnlyHint, and destructiveHint where something is lost",
    says: "no annotations",
    find: toolsWhere(({ annotations }) => typeof annotations?.["readOnlyHint"] !== "boolean"),
  },
  {
    id: "unpinned-package",
    severity: "warning",
    about: "a launcher that downloads whatever version is newest: what was reviewed may change",
    mend: "write the version behind the package's name in the entry",
    find: ({ spec }) => {
      const name = unpinnedPackage(spec);
      return name && `Package ${quoteText(name)} has no version: write one, such as name@1.2.3`;
    },
  },
  {
    id: "noisy-output",
    severity: "warning",
    about: "a stdio server may print nothing but messages on its output",
    mend: "write logs to standard error",
    find: ({ behaviour }) =>
      behaviour.warnings.find((warning) => warning.includes("other things than messages")),
  },
  {
    id: "slow-start",
    severity: "warning",
    about: `more than ${LINT_BOUNDS.connectMs / 1000} s until the handshake is done`,
    mend: "do less before answering initialize; install the package instead of fetching it",
    find: ({ behaviour }) =>
      behaviour.connectMs > LINT_BOUNDS.connectMs
        ? `Connecting took ${(behaviour.connectMs / 1000).toFixed(1)} s`
        : undefined,
  },
  {
    id: "lingering-process",
    severity: "warning",
    about: "a server's process, and what it started, should end when its input ends",
    mend: "end when standard input ends, and end child processes",
    find: ({ spec, behaviour }) =>
      spec.transport === "stdio" && behaviour.closeMs > LINT_BOUNDS.closeMs
        ? "Its process did not end with its input and had to be stopped"
        : undefined,
  },
  {
    id: "no-output-schema",
    severity: "info",
    about: "without one, programs do not know the type of a result",
    mend: "add outputSchema and structuredContent",
    says: "no output schema",
    find: toolsWhere(({ outputSchema }) => outputSchema === undefined),
  },
];

// How the reader of listings says that it gave up.
const UNENDING = /; the rest of its tools are left out$/;

function sentences(warnings: readonly string[]): string | undefined {
  return warnings.length === 0 ? undefined : warnings.join("; ");
}

// What an emoji is put together with shows as a part of it.
const EMOJI_PART =
  /(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\d#*])[\ufe0e\ufe0f]\u200d?|(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}])\u200d(?=\p{Extended_Pictographic})/gu;

// What only somebody writes who talks to the model instead of about the tool.
const ORDER =
  /\b(?:ignore|disregard|forget) (?:all |any |the )?(?:previous|prior|above|earlier|other) (?:instructions|messages|rules|tools)|<\/?(?:important|system|instructions?|secret)>|\bdo not (?:tell|inform|mention|show)\b.{0,40}\buser\b|\bsystem prompt\b/i;

// Whether `text` is `[SERVER/]RULE[:TOOL]` of a rule there is.
function namesRule(text: string): boolean {
  const rule = /^(?:[^/:]+\/)?([a-z-]+)(?::.+)?$/s.exec(text)?.[1];
  return LINT_RULES.some(({ id }) => id === rule);
}

/** Throws a `usage` error for the first of `items` that names no rule. */
export function requireRules(items: readonly string[]): void {
  const unknown = items.find((item) => !namesRule(item));
  if (unknown === undefined) return;
  throw new AppError("usage", `Rule ${quoteText(unknown)} is not known`, {
    hint: "mcp-exec server validate --rules lists the rules",
  });
}

/** What the configuration leaves out by the name of a rule; `warn` hears of each that names none. */
export function rulesIgnoredBy(
  { file = "", ignoredFindings }: Pick<Config, "file" | "ignoredFindings">,
  warn: (message: string) => void,
): readonly string[] {
  return ignoredFindings.filter((item) => {
    const isKnown = namesRule(item);
    if (!isKnown) {
      const hint = "mcp-exec server validate --rules lists them";
      warn(`${file}: rule ${quoteText(item)} of "validate.ignore" is not known; ${hint}`);
    }
    return isKnown;
  });
}

/** What the rules find, but for those of `ignored` (`[SERVER/]RULE[:TOOL]`), the gravest first. */
export function lintServer(subject: Subject, ignored: ReadonlySet<string>): Finding[] {
  const findings: Finding[] = [];
  const isIgnored = (what: string) =>
    ignored.has(what) || ignored.has(`${subject.spec.name}/${what}`);
  for (const { id, severity, says, find } of LINT_RULES) {
    if (isIgnored(id)) continue;
    const answer = find(subject);
    if (answer === undefined) continue;
    if (typeof answer === "string") {
      findings.push({ rule: id, severity, message: cleanLine(answer, 1_000) });
      continue;
    }
    const tools = answer.filter((tool) => !isIgnored(`${id}:${tool}`));
    if (tools.length === 0) continue;
    const shown = tools.slice(0, 5).map((tool) => cleanLine(tool, 80)).join(", ");
    const more = tools.length > 5 ? ` and ${tools.length - 5} more` : "";
    const count = `${tools.length} of ${subject.info.tools.length} tools`;
    findings.push({ rule: id, severity, message: `${count}, ${says}: ${shown}${more}`, tools });
  }
  return findings;
}

function toolsWhere(holds: (tool: ToolDefinition) => boolean): LintRule["find"] {
  return ({ info }) => {
    const names = info.tools.filter(holds).map(({ name }) => name);
    return names.length === 0 ? undefined : names;
  };
}

/** Every text of a tool that a model reads: its names, descriptions and the values it names. */
function textsOf({ name, title, description, inputSchema, annotations }: ToolDefinition): string[] {
  return stringsIn([name, title, description, inputSchema, annotations]);
}

function stringsIn(value: unknown): string[] {
  return valuesIn(value).flatMap((item) =>
    typeof item === "string" ? [item] : isObject(item) ? Object.keys(item) : []
  );
}

function refsOf({ inputSchema, outputSchema }: ToolDefinition): string[] {
  return valuesIn([inputSchema, outputSchema]).map((item) => isObject(item) && item["$ref"])
    .filter((ref) => typeof ref === "string");
}

/** `value` and everything in it, level by level: its size and depth are bounded when it is read. */
function valuesIn(value: unknown): unknown[] {
  const levels: unknown[][] = [[value]];
  for (let level = levels[0]!; level.length > 0; levels.push(level)) {
    level = level.flatMap((item) =>
      typeof item === "object" && item !== null ? Object.values(item) : []
    );
  }
  return levels.flat();
}

function unpinnedPackage(spec: ServerSpec): string | undefined {
  if (spec.transport !== "stdio") return undefined;
  const program = (path: string) => path.replace(/^.*[\\/]/, "").replace(/\.(?:cmd|exe)$/i, "");
  const words = [spec.command, ...spec.args];
  // On Windows a launcher is a script, which many start by way of the shell.
  const isShell = /^cmd$/i.test(program(words[0]!)) && /^\/c$/i.test(words[1] ?? "");
  const [launcher = "", ...args] = isShell ? words.slice(2) : words;
  if (!/^(?:npx|bunx|pnpx|uvx)$/i.test(program(launcher))) return undefined;
  const name = args.find((arg) => !arg.startsWith("-"));
  if (name === undefined || /^(?:[./~]|[a-z+]+:)/i.test(name)) return undefined;
  return /.@(?!latest$)[^/]+$|==/.test(name) ? undefined : name;
}
