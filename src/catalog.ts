// The index: what each server last told about itself, and the era of the protocol it speaks, by
// name and fingerprint. Answers without connecting; never the reason a command fails.

import type { Database } from "./database.ts";
import { fingerprintOf } from "./fingerprints.ts";
import { MAX_INDEX_ENTRY_BYTES, MAX_INDEX_SERVERS } from "./limits.ts";
import type { ProtocolEra, ServerInfo, ServerSpec } from "./server.ts";
import { definitionTokens } from "./stats.ts";

/** The index of servers. A server reached in another way than before counts as another one. */
export interface Catalog {
  /** Keeps `info` in place of what was known; a listing beyond the index's bound is not kept. */
  save(spec: ServerSpec, info: ServerInfo): void;
  /** What was kept last and when (milliseconds since 1970); undefined when nothing fits. */
  load(spec: ServerSpec): { info: ServerInfo; savedAt: number } | undefined;
  /** About how many tokens the definitions of a server's tools are; undefined when nothing fits. */
  tokens(spec: ServerSpec): number | undefined;
  /** The era of the protocol this server spoke last. */
  era(spec: ServerSpec): ProtocolEra | undefined;
  rememberEra(spec: ServerSpec, era: ProtocolEra): void;
}

// Of the form of `info` and of what its tokens count: entries of another one count as absent.
const INFO_VERSION = 2;

/** The index in `database`; failures to read or write it are told to `warn`. */
export function createCatalog(
  database: Database,
  options: {
    readonly now: () => number;
    readonly warn?: (message: string) => void;
    /** Told when a listing was kept that differs from the one before. */
    readonly onSave?: () => void;
  },
): Catalog {
  function attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      options.warn?.(`The index of servers is not used: ${reason}`);
      return undefined;
    }
  }

  function save(spec: ServerSpec, info: ServerInfo): void {
    const json = JSON.stringify(info);
    if (json.length > MAX_INDEX_ENTRY_BYTES) return;
    attempt(() => {
      const fingerprint = fingerprintOf(spec);
      const same = database.get(
        "select 1 from servers where name = ? and fingerprint = ? and version = ? and info = ?",
        spec.name,
        fingerprint,
        INFO_VERSION,
        json,
      );
      if (same !== undefined) {
        database.run(
          "update servers set saved = ? where name = ? and fingerprint = ?",
          options.now(),
          spec.name,
          fingerprint,
        );
        return;
      }
      database.run(
        `insert or replace into servers (name, fingerprint, version, info, saved, tokens)
         values (?, ?, ?, ?, ?, ?)`,
        spec.name,
        fingerprint,
        INFO_VERSION,
        json,
        options.now(),
        definitionTokens(info),
      );
      keepLatest("servers");
      options.onSave?.();
    });
  }

  function load(spec: ServerSpec): { info: ServerInfo; savedAt: number } | undefined {
    return attempt(() => {
      const row = database.get<{ info: string; saved: number }>(
        "select info, saved from servers where name = ? and fingerprint = ? and version = ?",
        spec.name,
        fingerprintOf(spec),
        INFO_VERSION,
      );
      return row && { info: JSON.parse(row.info) as ServerInfo, savedAt: row.saved };
    });
  }

  function tokens(spec: ServerSpec): number | undefined {
    return attempt(() => {
      const row = database.get<{ tokens: number | null }>(
        "select tokens from servers where name = ? and fingerprint = ? and version = ?",
        spec.name,
        fingerprintOf(spec),
        INFO_VERSION,
      );
      if (row === undefined || row.tokens !== null) return row?.tokens ?? undefined;
      // Saved before tokens were counted.
      const info = load(spec)?.info;
      return info && definitionTokens(info);
    });
  }

  function era(spec: ServerSpec): ProtocolEra | undefined {
    return attempt(() =>
      database.get<{ era: ProtocolEra }>(
        "select era from eras where fingerprint = ?",
        fingerprintOf(spec),
      )
    )?.era;
  }

  function rememberEra(spec: ServerSpec, era: ProtocolEra): void {
    attempt(() => {
      database.run(
        "insert or replace into eras (fingerprint, era, saved) values (?, ?, ?)",
        fingerprintOf(spec),
        era,
        options.now(),
      );
      keepLatest("eras");
    });
  }

  function keepLatest(table: "servers" | "eras"): void {
    database.run(
      `delete from ${table} where saved < (
         select saved from ${table} order by saved desc limit 1 offset ?
       )`,
      MAX_INDEX_SERVERS - 1,
    );
  }

  return { save, load, tokens, era, rememberEra };
}
