// `stats`: figures of the runs and calls on this machine, from the journal. Shows what was written
// when it happened; nothing is connected to, and nothing is made up where there is nothing.

import { buildCommand } from "@stricli/core";
import { type Database, withDatabase } from "../database.ts";
import { AppError } from "../errors.ts";
import { barOf, sparkline, tableLines } from "../figure_views.ts";
import {
  cacheFigures,
  type CallFigures,
  callFigures,
  dayFigures,
  type FigureFilter,
  KEPT_FORMULA,
  keptTokens,
  rateFigures,
  readReset,
  type RunFigures,
  runFigures,
  type Spread,
  tokenFigures,
  toolFigures,
  writeReset,
} from "../figures.ts";
import { argument, type Invocation, switchFlag, textFlag } from "../flags.ts";
import { createJournal, type Journal, toRunId } from "../journal.ts";
import { formatBytes, formatCount, parseCount } from "../limits.ts";
import { type SessionId, toSessionId } from "../names.ts";
import { countOf, formatMs } from "../render.ts";
import { entryDocument, entryText, iso, outcomeText, summaryLines } from "../run_views.ts";
import { TOKENIZER } from "../stats.ts";
import { cleanLine, quoteText } from "../text.ts";

const TOPICS = ["tokens", "cache", "calls", "runs", "performance"] as const;
type Topic = (typeof TOPICS)[number];

interface Flags {
  readonly session?: SessionId | undefined;
  readonly since?: string | undefined;
  readonly limit?: number | undefined;
  readonly reset?: boolean | undefined;
}

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 10_000;
const MAX_DAYS = 60;

/** The command `stats`. */
export const command = buildCommand<Flags, [topic?: Topic, run?: string], Invocation>({
  docs: {
    brief: "Show figures of runs, calls, latencies and tokens",
    customUsage: [
      `[${TOPICS.join("|")}] [--session ID] [--since TIME] [--limit COUNT]`,
      "runs <ID|last>",
      "--reset",
    ],
    fullDescription: `Shows figures of what ran on this machine, from the journal: all of it, or
since the last --reset, which leaves the journal as it is.

  tokens       what runs kept out of a model's context, with the formula
  cache        calls that a kept result answered, and what was not sent again
  calls        calls by tool: how many, how they ended, how long they took
  runs [ID]    runs, the last first; with an ID its code, calls and decisions
  performance  how time, fuel and memory are spread, and what rates held back

"stats runs --format json" gives the whole audit trail: every run with its code and calls.

EXAMPLES
  mcp-exec stats
  mcp-exec stats calls --since 7d
  mcp-exec stats runs last
  mcp-exec stats runs --session nightly --format json > audit.json`,
  },
  parameters: {
    flags: {
      session: { ...textFlag("Only runs of this session", "ID"), parse: toSessionId },
      since: textFlag("Only runs since then: 30m, 24h, 7d, or a date such as 2026-01-31", "TIME"),
      limit: {
        ...textFlag(`Rows shown at most (${DEFAULT_LIMIT}; ${MAX_LIMIT} as JSON)`, "COUNT"),
        parse: (text: string) => parseCount(text, "Limit", MAX_LIMIT),
      },
      reset: switchFlag("Count from now on; the journal keeps what it has"),
    },
    positional: {
      kind: "tuple",
      parameters: [
        { ...argument("What to show", TOPICS.join("|")), parse: parseTopic, optional: true },
        { ...argument("A run's id, or last", "run"), optional: true },
      ],
    },
  },
  async func(flags, topic, run) {
    const { context, output } = this;
    const since = flags.since === undefined ? undefined : parseSince(flags.since, context.now());
    if (run !== undefined && topic !== "runs") {
      throw new AppError("usage", `An id goes with "stats runs"`);
    }
    if (flags.reset && [topic, flags.session, flags.since].some((item) => item !== undefined)) {
      throw new AppError("usage", "--reset stands alone: all figures count from now on");
    }
    const warn = (message: string) => this.log.warn(message);
    const work = (database: Database) => {
      if (flags.reset) {
        writeReset(database, context.now());
        if (output.format === "json") output.document({ ok: true, since: iso(context.now()) });
        else output.print("figures count from now on; the journal keeps what it has");
        return;
      }
      const filter = { session: flags.session, sinceMs: since ?? readReset(database) };
      const limit = flags.limit ?? (output.format === "json" ? MAX_LIMIT : DEFAULT_LIMIT);
      const view = { database, filter, limit, now: context.now() };
      if (run !== undefined) return showRun(this, view, run);
      switch (topic) {
        case undefined:
          return showOverview(this, view);
        case "tokens":
          return showTokens(this, view);
        case "cache":
          return showCache(this, view);
        case "calls":
          return showCalls(this, view);
        case "runs":
          // A list is of all runs: a reset concerns figures.
          return showRuns(this, { ...view, filter: { ...filter, sinceMs: since ?? 0 } });
        case "performance":
          return showPerformance(this, view);
      }
    };
    await withDatabase(context, { warn, work });
  },
});

function parseTopic(text: string): Topic {
  const topic = TOPICS.find((item) => item === text);
  if (topic !== undefined) return topic;
  throw new AppError("usage", `Figures ${quoteText(text)} are not known`, {
    hint: `stats is followed by ${TOPICS.join(", ")} or nothing`,
  });
}

const SINCE_UNITS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** The time that `text` stands for, in milliseconds since 1970. */
function parseSince(text: string, nowMs: number): number {
  const [, count, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? [];
  const time = unit !== undefined
    ? nowMs - Number(count) * SINCE_UNITS[unit]!
    : /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/.test(text)
    ? Date.parse(text)
    : NaN;
  if (Number.isNaN(time)) {
    throw new AppError(
      "usage",
      `--since needs a time such as 30m, 24h, 7d or 2026-01-31, got ${quoteText(text)}`,
    );
  }
  return time;
}

interface View {
  readonly database: Database;
  readonly filter: FigureFilter;
  readonly limit: number;
  readonly now: number;
}

/** What the figures are of, for JSON. */
function scopeOf({ filter: { session, sinceMs } }: View) {
  return {
    ...(sinceMs > 0 && { since: iso(sinceMs) }),
    ...(session !== undefined && { session }),
  };
}

function showOverview({ output, log }: Invocation, view: View): void {
  const { database, filter } = view;
  const runs = runFigures(database, filter);
  const calls = callFigures(database, filter);
  const tokens = tokenFigures(database, filter);
  const { tools: _, ...cache } = cacheFigures(database, { ...filter, limit: 0 });
  const days = dayFigures(database, { ...filter, limit: MAX_DAYS });
  if (output.format === "json") {
    output.document({
      ok: true,
      ...scopeOf(view),
      runs,
      calls,
      cache,
      tokens: { tokenizer: TOKENIZER, formula: KEPT_FORMULA, ...tokens },
      days,
    });
    return;
  }
  if (runs.count === 0) return sayNothing(log, view);
  const { style } = output;
  const label = (text: string) => style.bold(text.padEnd(8));
  output.print([
    `${label("runs")}${outcomesText(runs)}`,
    ...spreadLine(runs.ms, formatMs),
    `${label("calls")}${callsText(calls)}`,
    ...spreadLine(calls.ms, formatMs),
    ...(cache.hits + cache.shared === 0 ? [] : [
      `${label("cache")}${formatCount(cache.hits + cache.shared)} calls answered, ${
        formatBytes(cache.savedBytes)
      } not sent again`,
    ]),
    ...(runs.fuel === undefined
      ? []
      : [`${label("fuel")}${formatCount(runs.fuel.total)} units in all`]),
    `${label("tokens")}${formatCount(tokens.kept)} kept out of context (${TOKENIZER})`,
    ...(output.format === "pretty" && days.length > 1
      ? [
        `${label("days")}${sparkline(days.map((day) => day.runs))} runs from ${days[0]!.day} to ${
          days.at(-1)!.day
        }`,
      ]
      : []),
  ].join("\n"));
}

function sayNothing(
  log: Invocation["log"],
  { database, filter }: View,
  what: "runs" | "calls" = "runs",
): void {
  const { session, sinceMs } = filter;
  log.info(
    session === undefined && sinceMs === 0
      ? `No ${what} yet: "mcp-exec demo" makes the first`
      : session === undefined && sinceMs === readReset(database)
      ? `No ${what} since the figures were reset, ${
        iso(sinceMs)
      }: "mcp-exec stats runs" has those before`
      : `No ${what} fit`,
  );
}

function outcomesText({ count, outcomes }: RunFigures): string {
  return `${formatCount(count)}: ${
    outcomes.map((item) => `${formatCount(item.count)} ${outcomeText(item.outcome)}`).join(", ")
  }`;
}

function callsText({ calls, failed, refused, sentBytes, receivedBytes }: CallFigures): string {
  return `${formatCount(calls)}: ${formatCount(failed)} failed, ${formatCount(refused)} refused; ${
    formatBytes(sentBytes)
  } sent, ${formatBytes(receivedBytes)} received`;
}

function spreadLine(spread: Spread | undefined, format: (value: number) => string): string[] {
  if (spread === undefined) return [];
  const { p50, p95, p99, max } = spread;
  return [
    `        p50 ${format(p50)}, p95 ${format(p95)}, p99 ${format(p99)}, longest ${format(max)}`,
  ];
}

function showTokens({ output, log }: Invocation, view: View): void {
  const { database, filter, limit } = view;
  const tokens = tokenFigures(database, filter);
  const days = dayFigures(database, { ...filter, limit: MAX_DAYS });
  const runs = journalOf(view).runs(limit, filter).flatMap(({ id, startedMs, end }) =>
    end?.tokens === undefined
      ? []
      : [{ id, startedMs, ...end.tokens, kept: keptTokens(end.tokens) }]
  );
  if (output.format === "json") {
    output.document({
      ok: true,
      ...scopeOf(view),
      tokens: { tokenizer: TOKENIZER, formula: KEPT_FORMULA, ...tokens },
      runs: runs.map(({ startedMs, ...run }) => ({ started: iso(startedMs), ...run })),
      days: days.map(({ day, kept }) => ({ day, kept })),
    });
    return;
  }
  if (tokens.runs === 0) return sayNothing(log, view);
  const { style } = output;
  const most = Math.max(...days.map((day) => day.kept));
  output.print([
    `${style.bold("tokens")} of ${countOf(tokens.runs, "run")} (${TOKENIZER})`,
    ...tableLines([
      ["  definitions that were never loaded", formatCount(tokens.definitions)],
      ["  arguments that no model had to write", formatCount(tokens.arguments)],
      ["  results that stayed out of context", formatCount(tokens.results)],
      ["  programs", formatCount(-tokens.program)],
      ["  answers handed back", formatCount(-tokens.answer)],
      ["  kept out of context", formatCount(tokens.kept)],
    ], "lr"),
    "",
    KEPT_FORMULA,
    "definitions are those of servers of which a run made a call that succeeded, or which it imported",
    "and did not fail, once for each run; what was read before a program was written is not counted",
    "",
    ...tableLines([
      ["run", "kept", "definitions", "arguments", "results", "program", "answer"],
      ...runs.map((run) => [
        run.id,
        ...[run.kept, run.definitions, run.arguments, run.results, run.program, run.answer]
          .map(formatCount),
      ]),
    ], "lrrrrrr"),
    ...(days.length < 2 ? [] : [
      "",
      ...tableLines([
        ["day", "runs", "kept"],
        ...days.map(({ day, runs, kept }) => [
          day,
          formatCount(runs),
          formatCount(kept),
          output.format === "pretty" ? barOf(kept, most) : "",
        ]),
      ], "lrr"),
    ]),
  ].join("\n"));
}

function showCalls({ output, log }: Invocation, view: View): void {
  const { database, filter, limit } = view;
  const isJson = output.format === "json";
  const tools = toolFigures(database, { ...filter, limit });
  const all = callFigures(database, filter);
  if (isJson) return output.document({ ok: true, ...scopeOf(view), calls: all, tools });
  if (all.calls === 0) return sayNothing(log, view, "calls");
  const most = tools[0]!.calls;
  const time = (spread: Spread | undefined, key: keyof Spread) =>
    spread === undefined ? "-" : formatMs(spread[key]);
  output.print([
    `${output.style.bold("calls")} ${callsText(all)}`,
    ...tableLines(
      [
        ["tool", "calls", "failed", "refused", "p50", "p95", "p99", "sent", "received"],
        ...tools.map((tool) => [
          cleanLine(`${tool.server}/${tool.tool}`, 60),
          ...[tool.calls, tool.failed, tool.refused].map(formatCount),
          ...(["p50", "p95", "p99"] as const).map((key) => time(tool.ms, key)),
          formatBytes(tool.sentBytes),
          formatBytes(tool.receivedBytes),
          output.format === "pretty" ? barOf(tool.calls, most, 10) : "",
        ]),
      ],
      "lrrrrrrrr",
      { width: output.width, namesFirst: true },
    ),
  ].join("\n"));
}

function showCache({ output, log }: Invocation, view: View): void {
  const { database, filter, limit } = view;
  const isJson = output.format === "json";
  const { tools, ...all } = cacheFigures(database, { ...filter, limit });
  if (isJson) return output.document({ ok: true, ...scopeOf(view), cache: all, tools });
  if (tools.length === 0) {
    return log.info(
      'No call looked for a kept result: "cache.tools" in the configuration names tools to keep',
    );
  }
  const most = Math.max(...tools.map(({ hits, shared }) => hits + shared));
  const { hits, shared, misses, savedBytes } = all;
  output.print([
    `${output.style.bold("cache")} ${formatCount(hits)} hits, ${formatCount(shared)} shared, ${
      formatCount(misses)
    } misses; ${formatBytes(savedBytes)} not sent again`,
    ...tableLines(
      [
        ["tool", "hits", "shared", "misses", "saved"],
        ...tools.map((tool) => [
          cleanLine(`${tool.server}/${tool.tool}`, 60),
          ...[tool.hits, tool.shared, tool.misses].map(formatCount),
          formatBytes(tool.savedBytes),
          output.format === "pretty" ? barOf(tool.hits + tool.shared, most, 10) : "",
        ]),
      ],
      "lrrrr",
      { width: output.width, namesFirst: true },
    ),
  ].join("\n"));
}

function journalOf({ database, now }: View): Journal {
  return createJournal(database, { warn() {}, now: () => now });
}

function showRuns({ output, log }: Invocation, view: View): void {
  const journal = journalOf(view);
  const runs = journal.runs(view.limit, view.filter);
  if (output.format === "json") {
    const entries = runs.flatMap(({ id }) => journal.run(id) ?? []);
    return output.document({
      ok: true,
      ...scopeOf(view),
      runs: entries.map((run) => entryDocument(run, output.mask)),
    });
  }
  if (runs.length === 0) return sayNothing(log, view);
  output.print(summaryLines(runs, { nowMs: view.now, width: output.width }).join("\n"));
}

function showRun({ output }: Invocation, view: View, id: string): void {
  const run = journalOf(view).run(id === "last" ? "last" : toRunId(id));
  if (run === undefined) {
    throw id === "last"
      ? new AppError("invalid", "No run is in the journal yet", {
        hint: '"mcp-exec demo" makes the first',
      })
      : new AppError("invalid", `There is no run ${quoteText(id)} in the journal`, {
        hint: "mcp-exec stats runs lists them",
      });
  }
  if (output.format === "json") output.document({ ok: true, run: entryDocument(run, output.mask) });
  else output.print(entryText(run, output));
}

function showPerformance({ output, log }: Invocation, view: View): void {
  const { database, filter } = view;
  const runs = runFigures(database, filter);
  const calls = callFigures(database, filter);
  const rates = rateFigures(database, filter);
  if (output.format === "json") {
    const { ms, fuel, memory } = runs;
    return output.document({
      ok: true,
      ...scopeOf(view),
      runs: { count: runs.count, ms, fuel, memory },
      calls: { count: calls.calls, ms: calls.ms },
      rates,
    });
  }
  if (runs.count === 0) return sayNothing(log, view);
  const row = (name: string, spread: Spread | undefined, format: (value: number) => string) =>
    spread === undefined
      ? []
      : [[name, ...[spread.p50, spread.p95, spread.p99, spread.max].map(format)]];
  output.print([
    ...tableLines([
      ["", "p50", "p95", "p99", "most"],
      ...row("time of a run", runs.ms, formatMs),
      ...row("fuel of a run", runs.fuel, formatCount),
      ...row("memory of a run", runs.memory, formatBytes),
      ...row("time of a call", calls.ms, formatMs),
      ...row("wait for its rate", rates.ms, formatMs),
    ], "lrrrr"),
    ...(rates.waited + rates.refused === 0 ? [] : [
      `rates held back ${countOf(rates.waited, "call")} and refused ${formatCount(rates.refused)}`,
    ]),
  ].join("\n"));
}
