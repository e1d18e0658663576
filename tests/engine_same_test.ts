import assert from "node:assert/strict";
import { prepareEngine, readStockEngine } from "../src/asset.ts";
import { FUEL_AT_START, FUEL_EXPORT } from "../src/fuel.ts";
import { type EngineInstance, loadGlue } from "../src/loader.ts";

// The metered engine must compute what the plain one does: both run the same programs, which are
// kernels of every part of the language, and programs made up by a generator.

interface Machine {
  /** What the program gives, as text. */
  run(code: string): string;
  /** How often the counter ran out. */
  refills: number;
}

async function createMachine(bytes: Uint8Array<ArrayBuffer>): Promise<Machine> {
  const { glue, functions } = await loadGlue();
  let counter: WebAssembly.Global | undefined;
  const module = await WebAssembly.compile(bytes);
  const instance = await glue({
    wasmMemory: new WebAssembly.Memory({ initial: 256, maximum: 4096 }),
    instantiateWasm(imports, done) {
      const made = new WebAssembly.Instance(module, imports);
      counter = made.exports[FUEL_EXPORT] as WebAssembly.Global | undefined;
      done(made);
    },
    print: () => {},
    printErr: () => {},
  });
  const machine: Machine = { refills: 0, run };
  instance.callbacks = {
    shouldInterrupt() {
      if (counter !== undefined) counter.value = FUEL_AT_START;
      machine.refills++;
      return 0;
    },
  } as unknown as EngineInstance["callbacks"];
  const ffi = new functions(instance);
  const runtime = ffi.QTS_NewRuntime();
  function run(code: string): string {
    const context = ffi.QTS_NewContext(runtime, 0 as never);
    const text = new TextEncoder().encode(`${code}\0`);
    const pointer = instance._malloc(text.length) as number;
    instance.HEAPU8.set(text, pointer);
    const value = ffi.QTS_Eval(
      context,
      pointer as never,
      text.length - 1,
      "program.js",
      0 as never,
      0 as never,
    );
    const error = ffi.QTS_ResolveException(context, value);
    const result = (error === 0 ? value : error) as never;
    const at = ffi.QTS_GetString(context, result) as number;
    const heap = instance.HEAPU8;
    const shown = new TextDecoder().decode(heap.slice(at, heap.indexOf(0, at)));
    ffi.QTS_FreeCString(context, at as never);
    ffi.QTS_FreeValuePointer(context, result);
    ffi.QTS_FreeContext(context);
    instance._free(pointer as never);
    return error === 0 ? shown : `thrown: ${shown}`;
  }
  return machine;
}

const KERNELS = [
  "let s = 0; for (let i = 0; i < 2e5; i++) s += i % 7; String(s)",
  "const f = (n) => n < 2 ? n : f(n - 1) + f(n - 2); String(f(20))",
  'JSON.stringify(JSON.parse(JSON.stringify(Array.from({ length: 500 }, (_, i) => ({ i, t: "é€" + i, n: [i / 3, null, true] })))))',
  "Array.from({ length: 5000 }, (_, i) => (i * 7919) % 5003).sort((a, b) => a - b).slice(0, 50).join()",
  "[...Float64Array.from({ length: 3000 }, (_, i) => Math.sin(i * 7)).sort()].slice(0, 20).join()",
  'let s = ""; for (let i = 0; i < 5000; i++) s += String.fromCharCode(97 + i % 26); s.replace(/[aeiou]+/g, (m) => m.toUpperCase()).slice(0, 200)',
  'const m = new Map(); for (let i = 0; i < 5000; i++) m.set("k" + i % 700, i); [...m].slice(0, 30).join()',
  "(3n ** 500n).toString() + (2n ** 300n / 7n ** 20n) + BigInt.asIntN(64, 2n ** 70n + 5n)",
  "[1e21, 0.1 + 0.2, 1 / 3, 5e-324, 123456789.123, -0].map((x) => x + ',' + x.toFixed(3) + ',' + x.toString(7)).join(' ')",
  "function* g() { let a = 0, b = 1; for (;;) { yield a; [a, b] = [b, a + b]; } } const r = []; for (const x of g()) { if (x > 1e6) break; r.push(x); } r.join()",
  'class A { #x = 1; static s = 2; get x() { return this.#x; } set x(v) { this.#x = v * 2; } } class B extends A { get x() { return super.x + 1; } set x(v) { super.x = v; } } const b = new B(); b.x = 5; b.x + "," + A.s',
  '"The year 1999, the year 2024".matchAll(/(?<w>the) year (?<y>\\d{4})/gi).map((m) => m.groups.y).toArray().join()',
  'const log = []; try { try { throw new Error("a"); } finally { log.push("f"); } } catch (e) { log.push(e.message); } label: for (let i = 0; i < 3; i++) { for (;;) { log.push(i); continue label; } } log.join()',
  "const a = new Uint8Array(1 << 20); a.fill(7); a.copyWithin(10, 0, 5e5); a.set(a.subarray(100, 3e5), 7); String(a.reduce((x, y) => (x * 31 + y) | 0, 0))",
  '[..."é€😀 Straße ﬁ".normalize("NFKD")].map((c) => c.codePointAt(0)).join() + "İ".toLowerCase() + encodeURIComponent("é😀")',
  "let o = {}; for (let i = 0; i < 300; i++) o = Object.create(o, { ['p' + i]: { value: i, enumerable: true } }); let n = 0; for (const k in o) n += o[k]; n + ',' + o.p0",
  'const d = new Date(Date.UTC(2024, 1, 29, 12, 34, 56)); d.toISOString() + d.getUTCDay() + Date.parse("2020-01-01T00:00:00Z")',
  'const p = new Proxy({}, { get: (_, k) => k, has: () => true, ownKeys: () => ["a", "b"], getOwnPropertyDescriptor: () => ({ value: 1, configurable: true, enumerable: true }) }); p.x + ("y" in p) + Object.keys(p)',
  "[3, 1, 2].toSorted() + [[1, [2, [3]]]].flat(Infinity) + Object.entries({ b: 1, a: 2, 1: 3 }) + [1, 2, 3].at(-1) + structuredCloneLike({ a: [1] }); function structuredCloneLike(x) { return JSON.stringify(x); }",
  "parseFloat('1e400') + parseInt('zz', 36) + Math.hypot(3, 4) + Math.fround(5.5) + Math.clz32(1) + Math.imul(0xffffffff, 5) + Math.cbrt(27)",
];

// Programs of random statements over a few variables. Same seed, same program.
function generate(seed: number): string {
  let state = seed * 2654435761 >>> 0;
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
  const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;
  const variable = () => pick(["a", "b", "c", "d"]);
  const literal = () =>
    pick([
      "0",
      "1",
      "-7",
      "3.5",
      "1e9",
      '"x"',
      '"é12"',
      "null",
      "undefined",
      "true",
      "[1, 2, 3]",
      "{ k: 1, l: [2] }",
      "NaN",
      "10n",
      "/b+/g",
      "new Map([[1, 2]])",
      "new Set([1, 1])",
      "Symbol.iterator",
      "new Uint8Array(5)",
      "new Date(0)",
    ]);
  const expression = (depth: number): string => {
    if (depth === 0) return pick([variable, literal])();
    const sub = () => expression(depth - 1);
    return pick<() => string>([
      () =>
        `(${sub()} ${
          pick([
            "+",
            "-",
            "*",
            "/",
            "%",
            "**",
            "<",
            ">",
            "===",
            "==",
            "&&",
            "||",
            "??",
            "&",
            "|",
            "^",
            "<<",
            ">>>",
            ",",
            "in",
            "instanceof",
          ])
        } ${sub()})`,
      () => `${pick(["!", "-", "+", "~", "typeof ", "void "])}(${sub()})`,
      () => `(${sub()} ? ${sub()} : ${sub()})`,
      () => `[${sub()}, ...(Array.isArray(${variable()}) ? ${variable()} : [${sub()}])]`,
      () =>
        `{ ...${variable()}, p: ${sub()}, [String(${sub()}).slice(0, 5)]: ${sub()} }`.replace(
          /^/,
          "(",
        ) + ")",
      () =>
        `String(${sub()})${
          pick([
            ".length",
            ".slice(1, 4)",
            ".toUpperCase()",
            ".split('')",
            ".repeat(2)",
            ".padEnd(9, 'ab')",
            ".replace(/\\w/g, (m) => m + m)",
            ".charCodeAt(0)",
            ".indexOf('1')",
            ".match(/[a-z]+|\\d+/)",
          ])
        }`,
      () => `Object.${pick(["keys", "values", "entries"])}(Object(${sub()}))`,
      () =>
        `Array.from({ length: ${below(6)} }, (_, i) => ${pick(["i", "i * 2", variable()])})${
          pick([
            "",
            ".map((x) => [x])",
            ".reverse()",
            ".filter(Boolean)",
            ".sort()",
            ".flat()",
            ".join('-')",
            ".reduce((x, y) => x + y, '')",
          ])
        }`,
      () => `((x, y = ${sub()}) => ${pick(["x", "y", "[x, y]", "x + y"])})(${sub()})`,
      () => `JSON.stringify(${variable()})`,
      () =>
        `Math.${pick(["floor", "abs", "sign", "sqrt", "trunc"])}(Number(${variable()}) || ${
          below(50)
        })`,
    ])();
  };
  const statement = (depth: number): string => {
    const inner = () => statement(depth - 1);
    if (depth === 0) return `${variable()} = ${expression(2)};`;
    return pick<() => string>([
      () => `${variable()} = ${expression(2)};`,
      () => `if (${expression(1)}) { ${inner()} } else { ${inner()} }`,
      () =>
        `for (let i = 0; i < ${below(4)}; i++) { ${inner()} ${
          pick(["", "if (i === 1) continue;", "if (i > 2) break;"])
        } ${inner()} }`,
      () =>
        `try { ${inner()} ${
          pick(["", "throw a;", "null.x;", "b();", "undefinedName;"])
        } } catch (e) { out.push(String(e?.message ?? e)); } finally { ${inner()} }`,
      () =>
        `switch (${variable()}) { case 1: ${inner()} case "x": ${inner()} break; default: ${inner()} }`,
      () => `for (const k in Object(${variable()})) { out.push(k); if (out.length > 200) break; }`,
      () =>
        `for (const v of (function* () { yield ${variable()}; yield* [1, ${variable()}]; })()) { out.push(typeof v); ${inner()} }`,
      () => `out.push(shown(${expression(2)}));`,
    ])();
  };
  const body = Array.from(
    { length: 4 + below(8) },
    () =>
      `try { ${
        statement(2)
      } } catch (e) { out.push(String(e?.message ?? e)); } [a, b, c, d] = [a, b, c, d].map(cut);`,
  );
  return `let a = 1, b = "two", c = [3, 4], d = { five: 5 };
const out = [];
// What refers to itself many times over would take for ever to show.
const count = (v, n) => { if (n.left-- > 0 && typeof v === "object" && v) for (const k of Reflect.ownKeys(v)) { if (n.left < 0) return; count(v[k], n); } };
const cut = (v) => { const n = { left: 300 }; count(v, n); return n.left < 0 ? "cut" : typeof v === "string" ? v.slice(0, 300) : v; };
const shown = (v) => { try { return typeof v + ":" + (typeof v === "object" ? JSON.stringify(v, (_, x) => typeof x === "bigint" ? x + "n" : x) : String(v)).slice(0, 300); } catch (e) { return String(e?.message ?? e); } };
${body.join("\n")}
out.push(...[a, b, c, d].map(shown));
out.join(" ; ").slice(0, 20000)`;
}

const PROGRAMS = 400;

Deno.test("prepareEngine gives an engine that computes what the plain one does", async () => {
  const stock = await readStockEngine();
  const plain = await createMachine(stock);
  const metered = await createMachine(await prepareEngine(stock));
  for (const code of KERNELS) {
    const wanted = plain.run(code);
    assert.doesNotMatch(wanted, /^thrown: SyntaxError/, code);
    assert.equal(metered.run(code), wanted, code);
  }
  assert.ok(metered.refills > plain.refills, "the kernels never used up the counter");
  const results = new Set<string>();
  let failed = 0;
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    const code = generate(seed);
    const wanted = plain.run(code);
    if (wanted.startsWith("thrown: ")) failed++;
    results.add(wanted);
    assert.equal(metered.run(code), wanted, `program ${seed}:\n${code}`);
  }
  // What the generator makes must run and differ, else it compares nothing.
  assert.ok(failed < PROGRAMS / 20, `${failed} programs do not run`);
  assert.ok(results.size > PROGRAMS * 0.9, `${results.size} results`);
});
