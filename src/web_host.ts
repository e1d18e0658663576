// What the host does for the web globals of a program: reading URLs, and random numbers. Takes
// texts and gives texts; nothing of the host's own is in them.

const URL_PARTS = [
  ...["href", "protocol", "username", "password", "host", "hostname", "port", "pathname"],
  ...["search", "hash"],
] as ("href" | "protocol" | "username" | "password" | "host" | "pathname" | "search" | "hash")[];
const MAX_RANDOM_BYTES = 65_536;

/**
 * The parts of a URL as JSON, for JSON of `[url, base]` or, with one part set, `[url, part, value]`;
 * undefined for what is no URL.
 */
export function readUrl(json: string): string | undefined {
  try {
    // What is no list of texts comes of a program that changed how lists are written.
    const [first, second, value] = JSON.parse(json) as (string | undefined)[];
    const url = value === undefined ? new URL(first!, second ?? undefined) : new URL(first!);
    const part = URL_PARTS.find((name) => name === second);
    if (value !== undefined && part !== undefined) url[part] = value;
    const parts = Object.fromEntries(URL_PARTS.map((name) => [name, url[name]]));
    return JSON.stringify({ ...parts, origin: url.origin });
  } catch {
    return undefined;
  }
}

/** `size` random bytes in hexadecimal, 64 KiB at most. */
export function randomHex(size: number): string {
  const bytes = new Uint8Array(Math.min(Math.max(size, 0), MAX_RANDOM_BYTES));
  return crypto.getRandomValues(bytes).toHex();
}

/** 53 random bits: a number costs the guest the same fuel whatever it is, a text would not. */
export function randomSeed(): number {
  const [low, high] = crypto.getRandomValues(new Uint32Array(2));
  return (high! >>> 11) * 2 ** 32 + low!;
}
