// Figures over the journal: how many runs and calls, how they ended, how long they took, and what
// they kept out of a model's context. Reads what was written of real runs and estimates nothing.

import type { Database, SqlValue } from "./database.ts";
import type { RunEnd, RunTokens } from "./journal.ts";
import type { SessionId } from "./names.ts";

/** Which runs the figures are of; times are milliseconds since 1970. */
export interface FigureFilter {
  readonly session?: SessionId | undefined;
  readonly sinceMs: number;
}

/** How a set of values is spread: the value that so many of a hundred do not exceed. */
export interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Runs in all, and how they ended. */
export interface RunFigures {
  readonly count: number;
  readonly outcomes: readonly {
    /** `unfinished`: it still runs, or its process died. */
    readonly outcome: RunEnd["outcome"] | "unfinished";
    readonly count: number;
  }[];
  /** Wall clock in milliseconds, fuel in units and the peak of memory in bytes; absent without runs. */
  readonly ms?: Spread;
  readonly fuel?: Spread & { readonly total: number };
  readonly memory?: Spread;
}

/** The calls of one tool, or of all. */
export interface CallFigures {
  readonly calls: number;
  /** Calls that reached the server, or tried to, and failed. */
  readonly failed: number;
  /** Calls that policy refused. */
  readonly refused: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Milliseconds of the calls that were not refused; absent without any. */
  readonly ms?: Spread;
}

/** The calls of one tool. */
export interface ToolFigures extends CallFigures {
  readonly server: string;
  readonly tool: string;
}

/** The token ledger of many runs. */
export interface TokenFigures extends Omit<RunTokens, "tokenizer"> {
  /** Runs that have a ledger. */
  readonly runs: number;
  /** `KEPT_FORMULA`; negative where programs and answers were larger than what they replaced. */
  readonly kept: number;
}

/** How `kept` is made. */
export const KEPT_FORMULA = "kept = definitions + arguments + results - programs - answers";

const OF_RUNS = "runs.started >= ? and (? is null or runs.session = ?)";

function valuesOf({ session = null, sinceMs }: {
  readonly session?: SessionId | null | undefined;
  readonly sinceMs: number;
}): SqlValue[] {
  return [sinceMs, session, session];
}

/** The columns of a spread over `ordered`, whose rows carry their `place` and `size`. */
const SPREAD =
  [50, 95, 99].map((part) =>
    `max(case when place = (size * ${part} + 99) / 100 then value end) as p${part}`
  ).join(", ") + ", max(value) as max";

type SpreadRow = { readonly [Key in keyof Spread]: number | null };

function toSpread({ p50, p95, p99, max }: SpreadRow): Spread | undefined {
  if (p50 === null) return undefined;
  return { p50: round(p50), p95: round(p95!), p99: round(p99!), max: round(max!) };
}

// A clock's noise says nothing to a reader.
function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The figures of all runs that fit. */
export function runFigures(database: Database, filter: FigureFilter): RunFigures {
  const values = valuesOf(filter);
  const outcomes = database.all<RunFigures["outcomes"][number]>(
    `select coalesce(ends.outcome, 'unfinished') as outcome, count(*) as count
     from runs left join run_ends as ends on ends.run = runs.id
     where ${OF_RUNS} group by 1 order by count desc, outcome`,
    ...values,
  ).map((row) => ({ ...row }));
  const spreadOf = (column: "ms" | "fuel" | "memory") => {
    const { total, ...row } = database.get<SpreadRow & { total: number | null }>(
      `with ordered as (
         select ends.${column} as value, row_number() over (order by ends.${column}) as place,
           count(*) over () as size
         from runs join run_ends as ends on ends.run = runs.id
         where ${OF_RUNS} and ends.${column} is not null
       ) select ${SPREAD}, sum(value) as total from ordered`,
      ...values,
    )!;
    return { spread: toSpread(row), total: total ?? 0 };
  };
  const [ms, fuel, memory] = [spreadOf("ms"), spreadOf("fuel"), spreadOf("memory")];
  return {
    count: outcomes.reduce((sum, item) => sum + item.count, 0),
    outcomes,
    ...(ms.spread && { ms: ms.spread }),
    ...(fuel.spread && { fuel: { ...fuel.spread, total: fuel.total } }),
    ...(memory.spread && { memory: memory.spread }),
  };
}

const COUNTS = `count(*) as calls,
  sum(calls.outcome <> 'ok' and calls.decision not like 'deny%') as failed,
  sum(calls.decision like 'deny%') as refused, sum(bytes_in) as sentBytes,
  sum(bytes_out) as receivedBytes`;

interface CountRow {
  readonly calls: number;
  readonly failed: number | null;
  readonly refused: number | null;
  readonly sentBytes: number | null;
  readonly receivedBytes: number | null;
}

function toCounts(row: CountRow): CallFigures {
  return {
    calls: row.calls,
    failed: row.failed ?? 0,
    refused: row.refused ?? 0,
    sentBytes: row.sentBytes ?? 0,
    receivedBytes: row.receivedBytes ?? 0,
  };
}

/** How a column of the calls spreads, over those of the runs that fit and of `where`. */
function callSpread(
  database: Database,
  { of, where, values }: { of: "ms" | "waited"; where: string; values: readonly SqlValue[] },
): Spread | undefined {
  return toSpread(
    database.get<SpreadRow>(
      `with ordered as (
         select calls.${of} as value, row_number() over (order by calls.${of}) as place,
           count(*) over () as size
         from calls join runs on runs.id = calls.run
         where ${OF_RUNS} and ${where}
       ) select ${SPREAD} from ordered`,
      ...values,
    )!,
  );
}

/** The figures of all calls of the runs that fit. */
export function callFigures(database: Database, filter: FigureFilter): CallFigures {
  const values = valuesOf(filter);
  const counts = database.get<CountRow>(
    `select ${COUNTS} from calls join runs on runs.id = calls.run where ${OF_RUNS}`,
    ...values,
  )!;
  const ms = callSpread(database, { of: "ms", where: "calls.decision not like 'deny%'", values });
  return { ...toCounts(counts), ...(ms && { ms }) };
}

/** The same for each tool that was called, the one called most first; at most `limit`. */
export function toolFigures(
  database: Database,
  filter: FigureFilter & { readonly limit: number },
): ToolFigures[] {
  const values = valuesOf(filter);
  const spreads = new Map(
    database.all<SpreadRow & { server: string; tool: string }>(
      `with ordered as (
         select calls.server, calls.tool, calls.ms as value,
           row_number() over (partition by calls.server, calls.tool order by calls.ms) as place,
           count(*) over (partition by calls.server, calls.tool) as size
         from calls join runs on runs.id = calls.run
         where ${OF_RUNS} and calls.decision not like 'deny%'
       ) select server, tool, ${SPREAD} from ordered group by server, tool`,
      ...values,
    ).map((row) => [JSON.stringify([row.server, row.tool]), toSpread(row)]),
  );
  return database.all<CountRow & { server: string; tool: string }>(
    `select calls.server, calls.tool, ${COUNTS}
     from calls join runs on runs.id = calls.run where ${OF_RUNS}
     group by calls.server, calls.tool
     order by calls desc, calls.server, calls.tool limit ?`,
    ...values,
    filter.limit,
  ).map((row) => {
    const ms = spreads.get(JSON.stringify([row.server, row.tool]));
    return { server: row.server, tool: row.tool, ...toCounts(row), ...(ms && { ms }) };
  });
}

/** What keeping results has brought. */
export interface CacheFigures {
  /** Calls that a kept result answered, and calls that another one for the same answered. */
  readonly hits: number;
  readonly shared: number;
  /** Calls that looked for a kept result and had to ask the server. */
  readonly misses: number;
  /** Sizes of the results that no server had to send. */
  readonly savedBytes: number;
}

const CACHE_SUMS = `coalesce(sum(calls.source = 'cache'), 0) as hits,
  coalesce(sum(calls.source = 'shared'), 0) as shared,
  coalesce(sum(calls.source = 'missed'), 0) as misses,
  coalesce(sum(case when calls.source in ('cache', 'shared') then bytes_out end), 0) as savedBytes`;

/** What keeping results has brought in all, and for each tool that it concerns; at most `limit`. */
export function cacheFigures(
  database: Database,
  filter: FigureFilter & { readonly limit: number },
): CacheFigures & { readonly tools: (CacheFigures & { server: string; tool: string })[] } {
  const values = valuesOf(filter);
  const all = database.get<CacheFigures>(
    `select ${CACHE_SUMS} from calls join runs on runs.id = calls.run where ${OF_RUNS}`,
    ...values,
  )!;
  const tools = database.all<CacheFigures & { server: string; tool: string }>(
    `select calls.server, calls.tool, ${CACHE_SUMS}
     from calls join runs on runs.id = calls.run
     where ${OF_RUNS} and calls.source in ('cache', 'shared', 'missed')
     group by calls.server, calls.tool
     order by hits + shared desc, calls.server, calls.tool limit ?`,
    ...values,
    filter.limit,
  );
  return { ...all, tools: tools.map((row) => ({ ...row })) };
}

/** What holding tools to their rates has cost. */
export interface RateFigures {
  /** Calls that had to wait, and those that were refused because they would have waited too long. */
  readonly waited: number;
  readonly refused: number;
  /** Milliseconds of the calls that waited; absent without any. */
  readonly ms?: Spread;
}

/** What holding tools to their rates has cost the runs that fit. */
export function rateFigures(database: Database, filter: FigureFilter): RateFigures {
  const values = valuesOf(filter);
  const { waited, refused } = database.get<{ waited: number; refused: number }>(
    `select count(waited) as waited, coalesce(sum(calls.met = 'rate'), 0) as refused
     from calls join runs on runs.id = calls.run where ${OF_RUNS}`,
    ...values,
  )!;
  const ms = callSpread(database, { of: "waited", where: "calls.waited is not null", values });
  return { waited, refused, ...(ms && { ms }) };
}

const TOKEN_SUMS = `count(*) as runs, coalesce(sum(tokens.definitions), 0) as definitions,
  coalesce(sum(tokens.arguments), 0) as arguments, coalesce(sum(tokens.results), 0) as results,
  coalesce(sum(tokens.program), 0) as program, coalesce(sum(tokens.answer), 0) as answer`;

/** What `kept` stands for in the ledger of one run or of several. */
export function keptTokens(tokens: Omit<RunTokens, "tokenizer">): number {
  return tokens.definitions + tokens.arguments + tokens.results - tokens.program - tokens.answer;
}

/** The token ledger of all runs that fit and have one. */
export function tokenFigures(database: Database, filter: FigureFilter): TokenFigures {
  const row = database.get<Omit<TokenFigures, "kept">>(
    `select ${TOKEN_SUMS} from runs join run_tokens as tokens on tokens.run = runs.id
     where ${OF_RUNS}`,
    ...valuesOf(filter),
  )!;
  return { ...row, kept: keptTokens(row) };
}

/** What happened on one day (UTC). */
export interface DayFigures {
  readonly day: string;
  readonly runs: number;
  readonly kept: number;
}

/** The days from the first to the last that has a run, those between with zeros; at most `limit`. */
export function dayFigures(
  database: Database,
  filter: FigureFilter & { readonly limit: number },
): DayFigures[] {
  const rows = database.all<DayFigures>(
    `select date(runs.started / 1000, 'unixepoch') as day, count(*) as runs,
       coalesce(sum(tokens.definitions + tokens.arguments + tokens.results - tokens.program
         - tokens.answer), 0) as kept
     from runs left join run_tokens as tokens on tokens.run = runs.id
     where ${OF_RUNS} group by day order by day desc limit ?`,
    ...valuesOf(filter),
    filter.limit,
  );
  const byDay = new Map(rows.map((row) => [row.day, { ...row }]));
  const [last, first] = [rows[0]?.day, rows.at(-1)?.day];
  if (first === undefined || last === undefined) return [];
  const days: DayFigures[] = [];
  for (let time = Date.parse(first); time <= Date.parse(last); time += 86_400_000) {
    const day = new Date(time).toISOString().slice(0, 10);
    days.push(byDay.get(day) ?? { day, runs: 0, kept: 0 });
  }
  return days.slice(-filter.limit);
}

/** The last call of each server that was called. */
export function lastCalls(
  database: Database,
): Map<string, { readonly startedMs: number; readonly tool: string; readonly outcome: string }> {
  const rows = database.all<{ server: string; startedMs: number; tool: string; outcome: string }>(
    "select server, max(started) as startedMs, tool, outcome from calls group by server",
  );
  return new Map(rows.map(({ server, ...call }) => [server, call]));
}

/** How many rows the database keeps, by what they are. */
export function tableCounts(database: Database): Record<string, number> {
  const row = database.get<Record<string, number>>(
    `select (select count(*) from runs) as runs, (select count(*) from calls) as calls,
       (select count(*) from servers) as servers, (select count(*) from state) as "state values"`,
  );
  return { ...row };
}

/** Since when figures count, in milliseconds since 1970; 0 unless they were reset. */
export function readReset(database: Database): number {
  return database.get<{ value: number }>("select value from marks where name = 'stats'")?.value ??
    0;
}

/** Lets figures count from `nowMs` on; the journal keeps what it has. */
export function writeReset(database: Database, nowMs: number): void {
  database.run("insert or replace into marks (name, value) values ('stats', ?)", nowMs);
}
