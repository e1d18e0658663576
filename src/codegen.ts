// A server's tools as a TypeScript package: one typed module a tool, made from data alone. Pure:
// the same tools in any order give the same bytes, and nothing in the output holds a time, a
// policy or text of a server that was not escaped for its place.

import {
  docComment,
  docTagText,
  firstChars,
  jsonLine,
  jsonText,
  plainLine,
  stringLiteral,
} from "./escape.ts";
import { MAX_MANIFEST_TYPE_CHARS } from "./limits.ts";
import { docOf, hintsOf, planServer, printTool, type ServerPlan, type ToolPlan } from "./plan.ts";
import type { ServerInfo } from "./server.ts";
import { render } from "./template.ts";
import type { FileSet } from "./vfs.ts";

/** A generated package. */
export interface GeneratedPackage {
  readonly files: FileSet;
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
  return writePackage(planServer(info), options);
}

/** The package of a server whose tools were read already. */
export function writePackage(plan: ServerPlan, options: GenerateOptions = {}): GeneratedPackage {
  const { info, shared, warnings } = plan;
  const files = new Map<string, string>();
  const server = stringLiteral(info.name);
  for (const tool of plan.tools) files.set(tool.file, writeTool(tool, plan, server));
  const identity = plainLine(`${info.identity.name} ${info.identity.version}`);
  files.set(
    "index.ts",
    render("index", {
      title: docTagText(`${identity} as ${info.name}, ${plan.tools.length} tools`),
      tools: plan.tools.map(({ file, summary }) => ({
        file,
        note: summary === "" ? "" : ` // ${docTagText(summary)}`,
      })),
    }),
  );
  files.set("types.ts", render("types", { definitions: shared.definitions }));
  files.set("host.ts", render("host", { types: render("host_types", {}).trimEnd() }));
  const count = options.estimateTokens;
  const tokens = count &&
    plan.tools.map((tool) => costOf(tool, { count, module: files.get(tool.file)! }));
  files.set("manifest.json", manifestOf(plan, tokens));
  addProjectFiles(files, info);
  return { files, warnings };
}

/**
 * The module of one tool as a reader wants it: followed by the shared types it uses, directly or
 * through others.
 */
export function readableModule(tool: ToolPlan, plan: ServerPlan): string {
  const module = writeTool(tool, plan, stringLiteral(plan.info.name));
  const definitions = new Map(plan.shared.definitions.map(({ name, text }) => [name, text]));
  const used = new Set<string>();
  printTool(tool, plan, { used });
  // A set gives what is added to it while it is walked.
  for (const name of used) {
    for (const word of definitions.get(name)?.match(/\w+/g) ?? []) {
      if (definitions.has(word)) used.add(word);
    }
  }
  if (used.size === 0) return module;
  const types = [...used].sort().map((name) => ({ name, text: definitions.get(name)! }));
  const shared = render("types", { definitions: types }).replace(/^.*\n/, "").replace(
    /\n+export \{\};\n*$/,
    "\n",
  );
  return `${module}\n// types.ts\n${shared}`;
}

function writeTool(tool: ToolPlan, plan: ServerPlan, server: string): string {
  const used = new Set<string>();
  const { params, result } = printTool(tool, plan, { used });
  return render("tool", {
    imports: used.size === 0
      ? ""
      : `import type { ${[...used].sort().join(", ")} } from "./types.ts";\n`,
    doc: docComment(docOf(tool)),
    functionName: tool.functionName,
    typeName: tool.typeName,
    params,
    result,
    optional: tool.optional ? "?" : "",
    server,
    tool: stringLiteral(tool.tool),
  });
}

/** Tokens it takes to read of one tool what lists show, its signature, its module, its schemas. */
interface Cost {
  readonly summary: number;
  readonly signature: number;
  readonly module: number;
  readonly definition: number;
}

function costOf(
  { tool, signature, summary, definition: { digest: _, ...definition } }: ToolPlan,
  { count, module }: { count: (text: string) => number; module: string },
): Cost {
  return {
    summary: count(`${tool}: ${summary}`),
    signature: count(signature),
    module: count(module),
    definition: count(JSON.stringify(definition)),
  };
}

/** A tool as the manifest describes it. */
export interface ManifestTool {
  readonly tool: string;
  readonly file: string;
  readonly function: string;
  readonly signature: string;
  /** Absent where the tool takes a choice of several objects. */
  readonly parameters?: readonly ManifestParameter[];
  readonly result: string;
  readonly summary: string;
  readonly annotations: Readonly<Record<string, boolean>>;
  readonly digest: string;
}

/** A parameter as the manifest describes it; the type is cut where it is long. */
export interface ManifestParameter {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
}

/** What the manifest says of a server and its tools. */
export interface Manifest {
  readonly format_version: number;
  readonly server: string;
  readonly identity: { readonly name: string; readonly version: string; readonly title?: string };
  readonly protocol: string;
  readonly tools: readonly ManifestTool[];
  readonly warnings: readonly string[];
}

/** The manifest of a server, without counts of tokens. */
export function describeServer({ info, tools, warnings }: ServerPlan): Manifest {
  const { name, version, title } = info.identity;
  return {
    format_version: MANIFEST_FORMAT,
    server: info.name,
    identity: {
      name: plainLine(name),
      version: plainLine(version),
      ...(title !== undefined && { title: plainLine(title) }),
    },
    protocol: plainLine(info.protocolVersion),
    tools: tools.map((tool) => ({
      tool: tool.tool,
      file: tool.file,
      function: tool.functionName,
      signature: tool.signature,
      ...(tool.parameters !== undefined && {
        parameters: tool.parameters.map(({ name, type, required }) => ({
          name,
          type: shorten(type),
          required,
        })),
      }),
      result: shorten(tool.resultType),
      summary: tool.summary,
      annotations: hintsOf(tool.definition),
      digest: tool.definition.digest,
    })),
    warnings,
  };
}

// A line a tool, so that a change of one shows as one line.
function manifestOf(plan: ServerPlan, tokens: readonly Cost[] | undefined): string {
  const { tools, ...server } = describeServer(plan);
  const sum = tokens && { tokens: tokens.reduce(addCosts, NO_COST) };
  const head = jsonText({ ...server, ...sum }).replace(/\n\}\n$/, "");
  const lines = tools.map((tool, at) =>
    `    ${jsonLine(tokens === undefined ? tool : { ...tool, tokens: tokens[at] })}`
  );
  return `${head},\n  "tools": [${lines.length === 0 ? "" : `\n${lines.join(",\n")}\n  `}]\n}\n`;
}

// A type as far as it helps to tell what changed; the digest covers the rest.
function shorten(type: string): string {
  return firstChars(type, MAX_MANIFEST_TYPE_CHARS);
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
  const imports = { [`mcp:${info.name}`]: "./index.ts", "mcp:host": "./host.ts" };
  files.set(
    "deno.json",
    jsonText({ imports, compilerOptions: strict }),
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
        paths: Object.fromEntries(Object.entries(imports).map(([name, file]) => [name, [file]])),
      },
    }),
  );
}
