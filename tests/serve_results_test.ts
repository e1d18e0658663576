import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { errorResult } from "../src/serve_results.ts";

const MASK = (text: string) => text.replaceAll("s3cret", "***");

/** The text and the hint that a model gets for a failure. */
function told(message: string, hint?: string) {
  const error = new AppError("usage", message, hint === undefined ? {} : { hint });
  const { content, structuredContent, isError } = errorResult(error, MASK);
  assert.equal(isError, true);
  const [{ text }, ...others] = content as unknown as [{ text: string }];
  assert.deepEqual(others, []);
  const { ok, error: document } = structuredContent as {
    ok: boolean;
    error: { message: string; hint?: string };
  };
  assert.equal(ok, false);
  return { text, ...document };
}

Deno.test("errorResult names parameters and tools where a person is told of flags and commands", () => {
  const cases: [message: string, hint: string, said: RegExp][] = [
    ['Server "b" is not among those this run may call', "add --server b", /search_tools/],
    ['There is no skill "x"', "mcp-exec skill list shows all of them; a file has /", /run_skill/],
    [
      "TypeError: not a function",
      "mcp-exec introspect a --tool b shows the type of its result",
      /^search_tools with detail "full" shows the type of its result$/,
    ],
    ["Program took longer than 1s", "raise --timeout", /timeoutMs/],
    ["Program made more than 5 tool calls", "raise --max-calls", /maxCalls/],
    ['Skill "x" needs --args', "it is called as x(input: { a: string })", /x\(input/],
  ];
  for (const [message, hint, said] of cases) {
    const given = told(message, hint);
    assert.match(given.hint!, said);
    assert.ok(given.text.includes(given.hint!), given.text);
    assert.doesNotMatch(JSON.stringify(given), /--\w|mcp-exec/);
  }
});

Deno.test("errorResult keeps a hint that names no flag, adds none, and masks what is secret", () => {
  const hinted = told("Tool of s3cret is gone", "did you mean s3cret2?");
  assert.equal(hinted.hint, "did you mean ***2?");
  assert.equal(hinted.text, "Tool of *** is gone\n  hint: did you mean ***2?");
  const plain = told("Tool is gone");
  assert.equal(plain.text, "Tool is gone");
  assert.equal("hint" in plain, false);
});
