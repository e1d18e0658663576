import assert from "node:assert/strict";
import * as variant from "@jitl/quickjs-wasmfile-release-sync";
import { newQuickJSWASMModuleFromVariant } from "quickjs-emscripten-core";
import { loadEngineFiles, readStockEngine } from "../src/asset.ts";
import {
  createEngineMaker,
  type Engine,
  type EngineHost,
  type Moment,
  NoMemory,
} from "../src/engine.ts";

const MIB = 1024 * 1024;
// Evaluates what is sent with kind 1 and reports the result as text; keeps `keep` as a global.
const PRELUDE = `(function (host) {
  globalThis.load = (name) => import(name);
  globalThis.ask = (text) => host(3, 0, text);
  return (kind, id, text) => {
    try { host(1, id, String((0, eval)(text))); }
    catch (error) { host(2, id, error === null ? "null" : error.name + ": " + error.message); }
  };
})`;

interface Told {
  readonly kind: number;
  readonly text: string;
}

class Recorder implements EngineHost {
  readonly told: Told[] = [];
  readonly modules = new Map<string, string>();
  interrupt: (moment: Moment) => boolean = () => false;
  answer: string | undefined;

  call(kind: number, _id: number, text: { read(): string }): string | undefined {
    this.told.push({ kind, text: text.read() });
    return this.answer;
  }

  resolve(specifier: string) {
    return this.modules.has(specifier) ? { ok: specifier } : { error: `no ${specifier} here` };
  }

  load(name: string) {
    const text = this.modules.get(name)!;
    return text.startsWith("error ") ? { error: text } : { ok: text };
  }

  interrupts(moment: Moment): boolean {
    return this.interrupt(moment);
  }
}

async function createMaker(module?: WebAssembly.Module) {
  return createEngineMaker({
    module: module ?? (await loadEngineFiles()).module,
    stack: 128 * 1024,
    prelude: PRELUDE,
    preludeName: "prelude",
    builtIns: new Map([["built:in", "export const x = 7"]]),
  });
}

async function startOne(memory = 256 * MIB): Promise<{ engine: Engine; host: Recorder }> {
  const engine = await (await createMaker()).start(memory);
  const host = new Recorder();
  engine.host = host;
  return { engine, host };
}

function evaluate(engine: Engine, source: string): Told {
  const host = engine.host as Recorder;
  const from = host.told.length;
  engine.send(1, 0, source);
  while (engine.runJobs(100));
  return host.told.at(-1)!.kind === 3 ? host.told[from]! : host.told.at(-1)!;
}

// Work of every kind that is metered: loops, sorting, strings, regular expressions, JSON, maps.
const KERNELS = [
  "let s = 0; for (let i = 0; i < 3e4; i++) s += i % 7; s",
  "[...Array(3000)].map((_, i) => (i * 7919) % 10007).sort((a, b) => a - b).slice(0, 5).join()",
  "JSON.stringify(JSON.parse(JSON.stringify([...Array(500)].map((_, i) => ({ i, s: 'x' + i }))))).length",
  "let t = ''; for (let i = 0; i < 5000; i++) t += i; t.length",
  "const m = new Map(); for (let i = 0; i < 3000; i++) m.set('k' + i % 100, i); [...m.values()].reduce((a, b) => a + b)",
  "'the quick brown fox '.repeat(300).replace(/(\\\\w+) (\\\\w+)/g, '$2 $1').length",
  "new Uint8Array(1e5).fill(3).reduce((a, b) => a + b)",
  "(2n ** 500n).toString()",
  "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); } fib(18)",
];

Deno.test("engine gives the same results metered and as it came", async () => {
  const stock = await newQuickJSWASMModuleFromVariant(variant as never);
  const context = stock.newContext();
  const { engine } = await startOne();
  for (const kernel of KERNELS) {
    const value = context.unwrapResult(context.evalCode(kernel));
    assert.deepEqual(evaluate(engine, kernel), { kind: 1, text: context.getString(value) }, kernel);
    value.dispose();
  }
  context.dispose();
});

Deno.test("engine refuses a module that is not metered, X7", async () => {
  const maker = await createMaker(new WebAssembly.Module(await readStockEngine()));
  await assert.rejects(maker.start(64 * MIB), { kind: "integrity" });
});

Deno.test("engine spends the same fuel each time, from a copied memory too, E-D1", async () => {
  const maker = await createMaker();
  const spent: number[][] = [];
  for (let round = 0; round < 4; round++) {
    const engine = await maker.start(64 * MIB);
    engine.host = new Recorder();
    assert.equal(engine.fuel, 0);
    spent.push(KERNELS.map((kernel) => {
      assert.equal(evaluate(engine, kernel).kind, 1);
      return engine.fuel;
    }));
  }
  assert.ok(spent[0]!.every((fuel) => fuel > 1000));
  for (const other of spent) assert.deepEqual(other, spent[0]);
});

Deno.test("engine asks at the same places each time, from a copied memory too, E-D1", async () => {
  const maker = await createMaker();
  const asked: string[][] = [];
  for (let round = 0; round < 4; round++) {
    const engine = await maker.start(64 * MIB);
    const host = engine.host = new Recorder();
    const places: string[] = [];
    host.interrupt = (moment) => {
      places.push(`${moment} ${engine.fuel}`);
      return false;
    };
    evaluate(engine, "for (let i = 0; i < 30; i++) [].indexOf.call({ length: 3e4 + i }, 1)");
    asked.push(places);
  }
  assert.ok(asked[0]!.some((place) => place.startsWith("native")));
  for (const other of asked) assert.deepEqual(other, asked[0]);
});

Deno.test("engine starts each time without anything of the guest before", async () => {
  const maker = await createMaker();
  for (let round = 0; round < 4; round++) {
    const engine = await maker.start(64 * MIB);
    engine.host = new Recorder();
    assert.equal(
      evaluate(engine, "typeof globalThis.left + Array.prototype.left").text,
      "undefinedundefined",
    );
    evaluate(engine, "globalThis.left = 1; Array.prototype.left = 1; Math.max = 1");
    assert.equal(evaluate(engine, "left + [].left").text, "2");
  }
});

Deno.test("engine keeps its memory below the cap, E-M1 E-M2", async () => {
  const { engine } = await startOne(64 * MIB);
  assert.equal(engine.refusedMemory, false);
  const told = evaluate(
    engine,
    "globalThis.k = []; for (;;) k.push(new Uint8Array(20 << 20).fill(1))",
  );
  assert.match(told.text, /out of memory/);
  assert.ok(engine.memory <= 64 * MIB);
  assert.equal(engine.refusedMemory, true);
  assert.equal(evaluate(engine, "k.length > 1 && (k = 0, 5)").text, "5");
});

Deno.test("engine refuses what does not fit, and ends a guest in a full memory, E-M4", async () => {
  const { engine } = await startOne(32 * MIB);
  const fill = (size: number) => evaluate(engine, `for (;;) k.push(new ArrayBuffer(${size}))`);
  assert.equal(evaluate(engine, "globalThis.k = []; 0").kind, 1);
  assert.match(fill(4 * MIB).text, /out of memory/);
  assert.throws(() => engine.send(1, 0, `"${"x".repeat(6 * MIB)}"`), NoMemory);
  assert.equal(evaluate(engine, "1 + 1").text, "2");
  assert.throws(() => fill(64), NoMemory);
});

Deno.test("engine interrupts politely, so that no handler of the guest runs", async () => {
  const { engine, host } = await startOne();
  host.interrupt = () => true;
  const source = "try { for (;;); } catch { ask('caught') } finally { ask('finally') }";
  assert.equal(engine.send(1, 0, source), false);
  assert.deepEqual(host.told, []);
  host.interrupt = () => false;
  assert.equal(evaluate(engine, "1 + 1").text, "2");
});

Deno.test("engine lets an exception of the host through all frames of the guest", async () => {
  const { engine, host } = await startOne();
  class Enough extends Error {}
  host.interrupt = () => {
    throw new Enough();
  };
  const swallow = "for (;;) { (async () => { for (;;); })() }";
  assert.throws(() => engine.send(1, 0, swallow), Enough);
  assert.deepEqual(host.told, []);
});

Deno.test("engine asks during native work, where it cannot interrupt, E-C7", async () => {
  const { engine, host } = await startOne();
  const asked: Moment[] = [];
  host.interrupt = (moment) => {
    asked.push(moment);
    if (asked.length > 3) throw new Error("enough");
    return true;
  };
  const search = "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)";
  assert.throws(() => engine.send(1, 0, search), { message: "enough" });
  assert.deepEqual(asked, ["native", "native", "native", "native"]);
});

Deno.test("engine tells the guest's own code from a job that is about to go on with it", async () => {
  const loop = "for (;;);";
  const cases: [source: string, moments: Moment[]][] = [
    [loop, ["code"]],
    [`Promise.resolve().then(() => { ${loop} }); 0`, ["code"]],
    [`(async () => { await 0; ${loop} })(); 0`, ["code"]],
    [`(async function* () { await 0; ${loop} })().next(); 0`, ["code"]],
    ["(async () => { for (;;) await 0; })(); 0", ["code", "job"]],
    ["load('endless'); 0", ["code", "job"]],
  ];
  for (const [source, moments] of cases) {
    const { engine, host } = await startOne();
    host.modules.set("endless", "for (;;) await 0;");
    const met = new Set<Moment>();
    let questions = 0;
    host.interrupt = (moment) => {
      if (moment !== "native") met.add(moment);
      if (++questions > 30) throw new Error("enough");
      return moment === "job";
    };
    assert.throws(() => {
      engine.send(1, 0, source);
      while (engine.runJobs(100));
    }, { message: "enough" });
    assert.deepEqual([...met].sort(), moments, source);
  }
});

Deno.test("engine hands texts over whole, up to a NUL, in either direction", async () => {
  const { engine, host } = await startOne();
  const text = `${"é€😀".repeat(1000)}\u2028\ufeff`;
  assert.equal(evaluate(engine, JSON.stringify(text)).text, text);
  host.answer = text;
  engine.send(1, 0, "ask('x') === " + JSON.stringify(text));
  assert.deepEqual(host.told.slice(-2).map((one) => one.text), ["x", "true"]);
  host.answer = undefined;
  engine.send(1, 0, "ask('x')");
  assert.deepEqual(host.told.slice(-2).map((one) => one.text), ["x", "undefined"]);
});

Deno.test("engine loads modules from its host and its own, and throws what the host refuses", async () => {
  const { engine, host } = await startOne();
  host.modules.set("a", "import { x } from 'built:in'; export const y = x + 1");
  host.modules.set("b", "error in the source");
  const load = (name: string) =>
    evaluate(
      engine,
      `load('${name}').then((m) => ask('got ' + m.y), (e) => ask('failed ' + e.message))`,
    );
  load("a");
  assert.equal(host.told.at(-1)!.text, "got 8");
  load("b");
  assert.equal(host.told.at(-1)!.text, "failed error in the source");
  load("c");
  assert.equal(host.told.at(-1)!.text, "failed no c here");
  load("refused:/1");
  assert.equal(host.told.at(-1)!.text, "failed no refused:/1 here");
});

Deno.test("engine counts what the host charges", async () => {
  const { engine } = await startOne();
  const before = engine.fuel;
  engine.charge(1234);
  assert.equal(engine.fuel, before + 1234);
});
