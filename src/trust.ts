// Which entries of projects' files a person has trusted: each by its folder and the digest of the
// whole entry, so that an entry that changed, or turns up in another folder, is asked about again.

import type { Environment } from "./context.ts";
import type { Database } from "./database.ts";
import { AppError } from "./errors.ts";
import { type Digest, equalDigests } from "./hash.ts";
import { MAX_TRUSTED_ENTRIES } from "./limits.ts";
import type { ServerName } from "./names.ts";
import { quoteText } from "./text.ts";

/** The entries that were trusted. */
export interface TrustStore {
  /** Whether exactly this entry was trusted in this folder. */
  has(folder: string, digest: Digest): boolean;
  /** Remembers an entry as trusted; the oldest ones leave when there are too many. */
  trust(entry: { folder: string; digest: Digest; server: ServerName }): void;
  /** Forgets an entry; false when it was not trusted. */
  revoke(folder: string, digest: Digest): boolean;
}

/** The store in `database`; `now` gives milliseconds since 1970. */
export function createTrustStore(
  database: Pick<Database, "get" | "run">,
  { now }: { readonly now: () => number },
): TrustStore {
  const has = (folder: string, digest: Digest) =>
    database.get(
      "select 1 from trusted_entries where folder = ? and digest = ?",
      folder,
      digest,
    ) !== undefined;
  return {
    has,
    trust({ folder, digest, server }) {
      database.run(
        `insert into trusted_entries (folder, digest, server, trusted) values (?, ?, ?, ?)
         on conflict (folder, digest) do update set trusted = excluded.trusted`,
        folder,
        digest,
        server,
        now(),
      );
      database.run(
        `delete from trusted_entries where (folder, digest) in (
           select folder, digest from trusted_entries order by trusted desc limit -1 offset ?)`,
        MAX_TRUSTED_ENTRIES,
      );
    },
    revoke(folder, digest) {
      const was = has(folder, digest);
      if (was) {
        database.run(
          "delete from trusted_entries where folder = ? and digest = ?",
          folder,
          digest,
        );
      }
      return was;
    },
  };
}

/** `text` as the digest of an entry; throws a `usage` error for anything else. */
export function toEntryDigest(text: string): Digest {
  if (/^blake3:[0-9a-f]{64}$/.test(text)) return text as Digest;
  throw new AppError("usage", `Digest ${quoteText(text)} must be "blake3:" and 64 digits`, {
    hint: "mcp-exec server list --format json shows the digest of each entry",
  });
}

/** Whether `MCP_EXEC_TRUST` names the entry: digests, separated by commas or white space. */
export function isTrustedByEnvironment(env: Environment, digest: Digest): boolean {
  const named = (env.get("MCP_EXEC_TRUST") ?? "").split(/[\s,]+/);
  return named.some((text) => equalDigests(text, digest));
}
