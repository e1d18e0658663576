// deno-lint-ignore-file no-console
// The figures in README.md: runs the benches, reads what they print, and writes it down with the
// command and the date. `deno task figures` takes all, `deno task figures startup bridge` those of
// some; --check runs nothing and fails for a row that no command stands behind. Invents no number:
// a row whose line is not found in the output stays as it was, with its date.

import { formatMarkdown, readBlock, README, replaceBlock, table } from "./reference.ts";

/** One row: what was measured, and how its value is read from what the command printed. */
export interface Figure {
  readonly what: string;
  read(output: string): string;
}

/** A command to type in the checkout, with what is read from its output. */
export interface Source {
  readonly name: string;
  readonly command: string;
  readonly figures: readonly Figure[];
}

const BLOCK = "figures";

/** The groups of the first match of `pattern`; throws when there is none. */
function find(output: string, pattern: RegExp): string[] {
  const match = pattern.exec(output);
  if (match === null) throw new Error(`Output holds nothing like ${pattern}`);
  return match.slice(1).map((group) => group.trim());
}

function findAll(output: string, pattern: RegExp): string[] {
  const found = [...output.matchAll(pattern)].map((match) => match[1]!.trim());
  if (found.length === 0) throw new Error(`Output holds nothing like ${pattern}`);
  return found;
}

function bench(name: string, figures: readonly Figure[]): Source {
  return { name, command: `deno task bench ${name}`, figures };
}

function ratioOf(output: string, name: RegExp, to: string): string {
  const [ratio] = find(output, new RegExp(`^\\s*${name.source}.*?([\\d.]+) ?x`, "m"));
  return `${ratio} × ${to}`;
}

/** Where each figure comes from, in the order of the table. */
export const SOURCES: readonly Source[] = [
  {
    name: "demo",
    command: "deno task demo",
    figures: [{
      what: "Tokens of the demo's task: one program against tool by tool",
      read(output) {
        const [calls] = find(output, /^calls\s+(\d+):/m);
        const [plain] = find(output, /tool by tool .* = ([\d,]+)$/m);
        const [ours] = find(output, /one program .* = ([\d,]+)$/m);
        const [saved] = find(output, /saved\s+([\d.]+ %)/);
        return `${ours} against ${plain} for ${calls} calls: ${saved} less`;
      },
    }],
  },
  bench("agent_path", [{
    what: "Tokens of five tasks with the recorded tools of published servers ¹",
    read(output) {
      const less = findAll(output, /programs take ([\d.]+) % less/g).map(Number);
      const more = [...output.matchAll(/plain calls take ([\d.]+ %) less/g)].map(([, it]) => it);
      const won = `${Math.min(...less)} to ${Math.max(...less)} % less in ${less.length}`;
      return more.length === 0
        ? won
        : `${won}; where one call of one small server is all, plain calls take ${more[0]} less`;
    },
  }]),
  bench("disclosure", [{
    what: "Tokens read before the first call: skills against all definitions ¹",
    read(output) {
      const rows = findAll(output, /^\S+ +\d+ +\d+ +\d+ +\d+ +(-?[\d.]+) %$/gm).map(Number);
      const losers = rows.filter((saving) => saving < 0).length;
      const [apart] = find(output, /added up: .*saving\s+([\d.]+ %)/);
      const [all] = find(output, /^ +saving\s+([\d.]+ %), gate/m);
      return `${all} less with ${rows.length} servers at once, ${apart} one by one; ` +
        `more for ${losers} small servers`;
    },
  }]),
  bench("tokens", [{
    what: "Estimates of tokens, against the tokenizer itself ¹",
    read(output) {
      const [all] = find(output, /^all +\d+ +\d+ +\d+ +(-?[\d.]+ %)/m);
      const [worst] = find(output, /mean error over servers [\d.]+ %, worst ([\d.]+ %)/);
      return `${all} off over all texts, ${worst} for the worst server`;
    },
  }]),
  {
    name: "types",
    command: "deno test -A tests/schema_gates_test.ts",
    figures: [
      ["official suite", "JSON-Schema-Test-Suite, 2020-12 and draft-07 ¹"],
      ["real tools", "Arguments and results of recorded tools ¹"],
      ["random schemas", "Schemas made at random, judged by Ajv"],
    ].map(([title, what]) => ({
      what: `Generated types. ${what}`,
      read(output) {
        const pattern = `${title}.*: valid accepted (\\S+) = (\\S+ %), .*refused (\\S+) = (\\S+ %)`;
        const [valid, accepted, invalid, refused] = find(output, new RegExp(pattern));
        return `accept ${accepted} of what is valid (${valid}), ` +
          `refuse ${refused} of what is not (${invalid})`;
      },
    })),
  },
  bench("codegen", [{
    what: "Generating the package of 50 tools, against json-schema-to-typescript",
    read(output) {
      const [ms] = find(output, /^ +mcp-exec +50 +([\d.]+)/m);
      const [times] = find(output, /^ +json-schema-to-typescript +50 .*, ([\d.]+) times ours/m);
      return `${ms} ms; the other takes ${times} × as long`;
    },
  }]),
  bench("escapes", [{
    what: "Attack programs in the sandbox, with only the clock to stop them",
    read(output) {
      const [files, programs] = find(output, /^files: +(\d+), programs (\d+)/m);
      const [median, p95, max] = find(output, /max: (\d+) \/ (\d+) \/ (\d+) ms/);
      const [unclean] = find(output, /^next run not clean: +(\d+)/m);
      return `all ${programs} (${files} files) ended, ${median} / ${p95} / ${max} ms late ` +
        `(median / p95 / worst); ${unclean} left anything for the next run`;
    },
  }]),
  bench("sandbox", [
    {
      what: "Metering, against the same engine without (nine kernels)",
      read: (output) => ratioOf(output, /metering:/, "the time"),
    },
    {
      what: "Fresh engine and a 2 KB script, against plain quickjs-emscripten",
      read: (output) => ratioOf(output, /mcp-exec, metered, prelude and limits/, "the time"),
    },
    {
      what: "Whole run of a trivial program on a warm worker",
      read: (output) => `${find(output, /trivial run .*?([\d.]+) \/ [\d.]+ ms/)[0]} ms`,
    },
  ]),
  bench("bridge", [
    {
      what: "A call through policy, rate, checks and journal, against the bare SDK client",
      read: (output) => ratioOf(output, /bridge with rules and a rate/, "the time"),
    },
    {
      what: "A call answered from the cache",
      read: (output) => `${find(output, /whole call from the cache +([\d.]+) us/)[0]} µs`,
    },
  ]),
  bench("calls", [{
    what: "100 calls of 20 ms made in parallel, against one",
    read: (output) => `${find(output, /ratio 100 to 1: +([\d.]+)/)[0]} × the time`,
  }]),
  bench("daemon", [{
    what: "A call of a server that `npx` starts, with the daemon against without",
    read: (output) => `1/${find(output, /^second to without: +1\/([\d.]+)/m)[0]} of the time`,
  }]),
  {
    name: "build",
    command: "deno task build",
    figures: [{
      what: "Size of the bundle, engine included",
      read(output) {
        const [files, bytes] = find(output, /dist: (\d+) files, (\d+) bytes/);
        return `${(Number(bytes) / 1e6).toFixed(1)} MB in ${files} files`;
      },
    }],
  },
  bench(
    "startup",
    [
      ["--version", "`mcp-exec --version`, against an empty script"],
      [
        "execute -e 'export default 1'",
        "`mcp-exec execute -e 'export default 1'`, against an empty script",
      ],
    ].map(([title, what]) => ({
      what: what!,
      read(output) {
        const line = new RegExp(
          `^${title} .*, ([\\d.]+) of empty Deno, ([\\d.]+) of empty Node`,
          "m",
        );
        const [deno, node] = find(output, line);
        return `${deno} × Deno's, ${node} × Node's`;
      },
    })),
  ),
  bench("index", [{
    what: "`search` over 10,000 tools of 50 servers, and the Tab key, beside `--help`",
    read(output) {
      const [search] = find(output, /^search .*, (-?[\d.]+) ms beside/m);
      const [tab] = find(output, /^Tab: a tool .*, (-?[\d.]+) ms beside/m);
      return `${search} ms more, ${tab} ms more`;
    },
  }]),
];

interface Row {
  readonly value: string;
  readonly date: string;
}

/** The rows that stand in `text`, by what was measured. */
function readRows(text: string): Map<string, Row & { readonly command: string }> {
  const lines = readBlock(text, BLOCK).split("\n").filter((line) => line.startsWith("| "));
  return new Map(
    lines.slice(2).map((line) => {
      const [what, value, command, date] = line.slice(1, -1).split(/(?<!\\)\|/).map((cell) =>
        cell.trim()
      );
      return [what!, { value: value!, command: command!.replaceAll("`", ""), date: date! }];
    }),
  );
}

async function run(command: string): Promise<string> {
  const [, ...words] = command.split(" ");
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: words,
    cwd: new URL("../", import.meta.url),
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** What is wrong with the rows of `text`: one line each, none when all is well. */
export function rowProblems(text: string): string[] {
  const rows = readRows(text);
  const problems: string[] = [];
  for (const { command, figures } of SOURCES) {
    for (const { what } of figures) {
      const row = rows.get(what);
      rows.delete(what);
      if (row === undefined) problems.push(`There is no row "${what}"`);
      else if (row.command !== command) problems.push(`Row "${what}" names another command`);
      else if (!/\d/.test(row.value)) problems.push(`Row "${what}" has no figure`);
      else if (!/^\d{4}-\d{2}-\d{2}$/.test(row.date)) problems.push(`Row "${what}" has no date`);
    }
  }
  for (const what of rows.keys()) problems.push(`No command stands behind row "${what}"`);
  return problems;
}

/** Measures the sources named in `names`, all when empty, and gives the new rows. */
async function measure(names: readonly string[]): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  for (const { name, command, figures } of SOURCES) {
    if (names.length > 0 && !names.includes(name)) continue;
    console.log(command);
    const output = await run(command);
    const date = new Date().toISOString().slice(0, 10);
    for (const { what, read } of figures) {
      try {
        rows.set(what, { value: read(output), date });
        console.log(`  ${what}: ${rows.get(what)!.value}`);
      } catch (error) {
        // The row stays as it is, with its own date.
        console.error(`  ${what}: ${error}\n${output.slice(-500)}`);
        Deno.exitCode = 1;
      }
    }
  }
  return rows;
}

if (import.meta.main) {
  if (Deno.args.includes("--check")) {
    const problems = rowProblems(await Deno.readTextFile(README));
    for (const problem of problems) console.error(`README.md: ${problem}`);
    Deno.exit(problems.length === 0 ? 0 : 1);
  }
  const known = SOURCES.map(({ name }) => name);
  const unknown = Deno.args.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`usage: deno task figures [--check | ${known.join(" | ")}]...`);
    Deno.exit(2);
  }
  const seen = await measure(Deno.args);
  // Read late: measuring takes minutes.
  const readme = await Deno.readTextFile(README);
  const old = readRows(readme);
  const rows = SOURCES.flatMap(({ command, figures }) =>
    figures.flatMap(({ what }) => {
      const row = seen.get(what) ?? old.get(what);
      return row === undefined ? [] : [[what, row.value, `\`${command}\``, row.date]];
    })
  );
  const content = table(["what", "seen", "command", "on"], rows);
  await Deno.writeTextFile(README, await formatMarkdown(replaceBlock(readme, BLOCK, content)));
}
