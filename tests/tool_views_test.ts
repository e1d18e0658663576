import assert from "node:assert/strict";
import { digestOfJson } from "../src/hash.ts";
import { toServerName, toToolName } from "../src/names.ts";
import { createStyle } from "../src/render.ts";
import type { ServerInfo } from "../src/server.ts";
import { serverDocument, serverText, type ToolView } from "../src/tool_views.ts";

function infoWith(description: string): { info: ServerInfo; views: ToolView[] } {
  const definition = {
    name: toToolName("read_file"),
    description,
    inputSchema: { type: "object" },
    annotations: { readOnlyHint: true },
  };
  const tool = { ...definition, digest: digestOfJson(definition) };
  return {
    info: {
      name: toServerName("files"),
      identity: { name: "Files\x1b[31m", version: "1.0" },
      protocolVersion: "2025-06-18",
      instructions: "Be kind\n\nerror: not ours",
      capabilities: { tools: {} },
      tools: [tool],
      warnings: [],
    },
    views: [{
      tool,
      functionName: "readFile",
      signature: "readFile(params: { path: string }): Promise<unknown>",
      summary: "Reads a file".repeat(20),
      readModule: () => Promise.resolve(""),
    }],
  };
}

Deno.test("serverText gives a signature and a summary for each tool, cut to the width", () => {
  const { info, views } = infoWith("Reads");
  const style = createStyle(false);
  const text = serverText(info, views, { detailed: false, output: { style, width: 60 } });
  assert.deepEqual(text.split("\n").slice(0, 3), [
    "files: Files\\u{1b}[31m 1.0, MCP 2025-06-18, 1 tool",
    "",
    "readFile(params: { path: string }): Promise<unknown>",
  ]);
  assert.ok(text.split("\n")[3]!.length <= 60);
});

Deno.test("serverText sets off every line of a server's own text (H23, H24)", () => {
  const { info, views } = infoWith("First\n# heading\r\x1b[2Jerror: gone");
  const style = createStyle(false);
  const text = serverText(info, views, { detailed: true, output: { style, width: 60 } });
  assert.match(text, /\n {2}\| error: not ours\n/);
  assert.match(text, /\n {2}\| # heading/);
  assert.match(text, /annotations: readOnlyHint=true/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\r\x1b]/);
});

Deno.test("serverDocument holds the definitions and what was generated for them", () => {
  const { info, views } = infoWith("Reads");
  const document = serverDocument(info, views);
  assert.equal(document.server.name, "files");
  assert.deepEqual(document.tools[0]!.inputSchema, { type: "object" });
  assert.equal(document.tools[0]!.name, "read_file");
  assert.equal(document.tools[0]!.function, "readFile");
});
