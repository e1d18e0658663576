import assert from "node:assert/strict";
import { digestOf } from "../src/hash.ts";
import { MAX_RECORDED_RESULT_BYTES } from "../src/limits.ts";
import { compareResults, recordResult } from "../src/recorded_result.ts";

Deno.test("recordResult keeps a digest, the size and the form, and nothing of the content", () => {
  const args = { days: 7 };
  assert.deepEqual(recordResult([{ name: "secret", count: 2 }], { args, entry: "main" }), {
    digest: digestOf('[{"name":"secret","count":2}]'),
    bytes: 29,
    shape: "{ name: string, count: number }[1]",
    argsDigest: digestOf('{"days":7}'),
    entry: "main",
  });
  assert.equal(recordResult({ "ann@x.test": 1 }, {})!.shape, '{ "...": number }');
  assert.deepEqual(recordResult(undefined, {}), {
    digest: digestOf(""),
    bytes: 0,
    shape: "nothing",
  });
  assert.equal(recordResult("x".repeat(MAX_RECORDED_RESULT_BYTES), {}), undefined);
});

Deno.test("compareResults says in lines how results differ, and nothing of equal ones", () => {
  const record = (value: unknown) => recordResult(value, {})!;
  assert.deepEqual(compareResults(record({ a: 1 }), record({ a: 1 })), []);
  assert.deepEqual(compareResults(record({ a: 1 }), record({ a: "b" })), [
    `recorded: { a: number }, 7 B, ${digestOf('{"a":1}')}`,
    `now: { a: string }, 9 B, ${digestOf('{"a":"b"}')}`,
  ]);
  assert.equal(
    compareResults(record(1), record(2))[2],
    "the form is the same, values in it differ",
  );
  assert.equal(compareResults(record(1), undefined)[1], "now: too large to compare");
});
