// The program's version; `deno.json` holds the same and a test compares them.

/** The version of this program, as `--version` prints it. */
export const VERSION = "0.1.0";
