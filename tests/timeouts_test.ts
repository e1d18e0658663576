import assert from "node:assert/strict";
import { parseTimeouts, timeoutOf } from "../src/timeouts.ts";

Deno.test("timeoutOf gives the deadline of the first rule that fits a tool", () => {
  const rules = parseTimeouts({
    "github/search_code": "90s",
    "github/search_*": "2m",
    "*/slow": 5,
  }, assert.fail);
  const of = (server: string, tool: string) => timeoutOf(rules, { server, tool });
  assert.equal(of("github", "search_code"), 90_000);
  assert.equal(of("github", "search_issues"), 120_000);
  assert.equal(of("other", "slow"), 5_000);
  assert.equal(of("github", "search"), undefined);
  assert.equal(of("other", "search_code"), undefined);
});

Deno.test("parseTimeouts names what it leaves out and keeps the rest (A4, A11)", () => {
  assert.deepEqual(parseTimeouts(undefined, assert.fail), []);
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  assert.deepEqual(parseTimeouts(["2m"], warn), []);
  const rules = parseTimeouts({ search: "2m", "a/b": "-1", "a/c": null, "a/d": "1m" }, warn);
  assert.equal(rules.length, 1);
  assert.equal(timeoutOf(rules, { server: "a", tool: "d" }), 60_000);
  assert.deepEqual(warnings, [
    `"limits.callTimeouts" must be like {"github/search_*": "2m"}`,
    `limits.callTimeouts: entry "search" is left out: a tool must be like "github/search_*"`,
    `limits.callTimeouts: entry "a/b" is left out: Duration must look like 500ms, 2s or 5m, got "-1"`,
    `limits.callTimeouts: entry "a/c" is left out: Duration must look like 500ms, 2s or 5m, got "null"`,
  ]);
});
