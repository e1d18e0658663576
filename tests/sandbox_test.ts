import assert from "node:assert/strict";
import { AppError, ExitCode } from "../src/errors.ts";
import { DEFAULT_RUN_LIMITS, MAX_CALLS_IN_FLIGHT, type RunLimits } from "../src/limits.ts";
import {
  type CodeExecutor,
  createExecutor,
  type ExecuteOptions,
  type HostCall,
  type HostFunctions,
  type LogEntry,
  type Program,
  type RunReport,
} from "../src/sandbox.ts";
import { eventually } from "./eventually.ts";
import { heldAfter } from "./heavy_runs.ts";

const FILES = new Map([
  ["/mcp-tools/servers/github/index.ts", 'export { hello } from "./hello.ts";'],
  [
    "/mcp-tools/servers/github/hello.ts",
    'import { callTool } from "./host.ts";\nimport type { In } from "./types.ts";\n' +
    'export function hello(params: In): Promise<unknown> {\n  return callTool("github", "hello", params);\n}',
  ],
  ["/mcp-tools/servers/github/types.ts", "export interface In { name: string }"],
  ["/mcp-tools/servers/github/host.ts", "export const callTool = 1;"],
  [
    "/mcp-tools/skills/sum/lib.ts",
    "export enum Kind { a = 7 }\nexport const no = (x: any) => x.y.z;",
  ],
  ["/workspace/notes.txt", "line one\nline two é€😀"],
]);

interface Extra extends Partial<Omit<Program, "limits">>, ExecuteOptions {
  readonly limits?: Partial<RunLimits>;
  readonly call?: HostFunctions["call"];
}

const echo: HostFunctions["call"] = (_name, argsJson) => Promise.resolve(argsJson);

function run(executor: CodeExecutor, source: string, extra: Extra = {}): Promise<RunReport> {
  const { call = echo, limits, signal, onLog, ...program } = extra;
  return executor.execute(
    {
      source,
      path: "main.ts",
      files: FILES,
      ...program,
      limits: { ...DEFAULT_RUN_LIMITS, ...limits },
    },
    { call },
    { ...(signal && { signal }), ...(onLog && { onLog }) },
  );
}

function test(title: string, body: (executor: CodeExecutor) => Promise<void>): void {
  Deno.test(title, async () => {
    const executor = createExecutor({ concurrency: 2 });
    try {
      await body(executor);
    } finally {
      await executor.close();
    }
  });
}

const valueOf = async (executor: CodeExecutor, source: string, extra?: Extra) => {
  const report = await run(executor, source, extra);
  assert.equal(report.error, undefined, report.error?.message);
  return report.value;
};

const errorOf = async (executor: CodeExecutor, source: string, extra?: Extra) => {
  const report = await run(executor, source, extra);
  assert.ok(report.error instanceof AppError, JSON.stringify(report));
  assert.equal(report.ok, false);
  return report.error;
};

test("execute gives the default export of a module, or what a body returns", async (executor) => {
  assert.equal(await valueOf(executor, "const a: number = 20; export default a * 2;"), 40);
  assert.equal(await valueOf(executor, "const a: number = await 20;\nreturn a + 1;"), 21);
  assert.deepEqual(await valueOf(executor, "export default Promise.resolve([1, { a: null }])"), [
    1,
    {
      a: null,
    },
  ]);
  assert.equal(await valueOf(executor, "enum E { a = 5 } export default E.a;"), 5);
});

test("execute calls a result that is a function, or the export that was named", async (executor) => {
  const source =
    "export default (n: number) => n * 2;\nexport async function other() { return 'o'; }";
  assert.equal(await valueOf(executor, source, { args: 21 }), 42);
  assert.equal(await valueOf(executor, source, { entry: "other" }), "o");
  assert.equal(await valueOf(executor, "export default (...all) => all.length"), 0);
  const error = await errorOf(executor, source, { entry: "toString" });
  assert.deepEqual([error.kind, error.hint], ["guest", "it exports default, other"]);
});

test("execute says when a result is missing or is no JSON, E-R5 S17", async (executor) => {
  for (const source of ["export default undefined", "const a = 1", "export default Symbol('a')"]) {
    const report = await run(executor, source);
    assert.deepEqual([report.ok, report.hasValue, "value" in report], [true, false, false]);
  }
  const map = await run(executor, "export default new Map([[1, 2]])");
  assert.deepEqual([map.value, map.warnings.length], [{}, 1]);
  const nan = await run(executor, "export default 0 / 0");
  assert.deepEqual([nan.value, nan.hasValue, nan.warnings.length], [null, true, 1]);
});

test("execute spends the same fuel and gives the same result each time, E-D1", async (executor) => {
  const source = `const items = await callTool("a", "b", { n: [3, 1, 2] });
    const seen = new Map(items[2].n.map((n) => [n, "x".repeat(n * 1000)]));
    for (let i = 0; i < 100; i++) Math.random();
    export default [...seen].sort((a, b) => a[0] - b[0]).map(([n, s]) => n + s.length);`;
  const reports = [];
  for (let round = 0; round < 5; round++) reports.push(await run(executor, source));
  assert.deepEqual(reports[0]!.value, [1001, 2002, 3003]);
  for (const report of reports) {
    assert.deepEqual([report.fuel, report.value], [reports[0]!.fuel, reports[0]!.value]);
  }
});

test("execute runs host calls in parallel, at most so many at once", async (executor) => {
  for (const [count, most] of [[100, 100], [300, MAX_CALLS_IN_FLIGHT]] as const) {
    const all = Promise.withResolvers<void>();
    let running = 0;
    let peak = 0;
    const call = async () => {
      peak = Math.max(peak, ++running);
      if (running === most) all.resolve();
      await all.promise;
      running--;
      return "1";
    };
    const source =
      `const all = await Promise.all(Array.from({ length: ${count} }, () => callTool("a", "b")));
       export default all.reduce((a, b) => a + b);`;
    assert.equal(await valueOf(executor, source, { call }), count);
    assert.equal(peak, most);
  }
});

test("execute hands calls over as JSON, and answers by id", async (executor) => {
  const asked: [string, string][] = [];
  const call = async (name: string, argsJson: string) => {
    asked.push([name, argsJson]);
    await new Promise((resolve) => setTimeout(resolve, 10 - asked.length));
    return name === "getState" ? "" : argsJson;
  };
  const source = `export default JSON.stringify(await Promise.all([
    callTool("s", "t"), callTool("s", "u", { a: "\\u0000\\ud800" }),
    searchTools("words", { limit: 2 }), getState("k").then(String), setState("k", { v: 1 })]));`;
  const wanted = [
    ["callTool", '["s","t",{}]'],
    ["callTool", '["s","u",{"a":"\\u0000\\ud800"}]'],
    ["searchTools", '["words",{"limit":2}]'],
    ["getState", '["k"]'],
    ["setState", '["k",{"v":1}]'],
  ];
  const value = JSON.parse(await valueOf(executor, source, { call }) as string);
  assert.deepEqual(asked, wanted);
  assert.deepEqual(value[1], ["s", "u", { a: "\0\ud800" }]);
  assert.equal(value[3], "undefined");
});

test("callTool gives a ToolError that can be caught", async (executor) => {
  const call = () =>
    Promise.reject(new AppError("server", "No such issue", { hint: "list them", detail: ["a"] }));
  const source = `import { ToolError } from "mcp:host";
    try { await callTool("github", "get", {}); } catch (error) {
      return [error instanceof ToolError, error instanceof Error, error.name, error.message,
        error.kind, error.server, error.tool, error.hint, JSON.stringify([error, error.detail])];
    }`.replace('import { ToolError } from "mcp:host";', "");
  const [first, second, ...rest] = await valueOf(executor, source, { call }) as unknown[];
  assert.deepEqual([first, second], [true, true]);
  const json = rest.pop() as string;
  assert.deepEqual(rest, [
    ...["ToolError", "No such issue", "server", "github", "get", "list them"],
  ]);
  // What a server wrote on its machine stays with the host, and comes back in the report.
  assert.deepEqual(JSON.parse(json)[1], null);
  assert.equal(JSON.parse(json)[0].kind, "server");
  const error = await errorOf(executor, 'await callTool("github", "get")', { call });
  assert.equal(error.detail?.at(-1), "a");
});

test("execute keeps the kind of a host error that nobody caught, with its place", async (executor) => {
  const call = () => Promise.reject(new AppError("denied", "Tool is denied", { hint: "ask" }));
  const source = 'const a = 1;\nexport default await callTool("a", "b");';
  const error = await errorOf(executor, source, { call });
  assert.deepEqual([error.kind, error.exitCode], ["denied", ExitCode.refused]);
  assert.deepEqual([error.message, error.hint], ["Tool is denied", "ask"]);
  assert.deepEqual(error.at, { file: "main.ts", line: 2, column: 30 });
  const through = 'import { hello } from "mcp:github";\n\nexport default hello({ name: "x" });';
  assert.equal((await errorOf(executor, through, { call })).at?.line, 3);
  const own = await errorOf(executor, 'throw Object.assign(new Error("x"), { kind: "denied" })');
  assert.equal(own.kind, "guest");
});

test("execute names the author's line and column", async (executor) => {
  const place = async (source: string) => {
    const { at, detail, message } = await errorOf(executor, source);
    return [at && `${at.file}:${at.line}:${at.column}`, detail?.[1]?.indexOf("^"), message];
  };
  assert.deepEqual(await place("type A = string;\nlet b: any;\nexport default b.c;"), [
    "main.ts:3:17",
    20,
    "TypeError: cannot read property 'c' of undefined",
  ]);
  assert.equal(
    (await place(
      "enum E { a }\nconst f = (x: E): never => {\n  throw new Error('x');\n};\nf(E.a);",
    ))[0],
    "main.ts:3:13",
  );
  assert.equal((await place("await 0;\nawait 0;\n  null.x;"))[0], "main.ts:3:7");
  assert.equal((await place("const a: = 1;"))[0], "main.ts:1:10");
  assert.equal((await place("return 1 +;"))[0], "main.ts:1:11");
  assert.equal((await place("return (null as any).x;"))[0], "main.ts:1:21");
  const library = 'import { no } from "/mcp-tools/skills/sum/lib.ts";\nno({});';
  assert.equal((await place(library))[0], "/mcp-tools/skills/sum/lib.ts:2:34");
});

test("execute stops at the wall clock while it waits, and while it computes", async (executor) => {
  let aborted = 0;
  const call = (_name: string, _json: string, { signal }: HostCall) =>
    new Promise<string>((_, reject) => {
      signal.addEventListener("abort", () => {
        aborted++;
        reject(new Error("aborted"));
      });
    });
  // Enough to come to the call or the loop on a busy machine.
  const limits = { wallMs: 400, fuel: 1e12 };
  const waiting = await errorOf(executor, 'await callTool("a", "b");', { call, limits });
  assert.deepEqual([waiting.kind, waiting.limit?.name], ["limit", "wall"]);
  assert.equal(aborted, 1);
  const busy = await errorOf(executor, "const a = 1;\nconst f = () => { for (;;); };\nf();", {
    limits,
  });
  assert.deepEqual([busy.limit?.name, busy.at?.line], ["wall", 2]);
  const first = await errorOf(executor, "function f() {\n  for (;;);\n}\nf();", { limits });
  assert.deepEqual(first.at, { file: "main.ts", line: 1, column: 1 });
  assert.equal(await valueOf(executor, "export default 1"), 1);
});

test("execute says at which loop of the top level a program was stopped", async (executor) => {
  const limits = { fuel: 1e6 };
  const cases: [source: string, line: number, column: number][] = [
    ["const a = 1;\n  for (;;);", 2, 3],
    ["for (;;);", 1, 1],
    ["let a: number = 1;\nfunction f() { for (;;); }\n\nwhile (a) {\n  a++;\n}\nreturn a;", 4, 8],
    ["let a = 1;\nif (a > 0) {\n  do {\n    a++;\n  } while (a);\n}", 3, 3],
    ['import { log } from "mcp:host";\nlog("info", "a");\nawait 0;\nfor (;;) {}\nreturn 1;', 4, 1],
    ["enum E { a }\n\nfor (let i: number = 1;;) i++;", 3, 1],
    ["let a = 1;\nfor (;;) {\n  a = a + 2;\n}", 2, 1],
  ];
  for (const [source, line, column] of cases) {
    const { at, detail } = await errorOf(executor, source, { limits });
    assert.deepEqual(at, { file: "main.ts", line, column }, source);
    assert.equal(detail![0], `${line} | ${source.split("\n")[line - 1]}`);
  }
  const none = await errorOf(executor, 'await 0; await new Function("for (;;);")()', { limits });
  assert.equal(none.limit?.name, "fuel");
});

test("execute says where a loop was stopped that does little but await", async (executor) => {
  const cases: [source: string, line: number][] = [
    ["const a = 1;\n\nfor (;;) await 0;", 3],
    ["let a: number = 1;\n  while (a > 0) {    a++;    await null;  }", 2],
    ["const a = 1;\nasync function f() { for (;;) await 0; }\n\nawait f();", 2],
  ];
  for (const [source, line] of cases) {
    for (const fuel of [1e6, 3e6, 1e7]) {
      const { at, limit } = await errorOf(executor, source, { limits: { fuel } });
      assert.deepEqual([limit?.name, at?.line], ["fuel", line], source);
    }
  }
});

test("execute shows frames of the author's text alone", async (executor) => {
  const error = await errorOf(executor, "const f = () => nope();\nf();\nreturn 1;");
  assert.deepEqual(error.at, { file: "main.ts", line: 1, column: 17 });
  assert.deepEqual(error.detail, [
    "1 | const f = () => nope();",
    "                    ^",
    "at main.ts:2:2",
  ]);
});

test("execute says what was thrown that is no error, E-R3 S20", async (executor) => {
  const messageOf = async (thrown: string) => (await errorOf(executor, `throw ${thrown};`)).message;
  assert.equal(await messageOf("1n"), "Program threw 1");
  assert.equal(await messageOf('""'), 'Program threw ""');
  assert.equal(await messageOf("[1, { a: 2 }]"), "Program threw [ 1, { a: 2 } ]");
  assert.equal(await messageOf("new RangeError('far')"), "RangeError: far");
  assert.equal(await messageOf("new Error()"), "Error");
  assert.equal(await messageOf("Object.assign(new Error(), { name: '' })"), "Error");
});

test("execute fits its advice on a missing result to the program's form", async (executor) => {
  const warningsOf = async (source: string) => (await run(executor, source)).warnings;
  assert.deepEqual(await warningsOf("1 + 1"), [
    'Program has no result: add "export default VALUE", or end it with "return VALUE"',
  ]);
  assert.deepEqual(await warningsOf("export const a = 1"), [
    'Program has no result: add "export default VALUE"',
  ]);
});

test("execute warns of promises that nobody handled, with their place, E-R8", async (executor) => {
  const files = new Map([["/mcp-tools/bad.ts", "throw new Error('in it');"]]);
  const warningsOf = async (source: string) => (await run(executor, source, { files })).warnings;
  assert.deepEqual(await warningsOf("const f = async () => {\n  nope();\n};\nf();\nreturn 1;"), [
    "Promise was rejected and nobody handled it: ReferenceError: 'nope' is not defined at main.ts:2:3",
  ]);
  const unawaited = "import('/mcp-tools/bad.ts');\nawait 0; await 0;\nawait 0;\nexport default 1";
  assert.deepEqual(await warningsOf(unawaited), [
    "Promise was rejected and nobody handled it: Error: in it at /mcp-tools/bad.ts:1:16",
  ]);
  assert.deepEqual(
    await warningsOf("await import('/mcp-tools/bad.ts').catch(() => 1);\nreturn 1"),
    [],
  );
  assert.deepEqual(await warningsOf("throw new Error('once')"), []);
  assert.deepEqual(await warningsOf("Promise.reject(1);\nthrow new Error('other')"), [
    "Promise was rejected and nobody handled it: 1",
  ]);
});

test("execute names the limit that was met", async (executor) => {
  const limitOf = async (source: string, extra?: Extra) =>
    (await errorOf(executor, source, extra)).limit;
  const fuel = await limitOf("for (;;);", { limits: { fuel: 1e6 } });
  assert.equal(fuel?.name, "fuel");
  assert.ok(fuel!.value! >= 1e6 && fuel!.value! <= 3.1e6);
  const calls = 'for (let i = 0; i < 6; i++) await callTool("a", "b");';
  assert.deepEqual(await limitOf(calls, { limits: { calls: 5 } }), {
    name: "calls",
    limit: 5,
    value: 6,
  });
  assert.equal((await limitOf("for (;;) await getState('a');"))?.name, "host calls");
  assert.equal((await limitOf("(function f() { f(); })();"))?.name, "stack");
  assert.equal((await limitOf(`"${"x".repeat(2 ** 20)}"`))?.name, "source");
  assert.equal((await limitOf("for (;;) setTimeout(() => {}, 1e6);"))?.name, "timers");
});

test("execute stops when its signal says so, and the next run works, E-C15", async (executor) => {
  const stop = async (source: string) => {
    const controller = new AbortController();
    const report = run(executor, source, {
      signal: controller.signal,
      call: () => {
        controller.abort();
        return new Promise(() => {});
      },
      limits: { fuel: 1e12 },
    });
    assert.equal((await report).error?.kind, "interrupted");
  };
  await stop('await callTool("a", "b");');
  await stop('callTool("a", "b"); for (;;) { (async () => { for (;;); })(); }');
  const early = await run(executor, "export default 1", { signal: AbortSignal.abort() });
  assert.equal(early.error?.kind, "interrupted");
  assert.equal(await valueOf(executor, "export default 2"), 2);
});

test("execute ends with its result; what is under way is told to stop, E-R7 S12", async (executor) => {
  const signals: AbortSignal[] = [];
  const call = (_name: string, _json: string, { signal }: HostCall) => {
    signals.push(signal);
    return new Promise<string>(() => {});
  };
  const source = 'callTool("a", "b"); setInterval(() => callTool("a", "c"), 1); export default 1;';
  const report = await run(executor, source, { call });
  assert.equal(report.value, 1);
  assert.equal(report.warnings.length, 1);
  assert.deepEqual(signals.map((signal) => signal.aborted), [true]);
});

test("execute reads virtual files and nothing else, V7", async (executor) => {
  const source = `export default [await readFile("/workspace/notes.txt"),
    await readFile("//workspace/./x/../notes.txt").then((text) => text.length),
    await listFiles("/"), await listFiles("/mcp-tools/servers/github"),
    ...await Promise.all(["/a/../../b", "", "/etc/passwd", "/workspace"].map((path) =>
      readFile(path).then(() => "read", (error) => error.message)))];`;
  const value = await valueOf(executor, source) as unknown[];
  assert.equal(value[0], FILES.get("/workspace/notes.txt"));
  assert.equal(value[1], FILES.get("/workspace/notes.txt")!.length);
  assert.deepEqual(value[2], ["mcp-tools/", "workspace/"]);
  assert.deepEqual(value[3], ["hello.ts", "host.ts", "index.ts", "types.ts"]);
  for (const message of value.slice(4)) assert.notEqual(message, "read");
});

test("execute takes texts with NUL and lone surrogates from files whole", async (executor) => {
  const files = new Map([["/a", "x\0y\ud800z"]]);
  assert.deepEqual(
    await valueOf(
      executor,
      'export default [...await readFile("/a")].map((c) => c.charCodeAt(0));',
      {
        files,
      },
    ),
    [120, 0, 121, 0xd800, 122],
  );
});

test("execute imports a server's package, whose host.ts is the host's own", async (executor) => {
  const source = 'import { hello } from "mcp:github";\nexport default await hello({ name: "x" });';
  assert.deepEqual(await valueOf(executor, source), ["github", "hello", { name: "x" }]);
  const absolute = source.replace("mcp:github", "/mcp-tools/servers/github/hello.ts");
  assert.deepEqual(await valueOf(executor, absolute), ["github", "hello", { name: "x" }]);
  const typesToo =
    `import { In } from "/mcp-tools/servers/github/types.ts";\n${source}\nlet a: In;`;
  assert.deepEqual(await valueOf(executor, typesToo), ["github", "hello", { name: "x" }]);
});

const BIG = new Map([[
  "big",
  new Map(Array.from({ length: 300 }, (_, index) => [`makeThing${index}`, `make-thing-${index}`])),
]]);

test("execute makes the modules of servers that it only knows the functions of", async (executor) => {
  const forms = [
    'import { makeThing7 as f } from "mcp:big";\nreturn f({ a: 1 })',
    'import * as big from "mcp:big";\nreturn big.makeThing7({ a: 1 })',
    'import { makeThing7 } from "/mcp-tools/servers/big/makeThing7.ts";\nreturn makeThing7({ a: 1 })',
    'import { makeThing8 } from "mcp:big";\nconst { makeThing7 } = await import("mcp:big");\nreturn makeThing7({ a: 1 })',
    'import { makeThing8 } from "mcp:big";\nconst { makeThing7 } = await import("mcp:" + "big");\nreturn makeThing7({ a: 1 })',
    'import { makeThing7, type MakeThing7Params } from "mcp:big";\nconst p: MakeThing7Params = { a: 1 };\nreturn makeThing7(p)',
    'import { makeThing7, MakeThing7Params } from "mcp:big";\nconst p: MakeThing7Params = { a: 1 };\nreturn makeThing7(p)',
    'import { makeThing8 } from "mcp:big";\nimport { makeThing7 } from "mcp:big";\nreturn makeThing7({ a: 1 })',
    'export { makeThing7 as default } from "mcp:big"',
  ];
  for (const source of forms) {
    const extra = { files: new Map(), servers: BIG, args: { a: 1 } };
    assert.deepEqual(
      await valueOf(executor, source, extra),
      ["big", "make-thing-7", { a: 1 }],
      source,
    );
  }
});

test("execute spends little on the functions of a large server that it does not use", async (executor) => {
  const files = new Map();
  const one = 'import { makeThing7 } from "mcp:big";\nreturn makeThing7()';
  const spent = (await run(executor, one, { files, servers: BIG })).fuel;
  const plain = await run(executor, 'return callTool("big", "make-thing-7")', { files });
  assert.ok(spent < 2 * plain.fuel + 20_000, `${spent} and ${plain.fuel}`);
});

test("execute names the function that is near one that does not exist", async (executor) => {
  const source =
    'import { makeThing7 } from "mcp:big";\nimport { makeThin9 } from "mcp:big";\nmakeThin9();';
  const report = await run(executor, source, { files: new Map(), servers: BIG });
  assert.equal(report.error?.message, 'Could not find export "makeThin9" in "mcp:big"');
  assert.deepEqual(report.error?.at, { file: "main.ts", line: 2, column: 10 });
  assert.match(report.error!.hint!, /^did you mean "makeThing9"/);
  assert.deepEqual(report.missing?.near[0], "makeThing9");
  const library = await errorOf(
    executor,
    'import { Kin } from "/mcp-tools/skills/sum/lib.ts"; Kin;',
  );
  assert.match(library.hint!, /"Kind"/);
});

test("execute asks the host for files of the folders it is told of, V7", async (executor) => {
  const asked: string[] = [];
  const call = (name: string, argsJson: string) => {
    asked.push(`${name} ${argsJson}`);
    return Promise.resolve(name === "listFiles" ? '["a.txt"]' : '"text\\u0000"');
  };
  const source =
    `const paths = ["/code/a.txt", "//code/./b/../c", "/code/../etc/passwd", "/codex", "/a/../../b"];
    export default [await Promise.all(paths.map((path) => readFile(path).catch((e) => e.message.slice(0, 14)))),
      await listFiles("/code"), await listFiles("/"), await writeFile("/code/x", "y")];`;
  const hostFolders = ["/code"];
  assert.deepEqual(await valueOf(executor, source, { call, hostFolders, files: new Map() }), [
    ["text\0", "text\0", "File not found", "File not found", 'Path "/a/../..'],
    ["a.txt"],
    ["code/"],
    "text\0",
  ]);
  assert.deepEqual(asked, [
    'readFile ["/code/a.txt"]',
    'readFile ["//code/./b/../c"]',
    'listFiles ["/code"]',
    'writeFile ["/code/x","y"]',
  ]);
});

test("execute lets the wall clock stand still while the host connects", async (executor) => {
  const call = async (_name: string, _json: string, { holdClock }: HostCall) => {
    const release = [holdClock(), holdClock()];
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    for (const end of [...release, ...release]) end();
    return "1";
  };
  // Far more than the start of a call takes, on a busy machine too.
  const limits = { wallMs: 1_500 };
  const source =
    'const two = [callTool("a", "b"), callTool("a", "b")]; export default await two[1];';
  assert.equal(await valueOf(executor, source, { call, limits }), 1);
  const after = `${source}\nawait new Promise((resolve) => setTimeout(resolve, 60_000));`;
  assert.equal((await errorOf(executor, after, { call, limits })).limit?.name, "wall");
});

test("execute bounds what all calls of a run send and receive", async (executor) => {
  const limitOf = async (source: string, call: HostFunctions["call"]) =>
    (await errorOf(executor, source, { call, limits: { fuel: 1e12 } })).limit?.name;
  const nothing = () => Promise.resolve("1");
  const send = 'const s = "x".repeat(1e6); for (;;) await callTool("a", "b", { s });';
  assert.equal(await limitOf(send, nothing), "sent");
  const large = `"${"x".repeat(15 * 2 ** 20)}"`;
  const receive = 'for (;;) await callTool("a", "b");';
  assert.equal(await limitOf(receive, () => Promise.resolve(large)), "received");
});

test("execute says which module is near one that does not exist, E-T5", async (executor) => {
  const server = await errorOf(executor, 'const a = 1;\nimport { b } from "mcp:githib";');
  assert.match(server.message, /^Module not found: "mcp:githib"/);
  assert.equal(server.hint, 'did you mean "mcp:github"?');
  assert.deepEqual(server.at, { file: "main.ts", line: 2, column: 19 });
  const other = await errorOf(executor, 'await import("mcp:" + "slack")');
  assert.match(other.hint!, /--server/);
  const file = await errorOf(executor, 'import "/mcp-tools/servers/github/helo.ts";');
  assert.match(file.hint!, /hello\.ts/);
  const node = await errorOf(executor, 'import fs from "node:fs";');
  assert.match(node.hint!, /mcp:SERVER/);
});

test("execute gives the log in order, as it comes", async (executor) => {
  const live: LogEntry[] = [];
  const source = `console.log("a", 1, { b: [1, "x"] }); console.error(new Error("bad").message);
    log("warn", { c: 1 }); console.debug(undefined, null, 10n, Symbol("s"), () => 1);
    console.table([{ a: 1 }]); console.log(new Map([["k", new Set([1])]]), new Date(0), /x/g);`;
  const report = await run(executor, source, { onLog: (entry) => live.push(entry) });
  assert.deepEqual(report.log.map((entry) => `${entry.level}: ${entry.text}`), [
    'info: a 1 { b: [ 1, "x" ] }',
    "error: bad",
    "warn: { c: 1 }",
    "debug: undefined null 10n Symbol(s) [Function (anonymous)]",
    "info: 0: { a: 1 }",
    'info: Map { "k" => Set { 1 } } 1970-01-01T00:00:00.000Z /x/g',
  ]);
  assert.deepEqual(live, report.log);
});

test("execute shows a line of the log before the program has ended", async (executor) => {
  let shown = 0;
  const source = 'console.log("first"); await callTool("a", "b"); export default 1;';
  const call = async (_name: string, _json: string, { signal }: HostCall) => {
    await eventually(() => shown > 0 || signal.aborted);
    return "1";
  };
  assert.equal(await valueOf(executor, source, { call, onLog: () => shown++ }), 1);
});

test("execute runs timers and microtasks, and fails on what they throw", async (executor) => {
  const order = `const order = [];
    setTimeout(() => order.push("timer"), 0); queueMicrotask(() => order.push("microtask"));
    const never = setTimeout(() => order.push("never"), 0); clearTimeout(never);
    let ticks = 0;
    await new Promise((resolve) => {
      const id = setInterval((step) => { ticks += step; if (ticks === 6) { clearInterval(id); resolve(); } }, 1, 2);
    });
    export default [...order, ticks];`;
  assert.deepEqual(await valueOf(executor, order), ["microtask", "timer", 6]);
  for (const later of ["setTimeout(F, 0)", "queueMicrotask(F)"]) {
    const source = `${later.replace("F", '() => { throw new Error("late"); }')};
      await new Promise((resolve) => setTimeout(resolve, 1000));`;
    assert.equal((await errorOf(executor, source)).message, "Error: late");
  }
});

test("callTools keeps the order, bounds what runs at once and can stop early", async (executor) => {
  let running = 0;
  let peak = 0;
  const call = async (_name: string, argsJson: string) => {
    peak = Math.max(peak, ++running);
    const [, , { n }] = JSON.parse(argsJson);
    await new Promise((resolve) => setTimeout(resolve, 5 - n));
    running--;
    if (n === 2) throw new AppError("server", "two");
    return String(n);
  };
  const items = "[0, 1, 2, 3, 4].map((n) => ({ server: 's', tool: 't', params: { n } }))";
  const shown = "results.map((r) => r.ok ? r.value : r.error.message)";
  const all = `const results = await callTools(${items}); export default ${shown};`;
  assert.deepEqual(await valueOf(executor, all, { call }), [0, 1, "two", 3, 4]);
  assert.equal(peak, 5);
  peak = 0;
  const some = `const results = await callTools(${items}, { concurrency: 1, stopOnError: true });
    export default ${shown};`;
  const value = await valueOf(executor, some, { call }) as unknown[];
  assert.deepEqual(value.slice(0, 3), [0, 1, "two"]);
  assert.match(value[4] as string, /^Not called/);
  assert.equal(peak, 1);
  assert.deepEqual(await valueOf(executor, "export default callTools([])"), []);
});

test("execute gives programs the usual globals", async (executor) => {
  const source = `const url = new URL("../b?x=1#h", "https://user@example.org:8080/a/c");
    url.searchParams.append("y", "é &"); url.pathname = "/p q";
    const clone = structuredClone({ d: new Date(5), m: new Map([[1, new Set([2])]]), n: [1, , 3] });
    const bytes = new TextEncoder().encode("é€😀");
    export default [url.href, url.origin, [...new URLSearchParams("a=1&b=%20+c")],
      URL.canParse("nope"), clone.d.getTime(), [...clone.m.get(1)], clone.n.length,
      [...bytes], new TextDecoder().decode(bytes), new TextDecoder().decode(Uint8Array.of(0x41, 0xff, 0xe2, 0x82)),
      btoa("hello"), atob("aGVsbG8="), crypto.randomUUID().length,
      crypto.getRandomValues(new Uint8Array(4)).length, performance.now() >= 0,
      Math.random() !== Math.random(), typeof fetch, typeof require];`;
  assert.deepEqual(await valueOf(executor, source), [
    "https://user@example.org:8080/p%20q?x=1&y=%C3%A9+%26#h",
    "https://example.org:8080",
    [["a", "1"], ["b", "  c"]],
    false,
    5,
    [2],
    3,
    [0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80],
    "é€😀",
    "A\ufffd\ufffd",
    "aGVsbG8=",
    "hello",
    36,
    4,
    true,
    true,
    "function",
    "function",
  ]);
  assert.match((await errorOf(executor, "fetch('https://example.org')")).message, /callTool/);
  assert.match((await errorOf(executor, "require('fs')")).message, /mcp:SERVER/);
});

test("execute gives other random numbers each time", async (executor) => {
  const values = [];
  for (let round = 0; round < 4; round++) {
    values.push(await valueOf(executor, "export default [Math.random(), crypto.randomUUID()]"));
  }
  assert.equal(new Set(values.flat()).size, 8);
});

test("execute keeps runs apart: nothing that one changed is there for the next, C3", async (executor) => {
  const change = `globalThis.left = 1; Object.prototype.left = 1; Array.prototype.map = null;
    JSON.stringify = () => "forged"; export default 1;`;
  for (let round = 0; round < 3; round++) {
    await run(executor, change);
    assert.deepEqual(await valueOf(executor, "export default [typeof left, [1].map(String)]"), [
      "undefined",
      ["1"],
    ]);
  }
});

test("execute runs programs side by side", async (executor) => {
  const both = Promise.withResolvers<void>();
  let arrived = 0;
  const call = async () => {
    if (++arrived === 2) both.resolve();
    await both.promise;
    return "1";
  };
  const source = 'export default await callTool("a", "b");';
  const values = await Promise.all([
    valueOf(executor, source, { call }),
    valueOf(executor, source, { call }),
    valueOf(executor, source, { call }),
  ]);
  assert.deepEqual(values, [1, 1, 1]);
});

test("execute refuses an answer that is too large, and one that is no JSON", async (executor) => {
  const large = () => Promise.resolve(`"${"x".repeat(17 * 1024 * 1024)}"`);
  const error = await errorOf(executor, 'await callTool("a", "b")', { call: large });
  assert.deepEqual([error.kind, error.limit?.name], ["limit", "result"]);
  const broken = () => Promise.resolve("{");
  assert.equal(
    (await errorOf(executor, 'await callTool("a", "b")', { call: broken })).kind,
    "guest",
  );
});

test("execute bounds the requests that are under way together", async (executor) => {
  let asked = 0;
  const call = () => {
    asked++;
    return new Promise<string>(() => {});
  };
  const source = `const s = "x".repeat(1e6);
    const first = await Promise.race(Array.from({ length: 80 }, () => callTool("a", "b", { s })))
      .catch((error) => error.message);
    export default first;`;
  const message = await valueOf(executor, source, { call });
  assert.match(message as string, /^Open requests too large/);
  assert.equal(asked, 67);
});

Deno.test("execute gives memory back after heavy runs, E-M5", async () => {
  // Kept, the eight memories would come to 1.7 GiB.
  const { atOnce } = await heldAfter(8);
  assert.ok(atOnce < 900, `${atOnce} MiB are kept`);
});

test("execute answers calls that fail in odd ways", async (executor) => {
  for (const thrown of [undefined, null, "text", new Error("plain\nsecond"), {}]) {
    const call = () => Promise.reject(thrown);
    const source = 'try { await callTool("a", "b"); } catch (e) { return e.name; }';
    assert.equal(await valueOf(executor, source, { call }), "ToolError");
  }
});

test("execute says where a program without types is wrong", async (executor) => {
  const source = "const a = 1;\nconst b = = 2;\nexport default a + b;";
  const { error } = await run(executor, source);
  assert.match(error!.message, /^Syntax error: /);
  assert.deepEqual(error!.at, { file: "main.ts", line: 2, column: 11 });
});

test("imports lists what a source imports, or says where it is wrong", async (executor) => {
  const source = 'import { a } from "mcp:a";\nexport * from "./b.ts";\nawait import("mcp:c");';
  assert.deepEqual(await executor.imports(source, "main.ts"), ["mcp:a", "./b.ts", "mcp:c"]);
  await assert.rejects(executor.imports("let a: = ;", "x.ts"), { kind: "guest" });
});

Deno.test("close stops what runs and what waits, and refuses what comes later", async () => {
  const executor = createExecutor({ concurrency: 1 });
  const begun = Promise.withResolvers<void>();
  const call = () => {
    begun.resolve();
    return new Promise<string>(() => {});
  };
  const first = run(executor, 'await callTool("a", "b");', { call });
  const second = run(executor, "export default 2");
  await begun.promise;
  await executor.close();
  const third = run(executor, "export default 3");
  for (const report of await Promise.all([first, second, third])) {
    assert.equal(report.error?.kind, "interrupted");
  }
  await executor.close();
});

Deno.test("close ends an executor that never ran anything", async () => {
  await createExecutor().close();
});

Deno.test("close settles what was asked of a source's imports", async () => {
  const executor = createExecutor();
  const asked = executor.imports("import 'mcp:a';", "main.ts");
  const [[answer]] = await Promise.all([Promise.allSettled([asked]), executor.close()]);
  assert.equal(answer!.status === "rejected" && answer!.reason.kind, "interrupted");
});
