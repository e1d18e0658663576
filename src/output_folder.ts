// What stands in a folder that this program wrote or is about to write: whether it may be replaced,
// and what differs. Only reads; what is in the folder is untrusted.

import type { Manifest } from "./codegen.ts";
import { compareFiles, compareManifests, readManifest } from "./difference.ts";
import { readFolder, readTextFile } from "./disk.ts";
import { AppError } from "./errors.ts";
import { MAX_VFS_BYTES } from "./limits.ts";
import type { FileSet } from "./vfs.ts";

/** Where a manifest stands in a folder that holds a package, and in one that holds a skill. */
export type ManifestPath = "manifest.json" | "package/manifest.json";

/** How a folder differs from what would be written. */
export interface FolderState {
  /** Whether there is a folder. */
  readonly exists: boolean;
  /** One line each: what changed of the server and its tools, as far as the folder tells. */
  readonly tools: readonly string[];
  /** One line a file that would be written, changed or removed; none when nothing would. */
  readonly files: readonly string[];
}

/** Compares the folder `path` with `files`; throws `integrity` errors for links in it. */
export async function compareFolder(
  path: string,
  files: FileSet,
  { manifest }: { readonly manifest: ManifestPath },
): Promise<FolderState> {
  const exists = await isThere(path);
  const found = exists ? await readFolder(path) : new Map<string, Uint8Array>();
  const bytes = found.get(manifest);
  const before = bytes && readManifest(new TextDecoder().decode(bytes));
  const after = JSON.parse(files.get(manifest)!) as Manifest;
  return {
    exists,
    tools: before === undefined ? [] : compareManifests(before, after),
    files: compareFiles(found, files),
  };
}

/** Whether there is anything at `path`. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const PACKAGE_FILES = [
  "index.ts",
  "types.ts",
  "host.ts",
  "manifest.json",
  "deno.json",
  "tsconfig.json",
];
const SKILL_FILES = ["SKILL.md", "REFERENCE.md", "references", "package"];

/** Whether a folder of these names is a package that this program wrote, with nothing added. */
export async function isPackage(path: string, names: readonly string[]): Promise<boolean> {
  const manifest = await manifestIn(path);
  if (manifest === undefined) return false;
  const own = new Set([...PACKAGE_FILES, ...manifest.tools.map((tool) => tool.file)]);
  return names.every((name) => own.has(name));
}

/**
 * Whether a folder of these names is a skill that this program wrote, with nothing added. Throws a
 * `usage` error when it is the skill of another server than `server`.
 */
export async function isSkill(
  path: string,
  names: readonly string[],
  { server }: { readonly server: string },
): Promise<boolean> {
  if (!names.includes("package") || !names.every((name) => SKILL_FILES.includes(name))) {
    return false;
  }
  let inside: ReadonlyMap<string, Uint8Array>;
  try {
    inside = await readFolder(path);
  } catch (error) {
    if (error instanceof AppError && error.kind === "integrity") return false;
    throw error;
  }
  const code: string[] = [];
  for (const [file, bytes] of inside) {
    if (file.startsWith("package/")) code.push(file.slice("package/".length));
    else if (file.startsWith("references/") && !isReference(bytes)) return false;
  }
  if (!await isPackage(`${path}/package`, code)) return false;
  const manifest = await manifestIn(`${path}/package`);
  if (manifest !== undefined && manifest.server !== server) {
    throw new AppError(
      "usage",
      `Skill at this place is of another server: "${server}" needs its own`,
      {
        hint: "choose a name with --name, or replace it with --force",
      },
    );
  }
  return true;
}

function isReference(bytes: Uint8Array): boolean {
  return new TextDecoder().decode(bytes.subarray(0, 40)).startsWith("# Reference of ");
}

async function manifestIn(folder: string): Promise<Manifest | undefined> {
  const path = `${folder}/manifest.json`;
  if (!await isThere(path)) return undefined;
  try {
    return readManifest(await readTextFile(path, { maxBytes: MAX_VFS_BYTES }));
  } catch (error) {
    if (error instanceof AppError && error.kind === "invalid") return undefined;
    throw error;
  }
}
