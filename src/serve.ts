// Serves over HTTP: every request passes its checks before the SDK sees it. Sessions are only names
// with a mark, so that any process that has the key can answer; what is under way is all that is
// kept, and it ends with the client's connection.

import type {
  McpHttpHandler,
  McpRequestContext,
  McpServerFactory,
} from "@modelcontextprotocol/server";
import { digestOf, equalDigests } from "./hash.ts";
import {
  forgetOldest,
  MAX_HTTP_REQUESTS,
  MAX_JSON_DEPTH,
  MAX_REQUEST_BYTES,
  REQUEST_BODY_MS,
} from "./limits.ts";
import type { SessionId } from "./names.ts";
import { settles } from "./process.ts";
import type { Peer, Sdk } from "./serve_protocol.ts";
import type { SessionKeys } from "./serve_keys.ts";
import { isObject, type JsonObject } from "./server.ts";
import { scanJson } from "./wire.ts";

/** What is served over HTTP, and to whom. */
export interface HttpParts {
  readonly sdk: Sdk;
  readonly keys: SessionKeys;
  readonly hostname: string;
  /** 0 takes any port that is free. */
  readonly port: number;
  /** What clients have to show; nobody is asked without one. */
  readonly token?: string | undefined;
  /** Names of hosts that requests may be for and come from, beside those of this machine. */
  readonly hosts: readonly string[];
  /** Makes the factory of servers, given who asks. */
  readonly factory: (peerOf: (context: McpRequestContext) => Peer) => McpServerFactory;
  /** Told when a client ends its session. */
  readonly onEnd: (session: SessionId) => void;
}

/** A server that listens. */
export interface HttpServer {
  /** Where it is reached. */
  readonly url: string;
  /** Tells clients that listen for it that the tools are no longer the same. */
  toolsChanged(): void;
  /** Ends what is under way and listens no longer. */
  close(): Promise<void>;
}

const PATH = "/mcp";
const SESSION_HEADER = "mcp-session-id";
/** Sessions that were ended are remembered as such, the last ones. */
const MAX_ENDED = 10_000;
const SHUTDOWN_MS = 2_000;

/** Listens; throws what the runtime does when it cannot. */
export function serveHttp(parts: HttpParts): HttpServer {
  const gate = createGate(parts);
  const server = Deno.serve({
    hostname: parts.hostname,
    port: parts.port,
    onListen() {},
    onError: () => refuse(500, "Internal server error"),
  }, (request, { remoteAddr }) => {
    const { hostname, port } = remoteAddr as Deno.NetAddr;
    return gate.answer(request, `${hostname}:${port}`);
  });
  const { hostname, port } = server.addr;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    url: `http://${host}:${port}${PATH}`,
    toolsChanged: gate.toolsChanged,
    async close() {
      await gate.close();
      await settles(server.shutdown(), SHUTDOWN_MS);
    },
  };
}

/** What stands between the network and the SDK. */
export interface HttpGate {
  /** Answers one request; `owner` is whose turn it takes without a session. */
  answer(request: Request, owner: string): Promise<Response>;
  toolsChanged(): void;
  close(): Promise<void>;
}

/** The checks, without a listener. */
export function createGate(parts: Omit<HttpParts, "hostname" | "port">): HttpGate {
  const { sdk, keys, token } = parts;
  const wanted = token === undefined ? undefined : digestOf(`Bearer ${token}`);
  const factory = parts.factory(({ authInfo }) => authInfo!.extra as unknown as Peer);
  const handler: McpHttpHandler = sdk.createMcpHandler(factory);
  // Only an answer that is a stream from the start shows that its client has gone.
  const streaming = sdk.createMcpHandler(factory, { responseMode: "sse", bus: handler.bus });
  let isClosing = false;
  /** Every request that is answered now. A signal of all would keep what each hangs on it for good. */
  const active = new Set<AbortController>();
  /** Those of sessions, by session and id: a client may withdraw it in another request. */
  const running = new Map<string, AbortController>();
  const ended = new Set<SessionId>();
  let underWay = 0;

  function check(request: Request): Response | undefined {
    const local = sdk.localhostAllowedHostnames();
    const host = sdk.validateHostHeader(request.headers.get("host"), [...local, ...parts.hosts]);
    // A token is what a page in a browser does not have, under whatever name it reaches us.
    if (!host.ok && (wanted === undefined || parts.hosts.length > 0)) return refuse(403, "Host");
    const origins = [...sdk.localhostAllowedOrigins(), ...parts.hosts];
    const origin = sdk.validateOriginHeader(request.headers.get("origin"), origins);
    if (!origin.ok) return refuse(403, "Origin");
    if (wanted !== undefined) {
      const given = digestOf(request.headers.get("authorization") ?? "");
      if (!equalDigests(given, wanted)) {
        return refuse(401, "Bearer token", { "www-authenticate": "Bearer" });
      }
    }
    return undefined;
  }

  async function post(request: Request, peer: Peer): Promise<Response> {
    const body = await readBody(request, sdk);
    if (body instanceof Response) return body;
    const message: JsonObject = isObject(body) ? body : {};
    const key = keyOf(peer, message["id"]);
    if (message["method"] === "notifications/cancelled") {
      const params = isObject(message["params"]) ? message["params"] : {};
      running.get(keyOf(peer, params["requestId"]) ?? "")?.abort();
    }
    const gone = new AbortController();
    const { signal } = gone;
    const { fetch: answer } = message["method"] === "tools/call" ? streaming : handler;
    const starts = message["method"] === "initialize" && peer.session === undefined &&
      await sdk.isLegacyRequest(bare(request, signal), body);
    active.add(gone);
    const onEnd = () => {
      active.delete(gone);
      if (key !== undefined && running.get(key) === gone) running.delete(key);
    };
    if (key !== undefined) running.set(key, gone);
    try {
      const response = await answer(bare(request, signal), { parsedBody: body, ...infoOf(peer) });
      const onGone = () => gone.abort();
      return finished(response, { onEnd, onGone, ...(starts && { session: keys.issue() }) });
    } catch (error) {
      onEnd();
      throw error;
    }
  }

  async function answerChecked(request: Request, owner: string): Promise<Response> {
    const given = request.headers.get(SESSION_HEADER);
    const session = given === null ? undefined : keys.accept(given);
    if (given !== null && (session === undefined || ended.has(session))) {
      return refuse(404, "Session");
    }
    const peer: Peer = session === undefined ? { owner } : { owner: session, session };
    if (request.method === "POST") return await post(request, peer);
    if (request.method !== "DELETE" || session === undefined) {
      return await handler.fetch(bare(request, new AbortController().signal), infoOf(peer));
    }
    ended.add(session);
    forgetOldest(ended, MAX_ENDED);
    for (const [key, gone] of running) if (key.startsWith(`${session} `)) gone.abort();
    parts.onEnd(session);
    return new Response(null, { status: 204 });
  }

  return {
    async answer(request, owner) {
      const refused = new URL(request.url).pathname === PATH ? check(request) : refuse(404, "Path");
      if (refused !== undefined) return refused;
      if (isClosing) return refuse(503, "Server is closing");
      if (underWay >= MAX_HTTP_REQUESTS) return refuse(503, "Server is busy");
      underWay++;
      try {
        return finished(await answerChecked(request, owner), { onEnd: () => underWay-- });
      } catch {
        underWay--;
        return refuse(500, "Internal server error");
      }
    },
    toolsChanged: () => handler.notify.toolsChanged(),
    async close() {
      isClosing = true;
      for (const gone of active) gone.abort();
      await Promise.all([handler.close(), streaming.close()]);
    },
  };
}

/** Who asks, as the SDK hands it on to the factory. */
function infoOf(peer: Peer) {
  return { authInfo: { token: "", clientId: peer.owner, scopes: [], extra: { ...peer } } };
}

function keyOf({ session }: Peer, id: unknown): string | undefined {
  if (session === undefined || (typeof id !== "string" && typeof id !== "number")) return undefined;
  return `${session} ${typeof id} ${id}`;
}

/** The request without its body, which was read already. */
function bare({ url, method, headers }: Request, signal: AbortSignal): Request {
  return new Request(url, { method, headers, signal });
}

/** The body's JSON, undefined where it is none; or the refusal. */
async function readBody(request: Request, sdk: Sdk): Promise<unknown> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), REQUEST_BODY_MS);
  const reading = sdk.readRequestBody(request, MAX_REQUEST_BYTES).catch(() => undefined);
  const read = await Promise.race([reading, late]);
  clearTimeout(timer);
  if (read === "late") return refuse(408, "Request body came too slowly");
  if (read === undefined) return refuse(400, "Request body could not be read", {}, -32700);
  if (read.tooLarge) return refuse(413, "Request body is too large");
  if (scanJson(read.text).depth > MAX_JSON_DEPTH) {
    return refuse(400, "Request is nested too deep", {}, -32700);
  }
  let body: unknown;
  try {
    body = JSON.parse(read.text);
  } catch {
    return refuse(400, "Parse error: no JSON", {}, -32700);
  }
  return Array.isArray(body)
    ? refuse(400, "Batches are not part of the protocol", {}, -32600)
    : body;
}

function refuse(
  status: number,
  what: string,
  headers: Readonly<Record<string, string>> = {},
  code = -32000,
): Response {
  const message = status === 401 || status === 403 || status === 404
    ? `${what} is not accepted`
    : what;
  return Response.json({ jsonrpc: "2.0", id: null, error: { code, message } }, { status, headers });
}

interface Watch {
  readonly session?: SessionId;
  readonly onEnd: () => void;
  /** Called when the client has gone before the end. */
  readonly onGone?: () => void;
}

/** `response` with the name of its session, telling when its body has ended. */
function finished(
  { body, status, headers }: Response,
  { session, onEnd, onGone }: Watch,
): Response {
  const sent = new Headers(headers);
  if (session !== undefined) sent.set(SESSION_HEADER, session);
  if (body === null) {
    onEnd();
    return new Response(null, { status, headers: sent });
  }
  const reader = body.getReader();
  let isOver = false;
  const end = () => {
    if (!isOver) onEnd();
    isOver = true;
  };
  const watched = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { value, done } = await reader.read();
        if (!done) return controller.enqueue(value);
        end();
        controller.close();
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    async cancel(reason) {
      onGone?.();
      end();
      await reader.cancel(reason).catch(() => {});
    },
  });
  return new Response(watched, { status, headers: sent });
}
