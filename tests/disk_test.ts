import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  ensureFolder,
  removeFolder,
  repairFolder,
  replaceFolder,
  writeFileAtomic,
} from "../src/disk.ts";
import type { AppError } from "../src/errors.ts";
import { type FileOperations, readFolder, readTextFile } from "../src/read.ts";
import { fails, names, watched, watchedLock, withFolder } from "./watched_disk.ts";

const OLD = new Map([["a.ts", "old a"], ["sub/b.ts", "old b"]]);
const NEW = new Map([["a.ts", "new a"], ["other/c.ts", "new c"]]);

async function texts(folder: string): Promise<Map<string, string>> {
  const files = await readFolder(folder);
  return new Map([...files].map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]));
}

async function mode(path: string): Promise<string> {
  return ((await Deno.lstat(path)).mode! & 0o777).toString(8);
}

// Operation `at` fails as on a full disk; all after it too where the process is to have died there.
function faulty(at: number, options: { dies: boolean }): [FileOperations, () => boolean] {
  let reached = false;
  const operations = watched((count) => {
    if (count < at || (count > at && !options.dies)) return;
    reached = true;
    throw new Error("No space left on device (os error 28): fault");
  });
  return [operations, () => reached];
}

Deno.test("readTextFile gives the text without a byte order mark", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a`, "\ufeffé\r\n👍");
    strictEqual(await readTextFile(`${folder}/a`), "é\r\n👍");
    await Deno.writeTextFile(`${folder}/empty`, "");
    strictEqual(await readTextFile(`${folder}/empty`), "");
    const long = "x".repeat(300_000);
    await Deno.writeTextFile(`${folder}/long`, long);
    strictEqual(await readTextFile(`${folder}/long`, { maxBytes: 300_000 }), long);
  });
});

Deno.test("readTextFile names the file and what is wrong with it (A10)", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/utf16`, Uint8Array.of(0xff, 0xfe, 0x41, 0));
    await Deno.writeFile(`${folder}/latin`, Uint8Array.of(0x41, 0xe9));
    await Deno.writeTextFile(`${folder}/nul`, "a\0b");
    await Deno.writeTextFile(`${folder}/large`, "x".repeat(2_000));
    const cases: [string, RegExp][] = [
      [`${folder}/none`, /^File ".*none" does not exist$/],
      [folder, /^File ".*" is a folder$/],
      [`${folder}/utf16`, /^File ".*utf16" is UTF-16, not UTF-8$/],
      [`${folder}/latin`, /^File ".*latin" is not valid UTF-8 text$/],
      [`${folder}/nul`, /^File ".*nul" is not text: it holds a NUL$/],
      [`${folder}/large`, /^File ".*large" is too large: 2.0 KiB, at most 1000 B$/],
      [`${folder}/nul/below`, /^File ".*below" cannot be read: Not a directory$/],
      [`${folder}/\x1b[2J`, /\\u\{1b\}\[2J" does not exist$/],
      ["", /^File "" does not exist$/],
    ];
    for (const [path, message] of cases) {
      await fails(readTextFile(path, { maxBytes: 1_000 }), "invalid", message);
    }
  });
});

Deno.test({
  name: "readTextFile stops at its bound where a file has no size or no end",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    match(await readTextFile("/proc/self/status"), /^Name:/);
    await fails(readTextFile("/dev/zero", { maxBytes: 1_000 }), "invalid", /is too large: larger,/);
  },
});

Deno.test("readFolder gives every file by relative path", async () => {
  await withFolder(async (folder) => {
    await replaceFolder(`${folder}/x`, OLD);
    deepStrictEqual(await texts(`${folder}/x`), OLD);
    await fails(readFolder(`${folder}/none`), "failure", /^Cannot read ".*none": No such file/);
  });
});

Deno.test("readFolder refuses links, hard links and what is beyond its bounds (K5, K12)", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/secret`, "secret");
    const plant: Record<string, (at: string) => Promise<unknown>> = {
      "is a link or": (at) => Deno.symlink(`${folder}/secret`, `${at}/link`),
      "is a hard link": (at) => Deno.link(`${folder}/secret`, `${at}/hard`),
      "has a name": (at) => Deno.writeTextFile(`${at}/a\nb`, ""),
      "is beyond 3 files": async (at) => {
        for (const name of "xy") await Deno.writeTextFile(`${at}/${name}`, "");
      },
      "is beyond the size": (at) => Deno.writeTextFile(`${at}/big`, "x".repeat(2_000)),
      "is deeper than": (at) => Deno.mkdir(`${at}/${"d/".repeat(40)}`, { recursive: true }),
    };
    for (const [why, act] of Object.entries(plant)) {
      const at = await Deno.makeTempDir({ dir: folder });
      for (const name of ["1", "2"]) await Deno.writeTextFile(`${at}/${name}`, "");
      await act(at);
      await fails(readFolder(at, { maxFiles: 3, maxBytes: 1_000 }), "integrity", new RegExp(why));
    }
    await Deno.symlink(folder, `${folder}/root`);
    await fails(readFolder(`${folder}/root`), "integrity", /is not a folder, or is a link/);
    await fails(readFolder(`${folder}/secret`), "integrity", /is not a folder/);
  });
});

Deno.test("readFolder refuses more folders than its files could need (K12)", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/deep/er`, { recursive: true });
    await Deno.writeTextFile(`${folder}/deep/er/a`, "");
    strictEqual((await readFolder(folder, { maxFiles: 1 })).size, 1);
    for (let at = 0; at < 32; at++) await Deno.mkdir(`${folder}/${at}`);
    await fails(readFolder(folder, { maxFiles: 1 }), "integrity", /is beyond 32 folders$/);
  });
});

Deno.test("writeFileAtomic replaces a file, for this user only, and leaves nothing else", async () => {
  await withFolder(async (folder) => {
    await writeFileAtomic(`${folder}/deep/er/x.json`, "one");
    await writeFileAtomic(`${folder}/deep/er/x.json`, new TextEncoder().encode("two"));
    strictEqual(await Deno.readTextFile(`${folder}/deep/er/x.json`), "two");
    deepStrictEqual(await names(`${folder}/deep/er`), ["x.json"]);
    strictEqual(await mode(`${folder}/deep/er/x.json`), "600");
    strictEqual(await mode(`${folder}/deep`), "700");
  });
});

Deno.test("writeFileAtomic keeps the mode of the file there was, or takes the one given", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/x`, "", { mode: 0o640 });
    await Deno.chmod(`${folder}/x`, 0o640);
    await writeFileAtomic(`${folder}/x`, "1");
    strictEqual(await mode(`${folder}/x`), "640");
    await writeFileAtomic(`${folder}/x`, "2", { mode: 0o644 });
    strictEqual(await mode(`${folder}/x`), "644");
  });
});

Deno.test("writeFileAtomic refuses links, folders and paths that name nothing (V8, V1)", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/target`, "kept");
    await Deno.symlink(`${folder}/target`, `${folder}/link`);
    await Deno.symlink(`${folder}/nowhere`, `${folder}/dangling`);
    for (const name of ["link", "dangling"]) {
      await fails(writeFileAtomic(`${folder}/${name}`, "x"), "denied", /is not a regular file/);
    }
    await Deno.mkdir(`${folder}/sub`);
    await fails(writeFileAtomic(`${folder}/sub`, "x"), "denied", /is not a regular file/);
    for (const path of ["", "/", ".", "..", `${folder}/..`, `${folder}/a\0b`]) {
      await fails(writeFileAtomic(path, "x"), "usage", /does not name a file or folder$/);
    }
    await Deno.symlink(`${folder}/target`, `${folder}/.x.lock`);
    await fails(writeFileAtomic(`${folder}/x`, "x"), "denied", /^Lock .* is no regular file$/);
    strictEqual(await Deno.readTextFile(`${folder}/target`), "kept");
    deepStrictEqual(await names(folder), [".x.lock", "dangling", "link", "sub", "target"]);
  });
});

Deno.test("writeFileAtomic leaves the old file whole whatever operation fails (A19, K6)", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/x`;
    await writeFileAtomic(path, "old");
    let failures = 0;
    for (let at = 1;; at++) {
      const [operations, reached] = faulty(at, { dies: false });
      const error = await writeFileAtomic(path, "new", { operations }).catch((error) => error);
      if (!reached()) break;
      if (error !== undefined) {
        failures++;
        strictEqual(error.kind, "failure");
        match(error.message, /^Cannot (?:write|lock) ".*": No space left on device$/);
      }
      // Only the last step, after the new file is in place, can fail with the new text there.
      ok(["old", "new"].includes(await Deno.readTextFile(path)));
      await writeFileAtomic(path, "old");
      deepStrictEqual(await names(folder), ["x"]);
    }
    ok(failures > 8);
  });
});

Deno.test("ensureFolder makes what is missing, and says what stands in the way (V5)", async () => {
  await withFolder(async (folder) => {
    await ensureFolder(`${folder}/a/b`);
    await ensureFolder(`${folder}/a/b`);
    strictEqual(await mode(`${folder}/a/b`), "700");
    await Deno.writeTextFile(`${folder}/file`, "");
    await fails(ensureFolder(`${folder}/file/x`), "failure", /^Cannot make ".*": Not a directory$/);
    await fails(ensureFolder(`${folder}/file`), "failure", /file" is a file, not a folder$/);
  });
});

Deno.test("replaceFolder writes a folder whole and does nothing when it is that already", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/skills/x/`;
    deepStrictEqual(await replaceFolder(path, OLD), { written: 2, unchanged: false });
    const before = await Deno.stat(path);
    deepStrictEqual(await replaceFolder(path, OLD), { written: 0, unchanged: true });
    strictEqual((await Deno.stat(path)).ino, before.ino);
    const result = await replaceFolder(path, NEW, { isOurs: (found) => found.includes("a.ts") });
    deepStrictEqual(result, { written: 2, unchanged: false });
    deepStrictEqual(await texts(path), NEW);
    deepStrictEqual(await names(`${folder}/skills`), ["x"]);
  });
});

Deno.test("replaceFolder notices every way in which a folder differs", async () => {
  await withFolder(async (folder) => {
    const changes: ((at: string) => Promise<unknown>)[] = [
      (at) => Deno.writeTextFile(`${at}/a.ts`, "old A"),
      (at) => Deno.writeTextFile(`${at}/a.ts`, "old a "),
      (at) => Deno.writeTextFile(`${at}/more.ts`, ""),
      (at) => Deno.remove(`${at}/a.ts`),
      (at) => Deno.rename(`${at}/a.ts`, `${at}/A.ts`),
      async (at) => {
        await Deno.rename(`${at}/a.ts`, `${folder}/away`);
        await Deno.symlink(`${folder}/away`, `${at}/a.ts`);
      },
    ];
    for (const change of changes) {
      await replaceFolder(`${folder}/x`, OLD);
      await change(`${folder}/x`);
      const result = await replaceFolder(`${folder}/x`, OLD, { force: true });
      strictEqual(result.unchanged, false, String(change));
      deepStrictEqual(await texts(`${folder}/x`), OLD);
    }
    strictEqual(await Deno.readTextFile(`${folder}/away`), "old a");
  });
});

Deno.test("replaceFolder makes folders 0700 and files 0600 (K11)", async () => {
  await withFolder(async (folder) => {
    await replaceFolder(`${folder}/x`, OLD);
    const modes = ["x", "x/sub", "x/a.ts", "x/sub/b.ts"].map((name) => mode(`${folder}/${name}`));
    deepStrictEqual(await Promise.all(modes), ["700", "700", "600", "600"]);
  });
});

Deno.test("replaceFolder refuses a folder that is not ours unless forced (V9)", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/x/mine`, { recursive: true });
    for (const isOurs of [undefined, (found: string[]) => found[0] !== "mine"]) {
      const work = replaceFolder(`${folder}/x`, NEW, isOurs === undefined ? {} : { isOurs });
      const error = await fails(work, "usage", /exists and was not made by this program$/);
      match(error.hint!, /--force/);
    }
    deepStrictEqual(await names(`${folder}/x`), ["mine"]);
    await replaceFolder(`${folder}/x`, NEW, { force: true });
    deepStrictEqual(await texts(`${folder}/x`), NEW);
    await Deno.mkdir(`${folder}/empty`);
    await replaceFolder(`${folder}/empty`, NEW);
  });
});

Deno.test("replaceFolder refuses a file, a link and the working folder even when forced (V5, V8)", async () => {
  await withFolder(async (folder) => {
    await replaceFolder(`${folder}/real`, OLD);
    await Deno.symlink(`${folder}/real`, `${folder}/link`);
    await Deno.writeTextFile(`${folder}/file`, "");
    const forced = { force: true };
    await fails(replaceFolder(`${folder}/link`, NEW, forced), "denied", /is a symbolic link$/);
    await fails(replaceFolder(`${folder}/file`, NEW, forced), "usage", /is not a folder$/);
    await fails(
      replaceFolder(`${folder}/file/x`, NEW, forced),
      "failure",
      /is a file, not a folder$/,
    );
    await fails(replaceFolder(Deno.cwd(), NEW, forced), "usage", /holds the working folder$/);
    await fails(removeFolder(Deno.cwd()), "usage", /holds the working folder$/);
    await fails(removeFolder(`${folder}/link`), "denied", /is not a folder/);
    deepStrictEqual(await texts(`${folder}/real`), OLD);
  });
});

Deno.test("replaceFolder refuses names that leave the folder or collide, before writing (V1, V2, V3, V4, V5)", async () => {
  await withFolder(async (folder) => {
    const unsafe = [
      "../x",
      "/x",
      "a//b",
      "",
      "./a",
      "a/..",
      "C:\\x",
      "a\0",
      "%2e%2e/x",
      "x.",
      "CON",
    ];
    for (const name of [...unsafe, "e\u0301", "a\u200b", "a\nb"]) {
      const work = replaceFolder(`${folder}/x`, new Map([["ok", ""], [name, ""]]));
      await fails(work, "invalid", /^File name ".*" is not safe to write$/);
    }
    for (const pair of [["a", "A"], ["a", "a/b"], ["a/b", "a"], ["d/x", "D/y"], ["D/x/y", "d"]]) {
      const work = replaceFolder(`${folder}/x`, new Map(pair.map((name) => [name, ""])));
      await fails(work, "invalid", /are one file$/);
    }
    deepStrictEqual(await names(folder), []);
  });
});

Deno.test("replaceFolder refuses too many files, bytes and levels before writing (V6)", async () => {
  await withFolder(async (folder) => {
    const large = "x".repeat(1024 * 1024);
    const sets = [
      new Map(Array.from({ length: 50_001 }, (_, index) => [`f${index}`, ""])),
      new Map(Array.from({ length: 257 }, (_, index) => [`f${index}`, large])),
      new Map([["d/".repeat(10_000) + "f", ""]]),
      new Map([[`${"long".repeat(60)}/`.repeat(6) + "f", ""]]),
    ];
    for (const files of sets) {
      await fails(replaceFolder(`${folder}/x`, files), "limit", /^Folder to write has too many/);
    }
    deepStrictEqual(await names(folder), []);
  });
});

Deno.test("replaceFolder keeps below `within` to real folders (V8)", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/elsewhere`);
    await Deno.mkdir(`${folder}/project`);
    await Deno.symlink(`${folder}/elsewhere`, `${folder}/project/.claude`);
    const options = { within: `${folder}/project` };
    const refused: [string, RegExp][] = [
      [`${folder}/project/.claude/skills/x`, /is not a folder, or is a link to one$/],
      [`${folder}/project/../elsewhere/x`, /is not inside/],
      [`${folder}/elsewhere/x`, /is not inside/],
    ];
    for (const [path, message] of refused) {
      await fails(replaceFolder(path, NEW, options), "denied", message);
      await fails(writeFileAtomic(path, "x", options), "denied", message);
    }
    deepStrictEqual(await names(`${folder}/elsewhere`), []);
    await replaceFolder(`${folder}/project/a/b/x`, NEW, options);
    await replaceFolder(`${folder}/project/x`, NEW, options);
    deepStrictEqual(await texts(`${folder}/project/a/b/x`), NEW);
  });
});

// Deno's own operations on a disk that takes every `from` in a path for `to`, and says `to`.
function spelling(from: string, to: string, back: (path: string) => string) {
  const own = (path: string | URL) => back(String(path));
  return {
    lstat: (path) => Deno.lstat(own(path)),
    mkdir: (path, options) => Deno.mkdir(own(path), options),
    realPath: async (path) => (await Deno.realPath(own(path))).replaceAll(from, to),
    remove: (path, options) => Deno.remove(own(path), options),
    rename: (old, path) => Deno.rename(own(old as string), own(path as string)),
    readDir: (path) => Deno.readDir(own(path)),
    open: (path, options) => Deno.open(own(path), options),
  } satisfies FileOperations;
}

Deno.test("replaceFolder writes below `within` whatever case a disk keeps and slash it says (V8, K18)", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/Top`);
    const ignoresCase = spelling("/top", "/Top", (path) => path.replace("/top", "/Top"));
    const backslash = spelling("/", "\\", (path) => path.replaceAll("\\", "/"));
    for (const [name, operations] of [["top", ignoresCase], ["Top", backslash]] as const) {
      const options = { within: folder, operations };
      await replaceFolder(`${folder}/${name}/x`, OLD, options);
      deepStrictEqual(await texts(`${folder}/Top/x`), OLD);
      await removeFolder(`${folder}/${name}/x`, options);
      deepStrictEqual(await names(`${folder}/Top`), []);
    }
    const inside = {
      ...backslash,
      realPath: (path: string | URL) =>
        String(path) === "."
          ? Promise.resolve(`${folder}/Top/y/deep`.replaceAll("/", "\\"))
          : backslash.realPath(path),
    };
    await Deno.mkdir(`${folder}/Top/y`);
    await fails(
      removeFolder(`${folder}/Top/y`, { operations: inside }),
      "usage",
      /holds the working/,
    );
  });
});

Deno.test("replaceFolder writes nothing elsewhere when a parent is exchanged at any moment (V8)", async () => {
  await withFolder(async (folder) => {
    const elsewhere = `${folder}/elsewhere`;
    await Deno.mkdir(elsewhere);
    let refusals = 0;
    for (let at = 1, done = false; !done; at++) {
      const root = `${folder}/root${at}`;
      await Deno.mkdir(`${root}/a`, { recursive: true });
      done = true;
      const operations = watched(async (count) => {
        if (count !== at) return;
        done = false;
        await Deno.rename(`${root}/a`, `${root}/moved`);
        await Deno.symlink(elsewhere, `${root}/a`);
      });
      const error = await replaceFolder(`${root}/a/x`, NEW, { within: root, operations })
        .catch((error) => error);
      if (error instanceof Error) refusals++;
      deepStrictEqual(await names(elsewhere), [], `exchanged before operation ${at}`);
    }
    ok(refusals > 15);
  });
});

Deno.test("replaceFolder leaves old or new and no debris whatever operation fails (K6)", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/x`;
    for (const before of [undefined, OLD]) {
      for (let at = 1;; at++) {
        await removeFolder(path);
        if (before !== undefined) await replaceFolder(path, before);
        const [operations, reached] = faulty(at, { dies: false });
        const error = await replaceFolder(path, NEW, { force: true, operations })
          .catch((error) => error as AppError);
        if (!reached()) break;
        const found = await texts(path).catch(() => undefined);
        if (error instanceof Error) strictEqual(error.kind, "failure");
        else deepStrictEqual(found, NEW);
        if (found?.get("a.ts") !== "new a") deepStrictEqual(found, before);
        else deepStrictEqual(found, NEW);
        await repairFolder(path);
        deepStrictEqual(await names(folder), found === undefined ? [] : ["x"]);
      }
    }
  });
});

Deno.test("repairFolder gives old or new, never a mixture, wherever the writer died (K7)", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/x`;
    const outcomes = new Set<string>();
    let between = 0;
    for (let at = 1;; at++) {
      await removeFolder(path);
      await replaceFolder(path, OLD);
      const [operations, reached] = faulty(at, { dies: true });
      await replaceFolder(path, NEW, { force: true, operations }).catch(() => {});
      if (!reached()) break;
      if (await Deno.lstat(path).then(() => false, () => true)) between++;
      await repairFolder(path);
      const found = await texts(path);
      outcomes.add(found.get("a.ts")!);
      deepStrictEqual(found, found.get("a.ts") === "new a" ? NEW : OLD);
      deepStrictEqual(await names(folder), ["x"]);
    }
    deepStrictEqual(outcomes, new Set(["old a", "new a"]));
    ok(between > 0, "no death fell between the two renames");
  });
});

Deno.test("repairFolder puts nothing back that was half removed when the writer died (K7)", async () => {
  await withFolder(async (folder) => {
    const target = `${folder}/notes`;
    await replaceFolder(target, OLD);
    const operations: FileOperations = {
      ...Deno,
      async remove(path, options) {
        if (!options?.recursive) return await Deno.remove(path);
        await Deno.remove(`${path}/a.ts`);
        throw new Error("Input/output error (os error 5): died");
      },
    };
    await replaceFolder(target, NEW, { force: true, operations });
    deepStrictEqual(await texts(target), NEW);
    await Deno.remove(target, { recursive: true });
    await repairFolder(target);
    deepStrictEqual(await names(folder), []);
  });
});

Deno.test("replaceFolder, several at once: one wins whole (K8)", async () => {
  await withFolder(async (folder) => {
    const sets = Array.from(
      { length: 5 },
      (_, index) => new Map([["a", `${index}`], [`only${index}`, `${index}`]]),
    );
    await Promise.all(sets.map((set) => replaceFolder(`${folder}/x`, set, { force: true })));
    const found = await texts(`${folder}/x`);
    deepStrictEqual(found, sets[Number(found.get("a"))]);
    deepStrictEqual(await names(folder), ["x"]);
  });
});

Deno.test("repairFolder waits for a live writer and touches no one else's staging (K10)", async () => {
  await withFolder(async (folder) => {
    const others = [
      ".y.0123456789abcdef.new",
      ".x.y.0123456789abcdef.new",
      ".x.0123.new",
      ".x.new",
    ];
    for (const name of others) await Deno.mkdir(`${folder}/${name}`);
    let staged!: () => void;
    const isStaged = new Promise<void>((resolve) => staged = resolve);
    let go!: () => void;
    const mayGo = new Promise<void>((resolve) => go = resolve);
    const operations = watched(() => {});
    const slow: FileOperations = {
      ...operations,
      async rename(from, to) {
        staged();
        await mayGo;
        await operations.rename(from, to);
      },
    };
    const writing = replaceFolder(`${folder}/x`, NEW, { operations: slow });
    await isStaged;
    const { promise: waits, resolve: again } = Promise.withResolvers<void>();
    const repairing = repairFolder(`${folder}/x`, { operations: watchedLock(again) });
    strictEqual(await Promise.race([waits.then(() => "waits"), repairing]), "waits");
    go();
    await Promise.all([writing, repairing]);
    deepStrictEqual(await texts(`${folder}/x`), NEW);
    deepStrictEqual(await names(folder), [...others, "x"].sort());
  });
});

Deno.test("removeFolder removes a folder whole and says whether there was one", async () => {
  await withFolder(async (folder) => {
    await replaceFolder(`${folder}/x`, OLD);
    strictEqual(await removeFolder(`${folder}/x`), true);
    strictEqual(await removeFolder(`${folder}/x`), false);
    strictEqual(await removeFolder(`${folder}/none/x`), false);
    await repairFolder(`${folder}/none/x`);
    deepStrictEqual(await names(folder), []);
  });
});
