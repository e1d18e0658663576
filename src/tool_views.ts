// The tools of a server as people and agents read them: TypeScript signatures with what was said of
// them. Every text of a server is made safe to show here.

import { cutText } from "./figure_views.ts";
import { countOf, createStyle, type Output } from "./render.ts";
import type { ServerInfo, ToolDefinition } from "./server.ts";
import { cleanLine, cleanText } from "./text.ts";

/** A tool together with the function that was generated for it. */
export interface ToolView {
  readonly tool: ToolDefinition;
  readonly functionName: string;
  readonly signature: string;
  readonly summary: string;
  /** The function's module, with the shared types that it uses. */
  readModule(): Promise<string>;
}

/** The tools of a server together with what is generated for them, sorted by name. */
export async function viewTools(info: ServerInfo): Promise<ToolView[]> {
  const { planServer } = await import("./plan.ts");
  const plan = planServer(info);
  return plan.tools.map((tool) => {
    const { definition, functionName, signature, summary } = tool;
    return {
      tool: definition,
      functionName,
      signature,
      summary,
      readModule: async () => (await import("./codegen.ts")).readableModule(tool, plan),
    };
  });
}

/** The document form of a server and its tools. */
export function serverDocument(info: ServerInfo, tools: readonly ToolView[]) {
  const { name, identity, protocolVersion, instructions, capabilities, warnings } = info;
  return {
    server: {
      name,
      identity,
      protocolVersion,
      ...(instructions !== undefined && { instructions }),
      capabilities,
      warnings,
    },
    tools: tools.map(({ tool, functionName, signature, summary }) => ({
      ...tool,
      function: functionName,
      signature,
      summary,
    })),
  };
}

/** A server as a heading, then a signature and a summary for each tool. */
export function serverText(
  info: ServerInfo,
  tools: readonly ToolView[],
  options: { detailed: boolean; output?: Pick<Output, "style" | "width"> },
): string {
  const { style, width } = options.output ?? { style: createStyle(false), width: Infinity };
  const { name, version } = info.identity;
  const lines = [
    `${style.bold(info.name)}: ${cleanLine(name, 80)} ${cleanLine(version, 40)}, MCP ${
      cleanLine(info.protocolVersion, 20)
    }, ${countOf(tools.length, "tool")}`,
  ];
  if (options.detailed) {
    const offered = Object.keys(info.capabilities).map((key) => cleanLine(key, 40));
    lines.push(`capabilities: ${offered.join(", ") || "none"}`);
    if (info.instructions !== undefined) {
      lines.push("instructions from the server:", ...quoted(info.instructions));
    }
  }
  for (const view of tools) {
    const { functionName, signature } = view;
    lines.push("", style.bold(functionName) + signature.slice(functionName.length));
    if (!options.detailed) {
      if (view.summary !== "") {
        lines.push(`  ${style.dim(cutText(view.summary, width - 2))}`);
      }
      continue;
    }
    if (view.functionName !== view.tool.name) lines.push(`  tool: ${cleanLine(view.tool.name)}`);
    const hints = Object.entries(view.tool.annotations ?? {}).map(([key, value]) =>
      cleanLine(`${key}=${JSON.stringify(value)}`, 120)
    );
    if (hints.length > 0) lines.push(`  annotations: ${hints.join(", ")}`);
    if (view.tool.description !== undefined) lines.push(...quoted(view.tool.description));
  }
  return lines.join("\n");
}

// A server's own text, set off so that no line of it passes for one of ours.
function quoted(text: string): string[] {
  return cleanText(text.trim()).split("\n").map((line) => `  | ${line}`.trimEnd());
}
