// HTTP to one server: its address with its secrets, Streamable HTTP or the older event stream, and
// a fetch that reads nothing unbounded, follows nobody to another place and shows no secret.

import type { FetchLike, Transport } from "@modelcontextprotocol/client";
import { AppError } from "./errors.ts";
import { MIN_RECONNECT_MS } from "./limits.ts";
import type { HttpSpec } from "./server.ts";
import type { ServerSignIn } from "./sign_ins.ts";
import { cleanLine, quoteText, type Secret } from "./text.ts";
import { boundResponse, type StreamEnd } from "./wire.ts";

/** A way to a server over HTTP, not yet open. */
export interface HttpLink {
  readonly transport: Transport;
  /** The last refusal of an answer or stream, where the SDK keeps no reason; given once. */
  takeFailure(): AppError | undefined;
  /** Calls `end` when the only stream from the server is over, which the SDK would not tell. */
  onLost(end: () => void): void;
  /** Tells the server that its session is over; never rejects. */
  farewell(): Promise<void>;
}

/** What a link over HTTP is made of besides the spec. */
export interface HttpOptions {
  readonly sdk: typeof import("@modelcontextprotocol/client");
  /** Whether to speak the oldest HTTP transport, an event stream with posts beside it. */
  readonly sse: boolean;
  readonly clientVersion: string;
  /** Takes the server's secrets out of a text. */
  readonly mask: (text: string) => string;
  /** The sign-in at the server, used where its entry gives no `Authorization` itself. */
  readonly signIn?: ServerSignIn | undefined;
}

/** A link to the server of `spec`; throws `invalid` for a URL or header that cannot be used. */
export function openHttp(spec: HttpSpec, options: HttpOptions): HttpLink {
  const { sdk, sse, mask } = options;
  const { url, headers } = addressOf(spec, options.clientVersion);
  const signIn = headers.has("authorization") ? undefined : options.signIn;
  let failure: AppError | undefined;
  let lost = () => {};
  const boundedFetch: FetchLike = async (target, init) => {
    // Nobody waits for the stream that the newer transport opens beside its requests.
    const isAside = !sse && init?.method === "GET";
    const note = (problem: AppError | undefined) => {
      if (!isAside && problem !== undefined) failure = problem;
    };
    const onEnd: StreamEnd = (problem) => {
      note(problem);
      if (sse) lost();
    };
    try {
      return await fetchBounded(spec, { target, init, mask, onEnd, signIn });
    } catch (error) {
      note(error instanceof AppError ? error : undefined);
      throw error;
    }
  };
  const shared = { fetch: boundedFetch, requestInit: { headers } };
  const base = {
    takeFailure: () => {
      const taken = failure;
      failure = undefined;
      return taken;
    },
    onLost: (end: () => void) => void (lost = end),
  };
  if (sse) {
    const transport = new sdk.SSEClientTransport(url, shared);
    return { ...base, transport, farewell: () => Promise.resolve() };
  }
  // The SDK forgets all but the last timer of streams to open again; these must end with it.
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const transport = new sdk.StreamableHTTPClientTransport(url, {
    ...shared,
    reconnectionScheduler: (reconnect, delay) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        reconnect();
      }, Math.max(delay, MIN_RECONNECT_MS));
      timers.add(timer);
    },
  });
  const close = transport.close.bind(transport);
  transport.close = async () => {
    for (const timer of timers) clearTimeout(timer);
    await close();
  };
  return {
    ...base,
    transport,
    farewell: () => transport.terminateSession().catch(() => {}),
  };
}

function addressOf(spec: HttpSpec, clientVersion: string): { url: URL; headers: Headers } {
  const text = spec.url.reveal();
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new AppError("invalid", `URL of server "${spec.name}" is not valid`, {
      hint: "it begins with http:// or https://",
    });
  }
  const url = new URL(text);
  const headers = new Headers({ "user-agent": `mcp-exec/${clientVersion}` });
  if (url.username !== "" || url.password !== "") {
    const bytes = new TextEncoder().encode(userInfoOf(url, spec));
    headers.set("authorization", `Basic ${btoa(String.fromCharCode(...bytes))}`);
    url.username = url.password = "";
  }
  for (const [name, value] of Object.entries(spec.headers)) {
    try {
      headers.set(name, value.reveal());
    } catch {
      throw new AppError(
        "invalid",
        `Header ${quoteText(name)} of server "${spec.name}" cannot be sent`,
        { hint: "look for line breaks or other stray characters in its name and value" },
      );
    }
  }
  return { url, headers };
}

function userInfoOf({ username, password }: URL, { name }: HttpSpec): string {
  try {
    return decodeURIComponent(`${username}:${password}`);
  } catch {
    throw new AppError("invalid", `URL of server "${name}" has a stray "%" in its user info`, {
      hint: "write %25 for a percent sign",
    });
  }
}

async function fetchBounded(
  spec: HttpSpec,
  { target, init, mask, onEnd, signIn }: {
    target: string | URL;
    init: RequestInit | undefined;
    mask: (text: string) => string;
    onEnd: StreamEnd;
    signIn: ServerSignIn | undefined;
  },
): Promise<Response> {
  let response: Response;
  // A token goes to the place it was given for alone.
  const isHome = new URL(target).origin === new URL(spec.url.reveal()).origin;
  const token = isHome ? await signIn?.token() : undefined;
  try {
    response = await fetch(target, withToken(init, token));
    if (response.status === 401 && token !== undefined) {
      const other = await signIn!.renewed(token);
      if (other !== undefined) {
        await response.body?.cancel();
        response = await fetch(target, withToken(init, other));
      }
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (init?.signal?.aborted) throw error;
    throw unreachable(spec, { error, target, mask });
  }
  const refusal = refusalOf(spec, { response, target });
  if (refusal !== undefined) {
    await response.body?.cancel();
    throw refusal;
  }
  return await boundResponse(response, { server: spec, onEnd, signal: init?.signal ?? undefined });
}

function withToken(init: RequestInit | undefined, token: Secret | undefined) {
  if (token === undefined) return init;
  const headers = new Headers(init?.headers);
  headers.set("authorization", `Bearer ${token.reveal()}`);
  return { ...init, headers };
}

function unreachable(
  spec: HttpSpec,
  { error, target, mask }: {
    error: unknown;
    target: string | URL;
    mask: (text: string) => string;
  },
): AppError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  // The runtime puts the whole URL before the reason.
  const reason = String(cause instanceof Error ? cause.message : "").split(`(${target}): `).at(-1)!;
  return new AppError("connect", `Server "${spec.name}" cannot be reached at ${spec.shownUrl}`, {
    hint: "check the URL, and that the server runs",
    ...(reason !== "" && { detail: [cleanLine(mask(reason), 300)] }),
  });
}

// Answers that end the matter, whatever was asked.
function refusalOf(
  spec: HttpSpec,
  { response, target }: { response: Response; target: string | URL },
): AppError | undefined {
  if (response.status === 401 || response.status === 403) {
    const given = Object.keys(spec.headers).some((name) => name.toLowerCase() === "authorization");
    return new AppError("sign-in", `Server "${spec.name}" asks for sign-in`, {
      hint: given
        ? 'it refused the token in "Authorization": check that it is current and wide enough'
        : spec.origin === "flag"
        ? `mcp-exec server login ${spec.shownUrl}, or pass --header "Authorization: Bearer ..."`
        : `mcp-exec server login ${spec.name}`,
      detail: [`it answered HTTP ${response.status}`],
    });
  }
  const location = response.headers.get("location") ?? "";
  if (response.status < 300 || response.status >= 400 || location === "") return undefined;
  const from = new URL(target);
  const to = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (to?.host === from.host && (to.protocol === "https:" || from.protocol === "http:")) {
    return undefined;
  }
  const place = to === undefined ? quoteText(location) : `${to.protocol}//${to.host}`;
  return new AppError("connect", `Server "${spec.name}" redirects to ${cleanLine(place)}`, {
    hint: "redirects to another place are not followed: use that URL if you trust it",
  });
}
