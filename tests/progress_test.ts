// deno-lint-ignore-file no-control-regex
import assert from "node:assert/strict";
import { type Context, pathsOf } from "../src/context.ts";
import { createProgress, NO_PROGRESS } from "../src/progress.ts";
import { eventually } from "./eventually.ts";

/** A context on a terminal, and everything that was written to it in order. */
function terminal(
  values: Record<string, string> = {},
  isTerminal = { in: true, out: true, error: true },
) {
  const written: string[] = [];
  const env = { get: (name: string) => values[name], toObject: () => values };
  const context: Context = {
    args: [],
    env,
    cwd: "/",
    platform: "linux",
    paths: pathsOf(env, { platform: "linux", cwd: "/" }),
    writeOut: (text) => written.push(`out:${text}`) > 0,
    writeError: (text) => void written.push(text),
    readInput: () => Promise.reject(new Error("nothing to read")),
    confirm: (question) => Promise.resolve(written.push(`ask:${question}`) > 0),
    isTerminal,
    columns: 60,
    signal: new AbortController().signal,
    now: () => 0,
  };
  return { context, written };
}

const PLAIN = { quiet: false, color: false, delayMs: 0 };

/** Waits until the line was drawn once more. */
async function drawn(written: readonly string[]): Promise<string> {
  const before = written.length;
  await eventually(() => written.length > before);
  return written.at(-1)!;
}

/** A test whose lines are closed at its end, also where it fails: they would meet the next one. */
function test(name: string, body: (create: typeof createProgress) => void | Promise<void>): void {
  Deno.test(name, async () => {
    const lines: { close(): void }[] = [];
    try {
      await body((...given) => {
        const made = createProgress(...given);
        lines.push(made.progress);
        return made;
      });
    } finally {
      for (const line of lines) line.close();
    }
  });
}

test("createProgress shows the last that began and how many more there are", async (create) => {
  const { context, written } = terminal();
  const { progress } = create(context, PLAIN);
  const one = progress.begin('Connecting to "one"');
  assert.match(await drawn(written), /^\r\x1b\[K\S Connecting to "one"( \(\d+ s\))?$/);
  const two = progress.begin('Connecting to "two"');
  assert.match(await drawn(written), /Connecting to "two" and 1 more( \(\d+ s\))?$/);
  two.say('Reading tools of "two": 40');
  assert.match(await drawn(written), /Reading tools of "two": 40 and 1 more( \(\d+ s\))?$/);
  two.end();
  two.end();
  assert.match(await drawn(written), /Connecting to "one"( \(\d+ s\))?$/);
  one.end();
  assert.equal(written.at(-1), "\r\x1b[K");
});

test("createProgress does not count what the others are a part of", async (create) => {
  const { context, written } = terminal();
  const { progress } = create(context, PLAIN);
  progress.begin("Running code.ts", { isWhole: true });
  assert.match(await drawn(written), /\S Running code\.ts( \(\d+ s\))?$/);
  const one = progress.begin('Connecting to "one"');
  assert.match(await drawn(written), /Connecting to "one"( \(\d+ s\))?$/);
  const two = progress.begin('Connecting to "two"');
  assert.match(await drawn(written), /Connecting to "two" and 1 more( \(\d+ s\))?$/);
  two.end();
  one.end();
  assert.match(await drawn(written), /Running code\.ts( \(\d+ s\))?$/);
  progress.close();
});

test("createProgress writes nothing before the delay, nor for what ends before it", async (create) => {
  const [patient, ended, shown] = [terminal(), terminal(), terminal()];
  const { progress } = create(patient.context, { ...PLAIN, delayMs: 60_000 });
  progress.begin("Not yet");
  const { progress: second } = create(ended.context, PLAIN);
  for (let count = 0; count < 3; count++) second.begin("Soon done").end();
  second.begin("Left open");
  second.close();
  // Of timers that are due the earliest goes first: once this one went, all that were have gone.
  const { progress: last } = create(shown.context, PLAIN);
  last.begin("Shown");
  await drawn(shown.written);
  for (const each of [progress, last]) each.close();
  assert.deepEqual([patient.written, ended.written], [[], []]);
});

test("createProgress erases its line before anything else is written", async (create) => {
  const { context: plain, written } = terminal();
  const { progress, context } = create(plain, PLAIN);
  progress.begin("Working");
  for (const write of ["writeOut", "writeError"] as const) {
    await drawn(written);
    const before = written.length;
    context[write]("text\n");
    assert.deepEqual(written.slice(before), [
      "\r\x1b[K",
      write === "writeOut" ? "out:text\n" : "text\n",
    ]);
  }
  await drawn(written);
  const before = written.length;
  assert.equal(await context.confirm!("Sure?"), true);
  assert.deepEqual(written.slice(before), ["\r\x1b[K", "ask:Sure?"]);
  assert.match(await drawn(written), /Working$/);
  progress.close();
  assert.equal(written.at(-1), "\r\x1b[K");
});

test("createProgress leaves stdout alone where that is no terminal", async (create) => {
  const { context: plain, written } = terminal({}, { in: true, out: false, error: true });
  const { progress, context } = create(plain, PLAIN);
  progress.begin("Working");
  await drawn(written);
  context.writeOut("text\n");
  assert.equal(written.at(-1), "out:text\n");
  assert.notEqual(written.at(-2), "\r\x1b[K");
  progress.close();
});

test("createProgress is nothing in a pipe, with CI, on a dumb terminal and with --quiet", (create) => {
  const pipe = terminal({}, { in: true, out: true, error: false }).context;
  const cases = [
    create(pipe, PLAIN),
    create(terminal({ CI: "1" }).context, PLAIN),
    create(terminal({ TERM: "dumb" }).context, PLAIN),
    create(terminal().context, { ...PLAIN, quiet: true }),
  ];
  for (const { progress } of cases) assert.equal(progress, NO_PROGRESS);
  assert.equal(create(pipe, PLAIN).context, pipe);
});

test("createProgress keeps to one line and obeys no text it shows (H22)", async (create) => {
  const { context, written } = terminal();
  const { progress } = create(context, { ...PLAIN, color: true });
  progress.begin("\x1b[2J" + "界".repeat(50));
  const line = (await drawn(written)).replace("\r\x1b[K", "").replace(/\x1b\[2?2m/g, "");
  assert.ok(!line.includes("\x1b"), JSON.stringify(line));
  assert.ok(line.replace(/[^\x00-\x7f]/g, "  ").length <= 60, line);
  progress.close();
});
