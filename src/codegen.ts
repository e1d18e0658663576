// A server's tools as a TypeScript package: one typed module a tool, made from data alone. Pure:
// the same tools in any order give the same bytes, and nothing in the output holds a time, a
// policy or text of a server that was not escaped for its place.

import { docComment, docTagText, docText, jsonText, plainLine, stringLiteral } from "./escape.ts";
import { identifiersOf } from "./identifiers.ts";
import { MAX_SIGNATURE_CHARS, MAX_SUMMARY_CHARS } from "./limits.ts";
import type { ToolName } from "./names.ts";
import { toTypeModel } from "./schema.ts";
import type { ServerInfo, ToolDefinition } from "./server.ts";
import { nameDefinitions, type PlacedModel, type SharedTypes } from "./shared_types.ts";
import { renderHost, renderIndex, renderTool, renderTypes } from "./template.ts";
import { quoteText } from "./text.ts";
import type { TypeModel, TypeNode } from "./type_model.ts";
import { printType } from "./type_text.ts";
import type { FileSet } from "./vfs.ts";

/** A tool as generated code names it. */
export interface GeneratedTool {
  readonly tool: ToolName;
  /** The file of its module, relative to the package. */
  readonly file: string;
  readonly functionName: string;
  /** One line: `createIssue(params: { title: string }): Promise<unknown>`. */
  readonly signature: string;
  /** One sentence, safe to show; empty when the server gave none. */
  readonly summary: string;
}

/** A generated package. */
export interface GeneratedPackage {
  readonly files: FileSet;
  /** Sorted by wire name. */
  readonly tools: readonly GeneratedTool[];
  /** One line each, safe to show: what was left out or widened. */
  readonly warnings: readonly string[];
}

/** What a package may hold beside the code. */
export interface GenerateOptions {
  /** Counts tokens; with it the manifest says what each level of detail of a tool costs to read. */
  readonly estimateTokens?: (text: string) => number;
}

/** The version of the manifest's form. */
const MANIFEST_FORMAT = 1;

/**
 * The package of `info`: a module a tool, `index.ts`, `types.ts`, `host.ts`, `manifest.json`,
 * `deno.json` and `tsconfig.json`. Never throws for what a server said.
 */
export function generateTypescript(
  info: ServerInfo,
  options: GenerateOptions = {},
): GeneratedPackage {
  const warnings = [...info.warnings];
  const plans = planTools(info.tools, warnings);
  const shared = nameDefinitions(modelsOf(plans), {
    taken: plans.flatMap(({ typeName }) => [`${typeName}Params`, `${typeName}Result`]),
  });
  const files = new Map<string, string>();
  const tools: GeneratedTool[] = [];
  const server = stringLiteral(info.name);
  for (const plan of plans) {
    const { text, tool } = writeTool(plan, shared, server);
    files.set(tool.file, text);
    tools.push(tool);
  }
  const identity = plainLine(`${info.identity.name} ${info.identity.version}`);
  files.set(
    "index.ts",
    renderIndex({
      title: docTagText(`${identity} as ${info.name}, ${tools.length} tools`),
      tools: tools.map(({ file, summary }) => ({
        file,
        note: summary === "" ? "" : ` // ${docTagText(summary)}`,
      })),
    }),
  );
  files.set("types.ts", renderTypes({ definitions: shared.definitions }));
  files.set("host.ts", renderHost());
  const count = options.estimateTokens;
  const tokens = count === undefined
    ? undefined
    : tools.map((tool, at) =>
      costOf(tool, { count, ...plans[at]!, module: files.get(tool.file)! })
    );
  files.set("manifest.json", manifestOf(info, { plans, tools, warnings, tokens }));
  addProjectFiles(files, info);
  return { files, tools, warnings };
}

/** A tool with everything known about it before the names of shared types are. */
interface Plan {
  readonly tool: ToolDefinition;
  readonly functionName: string;
  /** What the names of its types begin with. */
  readonly typeName: string;
  readonly params: TypeModel;
  readonly result: TypeModel | undefined;
}

const OPEN_OBJECT: TypeNode = {
  kind: "object",
  members: [],
  index: [{ prefix: undefined, type: { kind: "unknown" } }],
};

function planTools(tools: readonly ToolDefinition[], warnings: string[]): Plan[] {
  const byName = new Map<string, ToolDefinition>();
  for (const tool of tools) {
    if (!byName.has(tool.name)) byName.set(tool.name, tool);
    else warnings.push(`Tool ${quoteText(tool.name)} is defined twice, the first one is kept`);
  }
  const sorted = [...byName.keys()].sort();
  const names = identifiersOf(sorted, { style: "function" });
  return sorted.map((name) => {
    const tool = byName.get(name)!;
    const functionName = names.get(name)!;
    const typeName = functionName.charAt(0).toUpperCase() + functionName.slice(1);
    const params = toTypeModel(tool.inputSchema, { name: typeName });
    const result = tool.outputSchema === undefined
      ? undefined
      : toTypeModel(tool.outputSchema, { name: `${typeName}Result` });
    for (const warning of [...params.warnings, ...result?.warnings ?? []]) {
      warnings.push(`Tool ${quoteText(name)}: ${warning}`);
    }
    return { tool, functionName, typeName, params: onlyObjects(params), result };
  });
}

function* modelsOf(plans: readonly Plan[]): Generator<PlacedModel> {
  for (const { functionName, params, result } of plans) {
    yield { model: params, place: functionName };
    if (result !== undefined) yield { model: result, place: `${functionName} result` };
  }
}

// Parameters travel as an object whatever the schema admits beside it.
function onlyObjects(model: TypeModel): TypeModel {
  if (model.root.kind === "object") return model;
  const choices = flatten(model.root).map((node) => node.kind === "unknown" ? OPEN_OBJECT : node)
    .filter((node) => node.kind === "object" || node.kind === "reference");
  const root: TypeNode = choices.length === 0
    ? { kind: "never" }
    : choices.length === 1
    ? choices[0]!
    : { kind: "union", types: choices };
  return { ...model, root };
}

// The types `node` is a choice of, references to objects kept, other references followed.
function flatten(node: TypeNode, seen = new Set<TypeNode>()): TypeNode[] {
  if (seen.has(node)) return [];
  seen.add(node);
  if (node.kind === "union") return node.types.flatMap((type) => flatten(type, seen));
  if (node.kind !== "reference" || node.to.type.kind === "object") return [node];
  return flatten(node.to.type, seen);
}

// Whether `{}` is among the values, so that a call may leave its parameters out.
function acceptsNothing(root: TypeNode): boolean {
  return flatten(root).some((node) => {
    const type = node.kind === "reference" ? node.to.type : node;
    return type.kind === "object" && type.members.every((member) => member.optional);
  });
}

function writeTool(
  plan: Plan,
  shared: SharedTypes,
  server: string,
): { text: string; tool: GeneratedTool } {
  const { tool, functionName, typeName } = plan;
  const optional = acceptsNothing(plan.params.root) ? "?" : "";
  const used = new Set<string>();
  const params = printModel(plan.params, shared, used);
  const result = plan.result === undefined
    ? { text: "unknown", line: "unknown" }
    : printModel(plan.result, shared, used);
  const text = renderTool({
    imports: used.size === 0
      ? ""
      : `import type { ${[...used].sort().join(", ")} } from "./types.ts";\n`,
    doc: docComment(docOf(tool)),
    functionName,
    typeName,
    params: params.text,
    result: result.text,
    optional,
    server,
    tool: stringLiteral(tool.name),
  });
  const signature = `${functionName}(params${optional}: ${params.line}): Promise<${result.line}>`;
  return {
    text,
    tool: {
      tool: tool.name,
      file: `${functionName}.ts`,
      functionName,
      signature: signature.length <= MAX_SIGNATURE_CHARS
        ? signature
        : `${functionName}(params${optional}: ${typeName}Params): Promise<${typeName}Result>`,
      summary: summaryOf(tool),
    },
  };
}

function printModel(
  model: TypeModel,
  shared: SharedTypes,
  used: Set<string>,
): { text: string; line: string } {
  if (model.definitions.size === 0) {
    return { text: printType(model).text, line: printType(model, { line: true }).text };
  }
  const names = (name: string) => shared.nameOf(model, name);
  // The root alone: its definitions stand in `types.ts`.
  const root: TypeModel = { ...model, definitions: new Map() };
  const { text } = printType(root, {
    names: (name) => {
      used.add(names(name));
      return names(name);
    },
  });
  return { text, line: printType(root, { line: true, names }).text };
}

function docOf(tool: ToolDefinition): string[] {
  const lines = docText(tool.description ?? tool.title ?? "");
  const hints = hintsOf(tool);
  const said = HINTS.filter(({ key }) => hints[key] !== undefined)
    .map(({ key, yes, no }) => hints[key] ? yes : no);
  const facts: string[] = [];
  if (said.length > 0) facts.push(`Hints of the server: ${said.join(", ")}.`);
  if (isDeprecated(tool)) facts.push("@deprecated");
  return lines.length === 0 || facts.length === 0 ? [...lines, ...facts] : [...lines, "", ...facts];
}

const HINTS = [
  { key: "readOnlyHint", yes: "read-only", no: "writes" },
  { key: "destructiveHint", yes: "destructive", no: "not destructive" },
  { key: "idempotentHint", yes: "idempotent", no: "not idempotent" },
  { key: "openWorldHint", yes: "open world", no: "closed world" },
] as const;

function hintsOf(tool: ToolDefinition): Record<string, boolean> {
  const hints: Record<string, boolean> = {};
  for (const { key } of HINTS) {
    const value = tool.annotations?.[key];
    if (typeof value === "boolean") hints[key] = value;
  }
  return hints;
}

function isDeprecated(tool: ToolDefinition): boolean {
  return tool.annotations?.["deprecated"] === true || tool.inputSchema["deprecated"] === true ||
    /^[^A-Za-z]{0,4}deprecated\b/i.test(tool.description ?? "");
}

// The first sentence of the description: up to a full stop that ends one, or the first blank line.
function summaryOf(tool: ToolDefinition): string {
  const start = (tool.description ?? tool.title ?? "").slice(0, MAX_SUMMARY_CHARS * 8)
    .replace(/^[\s#*>-]+/, "");
  const paragraph = /\n\s*(?:\n|[-*#>]\s|\d+[.)]\s)/.exec(start);
  const line = plainLine(
    paragraph === null ? start : start.slice(0, paragraph.index),
    MAX_SUMMARY_CHARS * 8,
  );
  const end = /(?<!\b(?:e\.g|i\.e|etc|vs|incl|approx))[.!?](?=\s)/.exec(line);
  const sentence = end === null ? line : line.slice(0, end.index + 1);
  if (sentence.length <= MAX_SUMMARY_CHARS) return sentence;
  return `${sentence.slice(0, MAX_SUMMARY_CHARS - 3).replace(/\s+\S*$/, "")}...`;
}

/** Tokens it takes to read of one tool what lists show, its signature, its module, its schemas. */
interface Cost {
  readonly summary: number;
  readonly signature: number;
  readonly module: number;
  readonly definition: number;
}

function costOf(
  { tool, signature, summary }: GeneratedTool,
  parts: { count: (text: string) => number; module: string; tool: ToolDefinition },
): Cost {
  const { digest: _, ...definition } = parts.tool;
  return {
    summary: parts.count(`${tool}: ${summary}`),
    signature: parts.count(signature),
    module: parts.count(parts.module),
    definition: parts.count(JSON.stringify(definition)),
  };
}

interface ManifestParts {
  readonly plans: readonly Plan[];
  readonly tools: readonly GeneratedTool[];
  readonly warnings: readonly string[];
  readonly tokens: readonly Cost[] | undefined;
}

function manifestOf(info: ServerInfo, { plans, tools, warnings, tokens }: ManifestParts): string {
  const { name, version, title } = info.identity;
  return jsonText({
    format_version: MANIFEST_FORMAT,
    server: info.name,
    identity: {
      name: plainLine(name),
      version: plainLine(version),
      ...(title !== undefined && { title: plainLine(title) }),
    },
    protocol: plainLine(info.protocolVersion),
    ...(tokens !== undefined && { tokens: tokens.reduce(addCosts, NO_COST) }),
    tools: tools.map((tool, at) => ({
      tool: tool.tool,
      file: tool.file,
      function: tool.functionName,
      signature: tool.signature,
      summary: tool.summary,
      annotations: hintsOf(plans[at]!.tool),
      digest: plans[at]!.tool.digest,
      ...(tokens !== undefined && { tokens: tokens[at] }),
    })),
    warnings,
  });
}

const NO_COST: Cost = { summary: 0, signature: 0, module: 0, definition: 0 };

function addCosts(sum: Cost, cost: Cost): Cost {
  return {
    summary: sum.summary + cost.summary,
    signature: sum.signature + cost.signature,
    module: sum.module + cost.module,
    definition: sum.definition + cost.definition,
  };
}

function addProjectFiles(files: Map<string, string>, info: ServerInfo): void {
  const strict = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
  };
  const names = [`mcp:${info.name}`, "mcp:host"];
  const targets = ["./index.ts", "./host.ts"];
  files.set(
    "deno.json",
    jsonText({
      imports: Object.fromEntries(names.map((name, at) => [name, targets[at]])),
      compilerOptions: strict,
    }),
  );
  files.set(
    "tsconfig.json",
    jsonText({
      compilerOptions: {
        ...strict,
        target: "es2022",
        module: "esnext",
        moduleResolution: "bundler",
        allowImportingTsExtensions: true,
        noEmit: true,
        types: [],
        paths: Object.fromEntries(names.map((name, at) => [name, [targets[at]]])),
      },
    }),
  );
}
