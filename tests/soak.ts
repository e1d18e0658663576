// Many calls through one bridge to a server process: what is counted where, and what memory grows by.

import { createBridge } from "../src/bridge.ts";
import { parseCache } from "../src/cache.ts";
import { createCatalog } from "../src/catalog.ts";
import { openDatabase } from "../src/database.ts";
import { toAppError, ToolError } from "../src/errors.ts";
import { digestOf } from "../src/hash.ts";
import { createJournal } from "../src/journal.ts";
import { DEFAULT_RUN_LIMITS } from "../src/limits.ts";
import type { ServerName } from "../src/names.ts";
import { flagPolicy } from "../src/policy.ts";
import type { StdioSpec } from "../src/server.ts";
import v8 from "node:v8";
import vm from "node:vm";

/** Numbers of calls by what came of them. */
export type Counts = Readonly<Record<"server" | "cache" | "failed" | "denied", number>>;

/** What a soak came to. */
export interface SoakReport {
  /** What was asked for, what callers were told, what the journal has, all by outcome. */
  readonly wanted: Counts;
  readonly told: Counts;
  readonly kept: Counts;
  /** Calls that the server itself has counted. */
  readonly served: number;
  /** What memory grew by after the first tenth, with nothing left to collect. */
  readonly grownBytes: number;
  readonly ms: number;
}

const WIDTH = 16;
const NAME = "counting" as ServerName;

function usedBytes(): number {
  v8.setFlagsFromString("--expose-gc");
  vm.runInNewContext("gc")();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Makes `calls` calls, a multiple of 10 x 16: of ten one is denied, one fails, two are kept ones. */
export async function soak(calls: number): Promise<SoakReport> {
  const folder = await Deno.makeTempDir({ prefix: "mcp-exec-soak-" });
  const warn = (message: string) => {
    throw new Error(message);
  };
  const spec: StdioSpec = {
    transport: "stdio",
    name: NAME,
    origin: "user",
    command: Deno.execPath(),
    args: ["run", "-A", "--no-lock", new URL("servers/counting.ts", import.meta.url).pathname],
    env: {},
  };
  const database = openDatabase(`${folder}/x.db`, { warn });
  const journal = createJournal(database, { warn, now: Date.now });
  const bridge = createBridge({
    specs: new Map([[NAME, spec]]),
    catalog: createCatalog(database, { now: Date.now }),
    journal,
    env: { get: (name) => Deno.env.get(name), toObject: () => Deno.env.toObject() },
    now: Date.now,
    warn,
    policy: [flagPolicy({ deny: ["counting/start"] })!],
    cache: parseCache({ tools: ["counting/promise"] }, warn),
  });
  const run = journal.startRun({
    command: "execute",
    code: "",
    codeDigest: digestOf(""),
    servers: [NAME],
    limits: DEFAULT_RUN_LIMITS,
  });
  const told = { server: 0, cache: 0, failed: 0, denied: 0 };

  async function ask(at: number): Promise<void> {
    const [tool, params] = at % 10 === 0
      ? ["start", {}]
      : at % 10 === 1
      ? ["raw", { result: { isError: true } }]
      : at % 10 < 4
      ? ["promise", { value: { n: 1 } }]
      : ["far.away", { at, text: "x".repeat(at % 500) }];
    try {
      await bridge.callTool(NAME, tool as string, params, {
        run,
        onCall: ({ ok, source }) => ok && told[source === undefined ? "server" : "cache"]++,
      });
    } catch (error) {
      if (error instanceof ToolError) told.failed++;
      else if (toAppError(error).kind === "denied") told.denied++;
      else throw error;
    }
  }

  async function askAll(from: number, to: number): Promise<void> {
    let next = from;
    await Promise.all(Array.from({ length: WIDTH }, async () => {
      while (next < to) await ask(next++);
    }));
  }

  try {
    const began = performance.now();
    // So that what is kept is kept before anybody asks for it again.
    await bridge.callTool(NAME, "promise", { value: { n: 1 } });
    await askAll(0, calls / 10);
    const before = usedBytes();
    await askAll(calls / 10, calls);
    const grownBytes = usedBytes() - before;
    const ms = performance.now() - began;
    const { value } = await bridge.callTool(NAME, "state", {});
    const rows = database.all<{ outcome: string; source: string | null; count: number }>(
      "select outcome, source, count(*) as count from calls group by outcome, source",
    );
    const count = (outcome: string, source: string | null) =>
      rows.find((row) => row.outcome === outcome && row.source === source)?.count ?? 0;
    return {
      wanted: {
        server: calls * 6 / 10,
        cache: calls * 2 / 10,
        failed: calls / 10,
        denied: calls / 10,
      },
      told,
      kept: {
        server: count("ok", "server"),
        cache: count("ok", "cache") + count("ok", "shared"),
        failed: rows.reduce((sum, row) => row.outcome === "tool-error" ? sum + row.count : sum, 0),
        denied: count("denied", null),
      },
      // Not the first one, nor the question itself.
      served: (value as { calls: number }).calls - 2,
      grownBytes,
      ms,
    };
  } finally {
    await bridge.close();
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}
