// Names that only this server can have given: sessions of 128 random bits, and addresses of runs.
// Each carries a mark made with a key, so that a name that was guessed is refused without anything
// being looked up, by every process that has the key.

import { digestOf, equalDigests } from "./hash.ts";
import { type RunId, toRunId } from "./journal.ts";
import type { SessionId } from "./names.ts";

/** Gives names and knows its own. */
export interface SessionKeys {
  /** A new session. */
  issue(): SessionId;
  /** `text` as a session that was given here; undefined for anything else. */
  accept(text: string): SessionId | undefined;
  /** The address of a run's trace. */
  traceOf(run: RunId): string;
  /** The run that such an address names; undefined for one that was not given here. */
  runOf(uri: string): RunId | undefined;
}

/** Before the address of a run. */
export const TRACE_PREFIX = "mcp-exec://runs/";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const RANDOM_CHARS = 26;
const MARK_CHARS = 16;
const SESSION = /^s([a-z2-7]{26})([a-z2-7]{16})$/;
const TRACE = /^mcp-exec:\/\/runs\/([0-9a-z]{16})-([a-z2-7]{16})$/;

/** Names under the key made of `secret`; without one a key that ends with the process. */
export function createSessionKeys(secret?: string): SessionKeys {
  const key = secret ?? crypto.getRandomValues(new Uint8Array(32)).toHex();
  const mark = (kind: string, name: string) =>
    base32(fromHex(digestOf(`${digestOf(key)} ${kind} ${name}`)), MARK_CHARS);
  return {
    issue() {
      const name = base32(crypto.getRandomValues(new Uint8Array(20)), RANDOM_CHARS);
      return `s${name}${mark("session", name)}` as SessionId;
    },
    accept(text) {
      const [, name, given] = SESSION.exec(text) ?? [];
      if (name === undefined) return undefined;
      return equalDigests(given!, mark("session", name)) ? text as SessionId : undefined;
    },
    traceOf: (run) => `${TRACE_PREFIX}${run}-${mark("run", run)}`,
    runOf(uri) {
      const [, run, given] = TRACE.exec(uri) ?? [];
      if (run === undefined || !equalDigests(given!, mark("run", run))) return undefined;
      return toRunId(run);
    },
  };
}

function fromHex(digest: string): Uint8Array {
  return Uint8Array.fromHex(digest.slice("blake3:".length));
}

// Five bits a character, as many of them as are wanted.
function base32(bytes: Uint8Array, chars: number): string {
  return Array.from({ length: chars }, (_, at) => {
    const bit = at * 5;
    const pair = (bytes[bit >> 3]! << 8) | (bytes[(bit >> 3) + 1] ?? 0);
    return ALPHABET[(pair >> (11 - (bit & 7))) & 31];
  }).join("");
}
