// A bridge over servers that count what they are asked, for the tests of calls.

import assert from "node:assert/strict";
import { type BridgeOptions, createBridge, type McpBridge } from "../src/bridge.ts";
import { type Catalog, createCatalog } from "../src/catalog.ts";
import { openDatabase } from "../src/database.ts";
import { digestOf } from "../src/hash.ts";
import { createJournal, type Journal, type RunEntry, type RunId } from "../src/journal.ts";
import { DEFAULT_RUN_LIMITS } from "../src/limits.ts";
import type { ServerName } from "../src/names.ts";
import type { ServerSpec, StdioSpec } from "../src/server.ts";

export interface State {
  readonly pid: number;
  readonly lists: number;
  readonly calls: number;
  readonly underWay: number;
  readonly peak: number;
  readonly cancelled: number;
}

export interface Bench {
  readonly bridge: McpBridge;
  readonly catalog: Catalog;
  readonly journal: Journal;
  readonly run: RunId;
  /** How often the counting servers were started. */
  starts(): Promise<number>;
  state(): Promise<State>;
  /** How many calls that are never answered have reached the server. */
  held(): Promise<number>;
  recorded(): RunEntry;
  /** A second bridge over the same database. */
  again(specs?: readonly ServerSpec[]): McpBridge;
  /** A spec of the counting server. */
  counting(args?: readonly string[], more?: Partial<StdioSpec>): StdioSpec;
}

/** The whole environment of the program: a variable nobody set is not there. */
const VARIABLES: Readonly<Record<string, string>> = {
  PATH: Deno.env.get("PATH") ?? "",
  HOME: Deno.env.get("HOME") ?? "",
  GREETING: "hello",
};

export function fixture(file: string): string {
  return new URL(`servers/${file}`, import.meta.url).pathname;
}

export function stdio(
  name: string,
  args: readonly string[],
  more: Partial<StdioSpec> = {},
): StdioSpec {
  return {
    transport: "stdio",
    name: name as ServerName,
    origin: "user",
    command: Deno.execPath(),
    args: ["run", "--allow-all", "--no-lock", ...args],
    env: {},
    ...more,
  };
}

/** Runs `work` with a bridge over the servers that `choose` gives, the counting one by default. */
export async function withBridge(
  work: (bench: Bench) => Promise<void>,
  options: Partial<BridgeOptions> & {
    choose?: (counting: Bench["counting"]) => readonly ServerSpec[];
    onRead?: (variable: string) => void;
  } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const startsFile = `${folder}/starts`;
  const warn = (message: string) => assert.fail(`unexpected warning: ${message}`);
  const database = openDatabase(`${folder}/mcp-exec.db`, { warn });
  const catalog = createCatalog(database, { now: Date.now });
  const journal = createJournal(database, { warn, now: Date.now });
  const bridges: McpBridge[] = [];
  const create = (list: readonly ServerSpec[]): McpBridge => {
    const bridge = createBridge({
      specs: new Map(list.map((spec) => [spec.name, spec])),
      catalog,
      journal,
      env: {
        get(name) {
          options.onRead?.(name);
          return VARIABLES[name];
        },
        toObject: () => ({ ...VARIABLES }),
      },
      now: Date.now,
      warn,
      ...options,
    });
    bridges.push(bridge);
    return bridge;
  };
  const counting: Bench["counting"] = (args = [], more = {}) =>
    stdio("counting", [fixture("counting.ts"), startsFile, ...args], more);
  const specs = options.choose?.(counting) ?? [counting()];
  const bridge = create(specs);
  const run = journal.startRun({
    command: "execute",
    code: "",
    codeDigest: digestOf(""),
    servers: [],
    limits: DEFAULT_RUN_LIMITS,
  });
  try {
    await work({
      bridge,
      catalog,
      journal,
      run,
      async starts() {
        const text = await Deno.readTextFile(startsFile).catch(() => "");
        return text.split("\n").length - 1;
      },
      held: async () => (await Deno.readTextFile(`${startsFile}.held`).catch(() => "")).length,
      state: async () => (await bridge.callTool("counting", "state", {})).value as State,
      recorded: () => journal.run(run)!,
      again: (list = specs) => create(list),
      counting,
    });
  } finally {
    for (const bridge of bridges) await bridge.close();
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}
