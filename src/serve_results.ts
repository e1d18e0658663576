// What a client gets of a run: the result for its model, bounded, the same for programs, and in a
// few lines what happened. A failure is a result too, written for whoever wrote the program.

import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/server";
import { AppError, errorText } from "./errors.ts";
import type { HandleStore } from "./handles.ts";
import { formatBytes, formatCount, MAX_MEDIA_BLOCKS, MAX_MEDIA_BYTES } from "./limits.ts";
import type { SessionId } from "./names.ts";
import { countOf, formatMs } from "./render.ts";
import { callLines } from "./run_output.ts";
import { isObject, type JsonObject } from "./server.ts";
import type { RunOutcome } from "./session.ts";
import { cleanLine } from "./text.ts";

/** What is shown beside a run. */
export interface OutcomeParts {
  readonly handles: HandleStore;
  /** The address of the run's trace. */
  readonly trace: string;
  /** Whose run it is: only what it kept is handed on. */
  readonly owner: SessionId;
  /** The same, where the client has to name it next time. */
  readonly session?: SessionId | undefined;
  /** Whether the program keeps something there. */
  readonly isStateful: boolean;
  /** Takes paths and secrets of this machine out of a text. */
  readonly mask: (text: string) => string;
}

/** A text that stands alone. */
export function textResult(text: string, structuredContent?: JsonObject): CallToolResult {
  return { content: [textBlock(text)], ...(structuredContent && { structuredContent }) };
}

/** A failure as a model reads it: what, where, and what to write instead. */
export function errorResult(error: AppError, mask: (text: string) => string): CallToolResult {
  return {
    content: [textBlock(messageOf(error, mask))],
    structuredContent: { ok: false, error: documentOf(error, mask) },
    isError: true,
  };
}

/** A run that has ended, well or not. */
export async function outcomeResult(
  outcome: RunOutcome,
  { handles, trace, owner, session, isStateful, mask }: OutcomeParts,
): Promise<CallToolResult> {
  const { ok, run, calls, error, preview, hasValue, value } = outcome;
  const notes = notesOf(outcome, mask);
  // What only programs need is not told to models: it costs tokens.
  const isNeeded = preview !== undefined || isStateful;
  const named = session === undefined || !isNeeded ? [] : [`session: ${session}`];
  const facts = {
    ok,
    run,
    trace,
    calls: calls.length,
    ms: Math.round(outcome.ms),
    ...(session !== undefined && { session }),
  };
  if (error !== undefined) {
    return {
      content: [textBlock([messageOf(error, mask), ...notes, ...named].join("\n"))],
      structuredContent: { ...facts, error: documentOf(error, mask) },
      isError: true,
    };
  }
  if (preview !== undefined) {
    const { handle, bytes, tokens, shape } = preview;
    const size = `${formatBytes(bytes)}, about ${formatCount(tokens)} tokens`;
    notes.unshift(
      `That is the start of ${size}; the whole is handle ${handle}, for read_result or, in ` +
        `code, readResult("${handle}")${
          session === undefined ? "" : ", with the session below"
        }. Better: return less of it.`,
      `Its shape: ${shape}`,
    );
    return {
      content: [textBlock(preview.preview), textBlock([...notes, ...named].join("\n"))],
      structuredContent: { ...facts, preview },
    };
  }
  const media = hasValue ? await mediaOf(value, { handles, owner }) : [];
  const text = !hasValue
    ? "The program gave no result."
    : typeof value === "string"
    ? value
    : JSON.stringify(value);
  const about = [...notes, ...named].join("\n");
  return {
    content: [
      ...(media.length === 0 || !isOnlyMedia(value) ? [textBlock(text)] : []),
      ...media,
      ...(about === "" ? [] : [textBlock(about)]),
    ],
    structuredContent: { ...facts, ...(hasValue && { value: value as JsonObject }) },
  };
}

function textBlock(text: string): ContentBlock {
  return { type: "text", text };
}

// What a person changes by flag, a model sets by parameter, or not at all.
const FLAGS: readonly (readonly [RegExp, string])[] = [
  [/raise --timeout$/, "raise timeoutMs, as far as the server lets you, or do less in one run"],
  [/raise --max-calls$/, "raise maxCalls, as far as the server lets you, or do less in one run"],
  [/raise --(?:fuel|memory)$/, "do less in one run"],
  [/, of its --session and in its --args$/, " and of its session"],
  [/^add --server \S+$/, "search_tools names the servers there are"],
  [/^mcp-exec introspect \S+ --tool \S+(?= shows )/, 'search_tools with detail "full"'],
  [/^mcp-exec skill list shows all of them.*$/, "run_skill without a name lists them"],
];

function forModel(error: AppError): AppError {
  const hint = FLAGS.reduce((text, [flag, said]) => text.replace(flag, said), error.hint ?? "");
  const message = error.message.replace(/^(Skill "[^"]*" needs) --args$/, "$1 args");
  return new AppError(error.kind, message, {
    ...error,
    ...(error.hint !== undefined && { hint }),
  });
}

function messageOf(error: AppError, mask: (text: string) => string): string {
  return mask(errorText(forModel(error))).replace(/^error: /, "");
}

function documentOf(error: AppError, mask: (text: string) => string): JsonObject {
  return JSON.parse(mask(JSON.stringify(forModel(error))));
}

const SHOWN_LOG_LINES = 20;
const SHOWN_LOG_CHARS = 2_000;
const SHOWN_CALLS = 8;

/** The log, its last lines, and the calls; nothing of a run that did neither. */
function notesOf(outcome: RunOutcome, mask: (text: string) => string): string[] {
  const { log, calls, ms, warnings, truncated } = outcome;
  const lines = log.slice(-SHOWN_LOG_LINES).map(({ level, text }) =>
    cleanLine(level === "info" ? text : `${level}: ${text}`, 300)
  );
  while (lines.reduce((sum, line) => sum + line.length, 0) > SHOWN_LOG_CHARS) lines.shift();
  const left = log.length - lines.length;
  const failed = calls.filter((call) => !call.ok);
  const shown = outcome.ok ? failed : calls;
  return [
    ...(log.length === 0
      ? []
      : [`log${left > 0 ? ` (the last ${lines.length} of ${log.length} lines)` : ""}:`]),
    ...lines.map((line) => `  ${mask(line)}`),
    ...[...warnings, ...truncated].map((line) => cleanLine(mask(line), 300)),
    ...(calls.length === 0 ? [] : [
      `${countOf(calls.length, "call")}${failed.length > 0 ? `, ${failed.length} failed` : ""}, ${
        formatMs(ms)
      }`,
      ...callLines(shown, SHOWN_CALLS).map((line) => `  ${mask(line)}`),
    ]),
  ];
}

/** Whether a value is nothing but content blocks of pictures and sound. */
function isOnlyMedia(value: unknown): boolean {
  const blocks = Array.isArray(value) ? value : [value];
  return blocks.length > 0 && blocks.every((block) => isMedia(block));
}

function isMedia(block: unknown): block is JsonObject {
  return isObject(block) && (block["type"] === "image" || block["type"] === "audio") &&
    typeof block["handle"] === "string" && typeof block["mimeType"] === "string";
}

/** Pictures and sound that a program handed on as calls gave them to it. */
async function mediaOf(
  value: unknown,
  { handles, owner }: Pick<OutcomeParts, "handles" | "owner">,
): Promise<ContentBlock[]> {
  const blocks = (Array.isArray(value) ? value : [value]).filter(isMedia);
  const media: ContentBlock[] = [];
  let bytes = 0;
  for (const block of blocks.slice(0, MAX_MEDIA_BLOCKS)) {
    const id = String(block["handle"]);
    const handle = handles.isOf(owner, id) ? handles.find(id) : undefined;
    // By what was kept: the block itself may say anything.
    const type = /^(image|audio)\//.exec(handle?.type ?? "")?.[1] as "image" | "audio" | undefined;
    if (handle === undefined || type === undefined) continue;
    if ((bytes += handle.bytes) > MAX_MEDIA_BYTES) continue;
    const data = (await handles.read(handle.id)).toBase64();
    media.push({ type, mimeType: handle.type, data });
  }
  return media;
}
