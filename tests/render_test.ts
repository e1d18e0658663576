import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import {
  countOf,
  createOutput,
  createStyle,
  errorLines,
  formatAge,
  formatMs,
  toJson,
} from "../src/render.ts";

function outputTo(
  written: string[],
  options: { format: "json" | "text" | "pretty"; terminal?: boolean; color?: boolean },
) {
  return createOutput({
    writeOut: (text) => written.push(String(text)) > 0,
    isTerminal: { in: false, out: options.terminal ?? false, error: false },
    columns: 60,
    paths: { home: "/home/me", config: "/c", data: "/d" },
  }, { format: options.format, color: options.color ?? true });
}

function shown(format: "json" | "text" | "pretty", value: unknown, terminal = false): string {
  const written: string[] = [];
  outputTo(written, { format, terminal }).value(value);
  return written.join("");
}

Deno.test("createOutput prints a string as it is in a pipe and anything else as JSON", () => {
  assert.equal(shown("text", "a\tb\x1b[0m"), "a\tb\x1b[0m\n");
  assert.equal(shown("text", "line\n"), "line\n");
  assert.equal(shown("text", { a: [1, null] }), '{"a":[1,null]}\n');
  assert.equal(shown("pretty", { a: 1 }), '{\n  "a": 1\n}\n');
  assert.equal(shown("text", null), "null\n");
});

Deno.test("createOutput shows a program's terminal escapes instead of sending them (H22)", () => {
  assert.equal(shown("text", "a\x1b]0;x\x07b", true), "a\\u{1b}]0;x\\u{7}b\n");
  assert.equal(shown("text", "x".repeat(200_000), true).length, 200_001);
});

Deno.test("createOutput gives text of ours with the home folder as ~ (X6)", () => {
  assert.equal(outputTo([], { format: "text" }).mask('"/home/me/a"'), '"~/a"');
});

Deno.test("createOutput prints one document, however often it is asked", () => {
  const written: string[] = [];
  const output = outputTo(written, { format: "json" });
  output.document({ ok: true });
  output.document({ ok: false });
  assert.deepEqual(written, ['{"ok":true}\n']);
});

Deno.test("createOutput colours nothing but text on a terminal", () => {
  for (const format of ["json", "text"] as const) {
    const { style } = outputTo([], { format, terminal: true });
    assert.equal(style.bold("x"), "x");
  }
  assert.equal(outputTo([], { format: "pretty" }).style.red("x"), "x");
  assert.equal(
    outputTo([], { format: "pretty", terminal: true, color: false }).style.dim("x"),
    "x",
  );
  assert.notEqual(outputTo([], { format: "pretty", terminal: true }).style.bold("x"), "x");
});

Deno.test("toJson writes what a terminal obeys or hides as escapes and keeps the value (H22)", () => {
  const value = { text: "\x1b[31m\u009b1m\u202e\u{e0041}\u2028\ufeff é 👍" };
  const text = toJson(value);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\u0000-\u001f\u007f-\u009f\u202e\u2028\ufeff]|\u{e0041}/u);
  assert.deepEqual(JSON.parse(text), value);
  assert.match(text, /é 👍/);
});

Deno.test("errorLines colours the first word only", () => {
  const error = new AppError("usage", "Flag is bad", { hint: "try", detail: ["error: x"] });
  assert.equal(
    errorLines(error, createStyle(false)),
    "error: Flag is bad\n  error: x\n  hint: try",
  );
  const coloured = errorLines(error, createStyle(true));
  assert.equal(coloured.split("\x1b[31m").length, 2);
});

Deno.test("formatAge and formatMs round to what a person reads", () => {
  assert.equal(formatAge(500), "moments ago");
  assert.equal(formatAge(-5), "moments ago");
  assert.equal(formatAge(61_000), "1 minute ago");
  assert.equal(formatAge(3 * 86_400_000 + 5), "3 days ago");
  assert.equal(formatMs(3.14), "3.1 ms");
  assert.equal(formatMs(1500), "1.5 s");
  assert.equal(countOf(2, "call"), "2 calls");
});
