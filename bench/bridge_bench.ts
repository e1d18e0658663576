// deno-lint-ignore-file no-console
// What the bridge costs a call: a warm call against the bare SDK client on the same server, many at
// once, a call answered from the cache, each check by itself, and ten servers opened together against
// the slowest of them, as medians of interleaved rounds.
//   deno task bench bridge

import { Client } from "@modelcontextprotocol/client";
import { createBridge, type McpBridge } from "../src/bridge.ts";
import { createMemoryCache, createResultCache, parseCache } from "../src/cache.ts";
import { createCatalog } from "../src/catalog.ts";
import { openDatabase } from "../src/database.ts";
import { digestOf, digestOfJson } from "../src/hash.ts";
import { createJournal } from "../src/journal.ts";
import { bucketKey, createLimiter } from "../src/limiter.ts";
import type { ServerName } from "../src/names.ts";
import { decide, flagPolicy, parsePolicy } from "../src/policy.ts";
import type { ServerSpec, StdioSpec, ToolDefinition } from "../src/server.ts";
import { StdioTransport } from "../src/stdio.ts";
import { createSchemaChecker } from "../src/validate.ts";
import { startWeb } from "../tests/servers/web.ts";
import { median } from "./median.ts";

const ROUNDS = 61;
const CALLS = 60;
const NAME = "honest" as ServerName;
const warn = (message: string) => console.error(message);
const now = () => performance.now();
const environment = {
  get: (name: string) => Deno.env.get(name),
  toObject: () => Deno.env.toObject(),
};
const spec: StdioSpec = {
  name: NAME,
  origin: "flag",
  transport: "stdio",
  command: Deno.execPath(),
  args: ["run", "-A", new URL("../tests/servers/honest.ts", import.meta.url).pathname],
  env: {},
};
const rules = [
  { tool: "*/delete_*", decide: "deny" },
  { tool: "github/*", arguments: { owner: ["acme", "acme-*"] }, decide: "allow" },
  { tool: "slack/post_*", decide: "deny" },
  { server: "prod-*", annotations: { destructiveHint: true }, decide: "deny" },
  { tool: "fs/write_*", arguments: { path: "/etc/*" }, decide: "deny" },
];
const user = parsePolicy({ rules }, { name: "user", file: "config.json", warn });
const policy = [user, flagPolicy({ allow: ["honest"], deny: ["*/remove_*"] })!];
const params = { a: 2, b: 3 };

/** Microseconds a call takes in each round of `calls` calls, by name; the rounds are interleaved. */
async function measureRounds(
  works: Readonly<Record<string, () => unknown>>,
  calls = CALLS,
): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = {};
  for (let round = -2; round < ROUNDS; round++) {
    for (const [name, work] of Object.entries(works)) {
      const start = now();
      for (let count = 0; count < calls; count++) await work();
      // The first rounds warm up.
      if (round >= 0) (times[name] ??= []).push((now() - start) * 1000 / calls);
    }
  }
  return times;
}

/** The median of the rounds, by name. */
async function measure(
  works: Readonly<Record<string, () => unknown>>,
  calls?: number,
): Promise<Record<string, number>> {
  const times = await measureRounds(works, calls);
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
}

/** How much longer a round took than the same round of the first one: what else runs slows both. */
function ratio(times: Record<string, number[]>, name: string): number {
  const base = Object.values(times)[0]!;
  return median(times[name]!.map((time, round) => time / base[round]!));
}

const database = openDatabase(undefined, { warn });
const catalog = createCatalog(database, { now: Date.now });
const journal = createJournal(database, { warn, now: Date.now });
const bridges: McpBridge[] = [];
function open(options: Partial<Parameters<typeof createBridge>[0]> = {}): McpBridge {
  const bridge = createBridge({
    specs: new Map([[NAME, spec]]),
    catalog,
    journal,
    env: environment,
    now: Date.now,
    warn,
    ...options,
  });
  bridges.push(bridge);
  return bridge;
}

const mask = (text: string) => text;
const bare = new Client({ name: "bench", version: "1" }, { capabilities: {} });
await bare.connect(new StdioTransport(spec, { env: environment, warn, mask }));
const any = {
  "~standard": { version: 1, vendor: "bench", validate: (value: unknown) => ({ value }) },
};
const ask = () =>
  bare.request(
    { method: "tools/call", params: { name: "add_numbers", arguments: params } },
    // deno-lint-ignore no-explicit-any
    any as any,
  );
const plain = open();
const ruled = open({ policy });
const rates = [{ rate: { perSecond: 1e6, burst: 1e6 } }];
const all = open({ policy, rates });
const cached = open({ policy, rates, cache: parseCache({ tools: ["honest/add_numbers"] }, warn) });
const call = (bridge: McpBridge) => () => bridge.callTool(NAME, "add_numbers", params);
const { tools } = await plain.describe(NAME);
const tool: ToolDefinition = tools.find(({ name }) => name === "add_numbers")!;

console.log("one warm call over stdio, one after the other:");
const warm = await measureRounds({
  "bare SDK client": ask,
  "bridge": call(plain),
  "bridge with rules": call(ruled),
  "bridge with rules and a rate": call(all),
  "the same, told of progress": () => all.callTool(NAME, "add_numbers", params, { notices: true }),
});
for (const [name, times] of Object.entries(warm)) {
  const us = median(times).toFixed(1).padStart(8);
  console.log(`  ${name.padEnd(30)}${us} us  ${ratio(warm, name).toFixed(2)}x`);
}

console.log("1,000 calls at concurrency 16:");
async function many(work: () => unknown): Promise<void> {
  let left = 1000;
  const worker = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}
const crowd = await measure({ bare: () => many(ask), bridge: () => many(call(all)) }, 1);
console.log(
  `  bare ${(crowd["bare"]! / 1000).toFixed(1)} ms, bridge ${
    (crowd["bridge"]! / 1000).toFixed(1)
  } ms, ${(crowd["bridge"]! / crowd["bare"]!).toFixed(2)}x`,
);

const checker = createSchemaChecker({ warn });
const limiter = createLimiter({ now });
const results = createResultCache(createMemoryCache({ now }));
const secret = digestOf("token");
const parts = {
  server: digestOf("server"),
  tool: tool.digest,
  credentials: () => secret,
  arguments: () => digestOfJson(params),
};
const answer = { value: { sum: 5 }, json: `{"sum":5}`, raw: { structuredContent: { sum: 5 } } };
const key = bucketKey({ session: "", server: parts.server, tool: tool.name });
const stages = await measure({
  "policy, 7 rules in 2 layers": () =>
    decide({ server: NAME, tool: tool.name, params, annotations: {} }, policy),
  "limiter": () => limiter.take({ key, called: "x", rate: { perSecond: 1e6, burst: 1e6 } }),
  "cache, nothing kept": () =>
    results.ask({ ...parts, ttlMs: undefined }, () => Promise.resolve(answer)),
  "cache, a hit": () => results.ask({ ...parts, ttlMs: 1e6 }, () => Promise.resolve(answer)),
  "parameters against their schema": () => checker.checkArguments({ server: NAME, tool }, params),
  "result against its schema": () => checker.checkResult({ server: NAME, tool }, answer.raw),
  "whole call from the cache": call(cached),
}, 1000);
console.log("parts of a call, in this process:");
for (const [name, us] of Object.entries(stages)) {
  console.log(`  ${name.padEnd(34)}${us.toFixed(2).padStart(8)} us`);
}
const checks = ["policy, 7 rules in 2 layers", "limiter", "cache, nothing kept"];
checks.push("parameters against their schema", "result against its schema");
const sum = checks.reduce((total, name) => total + stages[name]!, 0);
console.log(`  policy + limiter + cache + schemas${sum.toFixed(2).padStart(8)} us`);

await Promise.all([bare.close(), ...bridges.map((bridge) => bridge.close())]);

/** Milliseconds to open each of `specs` through a new bridge, all at once or one after the other. */
async function opening(specs: readonly ServerSpec[], together: boolean): Promise<number> {
  const bridge = open({ specs: new Map(specs.map((spec) => [spec.name, spec])) });
  const start = now();
  if (together) await Promise.all(specs.map(({ name }) => bridge.describe(name)));
  else for (const { name } of specs) await bridge.describe(name);
  const ms = now() - start;
  await bridge.close();
  return ms;
}

async function compareOpening(what: string, specs: readonly ServerSpec[]): Promise<void> {
  const times = { together: [] as number[], slowest: [] as number[], inTurn: [] as number[] };
  for (let round = 0; round < 3; round++) {
    times.slowest.push(await opening(specs.slice(-1), true));
    times.together.push(await opening(specs, true));
    times.inTurn.push(await opening(specs, false));
  }
  const [slowest, together, inTurn] = [times.slowest, times.together, times.inTurn].map(median);
  console.log(
    `  ${what}: slowest ${slowest!.toFixed(0)} ms, together ${together!.toFixed(0)} ms (${
      (together! / slowest!).toFixed(2)
    }x), one after the other ${inTurn!.toFixed(0)} ms (${(inTurn! / slowest!).toFixed(2)}x)`,
  );
}

console.log("opening ten servers, listing included:");
const webs = Array.from({ length: 10 }, (_, at) =>
  startWeb({
    beforeHello: () => new Promise((resolve) => setTimeout(resolve, 50 * (at + 1))),
  }));
await compareOpening("over HTTP, 50 to 500 ms each", webs.map((web, at) => web.spec(`web-${at}`)));
await Promise.all(webs.map((web) => web[Symbol.asyncDispose]()));
const processes = Array.from(
  { length: 10 },
  (_, at) => ({ ...spec, name: `p-${at}` as ServerName }),
);
await compareOpening(`processes on ${navigator.hardwareConcurrency} cores`, processes);
database.close();
