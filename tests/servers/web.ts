// An MCP server over HTTP on a socket of the test's own process, so that the test decides what it
// answers and when, and sees all that it was sent.

import type { ServerName } from "../../src/names.ts";
import type { HttpSpec } from "../../src/server.ts";
import { Secret } from "../../src/text.ts";

type Json = Record<string, unknown>;

/** A request of a client for a tool. */
export interface WebCall {
  readonly id: unknown;
  readonly name: string;
  readonly arguments: Json;
  readonly meta: Json;
  readonly session: string | null;
  /** Aborted when the client closes its request. */
  readonly signal: AbortSignal;
  /** Sends a message on the stream of the request, before its answer. */
  send(message: Json): void;
}

/** What a server does otherwise than answer calls with nothing. */
export interface WebOptions {
  readonly era?: "legacy" | "modern";
  /** Gives the result of a call. */
  readonly call?: (call: WebCall) => Json | Promise<Json>;
  /** Gets what tells a client of changes that asked for that. */
  readonly listen?: (tell: (method: string) => void, end: () => void) => void;
  /** What a new session waits for. */
  readonly beforeHello?: () => Promise<void>;
}

/** A running server; disposing of it closes its socket. */
export interface WebServer extends AsyncDisposable {
  spec(name?: string): HttpSpec;
  /** Sessions that were begun, and those that were ended. */
  begun: number;
  ended: number;
  /** How often it was asked whether it is there. */
  pings: number;
  /** Refuses to begin more than so many sessions. */
  most: number;
  /** Notifications and answers of clients, in order. */
  readonly heard: Json[];
}

/** The newest revision of the protocol, which has no sessions. */
const MODERN_VERSION = "2026-07-28";

/** Starts a server on a free port. */
export function startWeb(options: WebOptions = {}): WebServer {
  const { era = "legacy" } = options;
  const web = { begun: 0, ended: 0, pings: 0, most: Infinity, heard: [] as Json[] };
  const capabilities = { tools: { listChanged: true }, logging: {} };
  const serverInfo = { name: "Web", version: "1" };
  const complete = (result: Json) =>
    era === "modern" ? { resultType: "complete", ...result } : result;

  async function answer(request: Request): Promise<Response> {
    if (request.method === "DELETE") web.ended++;
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const message = await request.json();
    const { id, method, params = {} } = message;
    if (id === undefined || method === undefined) {
      web.heard.push(message);
      return new Response(null, { status: 202 });
    }
    const reply = (result: Json, headers: HeadersInit = {}) =>
      Response.json({ jsonrpc: "2.0", id, result: complete(result) }, { headers });
    switch (method) {
      case "initialize": {
        if (era === "modern") break;
        await options.beforeHello?.();
        if (web.begun >= web.most) return new Response("Enough", { status: 503 });
        const { protocolVersion } = params;
        const session = `session-${++web.begun}`;
        const headers = { "mcp-session-id": session };
        return reply({ protocolVersion, capabilities, serverInfo }, headers);
      }
      case "server/discover":
        if (era === "legacy") break;
        web.begun++;
        return reply({ supportedVersions: [MODERN_VERSION], capabilities, serverInfo, ttlMs: 0 });
      case "ping":
        web.pings++;
        return reply({});
      case "tools/list":
        return reply({ tools: [{ name: "call", inputSchema: { type: "object" } }], ttlMs: 0 });
      case "logging/setLevel":
        return reply({});
      case "subscriptions/listen":
        if (era === "legacy") break;
        return subscription(id);
      case "tools/call":
        return stream(request, { id, params });
    }
    const error = { code: -32601, message: "Method not found" };
    return Response.json({ jsonrpc: "2.0", id, error });
  }

  function subscription(id: unknown): Response {
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const tell = (method: string) => {
          const _meta = { "io.modelcontextprotocol/subscriptionId": id };
          const data = JSON.stringify({ jsonrpc: "2.0", method, params: { _meta } });
          controller.enqueue(encoder.encode(`event: message\ndata: ${data}\n\n`));
        };
        tell("notifications/subscriptions/acknowledged");
        options.listen?.(tell, () => controller.close());
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  function stream(request: Request, { id, params }: { id: unknown; params: Json }): Response {
    const encoder = new TextEncoder();
    const closing = new AbortController();
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        const send = (message: Json) => {
          const data = JSON.stringify({ jsonrpc: "2.0", ...message });
          controller.enqueue(encoder.encode(`event: message\ndata: ${data}\n\n`));
        };
        const result = await (options.call ?? (() => ({ content: [] })))({
          id,
          name: String(params["name"]),
          arguments: (params["arguments"] ?? {}) as Json,
          meta: (params["_meta"] ?? {}) as Json,
          session: request.headers.get("mcp-session-id"),
          signal: closing.signal,
          send,
        });
        try {
          send({ id, result: complete(result) });
          controller.close();
        } catch {
          // The client has closed its request.
        }
      },
      cancel: () => closing.abort(),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, answer);
  const url = `http://127.0.0.1:${server.addr.port}/mcp`;
  return Object.assign(web, {
    spec: (name = "web"): HttpSpec => ({
      transport: "http",
      name: name as ServerName,
      origin: "user",
      url: new Secret(url),
      shownUrl: url,
      headers: {},
    }),
    [Symbol.asyncDispose]: () => server.shutdown(),
  });
}
