// Reads below a folder in which another process may exchange a folder for a link at any moment.
//
// There is no call for "open this, but through no link": a path is looked up anew each time, so that
// a look at a folder and a look at a file in it can each see another state. What the looks saw is
// therefore asked once more, many times in an order that nobody can foresee. Where a link led
// outside, each state shows it to one of the questions, and who exchanges them cannot know which
// comes next.

import { pathFrom } from "./context.ts";
import { AppError } from "./errors.ts";
import { isPathSegment } from "./names.ts";
import { diskError, isSame, isThere, quotePath, readBytes, reasonOf, tooLarge } from "./read.ts";

/** One part of the way down to a file, and what stood there. */
interface Step {
  readonly path: string;
  readonly info: Deno.FileInfo;
}

// At any moment one of n facts is wrong, which a question misses by 1 - 1/n: all of them by e^-20.
const QUESTIONS_PER_FACT = 20;
const LISTINGS = 3;
// A real path has what its system puts between names.
const SEPARATOR = Deno.build.os === "windows" ? /[\\/]/ : "/";

/** A folder by its real path, as seen from `from`: what is below it can be checked against that. */
export async function realFolder(path: string, from?: string): Promise<string> {
  const place = from === undefined ? path : pathFrom(from, path);
  const real = await Deno.realPath(place).catch((error) => {
    if (error instanceof Deno.errors.NotFound) {
      throw new AppError("invalid", `Folder ${quotePath(path)} does not exist`);
    }
    throw diskError("read", path, error);
  });
  if ((await Deno.stat(real)).isDirectory) return real.replace(/[\\/]$/, "");
  throw new AppError("invalid", `${quotePath(path)} is a file, not a folder`);
}

/**
 * The bytes of the file `relative` below `root`, a path of `realFolder`. Throws `invalid` for what
 * is absent, no regular file or larger than `maxBytes`, and `denied` where a link stands on the way.
 */
export async function readInside(
  root: string,
  relative: string,
  { maxBytes }: { readonly maxBytes: number },
): Promise<Uint8Array> {
  try {
    const way = wayTo(root, relative);
    const file = way.at(-1);
    if (!file?.info.isFile) {
      throw new AppError("invalid", `File ${quotePath(relative)} is a folder`);
    }
    if (file.info.size > maxBytes) throw tooLarge(relative, maxBytes, file.info.size);
    const bytes = await readBytes(file.path, { maxBytes, expected: file.info });
    if (!holds(way.map(stands))) throw exchanged(relative);
    return bytes;
  } catch (error) {
    throw insideError(relative, error);
  }
}

/**
 * The names in the folder `relative` below `root`, sorted, folders with a `/` behind; links and
 * special files are left out. Throws like `readInside`, and `limit` beyond `maxNames`.
 */
export function listInside(
  root: string,
  relative: string,
  { maxNames }: { readonly maxNames: number },
): string[] {
  const folder = relative === "" ? root : `${root}/${relative}`;
  try {
    for (let listing = 0; listing < LISTINGS; listing++) {
      const way = wayTo(root, relative);
      if (way.at(-1)?.info.isDirectory === false) {
        throw new AppError("invalid", `Folder ${quotePath(relative)} is a file`);
      }
      const names: string[] = [];
      for (const entry of Deno.readDirSync(`${folder}/`)) {
        if (!isPathSegment(entry.name) || !(entry.isFile || entry.isDirectory)) continue;
        names.push(entry.isDirectory ? `${entry.name}/` : entry.name);
        if (names.length > maxNames) {
          throw new AppError("limit", `Folder ${quotePath(relative)} has over ${maxNames} names`, {
            limit: { name: "names", limit: maxNames },
          });
        }
      }
      // Who removes a file meanwhile is the usual reason why a name is not there any more.
      if (way.length === 0 || names.length === 0) return names.sort();
      // One name at a time is enough unless somebody has put nearly all names of a folder outside
      // into this one: to list both anew each time would refuse every folder that is written to.
      const isNamed = () => isThere(`${folder}/${names[Math.floor(Math.random() * names.length)]}`);
      if (holds([...way.map(stands), isNamed])) return names.sort();
    }
    throw exchanged(relative);
  } catch (error) {
    throw insideError(relative, error);
  }
}

/**
 * Throws `denied` unless the file or folder `relative` is below `root` and was reached through no
 * link; with `expected`, unless it is what that describes.
 */
export function proveInside(root: string, relative: string, expected?: Deno.FileInfo): void {
  const way = wayTo(root, relative);
  const isExpected = expected === undefined || isSame(way.at(-1)!.info, expected);
  if (!isExpected || !holds(way.map(stands))) throw exchanged(relative);
}

// What stands at `relative`; every part of the way is looked at as itself.
function wayTo(root: string, relative: string): Step[] {
  const way: Step[] = [];
  let path = root;
  for (const part of relative === "" ? [] : relative.split(SEPARATOR)) {
    if (way.at(-1)?.info.isDirectory === false) throw new Deno.errors.NotFound();
    path = `${path}/${part}`;
    const info = Deno.lstatSync(path);
    if (info.isSymlink) {
      throw new AppError("denied", `Path ${quotePath(relative)} passes through a symbolic link`);
    }
    if (!info.isFile && !info.isDirectory) {
      throw new AppError("denied", `${quotePath(relative)} is a special file`);
    }
    way.push({ path, info });
  }
  return way;
}

// Directly below the root one look has told everything.
function holds(facts: readonly (() => boolean)[]): boolean {
  if (facts.length < 2) return true;
  const order = crypto.getRandomValues(new Uint32Array(QUESTIONS_PER_FACT * facts.length));
  return order.every((random) => facts[random % facts.length]!());
}

function stands({ path, info }: Step): () => boolean {
  return () => {
    try {
      return isSame(Deno.lstatSync(path), info);
    } catch {
      return false;
    }
  };
}

function exchanged(relative: string): AppError {
  return new AppError("denied", `What is at ${quotePath(relative)} was exchanged meanwhile`);
}

// Says nothing of where the folder is: the message goes to a program.
function insideError(relative: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory
    ? new AppError("invalid", `File not found: ${quotePath(relative)}`)
    : new AppError("failure", `Cannot read ${quotePath(relative)}: ${reasonOf(error)}`);
}
