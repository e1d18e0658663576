// The tools of every server that is known, as rows with their words, so that a search of thousands
// reads a few of them. Made from the saved listings when first searched; connects to nothing.

import type { Catalog } from "./catalog.ts";
import type { Database } from "./database.ts";
import { fingerprintOf, recallFingerprints } from "./fingerprints.ts";
import { MAX_RANKED_TOOLS } from "./limits.ts";
import { NAME_WEIGHT, queryWords, rankTools, type SearchableTool, wordsOf } from "./search.ts";
import type { ServerSpec } from "./server.ts";

/** A tool of the index. */
export interface IndexedTool extends SearchableTool {
  readonly functionName: string;
}

// Of the form of the rows: others are made anew.
const ROWS_VERSION = 2;
// How many tools are ranked together.
const RANKED_AT_ONCE = 50;
// The mark of how many tools there are: to count thousands takes longer than to find one.
const SIZE = "indexed tools";

/**
 * Brings the rows of `specs` up to date with what `catalog` holds of them; gives those of which it
 * holds nothing.
 */
export async function fillToolIndex(
  database: Database,
  specs: readonly ServerSpec[],
  catalog: Catalog,
): Promise<ServerSpec[]> {
  await recallFingerprints(specs, database);
  const states = new Map(
    database.all<Place & { indexed: number | null }>(
      "select name as server, fingerprint, indexed from servers",
    ).map((row) => [keyOf(row), row.indexed]),
  );
  const missing: ServerSpec[] = [];
  const stale: ServerSpec[] = [];
  for (const spec of specs) {
    const state = states.get(keyOf(placeOf(spec)));
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
    database.run(
      "insert or replace into marks (name, value) select ?, count(*) from indexed_tools",
      SIZE,
    );
  });
  return missing;
}

/** Where rows come from. */
interface Place {
  readonly server: string;
  readonly fingerprint: string;
}

function placeOf(spec: ServerSpec): Place {
  return { server: spec.name, fingerprint: fingerprintOf(spec) };
}

function keyOf({ server, fingerprint }: Place): string {
  return `${server}\n${fingerprint}`;
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

// The places of servers, from one parameter: JSON of a list of `Place`.
const WANTED = `wanted as materialized (
    select value ->> 'server', value ->> 'fingerprint' from json_each(?)
  )`;

/** The tools of `specs` in the order of their names, from the rows of the index. */
export function listToolIndex(
  database: Database,
  specs: readonly ServerSpec[],
  { offset, limit }: { readonly offset: number; readonly limit: number },
): IndexedTool[] {
  return database.all<IndexedTool>(
    `with ${WANTED}
     select server, tool, function as functionName, signature, summary from indexed_tools
     where (server, fingerprint) in wanted order by server, tool limit ? offset ?`,
    JSON.stringify(specs.map(placeOf)),
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
  if (wanted.words.length === 0) return [];
  const end = Math.min(offset + limit, MAX_RANKED_TOOLS);
  const needed = Math.ceil(end / RANKED_AT_ONCE) * RANKED_AT_ONCE;
  const candidates = candidatesOf(database, specs, { ...wanted, needed });
  const corpus = {
    size: database.get<{ value: number }>("select value from marks where name = ?", SIZE)?.value ??
      0,
    holders: (word: string) =>
      database.get<{ count: number }>(
        "select count(*) as count from tool_words where tool_words match ?",
        `"${word}"`,
      )!.count,
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

/**
 * The first `needed` tools of `specs` that hold every word, then those that hold one or a synonym.
 * The database's own rank only chooses whom to rank: it takes common words of a small index for
 * nothing.
 */
function candidatesOf(
  database: Database,
  specs: readonly ServerSpec[],
  { words, synonyms, needed }: ReturnType<typeof queryWords> & { readonly needed: number },
): IndexedTool[] {
  const quoted = [...words, ...synonyms].map((word) => `"${word}"`);
  const best = hitsOf(database, specs, {
    query: quoted.slice(0, words.length).join(" AND "),
    needed,
  });
  if (best.length < needed) {
    const known = new Set(best.map(({ id }) => id));
    const query = quoted.join(" OR ");
    best.push(
      ...hitsOf(database, specs, { query, needed: needed + known.size })
        .filter(({ id }) => !known.has(id)),
    );
  }
  return best.slice(0, needed).map(({ id: _, fingerprint: __, ...tool }) => tool);
}

type Hit = IndexedTool & Place & { readonly id: number };

/** The first `needed` tools of `specs` that fit `query`, by the database's rank. */
function hitsOf(
  database: Database,
  specs: readonly ServerSpec[],
  { query, needed }: { readonly query: string; readonly needed: number },
): Hit[] {
  const places = specs.map(placeOf);
  // Of equal ranks the older row comes first, however many are asked for.
  const hits = `hits as materialized (
      select rowid as id, bm25(tool_words, ${NAME_WEIGHT}.0, 1.0) as score
      from tool_words where tool_words match ? order by score, id limit ?
    )`;
  const rows = "id, server, fingerprint, tool, function as functionName, signature, summary " +
    "from hits join indexed_tools using (id)";
  const most = needed * 2;
  const found = database.all<Hit>(
    `with ${hits} select ${rows} order by score, id`,
    query,
    most,
  );
  const keys = new Set(places.map(keyOf));
  const fitting = found.filter((row) => keys.has(keyOf(row)));
  if (fitting.length >= needed || found.length < most) return fitting;
  // Other servers have taken the places: then every hit is looked at.
  return database.all<Hit>(
    `with ${WANTED}, ${hits}
     select ${rows} where (server, fingerprint) in wanted order by score, id limit ?`,
    JSON.stringify(places),
    query,
    -1,
    needed,
  );
}
