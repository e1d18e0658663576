// A server's tools as an Agent Skill: SKILL.md, which teaches an agent to find a tool, read its
// signature and run a program, and the reference behind it. Pure; every text of the server is
// bounded, escaped for its place and never taken for one of ours.

import { writePackage } from "./codegen.ts";
import { AppError } from "./errors.ts";
import { codeSpan, markdownQuote, markdownText, plainLine, yamlString } from "./escape.ts";
import { MAX_SKILL_DESCRIPTION_CHARS, MAX_SKILL_TOKENS } from "./limits.ts";
import { type SkillName, toSkillName } from "./names.ts";
import { hintsOf, planServer, type ServerPlan, type ToolPlan } from "./plan.ts";
import {
  exampleCall,
  groupLinks,
  type Reference,
  REFERENCE_FILE,
  type ReferenceGroup,
  writeReference,
} from "./reference.ts";
import type { ServerInfo } from "./server.ts";
import { render, type TemplateParts } from "./template.ts";
import { CODE_FILE, MODULE_FILE, writeCode, writeToolModule } from "./skill_code.ts";
import { estimateTokens } from "./stats.ts";
import type { FileSet } from "./vfs.ts";

/** How a skill is made. */
export interface SkillOptions {
  readonly name: SkillName;
  /** What it is for and when to use it; made from the tools' names unless given. */
  readonly description?: string;
  /** Flags that reach a server which is not configured, as shell text. */
  readonly reach?: string;
}

/** A skill as files relative to its folder. */
export interface GeneratedSkill {
  readonly files: FileSet;
  readonly description: string;
  /** One line each, safe to show: what was left out or widened. */
  readonly warnings: readonly string[];
}

/**
 * The skill of the tools of `info`: SKILL.md, its reference, the TypeScript package in one file and
 * the module that the sandbox runs. Throws a `usage` error for a description that no skill may have, and nothing for what a server said.
 */
export function generateSkill(info: ServerInfo, options: SkillOptions): GeneratedSkill {
  const { name } = options;
  const plan = planServer(info);
  const reach = options.reach === undefined ? "" : ` ${options.reach}`;
  const reference = writeReference(plan, reach);
  const description = options.description === undefined
    ? describe(plan, reference)
    : checkDescription(options.description);
  const parts: Omit<TemplateParts["skill"], "listing"> = {
    name: yamlString(name),
    description: yamlString(description),
    title: name,
    server: info.name,
    purpose: purposeOf(plan, reference),
    instructions: instructionsOf(info),
    reach,
    sample: sampleOf(plan),
  };
  const listing = listTools(plan, reference, {
    sizeOf: (text) => sizeOf(render("skill", { ...parts, listing: text })),
  });
  const { files, warnings } = writePackage(plan, { estimateTokens });
  return {
    files: new Map([
      ["SKILL.md", render("skill", { ...parts, listing })],
      ...reference.files,
      [CODE_FILE, writeCode(files)],
      [MODULE_FILE, writeToolModule(plan)],
    ]),
    description,
    warnings,
  };
}

const MAX_BODY_LINES = 480;

// Tokens of the body of a skill; without end when it has too many lines.
function sizeOf(skill: string): number {
  const body = skill.slice(skill.indexOf("\n---\n") + 5);
  return body.split("\n").length > MAX_BODY_LINES ? Infinity : estimateTokens(body);
}

// Words that clients use as commands of their own, and that would hide a skill of that name.
const CLIENT_COMMANDS = new Set(
  `about add-dir agent agents ask approvals auth batch branch browser bug chat clear code commands
  commit compact compress config context continue copy cost create debug diff directory docs doctor
  edit editor effort exit explain export extensions fast feedback files fix fork generate help
  hooks ide init insights install issue keybindings login logout loop manage mcp memory mention
  model models modes new open output-style passes permissions plan plugin plugins privacy
  privacy-settings profile prompts quit release-notes remember rename research restore resume
  review rewind rules run sandbox save search security-review session sessions settings setup
  share simplify skill skills stats status statusline summarize tasks terminal terminal-setup test
  tests theme think todos tools undo update upgrade usage vim vscode web workspace`.split(/\s+/),
);

/** A skill's name for a server: its own name as far as skills and clients admit it. */
export function skillNameOf(server: string): SkillName {
  const words = server.toLowerCase().split(/[^a-z0-9]+/);
  const kept = words.map((word) => word.replace(/claude|anthropic/g, "")).filter((word) => word);
  const slug = kept.join("-").slice(0, 58).replace(/-$/, "") || "mcp-server";
  const name = /^(?:con|prn|aux|nul|com\d|lpt\d)$/.test(slug) || CLIENT_COMMANDS.has(slug)
    ? `${slug}-tools`
    : slug;
  // Taking a word out may have put one together.
  return toSkillName(/claude|anthropic/.test(name) ? "mcp-server" : name);
}

function checkDescription(text: string): string {
  const description = text.replace(/\s+/g, " ").trim();
  const refuse = (reason: string): never => {
    throw new AppError("usage", `Description of a skill ${reason}`);
  };
  if (description === "") refuse("is empty");
  if (/[<>]/.test(description)) refuse('must not hold "<" or ">"');
  if (plainLine(description, description.length) !== description) {
    refuse("holds invisible or control characters");
  }
  if (description.length > MAX_SKILL_DESCRIPTION_CHARS) {
    refuse(
      `is longer than ${MAX_SKILL_DESCRIPTION_CHARS} characters: it has ${description.length}`,
    );
  }
  return description;
}

const MAX_NAMED = 6;

// What the tools are about, in words: labels of the largest groups, else names of tools.
function subjectsOf({ tools }: ServerPlan, { groups }: Reference): string {
  const labels = (groups ?? []).filter(({ label }) => label !== "other" && label !== "tools")
    .toSorted((a, b) => b.tools.length - a.tools.length)
    .slice(0, MAX_NAMED).map(({ label }) => label.replaceAll("-", " "));
  const plain = tools.map(({ tool }) => tool).filter((tool) => /^[\w.-]{1,40}$/.test(tool));
  const named = labels.length > 1 ? labels.sort() : plain.slice(0, MAX_NAMED);
  const isAll = labels.length <= 1 && named.length === tools.length;
  return named.length === 0 ? "" : `${named.join(", ")}${isAll ? "" : " and more"}`;
}

function describe(plan: ServerPlan, reference: Reference): string {
  const { info, tools } = plan;
  const subjects = subjectsOf(plan, reference);
  const text = `Calls the ${toolCount(tools.length)} of the MCP server ${info.name} ` +
    `(${identityOf(info)}) from sandboxed TypeScript${subjects === "" ? "" : `: ${subjects}`}. ` +
    `Use when a task needs one of them or names ${info.name}.`;
  return text.replace(/[<>]/g, "").slice(0, MAX_SKILL_DESCRIPTION_CHARS);
}

function identityOf({ identity }: ServerInfo): string {
  return plainLine(identity.title ?? identity.name, 80) || "unnamed";
}

function toolCount(count: number): string {
  return count === 1 ? "one tool" : `${count} tools`;
}

function purposeOf(plan: ServerPlan, reference: Reference): string {
  const { info, tools } = plan;
  const identity = markdownText(`${identityOf(info)} ${plainLine(info.identity.version, 40)}`);
  const server = `The MCP server \`${info.name}\` (${identity})`;
  if (tools.length === 0) return `${server} offers no tools.`;
  const subjects = subjectsOf(plan, reference);
  return `${server} offers ${toolCount(tools.length)}${
    subjects === "" ? "" : `: ${markdownText(subjects)}`
  }. Call them from a TypeScript program when a task needs one: the program runs in a sandbox, ` +
    "and what tools return stays there unless the program hands it out.";
}

const INSTRUCTION_TOKENS = 300;
const INSTRUCTION_CHARS = 1_200;

// The start of the server's own instructions, as many whole lines as the bounds admit.
function instructionsOf({ instructions }: ServerInfo): string {
  for (let chars = INSTRUCTION_CHARS; instructions !== undefined && chars > 40; chars /= 2) {
    const start = instructions.trim().replace(/\n\s*\n+/g, "\n");
    const cut = start.length <= chars
      ? start
      : `${start.slice(0, chars).replace(/\s+\S*$/, "")} ...`;
    const quote = cut === "" ? "" : markdownQuote(cut, chars * 2).trimEnd();
    if (estimateTokens(quote) <= INSTRUCTION_TOKENS) return quote;
  }
  return "";
}

const MAX_SAMPLE_CHARS = 200;

// A tool to show how a program is written: one that only reads, as far as hints and names tell,
// and that takes something.
function sampleOf(plan: ServerPlan): TemplateParts["skill"]["sample"] {
  const [first] = plan.tools;
  if (first === undefined) return undefined;
  let best: { readonly tool: ToolPlan; readonly call: string; readonly score: number } | undefined;
  for (const tool of plan.tools) {
    const call = exampleCall(tool);
    if (call === undefined || call.length > MAX_SAMPLE_CHARS || !SHELL_NAME.test(tool.tool)) {
      continue;
    }
    const required = tool.parameters?.filter((parameter) => parameter.required).length ?? 0;
    const score = (hintsOf(tool.definition)["readOnlyHint"] === true ? 4 : 0) +
      (READS.test(tool.tool) ? 2 : 0) + (required > 0 && required <= 3 ? 1 : 0);
    if (best === undefined || score > best.score) best = { tool, call, score };
  }
  const { tool, call } = best ?? { tool: first, call: `${first.functionName}({})` };
  return {
    tool: best === undefined ? "TOOL" : tool.tool,
    program: programOf(plan, tool.functionName, call),
  };
}

const SHELL_NAME = /^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,63}$/;
const READS = /(?:^|[_-])(?:list|get|search|read|find|query|describe|show)(?:[_-]|$)/;

function programOf({ info }: ServerPlan, functionName: string, call: string): string {
  const lines = [
    `import { ${functionName} } from "mcp:${info.name}";`,
    "",
    `const result = await ${call};`,
    "export default result;",
  ];
  return lines.join("\n");
}

// Past this, names by group say enough: SKILL.md is read before anything is known to be needed.
const WANTED_TOKENS = 3_000;

// The tools in as much detail as fits: a line each, names by group, or groups alone.
function listTools(
  { tools }: ServerPlan,
  { groups }: Reference,
  { sizeOf }: { readonly sizeOf: (listing: string) => number },
): string {
  const lines = tools.map(({ tool, summary }) =>
    `- ${codeSpan(tool)}${summary === "" ? "" : `: ${markdownText(summary)}`}`
  ).join("\n");
  if (groups === undefined) {
    const where = `Signatures, parameters and examples: [${REFERENCE_FILE}](${REFERENCE_FILE}).`;
    const listings = [`${where}\n\n${lines}`, `${where}\n\n${namesOf(tools)}`];
    return listings.find((text) => sizeOf(text) <= MAX_SKILL_TOKENS) ?? where;
  }
  const where = `Signatures, parameters and examples by group ([all](${REFERENCE_FILE}))`;
  const whole = `${where}: ${groups.map(groupLinks).join(", ")}.\n\n${lines}`;
  if (sizeOf(whole) <= WANTED_TOKENS) return whole;
  const write = (kept: readonly ReferenceGroup[], line: (group: ReferenceGroup) => string) => {
    const shown = new Set(kept);
    const items = groups.filter((group) => shown.has(group)).map((group) => `- ${line(group)}`);
    const left = groups.length - kept.length;
    if (left > 0) items.push(`- and ${left} more groups: search for their tools`);
    return `${where}:\n\n${items.join("\n")}`;
  };
  const named = write(groups, (group) => `${groupLinks(group)}: ${namesOf(group.tools)}`);
  if (sizeOf(named) <= MAX_SKILL_TOKENS) return named;
  const largest = groups.toSorted((a, b) => b.tools.length - a.tools.length);
  for (let count = largest.length;; count = Math.floor(count * 0.9)) {
    const text = write(
      largest.slice(0, count),
      (group) => `${groupLinks(group)}, ${toolCount(group.tools.length)}`,
    );
    if (count === 0 || sizeOf(text) <= MAX_SKILL_TOKENS) return text;
  }
}

function namesOf(tools: readonly ToolPlan[]): string {
  return tools.map(({ tool }) => codeSpan(tool)).join(", ");
}
