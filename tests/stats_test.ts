import assert from "node:assert/strict";
import { countTokens, estimateTokens, TOKENIZER, tokenLedger } from "../src/stats.ts";

// Counted with gpt-tokenizer 3.4.0, o200k_base; bench/tokens_bench.ts compares at large.
const COUNTED: readonly (readonly [text: string, tokens: number])[] = [
  [
    JSON.stringify({
      name: "list_issues",
      description:
        "Lists the issues of a project, newest first. Filters narrow the list; pages hold at most 100.",
      inputSchema: {
        type: "object",
        properties: {
          project: { type: "string", description: "The key of the project, such as CORE" },
          state: { type: "string", enum: ["open", "closed", "all"], default: "open" },
          page: { type: "integer", minimum: 1, description: "The page to give, from 1" },
        },
        required: ["project"],
        additionalProperties: false,
      },
    }),
    111,
  ],
  [
    "export interface ListIssuesParams {\n  /** The key of the project, such as CORE */\n  project: string;\n" +
    '  state?: "open" | "closed" | "all";\n  /** The page to give, from 1 */\n  page?: number;\n}\n\n' +
    "export function listIssues(params: ListIssuesParams): Promise<IssueList> {\n" +
    '  return callTool("tracker", "list_issues", params);\n}\n',
    85,
  ],
  [
    "An agent reads two small files instead of every schema, writes one program instead of twenty " +
    "tool calls, and only the answer comes back. What stays outside is counted, but it never costs " +
    "the model anything, however large the results of the calls in between have been.",
    53,
  ],
];

Deno.test("estimateTokens is near a real tokenizer's count for schemas, declarations and prose", () => {
  for (const [text, tokens] of COUNTED) {
    const off = estimateTokens(text) / tokens - 1;
    assert(Math.abs(off) < 0.1, `${estimateTokens(text)} for ${tokens}: ${text.slice(0, 40)}`);
  }
  assert.match(TOKENIZER, /^o200k_base, estimated$/);
});

Deno.test("estimateTokens gives a whole number above zero for every text but the empty one", () => {
  assert.equal(estimateTokens(""), 0);
  for (
    const text of [" ", "a", "\n", "\t\t", "1", "{", "é", "字", "🎉", "\ud800", "\0", "\u2028"]
  ) {
    const tokens = estimateTokens(text);
    assert(Number.isInteger(tokens) && tokens >= 1, JSON.stringify(text));
  }
});

Deno.test("estimateTokens counts a text as about the sum of its lines", () => {
  const line = '    "labels": ["bug", "needs-triage"], // 2026-01-31 größer 數字\n';
  const one = estimateTokens(line);
  assert(Math.abs(estimateTokens(line.repeat(1000)) - 1000 * one) <= 500);
});

Deno.test("tokenLedger compares tool by tool with one program", () => {
  const ledger = tokenLedger({
    definitions: 9000,
    read: 400,
    calls: 300,
    results: 90_700,
    program: 350,
    answer: 250,
  });
  assert.deepEqual(ledger, {
    direct: { definitions: 9000, calls: 300, results: 90_700, total: 100_000 },
    program: { read: 400, source: 350, answer: 250, total: 1000 },
    saved: 0.99,
  });
});

Deno.test("tokenLedger takes texts for counts, and never a negative saving", () => {
  const program = "return 1";
  const ledger = tokenLedger({
    definitions: [],
    read: 0,
    calls: "",
    results: ["[1]", "[2]"],
    program,
    answer: "1".repeat(60),
  });
  assert.equal(ledger.direct.results, 2 * estimateTokens("[1]"));
  assert.equal(ledger.program.source, estimateTokens(program));
  assert.equal(ledger.saved, 0);
  const nothing = { definitions: 0, read: 0, calls: 0, results: 0, program: 0, answer: 0 };
  assert.equal(tokenLedger(nothing).saved, 0);
});

Deno.test("countTokens lets the beginning of a long text stand for all of it", () => {
  const line = '{"id":1,"title":"A title","state":"open"},';
  assert.equal(countTokens(line), estimateTokens(line));
  const long = line.repeat(50_000);
  const ratio = countTokens(long) / estimateTokens(long);
  assert.ok(ratio > 0.99 && ratio < 1.01, `${ratio}`);
});
