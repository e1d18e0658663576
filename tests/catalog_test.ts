import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { createCatalog } from "../src/catalog.ts";
import { type Database, openDatabase } from "../src/database.ts";
import { digestOfJson } from "../src/hash.ts";
import { toServerName, toToolName } from "../src/names.ts";
import type { ServerInfo, StdioSpec } from "../src/server.ts";
import { estimateTokens } from "../src/stats.ts";
import { Secret } from "../src/text.ts";

async function withDatabase(run: (open: () => Database) => void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "mcp-exec-" });
  const opened: Database[] = [];
  try {
    run(() => {
      const database = openDatabase(`${folder}/x.db`, {
        warn: (message) => {
          throw new Error(message);
        },
      });
      opened.push(database);
      return database;
    });
  } finally {
    for (const database of opened) database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function specOf(name: string, command = name): StdioSpec {
  return {
    name: toServerName(name),
    origin: "user",
    transport: "stdio",
    command,
    args: [],
    env: { KEY: new Secret("canary") },
  };
}

function infoOf(name: string, tools: string[] = ["add"]): ServerInfo {
  return {
    name: toServerName(name),
    identity: { name: "Öther \u0000\ud800", version: "1" },
    protocolVersion: "2025-11-25",
    instructions: "use it",
    capabilities: { tools: {} },
    tools: tools.map((tool) => ({
      name: toToolName(tool),
      inputSchema: { type: "object" },
      digest: digestOfJson(tool),
    })),
    warnings: ["one tool left out"],
  };
}

Deno.test("Catalog.load gives what was saved last and when, from one process to the next", async () => {
  await withDatabase((open) => {
    let nowMs = 1_000;
    const catalog = createCatalog(open(), { now: () => nowMs });
    strictEqual(catalog.load(specOf("a")), undefined);
    catalog.save(specOf("a"), infoOf("a"));
    nowMs = 2_000;
    catalog.save(specOf("a"), infoOf("a", ["add", "sub"]));
    const expected = { info: infoOf("a", ["add", "sub"]), savedAt: 2_000 };
    deepStrictEqual(catalog.load(specOf("a")), expected);
    deepStrictEqual(createCatalog(open(), { now: () => 0 }).load(specOf("a")), expected);
  });
});

Deno.test("Catalog.load does not answer for a server reached in another way", async () => {
  await withDatabase((open) => {
    const catalog = createCatalog(open(), { now: () => 1 });
    catalog.save(specOf("a"), infoOf("a"));
    strictEqual(catalog.load(specOf("a", "other")), undefined);
    strictEqual(catalog.load(specOf("b", "a")), undefined);
    catalog.save(specOf("a", "other"), infoOf("a", []));
    strictEqual(catalog.load(specOf("a"))?.info.tools.length, 1);
  });
});

Deno.test("Catalog.load takes an entry of another form for none", async () => {
  await withDatabase((open) => {
    const database = open();
    const catalog = createCatalog(database, { now: () => 1 });
    catalog.save(specOf("a"), infoOf("a"));
    database.run("update servers set version = version + 1");
    strictEqual(catalog.load(specOf("a")), undefined);
  });
});

Deno.test("Catalog.save keeps the latest thousand servers and no listing beyond its bound (H14)", async () => {
  await withDatabase((open) => {
    let nowMs = 0;
    const catalog = createCatalog(open(), { now: () => ++nowMs });
    for (let count = 0; count < 1_003; count++) {
      catalog.save(specOf(`s${count}`), infoOf("s"));
      catalog.rememberEra(specOf(`s${count}`), "legacy");
    }
    const names = ["s2", "s3", "s1002"];
    const kept = names.map((name) => catalog.load(specOf(name)) !== undefined);
    deepStrictEqual(kept, [false, true, true]);
    const eras = names.map((name) => catalog.era(specOf(name)));
    deepStrictEqual(eras, [undefined, "legacy", "legacy"]);
    const large = { ...infoOf("big"), instructions: "x".repeat(33 * 1024 * 1024) };
    catalog.save(specOf("big"), large);
    strictEqual(catalog.load(specOf("big")), undefined);
  });
});

Deno.test("Catalog.era is remembered by place, whatever the server is called", async () => {
  await withDatabase((open) => {
    const catalog = createCatalog(open(), { now: () => 1 });
    strictEqual(catalog.era(specOf("a")), undefined);
    catalog.rememberEra(specOf("a"), "legacy");
    catalog.rememberEra(specOf("a"), "modern");
    strictEqual(catalog.era(specOf("b", "a")), "modern");
    strictEqual(catalog.era(specOf("a", "b")), undefined);
  });
});

Deno.test("createCatalog answers as if empty when the database fails", async () => {
  await withDatabase((open) => {
    const warnings: string[] = [];
    const database = open();
    const catalog = createCatalog(database, {
      now: () => 1,
      warn: (message) => warnings.push(message),
    });
    catalog.save(specOf("a"), infoOf("a"));
    database.close();
    catalog.save(specOf("a"), infoOf("a"));
    catalog.rememberEra(specOf("a"), "modern");
    deepStrictEqual([catalog.load(specOf("a")), catalog.era(specOf("a"))], [undefined, undefined]);
    strictEqual(new Set(warnings).size, 1);
    match(warnings[0]!, /^The index of servers is not used: Database is closed$/);
  });
});

Deno.test("Catalog.tokens tells what the definitions of a server's tools cost a model", async () => {
  await withDatabase((open) => {
    const database = open();
    const catalog = createCatalog(database, { now: () => 1 });
    strictEqual(catalog.tokens(specOf("a")), undefined);
    const { tools, ...info } = infoOf("a", ["add", "sub"]);
    // Clients hand no model what a tool answers with.
    const outputSchema = { type: "object", description: "what it answers with ".repeat(50) };
    catalog.save(specOf("a"), { ...info, tools: tools.map((tool) => ({ ...tool, outputSchema })) });
    const tokens = tools.map(({ name, inputSchema }) =>
      estimateTokens(JSON.stringify({ name, inputSchema }))
    ).reduce((sum, each) => sum + each);
    strictEqual(catalog.tokens(specOf("a")), tokens);
    strictEqual(catalog.tokens(specOf("a", "other")), undefined);
    database.run("update servers set tokens = null");
    strictEqual(catalog.tokens(specOf("a")), tokens);
  });
});
