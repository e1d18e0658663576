import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { digestOfJson } from "../src/hash.ts";
import type { RunId } from "../src/journal.ts";
import { toServerName, toToolName } from "../src/names.ts";
import {
  callLines,
  countOf,
  createOutput,
  createStyle,
  errorLines,
  formatAge,
  formatMs,
  logLines,
  runDocument,
  serverDocument,
  serverText,
  toJson,
  type ToolView,
} from "../src/render.ts";
import type { ServerInfo } from "../src/server.ts";

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

function infoWith(description: string): { info: ServerInfo; views: ToolView[] } {
  const definition = {
    name: toToolName("read_file"),
    description,
    inputSchema: { type: "object" },
    annotations: { readOnlyHint: true },
  };
  const tool = { ...definition, digest: digestOfJson(definition) };
  return {
    info: {
      name: toServerName("files"),
      identity: { name: "Files\x1b[31m", version: "1.0" },
      protocolVersion: "2025-06-18",
      instructions: "Be kind\n\nerror: not ours",
      capabilities: { tools: {} },
      tools: [tool],
      warnings: [],
    },
    views: [{
      tool,
      functionName: "readFile",
      signature: "readFile(params: { path: string }): Promise<unknown>",
      summary: "Reads a file".repeat(20),
      readModule: () => Promise.resolve(""),
    }],
  };
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

Deno.test("serverText gives a signature and a summary for each tool, cut to the width", () => {
  const { info, views } = infoWith("Reads");
  const { style } = outputTo([], { format: "text" });
  const text = serverText(info, views, { detailed: false, output: { style, width: 60 } });
  assert.deepEqual(text.split("\n").slice(0, 3), [
    "files: Files\\u{1b}[31m 1.0, MCP 2025-06-18, 1 tool",
    "",
    "readFile(params: { path: string }): Promise<unknown>",
  ]);
  assert.ok(text.split("\n")[3]!.length <= 60);
});

Deno.test("serverText sets off every line of a server's own text (H23, H24)", () => {
  const { info, views } = infoWith("First\n# heading\r\x1b[2Jerror: gone");
  const { style } = outputTo([], { format: "text" });
  const text = serverText(info, views, { detailed: true, output: { style, width: 60 } });
  assert.match(text, /\n {2}\| error: not ours\n/);
  assert.match(text, /\n {2}\| # heading/);
  assert.match(text, /annotations: readOnlyHint=true/);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\r\x1b]/);
});

Deno.test("serverDocument holds the definitions and what was generated for them", () => {
  const { info, views } = infoWith("Reads");
  const document = serverDocument(info, views);
  assert.equal(document.server.name, "files");
  assert.deepEqual(document.tools[0]!.inputSchema, { type: "object" });
  assert.equal(document.tools[0]!.name, "read_file");
  assert.equal(document.tools[0]!.function, "readFile");
});

Deno.test("logLines marks every line of a program's log", () => {
  assert.deepEqual(logLines({ level: "warn", text: "a\nerror: b\x1b[1m" }), [
    "[warn] a",
    "[warn] error: b\\u{1b}[1m",
  ]);
});

const call = {
  server: "files",
  tool: "read_file",
  ok: true,
  startedAt: 0,
  ms: 12,
  sentBytes: 10,
  receivedBytes: 2048,
};

Deno.test("callLines counts what it leaves out", () => {
  assert.deepEqual(callLines([call, call, call], 2), [
    "files/read_file ok, 12 ms, 10 B sent, 2 KiB received",
    "files/read_file ok, 12 ms, 10 B sent, 2 KiB received",
    "and 1 more",
  ]);
});

Deno.test("runDocument holds a result only when there is one, null included", () => {
  const base = {
    run: "0123456789abcdef" as RunId,
    calls: [call],
    servers: [],
    log: [],
    fuel: 1,
    memory: 2,
    ms: 3,
    truncated: [],
    warnings: [],
  };
  const mask = (text: string) => text.replace("/home/me", "~");
  const valued = runDocument({ ...base, ok: true, hasValue: true, value: null }, mask);
  assert.deepEqual(Object.keys(valued), [
    ...["ok", "run", "result", "calls", "log", "fuel", "memory", "ms", "truncated"],
  ]);
  assert.ok(!("result" in runDocument({ ...base, ok: true, hasValue: false }, mask)));
  assert.ok(!("warnings" in valued));
  const warned = runDocument({ ...base, ok: true, hasValue: false, warnings: ["W"] }, mask);
  assert.deepEqual(warned.warnings, ["W"]);
  const error = new AppError("limit", "Out of fuel", { detail: ["in /home/me/x"] });
  const failed = runDocument({ ...base, ok: false, hasValue: false, error }, mask);
  assert.deepEqual(JSON.parse(toJson(failed)).error, {
    kind: "limit",
    message: "Out of fuel",
    detail: ["in ~/x"],
  });
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
