// What servers send, broken at random but the same way each time: readers must not crash, hang or
// make more of it than there was.

import assert from "node:assert/strict";
import { AppError, ToolError } from "../src/errors.ts";
import { parseTools } from "../src/introspect.ts";
import { MAX_JSON_DEPTH } from "../src/limits.ts";
import { toServerName, toToolName } from "../src/names.ts";
import { checkResult } from "../src/payloads.ts";
import {
  boundResponse,
  createServerSplitter,
  isMessage,
  readFrame,
  scanJson,
} from "../src/wire.ts";

const NAME = toServerName("fuzzed");
const ROUNDS = 4_000;

/** Whole numbers below a bound, the same in every run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const TOOL = {
  name: "create_issue",
  description: "Opens an issue.\nWith a title.",
  inputSchema: {
    type: "object",
    properties: { title: { type: "string", pattern: "^a+$" }, tags: { type: ["array", "null"] } },
    required: ["title"],
    $defs: { a: { $ref: "#/$defs/a" } },
  },
  annotations: { readOnlyHint: true },
};
const MESSAGES = [
  { jsonrpc: "2.0", id: 1000, result: { content: [{ type: "text", text: 'a "b" \\ é 𝒳' }] } },
  { jsonrpc: "2.0", id: "x", error: { code: -32601, message: "No", data: [1e300, -0, null] } },
  { jsonrpc: "2.0", method: "notifications/progress", params: { progress: 0.5, total: 1 } },
  { jsonrpc: "2.0", id: 7, result: { tools: [TOOL, { ...TOOL, name: "b" }], nextCursor: "c" } },
  { jsonrpc: "2.0", id: 8, result: { structuredContent: { a: { b: { c: [[[]]] } } } } },
].map((message) => JSON.stringify(message));

const PIECES = [
  ...[
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "0",
    "1e999",
    "-",
    "null",
    "\u0000",
    "\n",
    "\r",
    " ",
  ],
  ...['"id":1,', '"__proto__":{}', "\\u0000", "\\ud800", "\ud800", "\ufeff", "\u2028", "data: "],
  ...["[".repeat(300), '{"a":'.repeat(300), "9".repeat(400), '"jsonrpc":"2.0"', "\n\n", "id: 1"],
];

/** `text` after up to five cuts, copies, swaps and insertions. */
function mutate(text: string, random: (below: number) => number): string {
  let mutated = text;
  for (let count = 1 + random(5); count > 0; count--) {
    const at = random(mutated.length + 1);
    const end = at + random(1 + Math.min(40, mutated.length - at));
    const piece = PIECES[random(PIECES.length)]!;
    switch (random(5)) {
      case 0:
        mutated = mutated.slice(0, at) + mutated.slice(end);
        break;
      case 1:
        mutated = mutated.slice(0, at) + mutated.slice(at, end).repeat(2 + random(3)) +
          mutated.slice(end);
        break;
      case 2:
        mutated = mutated.slice(0, at) + piece + mutated.slice(end);
        break;
      case 3:
        mutated = mutated.slice(0, at) + piece + mutated.slice(at);
        break;
      default: {
        const char = String.fromCharCode(
          mutated.charCodeAt(at % mutated.length) ^ (1 + random(127)),
        );
        mutated = mutated.slice(0, at) + char + mutated.slice(at + 1);
      }
    }
  }
  return mutated;
}

function depthOf(value: unknown): number {
  let depth = 0;
  for (let level = [value]; level.length > 0; depth++) {
    level = level.flatMap((item) =>
      typeof item === "object" && item !== null ? Object.values(item) : []
    );
  }
  return depth - 1;
}

Deno.test("readFrame gives a message, a refusal or nothing for whatever is sent (H6, H8)", () => {
  const random = createRandom(1);
  const kinds = { message: 0, refused: 0, junk: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const text = mutate(MESSAGES[random(MESSAGES.length)]!, random);
    const { depth, members } = scanJson(text);
    assert.ok(depth <= text.length && members <= text.length);
    const frame = readFrame(text);
    kinds[frame.kind]++;
    if (frame.kind === "refused" && frame.answer !== undefined) assert.ok(isMessage(frame.answer));
    if (frame.kind !== "message") continue;
    assert.ok(isMessage(frame.message), text);
    assert.ok(depthOf(frame.message) <= MAX_JSON_DEPTH, text);
    // A surrogate alone or a control is written in six characters.
    assert.ok(JSON.stringify(frame.message).length <= 6 * text.length, text);
  }
  // Of each kind there is enough to mean something.
  for (const [kind, count] of Object.entries(kinds)) assert.ok(count > 50, `${kind}: ${count}`);
});

/** `bytes` in pieces of random sizes. */
function* split(bytes: Uint8Array, random: (below: number) => number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random(random(4) === 0 ? 200 : 12);
    yield bytes.slice(at, at + size);
    at += size;
  }
}

Deno.test("createServerSplitter gives the same lines however they are cut (H6)", () => {
  const random = createRandom(2);
  const encoder = new TextEncoder();
  for (let round = 0; round < 1_000; round++) {
    const text = Array.from({ length: 3 }, () =>
      mutate(MESSAGES[random(MESSAGES.length)]!, random)).join("\n") + "\n";
    const bytes = encoder.encode(text);
    const whole = createServerSplitter({ name: NAME })(bytes);
    const splitter = createServerSplitter({ name: NAME });
    const parts = [...split(bytes, random)].flatMap((part) =>
      splitter(part)
    );
    assert.deepEqual(parts.map((line) => line.toBase64()), whole.map((line) => line.toBase64()));
    assert.equal(whole.reduce((sum, line) => sum + line.length + 1, 0), bytes.length);
  }
});

Deno.test("boundResponse gives whole events that can be read, however they come (H6, H8)", async () => {
  const random = createRandom(3);
  const encoder = new TextEncoder();
  for (let round = 0; round < 600; round++) {
    const events = Array.from(
      { length: 3 },
      () => mutate(`data: ${MESSAGES[random(MESSAGES.length)]!}\n\n`, random),
    ).join("");
    const bytes = encoder.encode(events);
    const parts = split(bytes, random);
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const { value, done } = parts.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    });
    const headers = { "content-type": "text/event-stream" };
    let ended = 0;
    const response = await boundResponse(new Response(body, { headers }), {
      server: { name: NAME },
      onEnd: () => ended++,
    });
    const text = await response.text();
    assert.equal(ended, 1);
    assert.ok(text.length <= 6 * bytes.length + 1_000, events);
    for (const event of text.split("\n\n")) {
      const data = event.split("\n").filter((line) => line.startsWith("data: "));
      if (data.length === 0 || /^event: (?!message)/m.test(event)) continue;
      const joined = data.map((line) => line.slice("data: ".length)).join("\n");
      assert.ok(joined === "" || isMessage(JSON.parse(joined)), events);
    }
  }
});

const ODD: readonly unknown[] = [
  ...[null, true, 0, -1, 1e308, "", "__proto__", "a\u0000b", "\ud800", "x".repeat(300), [], {}],
  ...[[null], [[]], { $ref: "#" }, { type: "object" }, { type: 7 }, { toString: 1, then: 2 }],
];

/** `value` with one or more of its parts, or itself, replaced by something odd. */
function distort(value: unknown, random: (below: number) => number): unknown {
  if (random(8) === 0) return ODD[random(ODD.length)];
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => distort(item, random));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      random(20) === 0 ? String(ODD[random(10)]) : key,
      distort(item, random),
    ]),
  );
}

Deno.test("parseTools keeps of any list what is whole, and warns of the rest (H15, H16, H17)", () => {
  const random = createRandom(4);
  let kept = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const raw = Array.from(
      { length: 4 },
      (_, at) => distort({ ...TOOL, name: `tool_${at % 3}` }, random),
    );
    const { tools, warnings } = parseTools(NAME, raw);
    assert.equal(new Set(tools.map(({ name }) => name)).size, tools.length);
    assert.equal(tools.length + warnings.length, raw.length);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(warnings.join(""), /[\u0000-\u001f\u2028]|\p{Cs}/u);
    kept += tools.length;
  }
  assert.ok(kept > ROUNDS / 10 && kept < 3 * ROUNDS, String(kept));
});

Deno.test("checkResult gives a value or refuses, whatever a server answers (H19)", () => {
  const random = createRandom(5);
  const tool = toToolName("tool", "invalid");
  const answer = {
    content: [{ type: "text", text: `[{"a": 1}]` }, { type: "image", data: "aGk=" }],
    structuredContent: { a: [1, { b: "c" }] },
    isError: false,
  };
  let given = 0;
  for (let round = 0; round < ROUNDS; round++) {
    try {
      const { json, value } = checkResult(NAME, tool, distort(answer, random));
      assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(value)));
      given++;
    } catch (error) {
      assert.ok(error instanceof AppError, String(error));
      assert.equal(error.kind, error instanceof ToolError ? "server" : "protocol");
    }
  }
  assert.ok(given > ROUNDS / 4 && given < ROUNDS, String(given));
});
