// deno-lint-ignore-file no-console
// The man page, made from what `--help` prints, so that it says nothing the program does not.
// `deno task man [FILE]` writes it to a file or prints it; a release puts it into every archive.

import { runCli } from "../src/cli.ts";
import { type Context, pathsOf } from "../src/context.ts";
import { VERSION } from "../src/version.ts";

/** A help text, cut at the headings that stand at the margin in capitals. */
export type HelpSections = ReadonlyMap<string, string>;

/** One command with the words that name it, such as `server add`. */
export interface CommandHelp {
  readonly words: string;
  readonly brief: string;
  readonly sections: HelpSections;
}

/** Where things are on Linux; elsewhere in the places of the platform. */
const FILES = [
  ["~/.config/mcp-exec/config.json", "Servers and settings ($XDG_CONFIG_HOME/mcp-exec)"],
  [".mcp-exec.json", "Servers and settings of a project, which start only once trusted"],
  ["/etc/mcp-exec/config.json", "Policy of the machine, which other files only narrow"],
  [
    "~/.local/share/mcp-exec/",
    "The journal, the index of tools and kept sessions ($XDG_DATA_HOME/mcp-exec)",
  ],
] as const;

const NAME_AND_TEXT = /^ {2}(\S.*?) {2,}(\S.*)$/;

/** What the program prints for `args` in a pipe, without configuration; throws what it complains of. */
export async function printed(args: readonly string[]): Promise<string> {
  let text = "";
  const env = { get: () => undefined, toObject: () => ({}) };
  const context: Context = {
    args,
    env,
    cwd: "/",
    platform: "linux",
    paths: pathsOf(env, { platform: "linux", cwd: "/" }),
    writeOut(part) {
      text += part;
      return true;
    },
    writeError(part) {
      throw new Error(part);
    },
    readInput: () => Promise.resolve(new Uint8Array()),
    isTerminal: { in: false, out: false, error: false },
    columns: 80,
    signal: new AbortController().signal,
    now: () => 0,
  };
  await runCli(context);
  return text;
}

async function printedHelp(args: readonly string[]): Promise<HelpSections> {
  const text = await printed([...args, "--help"]);
  const parts = text.split(/^([A-Z][A-Z ]+)(?=\n|,[^\n]*\n)/m);
  const sections = new Map([["", parts[0]!.trim()]]);
  for (let index = 1; index < parts.length; index += 2) {
    // A heading may go on, as in "GLOBAL OPTIONS, before or after the command".
    sections.set(parts[index]!, parts[index + 1]!.replace(/^[^\n]*\n/, "").trimEnd());
  }
  return sections;
}

/** A name with its text, as lists of commands and flags have them. */
export interface HelpRow {
  readonly name: string;
  readonly text: string;
}

/** The rows of a list; lines that are none are left out. */
export function rowsOf(block: string): HelpRow[] {
  return block.split("\n").flatMap((line) => {
    const [, name, text] = NAME_AND_TEXT.exec(line) ?? [];
    return name === undefined ? [] : [{ name, text: text! }];
  });
}

/** The program's own help, and that of each command in the order of the table. */
export async function readHelp(): Promise<{ root: HelpSections; commands: CommandHelp[] }> {
  const root = await printedHelp([]);
  const commands: CommandHelp[] = [];
  for (const { name, text } of rowsOf(root.get("COMMANDS") ?? "")) {
    const sections = await printedHelp([name]);
    commands.push({ words: name, brief: text, sections });
    for (const row of rowsOf(sections.get("COMMANDS") ?? "")) {
      const words = `${name} ${row.name}`;
      commands.push({ words, brief: row.text, sections: await printedHelp(words.split(" ")) });
    }
  }
  return { root, commands };
}

/** The man page in roff, its date as `YYYY-MM-DD` (of today unless given). */
export async function manPage(options: { date?: string } = {}): Promise<string> {
  const date = options.date ?? new Date().toISOString().slice(0, 10);
  const { root, commands } = await readHelp();
  const [about = "", ...more] = (root.get("") ?? "").split("\n");
  const global = root.get("GLOBAL OPTIONS") ?? "";
  const shared = serverRows(commands);
  const lines = [
    `.TH MCP\\-EXEC 1 "${date}" "mcp\\-exec ${VERSION}" "User Commands"`,
    ".SH NAME",
    `mcp\\-exec \\- ${prose(about.replace(/^mcp-exec |\.$/g, ""))}`,
    ".SH SYNOPSIS",
    ".nf",
    ...code(root.get("USAGE") ?? "").map((line) => `.B ${line}`),
    ".fi",
    ".SH DESCRIPTION",
    ...body([about, ...more].join("\n")),
    ".PP",
    ...body((root.get("COMMANDS") ?? "").split("\n\n").slice(1).join("\n\n")),
    ".SH COMMANDS",
    ...commands.flatMap((command) => commandLines(command, shared)),
    ".SH SERVER OPTIONS",
    "Of the commands that talk to servers:",
    ...rowLines(shared),
    ".SH GLOBAL OPTIONS",
    "Before or after the command:",
    ...rowLines(rowsOf(global)),
    ...global.split("\n").filter((line) => line !== "" && !NAME_AND_TEXT.test(line)).flatMap((
      line,
    ) => [".TP", `.B ${code(line)[0]}`]),
    ".SH ENVIRONMENT",
    ...body(dedent(root.get("ENVIRONMENT") ?? "")),
    ".SH EXIT STATUS",
    ...body(dedent(root.get("EXIT CODES") ?? "")),
    ".SH FILES",
    ...FILES.flatMap(([path, text]) => [".TP", `.I ${code(path)[0]}`, prose(text)]),
    ".SH EXAMPLES",
    ...verbatim(root.get("EXAMPLES") ?? ""),
  ];
  return `${lines.join("\n")}\n`;
}

function commandLines(
  { words, brief, sections }: CommandHelp,
  shared: readonly HelpRow[],
): string[] {
  const [usage = "", ...rest] = (sections.get("USAGE") ?? "").split("\n\n");
  const flags = rowsOf(sections.get("FLAGS") ?? "");
  const takesAll = shared.every((row) => isIn(row, flags));
  const own = takesAll ? flags.filter((row) => !isIn(row, shared)) : flags;
  const examples = sections.get("EXAMPLES");
  return [
    `.SS mcp\\-exec ${prose(words)}`,
    `${prose(brief)}.`,
    ".PP",
    ".nf",
    ...code(usage).map((line) => `.B ${line}`),
    ".fi",
    ".PP",
    ...body(rest.join("\n\n")),
    ...rowLines(own),
    ...(takesAll ? [".PP", "Takes the server options, too."] : []),
    ...(examples === undefined ? [] : [".PP", "Examples:", ...verbatim(examples)]),
  ];
}

/** The flags that name servers and all that goes with them; most commands have the same. */
export function serverRows(commands: readonly CommandHelp[]): HelpRow[] {
  const lists = commands.map(({ sections }) => rowsOf(sections.get("FLAGS") ?? ""));
  const [first = [], ...others] = lists.filter((rows) =>
    rows.some(({ name }) => name.startsWith("--stdio "))
  );
  return first.filter((row) => others.every((rows) => isIn(row, rows)));
}

function isIn(row: HelpRow, rows: readonly HelpRow[]): boolean {
  return rows.some(({ name, text }) => name === row.name && text === row.text);
}

/** Paragraphs: text, lists of names with a text each, and lines that stand as they are. */
function body(text: string): string[] {
  return text.split(/\n{2,}/).filter((part) => part.trim() !== "").flatMap((part, index) => {
    const lines = part.split("\n").filter((line) => line !== "");
    const between = index === 0 ? [] : [".PP"];
    if (!lines.every((line) => line.startsWith("  "))) {
      return [...between, ...lines.map((line) => prose(line))];
    }
    return lines.every((line) => NAME_AND_TEXT.test(line) && !line.includes("//"))
      ? rowLines(rowsOf(part))
      : [...between, ...verbatim(part)];
  });
}

function rowLines(rows: readonly HelpRow[]): string[] {
  return rows.flatMap(({ name, text }) => [".TP", `.B ${code(name)[0]}`, prose(text)]);
}

function verbatim(block: string): string[] {
  return [".RS 2", ".nf", ...code(dedent(block)), ".fi", ".RE"];
}

function dedent(block: string): string {
  return block.replace(/^ {2}/gm, "").trim();
}

/** Lines to be typed: every sign as it stands, also when copied from the page. */
function code(block: string): string[] {
  return dedent(block).split("\n").map((line) => escape(line).replaceAll("-", "\\-"));
}

/** Text to be read: only what belongs to a flag keeps its hyphens. */
function prose(line: string): string {
  return escape(line).replace(
    /(^|[\s("])(--?[a-z][a-z-]*)/g,
    (_, before, flag) => before + flag.replaceAll("-", "\\-"),
  );
}

const SPECIAL: Readonly<Record<string, string>> = {
  "\\": "\\e",
  '"': "\\(dq",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
};

function escape(line: string): string {
  return line.trimEnd()
    .replace(/[\\"'`^~]/g, (sign) => SPECIAL[sign]!)
    .replace(
      /[^\0-\x7f]/gu,
      (sign) => `\\[u${sign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
    )
    .replace(/^\./, "\\&.");
}

if (import.meta.main) {
  const page = await manPage();
  if (Deno.args[0] === undefined) console.log(page.trimEnd());
  else await Deno.writeTextFile(Deno.args[0], page);
}
