// The built-in server `demo`: a real MCP server of an issue tracker, joined to its client inside of
// this process. Every opened one has records of its own; nothing outlives it or leaves it.

import type { StandardSchemaWithJSON, Transport } from "@modelcontextprotocol/server";
import { createWorkspace } from "./demo_data.ts";
import { ISSUE_TOOLS } from "./demo_issue_tools.ts";
import { PROJECT_TOOLS } from "./demo_tools.ts";
import { type DemoTool, ToolFailure, type Tracker } from "./demo_tracker.ts";
import type { JsonObject } from "./server.ts";
import { VERSION } from "./version.ts";

const INSTRUCTIONS = "An issue tracker with made-up records for trying things out. Keys of " +
  "projects look like PAY, keys of issues like PAY-12. Count ages from get_workspace's time.";

type Sdk = typeof import("@modelcontextprotocol/server");

/** Starts a demo server and gives the client's end of its transport; closing that ends it. */
export async function openDemoServer(): Promise<Transport> {
  const sdk = await import("@modelcontextprotocol/server");
  const server = new sdk.McpServer(
    { name: "demo-tracker", title: "Demo tracker", version: VERSION },
    { instructions: INSTRUCTIONS },
  );
  const tracker: Tracker = {
    workspace: createWorkspace(),
    changes: 0,
    building: 0,
    builtAtOnce: 0,
  };
  for (const tool of [...PROJECT_TOOLS, ...ISSUE_TOOLS]) {
    const { name, title, description, annotations, input, output } = tool;
    server.registerTool(name, {
      title,
      description,
      annotations: { title, ...annotations },
      inputSchema: lazySchema(sdk, input),
      ...(output !== undefined && { outputSchema: lazySchema(sdk, output) }),
    }, (args) => runTool(tool, args, tracker));
  }
  const [client, end] = sdk.InMemoryTransport.createLinkedPair();
  await server.connect(end);
  return client;
}

async function runTool(tool: DemoTool, args: JsonObject, tracker: Tracker) {
  const text = (text: string) => [{ type: "text" as const, text }];
  try {
    const answer = await tool.run(args, tracker);
    if (typeof answer === "string") return { content: text(answer) };
    return {
      content: text(JSON.stringify(answer)),
      ...(tool.output !== undefined && { structuredContent: answer as JsonObject }),
    };
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error;
    return { content: text(error.message), isError: true };
  }
}

// The SDK's own way compiles every schema at once, which takes longer than the demo's first answer.
function lazySchema(sdk: Sdk, schema: JsonObject): StandardSchemaWithJSON<JsonObject, JsonObject> {
  let compiled: StandardSchemaWithJSON<JsonObject, JsonObject> | undefined;
  return {
    "~standard": {
      version: 1,
      vendor: "mcp-exec",
      validate: (value) => {
        compiled ??= sdk.fromJsonSchema<JsonObject>(schema);
        return compiled["~standard"].validate(value);
      },
      jsonSchema: { input: () => schema, output: () => schema },
    },
  };
}
