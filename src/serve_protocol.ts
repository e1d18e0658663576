// The served tools as the protocol has them: one SDK server for each connection or request, all over
// the same working set. It opens nothing; what a client says of itself is never trusted.

import type {
  CallToolResult,
  McpRequestContext,
  McpServer,
  McpServerFactory,
  ServerContext,
} from "@modelcontextprotocol/server";
import { type CallTrace, DEPTH_KEY } from "./bridge.ts";
import { AppError } from "./errors.ts";
import type { Journal } from "./journal.ts";
import { SERVE_PROGRESS_MS } from "./limits.ts";
import type { SessionId } from "./names.ts";
import { countOf } from "./render.ts";
import { entryDocument } from "./run_views.ts";
import { type SessionKeys, TRACE_PREFIX } from "./serve_keys.ts";
import { INSTRUCTIONS } from "./serve_texts.ts";
import type { ServeTools } from "./serve_tools.ts";
import { quoteText } from "./text.ts";
import { VERSION } from "./version.ts";

/** The package that speaks the protocol, loaded by whoever serves. */
export type Sdk = typeof import("@modelcontextprotocol/server");

/** What connections are made of. */
export interface ProtocolParts {
  readonly sdk: Sdk;
  /** What is served now. */
  readonly tools: () => ServeTools;
  readonly journal: Journal;
  readonly keys: SessionKeys;
  readonly mask: (text: string) => string;
  /** How deep this process itself stands below another one of its kind. */
  readonly depth: number;
  /** Serves the skills on a server that is not connected yet. */
  readonly attachSkills?: ((server: McpServer) => void) | undefined;
}

/** Who is at the other end. */
export interface Peer {
  /** Whose turn its runs take. */
  readonly owner: string;
  readonly session?: SessionId | undefined;
}

const TTL_MS = 60_000;
const LISTS = [
  ...["tools/list", "prompts/list", "resources/list", "resources/templates/list"],
  "server/discover",
];

/** Makes servers; `peerOf` says who asks, and `onServer` gets each one that was made. */
export function createServerFactory(
  parts: ProtocolParts,
  peerOf: (context: McpRequestContext) => Peer,
  onServer?: (server: McpServer) => void,
): McpServerFactory {
  const { sdk, tools, journal, keys, mask } = parts;
  return (context) => {
    const peer = peerOf(context);
    const mcp = new sdk.McpServer(
      { name: "mcp-exec", title: "mcp-exec", version: VERSION },
      {
        instructions: INSTRUCTIONS,
        // There are no prompts: who asks for them gets an empty list instead of an error.
        capabilities: { tools: { listChanged: true }, resources: {}, prompts: {} },
        cacheHints: Object.fromEntries(
          LISTS.map((method) => [method, { ttlMs: TTL_MS, cacheScope: "private" as const }]),
        ),
        // It would check what people enter into forms, and there are none.
        jsonSchemaValidator: {
          getValidator: () => (input) => ({
            valid: true,
            data: input as never,
            errorMessage: undefined,
          }),
        },
      },
    );
    mcp.server.setRequestHandler("tools/list", () => ({ tools: tools().list() }));
    mcp.server.setRequestHandler("tools/call", async ({ params }, request) => {
      const result = await callTool(params, request, peer);
      if (result !== undefined) return result;
      const { InvalidParams } = sdk.ProtocolErrorCode;
      throw new sdk.ProtocolError(InvalidParams, `Tool ${quoteText(params.name)} not found`);
    });
    mcp.registerResource(
      "run",
      new sdk.ResourceTemplate(`${TRACE_PREFIX}{id}`, { list: undefined }),
      {
        title: "Trace of a run",
        description: "Code, calls and decisions of a run, by the address in its result",
        mimeType: "application/json",
      },
      ({ href }) => {
        const run = keys.runOf(href);
        const entry = run && journal.run(run);
        // Whoever has the token could make addresses: runs of other commands have none.
        if (entry?.command !== "serve") throw new sdk.ResourceNotFoundError(href);
        const text = JSON.stringify(entryDocument(entry, mask), null, 1);
        return { contents: [{ uri: href, mimeType: "application/json", text }] };
      },
    );
    parts.attachSkills?.(mcp);
    onServer?.(mcp);
    return mcp;
  };

  async function callTool(
    { name, arguments: args }: { readonly name: string; readonly arguments?: unknown },
    { mcpReq }: ServerContext,
    { owner, session }: Peer,
  ): Promise<CallToolResult | undefined> {
    const token = mcpReq._meta?.progressToken;
    const progress = token === undefined
      ? undefined
      : reportProgress((progress, message) =>
        mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken: token, progress, message },
        })
      );
    try {
      return await tools().call(name, args, {
        owner,
        session,
        depth: Math.max(parts.depth, depthIn(mcpReq._meta)),
        signal: mcpReq.signal,
        onCall: progress?.onCall,
      });
    } finally {
      progress?.end();
    }
  }
}

function depthIn(meta: object | undefined): number {
  const depth = (meta as Record<string, unknown> | undefined)?.[DEPTH_KEY];
  return Number.isSafeInteger(depth) && Number(depth) > 0 ? Number(depth) : 0;
}

/** Tells a client that the run goes on, and what it last did. */
function reportProgress(notify: (progress: number, message: string) => Promise<void>) {
  let told = 0;
  let calls = 0;
  let last = "";
  const tell = () => {
    const done = calls === 0 ? "no calls yet" : `${countOf(calls, "call")}, the last one ${last}`;
    // Nobody may be there any more: the request's own signal says so.
    notify(++told, `Running: ${done}`).catch(() => {});
  };
  const timer = setInterval(tell, SERVE_PROGRESS_MS);
  return {
    onCall({ server, tool }: CallTrace) {
      calls++;
      last = `${server}/${tool}`;
    },
    end: () => clearInterval(timer),
  };
}

/** How deep the environment says that this process stands below another one of its kind. */
export function depthOfProcess(value: string | undefined): number {
  if (value === undefined || value === "") return 0;
  if (/^\d{1,3}$/.test(value)) return Number(value);
  throw new AppError("usage", "MCP_EXEC_DEPTH must be a small number");
}
