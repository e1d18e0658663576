// deno-lint-ignore-file no-console
// The parts of the documents that follow from the program: commands and limits in README.md, and
// .github/REFERENCE.md with the help of every command. `deno task reference` writes them; with
// --check it writes nothing, and fails when one of them is out of date.

import {
  CALL_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  DEFAULT_RUN_LIMITS,
  formatBytes,
  formatCount,
  formatDuration,
  HANDLE_HOURS,
  HTTP_RATE,
  IDLE_CONNECTION_MS,
  JOURNAL_DAYS,
  LIST_TIMEOUT_MS,
  MAX_CACHE_BYTES,
  MAX_CACHE_ENTRIES,
  MAX_CALLS_IN_FLIGHT,
  MAX_CONNECTIONS,
  MAX_HANDLE_BYTES,
  MAX_HANDLES_BYTES,
  MAX_HTTP_CONNECTIONS,
  MAX_JOURNAL_BYTES,
  MAX_LINE_BYTES,
  MAX_LOG_BYTES,
  MAX_LOG_LINES,
  MAX_OUTPUT_BYTES,
  MAX_PARAMS_BYTES,
  MAX_RESULT_BYTES,
  MAX_SOURCE_BYTES,
  MAX_STATE_BYTES,
  MAX_STATE_KEYS,
  MAX_STATE_VALUE_BYTES,
  MAX_TOOLS,
  MAX_WORKSPACE_FILE_BYTES,
  MAX_WORKSPACE_WRITTEN_BYTES,
  STATE_DAYS,
} from "../src/limits.ts";
import { printed, rowsOf } from "./man.ts";

const ROOT = new URL("../", import.meta.url);
/** The file that blocks stand in. */
export const README = new URL("README.md", ROOT);
const REFERENCE = new URL(".github/REFERENCE.md", ROOT);

/** The text between the markers of `name`; throws when the markers are not there once. */
export function readBlock(text: string, name: string): string {
  const parts = text.split(blockPattern(name));
  if (parts.length !== 3) throw new Error(`There is not one block "${name}"`);
  return parts[1]!.trim();
}

/** `text` with `content` between the markers of `name`; throws when they are not there once. */
export function replaceBlock(text: string, name: string, content: string): string {
  readBlock(text, name);
  return text.replace(blockPattern(name), (whole) => {
    const lines = whole.split("\n");
    return [lines[0], "", content.trim(), "", lines.at(-1)].join("\n");
  });
}

function blockPattern(name: string): RegExp {
  return new RegExp(`<!-- begin ${name}:[^\\n]*-->\\n([^]*?)<!-- end ${name} -->`);
}

/** A Markdown table; bars in cells are escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** `text` as `deno fmt` lays it out. */
export async function formatMarkdown(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "md", "-"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(text));
  await input.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("The text could not be formatted");
  return new TextDecoder().decode(stdout);
}

interface HelpPage {
  readonly words: readonly string[];
  readonly brief: string;
  readonly text: string;
  /** Commands below this one. */
  readonly below: readonly string[];
}

async function helpPages(words: readonly string[], brief: string): Promise<HelpPage[]> {
  const help = await printed([...words, "--help"]);
  const list = /^COMMANDS\n((?: .*\n)+)/m.exec(help)?.[1] ?? "";
  const rows = rowsOf(list).filter(({ name }) => /^[a-z-]+$/.test(name));
  const pages = await Promise.all(
    rows.map(({ name, text }) => helpPages([...words, name], text)),
  );
  const own = words.length === 0 ? help : help.slice(0, help.indexOf("\nGLOBAL OPTIONS"));
  return [
    { words, brief, text: own.trimEnd(), below: rows.map(({ name }) => name) },
    ...pages.flat(),
  ];
}

function commandsTable(pages: readonly HelpPage[]): string {
  const rows = pages.filter(({ words }) => words.length === 1).map(({ words, brief, below }) => {
    const link = `[\`${words[0]}\`](.github/REFERENCE.md#${words[0]})`;
    const more = below.length === 0 ? "" : `: ${below.map((name) => `\`${name}\``).join(", ")}`;
    return [link, brief + more];
  });
  return table(["command", "does"], rows);
}

function referencePage([root, ...pages]: readonly HelpPage[]): string {
  const parts = pages.map(({ words, text }) =>
    `${"#".repeat(words.length + 1)} ${words.join(" ")}\n\n\`\`\`text\n${text}\n\`\`\`\n`
  );
  return `# Command reference\n\nWhat \`mcp-exec --help\` and \`mcp-exec <command> --help\` print, ` +
    `written here by \`deno task reference\`.\n\n\`\`\`text\n${root!.text}\n\`\`\`\n\n${
      parts.join("\n")
    }`;
}

function limitsTable(): string {
  const { fuel, wallMs, memory, calls } = DEFAULT_RUN_LIMITS;
  return table(["thing", "bound", "set with"], [
    ["computing of a run", `${formatCount(fuel)} units of fuel, some 10 s`, setting("fuel")],
    [
      "wall clock of a run",
      `${formatDuration(wallMs)}, connecting not counted`,
      setting("timeout"),
    ],
    ["memory of a run", formatBytes(memory), setting("memory")],
    [
      "calls of a run, and at once",
      `${formatCount(calls)}, ${MAX_CALLS_IN_FLIGHT}`,
      "`--max-calls`, `limits.calls`",
    ],
    [
      "connecting, listing, one call",
      [CONNECT_TIMEOUT_MS, LIST_TIMEOUT_MS, CALL_TIMEOUT_MS].map(formatDuration).join(", "),
      "`--server-timeout`, `limits.callTimeouts`",
    ],
    ["parameters of a call", formatBytes(MAX_PARAMS_BYTES), ""],
    [
      "result of a call",
      `${formatBytes(MAX_RESULT_BYTES)}; up to ${formatBytes(MAX_HANDLE_BYTES)} by a handle`,
      "",
    ],
    ["result of a run", formatBytes(MAX_OUTPUT_BYTES), ""],
    ["handles", `${HANDLE_HOURS} h, ${formatBytes(MAX_HANDLES_BYTES)} in all`, ""],
    ["log of a run", `${formatCount(MAX_LOG_LINES)} lines, ${formatBytes(MAX_LOG_BYTES)}`, ""],
    ["source of a program", formatBytes(MAX_SOURCE_BYTES), ""],
    [
      "state of a session",
      `${formatCount(MAX_STATE_KEYS)} keys, ${formatBytes(MAX_STATE_VALUE_BYTES)} a value, ` +
      `${formatBytes(MAX_STATE_BYTES)} in all, ${STATE_DAYS} days`,
      "",
    ],
    [
      "workspace",
      `${formatBytes(MAX_WORKSPACE_FILE_BYTES)} a file, ` +
      `${formatBytes(MAX_WORKSPACE_WRITTEN_BYTES)} written by a run`,
      "",
    ],
    ["tools of a server", formatCount(MAX_TOOLS), ""],
    ["one message of a stdio server", formatBytes(MAX_LINE_BYTES), ""],
    [
      "connections",
      `1 a stdio server, ${MAX_HTTP_CONNECTIONS} an HTTP one, ${MAX_CONNECTIONS} in all, ` +
      `idle for ${formatDuration(IDLE_CONNECTION_MS)}`,
      "`limits.idle`",
    ],
    [
      "calls of a tool over HTTP",
      `${HTTP_RATE.perSecond} a second, ${HTTP_RATE.burst} at once`,
      "`limits.rate`",
    ],
    [
      "kept results",
      `none; of tools that you name ${formatCount(MAX_CACHE_ENTRIES)}, ${
        formatBytes(MAX_CACHE_BYTES)
      }`,
      "`cache.tools`, `cache.entries`, `cache.size`",
    ],
    ["journal", `${JOURNAL_DAYS} days, ${formatBytes(MAX_JOURNAL_BYTES)}`, ""],
  ]);
}

function setting(name: string): string {
  return `\`--${name}\`, \`limits.${name}\``;
}

/** The documents as they should be, by path below the checkout. */
export async function documents(): Promise<ReadonlyMap<URL, string>> {
  const pages = await helpPages([], "");
  let readme = await Deno.readTextFile(README);
  readme = replaceBlock(readme, "commands", commandsTable(pages));
  readme = replaceBlock(readme, "limits", limitsTable());
  return new Map([
    [README, await formatMarkdown(readme)],
    [REFERENCE, await formatMarkdown(referencePage(pages))],
  ]);
}

if (import.meta.main) {
  const isCheck = Deno.args.includes("--check");
  for (const [file, text] of await documents()) {
    const old = await Deno.readTextFile(file).catch(() => "");
    if (old === text) continue;
    const name = file.pathname.slice(ROOT.pathname.length);
    if (isCheck) {
      console.error(`${name} is out of date: deno task reference`);
      Deno.exitCode = 1;
    } else {
      await Deno.writeTextFile(file, text);
      console.log(name);
    }
  }
}
