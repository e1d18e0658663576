// Reads files and folders of the machine within bounds. Never writes.

import { pathFrom } from "./context.ts";
import { AppError } from "./errors.ts";
import {
  formatBytes,
  MAX_CONFIG_BYTES,
  MAX_VFS_BYTES,
  MAX_VFS_DEPTH,
  MAX_VFS_FILES,
} from "./limits.ts";
import { isPathSegment } from "./names.ts";
import { cleanLine } from "./text.ts";

/** The parts of Deno that reading and writing need; tests hand in ones that fail. */
export type FileOperations = Pick<
  typeof Deno,
  "lstat" | "mkdir" | "open" | "readDir" | "realPath" | "remove" | "rename"
>;

const CHUNK_BYTES = 64 * 1024;
const READS_AT_ONCE = 8;

/**
 * The text of a UTF-8 file without its byte order mark, as seen from the folder `from`. Throws
 * `invalid` errors that name the file: absent, a folder, larger than `maxBytes` (that of a config
 * file by default), or not plain text.
 */
export async function readTextFile(
  path: string,
  { maxBytes = MAX_CONFIG_BYTES, from }: { readonly maxBytes?: number; readonly from?: string } =
    {},
): Promise<string> {
  const shown = `File ${quotePath(path)}`;
  const operations = from === undefined ? Deno : openingFrom(from, Deno);
  const bytes = await readBytes(path, { maxBytes, operations }).catch((error) => {
    if (error instanceof AppError) throw error;
    if (error instanceof Deno.errors.NotFound) {
      throw new AppError("invalid", `${shown} does not exist`);
    }
    throw new AppError("invalid", `${shown} cannot be read: ${reasonOf(error)}`, { cause: error });
  });
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new AppError("invalid", `${shown} is UTF-16, not UTF-8`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new AppError("invalid", `${shown} is not valid UTF-8 text`);
  }
  if (text.includes("\0")) throw new AppError("invalid", `${shown} is not text: it holds a NUL`);
  return text;
}

/**
 * Every file below the folder `path` by relative path. A link, hard link or special file, a name
 * that is not safe and a count or size beyond the bounds (by default those of the VFS) are
 * `integrity` errors; a folder that is not there is a `failure`.
 */
export async function readFolder(
  path: string,
  options: {
    readonly maxFiles?: number;
    readonly maxBytes?: number;
    readonly operations?: FileOperations;
    /** Told of the folder itself (as an empty path) and of each file and folder in it. */
    readonly onEntry?: (path: string, info: Deno.FileInfo) => void;
  } = {},
): Promise<Map<string, Uint8Array>> {
  const { maxFiles = MAX_VFS_FILES, operations = Deno, onEntry } = options;
  const files = new Map<string, Uint8Array>();
  let left = options.maxBytes ?? MAX_VFS_BYTES;
  let count = 0;
  // More than these are not needed for so many files: what is empty has to end, too.
  const maxFolders = maxFiles * MAX_VFS_DEPTH;
  let folders = 0;
  const refuse = (relative: string, why: string): never => {
    throw new AppError("integrity", `${quotePath(relative)} in ${quotePath(path)} ${why}`);
  };
  async function walk(prefix: string, depth: number): Promise<void> {
    if (depth > MAX_VFS_DEPTH) refuse(prefix, `is deeper than ${MAX_VFS_DEPTH} folders`);
    const names = await listNames(`${path}/${prefix}`, operations);
    while (names.length > 0) {
      const chunk = names.splice(0, READS_AT_ONCE).map((name) => {
        if (!isPathSegment(name)) refuse(`${prefix}${name}`, "has a name that is not safe");
        return `${prefix}${name}`;
      });
      const infos = await settled(chunk.map((name) => operations.lstat(`${path}/${name}`)));
      const found = chunk.map((relative, at) => ({ relative, info: infos[at]! }));
      for (const { relative, info } of found) check(relative, info);
      const plain = found.filter(({ info }) => info.isFile);
      // A file may have grown since it was looked at.
      const read = await settled(
        plain.map(({ relative, info }) =>
          readBytes(`${path}/${relative}`, {
            maxBytes: info.size + left,
            operations,
            expected: info,
          })
        ),
      );
      for (const [at, { relative, info }] of plain.entries()) {
        left -= read[at]!.length - info.size;
        if (left < 0) refuse(relative, "is beyond the size a folder may have");
        files.set(relative, read[at]!);
      }
      for (const { relative, info } of found) {
        if (info.isDirectory) await walk(`${relative}/`, depth + 1);
      }
    }
  }
  function check(relative: string, info: Deno.FileInfo): void {
    onEntry?.(relative, info);
    if (info.isDirectory) {
      if (folders++ >= maxFolders) refuse(relative, `is beyond ${maxFolders} folders`);
      return;
    }
    if (!info.isFile) refuse(relative, "is a link or a special file");
    if ((info.nlink ?? 1) > 1) refuse(relative, "is a hard link");
    if (count++ >= maxFiles) refuse(relative, `is beyond ${maxFiles} files`);
    if (info.size > left) refuse(relative, "is beyond the size a folder may have");
    left -= info.size;
  }
  try {
    const info = await operations.lstat(path);
    if (!info.isDirectory) {
      throw new AppError("integrity", `${quotePath(path)} is not a folder, or is a link to one`);
    }
    onEntry?.("", info);
    await walk("", 1);
  } catch (error) {
    throw diskError("read", path, error);
  }
  return files;
}

/** The results of all of `work`; a failure is thrown when the others have ended, too. */
export async function settled<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(work);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/**
 * The bytes of a file or pipe; throws `invalid` for a folder and beyond `maxBytes`, and `denied`
 * when what was opened is not the file that `expected` describes.
 */
export async function readBytes(
  path: string,
  { maxBytes, operations = Deno, expected }: {
    readonly maxBytes: number;
    readonly operations?: Pick<FileOperations, "open">;
    readonly expected?: Deno.FileInfo;
  },
): Promise<Uint8Array> {
  const file = await operations.open(path, { read: true });
  try {
    // Of what is open each answer is there at once, of a file on disk; a thread for it takes longer.
    const info = file.statSync();
    if (expected !== undefined && !isSame(info, expected)) {
      throw new AppError("denied", "File was exchanged while it was read");
    }
    if (info.isDirectory) throw new AppError("invalid", `File ${quotePath(path)} is a folder`);
    if (info.size > maxBytes) throw tooLarge(path, maxBytes, info.size);
    // The size is only a hint: a pipe has none and a file may grow.
    let buffer = new Uint8Array(Math.min(info.size, maxBytes) + 1);
    let length = 0;
    for (;;) {
      const rest = buffer.subarray(length);
      const count = info.isFile ? file.readSync(rest) : await file.read(rest);
      if (count === null) return buffer.subarray(0, length);
      length += count;
      if (length > maxBytes) throw tooLarge(path, maxBytes);
      if (length === buffer.length) {
        const larger = new Uint8Array(Math.max(buffer.length * 2, CHUNK_BYTES));
        larger.set(buffer);
        buffer = larger;
      }
    }
  } finally {
    file.close();
  }
}

// Messages keep the path as it was given.
function openingFrom(from: string, operations: FileOperations): Pick<FileOperations, "open"> {
  return { open: (path, options) => operations.open(pathFrom(from, String(path)), options) };
}

/** Whether both describe one file or folder. */
export function isSame(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** The `invalid` error of a file beyond `limit` bytes. */
export function tooLarge(path: string, limit: number, value?: number): AppError {
  const size = value === undefined ? "larger" : formatBytes(value);
  return new AppError(
    "invalid",
    `File ${quotePath(path)} is too large: ${size}, at most ${formatBytes(limit)}`,
    { limit: { name: "file size", limit, ...(value !== undefined && { value }) } },
  );
}

/** The names in the folder `path`, sorted. */
export async function listNames(path: string, operations: FileOperations): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of operations.readDir(path || "/")) names.push(entry.name);
  return names.sort();
}

/**
 * Whether something stands at `path`; true where only reading it can tell. Asked at once: a thread
 * for the question takes longer than the answer.
 */
export function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    const { NotCapable, NotADirectory, NotFound } = Deno.errors;
    if (error instanceof NotADirectory || error instanceof NotFound) return false;
    // Without a home a path runs through a device, which Deno lets be asked about only with all
    // permissions. Any other path that may not be asked about counts: a policy may stand there.
    return !(error instanceof NotCapable && path.startsWith("/dev/null/"));
  }
}

/** What stands at `path`, a link as itself; undefined when nothing does. */
export async function lstatIfAny(
  path: string,
  operations: FileOperations,
): Promise<Deno.FileInfo | undefined> {
  try {
    return await operations.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** `error` itself when it is an `AppError`, else a `failure` that says what could not be done. */
export function diskError(
  action: "read" | "write" | "make" | "lock",
  path: string,
  error: unknown,
): AppError {
  if (error instanceof AppError) return error;
  return new AppError("failure", `Cannot ${action} ${quotePath(path)}: ${reasonOf(error)}`, {
    cause: error,
  });
}

/** The system's own words for `error`, without the call and the path that Deno puts after them. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  const message = error instanceof Error ? error.message : String(error);
  return cleanLine(message.split(" (os error")[0]!, 200);
}

/** `path` cleaned and in double quotes, for messages. */
export function quotePath(path: string): string {
  return `"${cleanLine(path, 300)}"`;
}
