import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { isLocked, withLock } from "../src/lock.ts";
import type { FileOperations } from "../src/read.ts";
import { fails, names, watched, withFolder } from "./watched_disk.ts";

Deno.test("withLock runs one at a time and leaves no file", async () => {
  await withFolder(async (folder) => {
    let inside = 0;
    let most = 0;
    const results = await Promise.all(
      Array.from({ length: 5 }, (_, index) =>
        withLock(`${folder}/lock`, async () => {
          most = Math.max(most, ++inside);
          await new Promise((resolve) => setTimeout(resolve, 1));
          inside--;
          return index;
        })),
    );
    deepStrictEqual([results, most], [[0, 1, 2, 3, 4], 1]);
    await rejects(
      withLock(`${folder}/lock`, () => Promise.reject(new RangeError("own"))),
      RangeError,
    );
    deepStrictEqual(await names(folder), []);
  });
});

Deno.test("withLock is not content with a lock file that its last holder just removed", async () => {
  await withFolder(async (folder) => {
    const operations = watched(() => {});
    let opened = 0;
    const racing: FileOperations = {
      ...operations,
      async open(path, options) {
        const file = await operations.open(path, options);
        if (++opened === 1) await Deno.remove(path);
        return file;
      },
    };
    await withLock(`${folder}/lock`, async () => {
      const second = withLock(`${folder}/lock`, () => Promise.resolve(), { timeoutMs: 1 });
      await fails(second, "timeout", /is held/);
    }, { operations: racing });
    strictEqual(opened, 2);
  });
});

Deno.test("withLock names what is written where no lock can be made beside it", async () => {
  await withFolder(async (folder) => {
    const guarded = `${folder}/none/notes.json`;
    const lock = withLock(`${folder}/none/lock`, () => Promise.resolve(), { guarded });
    await fails(lock, "failure", /^Cannot write "[^"]*notes\.json": /);
    const operations: FileOperations = {
      ...Deno,
      open: () => Promise.reject(new Deno.errors.PermissionDenied()),
    };
    await Deno.writeTextFile(`${folder}/lock`, "");
    const kept = withLock(`${folder}/lock`, () => Promise.resolve(), { guarded, operations });
    await fails(kept, "failure", /^Cannot lock "[^"]*\/lock": permission denied$/);
  });
});

Deno.test("isLocked tells a lock that is held from one that a killed process left", async () => {
  await withFolder(async (folder) => {
    const lock = `${folder}/lock`;
    strictEqual(isLocked(lock), false);
    await withLock(lock, () => Promise.resolve(strictEqual(isLocked(lock), true)));
    await Deno.writeTextFile(lock, "");
    strictEqual(isLocked(lock), false);
    // Who looks does not hold it.
    await withLock(lock, () => Promise.resolve(), { timeoutMs: 0 });
  });
});

/** Whoever waits for a reader of the pipe gets one in the end, so that the test ends. */
function lateReader(path: string): ReturnType<typeof setTimeout> {
  return setTimeout(() => void Deno.open(path, { read: true }).catch(() => {}), 20_000);
}

Deno.test({
  name: "withLock refuses a pipe in place of its file, and does not wait for a reader of it (K5)",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await withFolder(async (folder) => {
      await new Deno.Command("mkfifo", { args: [`${folder}/lock`] }).output();
      const work = withLock(`${folder}/lock`, () => Promise.resolve());
      const late = lateReader(`${folder}/lock`);
      try {
        await fails(work, "denied", /^Lock ".*" is no regular file$/);
      } finally {
        clearTimeout(late);
      }
    });
  },
});

Deno.test({
  name: "withLock waits for no pipe that took the place of its file as it was opened (K5)",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await withFolder(async (folder) => {
      const exchanging: FileOperations = {
        ...watched(() => {}),
        async open(path, options) {
          await new Deno.Command("mkfifo", { args: [String(path)] }).output();
          return await Deno.open(path, options);
        },
      };
      const lock = withLock(`${folder}/lock`, () => Promise.resolve(), { operations: exchanging });
      const late = lateReader(`${folder}/lock`);
      try {
        await fails(lock, "denied", /^Lock ".*" is no regular file$/);
      } finally {
        clearTimeout(late);
      }
    });
  },
});

Deno.test("withLock waits for a live process up to its deadline and takes over from a dead one (K9)", async () => {
  await withFolder(async (folder) => {
    const lock = new URL("../src/lock.ts", import.meta.url).href;
    const code = `import { withLock } from ${JSON.stringify(lock)};
      await withLock(Deno.args[0], async () => {
        console.log("held");
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    await Deno.writeTextFile(`${folder}/hold.ts`, code);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--no-config", `${folder}/hold.ts`, `${folder}/lock`],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    try {
      strictEqual(new TextDecoder().decode((await reader.read()).value), "held\n");
      const held = withLock(`${folder}/lock`, () => Promise.resolve(), { timeoutMs: 50 });
      const error = await fails(held, "timeout", /^Lock ".*lock" is held by another process$/);
      strictEqual(error.exitCode, 4);
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel();
    }
    strictEqual(
      await withLock(`${folder}/lock`, () => Promise.resolve("taken over")),
      "taken over",
    );
  });
});
