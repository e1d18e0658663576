import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { createLog, type LogOptions } from "../src/log.ts";

function logged(options: LogOptions): string[] {
  const lines: string[] = [];
  const log = createLog((text) => lines.push(text), options);
  log.debug("d");
  log.info("i");
  log.warn("w");
  return lines;
}

Deno.test("createLog writes one finished line a message and keeps debug for verbose", () => {
  deepStrictEqual(logged({}), ["i\n", "warning: w\n"]);
  deepStrictEqual(logged({ verbose: true }), ["debug: d\n", "i\n", "warning: w\n"]);
});

Deno.test("createLog drops everything when quiet, verbose or not", () => {
  deepStrictEqual(logged({ quiet: true }), []);
  deepStrictEqual(logged({ quiet: true, verbose: true }), []);
});

Deno.test("createLog colours the prefix and nothing else, only where asked", () => {
  deepStrictEqual(logged({ color: true }), [
    "i\n",
    "\x1b[33mwarning:\x1b[0m w\n",
  ]);
});

Deno.test("createLog prints each distinct warning once, and not without end", () => {
  const lines: string[] = [];
  const log = createLog((text) => lines.push(text));
  for (let round = 0; round < 3; round++) {
    for (const text of ["a", "b"]) log.warn(text);
  }
  deepStrictEqual(lines, ["warning: a\n", "warning: b\n"]);
  for (let count = 0; count < 1_000; count++) log.warn(`flood ${count}`);
  strictEqual(lines.length, 201);
  strictEqual(lines.at(-1), "warning: Further warnings are not shown\n");
});

Deno.test("createLog lets no message break its line or reach the terminal raw (H22)", () => {
  const lines: string[] = [];
  const log = createLog((text) => lines.push(text), { verbose: true });
  for (const write of [log.debug, log.info, log.warn]) {
    write("a\nwarning: fake\r\x1b[2J\u202eb");
  }
  const safe = "a warning: fake \\u{1b}[2J\\u{202e}b\n";
  deepStrictEqual(lines, [`debug: ${safe}`, safe, `warning: ${safe}`]);
});
