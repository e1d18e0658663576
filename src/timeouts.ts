// How long one call of a tool may take, by rules of the configuration. A rule for a tool goes before
// what the server's entry says; what is left of a run bounds them all.

import { toAppError } from "./errors.ts";
import { parseDuration } from "./limits.ts";
import { fits, type Pattern, toToolPattern } from "./policy.ts";
import { isObject } from "./server.ts";
import { quoteText } from "./text.ts";

/** The deadline of calls of the tools that a pattern stands for. */
export interface TimeoutRule {
  readonly server: Pattern;
  readonly tool: Pattern;
  readonly timeoutMs: number;
}

/** The deadline in milliseconds that the first fitting rule sets; undefined where none does. */
export function timeoutOf(
  rules: readonly TimeoutRule[],
  called: { readonly server: string; readonly tool: string },
): number | undefined {
  return rules.find(({ server, tool }) => fits(server, called.server) && fits(tool, called.tool))
    ?.timeoutMs;
}

/**
 * The rules that `limits.callTimeouts` of a configuration stands for: an object of durations by
 * tool, such as `{"github/search_*": "2m"}`. What cannot be used is told to `warn` and left out.
 */
export function parseTimeouts(value: unknown, warn: (message: string) => void): TimeoutRule[] {
  if (value === undefined) return [];
  if (!isObject(value)) {
    warn(`"limits.callTimeouts" must be like {"github/search_*": "2m"}`);
    return [];
  }
  return Object.entries(value).flatMap(([name, time]) => {
    const place = `limits.callTimeouts: entry ${quoteText(name)} is left out`;
    const names = toToolPattern(name);
    if (names === undefined) {
      warn(`${place}: a tool must be like "github/search_*"`);
      return [];
    }
    try {
      return [{ ...names, timeoutMs: parseDuration(String(time)) }];
    } catch (error) {
      warn(`${place}: ${toAppError(error).message}`);
      return [];
    }
  });
}
