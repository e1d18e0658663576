// A disk for tests that is watched step by step, and how its tests look at folders and failures.

import { match, rejects, strictEqual } from "node:assert/strict";
import type { AppError, ErrorKind } from "../src/errors.ts";
import type { FileOperations } from "../src/read.ts";

/** The error that `work` ends with, which is of `kind` and says `message`. */
export async function fails(
  work: Promise<unknown>,
  kind: ErrorKind,
  message: RegExp,
): Promise<AppError> {
  let found: AppError | undefined;
  await rejects(work, (error: unknown) => {
    found = error as AppError;
    strictEqual(found.kind, kind, found.message);
    match(found.message, message);
    return true;
  });
  return found!;
}

/** The sorted names in a folder. */
export async function names(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name)).sort();
}

/** `operations`, with `again` called once a lock that was found held is tried for the second time. */
export function watchedLock(again: () => void, operations: FileOperations = Deno): FileOperations {
  let tries = 0;
  return {
    ...operations,
    open(path, options) {
      if (String(path).endsWith(".lock") && ++tries === 2) again();
      return operations.open(path, options);
    },
  };
}

/** Deno's own operations, with `before` called ahead of each with its number, counted from 1. */
export function watched(before: (count: number) => void | Promise<void>): FileOperations {
  let count = 0;
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    await before(++count);
    return await work();
  };
  return {
    lstat: (path) => step(() => Deno.lstat(path)),
    mkdir: (path, options) => step(() => Deno.mkdir(path, options)),
    realPath: (path) => step(() => Deno.realPath(path)),
    remove: (path, options) => step(() => Deno.remove(path, options)),
    rename: (from, to) => step(() => Deno.rename(from, to)),
    readDir: (path) => ({
      async *[Symbol.asyncIterator]() {
        await before(++count);
        yield* Deno.readDir(path);
      },
    }),
    open: (path, options) =>
      step(async () => {
        const file = await Deno.open(path, options);
        return new Proxy(file, {
          get(target, key) {
            const value = Reflect.get(target, key, target);
            if (typeof value !== "function") return value;
            const method = value.bind(target);
            return key === "write" || key === "sync" || key === "read"
              ? (...args: unknown[]) => step(() => method(...args))
              : method;
          },
        });
      }),
  };
}

/** Runs `run` with a folder of its own, by its real path, that is gone afterwards. */
export async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-" }));
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
