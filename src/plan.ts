// What generated code, documents and comparisons know of a server's tools: names, typed models,
// signatures and summaries. Pure: the order of tools changes nothing, and nothing is rendered here.

import { docText, firstWords, plainLine, propertyKey } from "./escape.ts";
import { identifiersOf } from "./identifiers.ts";
import { MAX_LISTING_TYPE_NODES, MAX_SIGNATURE_CHARS, MAX_SUMMARY_CHARS } from "./limits.ts";
import type { ToolName } from "./names.ts";
import { toTypeModel } from "./schema.ts";
import type { JsonObject, ServerInfo, ToolDefinition } from "./server.ts";
import { nameDefinitions, type PlacedModel, type SharedTypes } from "./named_types.ts";
import { quoteText } from "./text.ts";
import type { TypeModel, TypeNode } from "./type_model.ts";
import { printType } from "./type_text.ts";

/** A tool as generated code names it, with its types. */
export interface ToolPlan {
  readonly tool: ToolName;
  /** The file of its module, relative to the package. */
  readonly file: string;
  readonly functionName: string;
  /** One line: `createIssue(params: { title: string }): Promise<unknown>`. */
  readonly signature: string;
  /** One sentence, safe to show; empty when the server gave none. */
  readonly summary: string;
  readonly definition: ToolDefinition;
  /** What the names of its types begin with. */
  readonly typeName: string;
  readonly params: TypeModel;
  /** Undefined where the server promises nothing. */
  readonly result: TypeModel | undefined;
  /** Whether a call may leave its parameters out. */
  readonly optional: boolean;
  /** Required ones first; undefined where the server takes a choice of several objects. */
  readonly parameters: readonly Parameter[] | undefined;
  /** The result's type on one line. */
  readonly resultType: string;
}

/** The tools of a server, sorted by wire name, and the types they share. */
export interface ServerPlan {
  readonly info: ServerInfo;
  readonly tools: readonly ToolPlan[];
  readonly shared: SharedTypes;
  /** One line each, safe to show: what was left out or widened. */
  readonly warnings: readonly string[];
}

/** One parameter of a tool. */
export interface Parameter {
  readonly name: string;
  /** Its type on one line. */
  readonly type: string;
  readonly required: boolean;
  /** The schema that documents it; untrusted. */
  readonly docs: JsonObject | undefined;
}

/** Reads what `info` says of its tools; a tool defined twice counts once. Never throws. */
export function planServer(info: ServerInfo): ServerPlan {
  const warnings = [...info.warnings];
  const drafts = draftTools(info.tools, warnings);
  const shared = nameDefinitions(modelsOf(drafts), { taken: typeNamesOf(drafts) });
  const tools = drafts.map((draft) => {
    const parameters = parametersOf(draft, shared);
    const resultType = draft.result === undefined ? "unknown" : lineOf(draft.result, shared);
    return {
      ...draft,
      parameters,
      resultType,
      signature: signatureOf(draft, { parameters, resultType, shared }),
      summary: summaryOf(draft.definition),
    };
  });
  return { info, tools, shared, warnings };
}

type Draft = Omit<ToolPlan, "parameters" | "resultType" | "signature" | "summary">;

function draftTools(tools: readonly ToolDefinition[], warnings: string[]): Draft[] {
  const byName = new Map<string, ToolDefinition>();
  for (const tool of tools) {
    if (!byName.has(tool.name)) byName.set(tool.name, tool);
    else warnings.push(`Tool ${quoteText(tool.name)} is defined twice, the first one is kept`);
  }
  const sorted = [...byName.keys()].sort();
  const names = identifiersOf(sorted, { style: "function" });
  const budget = { left: MAX_LISTING_TYPE_NODES };
  let untyped = 0;
  const drafts = sorted.map((name) => {
    const definition = byName.get(name)!;
    const functionName = names.get(name)!;
    const typeName = functionName.charAt(0).toUpperCase() + functionName.slice(1);
    const isTyped = budget.left > 0;
    if (!isTyped) untyped++;
    const modelOf = (schema: JsonObject, name: string) =>
      toTypeModel(isTyped ? schema : true, { name, budget });
    const model = modelOf(definition.inputSchema, typeName);
    const result = definition.outputSchema && modelOf(definition.outputSchema, `${typeName}Result`);
    for (const warning of [...model.warnings, ...result?.warnings ?? []]) {
      warnings.push(`Tool ${quoteText(name)}: ${warning}`);
    }
    const params = onlyObjects(model);
    return {
      tool: definition.name,
      file: `${functionName}.ts`,
      functionName,
      definition,
      typeName,
      params,
      result,
      optional: acceptsNothing(params.root),
    };
  });
  if (untyped > 0) {
    const bound = `have more than ${MAX_LISTING_TYPE_NODES} parts together`;
    const rest = `the last ${untyped} of ${drafts.length} are typed as unknown`;
    warnings.push(`Schemas of the tools ${bound}: ${rest}`);
  }
  return drafts;
}

function* modelsOf(drafts: readonly Draft[]): Generator<PlacedModel> {
  for (const { functionName, params, result } of drafts) {
    yield { model: params, place: functionName };
    if (result !== undefined) yield { model: result, place: `${functionName} result` };
  }
}

function* typeNamesOf(drafts: readonly Draft[]): Generator<string> {
  for (const { typeName } of drafts) yield* [`${typeName}Params`, `${typeName}Result`];
}

const OPEN_OBJECT: TypeNode = {
  kind: "object",
  members: [],
  index: [{ prefix: undefined, type: { kind: "unknown" } }],
};

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

// Whether `{}` is among the values.
function acceptsNothing(root: TypeNode): boolean {
  return flatten(root).some((node) => {
    const type = node.kind === "reference" ? node.to.type : node;
    return type.kind === "object" && type.members.every((member) => member.optional);
  });
}

function signatureOf(
  { functionName, typeName, params, optional }: Draft,
  { parameters, resultType, shared }: Pick<ToolPlan, "parameters" | "resultType"> & {
    readonly shared: SharedTypes;
  },
): string {
  const head = `${functionName}(params${optional ? "?" : ""}: `;
  const type = parameters !== undefined && parameters.length > 0 && isClosed(params.root)
    ? `{ ${parameters.map(memberLine).join("; ")} }`
    : lineOf(params, shared);
  const signature = `${head}${type}): Promise<${resultType}>`;
  return signature.length <= MAX_SIGNATURE_CHARS
    ? signature
    : `${head}${typeName}Params): Promise<${typeName}Result>`;
}

// Whether the members of an object say all that one line says of it.
function isClosed(root: TypeNode): boolean {
  return root.kind === "object" && root.index.every(({ type }) => type.kind === "unknown");
}

function memberLine({ name, type, required }: Parameter): string {
  return `${propertyKey(name)}${required ? "" : "?"}: ${type}`;
}

function lineOf(model: TypeModel, shared: SharedTypes): string {
  return printType(model.root, { line: true, ...namesOf(model, shared) });
}

function namesOf(model: TypeModel, shared: SharedTypes, used?: Set<string>) {
  if (model.definitions.size === 0) return {};
  return {
    names(definition: string): string {
      const name = shared.nameOf(model, definition);
      used?.add(name);
      return name;
    },
  };
}

// Types that are printed as the name of their kind.
const PLAIN_KINDS = new Set<TypeNode["kind"]>(["string", "number", "boolean", "unknown"]);

function parametersOf({ params }: Draft, shared: SharedTypes): Parameter[] | undefined {
  const node = params.root.kind === "reference" ? params.root.to.type : params.root;
  if (node.kind !== "object") return undefined;
  const options = { line: true, ...namesOf(params, shared) };
  return node.members.map(({ key, type, optional, docs }) => ({
    name: key,
    type: PLAIN_KINDS.has(type.kind) ? type.kind : printType(type, options),
    required: !optional,
    docs,
  }));
}

/**
 * The types of a tool with their docs as expressions, as they stand on a line that is indented by
 * `indent`; the names of shared types among them go to `used`.
 */
export function printTool(
  tool: ToolPlan,
  { shared }: ServerPlan,
  { used, indent = 0 }: { readonly used?: Set<string>; readonly indent?: number } = {},
): { readonly params: string; readonly result: string } {
  const print = (model: TypeModel) =>
    printType(model.root, { indent, ...namesOf(model, shared, used) });
  return {
    params: print(tool.params),
    result: tool.result === undefined ? "unknown" : print(tool.result),
  };
}

/** What the doc comment of a tool says, as lines ready for `docComment`. */
export function docOf({ definition }: ToolPlan): string[] {
  const lines = docText(definition.description ?? definition.title ?? "");
  const hints = hintsOf(definition);
  const said = HINTS.filter(({ key }) => hints[key] !== undefined)
    .map(({ key, yes, no }) => hints[key] ? yes : no);
  const facts: string[] = [];
  if (said.length > 0) facts.push(`Hints of the server: ${said.join(", ")}.`);
  if (isDeprecated(definition)) facts.push("@deprecated");
  return lines.length === 0 || facts.length === 0 ? [...lines, ...facts] : [...lines, "", ...facts];
}

const HINTS = [
  { key: "readOnlyHint", yes: "read-only", no: "writes" },
  { key: "destructiveHint", yes: "destructive", no: "not destructive" },
  { key: "idempotentHint", yes: "idempotent", no: "not idempotent" },
  { key: "openWorldHint", yes: "open world", no: "closed world" },
] as const;

/** The annotations of a tool that the protocol knows, as far as they are booleans. */
export function hintsOf(definition: ToolDefinition): Record<string, boolean> {
  const hints: Record<string, boolean> = {};
  for (const { key } of HINTS) {
    const value = definition.annotations?.[key];
    if (typeof value === "boolean") hints[key] = value;
  }
  return hints;
}

function isDeprecated({ annotations, inputSchema, description }: ToolDefinition): boolean {
  return annotations?.["deprecated"] === true || inputSchema["deprecated"] === true ||
    /^[^a-z]{0,4}deprecated\b/.test((description ?? "").slice(0, 15).toLowerCase());
}

// The first sentence of the description: up to a full stop that ends one, or the first blank line.
function summaryOf({ description, title }: ToolDefinition): string {
  const start = (description ?? title ?? "").slice(0, MAX_SUMMARY_CHARS * 8)
    .replace(/^[\s#*>-]+/, "");
  const paragraph = /\n\s*(?:\n|[-*#>]\s|\d+[.)]\s)/.exec(start);
  const line = plainLine(
    paragraph === null ? start : start.slice(0, paragraph.index),
    MAX_SUMMARY_CHARS * 8,
  );
  const end = /(?<!\b(?:e\.g|i\.e|etc|vs|incl|approx))[.!?](?=\s)/.exec(line);
  return firstWords(end === null ? line : line.slice(0, end.index + 1), MAX_SUMMARY_CHARS);
}
