// Fingerprints of servers: what the index, the cache and the limiter know a server by, whatever name
// it goes under.

import type { Database } from "./database.ts";
import { type Digest, digestOfJson } from "./hash.ts";
import type { ServerSpec } from "./server.ts";
import { VERSION } from "./version.ts";

/**
 * Names the place a server is reached at without holding any secret value: same command,
 * arguments, names of variables and headers, and masked URL give the same fingerprint.
 */
export function fingerprintOf(spec: ServerSpec): Digest {
  const known = fingerprints.get(spec);
  if (known !== undefined) return known;
  const digest = digestOfJson(placeOf(spec));
  fingerprints.set(spec, digest);
  return digest;
}

// A search of many servers asks for each of them more than once.
const fingerprints = new WeakMap<ServerSpec, Digest>();

const MANY = 10;

/**
 * Makes the fingerprints of many `specs` known from `database`, where they were all together before.
 * The system's hash of all places takes less than a digest of each: a search would mostly make those.
 */
export async function recallFingerprints(
  specs: readonly ServerSpec[],
  database: Database,
): Promise<void> {
  if (specs.length < MANY) return;
  // A place may hold what somebody should have kept out of it: only its hash is written down.
  const places = new TextEncoder().encode(JSON.stringify([VERSION, ...specs.map(placeOf)]));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", places)).toHex();
  const kept = database.get<{ fingerprints: string }>(
    "select fingerprints from known_places where hash = ?",
    hash,
  )?.fingerprints.split("\n");
  if (kept?.length === specs.length) {
    for (const [at, spec] of specs.entries()) fingerprints.set(spec, kept[at] as Digest);
    return;
  }
  const text = specs.map(fingerprintOf).join("\n");
  try {
    database.transaction(() => {
      database.run("delete from known_places");
      database.run("insert into known_places (hash, fingerprints) values (?, ?)", hash, text);
    });
  } catch {
    // They are made anew next time: a search that only reads does not fail for that.
  }
}

// What makes up a place.
function placeOf(spec: ServerSpec): readonly unknown[] {
  switch (spec.transport) {
    case "stdio":
      return ["stdio", spec.command, spec.args, spec.cwd ?? null, Object.keys(spec.env).sort()];
    case "http":
      return ["http", spec.shownUrl, Object.keys(spec.headers).sort()];
    case "embedded":
      // It changes with the program.
      return ["embedded", spec.name, VERSION];
  }
}
