// The one SQLite file: opened at first use, shared by several processes, brought up to date by
// ordered migrations. A file that cannot be used costs one warning, never the run.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Context, dataFile } from "./context.ts";
import { AppError } from "./errors.ts";
import { DATABASE_BUSY_MS } from "./limits.ts";
import { quotePath, reasonOf } from "./read.ts";

/** What a column can hold. Text is cut at a NUL when read back: store such text as bytes. */
export type SqlValue = null | number | string | Uint8Array;

/** A database; statements are prepared once and kept, so their text must not hold values. */
export interface Database {
  /** The file; undefined when everything is in memory and ends with the process. */
  readonly path: string | undefined;
  /** Runs a statement that gives no rows; a `failure` when it cannot. */
  run(sql: string, ...values: SqlValue[]): void;
  /** The first row as an object by column, undefined without one; a `failure` when it cannot. */
  get<T>(sql: string, ...values: SqlValue[]): T | undefined;
  /** Every row as an object by column; a `failure` when it cannot. */
  all<T>(sql: string, ...values: SqlValue[]): T[];
  /** What `work` returns, all its writes done at once, or none when it throws; may be nested. */
  transaction<T>(work: () => T): T;
  /** Closes the file; the database cannot be used afterwards. */
  close(): void;
}

// Each entry takes the schema one version further; entries are added, never changed.
// Rows of `runs`, `run_ends` and `calls` are written once: only retention removes them.
const MIGRATIONS: readonly string[] = [
  `create table programs (
     digest text primary key, code blob not null
   ) without rowid;
   create table runs (
     id text not null unique, version integer not null, started integer not null,
     command text not null, session text, program text not null, servers text not null,
     limits text not null
   );
   create index runs_started on runs (started);
   create index runs_program on runs (program);
   create table run_ends (
     run text primary key, version integer not null, outcome text not null,
     fuel integer, memory integer, ms real not null, error text
   ) without rowid;
   create table calls (
     run text not null, version integer not null, started integer not null, server text not null,
     tool text not null, definition text, arguments_digest text not null, decision text not null,
     outcome text not null, error text, ms real not null, bytes_in integer not null,
     bytes_out integer not null, arguments blob, result blob
   );
   create index calls_run on calls (run);
   create trigger runs_fixed before update on runs begin
     select raise(abort, 'runs are written once'); end;
   create trigger run_ends_fixed before update on run_ends begin
     select raise(abort, 'runs are written once'); end;
   create trigger calls_fixed before update on calls begin
     select raise(abort, 'calls are written once'); end;
   create table servers (
     name text not null, fingerprint text not null, version integer not null,
     info text not null, saved integer not null, primary key (name, fingerprint)
   );
   create index servers_saved on servers (saved);
   create table eras (
     fingerprint text primary key, era text not null, saved integer not null
   ) without rowid;
   create table state (
     session text not null, key text not null, value text not null, bytes integer not null,
     saved integer not null, primary key (session, key)
   ) without rowid;`,
  `create table skill_roots (
     root text primary key, skill text not null, accepted integer not null
   ) without rowid;`,
  `create table trusted_entries (
     folder text not null, digest text not null, server text not null, trusted integer not null,
     primary key (folder, digest)
   ) without rowid;`,
  `create index state_sizes on state (session, saved, bytes);
   create table run_tokens (
     run text primary key, version integer not null, tokenizer text not null,
     definitions integer not null, arguments integer not null, results integer not null,
     program integer not null, answer integer not null
   ) without rowid;
   create trigger run_tokens_fixed before update on run_tokens begin
     select raise(abort, 'runs are written once'); end;
   create table marks (name text primary key, value integer not null) without rowid;
   alter table servers add column tokens integer;`,
  `alter table servers add column indexed integer;
   create index servers_indexed on servers (name, fingerprint, indexed);
   create table indexed_tools (
     id integer primary key, server text not null, fingerprint text not null, tool text not null,
     function text not null, signature text not null, summary text not null
   );
   create index indexed_tools_server on indexed_tools (server, fingerprint);
   create virtual table tool_words using fts5(
     names, summary, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0'
   );`,
  `alter table calls add column source text;
   alter table calls add column waited real;
   alter table calls add column met text;`,
  `create table handles (
     id text primary key, version integer not null, digest text not null, type text not null,
     bytes integer not null, is_text integer not null, kept integer not null,
     expires integer not null
   ) without rowid;
   create index handles_expires on handles (expires, bytes);
   create table handle_sessions (
     session text not null, id text not null, primary key (session, id)
   ) without rowid;`,
  `alter table run_ends add column result text;`,
  `create table skill_folders (
     folder text primary key, noted integer not null
   ) without rowid;`,
  `alter table handle_sessions add column kept integer not null default 0;
   update handle_sessions set kept = coalesce(
     (select kept from handles where handles.id = handle_sessions.id), 0
   );
   create index handle_sessions_kept on handle_sessions (kept);`,
  `create table known_places (hash text primary key, fingerprints text not null) without rowid;`,
];

/** The version of the schema this program writes; a file with a higher one is left alone. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * The database at `path`, opened at its first use. A damaged file is moved aside and begun anew;
 * one that cannot be written, or that a newer program wrote, is left as it is and memory is used
 * instead, as without a path. Each of these is told to `warn` once.
 */
export function openDatabase(
  path: string | undefined,
  options: { readonly warn: (message: string) => void },
): Database {
  return new FileDatabase(path ?? "", options.warn);
}

/** What `work` gives with the program's own database, which is closed afterwards. */
export async function withDatabase<Result>(
  { paths }: Pick<Context, "paths">,
  { warn, work }: {
    readonly warn: (message: string) => void;
    readonly work: (database: Database) => Result | Promise<Result>;
  },
): Promise<Result> {
  const database = openDatabase(dataFile(paths, "mcp-exec.db"), { warn });
  try {
    return await work(database);
  } finally {
    database.close();
  }
}

class FileDatabase implements Database {
  /** Empty where there is no place for one. */
  readonly #file: string;
  readonly #warn: (message: string) => void;
  readonly #statements = new Map<string, StatementSync>();
  #connection: DatabaseSync | undefined;
  #inMemory = false;
  #closed = false;
  #depth = 0;

  constructor(file: string, warn: (message: string) => void) {
    this.#file = file;
    this.#warn = warn;
  }

  get path(): string | undefined {
    this.#open();
    return this.#inMemory ? undefined : this.#file;
  }

  run(sql: string, ...values: SqlValue[]): void {
    this.#attempt(() => this.#prepare(sql).run(...values));
  }

  get<T>(sql: string, ...values: SqlValue[]): T | undefined {
    return this.#attempt(() => this.#prepare(sql).get(...values)) as T | undefined;
  }

  all<T>(sql: string, ...values: SqlValue[]): T[] {
    return this.#attempt(() => this.#prepare(sql).all(...values)) as T[];
  }

  transaction<T>(work: () => T): T {
    const depth = this.#depth;
    // Immediate: a reader that becomes a writer half-way would be refused when another one writes.
    this.run(depth === 0 ? "begin immediate" : `savepoint level${depth}`);
    this.#depth++;
    try {
      const result = work();
      this.run(depth === 0 ? "commit" : `release level${depth}`);
      return result;
    } catch (error) {
      this.#rollBack(depth);
      // Not tried again, because the work may have done more than write here.
      if (depth === 0 && error instanceof AppError && isDamage(error.cause)) this.#reconnect();
      throw error;
    } finally {
      this.#depth = depth;
    }
  }

  close(): void {
    this.#closed = true;
    this.#disconnect();
  }

  #rollBack(depth: number): void {
    try {
      if (depth === 0) this.#prepare("rollback").run();
      else this.#connection?.exec(`rollback to level${depth}; release level${depth}`);
    } catch {
      // SQLite ends a transaction by itself on the graver errors; the first error is the one told.
    }
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isDamage(error) || this.#inMemory || this.#depth > 0) throw this.#toAppError(error);
    }
    // Damage deeper in the file shows only when a statement comes upon it.
    this.#reconnect();
    try {
      return work();
    } catch (error) {
      throw this.#toAppError(error);
    }
  }

  #toAppError(error: unknown): AppError {
    if (error instanceof AppError) return error;
    return new AppError("failure", `Cannot use the database: ${reasonOf(error)}`, {
      detail: [this.#file],
      cause: error,
    });
  }

  #prepare(sql: string): StatementSync {
    const connection = this.#open();
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #open(): DatabaseSync {
    if (this.#connection !== undefined) return this.#connection;
    if (this.#closed) throw new AppError("failure", "Database is closed");
    if (this.#file === "") return this.#connection = this.#useMemory();
    try {
      this.#connection = connectFile(this.#file);
    } catch (error) {
      this.#connection = isDamage(error) ? this.#renew() : this.#useMemory(error);
    }
    return this.#connection;
  }

  #reconnect(): void {
    this.#disconnect();
    this.#connection = this.#renew();
  }

  // Under a lock, and only when the file is still damaged: another process may have been first.
  #renew(): DatabaseSync {
    try {
      const lock = Deno.openSync(`${this.#file}.lock`, { write: true, create: true, mode: 0o600 });
      try {
        lock.lockSync(true);
        if (!isSound(this.#file)) {
          const aside = moveAside(this.#file);
          this.#warn(
            `The database was damaged; it is kept as ${quotePath(aside)} and a new one begun`,
          );
        }
        return connectFile(this.#file);
      } finally {
        lock.close();
      }
    } catch (error) {
      return this.#useMemory(error);
    }
  }

  #useMemory(error?: unknown): DatabaseSync {
    this.#inMemory = true;
    this.#warn(
      error === undefined
        ? "Nothing is kept: no home folder is known, and MCP_EXEC_DATA_DIR is not set"
        : `The database ${quotePath(this.#file)} is not used, nothing is kept: ${reasonOf(error)}`,
    );
    const connection = new DatabaseSync(":memory:");
    migrate(connection);
    return connection;
  }

  #disconnect(): void {
    this.#statements.clear();
    this.#connection?.close();
    this.#connection = undefined;
  }
}

function connectFile(file: string): DatabaseSync {
  Deno.mkdirSync(file.slice(0, Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\"))) || ".", {
    recursive: true,
    mode: 0o700,
  });
  // Made here because SQLite would make it readable for everybody; also proves it can be written.
  Deno.openSync(file, { write: true, create: true, mode: 0o600 }).close();
  const connection = new DatabaseSync(file, { timeout: DATABASE_BUSY_MS });
  try {
    const version = versionOf(connection);
    if (version > SCHEMA_VERSION) {
      throw new AppError("failure", "a newer version of this program wrote it");
    }
    if (version === 0) {
      // Stay with the file; the first takes effect only before the first table is made.
      pragma(connection, "auto_vacuum = incremental");
      pragma(connection, "journal_mode = wal");
    }
    // Enough with a write-ahead log: a power cut may cost the last rows, never the file.
    pragma(connection, "synchronous = normal");
    if (version < SCHEMA_VERSION) migrate(connection);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function migrate(connection: DatabaseSync): void {
  connection.prepare("begin immediate").run();
  try {
    // Read again: another process may have been first.
    for (const sql of MIGRATIONS.slice(versionOf(connection))) connection.exec(sql);
    pragma(connection, `user_version = ${SCHEMA_VERSION}`);
    connection.prepare("commit").run();
  } catch (error) {
    connection.prepare("rollback").run();
    throw error;
  }
}

// Prepared, because only errors of prepared statements carry SQLite's own code.
function pragma(connection: DatabaseSync, text: string): unknown[] {
  return connection.prepare(`pragma ${text}`).all();
}

function versionOf(connection: DatabaseSync): number {
  return (pragma(connection, "user_version")[0] as { user_version: number }).user_version;
}

function isSound(file: string): boolean {
  const connection = new DatabaseSync(file, { timeout: DATABASE_BUSY_MS });
  try {
    const rows = pragma(connection, "quick_check(1)") as { quick_check: string }[];
    return rows[0]?.quick_check === "ok";
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  } finally {
    connection.close();
  }
}

// The log and index beside the file go first: a new file must not find them.
function moveAside(file: string): string {
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const random = crypto.getRandomValues(new Uint16Array(1))[0]!.toString(16).padStart(4, "0");
  const aside = `${file}.damaged-${stamp}-${random}`;
  for (const ending of ["-wal", "-shm", ""]) {
    try {
      Deno.renameSync(`${file}${ending}`, `${aside}${ending}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return aside;
}

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function isDamage(error: unknown): boolean {
  const code = (error as { errcode?: number } | null)?.errcode;
  return code !== undefined && [SQLITE_CORRUPT, SQLITE_NOTADB].includes(code & 0xff);
}
