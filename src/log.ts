// What a person may read beside the result, one line a message. Never writes results, never shows
// raw text of a server: every message is cleaned here once more.

import { MAX_WARNINGS } from "./limits.ts";
import { cleanLine } from "./text.ts";

const MAX_MESSAGE_CHARS = 2_000;

/** Where modules report what is not a result. */
export interface Log {
  /** Shown with `verbose` only, as `debug: ...`. */
  debug(message: string): void;
  /** A plain line; dropped when `quiet`. */
  info(message: string): void;
  /** `warning: ...`, each distinct one once; dropped when `quiet`. */
  warn(message: string): void;
}

/** What of the log is shown, and whether its prefixes are coloured. */
export interface LogOptions {
  readonly verbose?: boolean;
  readonly quiet?: boolean;
  readonly color?: boolean;
}

/** A log that hands finished lines, line feed included, to `write`; `quiet` wins over `verbose`. */
export function createLog(write: (text: string) => void, options: LogOptions = {}): Log {
  const warned = new Set<string>();

  function line(prefix: string, code: number, message: string): void {
    const shown = options.color ? `\x1b[${code}m${prefix}\x1b[0m` : prefix;
    write(`${shown} ${cleanLine(message, MAX_MESSAGE_CHARS)}\n`);
  }

  return {
    debug(message) {
      if (options.verbose && !options.quiet) line("debug:", 2, message);
    },
    info(message) {
      if (!options.quiet) write(`${cleanLine(message, MAX_MESSAGE_CHARS)}\n`);
    },
    warn(message) {
      if (options.quiet || warned.has(message) || warned.size > MAX_WARNINGS) return;
      warned.add(message);
      const last = warned.size > MAX_WARNINGS;
      line("warning:", 33, last ? "Further warnings are not shown" : message);
    },
  };
}
