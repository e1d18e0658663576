import assert from "node:assert/strict";
import { DEFAULT_RUN_LIMITS, type RunLimits } from "../src/limits.ts";
import { type CodeExecutor, createExecutor, type HostFunctions } from "../src/sandbox.ts";
import { heldAfter } from "./heavy_runs.ts";

const echo: HostFunctions = { call: (_name, argsJson) => Promise.resolve(argsJson) };

function run(
  executor: CodeExecutor,
  source: string,
  { host = echo, limits, signal }: {
    host?: HostFunctions;
    limits?: Partial<RunLimits>;
    signal?: AbortSignal;
  } = {},
) {
  return executor.execute(
    { source, path: "main.ts", files: new Map(), limits: { ...DEFAULT_RUN_LIMITS, ...limits } },
    host,
    signal && { signal },
  );
}

Deno.test("execute spends the same fuel in 1,000 fresh runs, E-D1", async () => {
  const executor = createExecutor({ concurrency: 2 });
  const source = `const [, , { n }] = await callTool("a", "b", { n: [3, 1, 2] });
    const words = "one two three four".matchAll(/(\\w)\\w*/g);
    const sum = [...new Map(n.map((x) => [x, "y".repeat(x * 100)]))].sort((a, b) => a[0] - b[0]);
    for (let i = 0; i < 50; i++) Math.random();
    const text = JSON.stringify({ sum, words: [...words].map((match) => match[1]) });
    export default JSON.parse(text).words.join("") + text.length;`;
  try {
    const seen = new Set<string>();
    const lane = async () => {
      for (let round = 0; round < 500; round++) {
        const { fuel, value } = await run(executor, source);
        seen.add(`${fuel} ${value}`);
      }
    };
    await Promise.all([lane(), lane()]);
    assert.equal(seen.size, 1, [...seen].join(", "));
    assert.match([...seen][0]!, /^\d+ ottf\d+$/);
  } finally {
    await executor.close();
  }
});

Deno.test("execute gives back what many heavy runs took, and leaks no worker, timer or promise, E-M5", async () => {
  // A worker or timer that is left would keep the process.
  const { atLast } = await heldAfter(16);
  assert.ok(atLast < 200, `${atLast} MiB are kept`);
});

Deno.test("execute keeps 16 runs at once apart, and one that never ends holds up none (C3)", async () => {
  const executor = createExecutor({ concurrency: 16 });
  const stop = new AbortController();
  const host = (mine: number): HostFunctions => ({
    call: (name, argsJson, { signal }) =>
      Promise.resolve().then(() => {
        assert.equal(signal.aborted, false);
        return JSON.stringify([mine, name, JSON.parse(argsJson)]);
      }),
  });
  const source = (mine: number) =>
    `globalThis.mine = ${mine};
    const crossed = [];
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(Array.from({ length: 5 }, (_, n) =>
        callTool("s" + mine, "t" + n, { round, n })));
      answers.forEach(([host, , [server, tool, params]], n) => {
        if (host !== mine || server !== "s" + mine || tool !== "t" + n || params.n !== n ||
          params.round !== round || globalThis.mine !== mine) crossed.push([host, server, tool]);
      });
    }
    console.log("log of " + mine);
    export default { mine, crossed };`;
  try {
    let hasEnded = false;
    const runaway = run(executor, "for (;;) { (async () => { for (;;); })() }", {
      limits: { fuel: 1e15, wallMs: 600_000 },
      signal: stop.signal,
    }).finally(() => hasEnded = true);
    const reports = await Promise.all(
      Array.from({ length: 15 }, (_, mine) => run(executor, source(mine), { host: host(mine) })),
    );
    assert.equal(hasEnded, false);
    for (const [mine, report] of reports.entries()) {
      assert.deepEqual(report.value, { mine, crossed: [] });
      assert.deepEqual(report.log.map((entry) => entry.text), [`log of ${mine}`]);
    }
    stop.abort();
    assert.equal((await runaway).error?.kind, "interrupted");
  } finally {
    stop.abort();
    await executor.close();
  }
});

Deno.test("execute takes turns where more programs come than may run", async () => {
  const executor = createExecutor({ concurrency: 2 });
  try {
    const values = await Promise.all(
      Array.from({ length: 40 }, (_, n) => run(executor, `export default ${n} * 2`)),
    );
    assert.deepEqual(
      values.map((report) => report.value),
      Array.from({ length: 40 }, (_, n) => n * 2),
    );
  } finally {
    await executor.close();
  }
});
