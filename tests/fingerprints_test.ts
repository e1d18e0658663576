import { match, ok, strictEqual } from "node:assert/strict";
import { type Database, openDatabase } from "../src/database.ts";
import { fingerprintOf, recallFingerprints } from "../src/fingerprints.ts";
import { toServerName } from "../src/names.ts";
import type { HttpSpec, StdioSpec } from "../src/server.ts";
import { maskUrl, Secret } from "../src/text.ts";

const STDIO: StdioSpec = {
  name: toServerName("files"),
  origin: "user",
  transport: "stdio",
  command: "npx",
  args: ["-y", "server"],
  env: { A: new Secret("canary"), B: new Secret("canary") },
};

function httpSpec(url: string, headers: Record<string, Secret> = {}): HttpSpec {
  return {
    name: toServerName("web"),
    origin: "user",
    transport: "http",
    url: new Secret(url),
    shownUrl: maskUrl(url),
    headers,
  };
}

/** Specs of `count` servers, made anew each time as each process makes them. */
function specsOf(count: number, more: readonly string[] = []): StdioSpec[] {
  return Array.from({ length: count }, (_, n) => ({ ...STDIO, args: [`server${n}`, ...more] }));
}

async function withDatabase(work: (database: Database, file: string) => Promise<void>) {
  const folder = await Deno.makeTempDir({ prefix: "mcp-exec-" });
  const database = openDatabase(`${folder}/x.db`, { warn: (text) => ok(false, text) });
  try {
    await work(database, `${folder}/x.db`);
  } finally {
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("fingerprintOf is the same for the same place, whatever it is called and costs to enter", () => {
  const fingerprint = fingerprintOf(STDIO);
  match(fingerprint, /^blake3:[0-9a-f]{64}$/);
  const renamed: StdioSpec = {
    ...STDIO,
    name: toServerName("other"),
    origin: "project",
    file: "x.json",
    timeoutMs: 5,
    env: { B: new Secret("other"), A: new Secret("other") },
  };
  strictEqual(fingerprintOf(renamed), fingerprint);
  strictEqual(
    fingerprintOf(httpSpec("https://u:1@h/?k=1", { A: new Secret("1") })),
    fingerprintOf(httpSpec("https://v:2@h/?k=2", { A: new Secret("2") })),
  );
});

Deno.test("fingerprintOf changes with command, arguments, folder, variables, URL and headers", () => {
  const specs = [
    STDIO,
    { ...STDIO, command: "node" },
    { ...STDIO, args: ["-y server"] },
    { ...STDIO, args: ["server", "-y"] },
    { ...STDIO, cwd: "/x" },
    { ...STDIO, env: { A: new Secret("") } },
    httpSpec("https://h/a"),
    httpSpec("https://h/b"),
    httpSpec("https://h/a?k=1"),
    httpSpec("https://h/a", { A: new Secret("") }),
    { ...STDIO, transport: "embedded" as const, open: () => Promise.resolve() },
  ];
  strictEqual(new Set(specs.map(fingerprintOf)).size, specs.length);
});

Deno.test("recallFingerprints gives the same ones again, and others once a place has changed", async () => {
  await withDatabase(async (database) => {
    const expected = specsOf(20).map(fingerprintOf);
    for (let time = 0; time < 2; time++) {
      const specs = specsOf(20);
      await recallFingerprints(specs, database);
      strictEqual(specs.map(fingerprintOf).join(), expected.join());
    }
    const changed = specsOf(20).with(7, { ...STDIO, command: "node" });
    await recallFingerprints(changed, database);
    strictEqual(
      changed.map(fingerprintOf).join(),
      expected.with(7, fingerprintOf(changed[7]!)).join(),
    );
    strictEqual(fingerprintOf({ ...changed[7]! }), fingerprintOf(changed[7]!));
  });
});

Deno.test("recallFingerprints takes them from where they are kept, one set of servers at a time", async () => {
  await withDatabase(async (database) => {
    await recallFingerprints(specsOf(20), database);
    database.run(
      "update known_places set fingerprints = replace(fingerprints, 'blake3:', 'kept:')",
    );
    const specs = specsOf(20);
    await recallFingerprints(specs, database);
    ok(specs.every((spec) => fingerprintOf(spec).startsWith("kept:")));
    await recallFingerprints(specsOf(21), database);
    strictEqual(database.all("select * from known_places").length, 1);
  });
});

Deno.test("recallFingerprints writes nothing down of a place but its hash (X5)", async () => {
  await withDatabase(async (database, file) => {
    await recallFingerprints(specsOf(20, ["--token", "canary"]), database);
    strictEqual(database.all("select * from known_places").length, 1);
    for (const path of [file, `${file}-wal`]) {
      ok(!new TextDecoder("latin1").decode(await Deno.readFile(path)).includes("canary"));
    }
  });
});

Deno.test("recallFingerprints does without keeping them where nothing can be written", async () => {
  await withDatabase(async (database) => {
    database.run("pragma query_only = on");
    const specs = specsOf(20);
    await recallFingerprints(specs, database);
    strictEqual(fingerprintOf(specs[3]!), fingerprintOf({ ...specs[3]! }));
    strictEqual(database.all("select * from known_places").length, 0);
  });
});
