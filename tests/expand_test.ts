import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { expandSpec, missingVariables } from "../src/expand.ts";
import type { ServerName } from "../src/names.ts";
import type { EmbeddedSpec, HttpSpec, Origin, StdioSpec } from "../src/server.ts";
import { Secret } from "../src/text.ts";
import { assertProportional } from "./growth.ts";

const NAME = "files" as ServerName;

function environment(values: Readonly<Record<string, string>>) {
  const names = new Map(Object.entries(values));
  return { get: (name: string) => names.get(name), toObject: () => values };
}

function stdio(command: string, origin: Origin = "user"): StdioSpec {
  return { transport: "stdio", name: NAME, origin, command, args: [], env: {} };
}

function expand(text: string, values: Readonly<Record<string, string>> = {}): string {
  return expandSpec(stdio(text), environment(values)).command;
}

Deno.test("expandSpec puts in variables in each of their forms", () => {
  const values = { A: "one", B_2: "two", EMPTY: "" };
  assert.equal(expand("${A}/${env:B_2}/${A}", values), "one/two/one");
  assert.equal(expand("${NONE:-three}", values), "three");
  assert.equal(expand("${EMPTY:-four}", values), "four");
  assert.equal(expand("${NONE:-}", values), "");
  assert.equal(expand("${env:NONE:-https://a.example/b?c=d}"), "https://a.example/b?c=d");
});

Deno.test("expandSpec leaves alone what is no variable", () => {
  for (const text of ["$A", "$$", "${}", "${1}", "${a-b}", "$(A)", "%A%", "{A}", "${A"]) {
    assert.equal(expand(text, { A: "one" }), text);
  }
});

Deno.test("expandSpec expands once: a value's own text is never read as a variable", () => {
  assert.equal(expand("${A}", { A: "${B} $& $1", B: "sesame" }), "${B} $& $1");
});

Deno.test("expandSpec names a variable without value instead of using an empty one (A13)", () => {
  for (const [text, values] of [["${TOKEN}", {}], ["a${env:TOKEN}", { TOKEN: "" }]] as const) {
    assert.throws(() => expand(text, values), (error) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.exitCode, 2);
      assert.match(error.message, /^Variable "TOKEN" is not set and server "files" needs it$/);
      return error.hint!.includes("${TOKEN:-default}");
    });
  }
});

Deno.test("missingVariables names, once each, what expandSpec would refuse", () => {
  const spec: StdioSpec = {
    ...stdio("${A}${NONE}"),
    args: ["${env:EMPTY}", "${NONE}", "${FREE:-}"],
    env: { KEY: new Secret("${B}") },
    cwd: "${C}",
  };
  const env = environment({ A: "${HIDDEN}", EMPTY: "" });
  assert.deepEqual(missingVariables(spec, env), ["NONE", "EMPTY", "B", "C"]);
  assert.deepEqual(missingVariables(stdio("${A}"), env), []);
  assert.deepEqual(missingVariables(stdio("${NONE}", "flag"), env), []);
});

Deno.test("expandSpec reaches every part of a process's entry", () => {
  const spec: StdioSpec = {
    ...stdio("${A}"),
    args: ["-x", "${A}"],
    env: { KEY: new Secret("Bearer ${A}") },
    cwd: "/${A}",
  };
  const expanded = expandSpec(spec, environment({ A: "one" }));
  assert.deepEqual([expanded.command, ...expanded.args, expanded.cwd], [
    "one",
    "-x",
    "one",
    "/one",
  ]);
  assert.equal(expanded.env["KEY"]!.reveal(), "Bearer one");
  assert.equal(spec.env["KEY"]!.reveal(), "Bearer ${A}");
});

Deno.test("expandSpec reaches address and headers, and shows neither (X2, X3, X4)", () => {
  const spec: HttpSpec = {
    transport: "http",
    name: NAME,
    origin: "user",
    url: new Secret("https://${USER_PART}@a.example/?key=${KEY}"),
    shownUrl: "https://***@a.example/",
    headers: { Authorization: new Secret("Bearer ${KEY}") },
  };
  const expanded = expandSpec(spec, environment({ USER_PART: "me:sesame", KEY: "sesame" }));
  assert.equal(expanded.url.reveal(), "https://me:sesame@a.example/?key=sesame");
  assert.equal(expanded.headers["Authorization"]!.reveal(), "Bearer sesame");
  assert.ok(!(JSON.stringify(expanded) + Deno.inspect(expanded)).includes("sesame"));
});

Deno.test("expandSpec leaves servers from flags and built-in ones as they are", () => {
  const flag = { ...stdio("${A}", "flag"), args: ["${NONE}"] };
  assert.equal(expandSpec(flag, environment({ A: "one" })), flag);
  const embedded: EmbeddedSpec = {
    transport: "embedded",
    name: NAME,
    origin: "built-in",
    open: () => Promise.resolve(undefined),
  };
  assert.equal(expandSpec(embedded, environment({})), embedded);
});

Deno.test("expandSpec of a long text without an end takes time in proportion to it", () => {
  assertProportional([2_000, 16_000], (length) => "${A:-".repeat(length), expand);
});
