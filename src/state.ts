// What programs keep between runs: in memory as long as the run lives, or in the database under a
// session's name. Bounded in every direction, and gone some time after it was last used.

import type { Database } from "./database.ts";
import { AppError } from "./errors.ts";
import {
  formatBytes,
  MAX_STATE_BYTES,
  MAX_STATE_KEYS,
  MAX_STATE_SESSIONS,
  MAX_STATE_VALUE_BYTES,
  STATE_DAYS,
} from "./limits.ts";
import type { SessionId } from "./names.ts";
import { quoteText } from "./text.ts";

/** Values that programs keep between runs; all JSON text. */
export interface StateStorage {
  /** The value under a key of a session, as JSON; undefined when there is none. */
  get(session: SessionId, key: string): string | undefined;
  /** Keeps a value; throws a `limit` error beyond the bounds, and the state is then unchanged. */
  set(session: SessionId, key: string, json: string): void;
}

/** State that outlives runs. */
export interface SessionState extends StateStorage {
  /** Ends a session: nothing of it is left. */
  clear(session: SessionId): void;
}

/** One session that has state; `usedAt` is milliseconds since 1970. */
export interface StateSession {
  readonly session: SessionId;
  readonly keys: number;
  readonly bytes: number;
  readonly usedAt: number;
}

/** What a session holds beside the key that is to be set. */
interface Held {
  readonly keys: number;
  readonly bytes: number;
}

/** State in memory; for runs that belong to no lasting session. */
export function createMemoryState(): StateStorage {
  const sessions = new Map<SessionId, Map<string, string>>();
  return {
    get: (session, key) => sessions.get(session)?.get(key),
    set(session, key, json) {
      const values = sessions.get(session) ?? new Map<string, string>();
      let [keys, bytes] = [0, 0];
      for (const [name, value] of values) {
        if (name === key) continue;
        keys++;
        bytes += sizeOf(name, value);
      }
      checkBounds(key, sizeOf(key, json), { keys, bytes });
      values.set(key, json);
      sessions.set(session, values);
    },
  };
}

const DAY_MS = 86_400_000;

/**
 * State in `database`, shared by every process that names the session. A session that nobody read
 * or wrote for `days` is gone, and so are the least used ones beyond their bound.
 */
export function createSessionState(
  database: Database,
  { now, days = STATE_DAYS }: { readonly now: () => number; readonly days?: number },
): SessionState {
  let isSwept = false;
  function sweep(): void {
    if (isSwept) return;
    isSwept = true;
    const gone = database.all<{ session: string }>(
      `select session from state group by session having max(saved) < ?
       union select * from (
         select session from state group by session order by max(saved) desc limit -1 offset ?
       )`,
      now() - days * DAY_MS,
      MAX_STATE_SESSIONS,
    );
    for (const { session } of gone) database.run("delete from state where session = ?", session);
    if (gone.length > 0) database.all("pragma incremental_vacuum");
  }

  return {
    get(session, key) {
      sweep();
      const row = database.get<{ value: string; saved: number }>(
        "select value, saved from state where session = ? and key = ?",
        session,
        storedKey(key),
      );
      // Reading keeps a session too; once a day is often enough to know that.
      if (row !== undefined && row.saved < now() - DAY_MS) {
        database.run(
          "update state set saved = ? where session = ? and key = ?",
          now(),
          session,
          storedKey(key),
        );
      }
      return row?.value;
    },
    set(session, key, json) {
      sweep();
      const size = sizeOf(key, json);
      database.transaction(() => {
        const all = database.get<Held>(
          "select count(*) as keys, coalesce(sum(bytes), 0) as bytes from state where session = ?",
          session,
        )!;
        const old = database.get<{ bytes: number }>(
          "select bytes from state where session = ? and key = ?",
          session,
          storedKey(key),
        );
        checkBounds(key, size, {
          keys: all.keys - (old === undefined ? 0 : 1),
          bytes: all.bytes - (old?.bytes ?? 0),
        });
        database.run(
          "insert or replace into state (session, key, value, bytes, saved) values (?, ?, ?, ?, ?)",
          session,
          storedKey(key),
          json,
          size,
          now(),
        );
      });
    },
    clear(session) {
      database.run("delete from state where session = ?", session);
      database.all("pragma incremental_vacuum");
    },
  };
}

/** Every session that has state, the last used first. */
export function listStateSessions(database: Database): StateSession[] {
  return database.all<StateSession>(
    `select session, count(*) as keys, sum(bytes) as bytes, max(saved) as usedAt
     from state group by session order by usedAt desc, session`,
  ).map((row) => ({ ...row }));
}

// As JSON: the database would cut a key at a NUL and take lone surrogates for one another.
function storedKey(key: string): string {
  return JSON.stringify(key);
}

function sizeOf(key: string, json: string): number {
  return new TextEncoder().encode(key + json).length;
}

function checkBounds(key: string, size: number, held: Held): void {
  const refuse = (what: string, limit: number, value: number) => {
    throw new AppError("limit", `State of ${what}`, { limit: { name: "state", limit, value } });
  };
  const over = (bytes: number, limit: number) =>
    `${formatBytes(bytes)}, over the limit of ${formatBytes(limit)}`;
  if (size > MAX_STATE_VALUE_BYTES) {
    refuse(
      `${quoteText(key)} is ${over(size, MAX_STATE_VALUE_BYTES)}`,
      MAX_STATE_VALUE_BYTES,
      size,
    );
  }
  if (held.keys >= MAX_STATE_KEYS) {
    refuse(`more than ${MAX_STATE_KEYS} keys`, MAX_STATE_KEYS, held.keys + 1);
  }
  const total = held.bytes + size;
  if (total > MAX_STATE_BYTES) {
    refuse(`${over(total, MAX_STATE_BYTES)} in all`, MAX_STATE_BYTES, total);
  }
}
