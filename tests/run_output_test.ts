import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import type { RunId } from "../src/journal.ts";
import { toJson } from "../src/render.ts";
import { callLines, logLines, runDocument } from "../src/run_output.ts";

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
