// The reference of a skill: every tool with signature, parameters, result and an example, in files
// that stay below a budget of tokens. Which file holds a tool follows from names and types alone,
// so that a changed text moves only the file it stands in.

import {
  codeBlock,
  codeSpan,
  firstChars,
  firstWords,
  markdownText,
  plainLine,
  propertyKey,
  stringLiteral,
} from "./escape.ts";
import { MAX_REFERENCE_TOKENS, MAX_REFERENCE_TOOLS } from "./limits.ts";
import type { Parameter, ServerPlan, ToolPlan } from "./plan.ts";
import { render } from "./template.ts";
import type { ServerInfo } from "./server.ts";
import { estimateTokens } from "./stats.ts";
import { groupTools } from "./tool_groups.ts";
import type { TypeNode } from "./type_model.ts";

/** Tools that belong together by their names, and the files that document them. */
export interface ReferenceGroup {
  readonly label: string;
  readonly tools: readonly ToolPlan[];
  /** Relative to the skill. */
  readonly files: readonly string[];
}

/** The reference of a server. */
export interface Reference {
  readonly files: ReadonlyMap<string, string>;
  /** Sorted by label; undefined where one file holds all. */
  readonly groups: readonly ReferenceGroup[] | undefined;
}

/** The file that documents all tools, or lists those that do. */
export const REFERENCE_FILE = "REFERENCE.md";

// What texts of the server may cost. Counted whole whether there is a text or not: where a tool is
// documented must not depend on what is said about it.
const ABOUT_TOKENS = 90;
const ABOUT_CHARS = 400;
const PARAMETER_TOKENS = 24;
const PARAMETER_CHARS = 160;
const MAX_PARAMETERS = 25;
const MAX_TYPE_CHARS = 120;
const MAX_EXAMPLE_CHARS = 400;

/**
 * The reference of the tools of `plan`; no file costs more than `MAX_REFERENCE_TOKENS`. `reach` are
 * flags behind the commands that are shown, as shell text with a space in front, or nothing.
 */
export function writeReference(plan: ServerPlan, reach: string): Reference {
  const costs = new Map(plan.tools.map((tool) => [tool, costOf(tool)]));
  const empty = writeFile([], plan, { reach, label: LONG_LABEL });
  const room = MAX_REFERENCE_TOKENS - estimateTokens(empty);
  const total = plan.tools.reduce((sum, tool) => sum + costs.get(tool)!, 0);
  if (plan.tools.length <= MAX_REFERENCE_TOOLS && total <= room) {
    const text = writeFile(plan.tools, plan, { reach, label: "" });
    return { files: new Map([[REFERENCE_FILE, text]]), groups: undefined };
  }
  const files = new Map<string, string>();
  const groups = groupTools(plan.tools).map(({ label, tools }) => {
    const paths = divide(tools, { costs, room }).map((part, at) => {
      const name = at === 0 ? label : `${label}-${at + 1}`;
      files.set(`references/${name}.md`, writeFile(part, plan, { reach, label: name }));
      return `references/${name}.md`;
    });
    return { label, tools, files: paths };
  });
  files.set(REFERENCE_FILE, writeIndex(groups, plan, reach));
  return { files, groups };
}

const LONG_LABEL = "x".repeat(40);

function divide(
  tools: readonly ToolPlan[],
  { costs, room }: { costs: ReadonlyMap<ToolPlan, number>; room: number },
): ToolPlan[][] {
  const parts: ToolPlan[][] = [];
  let left = -1;
  for (const tool of tools) {
    const cost = costs.get(tool)!;
    if (cost > left) {
      parts.push([]);
      left = room;
    }
    parts.at(-1)!.push(tool);
    left -= cost;
  }
  return parts;
}

function writeFile(
  tools: readonly ToolPlan[],
  { info }: ServerPlan,
  { reach, label }: { readonly reach: string; readonly label: string },
): string {
  return render("reference", {
    title: `Reference of ${info.name}${label === "" ? "" : `: ${label}`}`,
    note: `Functions of \`mcp:${info.name}\`, each with the name of its tool. ${
      wayOn(info, reach)
    }`,
    contents: tools.map(contentsLine),
    sections: tools.map((tool) => sectionOf(tool)),
  });
}

function wayOn({ name }: ServerInfo, reach: string): string {
  return `\`mcp-exec introspect ${name} --tool TOOL${reach}\` shows all types of a tool.`;
}

function contentsLine({ functionName }: ToolPlan): string {
  return `- [${markdownText(functionName)}](#${functionName.toLowerCase()})`;
}

// The most that a tool can take of a file.
function costOf(tool: ToolPlan): number {
  const texts = ABOUT_TOKENS +
    PARAMETER_TOKENS * Math.min(tool.parameters?.length ?? 0, MAX_PARAMETERS);
  return texts + estimateTokens(`${contentsLine(tool)}\n\n`) +
    estimateTokens(sectionOf(tool, { silent: true }));
}

function sectionOf(tool: ToolPlan, { silent = false } = {}): string {
  const fit = (text: string, bounds: TextBounds) => silent ? "" : fitText(text, bounds);
  const { description, title } = tool.definition;
  const about = fit(description ?? title ?? "", { chars: ABOUT_CHARS, tokens: ABOUT_TOKENS });
  const example = exampleCall(tool);
  const code = example === undefined || example.length > MAX_EXAMPLE_CHARS
    ? tool.signature
    : `${tool.signature}\n// Example\nawait ${example};`;
  return render("section", {
    title: markdownText(tool.functionName),
    tool: codeSpan(tool.tool),
    about: about === "" ? "" : `: ${about}`,
    code: codeBlock(code, "ts").trimEnd(),
    parameters: parameterLines(tool, { fit, silent }),
  }).trimEnd();
}

interface TextBounds {
  readonly chars: number;
  readonly tokens: number;
}

// Parameters as far as they have something to say: types stand in the signature, unless that was
// too long for them.
function parameterLines(
  tool: ToolPlan,
  options: {
    readonly fit: (text: string, bounds: TextBounds) => string;
    readonly silent: boolean;
  },
): string {
  const isShort =
    tool.signature.startsWith(`${tool.functionName}(params: ${tool.typeName}Params`) ||
    tool.signature.startsWith(`${tool.functionName}(params?: ${tool.typeName}Params`);
  const lines: string[] = [];
  const parameters = tool.parameters ?? [];
  for (const parameter of parameters.slice(0, MAX_PARAMETERS)) {
    const bounds = { chars: PARAMETER_CHARS, tokens: PARAMETER_TOKENS };
    const text = options.fit(textOf(parameter), bounds);
    const type = isShort ? ` (${typeNote(parameter)})` : "";
    if (text === "" && type === "" && !options.silent) continue;
    lines.push(`- ${codeSpan(parameter.name, 80)}${type}${text === "" ? "" : `: ${text}`}`);
  }
  const more = parameters.length - MAX_PARAMETERS;
  if (more > 0) lines.push(`- and ${more} more`);
  return lines.join("\n");
}

function typeNote({ type, required }: Parameter): string {
  return `${codeSpan(firstChars(type, MAX_TYPE_CHARS))}${required ? "" : ", optional"}`;
}

function textOf({ docs }: Parameter): string {
  const description = docs?.["description"] ?? docs?.["title"];
  const text = typeof description === "string" ? description : "";
  const value = docs?.["default"];
  if (!["string", "number", "boolean"].includes(typeof value)) return text;
  const shown = plainLine(JSON.stringify(value), 40);
  return text === "" ? `Default ${shown}` : `${text} (default ${shown})`;
}

// `text` as words of Markdown within the bounds, cut at the end of a word.
function fitText(text: string, bounds: TextBounds): string {
  let kept = plainLine(text.slice(0, bounds.chars * 4), bounds.chars * 4);
  let limit = bounds.chars;
  for (;;) {
    const cut = firstWords(kept, limit);
    const shown = markdownText(cut);
    const tokens = estimateTokens(shown);
    if (tokens <= bounds.tokens || limit < 10) return tokens <= bounds.tokens ? shown : "";
    kept = cut;
    limit = Math.min(limit - 1, Math.floor(cut.length * bounds.tokens / tokens));
  }
}

function writeIndex(
  groups: readonly ReferenceGroup[],
  plan: ServerPlan,
  reach: string,
): string {
  const write = (lines: readonly string[], rest: number) =>
    render("reference", {
      title: `Reference of ${plan.info.name}`,
      note: `${plan.tools.length} tools, documented by group. ${wayOn(plan.info, reach)}`,
      contents: rest === 0
        ? lines
        : [...lines, `- and ${rest} more groups: the other files of \`references/\``],
      sections: [],
    });
  const named = groups.map((group) => `- ${groupLinks(group)}: ${functionNames(group)}`);
  if (estimateTokens(write(named, 0)) <= MAX_REFERENCE_TOKENS) return write(named, 0);
  const counted = groups.map((group) => `- ${groupLinks(group)}, ${group.tools.length} tools`);
  let kept = counted.length;
  const start = () => write(counted.slice(0, kept), counted.length - kept);
  while (estimateTokens(start()) > MAX_REFERENCE_TOKENS) kept = Math.floor(kept * 0.9);
  return start();
}

function functionNames({ tools }: ReferenceGroup): string {
  return tools.map(({ functionName }) => `\`${functionName}\``).join(", ");
}

const MAX_LINKS = 20;

/** Links to the files of a group, the first under its label. */
export function groupLinks({ label, files }: ReferenceGroup): string {
  const links = files.slice(0, MAX_LINKS).map((file, at) =>
    `[${at === 0 ? label : at + 1}](${file})`
  );
  if (files.length > MAX_LINKS) links.push(`to \`${files.at(-1)}\``);
  return links.join(" ");
}

const MAX_EXAMPLE_DEPTH = 8;
// Types may repeat each other without end.
const MAX_EXAMPLE_NODES = 200;

/** A call with the fewest parameters that types allow; undefined where no value fits them. */
export function exampleCall({ functionName, params, optional }: ToolPlan): string | undefined {
  if (optional) return `${functionName}()`;
  let nodes = 0;
  const value = write(params.root, 0);
  return value === undefined ? undefined : `${functionName}(${value})`;

  function write(node: TypeNode, depth: number): string | undefined {
    if (depth > MAX_EXAMPLE_DEPTH || ++nodes > MAX_EXAMPLE_NODES) return undefined;
    switch (node.kind) {
      case "never":
        return undefined;
      case "undefined":
      case "null":
        return node.kind;
      case "unknown":
      case "string":
        return '"..."';
      case "boolean":
        return "true";
      case "number":
        return "1";
      case "literal":
        return typeof node.value === "string" ? stringLiteral(node.value) : String(node.value);
      case "reference":
        return write(node.to.type, depth + 1);
      case "union":
        return firstOf(node.types, depth + 1);
      case "array":
        return `[${write(node.items, depth + 1) ?? ""}]`;
      case "tuple":
        return join(node.items.slice(0, node.required).map((item) => write(item, depth + 1)), "[]");
      case "object": {
        const members = node.members.filter((member) => !member.optional);
        return join(
          members.map(({ key, type }) => {
            const value = write(type, depth + 1);
            return value && `${propertyKey(key)}: ${value}`;
          }),
          "{}",
        );
      }
    }
  }

  function firstOf(types: readonly TypeNode[], depth: number): string | undefined {
    for (const type of types) {
      const text = write(type, depth);
      if (text !== undefined) return text;
    }
    return undefined;
  }
}

function join(parts: readonly (string | undefined)[], ends: "[]" | "{}"): string | undefined {
  if (parts.includes(undefined)) return undefined;
  if (parts.length === 0) return ends;
  const pad = ends === "{}" ? " " : "";
  return `${ends[0]}${pad}${parts.join(", ")}${pad}${ends[1]}`;
}
