import assert from "node:assert/strict";
import { runCli } from "../src/cli.ts";
import type { Context } from "../src/context.ts";
import { openDatabase } from "../src/database.ts";
import { type Digest, digestOf } from "../src/hash.ts";
import { MAX_TRUSTED_ENTRIES } from "../src/limits.ts";
import type { ServerName } from "../src/names.ts";
import {
  createTrustStore,
  isTrustedByEnvironment,
  toEntryDigest,
  type TrustStore,
} from "../src/trust.ts";

const ONE = digestOf("one");
const SERVER = "x" as ServerName;

async function withStore(work: (store: TrustStore, reopen: () => TrustStore) => void) {
  const folder = await Deno.makeTempDir();
  const open = () => openDatabase(`${folder}/x.db`, { warn: (message) => assert.fail(message) });
  const databases = [open()];
  let clock = 0;
  const store = () => createTrustStore(databases.at(-1)!, { now: () => ++clock });
  try {
    work(store(), () => {
      databases.push(open());
      return store();
    });
  } finally {
    for (const database of databases) database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("createTrustStore remembers an entry for its folder alone (A14)", async () => {
  await withStore((store, reopen) => {
    assert.equal(store.has("/a", ONE), false);
    store.trust({ folder: "/a", digest: ONE, server: SERVER });
    store.trust({ folder: "/a", digest: ONE, server: SERVER });
    const again = reopen();
    assert.equal(again.has("/a", ONE), true);
    assert.equal(again.has("/b", ONE), false);
    assert.equal(again.has("/a", digestOf("two")), false);
  });
});

Deno.test("createTrustStore forgets what is revoked, and says whether it was there", async () => {
  await withStore((store) => {
    assert.equal(store.revoke("/a", ONE), false);
    store.trust({ folder: "/a", digest: ONE, server: SERVER });
    assert.equal(store.revoke("/a", ONE), true);
    assert.equal(store.has("/a", ONE), false);
  });
});

Deno.test("createTrustStore keeps a bounded number, the newest ones", () => {
  let deletes: unknown[] = [];
  const store = createTrustStore({
    get: () => undefined,
    run: (sql, ...values) => {
      if (sql.startsWith("delete")) deletes = values;
    },
  }, { now: () => 1 });
  store.trust({ folder: "/a", digest: ONE, server: SERVER });
  assert.deepEqual(deletes, [MAX_TRUSTED_ENTRIES]);
});

Deno.test("isTrustedByEnvironment takes whole digests only (A15)", () => {
  const env = (value?: string) => ({ get: () => value, toObject: () => ({}) });
  assert.equal(isTrustedByEnvironment(env(), ONE), false);
  assert.equal(isTrustedByEnvironment(env(""), ONE), false);
  assert.equal(isTrustedByEnvironment(env("1"), ONE), false);
  assert.equal(isTrustedByEnvironment(env(ONE.slice(0, -1)), ONE), false);
  assert.equal(isTrustedByEnvironment(env(ONE), ONE), true);
  assert.equal(isTrustedByEnvironment(env(`blake3:0, ${ONE}\n`), ONE), true);
});

Deno.test("toEntryDigest takes a digest and nothing else", () => {
  assert.equal(toEntryDigest(ONE), ONE satisfies Digest);
  for (const text of ["", "blake3:", ONE.toUpperCase(), `${ONE}0`, `sha256:${ONE.slice(7)}`]) {
    assert.throws(() => toEntryDigest(text), { kind: "usage" });
  }
});

/** A project whose one server leaves a file behind when it is started, and a person to be asked. */
async function withProject(
  work: (project: {
    run: (args: readonly string[], answer?: boolean, folder?: string) => Promise<Asked>;
    write: (entry: object, folder?: string) => Promise<void>;
    entry: { command: string; args: string[]; env: Record<string, string> };
  }) => Promise<void>,
): Promise<void> {
  const base = await Deno.realPath(await Deno.makeTempDir());
  const mark = `${base}/started`;
  try {
    await work({
      entry: { command: "touch", args: [mark], env: { KEY: "sesame" } },
      async write(entry, folder = "one") {
        await Deno.mkdir(`${base}/${folder}`, { recursive: true });
        const text = JSON.stringify({ mcpServers: { planted: entry } });
        await Deno.writeTextFile(`${base}/${folder}/.mcp.json`, text);
      },
      async run(args, answer, folder = "one") {
        let shown = "";
        let asked = 0;
        const context: Context = {
          args,
          env: {
            get: (name) => name === "PATH" ? Deno.env.get(name) : undefined,
            toObject: () => ({}),
          },
          cwd: `${base}/${folder}`,
          platform: "linux",
          paths: { home: base, config: `${base}/config`, data: `${base}/data` },
          writeOut: (text) => (shown += text) !== "",
          writeError: (text) => void (shown += text),
          readInput: () => Promise.resolve(new Uint8Array()),
          isTerminal: { in: false, out: false, error: false },
          columns: 80,
          signal: new AbortController().signal,
          now: () => Date.now(),
          ...(answer !== undefined && {
            confirm: () => {
              asked++;
              return Promise.resolve(answer);
            },
          }),
        };
        const code = await runCli(context);
        const started = await Deno.remove(mark).then(() => true, () => false);
        return { code, shown, asked, started };
      },
    });
  } finally {
    await Deno.remove(base, { recursive: true });
  }
}

interface Asked {
  readonly code: number;
  readonly shown: string;
  readonly asked: number;
  readonly started: boolean;
}

Deno.test("openServers asks once before a project's server is started, showing it (A14)", async () => {
  await withProject(async ({ run, write, entry }) => {
    await write(entry);
    const nobody = await run(["introspect", "planted"]);
    assert.deepEqual([nobody.code, nobody.started], [6, false]);
    const no = await run(["introspect", "planted"], false);
    assert.deepEqual([no.code, no.asked, no.started], [6, 1, false]);
    assert.match(
      no.shown,
      /Server "planted" of "\.mcp\.json" runs\n {2}touch \S+\n {2}variables: KEY\n/,
    );
    assert.ok(!no.shown.includes("sesame"), "a secret came out (X1)");
    const yes = await run(["introspect", "planted"], true);
    assert.deepEqual([yes.asked, yes.started], [1, true]);
    const again = await run(["introspect", "planted"], false);
    assert.deepEqual([again.asked, again.started], [0, true]);
  });
});

Deno.test("openServers asks again for an entry that changed, or in another folder (A15)", async () => {
  await withProject(async ({ run, write, entry }) => {
    await write(entry);
    await run(["introspect", "planted"], true);
    const changes = [
      { ...entry, args: [...entry.args, ""] },
      { ...entry, env: { KEY: "sesamf" } },
      { ...entry, cwd: "/" },
      { ...entry, anything: 1 },
    ];
    for (const changed of changes) {
      await write(changed);
      const asked = await run(["introspect", "planted"], false);
      assert.deepEqual([asked.code, asked.asked, asked.started], [6, 1, false]);
    }
    await write(entry);
    assert.equal((await run(["introspect", "planted"], false)).started, true);
    await write(entry, "two");
    const elsewhere = await run(["introspect", "planted"], false, "two");
    assert.deepEqual([elsewhere.asked, elsewhere.started], [1, false]);
  });
});

Deno.test("server trust asks on a terminal, keeps the answer, and takes it back", async () => {
  await withProject(async ({ run, write, entry }) => {
    await write(entry);
    const no = await run(["server", "trust", "planted"], false);
    assert.deepEqual([no.code, no.asked], [6, 1]);
    const yes = await run(["server", "trust", "planted"], true);
    assert.deepEqual([yes.code, yes.asked, yes.started], [0, 1, false]);
    assert.match((await run(["server", "list"])).shown, /planted +stdio +trusted/);
    assert.equal((await run(["introspect", "planted"])).started, true);
    assert.equal((await run(["server", "trust", "planted", "--revoke"])).code, 0);
    assert.equal((await run(["introspect", "planted"])).started, false);
  });
});

Deno.test("no command starts a project's server that nobody trusted (A14)", async () => {
  await withProject(async ({ run, write, entry }) => {
    await write(entry);
    const commands = [
      ["introspect", "--all"],
      ["generate", "planted", "--dry-run"],
      ["execute", "-e", "return await callTool('planted', 'x')"],
      ["execute", "-e", "import * as x from 'mcp:planted'; export default x"],
      ["call", "planted", "x"],
      ["search", "x"],
      ["server", "list"],
      ["server", "info", "planted"],
      ["server", "validate", "planted"],
      ["server", "validate", "--all"],
      ["server", "import", "planted"],
      ["config", "show"],
    ];
    for (const args of commands) {
      const { started, shown } = await run(args);
      assert.equal(started, false, args.join(" "));
      assert.ok(!shown.includes("sesame"), args.join(" "));
    }
  });
});
