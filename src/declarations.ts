// The types of `mcp:` imports for editors: one file of ambient modules over several servers. It
// declares and implements nothing; every text of a server is escaped for its place.

import { docComment, stringLiteral } from "./escape.ts";
import { docOf, planServer, printTool, type ServerPlan, type ToolPlan } from "./plan.ts";
import type { ServerInfo } from "./server.ts";
import { render } from "./template.ts";

/** The first line of every such file. */
export const DECLARATIONS_MARKER =
  "// Made by mcp-exec for editors: the types of what programs import. Not to be edited.";

// What `mcp:host` exports besides types, each a member of its interface `Host`.
const HOST_EXPORTS = [
  ...["callTool", "callTools", "readResult", "readResource", "listResources", "getPrompt"],
  ...["readFile", "listFiles", "writeFile", "searchTools", "getState", "setState", "log"],
  "ToolError",
];

/**
 * The text of one `mcp-exec.d.ts`: the module `mcp:NAME` of each of `infos`, sorted by name, and
 * `mcp:host`. Of two servers with one name the first stands.
 */
export function generateDeclarations(infos: readonly ServerInfo[]): string {
  const byName = new Map(infos.toReversed().map((info) => [info.name as string, info]));
  const modules = [...byName.keys()].sort().map((name) => ({
    specifier: stringLiteral(`mcp:${name}`),
    body: declare(planServer(byName.get(name)!)).join("\n\n"),
  }));
  const values = HOST_EXPORTS.map((name) => `export const ${name}: Host["${name}"];`);
  const host = {
    specifier: '"mcp:host"',
    body: indent(`${render("host_types", {})}\n${values.join("\n")}`),
  };
  return render("declarations", { marker: DECLARATIONS_MARKER, modules: [...modules, host] });
}

function declare(plan: ServerPlan): string[] {
  const types = plan.shared.definitions.map(({ name, text }) =>
    indent(`export type ${name} = ${text};`)
  );
  return [...types, ...plan.tools.map((tool) => declareTool(tool, plan))];
}

function declareTool(tool: ToolPlan, plan: ServerPlan): string {
  const { functionName, typeName, optional } = tool;
  return render("declaration", {
    doc: docComment(docOf(tool), "  "),
    functionName,
    typeName,
    ...printTool(tool, plan, { indent: 2 }),
    optional: optional ? "?" : "",
  }).trimEnd();
}

// No text in a type spans lines: literals hold line feeds as escapes.
function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}
