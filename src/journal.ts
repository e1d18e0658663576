// What was run and called, for later: each row is written once and leaves only with its age or for
// room. Never holds payloads unless asked to; a journal that cannot be written costs one warning, or
// ends the run where one is required.

import type { AnswerSource } from "./cache.ts";
import type { Database } from "./database.ts";
import { AppError, type ErrorDocument, type ErrorKind } from "./errors.ts";
import type { Digest } from "./hash.ts";
import { JOURNAL_DAYS, MAX_JOURNAL_BYTES, type RunLimits } from "./limits.ts";
import type { ServerName, SessionId } from "./names.ts";
import { quoteText } from "./text.ts";

declare const brand: unique symbol;

/** A run: 16 characters, the first ten its time, so that later runs sort after earlier ones. */
export type RunId = string & { readonly [brand]: "run" };

/** What is known of a run before it begins. */
export interface RunStart {
  /** The subcommand that runs it. */
  readonly command: string;
  readonly code: string;
  readonly codeDigest: Digest;
  readonly session?: SessionId;
  readonly servers: readonly ServerName[];
  readonly limits: RunLimits;
}

/** What passed by in a run, in tokens as the tokenizer named counts or estimates them. */
export interface RunTokens {
  readonly tokenizer: string;
  /** Definitions of all tools of the servers that the run called, or imported and did not fail. */
  readonly definitions: number;
  /** Arguments of its calls, and their results as the program got them. */
  readonly arguments: number;
  readonly results: number;
  readonly program: number;
  /** What the program handed back. */
  readonly answer: number;
}

/** What a run gave, as far as it tells whether another run gave the same; nothing of its content. */
export interface RunResult {
  /** Of its JSON. */
  readonly digest: Digest;
  readonly bytes: number;
  /** Its form in one line, such as `{ id: number }[5]`. */
  readonly shape: string;
  /** Of the JSON that the program was called with; absent where it was called with nothing. */
  readonly argsDigest?: Digest;
  /** The export that it was; absent for the default one. */
  readonly entry?: string;
}

/** How a run ended; `ms` is wall clock, `memory` the peak in bytes. */
export interface RunEnd {
  readonly outcome: "ok" | ErrorKind;
  readonly ms: number;
  readonly fuel?: number;
  readonly memory?: number;
  readonly error?: ErrorDocument;
  readonly tokens?: RunTokens;
  /** Absent for a run that failed, and for a result that is very large. */
  readonly result?: RunResult;
}

/** One call of a run, allowed or not. */
export interface CallRecord {
  /** Cleaned names as they were asked for: a refused call may name what does not exist. */
  readonly server: string;
  readonly tool: string;
  /** The digest of the tool's definition at that time. */
  readonly definition?: Digest;
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  readonly ms: number;
  readonly argumentsDigest: Digest;
  /** JSON; both are dropped unless the journal keeps payloads. */
  readonly arguments?: string;
  readonly result?: string;
  /** What policy said, such as `allow` or the rule that refused. */
  readonly decision: string;
  /** `tool-error`: the server answered, and the answer was that the tool failed. */
  readonly outcome: "ok" | "tool-error" | ErrorKind;
  readonly error?: string;
  /** Sizes of arguments and result as JSON. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Who answered, as the cache tells it; absent where nobody did. */
  readonly source?: AnswerSource;
  /** Milliseconds it was held back for its rate; absent when it was not. */
  readonly waitedMs?: number;
  /** The bound that ended it, such as `rate`. */
  readonly met?: string;
}

/** A run as the journal lists it. */
export interface RunSummary extends Omit<RunStart, "code"> {
  readonly id: RunId;
  /** Of the row's form; readers know every version up to their own. */
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  readonly callCount: number;
  /** Absent while it runs, and for ever when the process died. */
  readonly end?: RunEnd;
}

/** A run with its code and its calls in the order they ended. */
export interface RunEntry extends RunSummary {
  readonly code: string;
  readonly calls: readonly CallRecord[];
}

/**
 * The runs and calls of this machine. Writing throws `denied` where a journal is required and cannot
 * be written, else nothing; reading throws what the database does.
 */
export interface Journal {
  /** Throws `denied` where a journal is required and cannot be written. */
  requireWritable(): void;
  /** The id of a run that begins now. */
  startRun(start: RunStart): RunId;
  recordCall(run: RunId, call: CallRecord): void;
  finishRun(run: RunId, end: RunEnd): void;
  /** Removes runs that are too old, then the oldest while the journal is too large. */
  prune(): void;
  /** One run, or the one that began last; undefined when there is none. */
  run(id: RunId | "last"): RunEntry | undefined;
  /** At most `limit` runs, the last first; of one session, or since a time, where asked. */
  runs(limit: number, filter?: RunFilter): RunSummary[];
}

/** Which runs are meant; all without it. */
export interface RunFilter {
  readonly session?: SessionId | undefined;
  readonly sinceMs?: number;
}

/** How the journal is kept; `days` and `maxBytes` have defaults in `limits.ts`. */
export interface JournalOptions {
  readonly warn: (message: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Whether arguments and results are kept beside their digests and sizes. */
  readonly payloads?: boolean;
  /** Takes known secrets out of what is kept so. */
  readonly mask?: (text: string) => string;
  /** Whether nothing may run that the journal does not show. */
  readonly required?: boolean;
  readonly days?: number;
  readonly maxBytes?: number;
}

const ROW_VERSION = 1;
const DAY_MS = 86_400_000;
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const RUN_ID = /^[0-9a-hjkmnp-tv-z]{16}$/;
// What a row costs beside its payloads, roughly.
const ROW_BYTES = 512;
const VACUUM_PAGES = 4_000;

/** `text` as a run id whatever its letters' case; a `usage` error when it cannot be one. */
export function toRunId(text: string): RunId {
  const id = text.toLowerCase();
  if (!RUN_ID.test(id)) {
    throw new AppError("usage", `Run ${quoteText(text)} is not valid: 16 letters and digits`, {
      hint: "mcp-exec stats runs lists them",
    });
  }
  return id as RunId;
}

/** The journal in `database`. */
export function createJournal(database: Database, options: JournalOptions): Journal {
  const { now, payloads = false, days = JOURNAL_DAYS, maxBytes = MAX_JOURNAL_BYTES } = options;
  const { required = false, mask = (text) => text } = options;
  // After one failure nothing more is tried: a database that is locked would cost its wait each time.
  let failure: AppError | undefined;

  function requireWritable(): void {
    if (!required) return;
    // In memory nothing is kept: the database has said why.
    if (database.path === undefined) failure ??= unwritable("there is no place to keep it");
    if (failure !== undefined) throw failure;
  }

  function write(work: () => void, must = { required }): void {
    if (must.required) requireWritable();
    if (failure !== undefined) return;
    try {
      work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      failure = unwritable(reason, error);
      if (must.required) throw failure;
      options.warn(`The journal of this run is not complete: ${reason}`);
    }
  }

  function startRun(start: RunStart): RunId {
    const startedMs = now();
    const id = createRunId(startedMs);
    write(() =>
      database.transaction(() => {
        database.run(
          "insert or ignore into programs (digest, code) values (?, ?)",
          start.codeDigest,
          new TextEncoder().encode(start.code),
        );
        database.run(
          `insert into runs (id, version, started, command, session, program, servers, limits)
           values (?, ?, ?, ?, ?, ?, ?, ?)`,
          id,
          ROW_VERSION,
          startedMs,
          start.command,
          start.session ?? null,
          start.codeDigest,
          JSON.stringify(start.servers),
          JSON.stringify(start.limits),
        );
      })
    );
    return id;
  }

  function recordCall(run: RunId, call: CallRecord): void {
    const kept = (text: string | undefined) =>
      payloads && text !== undefined ? new TextEncoder().encode(mask(text)) : null;
    write(() =>
      database.run(
        `insert into calls (run, version, started, server, tool, definition, arguments_digest,
           decision, outcome, error, ms, bytes_in, bytes_out, arguments, result, source, waited, met)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        run,
        ROW_VERSION,
        call.startedMs,
        call.server,
        call.tool,
        call.definition ?? null,
        call.argumentsDigest,
        call.decision,
        call.outcome,
        call.error ?? null,
        call.ms,
        call.bytesIn,
        call.bytesOut,
        kept(call.arguments),
        kept(call.result),
        call.source ?? null,
        call.waitedMs ?? null,
        call.met ?? null,
      )
    );
  }

  function finishRun(run: RunId, end: RunEnd): void {
    write(() =>
      database.transaction(() => {
        database.run(
          `insert into run_ends (run, version, outcome, fuel, memory, ms, error, result)
           values (?, ?, ?, ?, ?, ?, ?, ?)`,
          run,
          ROW_VERSION,
          end.outcome,
          end.fuel ?? null,
          end.memory ?? null,
          end.ms,
          end.error === undefined ? null : JSON.stringify(end.error),
          end.result === undefined ? null : JSON.stringify(end.result),
        );
        if (end.tokens === undefined) return;
        const { tokenizer, definitions, results, program, answer } = end.tokens;
        database.run(
          `insert into run_tokens
             (run, version, tokenizer, definitions, arguments, results, program, answer)
           values (?, ?, ?, ?, ?, ?, ?, ?)`,
          run,
          ROW_VERSION,
          tokenizer,
          definitions,
          end.tokens.arguments,
          results,
          program,
          answer,
        );
      })
    );
  }

  function prune(): void {
    write(() => {
      const oldest = now() - days * DAY_MS;
      const isAged = database.get("select 1 from runs where started < ? limit 1", oldest);
      if (isAged === undefined && usedBytes() <= maxBytes) return;
      database.transaction(() => {
        removeRuns("started < ?", oldest);
        // The last run stays whatever its size: it may be this one.
        for (let count = countRuns(); count > 1 && journalBytes() > maxBytes; count = countRuns()) {
          removeRuns(
            "rowid in (select rowid from runs order by rowid limit ?)",
            Math.ceil((count - 1) / 10),
          );
        }
      });
      database.all(`pragma incremental_vacuum(${VACUUM_PAGES})`);
    }, { required: false }); // what is kept too long is no reason to refuse
  }

  function removeRuns(where: string, value: number): void {
    database.run(`delete from runs where ${where}`, value);
    database.run("delete from calls where run not in (select id from runs)");
    database.run("delete from run_ends where run not in (select id from runs)");
    database.run("delete from run_tokens where run not in (select id from runs)");
    database.run("delete from programs where digest not in (select program from runs)");
  }

  function countRuns(): number {
    return database.get<{ count: number }>("select count(*) as count from runs")!.count;
  }

  // What the whole file holds: no more than a look at its header, and never less than the journal.
  function usedBytes(): number {
    return database.get<{ bytes: number }>(
      `select (page_count - freelist_count) * page_size as bytes
       from pragma_page_count, pragma_freelist_count, pragma_page_size`,
    )!.bytes;
  }

  function journalBytes(): number {
    return database.get<{ bytes: number }>(
      `select (select coalesce(sum(length(code)), 0) from programs)
         + (select count(*) * ${ROW_BYTES} from runs)
         + (select coalesce(sum(${ROW_BYTES} + coalesce(length(arguments), 0)
             + coalesce(length(result), 0)), 0) from calls) as bytes`,
    )!.bytes;
  }

  function run(id: RunId | "last"): RunEntry | undefined {
    const row = id === "last"
      ? database.get<RunRow>(`${SELECT_RUNS} order by runs.rowid desc limit 1`)
      : database.get<RunRow>(`${SELECT_RUNS} where runs.id = ?`, id);
    if (row === undefined) return undefined;
    const program = database.get<{ code: Uint8Array }>(
      "select code from programs where digest = ?",
      row.program,
    );
    const calls = database.all<CallRow>("select * from calls where run = ? order by rowid", row.id);
    return {
      ...toSummary(row),
      code: toText(program?.code ?? null) ?? "",
      calls: calls.map(toCall),
    };
  }

  function runs(limit: number, filter: RunFilter = {}): RunSummary[] {
    const session = filter.session ?? null;
    return database.all<RunRow>(
      `${SELECT_RUNS} where (? is null or runs.session = ?) and runs.started >= ?
       order by runs.rowid desc limit ?`,
      session,
      session,
      filter.sinceMs ?? 0,
      limit,
    ).map(toSummary);
  }

  return { requireWritable, startRun, recordCall, finishRun, prune, run, runs };
}

function unwritable(reason: string, cause?: unknown): AppError {
  return new AppError("denied", "Nothing is run: the journal is required and cannot be written", {
    detail: [reason],
    hint: 'mend the data folder, see mcp-exec debug doctor, or set "journal.required" to false',
    cause,
  });
}

function createRunId(timeMs: number): RunId {
  let time = Math.max(0, Math.floor(timeMs));
  let id = "";
  for (let index = 0; index < 10; index++) {
    id = ALPHABET[time % 32]! + id;
    time = Math.floor(time / 32);
  }
  for (const byte of crypto.getRandomValues(new Uint8Array(6))) id += ALPHABET[byte % 32]!;
  return id as RunId;
}

const SELECT_RUNS = `select runs.*, ends.outcome, ends.fuel, ends.memory, ends.ms, ends.error,
    ends.result,
    tokens.tokenizer, tokens.definitions, tokens.arguments, tokens.results, tokens.program as program_tokens,
    tokens.answer, (select count(*) from calls where calls.run = runs.id) as call_count
  from runs left join run_ends as ends on ends.run = runs.id
    left join run_tokens as tokens on tokens.run = runs.id`;

interface RunRow {
  readonly id: RunId;
  readonly version: number;
  readonly started: number;
  readonly command: string;
  readonly session: SessionId | null;
  readonly program: Digest;
  readonly servers: string;
  readonly limits: string;
  readonly outcome: RunEnd["outcome"] | null;
  readonly fuel: number | null;
  readonly memory: number | null;
  readonly ms: number | null;
  readonly error: string | null;
  readonly result: string | null;
  readonly tokenizer: string | null;
  readonly definitions: number | null;
  readonly arguments: number | null;
  readonly results: number | null;
  readonly program_tokens: number | null;
  readonly answer: number | null;
  readonly call_count: number;
}

interface CallRow {
  readonly server: ServerName;
  readonly tool: string;
  readonly definition: Digest | null;
  readonly started: number;
  readonly ms: number;
  readonly arguments_digest: Digest;
  readonly arguments: Uint8Array | null;
  readonly result: Uint8Array | null;
  readonly decision: string;
  readonly outcome: CallRecord["outcome"];
  readonly error: string | null;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly source: AnswerSource | null;
  readonly waited: number | null;
  readonly met: string | null;
}

function toSummary(row: RunRow): RunSummary {
  return {
    id: row.id,
    version: row.version,
    startedMs: row.started,
    command: row.command,
    codeDigest: row.program,
    ...(row.session !== null && { session: row.session }),
    servers: JSON.parse(row.servers),
    limits: JSON.parse(row.limits),
    callCount: row.call_count,
    ...(row.outcome !== null && {
      end: {
        outcome: row.outcome,
        ms: row.ms!,
        ...(row.fuel !== null && { fuel: row.fuel }),
        ...(row.memory !== null && { memory: row.memory }),
        ...(row.error !== null && { error: JSON.parse(row.error) }),
        ...(row.result !== null && { result: JSON.parse(row.result) }),
        ...(row.tokenizer !== null && {
          tokens: {
            tokenizer: row.tokenizer,
            definitions: row.definitions!,
            arguments: row.arguments!,
            results: row.results!,
            program: row.program_tokens!,
            answer: row.answer!,
          },
        }),
      },
    }),
  };
}

function toCall(row: CallRow): CallRecord {
  const [args, result] = [toText(row.arguments), toText(row.result)];
  return {
    server: row.server,
    tool: row.tool,
    ...(row.definition !== null && { definition: row.definition }),
    startedMs: row.started,
    ms: row.ms,
    argumentsDigest: row.arguments_digest,
    ...(args !== undefined && { arguments: args }),
    ...(result !== undefined && { result }),
    decision: row.decision,
    outcome: row.outcome,
    ...(row.error !== null && { error: row.error }),
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
    ...(row.source !== null && { source: row.source }),
    ...(row.waited !== null && { waitedMs: row.waited }),
    ...(row.met !== null && { met: row.met }),
  };
}

function toText(bytes: Uint8Array | null): string | undefined {
  return bytes === null ? undefined : new TextDecoder().decode(bytes);
}
