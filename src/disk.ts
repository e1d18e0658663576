// With database.ts and lock.ts the only module that writes files. A write is whole or did not
// happen; it never follows a link at its target and never leaves the folder it was given.

import { AppError } from "./errors.ts";
import {
  formatBytes,
  MAX_PATH_BYTES,
  MAX_VFS_BYTES,
  MAX_VFS_DEPTH,
  MAX_VFS_FILES,
} from "./limits.ts";
import { proveInside, realFolder } from "./inside.ts";
import { withLock } from "./lock.ts";
import { isPathSegment } from "./names.ts";
import {
  diskError,
  type FileOperations,
  listNames,
  lstatIfAny,
  quotePath,
  readFolder,
  settled,
} from "./read.ts";

// One file in a bundle: what is imported by itself is loaded by itself.
export { isLocked } from "./lock.ts";

/** How a write is confined. */
export interface WriteOptions {
  /** A folder that is trusted as it is; below it every part of the path must be a real folder. */
  readonly within?: string;
  readonly operations?: FileOperations;
}

/** Files by relative path with `/` between the parts. */
export type FolderFiles = ReadonlyMap<string, string | Uint8Array>;

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const WRITES_AT_ONCE = 8;

/** Makes `path` and what is missing above it, for this user only; throws `failure` when it cannot. */
export async function ensureFolder(path: string, options: WriteOptions = {}): Promise<void> {
  try {
    await makeFolder(path, options);
  } catch (error) {
    throw diskError("make", path, error);
  }
}

/**
 * Replaces the file `path` in one step: readers see the old bytes or the new ones. The mode is
 * `mode`, else that of the file there was, else 0600. A link or folder in its place is refused.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: WriteOptions & { readonly mode?: number } = {},
): Promise<void> {
  await writeAt(path, options, async (place) => {
    const before = await lstatIfAny(place.path, place.operations);
    if (before !== undefined && !before.isFile) {
      throw new AppError("denied", `${quotePath(path)} is not a regular file, left as it is`, {
        ...(before.isSymlink && { hint: "name the file the link points to" }),
      });
    }
    const temporary = siblingOf(place, "tmp");
    try {
      const mode = options.mode ?? (before?.mode ?? FILE_MODE) & 0o777;
      const file = await openNew(temporary, mode, place.operations);
      try {
        await writeAll(file, data);
        await file.sync();
        await checkUnmoved(place, temporary, file.statSync());
      } finally {
        file.close();
      }
      await place.operations.rename(temporary, place.path);
    } catch (error) {
      await place.operations.remove(temporary).catch(() => {});
      throw error;
    }
    await syncFolder(place.folder, place.operations);
  });
}

/**
 * Makes `path` a folder of exactly `files`, in one step as far as a reader can see. Does nothing
 * when it is that already. A folder with other content is replaced only when `isOurs` says so of
 * its top-level names, or with `force`; a link is never replaced. A process that dies on the way
 * leaves the old folder or the new one: see `repairFolder`.
 */
export async function replaceFolder(
  path: string,
  files: FolderFiles,
  options: WriteOptions & {
    readonly force?: boolean;
    readonly isOurs?: (names: string[]) => boolean | Promise<boolean>;
    /** Set by who has found that the content differs: then that is not looked at again. */
    readonly differs?: boolean;
  } = {},
): Promise<{ written: number; unchanged: boolean }> {
  checkFiles(files);
  return await writeAt(path, options, async (place) => {
    const { operations } = place;
    const before = await lstatIfAny(place.path, operations);
    if (before !== undefined) {
      if (before.isSymlink) throw new AppError("denied", `${quotePath(path)} is a symbolic link`);
      if (!before.isDirectory) {
        throw new AppError("usage", `${quotePath(path)} exists and is not a folder`);
      }
      if (!options.differs && await holdsExactly(place.path, files, operations)) {
        return { written: 0, unchanged: true };
      }
      const names = await listNames(place.path, operations);
      const replaceable = options.force || names.length === 0 || await options.isOurs?.(names);
      if (!replaceable) {
        throw new AppError("usage", `${quotePath(path)} exists and was not made by this program`, {
          hint: "choose another folder, or replace it with --force",
        });
      }
      await refuseWorkingFolder(place);
    }
    const staged = siblingOf(place, "new");
    const old = siblingOf(place, "old");
    try {
      await stage(staged, files, operations);
      await checkUnmoved(place, staged);
      if (before !== undefined) await operations.rename(place.path, old);
      try {
        await operations.rename(staged, place.path);
      } catch (error) {
        if (before !== undefined) await operations.rename(old, place.path);
        throw error;
      }
    } catch (error) {
      await operations.remove(staged, { recursive: true }).catch(() => {});
      throw error;
    }
    // The swap is done: what is left of the old folder is swept by the next write at the latest. It
    // gets another name first, because what is half removed must never be put back.
    const gone = siblingOf(place, "gone");
    if (before !== undefined) await operations.rename(old, gone).catch(() => {});
    await syncFolder(place.folder, operations);
    if (before !== undefined) await operations.remove(gone, { recursive: true }).catch(() => {});
    return { written: files.size, unchanged: false };
  });
}

/** Removes the folder `path` in one step as far as a reader can see; false when there was none. */
export async function removeFolder(path: string, options: WriteOptions = {}): Promise<boolean> {
  if (!await hasParent(path, options)) return false;
  return await writeAt(path, options, async (place) => {
    const before = await lstatIfAny(place.path, place.operations);
    if (before === undefined) return false;
    if (!before.isDirectory) {
      throw new AppError("denied", `${quotePath(path)} is not a folder, or is a link to one`);
    }
    await refuseWorkingFolder(place);
    const gone = siblingOf(place, "gone");
    await place.operations.rename(place.path, gone);
    await syncFolder(place.folder, place.operations);
    await place.operations.remove(gone, { recursive: true }).catch(() => {});
    return true;
  });
}

/** Removes the file or link `path` itself; false when there was none. For who holds its lock. */
export async function removeFile(
  path: string,
  { operations = Deno }: Pick<WriteOptions, "operations"> = {},
): Promise<boolean> {
  try {
    await operations.remove(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw diskError("write", path, error);
  }
}

/**
 * Ends what a process that died in `replaceFolder` or `removeFolder` left of `path`: the old
 * folder is put back when no new one took its place, and staged remains go. For readers that
 * find `path` missing.
 */
export async function repairFolder(path: string, options: WriteOptions = {}): Promise<void> {
  if (await hasParent(path, options)) await writeAt(path, options, () => Promise.resolve());
}

/** Runs `run` while nobody writes, replaces or removes `path`. */
export async function whileUnchanged<T>(
  path: string,
  run: () => Promise<T>,
  options: WriteOptions = {},
): Promise<T> {
  return await writeAt(path, options, run);
}

/** Where a write goes: the real folder, whose identity is checked again before the last step. */
interface Place {
  readonly folder: string;
  readonly name: string;
  readonly path: string;
  readonly identity: string;
  /** What `within` really is. */
  readonly root: string | undefined;
  readonly operations: FileOperations;
}

// Every write holds the lock of its target, so whatever remains of earlier ones is debris.
async function writeAt<T>(
  path: string,
  options: WriteOptions,
  run: (place: Place) => Promise<T>,
): Promise<T> {
  const operations = options.operations ?? Deno;
  try {
    const { parent, name } = splitPath(path);
    const folder = (await makeFolder(parent, options)).replace(/[\\/]$/, "");
    const identity = identityOf(await operations.lstat(`${folder}/`));
    const root = options.within && await realFolder(options.within);
    const place = { folder, name, path: `${folder}/${name}`, identity, root, operations };
    return await withLock(`${folder}/.${name}.lock`, async () => {
      await sweep(place);
      return await run(place);
    }, { operations, guarded: path });
  } catch (error) {
    throw diskError("write", path, error);
  }
}

async function hasParent(path: string, { operations = Deno }: WriteOptions): Promise<boolean> {
  return await operations.realPath(splitPath(path).parent).then(() => true, () => false);
}

function splitPath(path: string): { parent: string; name: string } {
  const separator = Deno.build.os === "windows" ? /[\\/]/ : /\//;
  const parts = path.split(separator);
  while (parts.length > 1 && parts.at(-1) === "") parts.pop();
  const name = parts.pop()!;
  if (name === "" || name === "." || name === ".." || path.includes("\0")) {
    throw new AppError("usage", `Path ${quotePath(path)} does not name a file or folder`);
  }
  return { parent: parts.length === 0 ? "." : parts.join("/") || "/", name };
}

// The real path of `path`, all of it made. Used from here on, so that an exchange is noticed.
async function makeFolder(path: string, options: WriteOptions): Promise<string> {
  const operations = options.operations ?? Deno;
  const { within } = options;
  if (within === undefined || path === within) {
    await operations.mkdir(path, { recursive: true, mode: FOLDER_MODE }).catch((error) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      throw new AppError("failure", `${quotePath(path)} is a file, not a folder`);
    });
    return await operations.realPath(path);
  }
  const parts = path.startsWith(`${within}/`) ? path.slice(within.length + 1).split("/") : [".."];
  if (parts.includes("..")) {
    throw new AppError("denied", `${quotePath(path)} is not inside ${quotePath(within)}`);
  }
  await operations.mkdir(within, { recursive: true, mode: FOLDER_MODE });
  let current = await operations.realPath(within);
  for (const part of parts.filter((part) => part !== "" && part !== ".")) {
    current = `${current.replace(/\/$/, "")}/${part}`;
    const info = await lstatIfAny(current, operations);
    if (info === undefined) await operations.mkdir(current, { recursive: true, mode: FOLDER_MODE });
    else if (!info.isDirectory) {
      throw new AppError("denied", `${quotePath(current)} is not a folder, or is a link to one`);
    }
  }
  const real = await operations.realPath(current);
  if (toComparable(real) !== toComparable(current)) {
    throw new AppError("denied", `${quotePath(path)} passes through a symbolic link`);
  }
  return real;
}

// A disk may ignore the case of letters, and Windows says its paths with `\`.
function toComparable(path: string): string {
  return path.replaceAll("\\", "/").toLowerCase();
}

function siblingOf(place: Place, kind: "new" | "old" | "tmp" | "gone"): string {
  const random = crypto.getRandomValues(new BigUint64Array(1))[0]!.toString(16).padStart(16, "0");
  return `${place.folder}/.${place.name}.${random}.${kind}`;
}

async function sweep(place: Place): Promise<void> {
  const { folder, name, operations } = place;
  const prefix = `.${name}.`;
  let missing = await lstatIfAny(place.path, operations) === undefined;
  for (const entry of await listNames(folder, operations)) {
    if (!entry.startsWith(prefix)) continue;
    const kind = /^[0-9a-f]{16}\.(new|old|tmp|gone)$/.exec(entry.slice(prefix.length))?.[1];
    if (kind === undefined) continue;
    if (kind === "old" && missing) {
      await operations.rename(`${folder}/${entry}`, place.path);
      missing = false;
    } else {
      await operations.remove(`${folder}/${entry}`, { recursive: true });
    }
  }
}

// Before the step that others see: what was `made` has to be in the folder, and nowhere else.
async function checkUnmoved(place: Place, path: string, made?: Deno.FileInfo): Promise<void> {
  const { folder, root, operations } = place;
  const info = await lstatIfAny(`${folder}/`, operations);
  const unmoved = info !== undefined && identityOf(info) === place.identity &&
    await operations.realPath(folder || "/") === (folder || "/");
  if (!unmoved) {
    throw new AppError("denied", `Folder ${quotePath(folder)} was exchanged while writing`);
  }
  if (root !== undefined) proveInside(root, path.slice(root.length + 1), made);
}

// Replacing the folder one works in, or one above it, is never what was meant.
async function refuseWorkingFolder(place: Place): Promise<void> {
  const working = toComparable(await place.operations.realPath(".").catch(() => ""));
  if (`${working}/`.startsWith(`${toComparable(place.path)}/`)) {
    throw new AppError("usage", `${quotePath(place.path)} holds the working folder`);
  }
}

async function stage(path: string, files: FolderFiles, operations: FileOperations): Promise<void> {
  await operations.mkdir(path, { mode: FOLDER_MODE });
  const folders = new Set<string>();
  for (const relative of files.keys()) {
    for (let at = relative.indexOf("/"); at !== -1; at = relative.indexOf("/", at + 1)) {
      const folder = relative.slice(0, at);
      if (folders.has(folder)) continue;
      await operations.mkdir(`${path}/${folder}`, { mode: FOLDER_MODE });
      folders.add(folder);
    }
  }
  const entries = [...files];
  do {
    const part = entries.splice(0, WRITES_AT_ONCE);
    const open: Deno.FsFile[] = [];
    try {
      // None may still write into a folder that is being removed after a failure.
      await settled(part.map(async ([relative, data]) => {
        const file = await openNew(`${path}/${relative}`, FILE_MODE, operations);
        open.push(file);
        await writeAll(file, data);
      }));
      // One wait for all of them: the disk's journal takes them, and the names of all files, at once.
      const syncs = open.map((file) => file.sync());
      if (entries.length === 0) {
        syncs.push(syncFolder(path, operations));
        for (const folder of folders) syncs.push(syncFolder(`${path}/${folder}`, operations));
      }
      await settled(syncs);
    } finally {
      for (const file of open) file.close();
    }
  } while (entries.length > 0);
}

async function openNew(
  path: string,
  mode: number,
  operations: FileOperations,
): Promise<Deno.FsFile> {
  return await operations.open(path, { write: true, createNew: true, mode });
}

async function writeAll(file: Deno.FsFile, data: string | Uint8Array): Promise<void> {
  const bytes = toBytes(data);
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

async function syncFolder(path: string, operations: FileOperations): Promise<void> {
  if (Deno.build.os === "windows") return;
  const folder = await operations.open(path || "/", { read: true });
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}

// Everything that could be wrong with the set is found before anything is written.
function checkFiles(files: FolderFiles): void {
  const tooMany = (name: string, limit: number, value: number, shown: string): never => {
    throw new AppError("limit", `Folder to write has too many ${name}: ${shown}`, {
      limit: { name, limit, value },
    });
  };
  if (files.size > MAX_VFS_FILES) {
    tooMany("files", MAX_VFS_FILES, files.size, `${files.size}, at most ${MAX_VFS_FILES}`);
  }
  const seen = new Map<string, string>();
  let bytes = 0;
  for (const [path, data] of files) {
    bytes += data.length;
    const parts = path.split("/");
    if (parts.length > MAX_VFS_DEPTH || path.length > MAX_PATH_BYTES) {
      tooMany("folders in a path", MAX_VFS_DEPTH, parts.length, quotePath(path));
    }
    if (!parts.every(isPathSegment)) {
      throw new AppError("invalid", `File name ${quotePath(path)} is not safe to write`);
    }
    // A folder counts with a slash, so a file of the same name collides whatever the letters' case.
    for (let depth = 1; depth <= parts.length; depth++) {
      const part = parts.slice(0, depth).join("/");
      const kept = depth < parts.length ? `${part}/` : part;
      const other = seen.get(part.toLowerCase());
      if (other !== undefined && (other !== kept || depth === parts.length)) {
        throw new AppError("invalid", `${quotePath(path)} and ${quotePath(other)} are one file`);
      }
      seen.set(part.toLowerCase(), kept);
    }
  }
  if (bytes > MAX_VFS_BYTES) {
    tooMany("bytes", MAX_VFS_BYTES, bytes, formatBytes(bytes));
  }
}

function identityOf(info: Deno.FileInfo): string {
  return `${info.dev}:${info.ino}`;
}

async function holdsExactly(
  path: string,
  files: FolderFiles,
  operations: FileOperations,
): Promise<boolean> {
  const wanted = new Map([...files].map(([name, data]) => [name, toBytes(data)]));
  const maxBytes = [...wanted.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  let found: Map<string, Uint8Array>;
  try {
    found = await readFolder(path, { maxFiles: files.size, maxBytes, operations });
  } catch (error) {
    // More, larger or other things than files: that is a difference.
    if (error instanceof AppError && error.kind === "integrity") return false;
    throw error;
  }
  return found.size === wanted.size && [...wanted].every(([name, bytes]) => {
    const other = found.get(name);
    return other?.length === bytes.length && bytes.every((byte, at) => byte === other[at]);
  });
}

function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? new TextEncoder().encode(data) : data;
}
