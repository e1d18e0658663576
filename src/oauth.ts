// Signing in by OAuth, as the protocol's library does it: finding out where, registering, the code
// for tokens, new tokens for old. What a server names is asked only over a safe way.

import type { FetchLike, OAuthClientProvider } from "@modelcontextprotocol/client";
import { AppError } from "./errors.ts";
import { MAX_SIGN_IN_BYTES, SIGN_IN_REQUEST_MS } from "./limits.ts";
import type { JsonObject } from "./server.ts";
import { cleanLine, quoteText, type Secret } from "./text.ts";

/** What a sign-in is made of, as the protocol's library has it; holds secrets. */
export interface SignInState {
  readonly redirectUrl: string;
  readonly client?: JsonObject;
  readonly tokens?: JsonObject;
  /** Where the server's sign-in was found. */
  readonly discovery?: JsonObject;
  /** Milliseconds since 1970; absent where the server does not say. */
  readonly expiresAt?: number;
}

/** What a person is to do, and what becomes of the answer. */
export interface OpenSignIn {
  /** Where a person signs in; safe to open. */
  readonly url: URL;
  /** The tokens for the parameters of the redirect; throws `sign-in` for any that are not good. */
  finish(params: URLSearchParams): Promise<SignInState>;
}

/** How a sign-in is begun. */
export interface SignInRequest {
  readonly redirectUrl: string;
  /** What the redirect has to bring back, unguessable. */
  readonly state: string;
  readonly scope?: string | undefined;
  /** A client that was registered by hand, where the server registers none. */
  readonly clientId?: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Begins to sign in at the server at `address`; throws `sign-in` where that is not possible. */
export async function beginSignIn(address: Secret, request: SignInRequest): Promise<OpenSignIn> {
  const serverUrl = address.reveal();
  const sdk = await import("@modelcontextprotocol/client");
  const fetchFn = guardedFetch(serverUrl);
  const challenge = await challengeOf(sdk, { serverUrl, fetchFn });
  const scope = request.scope ?? challenge.scope;
  const parts: { -readonly [Key in keyof SignInState]: SignInState[Key] } = {
    redirectUrl: request.redirectUrl,
    ...(request.clientId !== undefined && { client: { client_id: request.clientId } }),
  };
  let url: URL | undefined;
  const provider = providerOf(parts, {
    now: request.now,
    state: request.state,
    scope,
    onRedirect: (target) => url = target,
  });
  const options = {
    serverUrl,
    fetchFn,
    ...(scope !== undefined && { scope }),
    ...(challenge.resourceMetadataUrl && { resourceMetadataUrl: challenge.resourceMetadataUrl }),
  };
  await explained(sdk.auth(provider, options), parts);
  if (url === undefined) throw new AppError("sign-in", "The server names no place to sign in");
  requireSafe(url, new URL(serverUrl));
  return {
    url,
    async finish(params) {
      if (params.get("state") !== request.state) {
        throw new AppError("sign-in", "The answer does not belong to this sign-in");
      }
      const error = params.get("error");
      if (error !== null) {
        throw new AppError("sign-in", `Sign-in was refused: ${quoteText(error.slice(0, 80))}`);
      }
      const authorizationCode = params.get("code");
      if (authorizationCode === null) {
        throw new AppError("sign-in", "The answer holds no code");
      }
      const iss = params.get("iss");
      await explained(
        sdk.auth(provider, { ...options, authorizationCode, ...(iss !== null && { iss }) }),
        parts,
      );
      return { ...parts };
    },
  };
}

/**
 * New tokens for those of `state`; throws `sign-in` where a person has to sign in again, `connect`
 * where that was not said and may work another time.
 */
export async function renewTokens(serverUrl: string, state: SignInState): Promise<SignInState> {
  const sdk = await import("@modelcontextprotocol/client");
  const parts = { ...state };
  const provider = providerOf(parts, {
    now: Date.now,
    onRedirect() {
      throw new AppError("sign-in", "The sign-in has ended");
    },
  });
  const fetchFn = guardedFetch(serverUrl);
  try {
    await explained(sdk.auth(provider, { serverUrl, fetchFn }), state);
  } catch (error) {
    // The library lets go of tokens that were refused, and of no others.
    if (parts.tokens === undefined || !(error instanceof AppError)) throw error;
    throw new AppError("connect", "The sign-in could not be renewed", {
      ...(error.detail !== undefined && { detail: error.detail }),
      hint: "try again later, or sign in anew: mcp-exec server login",
    });
  }
  return parts;
}

/** What the server answers to who is not signed in. */
async function challengeOf(
  sdk: typeof import("@modelcontextprotocol/client"),
  { serverUrl, fetchFn }: { serverUrl: string; fetchFn: FetchLike },
): Promise<{ resourceMetadataUrl?: URL; scope?: string }> {
  const response = await fetchFn(serverUrl, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 0, method: "ping" }),
  });
  return response.status === 401 ? sdk.extractWWWAuthenticateParams(response) : {};
}

/** What the library keeps of a sign-in, in `parts`. */
function providerOf(
  parts: { -readonly [Key in keyof SignInState]: SignInState[Key] },
  { now, state, scope, onRedirect }: {
    readonly now: () => number;
    readonly state?: string;
    readonly scope?: string | undefined;
    readonly onRedirect: (url: URL) => void;
  },
): OAuthClientProvider {
  let verifier = "";
  // The library's own forms, which go back to it as they came.
  const given = <T>(value: JsonObject | undefined) => value as T | undefined;
  return {
    redirectUrl: parts.redirectUrl,
    clientMetadata: {
      client_name: "mcp-exec",
      redirect_uris: [parts.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      ...(scope !== undefined && { scope }),
    },
    ...(state !== undefined && { state: () => state }),
    clientInformation: () => given(parts.client),
    saveClientInformation(client) {
      parts.client = { ...client };
    },
    tokens: () => given(parts.tokens),
    saveTokens(tokens) {
      parts.tokens = { ...tokens };
      if (tokens.expires_in === undefined) delete parts.expiresAt;
      else parts.expiresAt = now() + tokens.expires_in * 1000;
    },
    discoveryState: () => given(parts.discovery),
    saveDiscoveryState(discovery) {
      parts.discovery = { ...discovery };
    },
    redirectToAuthorization: onRedirect,
    saveCodeVerifier(text) {
      verifier = text;
    },
    codeVerifier: () => verifier,
    invalidateCredentials(what) {
      if (what === "all" || what === "tokens") delete parts.tokens;
    },
  };
}

/** What signing in throws, as an error for a person: text of servers is made safe. */
async function explained<T>(
  work: Promise<T>,
  { client, tokens }: Pick<SignInState, "client" | "tokens">,
): Promise<T> {
  const secrets = [
    client?.["client_secret"],
    tokens?.["access_token"],
    tokens?.["refresh_token"],
  ].filter((value) => typeof value === "string" && value !== "") as string[];
  try {
    return await work;
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = error instanceof Error ? `${error.message || error.name}` : String(error);
    const shown = secrets.reduce((text, secret) => text.replaceAll(secret, "***"), reason);
    throw new AppError("sign-in", "Signing in did not work", { detail: [cleanLine(shown, 300)] });
  }
}

/** A fetch that asks safe places only, follows no redirect and reads no endless answer. */
export function guardedFetch(serverUrl: string): FetchLike {
  const server = new URL(serverUrl);
  return async (target, init) => {
    const url = new URL(target);
    requireSafe(url, server);
    const timeout = AbortSignal.timeout(SIGN_IN_REQUEST_MS);
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, {
        ...init,
        redirect: "manual",
        signal: init?.signal ? AbortSignal.any([init.signal, timeout]) : timeout,
      });
      text = await readBounded(response, url);
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError("connect", `Sign-in at ${quoteText(url.origin)} cannot be reached`);
    }
    if (response.status >= 300 && response.status < 400) {
      throw new AppError("connect", `Sign-in at ${quoteText(url.origin)} redirects elsewhere`);
    }
    const { status, headers } = response;
    const hasBody = status !== 204 && status !== 205;
    return new Response(hasBody ? text : null, { status, headers });
  };
}

async function readBounded(response: Response, url: URL): Promise<string> {
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    if (text.length > MAX_SIGN_IN_BYTES) {
      throw new AppError("protocol", `Sign-in at ${quoteText(url.origin)} answers too much`);
    }
  }
  return text;
}

const LOOPBACK = /^(?:(?:.*\.)?localhost\.?|127(?:\.\d+){3}|\[::1\])$/;
// Addresses that no public server has any business to send anybody to. A name may stand for one of
// them, too: who answers there has no certificate for that name, and without one nothing is sent.
const PRIVATE =
  /^(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.|^\[(?:::|f[cde])/;

/** Throws `sign-in` unless `url` may be asked or opened for the server at `server`. */
function requireSafe(url: URL, server: URL): void {
  const isSameHost = url.hostname === server.hostname;
  const isLocal = LOOPBACK.test(url.hostname);
  const isAllowed = isLocal || PRIVATE.test(url.hostname)
    ? isSameHost || (isLocal && LOOPBACK.test(server.hostname))
    : true;
  const isPlain = url.protocol === "http:" && isLocal;
  if (isAllowed && (url.protocol === "https:" || isPlain)) return;
  throw new AppError(
    "sign-in",
    `The server names ${
      quoteText(`${url.protocol}//${url.host}`)
    } for its sign-in, which is refused`,
    { hint: "only https is taken, and no address of a private network" },
  );
}
