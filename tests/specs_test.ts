// Runs the command-line cases of `specs/*.json`, each in a process of its own in a fresh folder with
// its own home. A case holds: title, args, and where needed env, files, stdin, code, stdout, stderr
// (with [WILDCARD] for anything and [WILDLINE] for the rest of a line), and json (what the one
// document on stdout must hold at least). $ROOT stands for this checkout, $HONEST and $HOSTILE for
// the commands of the fixture servers. Adding a case needs no code.

import assert from "node:assert/strict";
import { assertHolds, matchesPattern, runCase, type SpecCase } from "./specs/run.ts";

const folder = new URL("./specs/", import.meta.url);
const KEYS = ["title", "args", "env", "files", "stdin", "code", "stdout", "stderr", "json"];
const cases: { file: string; spec: SpecCase }[] = [];
for (const entry of [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1)) {
  if (!entry.name.endsWith(".json")) continue;
  const specs: SpecCase[] = JSON.parse(Deno.readTextFileSync(new URL(entry.name, folder)));
  for (const spec of specs) cases.push({ file: entry.name.replace(".json", ""), spec });
}

Deno.test("specs: every case has a title of its own, and nothing that is not looked at", () => {
  const titles = cases.map(({ file, spec }) => `${file}: ${spec.title}`);
  assert.deepEqual(titles.filter((title, index) => titles.indexOf(title) !== index), []);
  for (const { file, spec } of cases) {
    const unknown = Object.keys(spec).filter((key) => !KEYS.includes(key));
    assert.deepEqual(unknown, [], `${file}: ${spec.title}`);
    const wanted = spec.stdout ?? spec.stderr ?? spec.json;
    assert.notEqual(wanted, undefined, `${file}: ${spec.title} looks at no output`);
  }
});

// A few cases run ahead of the one that is reported: starting a process is most of their time.
const AHEAD = 3;
const started = new Map<number, ReturnType<typeof runCase>>();
function outcomeOf(index: number): ReturnType<typeof runCase> {
  for (let next = index; next < Math.min(index + AHEAD, cases.length); next++) {
    if (started.has(next)) continue;
    const outcome = runCase(cases[next]!.spec);
    outcome.catch(() => {}); // reported by the case itself
    started.set(next, outcome);
  }
  return started.get(index)!;
}

for (const [index, { file, spec }] of cases.entries()) {
  Deno.test({
    name: `${file}: ${spec.title}`,
    // A case may end while the ones after it are running.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const { code, stdout, stderr, left } = await outcomeOf(index);
      const shown = `stdout:\n${stdout.slice(0, 3000)}\nstderr:\n${stderr.slice(0, 3000)}`;
      assert.equal(code, spec.code ?? 0, `exit code ${code}\n${shown}`);
      const wanted = spec.stdout ?? (spec.code && !spec.json ? "" : "[WILDCARD]");
      assert.ok(matchesPattern(stdout, wanted), `unexpected stdout\n${shown}`);
      assert.ok(matchesPattern(stderr, spec.stderr ?? "[WILDCARD]"), `unexpected stderr\n${shown}`);
      if (spec.json !== undefined) assertHolds(JSON.parse(stdout), spec.json);
      assert.deepEqual(left, [], "processes left running");
      assert.doesNotMatch(stderr, /^\s+at .*:\d+:\d+\)?$/m, "a stack is shown");
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(stdout + stderr, /\x1b/, "terminal escapes in a pipe");
    },
  });
}

Deno.test("matchesPattern takes the rest of a line or anything for its wildcards", () => {
  assert.ok(matchesPattern("a 12 ms\nb\n", "a [WILDLINE]\nb\n"));
  assert.ok(!matchesPattern("a 12 ms\nx\nb\n", "a [WILDLINE]\nb\n"));
  assert.ok(matchesPattern("a\nx\nb\n", "a[WILDCARD]b\n"));
  assert.ok(!matchesPattern("a (b)", "a .b."));
});

Deno.test("assertHolds fails for a value that is missing or differs", () => {
  assertHolds({ a: [{ b: 1, c: 2 }], d: 3 }, { a: [{ b: 1 }] });
  assert.throws(() => assertHolds({ a: 1 }, { b: 1 }));
  assert.throws(() => assertHolds({ a: [1, 2] }, { a: [1] }));
});
