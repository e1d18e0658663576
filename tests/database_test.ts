import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type Database, openDatabase, SCHEMA_VERSION } from "../src/database.ts";
import type { AppError } from "../src/errors.ts";

async function withFolder(run: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "mcp-exec-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function names(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), (entry) => entry.name).sort();
}

function mode(path: string): string {
  return (Deno.statSync(path).mode! & 0o777).toString(8);
}

// Runs `use` on the database at `path` and gives the warnings it brought about.
function using(path: string | undefined, use: (database: Database) => void): string[] {
  const warnings: string[] = [];
  const database = openDatabase(path, { warn: (message) => warnings.push(message) });
  try {
    use(database);
  } finally {
    database.close();
  }
  return warnings;
}

function add(database: Database, fingerprint: string): void {
  database.run("insert into eras (fingerprint, era, saved) values (?, 'modern', 1)", fingerprint);
}

function kept(database: Database): string[] {
  return database.all<{ fingerprint: string }>("select fingerprint from eras order by 1")
    .map((row) => row.fingerprint);
}

Deno.test("openDatabase touches the disk only once something is asked of it", async () => {
  await withFolder((folder) => {
    deepStrictEqual(using(`${folder}/data/x.db`, () => {}), []);
    deepStrictEqual(names(folder), []);
    using(`${folder}/data/x.db`, (database) => strictEqual(database.path, `${folder}/data/x.db`));
    deepStrictEqual(names(`${folder}/data`), ["x.db"]);
  });
});

Deno.test("openDatabase keeps rows from one process to the next, for this user only (K11)", async () => {
  await withFolder((folder) => {
    const path = `${folder}/deep/er/x.db`;
    const warnings = using(path, (database) => {
      add(database, "a");
      deepStrictEqual(
        names(`${folder}/deep/er`).map((name) => [name, mode(`${folder}/deep/er/${name}`)]),
        [["x.db", "600"], ["x.db-shm", "600"], ["x.db-wal", "600"]],
      );
    });
    strictEqual(mode(`${folder}/deep`), "700");
    warnings.push(...using(path, (database) => deepStrictEqual(kept(database), ["a"])));
    deepStrictEqual(warnings, []);
  });
});

Deno.test("openDatabase opens an empty file as a new database", async () => {
  await withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/x.db`, "");
    deepStrictEqual(using(`${folder}/x.db`, (database) => add(database, "a")), []);
    const raw = new DatabaseSync(`${folder}/x.db`);
    deepStrictEqual({ ...raw.prepare("pragma user_version").get() }, {
      user_version: SCHEMA_VERSION,
    });
    deepStrictEqual({ ...raw.prepare("pragma journal_mode").get() }, { journal_mode: "wal" });
    raw.close();
  });
});

Deno.test("Database gives back numbers, text, bytes and null as they were", async () => {
  await withFolder((folder) => {
    using(`${folder}/x.db`, (database) => {
      const bytes = Uint8Array.of(0, 1, 255);
      const row = database.get<Record<string, unknown>>(
        "select ? as whole, ? as part, ? as text, ? as bytes, ? as none",
        2 ** 53 - 1,
        0.5,
        "é👍'\"",
        bytes,
        null,
      );
      const same = { whole: 2 ** 53 - 1, part: 0.5, text: "é👍'\"", bytes, none: null };
      deepStrictEqual({ ...row }, same);
      strictEqual(database.get("select 1 where 0"), undefined);
      deepStrictEqual(database.all("select 1 where 0"), []);
    });
  });
});

Deno.test("Database.transaction keeps all of its writes or none, nested ones too", async () => {
  await withFolder((folder) => {
    using(`${folder}/x.db`, (database) => {
      strictEqual(database.transaction(() => (add(database, "a"), "result")), "result");
      const failing = () =>
        database.transaction(() => {
          add(database, "lost");
          throw new RangeError("own");
        });
      throws(failing, RangeError);
      deepStrictEqual(kept(database), ["a"]);
      database.transaction(() => {
        add(database, "b");
        throws(failing, RangeError);
        database.transaction(() => add(database, "c"));
      });
      deepStrictEqual(kept(database), ["a", "b", "c"]);
      throws(() =>
        database.transaction(() => {
          database.transaction(() => add(database, "lost"));
          throw new RangeError("own");
        }), RangeError);
      deepStrictEqual(kept(database), ["a", "b", "c"]);
    });
  });
});

Deno.test("Database throws a failure that shows no value, and can be used afterwards", async () => {
  await withFolder((folder) => {
    using(`${folder}/x.db`, (database) => {
      add(database, "canary");
      throws(() => add(database, "canary"), (error: unknown) => {
        const { kind, message } = error as AppError;
        strictEqual(kind, "failure");
        match(message, /^Cannot use the database: UNIQUE constraint failed/);
        ok(!message.includes("canary"));
        return true;
      });
      throws(() => database.all("select * from nothing"), { kind: "failure" });
      deepStrictEqual(kept(database), ["canary"]);
    });
  });
});

Deno.test("Database cannot be used once closed, and can be closed twice", async () => {
  await withFolder((folder) => {
    const database = openDatabase(`${folder}/x.db`, { warn: () => {} });
    add(database, "a");
    database.close();
    database.close();
    throws(() => kept(database), { kind: "failure", message: "Database is closed" });
  });
});

Deno.test("openDatabase moves a damaged file aside with one warning and begins anew", async () => {
  await withFolder((folder) => {
    const path = `${folder}/x.db`;
    Deno.writeTextFileSync(path, "this is no database\n".repeat(500));
    Deno.writeTextFileSync(`${path}-wal`, "nor is this its log");
    const warnings = using(path, (database) => {
      add(database, "a");
      deepStrictEqual(kept(database), ["a"]);
      strictEqual(database.path, path);
    });
    strictEqual(warnings.length, 1);
    match(
      warnings[0]!,
      /^The database was damaged; it is kept as ".*x\.db\.damaged-\w+-\w{4}" and/,
    );
    const aside = names(folder).filter((name) => /^x\.db\.damaged-[^.]*[^lm]$/.test(name));
    strictEqual(aside.length, 1);
    match(Deno.readTextFileSync(`${folder}/${aside[0]}`), /^this is no database/);
    deepStrictEqual(using(path, (database) => deepStrictEqual(kept(database), ["a"])), []);
  });
});

Deno.test("Database begins anew when a statement comes upon damage deep in the file", async () => {
  await withFolder((folder) => {
    const path = `${folder}/x.db`;
    const damage = () => {
      using(path, (database) =>
        database.transaction(() => {
          for (let row = 0; row < 4_000; row++) add(database, `${"long".repeat(10)}${row}`);
        }));
      const bytes = Deno.readFileSync(path);
      bytes.fill(0x5a, 48 * 4096);
      Deno.writeFileSync(path, bytes);
    };
    damage();
    const outside = using(path, (database) => {
      deepStrictEqual(kept(database), []);
      add(database, "a");
    });
    strictEqual(outside.length, 1);
    deepStrictEqual(using(path, (database) => deepStrictEqual(kept(database), ["a"])), []);
    // Inside a transaction the work is not done twice: it fails, and what follows works.
    damage();
    const inside = using(path, (database) => {
      throws(() => database.transaction(() => kept(database)), { kind: "failure" });
      deepStrictEqual(kept(database), []);
    });
    strictEqual(inside.length, 1);
  });
});

Deno.test("openDatabase uses memory, with one warning, where the file cannot be made or written", async () => {
  await withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "kept");
    Deno.mkdirSync(`${folder}/folder`);
    for (const path of [`${folder}/file/x.db`, `${folder}/folder`]) {
      const warnings = using(path, (database) => {
        add(database, "a");
        deepStrictEqual(kept(database), ["a"]);
        strictEqual(database.path, undefined);
      });
      strictEqual(warnings.length, 1);
      match(warnings[0]!, /^The database ".*" is not used, nothing is kept: [A-Z][^()]+$/);
    }
    strictEqual(Deno.readTextFileSync(`${folder}/file`), "kept");
    deepStrictEqual(names(folder), ["file", "folder"]);
  });
});

Deno.test("openDatabase leaves a file of a newer program as it is and uses memory (K15)", async () => {
  await withFolder((folder) => {
    const path = `${folder}/x.db`;
    const newer = new DatabaseSync(path);
    newer.exec(`create table future (x); pragma user_version = ${SCHEMA_VERSION + 1}`);
    newer.close();
    const before = Deno.readFileSync(path);
    const warnings = using(path, (database) => {
      add(database, "a");
      strictEqual(database.path, undefined);
    });
    strictEqual(warnings.length, 1);
    match(warnings[0]!, /nothing is kept: a newer version of this program wrote it$/);
    deepStrictEqual(Deno.readFileSync(path), before);
    deepStrictEqual(names(folder), ["x.db"]);
  });
});

Deno.test("Database takes the writes of several processes that begin at the same time", async () => {
  await withFolder(async (folder) => {
    const module = new URL("../src/database.ts", import.meta.url).href;
    const code = `import { openDatabase } from ${JSON.stringify(module)};
      const [path, name] = Deno.args;
      console.log("ready");
      await Deno.stdin.read(new Uint8Array(1));
      const database = openDatabase(path, { warn: (message) => console.log(message) });
      for (let row = 0; row < 200; row++) {
        database.transaction(() => {
          const { count } = database.get("select count(*) as count from eras");
          database.run("insert into eras values (?, ?, ?)", name + row, "modern", count);
        });
      }
      database.close();`;
    await Deno.writeTextFile(`${folder}/write.ts`, code);
    const children = ["a", "b"].map((name) =>
      new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          "--no-config",
          `${folder}/write.ts`,
          `${folder}/x.db`,
          name,
        ],
        stdin: "piped",
        stdout: "piped",
      }).spawn()
    );
    const readers = children.map((child) => child.stdout.getReader());
    for (const reader of readers) {
      strictEqual(new TextDecoder().decode((await reader.read()).value), "ready\n");
    }
    for (const child of children) {
      const writer = child.stdin.getWriter();
      await writer.write(Uint8Array.of(10));
      await writer.close();
    }
    for (const child of children) strictEqual((await child.status).code, 0);
    for (const reader of readers) strictEqual((await reader.read()).done, true);
    using(`${folder}/x.db`, (database) => {
      // Each transaction saw every row before it: what it counted is there exactly once.
      deepStrictEqual(
        database.all<{ saved: number }>("select saved from eras order by saved")
          .map((row) => row.saved),
        Array.from({ length: 400 }, (_, index) => index),
      );
    });
  });
});

Deno.test("openDatabase works in memory where there is no place for a file", () => {
  const warnings = using(undefined, (database) => {
    add(database, "a");
    deepStrictEqual(kept(database), ["a"]);
    strictEqual(database.path, undefined);
  });
  strictEqual(warnings.length, 1);
  match(warnings[0]!, /^Nothing is kept: .*MCP_EXEC_DATA_DIR/);
});
