// What is under way, as one line on stderr that is gone before anything else is written. Shown on a
// terminal only, and only for what takes a while; never in a pipe, with CI set or with --quiet.

import type { Context } from "./context.ts";
import { PROGRESS_DELAY_MS } from "./limits.ts";
import { cleanLine } from "./text.ts";

/** Something under way. */
export interface Activity {
  /** Says anew what it is; made safe to show here. */
  say(text: string): void;
  /** Takes it off the line; does nothing the second time. */
  end(): void;
}

/** The line that says what is under way: the last that began, and how many more there are. */
export interface Progress {
  /** What is whole is what the others belong to: it is not counted beside them. */
  begin(text: string, options?: { readonly isWhole?: boolean }): Activity;
  /** Ends everything, erases the line and stops every timer. */
  close(): void;
}

/** A progress together with the context whose writers erase its line first. */
export interface ProgressLine {
  readonly progress: Progress;
  readonly context: Context;
}

const FRAMES = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"];
const FRAME_MS = 100;
// What follows so soon belongs to what went before: its wait counts along.
const GAP_MS = 200;
const ERASE = "\r\x1b[K";

const NOTHING: Activity = { say() {}, end() {} };

/** No line at all. */
export const NO_PROGRESS: Progress = { begin: () => NOTHING, close() {} };

/** The progress of one command; `color` says whether its mark may be coloured. */
export function createProgress(
  context: Context,
  options: { readonly quiet: boolean; readonly color: boolean; readonly delayMs?: number },
): ProgressLine {
  const { env, isTerminal } = context;
  const isShown = isTerminal.error && !options.quiet && !env.get("CI") &&
    env.get("TERM") !== "dumb";
  if (!isShown) return { progress: NO_PROGRESS, context };
  const { delayMs = PROGRESS_DELAY_MS } = options;
  const running = new Map<Activity, { text: string; isPart: boolean; readonly since: number }>();
  let since = -Infinity;
  let endedAt = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isDrawn = false;
  let isHeld = false;
  let frame = 0;

  function erase(): void {
    if (isDrawn) context.writeError(ERASE);
    isDrawn = false;
  }

  function draw(): void {
    const last = [...running.values()].at(-1)!;
    const seconds = Math.floor((performance.now() - last.since) / 1000);
    const others = [...running.values()].filter((item) => item !== last && item.isPart).length;
    const ending = `${others > 0 ? ` and ${others} more` : ""}${
      seconds > 0 ? ` (${seconds} s)` : ""
    }`;
    const mark = FRAMES[frame++ % FRAMES.length]!;
    const text = fit(last.text, Math.max(10, context.columns - ending.length - 4));
    context.writeError(
      `${ERASE}${options.color ? `\x1b[2m${mark}\x1b[22m` : mark} ${text}${ending}`,
    );
    isDrawn = true;
    schedule(FRAME_MS);
  }

  function schedule(ms: number): void {
    clearTimeout(timer);
    timer = running.size === 0 || isHeld ? undefined : setTimeout(draw, ms);
  }

  function stop(): void {
    erase();
    schedule(0);
  }

  async function held<T>(work: () => Promise<T>): Promise<T> {
    isHeld = true;
    stop();
    try {
      return await work();
    } finally {
      isHeld = false;
      schedule(FRAME_MS);
    }
  }

  return {
    progress: {
      begin(text, { isWhole = false } = {}) {
        const now = performance.now();
        if (running.size === 0) {
          if (now - endedAt > GAP_MS) since = now;
          timer = isHeld ? undefined : setTimeout(draw, Math.max(0, since + delayMs - now));
        }
        const activity: Activity = {
          say(text) {
            const item = running.get(activity);
            if (item !== undefined) item.text = text;
          },
          end() {
            if (!running.delete(activity) || running.size > 0) return;
            endedAt = performance.now();
            stop();
          },
        };
        running.set(activity, { text, isPart: !isWhole, since: now });
        return activity;
      },
      close() {
        running.clear();
        stop();
      },
    },
    context: {
      ...context,
      writeOut(text) {
        if (isTerminal.out) erase();
        return context.writeOut(text);
      },
      writeError(text) {
        erase();
        context.writeError(text);
      },
      ...(context.confirm && {
        confirm: (question: string) => held(() => context.confirm!(question)),
      }),
      ...(context.ask && {
        ask: (question: string) => held(() => context.ask!(question)),
      }),
    },
  };
}

// A line that wraps could not be erased: what is not plain counts twice.
function fit(text: string, columns: number): string {
  const line = cleanLine(text, 4 * columns);
  // deno-lint-ignore no-control-regex
  const width = (part: string) => part.replace(/[^\x00-\x7f]/g, "  ").length;
  if (width(line) <= columns) return line;
  let kept = "";
  for (const char of line) {
    if (width(kept + char) > columns - 3) break;
    kept += char;
  }
  return `${kept}...`;
}
