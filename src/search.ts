// Ranks tools against a few words, from what servers told before: nothing is connected to.

import { MAX_QUERY_CHARS } from "./limits.ts";
import type { ServerName, ToolName } from "./names.ts";
import { isPlain } from "./text.ts";

/** A tool as search sees it. */
export interface SearchableTool {
  readonly server: ServerName;
  readonly tool: ToolName;
  readonly signature: string;
  readonly summary: string;
}

// Okapi BM25 with its usual constants: how soon repetition stops to count, and how much length does.
const SATURATION = 1.2;
const LENGTH_WEIGHT = 0.75;
/** A word of the name says more than a word of the summary. */
export const NAME_WEIGHT = 3;

// What a verb that means the same counts beside the word itself.
const SYNONYM_WEIGHT = 0.3;

// Verbs that tools use for one another, in the form that `wordsOf` gives.
const SYNONYMS = [
  "create add new make insert open",
  "delete remove drop erase",
  "get read fetch show view retrieve load",
  "list enumerate all",
  "update edit change modify set patch",
  "search find query lookup",
  "send post publish submit",
  "run execute start trigger",
  "copy duplicate clone",
  "move rename",
].map((line) => line.split(" "));

/** The words of a search, as far as it is no longer than a few, and verbs that mean the same. */
export function queryWords(query: string): { words: string[]; synonyms: string[] } {
  const words = new Set(wordsOf(query.slice(0, MAX_QUERY_CHARS)));
  const synonyms = [...words].flatMap((word) =>
    SYNONYMS.find((group) => group.includes(word)) ?? []
  );
  return {
    words: [...words],
    synonyms: [...new Set(synonyms)].filter((word) => !words.has(word)),
  };
}

/** Where the tools to rank come from, when they are not all there is. */
export interface Corpus {
  readonly size: number;
  /** How many tools of it hold a word. */
  readonly holders: (word: string) => number;
}

/**
 * The tools that hold at least one word of `query` or a verb that means the same, best first, at
 * most `limit`; only its beginning counts when it is no longer a few words.
 */
export function searchTools<Tool extends SearchableTool>(
  tools: readonly Tool[],
  query: string,
  limit: number,
): Tool[] {
  return rankTools(tools, queryWords(query), { limit });
}

/**
 * The same for the words of a query. Ranked by BM25 (Robertson and Zaragoza, 2009) over the words
 * of name and summary; equal ranks by name.
 */
export function rankTools<Tool extends SearchableTool>(
  tools: readonly Tool[],
  { words, synonyms }: ReturnType<typeof queryWords>,
  { limit, corpus }: { readonly limit: number; readonly corpus?: Corpus },
): Tool[] {
  const wanted = [...words, ...synonyms];
  const isWanted = new Set(wanted);
  const held = new Map<string, number>();
  const documents = tools.map((tool) => {
    const counts = new Map<string, number>();
    let length = 0;
    const add = (text: string, weight: number) => {
      for (const word of wordsOf(text)) {
        length += weight;
        if (isWanted.has(word)) counts.set(word, (counts.get(word) ?? 0) + weight);
      }
    };
    add(`${tool.server} ${tool.tool}`, NAME_WEIGHT);
    add(tool.summary, 1);
    for (const word of counts.keys()) held.set(word, (held.get(word) ?? 0) + 1);
    return { tool, counts, length };
  });
  const meanLength = documents.reduce((sum, item) => sum + item.length, 0) / (tools.length || 1);
  const { size, holders } = corpus ??
    { size: tools.length, holders: (word: string) => held.get(word) ?? 0 };
  const rarity = wanted.map((word, at) => {
    const count = holders(word);
    const weight = at < words.length ? 1 : SYNONYM_WEIGHT;
    return weight * Math.log(1 + (size - count + 0.5) / (count + 0.5));
  });
  const scored = documents.map(({ tool, counts, length }) => {
    const scale = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * length / (meanLength || 1));
    let score = 0;
    for (const [at, word] of wanted.entries()) {
      const count = counts.get(word);
      if (count === undefined) continue;
      // A verb stands in for the one that was asked for, and adds nothing where that one is there.
      const standsIn = (other: string) => counts.has(other) && isSame(other, word);
      if (at >= words.length && words.some(standsIn)) continue;
      score += rarity[at]! * count * (SATURATION + 1) / (count + scale);
    }
    return { tool, score };
  });
  return scored.filter((item) => item.score > 0)
    .sort((a, b) => b.score - a.score || compare(a.tool, b.tool))
    .slice(0, limit).map((item) => item.tool);
}

function isSame(word: string, other: string): boolean {
  return SYNONYMS.some((group) => group.includes(word) && group.includes(other));
}

function compare(a: SearchableTool, b: SearchableTool): number {
  if (a.tool !== b.tool) return a.tool < b.tool ? -1 : 1;
  return a.server < b.server ? -1 : a.server > b.server ? 1 : 0;
}

/** Lower-case words of a text; names are split at `_`, `-`, `.` and at changes of case. */
export function wordsOf(text: string): string[] {
  const [hump, word] = isPlain(text)
    ? [/([a-z\d])([A-Z])/g, /[a-z\d]+/g]
    : [/([\p{Ll}\d])(\p{Lu})/gu, /[\p{L}\p{N}]+/gu];
  const words = text.replace(hump, "$1 $2").toLowerCase().match(word) ?? [];
  // A plural finds its singular and the other way round.
  return words.map((word) => word.length > 3 && word.endsWith("s") ? word.slice(0, -1) : word);
}
