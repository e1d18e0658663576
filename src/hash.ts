// blake3 of bytes and of JSON values, and a comparison that takes the same time whatever differs.

import { blake3 } from "@noble/hashes/blake3.js";
import { bytesToHex } from "@noble/hashes/utils.js";

/** A blake3 digest as `blake3:` and 64 hexadecimal digits. */
export type Digest = `blake3:${string}`;

/** The digest of `data`; a string counts as its UTF-8 bytes. */
export function digestOf(data: string | Uint8Array): Digest {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return `blake3:${bytesToHex(blake3(bytes))}`;
}

/** The digest of a JSON value: equal for values that differ only in the order of keys. */
export function digestOfJson(value: unknown): Digest {
  return digestOf(canonicalJson(value));
}

/**
 * JSON text with sorted keys and no white space: the same text for the same value, after the
 * idea of RFC 8785 (numbers and strings as `JSON.stringify` writes them; `-0` becomes `0`).
 * Members that are `undefined` are left out. The depth must be bounded by the caller.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const record = value as Record<string, unknown>;
    const members = Object.keys(record).sort().filter((key) => record[key] !== undefined)
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key])}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

/** Whether two digests are equal, in a time that does not depend on where they differ. */
export function equalDigests(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    difference |= (a.charCodeAt(index) || 0) ^ (b.charCodeAt(index) || 0);
  }
  return difference === 0;
}
