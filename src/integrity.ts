// Proof that a folder is what was written: one digest for each file and a total over them. It reads
// and writes no file itself, and tells every file that differs, not only the first.

import { AppError } from "./errors.ts";
import { type Digest, digestOf, equalDigests } from "./hash.ts";
import { MAX_CHECKSUM_BYTES } from "./limits.ts";
import { cleanLine, quoteText } from "./text.ts";

/** The file that holds the digests of all others. */
export const CHECKSUM_FILE = "checksum.blake3";

/** Digests of a set of files. */
export interface Checksum {
  /** One `blake3:<hex>  <file>` line for each file, sorted, then the total alone on a line. */
  readonly text: string;
  /** The digest of those lines: it stands for the whole set. */
  readonly root: Digest;
}

const LINE = /^(blake3:[0-9a-f]{64}) {2}([^\r\n]{1,1024})$/;
const TOTAL = /^blake3:[0-9a-f]{64}$/;
const SHOWN_FILES = 10;

/**
 * The checksum of `files` by relative path; a checksum file among them is left out. Digests that are
 * known already are taken from `known`, which gets the others.
 */
export function checksumOf(
  files: ReadonlyMap<string, string | Uint8Array>,
  known = new Map<string, Digest>(),
): Checksum {
  const names = [...files.keys()].filter((name) => name !== CHECKSUM_FILE).sort();
  for (const name of names) if (!known.has(name)) known.set(name, digestOf(files.get(name)!));
  const lines = names.map((name) => `${known.get(name)}  ${name}\n`).join("");
  const root = digestOf(lines);
  return { text: `${lines}${root}\n`, root };
}

/**
 * The root of `files` when they are what their checksum file says. Throws `integrity` errors that
 * name the files which were changed, added or removed; `what` names the folder.
 */
export function verifyFiles(files: ReadonlyMap<string, Uint8Array>, what: string): Digest {
  const { digests, root } = readChecksum(files.get(CHECKSUM_FILE), what);
  const faults: string[] = [];
  for (const [name, digest] of digests) {
    const data = files.get(name);
    if (data === undefined) faults.push(`${quoteText(name)} is missing`);
    else if (!equalDigests(digestOf(data), digest)) faults.push(`${quoteText(name)} was changed`);
  }
  for (const name of files.keys()) {
    if (name !== CHECKSUM_FILE && !digests.has(name)) faults.push(`${quoteText(name)} was added`);
  }
  if (faults.length === 0) return root;
  const shown = faults.slice(0, SHOWN_FILES);
  if (faults.length > SHOWN_FILES) shown.push(`and ${faults.length - SHOWN_FILES} more`);
  throw new AppError("integrity", `${what} is not as it was written: ${faults[0]}`, {
    ...(faults.length > 1 && { detail: shown }),
    hint: "write it again with --force, or remove it",
  });
}

/** The root that a checksum file names, without looking at any file; undefined when it is none. */
export function rootOf(text: string): Digest | undefined {
  const last = text.slice(0, -1).split("\n").at(-1)!;
  return text.endsWith("\n") && TOTAL.test(last) ? last as Digest : undefined;
}

/** `text` as a root given on the command line; a `usage` error for anything else. */
export function toRoot(text: string): Digest {
  if (TOTAL.test(text)) return text as Digest;
  throw new AppError("usage", `Root ${quoteText(text)} is not blake3: and 64 hexadecimal digits`);
}

function readChecksum(
  data: Uint8Array | undefined,
  what: string,
): { digests: ReadonlyMap<string, Digest>; root: Digest } {
  const refuse = (why: string): never => {
    throw new AppError("integrity", `${what} ${why}`, { hint: "write it again, or remove it" });
  };
  if (data === undefined) return refuse(`has no ${CHECKSUM_FILE}`);
  if (data.length > MAX_CHECKSUM_BYTES) return refuse(`has a ${CHECKSUM_FILE} that is too large`);
  const text = new TextDecoder().decode(data);
  const root = rootOf(text) ?? refuse(`has a ${CHECKSUM_FILE} without a total`);
  const digests = new Map<string, Digest>();
  let last = "";
  for (const line of text.split("\n").slice(0, -2)) {
    const [, digest, name] = LINE.exec(line) ?? [];
    // Sorted without repetition: so the same files have one checksum, and one root.
    if (name === undefined || name === CHECKSUM_FILE || name <= last) {
      return refuse(`has a ${CHECKSUM_FILE} with a line that does not belong: ${shown(line)}`);
    }
    digests.set(name, digest as Digest);
    last = name;
  }
  const lines = text.slice(0, text.length - root.length - 1);
  if (!equalDigests(digestOf(lines), root)) {
    return refuse(`has a ${CHECKSUM_FILE} whose total does not fit its lines`);
  }
  return { digests, root };
}

function shown(line: string): string {
  return `"${cleanLine(line, 120)}"`;
}
