// Ranks tools against a few words, from what servers told before: nothing is connected to.

import { MAX_QUERY_CHARS } from "./limits.ts";
import type { ServerName, ToolName } from "./names.ts";

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
// A word of the name says more than a word of the summary.
const NAME_WEIGHT = 3;

/**
 * The tools that hold at least one word of `query`, best first, at most `limit`; only its beginning
 * counts when it is no longer a few words. Ranked by BM25
 * (Robertson and Zaragoza, 2009) over the words of name and summary; equal ranks by name.
 */
export function searchTools(
  tools: readonly SearchableTool[],
  query: string,
  limit: number,
): SearchableTool[] {
  const wanted = [...new Set(wordsOf(query.slice(0, MAX_QUERY_CHARS)))];
  const documents = tools.map((tool) => {
    const counts = new Map<string, number>();
    const add = (text: string, weight: number) => {
      for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + weight);
    };
    add(`${tool.server} ${tool.tool}`, NAME_WEIGHT);
    add(tool.summary, 1);
    return { tool, counts, length: [...counts.values()].reduce((sum, count) => sum + count, 0) };
  });
  const meanLength = documents.reduce((sum, item) => sum + item.length, 0) / (tools.length || 1);
  const rarity = new Map(wanted.map((word) => {
    const holders = documents.filter((item) => item.counts.has(word)).length;
    return [word, Math.log(1 + (tools.length - holders + 0.5) / (holders + 0.5))];
  }));
  const scored = documents.map(({ tool, counts, length }) => {
    const scale = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * length / (meanLength || 1));
    let score = 0;
    for (const word of wanted) {
      const count = counts.get(word) ?? 0;
      score += rarity.get(word)! * count * (SATURATION + 1) / (count + scale);
    }
    return { tool, score };
  });
  return scored.filter((item) => item.score > 0)
    .sort((a, b) => b.score - a.score || compare(a.tool, b.tool))
    .slice(0, limit).map((item) => item.tool);
}

function compare(a: SearchableTool, b: SearchableTool): number {
  if (a.tool !== b.tool) return a.tool < b.tool ? -1 : 1;
  return a.server < b.server ? -1 : a.server > b.server ? 1 : 0;
}

/** Lower-case words of a text; names are split at `_`, `-`, `.` and at changes of case. */
function wordsOf(text: string): string[] {
  const words = text.replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2").toLowerCase()
    .match(/[\p{L}\p{N}]+/gu) ?? [];
  // A plural finds its singular and the other way round.
  return words.map((word) => word.length > 3 && word.endsWith("s") ? word.slice(0, -1) : word);
}
