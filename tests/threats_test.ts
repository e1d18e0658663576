import assert from "node:assert/strict";
import { checkThreats } from "../scripts/threats.ts";

const THREATS = { Q1: "One", Q2: "Two", Q3: "Three" };

function check(files: Record<string, string>, planned: Record<string, string> = {}): string[] {
  return checkThreats(THREATS, { files: new Map(Object.entries(files)), planned });
}

Deno.test("checkThreats finds ids in titles of tests, cases and attacks", () => {
  const files = {
    "x_test.ts": `Deno.test("x does this (Q1)", () => {}); const name = "Q9";`,
    "specs/x.json": JSON.stringify([{ title: "that (Q2)", args: ["Q8"] }]),
    "escapes/x.js": "// E-Q7 Q3: an attack\n// Q9",
  };
  assert.deepEqual(check(files), []);
});

Deno.test("checkThreats names threats without a test, and ids that are none", () => {
  const files = { "x_test.ts": 'Deno.test(`x (Q1, Q4)`, () => {}); step({ name: "R1" });' };
  assert.deepEqual(check(files, { Q3: "later" }), [
    "Q2 has no test: Two",
    "Q4 is no threat: x_test.ts: x (Q1, Q4)",
  ]);
  assert.deepEqual(check(files, { Q1: "", Q2: "", Q3: "", Q5: "" }), [
    "Q1 has a test and is planned no more",
    "Q5 is planned and no threat",
    "Q4 is no threat: x_test.ts: x (Q1, Q4)",
  ]);
});
