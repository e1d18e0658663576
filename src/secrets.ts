// What of a server's entry is secret: as a digest to tell credentials apart, and as a mask for every
// text that may repeat it. Beside these two no value leaves here.

import type { Environment } from "./context.ts";
import { expandSpec } from "./expand.ts";
import { type Digest, digestOfJson } from "./hash.ts";
import type { HttpSpec, JsonObject, ServerSpec, StdioSpec } from "./server.ts";
import { maskArguments, type Secret } from "./text.ts";

/** Takes secrets out of a text. */
export type Mask = (text: string) => string;

/** A digest of every secret value that `spec` reaches its server with. */
export function credentialsOf(spec: ServerSpec): Digest {
  const revealAll = (values: Readonly<Record<string, Secret>>) =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.reveal()]));
  if (spec.transport === "http") {
    return digestOfJson(["http", spec.url.reveal(), revealAll(spec.headers)]);
  }
  if (spec.transport === "embedded") return digestOfJson(["embedded"]);
  return digestOfJson(["stdio", spec.command, spec.args, revealAll(spec.env)]);
}

/** A mask for `spec`, and a way to put further secrets into it. */
export function growingMask(
  spec: ServerSpec,
): { readonly mask: Mask; readonly add: (secret: Secret) => void } {
  const known = new Set(secretsIn(spec));
  let mask = maskFor([...known]);
  return {
    mask: (text) => mask(text),
    add(secret) {
      if (known.has(secret.reveal())) return;
      known.add(secret.reveal());
      mask = maskFor([...known]);
    },
  };
}

/**
 * A function that takes every secret value of `specs` out of a text, variables put in as for
 * connecting. It reads nothing before it is called, and nothing of an entry nobody trusted.
 */
export function createSecretMask(specs: Iterable<ServerSpec>, env: Environment): Mask {
  let mask: Mask | undefined;
  return (text) => {
    mask ??= maskFor(
      [...specs].flatMap((spec) => spec.untrusted ? [] : expandedSecrets(spec, env)),
    );
    return mask(text);
  };
}

/** `value` with `mask` put over every string and key in it; itself where that changes nothing. */
export function maskValue<Value extends JsonObject>(value: Value, mask: Mask): Value {
  const text = JSON.stringify(value);
  return mask(text) === text ? value : maskWithin(value, mask) as Value;
}

// Never deeper than what the bounds of a message let through.
function maskWithin(value: unknown, mask: Mask): unknown {
  if (typeof value === "string") return mask(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => maskWithin(item, mask));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [mask(key), maskWithin(item, mask)]),
  );
}

function expandedSecrets(spec: ServerSpec, env: Environment): string[] {
  try {
    return secretsIn(expandSpec(spec, env));
  } catch {
    return secretsIn(spec); // it cannot be connected to, either
  }
}

function secretsIn(spec: ServerSpec): string[] {
  if (spec.transport === "stdio") return secretsOfProcess(spec);
  return spec.transport === "http" ? secretsOfRequests(spec) : [];
}

function secretsOfProcess({ env, args }: StdioSpec): string[] {
  const shown = maskArguments(args);
  return [
    ...Object.values(env).flatMap((value) => partsOf(value.reveal())),
    ...args.flatMap((arg, index) => shown[index] === arg ? [] : partsOf(arg)),
  ];
}

function secretsOfRequests({ url, headers }: HttpSpec): string[] {
  return [
    ...Object.values(headers).flatMap((value) => partsOf(value.reveal())),
    ...partsOf(url.reveal()),
  ];
}

// A value, and the parts of it that are secret by themselves: a token without the word before it,
// what is assigned in an argument or a cookie, and what a URL holds.
function partsOf(text: string): string[] {
  const assigned = Array.from(text.matchAll(/=([^;,\s]+)/g), (match) => match[1]!);
  const parts = [text, text.slice(text.indexOf("=") + 1), text.split(" ").at(-1)!, ...assigned];
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || !URL.canParse(text)) return parts;
  const { href, username, password, searchParams, hash } = new URL(text);
  const [user, word] = [decoded(username), decoded(password)];
  return [
    ...[text, href, username, password, user, word, `${user}:${word}`, hash.slice(1)],
    ...[...searchParams].map(([name, value]) => value || name),
  ];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Shorter values stand for themselves too often: a mask for them would eat the text around.
const MIN_MASKED_CHARS = 6;

// Each secret also as it stands in JSON, in a URL and, as of headers, in Base64.
function maskFor(secrets: readonly string[]): Mask {
  const forms = secrets.filter((secret) => secret.length >= MIN_MASKED_CHARS).flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret.toWellFormed()),
    new TextEncoder().encode(secret).toBase64(),
  ]);
  // The longest first: a part must not leave the rest of the whole.
  const known = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return (text) => known.reduce((masked, secret) => masked.replaceAll(secret, "***"), text);
}
