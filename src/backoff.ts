// When a server that keeps failing may be tried again: at once after one failure, later and later
// after more in a row. Counts and tells; opens nothing.

import { AppError, type ErrorKind } from "./errors.ts";
import { BACKOFF_MS, formatDuration, MAX_BACKOFF_MS, STEADY_CONNECTION_MS } from "./limits.ts";
import type { ServerName } from "./names.ts";

/** How a server has done lately. */
export interface Backoff {
  /** How often in a row it could not be connected to, or was lost soon after. */
  readonly failures: number;
  /** Goes up with each failure: what was begun before the last one tells nothing new. */
  readonly round: number;
  /** Milliseconds until it may be tried again; 0 for at once. */
  wait(): number;
  /** The error for whoever asks before it may be tried again. */
  refusal(): AppError | undefined;
  /** Counts a failure of what was begun in `round` and held for `heldMs`, unless it is an old one. */
  failed(round: number, end: { readonly heldMs: number; readonly error: AppError }): void;
  /** Forgets the failures once a connection has held for long enough. */
  held(heldMs: number): void;
}

// Others are the caller's or the configuration's, and a try of them costs little.
const COUNTED: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "connect",
  "protocol",
  "server",
  "timeout",
]);

/** The state of a server that has not failed; `now` gives milliseconds and never goes back. */
export function createBackoff(server: ServerName, now: () => number): Backoff {
  let failures = 0;
  let round = 0;
  let nextTry = 0;
  let last: AppError | undefined;

  const wait = () => failures < 2 ? 0 : Math.max(0, nextTry - now());
  return {
    get failures() {
      return failures;
    },
    get round() {
      return round;
    },
    wait,
    refusal() {
      const ms = wait();
      if (ms === 0) return undefined;
      const time = formatDuration(Math.ceil(ms / 1000) * 1000);
      return new AppError(
        "connect",
        `Server "${server}" has failed ${failures} times in a row and may be tried again in ${time}`,
        {
          hint: `look at why it fails: mcp-exec server validate ${server}`,
          detail: [last!.message, ...last!.detail ?? []],
        },
      );
    },
    failed(begun, { heldMs, error }) {
      if (begun !== round || !COUNTED.has(error.kind)) return;
      round++;
      failures = heldMs >= STEADY_CONNECTION_MS ? 1 : failures + 1;
      last = error;
      nextTry = now() + Math.min(BACKOFF_MS * 2 ** (failures - 2), MAX_BACKOFF_MS);
    },
    held(heldMs) {
      if (heldMs >= STEADY_CONNECTION_MS) failures = 0;
    },
  };
}
