// Locks between processes: files that the system knows to be held. A process that dies lets go of
// its own; nothing is ever written into one.

import { AppError } from "./errors.ts";
import { LOCK_TIMEOUT_MS } from "./limits.ts";
import { diskError, type FileOperations, isSame, lstatIfAny, quotePath } from "./read.ts";

const FILE_MODE = 0o600;
const LOCK_POLL_MS = 20;

/**
 * Runs `run` while this process alone holds the lock file `path`, which is gone afterwards. The
 * system drops the lock of a process that dies. Throws a `timeout` error when it stays held, and a
 * `failure` that names what is written, `guarded`, where no file can be made beside it.
 */
export async function withLock<T>(
  path: string,
  run: () => Promise<T>,
  options: {
    readonly timeoutMs?: number;
    readonly operations?: FileOperations;
    readonly guarded?: string;
  } = {},
): Promise<T> {
  const operations = options.operations ?? Deno;
  const timeoutMs = options.timeoutMs ?? LOCK_TIMEOUT_MS;
  const deadline = performance.now() + timeoutMs;
  let file: Deno.FsFile | undefined;
  while ((file = await tryLock(path, { operations, guarded: options.guarded })) === undefined) {
    if (performance.now() >= deadline) {
      throw new AppError("timeout", `Lock ${quotePath(path)} is held by another process`, {
        limit: { name: "lock wait in ms", limit: timeoutMs },
      });
    }
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
  try {
    return await run();
  } finally {
    // Removed while still held: who waits notices that its file is no longer the one at `path`.
    await operations.remove(path).catch(() => {});
    file.close();
  }
}

/** Whether a process holds the lock file `path`; one that was killed leaves a file that none holds. */
export function isLocked(path: string): boolean {
  try {
    if (!Deno.lstatSync(path).isFile) return false;
    using file = Deno.openSync(path);
    return !file.tryLockSync();
  } catch {
    return false; // it was let go of this moment
  }
}

async function tryLock(
  path: string,
  { operations, guarded }: {
    readonly operations: FileOperations;
    readonly guarded: string | undefined;
  },
): Promise<Deno.FsFile | undefined> {
  let file: Deno.FsFile | undefined;
  const refuseSpecial = (info: Deno.FileInfo | undefined) => {
    if (info?.isFile !== false) return;
    throw new AppError("denied", `Lock ${quotePath(path)} is no regular file`);
  };
  try {
    refuseSpecial(await lstatIfAny(path, operations));
    // To read as well: a pipe in its place by now would be waited on until somebody reads it.
    const options = { read: true, write: true, create: true, mode: FILE_MODE };
    file = await operations.open(path, options);
    const held = file.statSync();
    refuseSpecial(held);
    if (await file.tryLock(true)) {
      const current = await lstatIfAny(path, operations);
      if (current !== undefined && isSame(held, current)) return file;
    }
    file.close();
    return undefined;
  } catch (error) {
    file?.close();
    const isOfLock = guarded === undefined || file !== undefined ||
      await lstatIfAny(path, operations).catch(() => undefined) !== undefined;
    throw isOfLock ? diskError("lock", path, error) : diskError("write", guarded, error);
  }
}
