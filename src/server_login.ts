// Signs a person in at a server over HTTP: in a browser that comes back to this machine, or by an
// address that is copied from a browser elsewhere. Shows no token and no code.

import { dataFile } from "./context.ts";
import { AppError } from "./errors.ts";
import { expandSpec } from "./expand.ts";
import type { Invocation } from "./flags.ts";
import { MAX_PASTED_BYTES, SIGN_IN_WAIT_MS } from "./limits.ts";
import { openInBrowser } from "./process.ts";
import type { HttpSpec, ServerSpec } from "./server.ts";
import { listenForRedirect } from "./sign_in_listener.ts";
import { createSignIns, type SignIns } from "./sign_ins.ts";

/** How somebody signs in. */
export interface LoginOptions {
  readonly noBrowser: boolean;
  readonly scope: string | undefined;
  readonly clientId: string | undefined;
}

/** Signs in at the server of `spec` and keeps the tokens; throws `sign-in` when that fails. */
export async function logIn(
  invocation: Invocation,
  spec: ServerSpec,
  { noBrowser, scope, clientId }: LoginOptions,
): Promise<void> {
  const { context, output, note, progress } = invocation;
  const server = httpServer(invocation, spec);
  const state = toText(crypto.getRandomValues(new Uint8Array(32)));
  const listener = listenForRedirect(state);
  try {
    const { beginSignIn } = await import("./oauth.ts");
    const activity = progress.begin(`Asking "${spec.name}" where to sign in`);
    const signIn = await beginSignIn(server.url, {
      redirectUrl: listener.url,
      state,
      scope,
      clientId,
      now: context.now,
    }).finally(() => activity.end());
    note([`Sign in to "${spec.name}" in a browser:`, `  ${signIn.url.href}`]);
    if (!noBrowser) openInBrowser(signIn.url.href, context);
    const params = await answered(invocation, listener.received, noBrowser);
    const tokens = await signIn.finish(params);
    await storeOf(invocation).save(server.url, tokens);
    if (output.format === "json") output.document({ ok: true, server: spec.name, signedIn: true });
    else output.print(`Signed in to "${spec.name}"`);
  } finally {
    await listener.close();
  }
}

/** Forgets the tokens for the server of `spec`. */
export async function logOut(invocation: Invocation, spec: ServerSpec): Promise<void> {
  const { output } = invocation;
  // Headers are not sent: their variables need not be set.
  const server = httpServer(
    invocation,
    spec.transport === "http" ? { ...spec, headers: {} } : spec,
  );
  const was = await storeOf(invocation).remove(server.url);
  if (output.format === "json") {
    return output.document({ ok: true, server: spec.name, signedIn: false, was });
  }
  output.print(`${was ? "Signed out of" : "There was no sign-in at"} "${spec.name}"`);
}

function storeOf({ context }: Invocation): SignIns {
  return createSignIns({ folder: dataFile(context.paths, "sign-ins"), now: context.now });
}

function httpServer({ context }: Invocation, spec: ServerSpec): HttpSpec {
  if (spec.transport !== "http") {
    throw new AppError("usage", `Server "${spec.name}" is not reached over HTTP`, {
      hint: "only those are signed in at; others take tokens from their variables",
    });
  }
  if (spec.untrusted === true) {
    throw new AppError("untrusted", `Server "${spec.name}" is of the project and not trusted`, {
      hint: `mcp-exec server trust ${spec.name}`,
    });
  }
  return expandSpec(spec, context.env);
}

/** What the browser brings back by itself, or what is copied from its address bar. */
async function answered(
  { context, note }: Invocation,
  received: Promise<URLSearchParams>,
  noBrowser: boolean,
): Promise<URLSearchParams> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(tooLate()), SIGN_IN_WAIT_MS);
  const onInterrupt = () => stop.abort(context.signal.reason);
  context.signal.addEventListener("abort", onInterrupt, { once: true });
  const stopped = new Promise<never>((_, reject) => {
    stop.signal.addEventListener("abort", () => reject(stop.signal.reason), { once: true });
  });
  const ways: Promise<URLSearchParams>[] = [received, stopped];
  if (noBrowser) {
    note(["Then paste the address that the browser ends at, whether its page loads or not."]);
    ways.push(pasted(context));
  }
  try {
    return await Promise.race(ways);
  } finally {
    clearTimeout(timer);
    context.signal.removeEventListener("abort", onInterrupt);
  }
}

async function pasted(context: Invocation["context"]): Promise<URLSearchParams> {
  const text = context.ask === undefined
    ? new TextDecoder().decode(await context.readInput(MAX_PASTED_BYTES))
    : await context.ask("Address: ");
  const address = text.trim();
  // An input that is closed gives nothing: the browser may still come back.
  if (address === "") return await new Promise(() => {});
  return new URLSearchParams(address.replace(/^[^?]*\?/, "").replace(/#.*$/, ""));
}

function tooLate(): AppError {
  return new AppError("timeout", "Nobody signed in within five minutes");
}

function toText(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
