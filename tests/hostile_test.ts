// Runs the cases of hostile_cases.ts over stdio and over HTTP through the command line, and looks
// after each at what is left: no process, no file of its own, no stack, no memory.

import assert from "node:assert/strict";
import { runCli } from "../src/cli.ts";
import type { Context } from "../src/context.ts";
import { CASES, type HostileCase, type Wanted, type Way } from "./hostile_cases.ts";
import { listen } from "./servers/start.ts";
import { processesIn, PROGRAM } from "./specs/run.ts";

const HOSTILE = new URL("./servers/hostile.ts", import.meta.url).pathname;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The most memory the program had, where it was a process of its own. */
  readonly peakMiB?: number;
}

/** The entry of a configuration for a server in `mode`. */
function entryOf(mode: string, place: { way: Way; base: string; folder: string; notes: string }) {
  const { way, base, folder, notes } = place;
  return way === "http" ? { url: `${base}/${mode}?notes=${encodeURIComponent(notes)}` } : {
    command: Deno.execPath(),
    args: ["run", "-A", "--no-lock", HOSTILE, mode],
    cwd: folder,
    env: { NOTES: notes },
  };
}

async function runHere(args: readonly string[], folder: string): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const env: Record<string, string> = {
    PATH: Deno.env.get("PATH") ?? "",
    HOME: Deno.env.get("HOME") ?? "",
  };
  const context: Context = {
    args,
    env: { get: (name) => env[name], toObject: () => ({ ...env }) },
    cwd: folder,
    platform: "linux",
    paths: { home: folder, config: `${folder}/config`, data: `${folder}/data` },
    writeOut: (text) => (stdout += text) !== "",
    writeError: (text) => void (stderr += text),
    readInput: () => Promise.resolve(new Uint8Array()),
    isTerminal: { in: false, out: false, error: false },
    columns: 80,
    signal: new AbortController().signal,
    now: () => Date.now(),
  };
  return { code: await runCli(context), stdout, stderr };
}

/** Runs the program as a process and watches its memory. */
async function runApart(args: readonly string[], folder: string): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...PROGRAM, ...args],
    cwd: folder,
    env: { XDG_CONFIG_HOME: `${folder}/xdg`, XDG_DATA_HOME: `${folder}/data` },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let peakMiB = 0;
  const watch = setInterval(() => {
    try {
      const status = Deno.readTextFileSync(`/proc/${child.pid}/status`);
      peakMiB = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024 || peakMiB;
    } catch {
      // It has ended, or the system does not tell.
    }
  }, 10);
  const { code, stdout, stderr } = await child.output();
  clearInterval(watch);
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr), peakMiB };
}

function check(outcome: Outcome, wanted: Wanted, { format }: HostileCase): void {
  const { code, stdout, stderr } = outcome;
  const shown = `stdout:\n${stdout.slice(0, 2000)}\nstderr:\n${stderr.slice(0, 2000)}`;
  assert.equal(code, wanted.code ?? 0, `exit code ${code}\n${shown}`);
  const warnings = stderr.split("\n").filter((line) => line.startsWith("warning: "));
  assert.equal(warnings.length, wanted.warnings?.length ?? 0, shown);
  for (const [at, pattern] of (wanted.warnings ?? []).entries()) {
    assert.match(warnings[at]!.slice("warning: ".length), pattern);
  }
  assert.doesNotMatch(stderr, /^\s+at .*:\d+:\d+\)?$/m, "a stack is shown");
  for (const pattern of wanted.shows ?? []) assert.match(stdout + stderr, pattern);
  for (const pattern of wanted.hides ?? []) assert.doesNotMatch(stdout + stderr, pattern);
  if (format === "text") return;
  const document = JSON.parse(stdout);
  assert.equal(document.ok ?? true, code === 0, shown);
  const { error = {} } = document;
  if (wanted.kind !== undefined) assert.equal(error.kind, wanted.kind, shown);
  if (wanted.message !== undefined) assert.match(error.message ?? "", wanted.message, shown);
  if (wanted.hint !== undefined) assert.match(error.hint ?? "", wanted.hint, shown);
  const { detail } = wanted;
  if (detail !== undefined) {
    assert.ok((error.detail ?? []).some((line: string) => detail.test(line)), shown);
  }
  if ("result" in wanted) assert.deepEqual(document.result, wanted.result, shown);
}

async function checkFiles(
  folder: string,
  { shows, hides }: NonNullable<Wanted["files"]>,
): Promise<void> {
  const texts: string[] = [];
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile) texts.push(await Deno.readTextFile(`${folder}/${name}`));
  }
  for (const pattern of shows) assert.match(texts.join("\n"), pattern);
  for (const text of texts) {
    for (const pattern of hides) assert.doesNotMatch(text, pattern);
  }
}

async function runCase(item: HostileCase, way: Way, base: string): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-hostile-" }));
  try {
    const place = { way, base, folder, notes: `${folder}/notes` };
    const mcpServers = {
      it: item.entry ?? entryOf(item.mode, place),
      ...(item.other !== undefined && {
        other: entryOf(item.other, { ...place, notes: `${folder}/notes-other` }),
      }),
    };
    await Deno.mkdir(`${folder}/config`);
    const config = `${folder}/config/config.json`;
    await Deno.writeTextFile(config, JSON.stringify({ mcpServers, ...item.config }));
    const format = item.format ?? "json";
    const args = [...item.args, "--config", config, "--format", format];
    const outcome = await (item.memoryMiB === undefined ? runHere : runApart)(args, folder);
    const left = await processesIn(folder);
    const wanted = way === "http" && item.http !== undefined ? item.http : item.wanted;
    check(outcome, wanted, item);
    assert.deepEqual(left, [], "processes left running");
    const { peakMiB } = outcome;
    if (peakMiB !== undefined) assert.ok(peakMiB <= item.memoryMiB!, `${peakMiB} MiB`);
    if (wanted.files !== undefined) await checkFiles(`${folder}/skill`, wanted.files);
    const notes = (await Deno.readTextFile(place.notes).catch(() => "")).split("\n");
    for (const [word, count] of Object.entries(wanted.asked ?? {})) {
      assert.equal(notes.filter((note) => note === word).length, count, `${word}\n${notes}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const way of ["stdio", "http"] as const) {
  const cases = CASES.filter(({ only }) => only === undefined || only[0] === way);
  Deno.test(`hostile servers over ${way} get nothing and leave nothing`, async (context) => {
    await using server = await listen("hostile", "all");
    const base = new URL(server.url).origin;
    for (const item of cases) {
      await context.step(`${item.title} (${item.ids})`, () => runCase(item, way, base));
    }
  });
}
