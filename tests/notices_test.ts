import assert from "node:assert/strict";
import { MAX_CALL_NOTICES, MAX_NOTICE_CHARS } from "../src/limits.ts";
import { createNotices, noticeText, readNotice } from "../src/notices.ts";

const mask = (text: string) => text.replaceAll("hunter2", "***");
const log = (params: unknown) => readNotice({ method: "notifications/message", params }, mask);
const progress = (params: unknown) =>
  readNotice({ method: "notifications/progress", params }, mask);

Deno.test("readNotice takes progress and log messages, and nothing else", () => {
  assert.deepEqual(progress({ progressToken: 1, progress: 3, total: 10, message: "reading" }), {
    kind: "progress",
    text: "reading",
    progress: 3,
    total: 10,
  });
  assert.deepEqual(log({ level: "error", data: "full" }), {
    kind: "log",
    level: "error",
    text: "full",
  });
  assert.deepEqual(
    log({ level: "info", logger: "disk", data: { free: 0 } })?.text,
    'disk: {"free":0}',
  );
  assert.equal(readNotice({ method: "notifications/cancelled", params: {} }, mask), undefined);
});

Deno.test("readNotice gets something out of notifications that are not as they should be", () => {
  for (const params of [undefined, null, 7, [], "text"]) {
    assert.equal(log(params), undefined);
    assert.equal(progress(params), undefined);
  }
  assert.deepEqual(log({}), { kind: "log", level: "info", text: "" });
  assert.deepEqual(log({ level: "loud\u001b[2J", data: null }), {
    kind: "log",
    level: "info",
    text: "null",
  });
  assert.deepEqual(progress({ progress: "3", total: null, message: 7 }), {
    kind: "progress",
    text: "7",
  });
});

Deno.test("readNotice shows no secret and no control character, and cuts what is long (H12, H22)", () => {
  const { text } = log({ data: `hunter2 \u001b]52;c;aGk=\u0007\r\n\u202e${"x".repeat(1e6)}` })!;
  assert.match(text, /^\*\*\* /);
  assert.ok(text.length <= 2 * MAX_NOTICE_CHARS);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\u0000-\u001f\u202e]/);
  const { text: named } = log({ logger: "x".repeat(1e6), data: "y" })!;
  assert.ok(named.length <= 3 * MAX_NOTICE_CHARS);
});

Deno.test("createNotices keeps the first ones and counts the others (H12)", () => {
  const notices = createNotices();
  const count = MAX_CALL_NOTICES + 1000;
  for (let at = 0; at < count; at++) notices.add({ kind: "progress", text: "", progress: at });
  assert.equal(notices.list.length, MAX_CALL_NOTICES);
  assert.equal(notices.dropped, 1000);
  assert.equal(notices.list.at(-1)!.progress, MAX_CALL_NOTICES - 1);
  assert.ok(notices.list.every(({ afterMs }) => Number.isInteger(afterMs) && afterMs >= 0));
});

Deno.test("noticeText says how far a call is, or how grave a message", () => {
  const texts = [
    { kind: "progress", afterMs: 0, text: "reading", progress: 3, total: 10 },
    { kind: "progress", afterMs: 0, text: "", progress: 0.5 },
    { kind: "progress", afterMs: 0, text: "reading" },
    { kind: "log", afterMs: 0, text: "disk is full", level: "error" },
  ] as const;
  assert.deepEqual(texts.map(noticeText), [
    "3 of 10: reading",
    "0.5",
    "under way: reading",
    "error: disk is full",
  ]);
});
