// deno-lint-ignore-file no-console
// What a run in the sandbox costs, as ratios against plain quickjs-emscripten, quickjs-wasi,
// @sebastianwessel/quickjs and V8 in the same process. Neighbours are fetched for this bench only and
// stand in no lock file. `deno task bench sandbox`

import { prepareEngine, readStockEngine } from "../src/asset.ts";
import { createEngineMaker, type EngineHost } from "../src/engine.ts";
import { DEFAULT_RUN_LIMITS, GUEST_STACK_BYTES } from "../src/limits.ts";
import { loadGlue } from "../src/loader.ts";
import { BUILT_INS, ENTRY_MODULE, PRELUDE, PRELUDE_NAME, ToGuest, ToHost } from "../src/prelude.ts";
import { createExecutor } from "../src/sandbox.ts";
import { median, quantile } from "./median.ts";

const ROUNDS = 40;
const HEAVY_RUNS = 20;

// About 2 KB: what an agent writes to sum up some records.
const SCRIPT = `
${"// a comment as long as those that a careful author writes above a function\n".repeat(6)}
function summarise(rows) {
  const groups = new Map();
  for (const row of rows) {
    const group = groups.get(row.kind) ?? { count: 0, total: 0, names: [] };
    group.count++;
    group.total += row.amount;
    if (group.names.length < 3) group.names.push(row.name.toUpperCase());
    groups.set(row.kind, group);
  }
  return [...groups].map(([kind, group]) => ({ kind, ...group, mean: group.total / group.count }));
}
class Table {
  constructor(rows) { this.rows = rows; }
  where(test) { return new Table(this.rows.filter(test)); }
  orderBy(key) { return new Table([...this.rows].sort((a, b) => a[key] < b[key] ? -1 : 1)); }
  take(count) { return this.rows.slice(0, count); }
}
const rows = Array.from({ length: 60 }, (_, i) => ({ kind: "k" + i % 5, amount: i * 3 % 17, name: "n" + i }));
const table = new Table(rows).where((row) => row.amount > 3).orderBy("amount");
const result = JSON.stringify({ first: table.take(3), groups: summarise(rows) });
`;

interface Figure {
  readonly median: number;
  readonly p95: number;
}

function figure(values: readonly number[]): Figure {
  return { median: median(values), p95: quantile(values, 0.95) };
}

/** Times `work` in turns with nothing else; the first turns do not count. */
async function time(work: () => unknown, rounds = ROUNDS): Promise<Figure> {
  const times: number[] = [];
  for (let round = -5; round < rounds; round++) {
    const start = performance.now();
    await work();
    if (round >= 0) times.push(performance.now() - start);
  }
  return figure(times);
}

function row(name: string, { median, p95 }: Figure, reference?: Figure): void {
  const ratio = reference === undefined ? "" : `  ${(median / reference.median).toFixed(2)} x`;
  console.log(`  ${name.padEnd(46)} ${median.toFixed(3)} / ${p95.toFixed(3)} ms${ratio}`);
}

async function optional<T>(specifier: string): Promise<T | undefined> {
  try {
    return await import(specifier) as T;
  } catch (error) {
    console.log(`  ${specifier} is not to be had: ${String(error).split("\n")[0]!.slice(0, 100)}`);
    return undefined;
  }
}

// deno-lint-ignore no-explicit-any
type Loose = any;

const stock = await readStockEngine();
const metered = await prepareEngine(stock);
const modules = {
  stock: await WebAssembly.compile(stock),
  metered: await WebAssembly.compile(metered),
};
const maker = createEngineMaker({
  module: modules.metered,
  stack: GUEST_STACK_BYTES,
  prelude: PRELUDE,
  preludeName: PRELUDE_NAME,
  builtIns: BUILT_INS,
});

/** Runs a module in a fresh engine of ours and gives its result's JSON. */
async function runEngine(code: string): Promise<string | undefined> {
  const engine = await maker.start(DEFAULT_RUN_LIMITS.memory);
  let result: string | undefined;
  const host: EngineHost = {
    call(kind, id, text) {
      if (kind === ToHost.done) result = text.read();
      else if (kind === ToHost.fail) throw new Error(text.read());
      // A call answered here, as those for state could be.
      else if (kind === ToHost.now) return "1";
      void id;
      return undefined;
    },
    resolve: (specifier) => ({ ok: specifier === ENTRY_MODULE ? ENTRY_MODULE : "main" }),
    load: (name) => ({ ok: name === ENTRY_MODULE ? 'export * as main from "main"' : code }),
    interrupts: () => false,
  };
  engine.host = host;
  engine.send(ToGuest.start, 1, '{"entry":"default","args":[]}');
  while (engine.runJobs(256));
  return result;
}

// First, while nothing of the neighbours stands in memory.
console.log("memory of heavy runs (200 MB each)");
const nobody = { call: () => Promise.resolve("1") };
const heavy = createExecutor({ concurrency: 2 });
let peak = 0;
for (let round = 0; round < HEAVY_RUNS; round++) {
  await heavy.execute({
    source:
      "const kept = []; for (let i = 0; i < 10; i++) kept.push(new Uint8Array(20 << 20).fill(1)); return kept.length",
    path: "main.ts",
    files: new Map(),
    limits: DEFAULT_RUN_LIMITS,
  }, nobody);
  peak = Math.max(peak, Deno.memoryUsage().rss);
}
await new Promise((resolve) => setTimeout(resolve, 1000));
await heavy.execute({
  source: "return 1",
  path: "main.ts",
  files: new Map(),
  limits: DEFAULT_RUN_LIMITS,
}, nobody);
const mib = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
console.log(
  `  ${HEAVY_RUNS} runs: at most ${mib(peak)}, afterwards ${mib(Deno.memoryUsage().rss)} (aim 200)`,
);
await heavy.close();

/** What the same work takes without us; absent where one has no way to do it. */
interface Neighbour {
  readonly name: string;
  /** A fresh instance that runs the script and is dropped. */
  script(): unknown;
  /** JSON text in, parsed, and out again. */
  json(text: string): unknown;
  /** Milliseconds of one program's calls of a host function, one after the other. */
  calls(count: number): Promise<number>;
}

const emscripten = await optional<Loose>("npm:quickjs-emscripten@0.32.0");
const wasi = await optional<Loose>("npm:quickjs-wasi@3.6.2");
const sebastian = await optional<Loose>("npm:@sebastianwessel/quickjs@3.1.0");
const release = await optional<Loose>("npm:@jitl/quickjs-ng-wasmfile-release-sync@0.32.0");

const ROUND_TRIP = "JSON.stringify(JSON.parse(text))";
const pings = (count: number) => `let n = 0; for (let i = 0; i < ${count}; i++) n += ping(i); n`;

async function elapsed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function plainEmscripten(): Promise<Neighbour> {
  const { newQuickJSWASMModuleFromVariant, newVariant, RELEASE_SYNC } = emscripten;
  const variant = newVariant(RELEASE_SYNC, { wasmModule: modules.stock });
  const QuickJS = await newQuickJSWASMModuleFromVariant(variant);
  const inContext = (QuickJS: Loose, work: (vm: Loose) => unknown) => {
    const vm = QuickJS.newContext();
    const result = work(vm);
    vm.dispose();
    return result;
  };
  return {
    name: "plain quickjs-emscripten, no limits",
    script: async () =>
      inContext(
        await newQuickJSWASMModuleFromVariant(variant),
        (vm) => vm.unwrapResult(vm.evalCode(`${SCRIPT}\nresult.length`)).dispose(),
      ),
    json: (text) =>
      inContext(QuickJS, (vm) => {
        vm.newString(text).consume((value: Loose) => vm.setProp(vm.global, "text", value));
        return vm.unwrapResult(vm.evalCode(ROUND_TRIP)).consume((value: Loose) =>
          vm.getString(value)
        );
      }),
    calls: (count) =>
      elapsed(() =>
        inContext(QuickJS, (vm) => {
          vm.newFunction("ping", (value: Loose) => vm.newNumber(vm.getNumber(value) + 1))
            .consume((value: Loose) => vm.setProp(vm.global, "ping", value));
          vm.unwrapResult(vm.evalCode(pings(count))).dispose();
        })
      ),
  };
}

async function plainWasi(): Promise<Neighbour> {
  const { QuickJS } = wasi;
  const file = new URL("../quickjs.wasm", import.meta.resolve("npm:quickjs-wasi@3.6.2"));
  const wasm = await WebAssembly.compile(await Deno.readFile(file));
  const inVm = async (work: (vm: Loose) => unknown) => {
    const vm = await QuickJS.create({ wasm });
    const result = work(vm);
    vm.dispose?.();
    return result;
  };
  return {
    name: "quickjs-wasi",
    script: () => inVm((vm) => vm.evalCode(`${SCRIPT}\nresult.length`)),
    json: (text) =>
      inVm((vm) => {
        vm.setProp(vm.global, "text", vm.newString(text));
        return vm.evalCode(ROUND_TRIP).toString();
      }),
    calls: (count) =>
      elapsed(() =>
        inVm((vm) => {
          const ping = vm.newFunction("ping", (value: Loose) => vm.newNumber(value.toNumber() + 1));
          vm.setProp(vm.global, "ping", ping);
          vm.evalCode(pings(count));
        })
      ),
  };
}

async function plainSebastian(): Promise<Neighbour> {
  const { runSandboxed } = await sebastian.loadQuickJs(release.default);
  const run = async (code: string, env: Record<string, unknown> = {}) => {
    const result = await runSandboxed(({ evalCode }: Loose) => evalCode(code), {
      executionTimeout: 60_000,
      env,
    });
    if (!result.ok) throw new Error(JSON.stringify(result.error));
    return result.data;
  };
  return {
    name: "@sebastianwessel/quickjs",
    script: () => run(`${SCRIPT}\nexport default result.length`),
    json: (text) => run("export default JSON.stringify(JSON.parse(env.text))", { text }),
    calls: (count) =>
      elapsed(() =>
        run(`const { ping } = env;\nexport default (() => { ${pings(count)}; return n; })()`, {
          ping: (value: number) => value + 1,
        })
      ),
  };
}

const V8: Neighbour = {
  name: "V8, no isolation",
  script: () => new Function(`${SCRIPT}\nreturn result.length;`)(),
  json: (text) => JSON.stringify(JSON.parse(text)),
  calls: (count) => elapsed(() => new Function("ping", pings(count))((value: number) => value + 1)),
};

const neighbours: Neighbour[] = [];
if (emscripten !== undefined) neighbours.push(await plainEmscripten());
if (wasi !== undefined) neighbours.push(await plainWasi());
if (sebastian !== undefined && release !== undefined) neighbours.push(await plainSebastian());
neighbours.push(V8);

/** The same work of each neighbour, which the rows that follow are compared with: the first's. */
async function timeNeighbours(
  work: (neighbour: Neighbour) => Promise<Figure>,
): Promise<[string, Figure][]> {
  const figures: [string, Figure][] = [];
  for (const neighbour of neighbours) {
    try {
      figures.push([neighbour.name, await work(neighbour)]);
    } catch (error) {
      console.log(`  ${neighbour.name}: ${String(error).slice(0, 100)}`);
    }
  }
  return figures;
}

function rows(
  ours: readonly [string, Figure][],
  theirs: readonly [string, Figure][],
  format: typeof row = row,
): void {
  for (const [name, figures] of [...ours, ...theirs]) format(name, figures, theirs[0]?.[1]);
}

console.log("\nfresh instance + context + 2 KB script");
const ours = await time(() => runEngine(`${SCRIPT}\nexport default result.length;`));
const scripts = await timeNeighbours(({ script }) => time(script));
rows([["mcp-exec, metered, prelude and limits", ours]], scripts);
const plain = scripts[0]?.[1];

console.log("\nwarm run end to end, through the worker");
const executor = createExecutor({ concurrency: 1 });
const host = { call: (_name: string, argsJson: string) => Promise.resolve(argsJson) };
async function execute(source: string, files: ReadonlyMap<string, string> = new Map()) {
  const limits = { ...DEFAULT_RUN_LIMITS, fuel: 1e12, calls: 1e6 };
  const report = await executor.execute({ source, path: "main.ts", files, limits }, host);
  if (report.error !== undefined) throw report.error;
  return report;
}
const trivial = await time(() => execute("export default 1"), 150);
row("trivial run (aim 1.5)", trivial, plain);
row(
  "2 KB script",
  await time(() => execute(`${SCRIPT}\nexport default result.length;`), 100),
  plain,
);

console.log("\nhost calls, microseconds each");
const CALLS = 10_000;
function callRow(name: string, { median, p95 }: Figure, reference?: Figure): void {
  const ratio = reference === undefined ? "" : `  ${(median / reference.median).toFixed(2)} x`;
  const us = (ms: number) => (ms * 1000).toFixed(2);
  console.log(`  ${name.padEnd(46)} ${us(median)} / ${us(p95)} us${ratio}`);
}
const callFigures = await timeNeighbours(async ({ calls }) => {
  const times: number[] = [];
  for (let round = 0; round < 9; round++) times.push(await calls(CALLS) / CALLS);
  return figure(times);
});
async function perCall(title: string, count: number, body: string): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < 9; round++) times.push((await execute(body)).ms / count);
  callRow(title, figure(times), callFigures[0]?.[1]);
}
await perCall(
  "guest function alone, for scale",
  100_000,
  "const f = (a) => a; for (let i = 0; i < 1e5; i++) f(i); return 1",
);
await perCall(
  "answered inside the worker (aim 15)",
  10_000,
  "for (let i = 0; i < 1e4; i++) performance.now(); return 1",
);
await perCall(
  "listFiles, awaited one by one (aim 15)",
  5_000,
  'for (let i = 0; i < 5e3; i++) await listFiles("/"); return 1',
);
await perCall(
  "through the main thread, batches of 100 (aim 40)",
  5_000,
  'for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 100 }, () => callTool("a", "b", { i }))); return 1',
);
await perCall(
  "through the main thread, one by one",
  1_000,
  'for (let i = 0; i < 1000; i++) await callTool("a", "b", { i }); return 1',
);
rows([], callFigures.map(([name, one]) => [`${name}, in the same thread`, one]), callRow);
const slow = createExecutor({ concurrency: 1 });
const waits: number[] = [];
for (let round = 0; round < 9; round++) {
  const report = await slow.execute(
    {
      source:
        'return (await Promise.all(Array.from({ length: 100 }, () => callTool("a", "b")))).length',
      path: "main.ts",
      files: new Map(),
      limits: DEFAULT_RUN_LIMITS,
    },
    { call: () => new Promise((resolve) => setTimeout(() => resolve("1"), 20)) },
  );
  waits.push(report.ms);
}
await slow.close();
row("100 parallel calls of 20 ms each", figure(waits));

console.log("\n5 MB of JSON");
const data = Array.from(
  { length: 68_000 },
  (_, id) => ({ id, name: `name ${id}`, tags: ["a", "b"], score: id / 7 }),
);
const json = JSON.stringify(data);
console.log(`  ${(json.length / 1e6).toFixed(2)} MB`);
const big = { call: () => Promise.resolve(json) };
const limits = { ...DEFAULT_RUN_LIMITS, fuel: 1e12 };
const bigRun = (source: string) => () =>
  executor.execute({ source, path: "main.ts", files: new Map(), limits }, big);
rows([
  [
    "mcp-exec: into the guest as a call's answer",
    await time(bigRun('return (await callTool("a", "b")).length'), 8),
  ],
  [
    "mcp-exec: in, and out again as the result",
    await time(bigRun('return await callTool("a", "b")'), 8),
  ],
], await timeNeighbours((neighbour) => time(() => neighbour.json(json), 8)));
await executor.close();

console.log("\ncost of metering (geometric mean of kernels, metered / plain engine)");
const KERNELS: Readonly<Record<string, string>> = {
  loop: "let s = 0; for (let i = 0; i < 1e6; i++) s += i % 7; s",
  properties:
    "const o = { a: 1, b: { c: 2 } }; let s = 0; for (let i = 0; i < 3e5; i++) { s += o.a + o.b.c; o.a = i & 3; } s",
  json:
    'const t = JSON.stringify(Array.from({ length: 3000 }, (_, i) => ({ id: i, n: "x" + i, v: [1, 2, 3] }))); let n = 0; for (let i = 0; i < 6; i++) n += JSON.parse(t).length; n',
  sort: "Array.from({ length: 4e4 }, (_, i) => (i * 7919) % 40009).sort((a, b) => a - b)[5]",
  text: 'let s = ""; for (let i = 0; i < 6e4; i++) s += i; s.length',
  map:
    'const m = new Map(); for (let i = 0; i < 4e4; i++) m.set("k" + i, i); let s = 0; for (const [, v] of m) s += v; s',
  calls: "const f = (n) => n < 2 ? n : f(n - 1) + f(n - 2); f(23)",
  regexp:
    'let n = 0; const t = "The quick brown fox 12345 ".repeat(200); for (let i = 0; i < 15; i++) n += [...t.matchAll(/(\\w+) (\\d+)/g)].length; n',
  arrays:
    "const a = []; for (let i = 0; i < 2e5; i++) a.push(i); a.map((x) => x * 2).filter((x) => x % 3).reduce((x, y) => x + y)",
};
const { glue, functions } = await loadGlue();
async function kernelTime(module: WebAssembly.Module, code: string): Promise<number> {
  const wasmMemory = new WebAssembly.Memory({ initial: 256, maximum: 4096 });
  let counter: WebAssembly.Global | undefined;
  const instance: Loose = await glue({
    wasmMemory,
    instantiateWasm(imports, done) {
      const made = new WebAssembly.Instance(module, imports);
      counter = made.exports.mcp_exec_fuel as WebAssembly.Global | undefined;
      done(made);
    },
    print: () => {},
    printErr: () => {},
  });
  instance.callbacks = {
    shouldInterrupt() {
      if (counter !== undefined) counter.value = 1_000_000;
      return 0;
    },
  };
  const ffi: Loose = new functions(instance);
  const context = ffi.QTS_NewContext(ffi.QTS_NewRuntime(), 0);
  const bytes = new TextEncoder().encode(code);
  const pointer = instance._malloc(bytes.length + 1);
  instance.HEAPU8.set(bytes, pointer);
  instance.HEAPU8[pointer + bytes.length] = 0;
  const start = performance.now();
  ffi.QTS_Eval(context, pointer, bytes.length, "k.js", 0, 0);
  return performance.now() - start;
}
let product = 1;
let v8Product = 1;
for (const [name, code] of Object.entries(KERNELS)) {
  const times = { stock: [] as number[], metered: [] as number[], v8: [] as number[] };
  for (let round = 0; round < 11; round++) {
    times.stock.push(await kernelTime(modules.stock, code));
    times.metered.push(await kernelTime(modules.metered, code));
    const start = performance.now();
    (0, eval)(`{ ${code} }`);
    times.v8.push(performance.now() - start);
  }
  const best = (values: number[]) => Math.min(...values);
  const ratio = best(times.metered) / best(times.stock);
  product *= ratio;
  v8Product *= best(times.v8) / best(times.stock);
  console.log(
    `  ${name.padEnd(12)} plain ${best(times.stock).toFixed(1)} ms, metered ${
      best(times.metered).toFixed(1)
    } ms  ${ratio.toFixed(3)} x`,
  );
}
const count = Object.keys(KERNELS).length;
console.log(
  `  metering: ${(product ** (1 / count)).toFixed(3)} x (aim 1.08); V8 ${
    (v8Product ** (1 / count)).toFixed(2)
  } x`,
);
