// deno-lint-ignore-file no-console
// The help of every command, as it stands in `golden/help.txt`. After a change that is meant:
//   deno run -A tests/help_test.ts > tests/golden/help.txt

import assert from "node:assert/strict";
import { printed, rowsOf } from "../scripts/man.ts";

const GLOBAL = "\nGLOBAL OPTIONS";

/** The words of every command, those of groups behind the group's own. */
async function commandsOf(words: readonly string[] = []): Promise<string[][]> {
  const help = await printed([...words, "--help"]);
  const list = /^COMMANDS\n((?: .*\n)+)/m.exec(help)?.[1] ?? "";
  const names = rowsOf(list).map(({ name }) => name).filter((name) => /^[a-z-]+$/.test(name));
  const below = await Promise.all(names.map((name) => commandsOf([...words, name])));
  return [[...words], ...below.flat()];
}

async function allHelp(): Promise<string> {
  const parts = [];
  for (const words of await commandsOf()) {
    const help = await printed([...words, "--help"]);
    // What is the same for all stands there once.
    const own = words.length === 0 ? help : help.slice(0, help.indexOf(GLOBAL));
    parts.push(`$ ${["mcp-exec", ...words, "--help"].join(" ")}\n${own.trimEnd()}\n`);
  }
  return parts.join("\n");
}

if (import.meta.main) {
  console.log((await allHelp()).trimEnd());
} else {
  Deno.test("--help of every command prints what it is known to print", async () => {
    const known = await Deno.readTextFile(new URL("./golden/help.txt", import.meta.url));
    assert.equal(await allHelp(), known, "see the beginning of this file");
  });

  Deno.test("--help of every command has examples, and no line too long for a terminal", async () => {
    for (const words of await commandsOf()) {
      const help = await printed([...words, "--help"]);
      assert.match(help, /^EXAMPLES$/m, words.join(" "));
      const long = help.split("\n").filter((line) => line.length > 120);
      assert.deepEqual(long, [], words.join(" "));
    }
  });
}
