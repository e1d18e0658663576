import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { MAX_SOURCE_BYTES } from "../src/limits.ts";
import { type PreparedSource, prepareSource, sourceFrame } from "../src/source.ts";

const path = "main.ts";

/** Runs what was prepared as a real ES module and gives its default export. */
async function run(source: PreparedSource): Promise<unknown> {
  const module = await import(`data:text/javascript,${encodeURIComponent(source.js)}`);
  return module.default;
}

function failure(text: string): AppError {
  try {
    prepareSource(text, { path });
  } catch (error) {
    assert(error instanceof AppError, String(error));
    return error;
  }
  assert.fail("nothing was thrown");
}

Deno.test("prepareSource blanks types and leaves every position as it is", () => {
  const text = "interface A { b: string }\nexport const a: A = { b: 'c' } as A;\n";
  const source = prepareSource(text, { path });
  assert.equal(source.js.length, text.length);
  assert.equal(source.js.indexOf("= {"), text.indexOf("= {"));
  assert.deepEqual(source.original({ line: 2, column: 21 }), { line: 2, column: 21 });
});

Deno.test("prepareSource compiles what cannot be blanked and maps its positions back", async () => {
  const text = [
    "enum Level { Low = 3, High }",
    "class Box { constructor(readonly size: number) {} }",
    "function grow(): never { throw new Error('too small'); }",
    "const box = new Box(Level.High);",
    "export default box.size;",
  ].join("\n");
  const source = prepareSource(text, { path });
  assert.equal(await run(source), 4);
  const lines = source.js.split("\n");
  const line = lines.findIndex((part) => part.includes("throw")) + 1;
  assert.notEqual(line, 3);
  assert.deepEqual(
    source.original({ line, column: lines[line - 1]!.indexOf("throw") + 1 }),
    { line: 3, column: 26 },
  );
  assert(!source.js.includes("sourceMappingURL"));
});

Deno.test("prepareSource drops imports of types when transform is asked for", () => {
  const text = "import { A, b } from './a.ts';\nimport { C } from './c.ts';\nb({} as A as C);\n";
  assert.deepEqual(prepareSource(text, { path }).imports, ["./a.ts", "./c.ts"]);
  const source = prepareSource(text, { path, mode: "transform" });
  assert.deepEqual(source.imports, ["./a.ts"]);
  assert.match(source.js, /import \{ b \}/);
});

Deno.test("prepareSource runs a source with a top-level return as a body", async () => {
  const bodies: [string, unknown][] = [
    ["return 1", 1],
    ["#!/usr/bin/env deno\nreturn 1", 1],
    ["const a: number[] = [1, 2];\nfor (const b of a) { if (b > 1) { return b; } }", 2],
    ["if (true) { return /}/.source }", "}"],
    ["switch (1 as number) { case 1: { return 'one' } default: return 'more' }", "one"],
    ["try { throw 1 } catch { return 'caught' } finally { }", "caught"],
    ["outer: { return 3 }", 3],
    ["let a\n{ return 4 }", 4],
    ["return await Promise.resolve({ return: 5 }.return) // done", 5],
    ["for await (const a of [6]) return a", 6],
    ["const f = () => { return 1 }\nreturn f() / 2 / 1", 0.5],
    ["enum E { A = 7 }\nreturn E.A", 7],
    ["const a = (x: number) => x ? { b: 1 } : { b: 2 }; return a(0).b", 2],
    ["while (true) { return `${(() => { return 8 })()}` }", "8"],
    ["do { return 9 } while (true)", 9],
    ["if (false) {} else { return 10 }", 10],
  ];
  for (const [text, value] of bodies) {
    const source = prepareSource(text, { path });
    assert.equal(source.form, "body", text);
    assert.equal(await run(source), value, text);
  }
});

Deno.test("prepareSource takes returns inside of functions, strings and comments for a module", async () => {
  const modules = [
    "const f = () => { return 1 }",
    "const f = async function* () { return 1 }; function g() { if (f) { return 2 } }",
    "class A { m() { return 1 } get x() { return 2 } static s() { return 3 } #p() { return 4 } }",
    "class A { static return() {} return = 1; static { (() => { return 1 })() } }",
    "const o = { m() { return 1 }, async *[x()]() { return 2 }, return: 1, get return() { return 2 } }; function x() { return 'x' }",
    "const s = 'return', t = `return ${1} return`; // return\n/* return */",
    "const r = /return [/] {/; let g = 4, a = 8 / 2 / g; // {",
    "const k = class extends Object { y = () => { return 1 } };",
    "const { a = function () { return 1 } } = {}; (function () { return 1 })();",
    "const f = (a = { b() { return 1 } }) => { return a }; const g = (x: boolean) => x ? () => { return 1 } : () => { return 2 };",
    "const o = { return: 1 }; o.return; export default 1",
  ];
  for (const text of modules) {
    const source = prepareSource(text, { path });
    assert.equal(source.form, "module", text);
    await run(source);
  }
});

Deno.test("prepareSource lets a body import, and keeps its lines", async () => {
  const text = [
    "import { join, type Path } from 'node:path/posix'",
    'import * as os from "node:os";',
    "const a: string = join('a', 'b'); os;",
    "return a + new Error().stack!.split('\\n')[1].replace(/.*:(\\d+):(\\d+).*/, ' $1:$2')",
  ].join("\n");
  const source = prepareSource(text, { path });
  assert.equal(source.form, "body");
  assert.deepEqual(source.imports, ["node:path/posix", "node:os"]);
  const file = await Deno.makeTempFile({ suffix: ".mjs" });
  try {
    await Deno.writeTextFile(file, source.js);
    assert.equal((await import(`file://${file}`)).default, "a/b 4:12");
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("prepareSource maps the first line of a body back over what stands before it", () => {
  const source = prepareSource("import 'mcp:a'; const b = 1; return b", { path });
  const at = source.js.indexOf("return b") + 1;
  assert.deepEqual(source.original({ line: 1, column: at }), { line: 1, column: 30 });
});

Deno.test("prepareSource finds static imports and nothing that only looks like one", () => {
  const text = `
    import a from "mcp:a"; import "mcp:b"
    import * as c from 'mcp:c' with { type: "json" };
    import d, { e as f, "g h" as i } from "mcp:d";
    import type { J } from "mcp:types"; import { type K } from "mcp:k";
    export { a } from "./e.ts"; export * from "./f.ts"; export * as l from "./g.ts";
    export { c }; export type { J } from "mcp:types2";
    const from = "mcp:no1", text = \`import "mcp:no2"; \${await import("mcp:h")} import("mcp:no3")\`;
    // import "mcp:no4"
    /* import "mcp:no5" */ const r = /import "mcp:no6"/;
    const o = { import: "mcp:no7", from }; o.import; import.meta.url;
    const name = "mcp:no8"; await import(name); await import("mcp:no9" + name); import(\`mcp:no10\`);
    f(i, l, d, r, text); import a2 from "mcp:a"; a2(import("mcp:i", {}));
  `;
  assert.deepEqual(
    prepareSource(text, { path }).imports,
    "mcp:a mcp:b mcp:c mcp:d mcp:k ./e.ts ./f.ts ./g.ts mcp:h mcp:i".split(" "),
  );
});

Deno.test("prepareSource keeps the semicolon that stands behind a removed type", async () => {
  const text = "let a = 1\ntype T = string\n;(globalThis as T & any).b\nexport default a";
  assert.equal(await run(prepareSource(text, { path })), 1);
  const generic = "const f = <T>(x: T) => x;\nexport default f<{ a: number; }>({ a: 2 }).a";
  assert.equal(await run(prepareSource(generic, { path })), 2);
});

Deno.test("prepareSource reports a syntax error at the author's line and column", () => {
  const error = failure("let a: number = 1;\nlet b = = 2;\n");
  assert.equal(error.kind, "guest");
  assert.equal(error.message, "Syntax error: Expression expected");
  assert.deepEqual(error.at, { file: path, line: 2, column: 9 });
  assert.deepEqual(error.detail, ["2 | let b = = 2;", "            ^"]);
  const places: [string, number, number][] = [
    ["const a = 'b\nc", 1, 11],
    ["f(1, 2\n\n", 1, 7],
    ["const a = `b${1\n", 1, 16],
    ["enum A { B }\nconst c = ;", 2, 11],
    ["return 1 + ;", 1, 12],
    ["\r\n\tconst = 1", 2, 8],
  ];
  for (const [text, line, column] of places) {
    assert.deepEqual(failure(text).at, { file: path, line, column }, text);
  }
});

Deno.test("prepareSource says where a string, template, comment or regular expression begins that does not end", () => {
  const endless: [string, string, number, number][] = [
    ["const a = 1;\nconst b = 'c;\nconst d = 2;", "string", 2, 11],
    ["f(`g\nh);\n", "template", 1, 3],
    ["f(`a${1} b\n\n", "template", 1, 8],
    ["let a; /* b\nlet c;", "comment", 1, 8],
    ["\tlet a = /b;\nlet c;", "regular expression", 1, 10],
  ];
  for (const [text, what, line, column] of endless) {
    const error = failure(text);
    assert.equal(error.message, `Syntax error: Unterminated ${what}`);
    assert.deepEqual(error.at, { file: path, line, column }, text);
    assert.equal(error.detail?.length, 2);
  }
});

Deno.test("prepareSource lets no body close its wrapping early", async () => {
  const escape = "})(); globalThis.escaped = true; (async () => {";
  const attacks = [
    `return 1 ${escape}`,
    `return 1 }; globalThis.escaped = true; async function f() {`,
    `x <!-- y ${escape}\nreturn 1`,
    `return 1\n--> ${escape}`,
    `return 1 /* ${escape}`,
    `return \`${escape}`,
    `return 1 //\u2028${escape}`,
    `return 1; ${escape.replace("async", "")}`,
    `#!\u2029${escape} return 1`,
    `/a/; return 1 /${escape}/`,
  ];
  for (const text of attacks) {
    try {
      await run(prepareSource(text, { path, form: "body" }));
    } catch (error) {
      assert(error instanceof AppError || error instanceof SyntaxError, text);
    }
    assert(!("escaped" in globalThis), text);
  }
});

Deno.test("prepareSource refuses a source above its limit (S19)", () => {
  assert.equal(prepareSource(" ".repeat(MAX_SOURCE_BYTES), { path }).form, "module");
  const error = failure("é".repeat(MAX_SOURCE_BYTES / 2 + 1));
  assert.equal(error.kind, "limit");
  assert.deepEqual(error.limit, {
    name: "source",
    limit: MAX_SOURCE_BYTES,
    value: MAX_SOURCE_BYTES + 2,
  });
  assert.equal(error.message, 'Source "main.ts" is 1.0 MiB, more than 1 MiB');
});

// Without the guard each of these ends the process, or keeps it busy for hours.
Deno.test("prepareSource refuses nesting that the native parser cannot survive (S19)", () => {
  const deep: [string, string, string, string][] = [
    ["(", "1", ")", ""],
    ["[", "", "]", ""],
    ["!", "1", "", ""],
    ["a=>", "1", "", ""],
    ["`${", "1", "}`", ""],
    ["if(a)", ";", "", ""],
    ["a:", ";", "", ""],
    ["a=", "1", "", ""],
    ["a.b().", "c", "", ""],
    ["1+", "1", "", ""],
    ["A<", "B", ">", "type T = "],
    ["A<B,", "B", ">", "type T = "],
    ["() => ", "B", "", "type T = "],
    ["{a:", "B", "}", "type T = "],
    ["{} / (", "1", ")", ""],
    ["x = {} / `/` / (((( 1 /`/; ", "", "", ""],
    ["if(a)\nif(b)\n", "c", "", ""],
    ["if(a);else ", ";", "", ""],
    ["class A{a=", "1", "}", ""],
    ["<A>", "x", "", ""],
    ["namespace A{", "", "}", ""],
    ["type T = A\n/`/; ((((( /`/\n", "", "", ""],
  ];
  for (const [open, middle, close, start] of deep) {
    const count = Math.floor(1_000_000 / (open.length + close.length));
    const error = failure(start + open.repeat(count) + middle + close.repeat(count));
    assert.equal(error.limit?.name, "nesting", open);
    assert.equal(error.at?.file, path);
  }
  const ambiguous: [string, string, string][] = [
    ["<A>(<B>(", "1", "))"],
    ["a?(b):c=>", "1", ""],
    ["a<(b=", "c", ")"],
    ["x = class extends (", "B", "){}"],
    ["class A extends ", "B", "{}"],
    ["(a= <T> !", "x", ")"],
  ];
  for (const [open, middle, close] of ambiguous) {
    const error = failure(open.repeat(60) + middle + close.repeat(60));
    assert.equal(error.limit?.name, "nesting", open);
  }
});

Deno.test("prepareSource takes large programs that nest as programs do", () => {
  const statement =
    "const a: Map<string, { b: number }> = new Map([[`${1 < 2}`, { b: (3 + 4) * 5 }]])\n" +
    "for (const [k, v] of a) { if (v.b < 3 && k) { console.log(k, [v].map((x) => x.b / 2)) } else continue }\n";
  const lines = Array.from(
    { length: 2000 },
    (_, index) => `function f${index}() { ${statement} } // ${index}`,
  );
  assert.equal(prepareSource(lines.join("\n"), { path }).form, "module");
  const table = Array.from({ length: 5000 }, (_, index) => `k${index}: (a) => a < ${-index}`);
  const list = Array.from({ length: 20_000 }, (_, index) => `{ id: -${index}, s: "a" }`);
  prepareSource(`const a = { ${table.slice(0, 2000).join(", ")} }, b = [${list.join(",")}]`, {
    path,
  });
  let deep = "1";
  for (let level = 0; level < 60; level++) deep = `f(${deep}, [{ a: (b) => b }])`;
  prepareSource(`export default () => ${deep}`, { path });
});

// What makes a program large enough that hidden brackets would matter.
const FILLER =
  "function f(a: Map<string, number[]>) { return [a.get('x')?.map((v) => ({ v, w: [v] }))] }\n"
    .repeat(150);

Deno.test("prepareSource takes a program where a slash or an arrow can be read in two ways", () => {
  const lines = [
    "export default /a|b/.test(x) ? 7 : x",
    "export default /(?<year>\\d+)'/.exec(x)",
    "const m = total\n  / count / 2; // don't (really",
    "while (n-->0) { x() }",
    "/*\n=======\n*/",
    "const t = `\n=======\n<<<<<<<\n`",
    "if (a) {}\n/(['\"])/.test(b)",
    "const o = { a: 1 } / 2 / 3",
    "export const z = await /x(y')/.exec(s)",
    "for (const q of /'(?<y>[(])/g[Symbol.matchAll](s)) {}",
    "const z = a > /x\\(/ ? 1 : 2",
    "type T = A\n/'/.test(x)",
  ];
  for (const line of lines) {
    for (const text of [FILLER + line + "\n" + FILLER, line + "\n" + FILLER]) {
      assert.doesNotThrow(() => prepareSource(text, { path }), line);
    }
  }
});

Deno.test("prepareSource refuses nothing among the sources of programs and libraries", async () => {
  const roots = ["../src/", "./", "../bench/", "../scripts/"].map((folder) =>
    new URL(folder, import.meta.url)
  );
  for (const name of ["typescript", "ajv", "handlebars", "@noble/hashes/utils.js"]) {
    roots.push(new URL("../", import.meta.resolve(name)));
  }
  let files = 0;
  const visit = async (folder: URL): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) await visit(new URL(`${name}/`, folder));
      if (!/\.[cm]?[jt]s$/.test(name)) continue;
      const text = await Deno.readTextFile(new URL(name, folder));
      if (text.length > MAX_SOURCE_BYTES / 3) continue;
      files++;
      try {
        prepareSource(text, { path: name });
      } catch (error) {
        assert(error instanceof AppError && error.kind === "guest", `${folder}${name}: ${error}`);
      }
    }
  };
  for (const root of roots) await visit(root);
  assert(files > 500, String(files));
});

Deno.test("prepareSource counts what a slash hides in the other way to read it (S19)", () => {
  const hidden = [
    "type T = A\n/`/; ((((( /`/\n",
    "x = {} / `/` / (((( 1 /`/; ",
    "}\n/'/; ((((( /'/;",
  ];
  for (const part of hidden) {
    assert.equal(failure(part.repeat(20_000)).limit?.name, "nesting", part);
  }
  const deep = "(".repeat(3000);
  for (
    const start of ["type T = A\n/`/; ", "{}\n/'/; ", "x = {} / '/' / ", "\n--> `\n", "a<!--`\n"]
  ) {
    assert.throws(() => prepareSource(start + deep, { path }), AppError, start);
  }
});

Deno.test("prepareSource never lets one error report of the compiler end the process", () => {
  // The space between `void` and what may not follow it gives that report an inverted range.
  for (const tail of [".x", "?.x", "!x", "`x`", "/* */ .x"]) {
    assert.equal(failure(`enum A { B }\nlet a: void ${tail}`).kind, "guest");
  }
  assert.doesNotMatch(prepareSource("enum A { B }\nlet a: void\nvoid A", { path }).js, /enum/);
});

Deno.test("prepareSource ends for texts of a megabyte that repeat what could begin anything", () => {
  for (
    const part of [
      "/*",
      "`",
      "'",
      "/",
      "/[",
      "\\",
      "<!--",
      "${",
      "//\r",
      '"\\"',
      "import ",
      "import 'a';",
      "@",
      "🙂",
    ]
  ) {
    try {
      prepareSource(part.repeat(Math.floor(MAX_SOURCE_BYTES / 4 / part.length)) + "\nreturn 1", {
        path,
      });
    } catch (error) {
      assert(error instanceof AppError, String(error));
    }
  }
});

Deno.test("prepareSource works in a worker that has no permissions", async () => {
  const code = `
    import { prepareSource } from ${JSON.stringify(import.meta.resolve("../src/source.ts"))};
    const { js } = prepareSource("enum A { B = 5 }\\nreturn A.B", { path: "a.ts" });
    self.postMessage(js);
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, code);
  const worker = new Worker(`file://${file}`, {
    type: "module",
    deno: { permissions: "none" },
  });
  try {
    const js = await new Promise((resolve, reject) => {
      worker.onmessage = (event) => resolve(event.data);
      worker.onerror = (event) => reject(event.message);
    });
    assert.match(String(js), /^export default await\(async/);
  } finally {
    worker.terminate();
    await Deno.remove(file);
  }
});

Deno.test("sourceFrame points at the column, on long and on hostile lines too", () => {
  const text = "a\n\tbcd\nx\u001b[31m\u202ey = z\n" + "0123456789".repeat(100);
  assert.deepEqual(sourceFrame(text, { line: 2, column: 3 }), ["2 |  bcd", "      ^"]);
  const [shown, caret] = sourceFrame(text, { line: 3, column: 8 });
  assert.equal(shown, "3 | x\\u{1b}[31m\\u{202e}y = z");
  assert.equal(caret!.length - 1, shown!.indexOf("y"));
  const [long, below] = sourceFrame(text, { line: 4, column: 501 }, 40);
  assert(long!.length < 60);
  assert.equal(long![below!.length - 1], "0");
  assert.deepEqual(sourceFrame(text, { line: 9, column: 1 }), []);
  assert.deepEqual(sourceFrame("ab", { line: 1, column: 3 }), ["1 | ab", "      ^"]);
});
