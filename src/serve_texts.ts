// What a model reads of the served tools before it calls one: definitions that are small by design,
// and which servers there are, as far as a budget reaches. Names of tools are shown only where they
// are plain.

import { MAX_HINT_CHARS, MAX_HINT_TOKENS } from "./limits.ts";
import type { JsonObject } from "./server.ts";
import { countTokens } from "./stats.ts";

/** A tool as clients list it. */
export interface ServedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: JsonObject & { readonly type: "object" };
  readonly annotations: JsonObject;
}

/** A server for the hint; without names when nothing is known of its tools yet. */
export interface HintServer {
  readonly name: string;
  readonly tools?: readonly string[];
}

/** What the server says of itself when a client connects. */
export const INSTRUCTIONS = "Tools of other MCP servers, to be called from TypeScript: find them " +
  "with search_tools, then write one program for execute_code that calls them, filters and joins, " +
  "and returns only the answer.";

const READS = { readOnlyHint: true, openWorldHint: false };

function text(description?: string): JsonObject {
  return { type: "string", ...(description !== undefined && { description }) };
}

const COUNT = { type: "integer", minimum: 0 };

function object(
  properties: Record<string, JsonObject>,
  ...required: string[]
): ServedTool["inputSchema"] {
  return {
    type: "object",
    properties,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

const SESSION = text("Session of an earlier result, to go on with its state");

/** The served tools; `plain` adds the one that calls a tool without a program. */
export function servedTools(
  servers: readonly HintServer[],
  options: { readonly plain?: boolean } = {},
): ServedTool[] {
  const tools: ServedTool[] = [
    {
      name: "search_tools",
      title: "Search tools",
      description: "Finds tools by a few words, or lists all with an empty query. Detail " +
        `"signature" shows how to call them in execute_code, "full" their types.\n` +
        catalogHint(servers),
      inputSchema: object({
        query: text(),
        server: text(),
        detail: { enum: ["name", "signature", "full"], default: "signature" },
        cursor: text("For the next page"),
      }, "query"),
      annotations: READS,
    },
    {
      name: "read_tool_files",
      title: "Read tool files",
      description:
        "Reads the typed modules of tools: /mcp-tools/servers/github/createIssue.ts, or a " +
        "folder for what is in it.",
      inputSchema: object({ paths: { type: "array", items: text(), minItems: 1 } }, "paths"),
      annotations: READS,
    },
    {
      name: "execute_code",
      title: "Execute code",
      description: `Runs TypeScript in a sandbox and gives only its result. Tools are functions: ` +
        `import { createIssue } from "mcp:github", each takes one object of parameters; or await ` +
        `callTool(server, tool, params). End with "export default value", or without imports ` +
        `"return value". Filter, loop and join in code, use Promise.all for calls that do not ` +
        `need each other, and catch what may fail. There is no network and no disk. ` +
        `setState(key, value) and getState(key) keep values for later runs. Of a large result ` +
        `you get a preview and a handle.`,
      inputSchema: object({
        code: text(),
        args: { description: "What a default export that is a function is called with" },
        session: SESSION,
        timeoutMs: COUNT,
        maxCalls: COUNT,
      }, "code"),
      annotations: { openWorldHint: true },
    },
    {
      name: "read_result",
      title: "Read result",
      description: "Reads a slice, in bytes, of a result that was too large to be shown.",
      inputSchema: object({
        handle: text(),
        start: COUNT,
        end: COUNT,
        session: text("Session that the result named"),
      }, "handle"),
      annotations: READS,
    },
    {
      name: "run_skill",
      title: "Run skill",
      description: "Runs a program that was saved as a skill; without a name it lists them.",
      inputSchema: object({ name: text(), args: {}, session: SESSION }),
      annotations: { openWorldHint: true },
    },
  ];
  if (options.plain) {
    tools.push({
      name: "call_tool",
      title: "Call tool",
      description: "Calls one tool without a program.",
      inputSchema: object(
        {
          server: text(),
          tool: text(),
          arguments: { type: "object" },
        },
        "server",
        "tool",
      ),
      annotations: { openWorldHint: true },
    });
  }
  return tools;
}

const PLAIN_NAME = /^[\w./-]{1,64}$/;
const SEPARATOR = "; ";

/**
 * Which servers there are: names and counts of tools for as many as fit, then names of tools as
 * long as they fit, in fair shares.
 */
export function catalogHint(servers: readonly HintServer[]): string {
  if (servers.length === 0) return "No server is configured.";
  // The words of names are short: what fits as characters may still be too many tokens.
  for (let chars = MAX_HINT_CHARS;; chars = Math.floor(chars * 0.85)) {
    const hint = hintWithin(servers, chars);
    if (countTokens(hint) <= MAX_HINT_TOKENS || chars < 100) return hint;
  }
}

function hintWithin(servers: readonly HintServer[], maxChars: number): string {
  const heads = servers.map(({ name, tools }) =>
    `${name} (${tools === undefined ? "not listed yet" : tools.length})`
  );
  let left = maxChars - "Servers, with how many tools: ".length;
  const shown = heads.findIndex((head) => (left -= head.length + SEPARATOR.length) < 20);
  if (shown >= 0) {
    const rest = servers.length - shown;
    return `Servers, with how many tools: ${heads.slice(0, shown).join(", ")} and ${rest} more.`;
  }
  // Those with few tools first: what they leave over is for the others.
  const order = servers.map((_, at) => at).sort((a, b) =>
    sizeOf(servers[a]!) - sizeOf(servers[b]!)
  );
  const names: string[] = servers.map(() => "");
  for (const [done, at] of order.entries()) {
    const share = Math.floor(left / (order.length - done));
    names[at] = namesWithin(servers[at]!.tools ?? [], share);
    left -= names[at]!.length;
  }
  const parts = heads.map((head, at) => head + names[at]!);
  return `Servers, with how many tools: ${parts.join(SEPARATOR)}.`;
}

function sizeOf({ tools = [] }: HintServer): number {
  return tools.reduce((sum, name) => sum + name.length + 2, 0);
}

function namesWithin(tools: readonly string[], maxChars: number): string {
  let names = "";
  for (const tool of tools) {
    if (!PLAIN_NAME.test(tool)) continue;
    const next = `${names === "" ? ": " : ", "}${tool}`;
    if (names.length + next.length + 5 > maxChars) return names === "" ? "" : `${names}, ...`;
    names += next;
  }
  return names;
}
