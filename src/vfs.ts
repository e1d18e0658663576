// The paths a guest may name, and the file tree in memory that skills are mounted into: bounded before
// anything is taken in. It never touches the disk, and every path in it is one that every disk accepts.

import { AppError } from "./errors.ts";
import { MAX_PATH_BYTES, MAX_VFS_BYTES, MAX_VFS_DEPTH, MAX_VFS_FILES } from "./limits.ts";
import { isPathSegment } from "./names.ts";
import { byteLength, quoteText } from "./text.ts";

/** Files by relative path, as `a/b.ts`. */
export type FileSet = ReadonlyMap<string, string>;

/** A file tree of whole sets of files. */
export interface Vfs {
  /**
   * Puts all of `files` below the folder `prefix`, or none: an `invalid` error for a path that is
   * odd or clashes with another, a `limit` error beyond the bounds.
   */
  mount(prefix: string, files: FileSet): void;
  /** All files by absolute path, in the order they were mounted; a copy. */
  files(): ReadonlyMap<string, string>;
}

// Letters of other scripts that look like a Latin one, pairwise.
const LOOK_ALIKES = new Map(
  ("аaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwкkмmтtвbнhӏl" + "αaοoρpυuνvιiκkτtχxγyηn" + "ıiɡgɑa")
    .match(/../gu)!.map((pair) => [pair[0]!, pair[1]!]),
);

/**
 * `path` as an absolute path: `//`, `/./` and `/a/..` are resolved, a relative path counts from the
 * root. An `invalid` error for one that is empty, leaves the root, is too long or has a name that
 * not every disk keeps (V1, V2).
 */
export function normalizePath(path: string): string {
  if (path === "") throw new AppError("invalid", "Path must not be empty");
  checkLength(path, path);
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") segments.push(checkSegment(segment, path));
    else if (segments.pop() === undefined) {
      throw new AppError("invalid", `Path ${quoteText(path)} leaves the root`);
    }
  }
  return `/${segments.join("/")}`;
}

/** An empty tree. */
export function createVfs(): Vfs {
  const texts = new Map<string, string>();
  const folders = new Set(["/"]);
  // What a reader may take for the same path, to the path that has it.
  const twins = new Map<string, string>();
  let bytes = 0;

  function mount(prefix: string, files: FileSet): void {
    const root = normalizePath(prefix);
    const value = texts.size + files.size;
    if (value > MAX_VFS_FILES) {
      throw tooMany("File tree", { unit: "files", limit: MAX_VFS_FILES, value });
    }
    // The length is a lower bound that costs nothing; only what passes it is counted exactly.
    let size = bytes;
    for (const measure of [(text: string) => text.length, byteLength]) {
      size = bytes;
      for (const text of files.values()) size += measure(text);
      if (size > MAX_VFS_BYTES) {
        throw tooMany("File tree", { unit: "bytes", limit: MAX_VFS_BYTES, value: size });
      }
    }
    const added = new Map<string, string>();
    const addedFolders = new Set<string>();
    const addedTwins = new Map<string, string>();
    for (const [relative, text] of files) {
      const path = join(root, relative);
      if (texts.has(path) || added.has(path)) throw clash(path, "exists already");
      if (folders.has(path)) throw clash(path, "is a folder");
      added.set(path, text);
      claim(path, addedTwins);
      for (let folder = parentOf(path); folder !== "/"; folder = parentOf(folder)) {
        if (addedFolders.has(folder)) break;
        if (texts.has(folder)) throw clash(folder, "is a file");
        addedFolders.add(folder);
        claim(folder, addedTwins);
      }
    }
    for (const folder of addedFolders) {
      if (added.has(folder)) throw clash(folder, "is both a file and a folder");
    }
    for (const [path, text] of added) texts.set(path, text);
    for (const folder of addedFolders) folders.add(folder);
    for (const [key, path] of addedTwins) twins.set(key, path);
    bytes = size;
  }

  function claim(path: string, claims: Map<string, string>): void {
    const key = skeleton(path);
    const holder = twins.get(key) ?? claims.get(key);
    if (holder !== undefined && holder !== path) {
      throw clash(path, `looks like ${quoteText(holder)}`);
    }
    claims.set(key, path);
  }

  return { mount, files: () => new Map(texts) };
}

// A path of a file set is taken as it is or not at all: nothing in it is resolved.
function join(root: string, relative: string): string {
  const path = `${root === "/" ? "" : root}/${relative}`;
  const depth = path.split("/").length - 1;
  if (depth > MAX_VFS_DEPTH) {
    const what = `Path ${quoteText(relative)}`;
    throw tooMany(what, { unit: "levels", limit: MAX_VFS_DEPTH, value: depth });
  }
  for (const segment of relative.split("/")) checkSegment(segment, relative);
  checkLength(path, relative);
  return path;
}

function checkSegment(segment: string, path: string): string {
  if (isPathSegment(segment)) return segment;
  throw new AppError("invalid", `Path ${quoteText(path)} has a name that not every disk accepts`);
}

// The same for paths that differ only by compatibility form or look-alike letters. Case is kept:
// the tree is case-sensitive, and generated names are unique without it.
function skeleton(path: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\u0000-\u007f]*$/.test(path)) return path;
  let text = "";
  for (const char of path.normalize("NFKC")) {
    const lower = char.toLowerCase();
    const latin = LOOK_ALIKES.get(lower);
    text += latin === undefined ? char : char === lower ? latin : latin.toUpperCase();
  }
  return text;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function clash(path: string, why: string): AppError {
  return new AppError("invalid", `File ${quoteText(path)} cannot be mounted: it ${why}`);
}

function tooMany(
  what: string,
  { unit, limit, value }: { readonly unit: string; readonly limit: number; readonly value: number },
): AppError {
  return new AppError("limit", `${what} must have at most ${limit} ${unit}, got ${value}`, {
    limit: { name: `vfs ${unit}`, limit, value },
  });
}

function checkLength(path: string, shown: string): void {
  const value = byteLength(path);
  if (value <= MAX_PATH_BYTES) return;
  throw tooMany(`Path ${quoteText(shown)}`, { unit: "bytes", limit: MAX_PATH_BYTES, value });
}
