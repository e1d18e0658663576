// deno-lint-ignore-file no-control-regex
// Runs the program on a real terminal (a pty of util-linux's `script`), types into it, and reads what
// a person would see: the screen as text, with everything erased that was erased.

import assert from "node:assert/strict";
import { freshPlace, processesIn, PROGRAM } from "./specs/run.ts";

/** Whether this machine has what a terminal takes. */
export const HAS_TERMINAL = Deno.build.os === "linux" &&
  await new Deno.Command("script", { args: ["--version"] }).output()
    .then(({ stdout }) => new TextDecoder().decode(stdout).includes("util-linux"), () => false);

const PATIENCE_MS = 120_000;

/** The program on a terminal. */
export interface Terminal {
  /** Waits until the raw output since the last wait holds `text`. */
  see(text: string): Promise<void>;
  /** Types; `\x03` is Ctrl-C. */
  type(text: string): Promise<void>;
  /** Waits for the end. `screen` is what is left to see, `raw` all that was written. */
  end(): Promise<{ code: number; screen: string; raw: string; left: string[] }>;
}

/** Runs `work` with the program on a terminal of `columns`; `prepare` gets its folder first. */
export async function onTerminal(
  args: readonly string[],
  work: (terminal: Terminal) => Promise<void>,
  { columns = 80, env: more = {}, prepare }: {
    columns?: number;
    env?: Record<string, string>;
    prepare?: (place: { folder: string; env: Record<string, string> }) => Promise<void>;
  } = {},
): Promise<void> {
  const { folder, env } = await freshPlace();
  await prepare?.({ folder, env });
  // Deno has a progress line of its own.
  const [run, ...program] = PROGRAM;
  const words = [Deno.execPath(), run!, "--quiet", ...program, ...args].map((word) =>
    `'${word.replaceAll("'", `'\\''`)}'`
  );
  const child = new Deno.Command("script", {
    args: ["-qfec", `stty cols ${columns} rows 24; exec ${words.join(" ")}`, "/dev/null"],
    cwd: folder,
    clearEnv: true,
    env: { ...env, TERM: "xterm", SHELL: "/bin/sh", ...more },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  // What never shows what is waited for is ended, and the wait with it.
  const stuck = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const input = child.stdin.getWriter();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let raw = "";
  let seen = 0;
  const read = async (): Promise<boolean> => {
    const { done, value } = await output.read();
    if (!done) raw += value;
    return !done;
  };
  try {
    await work({
      async see(text) {
        for (let at = -1; at < 0;) {
          at = raw.indexOf(text, seen);
          if (at >= 0) seen = at + text.length;
          else assert.ok(await read(), `${JSON.stringify(text)} is not in ${JSON.stringify(raw)}`);
        }
      },
      type: (text) => input.write(new TextEncoder().encode(text)),
      async end() {
        while (await read());
        const { code } = await child.status;
        return { code, screen: screenOf(raw), raw, left: await processesIn(folder) };
      },
    });
  } finally {
    await input.close().catch(() => {});
    while (await read());
    await child.status;
    clearTimeout(stuck);
    await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
  }
}

/** What a terminal shows after `raw`: colours are dropped, any other control is a fault. */
export function screenOf(raw: string): string {
  const lines = [""];
  let column = 0;
  for (const [token] of raw.replace(/\x1b\[[\d;]*m/g, "").matchAll(/\x1b\[K|[^]/gu)) {
    const at = lines.length - 1;
    if (token === "\n") lines.push("");
    if (token === "\n" || token === "\r") column = token === "\r" ? 0 : column;
    else if (token === "\x1b[K") lines[at] = lines[at]!.slice(0, column);
    else {
      assert.ok(!/[\x00-\x1f\x7f]/.test(token), `terminal control ${JSON.stringify(token)}`);
      const line = lines[at]!.padEnd(column);
      lines[at] = line.slice(0, column) + token + line.slice(column + token.length);
      column += token.length;
    }
  }
  return lines.map((line) => line.trimEnd()).join("\n").trimEnd();
}
