// What a server tells of calls while they are under way, its progress and its log: made safe to show
// and bounded for each call. Shows nothing itself, and keeps no call waiting.

import { MAX_CALL_NOTICES, MAX_NOTICE_CHARS } from "./limits.ts";
import { isObject } from "./server.ts";
import { cleanLine } from "./text.ts";

/** One thing that a server told, safe to show. */
export interface Notice {
  readonly kind: "progress" | "log";
  /** Milliseconds since its call began. */
  readonly afterMs: number;
  readonly text: string;
  /** Of a log message: how grave the server says it is. */
  readonly level?: string;
  /** Of progress: how far the call is, and what would be all of it. */
  readonly progress?: number;
  readonly total?: number;
}

/** The notices of one call. */
export interface Notices {
  /** The first ones. */
  readonly list: readonly Notice[];
  /** How many came after them. */
  readonly dropped: number;
  add(notice: Omit<Notice, "afterMs">): void;
}

/** No notices yet, of a call that begins now. */
export function createNotices(): Notices {
  const began = performance.now();
  const list: Notice[] = [];
  let dropped = 0;
  return {
    list,
    get dropped() {
      return dropped;
    },
    add(notice) {
      if (list.length >= MAX_CALL_NOTICES) dropped++;
      else list.push({ ...notice, afterMs: Math.round(performance.now() - began) });
    },
  };
}

/** What a notification says of progress or as a log message, `mask`ed; undefined for any other. */
export function readNotice(
  { method, params }: { readonly method: string; readonly params: unknown },
  mask: (text: string) => string,
): Omit<Notice, "afterMs"> | undefined {
  if (!isObject(params)) return undefined;
  const shown = (value: unknown) => {
    const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
    return cleanLine(mask(text.slice(0, MAX_READ_CHARS)), MAX_NOTICE_CHARS);
  };
  if (method === "notifications/message") {
    const { level, logger, data } = params;
    const from = logger === undefined ? "" : `${shown(logger)}: `;
    const isKnown = typeof level === "string" && LEVELS.has(level);
    return { kind: "log", level: isKnown ? level : "info", text: `${from}${shown(data)}` };
  }
  if (method !== "notifications/progress") return undefined;
  const { progress, total, message } = params;
  return {
    kind: "progress",
    text: message === undefined ? "" : shown(message),
    ...(typeof progress === "number" && { progress }),
    ...(typeof total === "number" && { total }),
  };
}

// Enough to fill a notice after every escape in it has been written out.
const MAX_READ_CHARS = 4 * MAX_NOTICE_CHARS;

// Those of RFC 5424, which the protocol goes by.
const LEVELS: ReadonlySet<string> = new Set([
  ...["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"],
]);

/** A notice in one line, such as `warning: disk is nearly full` or `3 of 10: reading`. */
export function noticeText({ kind, level, progress, total, text }: Notice): string {
  if (kind === "log") return `${level}: ${text}`;
  const done = progress === undefined ? "under way" : `${progress}`;
  return `${done}${total === undefined ? "" : ` of ${total}`}${text === "" ? "" : `: ${text}`}`;
}
