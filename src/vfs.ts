// The in-memory file tree a guest reads: mounted whole, bounded before anything is taken in, then
// frozen. It never touches the disk, and every path in it is one that every disk accepts.

import { AppError } from "./errors.ts";
import {
  MAX_PATH_BYTES,
  MAX_SEGMENT_BYTES,
  MAX_VFS_BYTES,
  MAX_VFS_DEPTH,
  MAX_VFS_FILES,
} from "./limits.ts";
import { byteLength, quoteText } from "./text.ts";

/** Files by relative path, as `a/b.ts`. */
export type FileSet = ReadonlyMap<string, string>;

/** A file tree; every path given to it is normalised first. */
export interface Vfs {
  /**
   * Puts all of `files` below the folder `prefix`, or none: an `invalid` error for a path that is
   * odd or clashes with another, a `limit` error beyond the bounds, `denied` once frozen.
   */
  mount(prefix: string, files: FileSet): void;
  /** The text of a file; an `invalid` error where there is none. */
  read(path: string): string;
  /** Whether `path` is a file. */
  has(path: string): boolean;
  /** The names in a folder, sorted, folders with a `/` behind; an `invalid` error for no folder. */
  list(path: string): string[];
  /** All files by absolute path, in the order they were mounted; a copy. */
  files(): ReadonlyMap<string, string>;
  /** Ends all mounting. */
  freeze(): void;
}

// What no disk keeps apart or Windows refuses: control and invisible characters, separators and
// wildcards, percent escapes, a dot or space at the end, device names with any ending.
const ODD_SEGMENT =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\\:*?"<>|]|\p{Cf}|\p{Cs}|\p{Co}|\p{Zl}|\p{Zp}|%[0-9a-f]{2}|[. ]$|^ |^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/iu;
const PLAIN_SEGMENT = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
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
  if (byteLength(path) > MAX_PATH_BYTES) {
    throw limitError("Path", "bytes", MAX_PATH_BYTES, byteLength(path), quoteText(path));
  }
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
  const folders = new Map<string, Set<string>>([["/", new Set()]]);
  // What a reader may take for the same path, to the path that has it.
  const twins = new Map<string, string>();
  let bytes = 0;
  let frozen = false;

  function mount(prefix: string, files: FileSet): void {
    if (frozen) throw new AppError("denied", `File tree is read-only: cannot mount ${prefix}`);
    const root = normalizePath(prefix);
    if (texts.size + files.size > MAX_VFS_FILES) {
      throw limitError("File tree", "files", MAX_VFS_FILES, texts.size + files.size);
    }
    // The length is a lower bound that costs nothing; only what passes it is counted exactly.
    let size = bytes;
    for (const measure of [(text: string) => text.length, byteLength]) {
      size = bytes;
      for (const text of files.values()) size += measure(text);
      if (size > MAX_VFS_BYTES) throw limitError("File tree", "bytes", MAX_VFS_BYTES, size);
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
    for (const [path, text] of added) {
      texts.set(path, text);
      enter(path);
    }
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

  function enter(path: string): void {
    const parent = parentOf(path);
    const siblings = folders.get(parent);
    const name = path.slice(parent === "/" ? 1 : parent.length + 1);
    if (siblings !== undefined) siblings.add(name);
    else {
      folders.set(parent, new Set([name]));
      enter(parent);
    }
  }

  return {
    mount,
    read(path) {
      const normal = normalizePath(path);
      const text = texts.get(normal);
      if (text !== undefined) return text;
      const what = folders.has(normal) ? "is a folder" : "does not exist";
      throw new AppError("invalid", `File ${quoteText(normal)} ${what}`);
    },
    has: (path) => texts.has(normalizePath(path)),
    list(path) {
      const normal = normalizePath(path);
      const names = folders.get(normal);
      if (names === undefined) {
        const what = texts.has(normal) ? "is a file" : "does not exist";
        throw new AppError("invalid", `Folder ${quoteText(normal)} ${what}`);
      }
      const below = normal === "/" ? "/" : `${normal}/`;
      return [...names].sort().map((name) => folders.has(below + name) ? `${name}/` : name);
    },
    files: () => new Map(texts),
    freeze() {
      frozen = true;
    },
  };
}

// A path of a file set is taken as it is or not at all: nothing in it is resolved.
function join(root: string, relative: string): string {
  const path = `${root === "/" ? "" : root}/${relative}`;
  const depth = path.split("/").length - 1;
  if (depth > MAX_VFS_DEPTH) {
    throw limitError("Path", "levels", MAX_VFS_DEPTH, depth, quoteText(relative));
  }
  for (const segment of relative.split("/")) checkSegment(segment, relative);
  if (byteLength(path) > MAX_PATH_BYTES) {
    throw limitError("Path", "bytes", MAX_PATH_BYTES, byteLength(path), quoteText(relative));
  }
  return path;
}

function checkSegment(segment: string, path: string): string {
  const odd = segment === "" || segment.length > MAX_SEGMENT_BYTES || ODD_SEGMENT.test(segment) ||
    (!PLAIN_SEGMENT.test(segment) &&
      (byteLength(segment) > MAX_SEGMENT_BYTES || segment !== segment.normalize("NFC")));
  if (odd) {
    throw new AppError("invalid", `Path ${quoteText(path)} has a name that not every disk accepts`);
  }
  return segment;
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

function limitError(
  subject: string,
  unit: string,
  limit: number,
  value: number,
  which = "",
): AppError {
  const name = which === "" ? subject : `${subject} ${which}`;
  return new AppError("limit", `${name} must have at most ${limit} ${unit}, got ${value}`, {
    limit: { name: `vfs ${unit}`, limit, value },
  });
}
