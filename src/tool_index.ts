// The tools of every server that is known, as rows with their words, so that a search of thousands
// reads a few of them. Made from the saved listings when first searched; connects to nothing.

import type { Catalog } from "./catalog.ts";
import type { Database } from "./database.ts";
import { MAX_RANKED_TOOLS } from "./limits.ts";
import { NAME_WEIGHT, queryWords, rankTools, type SearchableTool, wordsOf } from "./search.ts";
import { fingerprintOf, type ServerSpec } from "./server.ts";

/** A tool of the index. */
export interface IndexedTool extends SearchableTool {
  readonly functionName: string;
}

// Of the form of the rows: others are made anew.
const ROWS_VERSION = 1;
// How many tools are ranked together.
const RANKED_AT_ONCE = 50;
// How many hits are looked at before those of other servers are.
const MAX_HITS = 500;

/**
 * Brings the rows of `specs` up to date with what `catalog` holds of them; gives those of which it
 * holds nothing.
 */
export async function fillToolIndex(
  database: Database,
  specs: readonly ServerSpec[],
  catalog: Catalog,
): Promise<ServerSpec[]> {
  const states = new Map(
    database.all<{ name: string; fingerprint: string; indexed: number | null }>(
      "select name, fingerprint, indexed from servers",
    ).map((row) => [keyOf(row), row.indexed]),
  );
  const missing: ServerSpec[] = [];
  const stale: ServerSpec[] = [];
  for (const spec of specs) {
    const state = states.get(keyOf({ name: spec.name, fingerprint: fingerprintOf(spec) }));
    if (state === undefined) missing.push(spec);
    else if (state !== ROWS_VERSION) stale.push(spec);
  }
  if (stale.length === 0) return missing;
  const { planServer } = await import("./plan.ts");
  database.transaction(() => {
    for (const spec of stale) {
      const info = catalog.load(spec)?.info;
      if (info === undefined) missing.push(spec);
      else addRows(database, spec, planServer({ ...info, name: spec.name }).tools);
    }
    // What belongs to no server any more, or to a listing that was replaced.
    removeRows(
      database,
      `not exists (select 1 from servers where servers.name = indexed_tools.server
         and servers.fingerprint = indexed_tools.fingerprint)`,
    );
  });
  return missing;
}

function keyOf({ name, fingerprint }: { name: string; fingerprint: string }): string {
  return `${name}\n${fingerprint}`;
}

type Row = Pick<IndexedTool, "tool" | "functionName" | "signature" | "summary">;

function addRows(database: Database, spec: ServerSpec, tools: readonly Row[]): void {
  const fingerprint = fingerprintOf(spec);
  removeRows(database, "server = ? and fingerprint = ?", spec.name, fingerprint);
  for (const { tool, functionName, signature, summary } of tools) {
    database.run(
      `insert into indexed_tools (server, fingerprint, tool, function, signature, summary)
       values (?, ?, ?, ?, ?, ?)`,
      spec.name,
      fingerprint,
      tool,
      functionName,
      signature,
      summary,
    );
    database.run(
      "insert into tool_words (rowid, names, summary) values (last_insert_rowid(), ?, ?)",
      wordsOf(`${spec.name} ${tool}`).join(" "),
      wordsOf(summary).join(" "),
    );
  }
  database.run(
    "update servers set indexed = ? where name = ? and fingerprint = ?",
    ROWS_VERSION,
    spec.name,
    fingerprint,
  );
}

function removeRows(database: Database, where: string, ...values: string[]): void {
  const rows = `select id from indexed_tools where ${where}`;
  database.run(`delete from tool_words where rowid in (${rows})`, ...values);
  database.run(`delete from indexed_tools where ${where}`, ...values);
}

/** The tools of `specs` in the order of their names, from the rows of the index. */
export function listToolIndex(
  database: Database,
  specs: readonly ServerSpec[],
  { offset, limit }: { readonly offset: number; readonly limit: number },
): IndexedTool[] {
  const keys = specs.map((spec) => keyOf({ ...spec, fingerprint: fingerprintOf(spec) }));
  return database.all<IndexedTool>(
    `select server, tool, function as functionName, signature, summary from indexed_tools
     where server || char(10) || fingerprint in (select value from json_each(?))
     order by server, tool limit ? offset ?`,
    JSON.stringify(keys),
    limit,
    offset,
  ).map((row) => ({ ...row }));
}

/**
 * The tools that `searchTools` finds among those of `specs`, from the rows of the index: at most
 * `limit` after the first `offset`, of `MAX_RANKED_TOOLS` in all.
 */
export function searchToolIndex(
  database: Database,
  specs: readonly ServerSpec[],
  { query, limit, offset = 0 }: {
    readonly query: string;
    readonly limit: number;
    readonly offset?: number;
  },
): IndexedTool[] {
  const wanted = queryWords(query);
  const words = [...wanted.words, ...wanted.synonyms].map((word) => `"${word}"`);
  if (words.length === 0) return [];
  // The database's own rank chooses whom to rank: it takes common words of a small index for nothing.
  const sql = `with hits as materialized (
      select rowid as id, bm25(tool_words, ${NAME_WEIGHT}.0, 1.0) as score
      from tool_words where tool_words match ? order by score limit ?
    )
    select server, tool, function as functionName, signature, summary
    from hits join indexed_tools using (id)
    where server || char(10) || fingerprint in (select value from json_each(?))
    order by score, tool, server limit ?`;
  const keys = specs.map((spec) => keyOf({ ...spec, fingerprint: fingerprintOf(spec) }));
  const end = Math.min(offset + limit, MAX_RANKED_TOOLS);
  const needed = Math.ceil(end / RANKED_AT_ONCE) * RANKED_AT_ONCE;
  const candidatesOf = (hits: number) =>
    database.all<IndexedTool>(
      sql,
      words.join(" OR "),
      hits,
      JSON.stringify(keys),
      needed,
    ).map((row) => ({ ...row }));
  const first = candidatesOf(MAX_HITS);
  // Other servers may have taken the places: then every hit is looked at.
  const candidates = first.length < needed ? candidatesOf(-1) : first;
  const count = (sql: string, ...values: string[]) =>
    database.get<{ count: number }>(`select count(*) as count from ${sql}`, ...values)!.count;
  const corpus = {
    size: count("indexed_tools"),
    holders: (word: string) => count("tool_words where tool_words match ?", `"${word}"`),
  };
  // Always the same ones are ranked together, so that no page repeats or skips a tool.
  const from = Math.floor(offset / RANKED_AT_ONCE) * RANKED_AT_ONCE;
  const ranked: IndexedTool[] = [];
  for (let at = from; at < candidates.length; at += RANKED_AT_ONCE) {
    const group = candidates.slice(at, at + RANKED_AT_ONCE);
    ranked.push(...rankTools(group, wanted, { limit: RANKED_AT_ONCE, corpus }));
  }
  return ranked.slice(offset - from, end - from);
}
