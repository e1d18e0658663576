// Reads the fenced blocks of README.md, and types their commands as a person would: in a shell, in a
// fresh folder with a home of its own, where `mcp-exec` is this checkout.

import { freshPlace, PROGRAM } from "./specs/run.ts";

/** A fenced block. */
export interface Fence {
  readonly language: string;
  readonly lines: readonly string[];
}

/** A command of a `console` block and the lines that follow it. */
export interface Step {
  readonly command: string;
  readonly output: readonly string[];
}

/** The fenced blocks of a Markdown text, in order. */
export function readFences(text: string): Fence[] {
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, language, content]) => ({
    language: language!,
    lines: content!.trimEnd().split("\n"),
  }));
}

/** The steps of a `console` block: a line that begins with `$ ` is typed, the rest is printed. */
export function readSteps({ lines }: Fence): Step[] {
  const steps: { command: string; output: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), output: [] });
    else if (steps.length === 0) {
      throw new Error(`Line is printed before anything is typed: ${line}`);
    } else steps.at(-1)!.output.push(line);
  }
  return steps;
}

/** The lines of `sh` blocks that are commands, without their comments. */
export function readCommands(text: string): string[] {
  return readFences(text).filter(({ language }) => language === "sh")
    .flatMap(({ lines }) => lines.map((line) => line.replace(/ +# .*$/, "").trim()))
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** `line` without what differs from run to run: ids, times, sizes, large counts, widths. */
export function plainLine(line: string): string {
  return line
    .replace(/\brun [0-9a-z]{16}\b/g, "run [id]")
    .replace(/\b\d[\d.]* (?:ms|s)\b/g, "[time]")
    .replace(/\b\d[\d.]* [KM]iB\b/g, "[size]")
    .replace(/-?\b(?:\d{1,3}(?:,\d{3})+|\d{4,})\b/g, "[count]")
    .replace(/\s+/g, " ")
    .trim();
}

/** Whether `actual` is what `wanted` says; a line `...` in it stands for any lines. */
export function isPrinted(actual: string, wanted: readonly string[]): boolean {
  const lines = wanted.map((line) =>
    line === "..."
      ? "(?:[^\\n]*\\n)*?"
      : `${plainLine(line).replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\n`
  );
  const plain = actual.trimEnd().split("\n").map((line) => `${plainLine(line)}\n`).join("");
  return new RegExp(`^${lines.join("")}$`).test(plain);
}

/** What a typed command printed, both streams together as on a terminal. */
export interface Typed {
  readonly code: number;
  readonly printed: string;
}

/** A fresh folder with a home, where `mcp-exec` is on the path. */
export interface Desk extends AsyncDisposable {
  readonly folder: string;
  /** Writes a file, relative to the folder or below `~/`. */
  write(path: string, text: string): Promise<void>;
  type(command: string): Promise<Typed>;
  /** Starts a command that goes on; gives its process. */
  start(command: string): Deno.ChildProcess;
}

/** A desk for one person who follows the document. */
export async function makeDesk(): Promise<Desk> {
  const { folder, env } = await freshPlace();
  const base = folder.replace(/\/work$/, "");
  await Deno.mkdir(`${base}/bin`);
  const words = [Deno.execPath(), ...PROGRAM].map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${base}/bin/mcp-exec`, `#!/bin/sh\nexec ${words} "$@"\n`, {
    mode: 0o755,
  });
  const shell = (command: string) =>
    new Deno.Command("sh", {
      args: ["-c", command],
      cwd: folder,
      clearEnv: true,
      env: { ...env, PATH: `${base}/bin:${env["PATH"]}` },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  return {
    folder,
    async write(path, text) {
      const file = path.startsWith("~/") ? `${env["HOME"]}/${path.slice(2)}` : `${folder}/${path}`;
      await Deno.mkdir(file.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(file, text);
    },
    async type(command) {
      const { code, stdout } = await shell(`{ ${command}\n} 2>&1`).output();
      return { code, printed: new TextDecoder().decode(stdout) };
    },
    start: (command) => shell(`exec ${command}`).spawn(),
    [Symbol.asyncDispose]: () => Deno.remove(base, { recursive: true }),
  };
}
