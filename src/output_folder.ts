// What stands in a folder that this program wrote or is about to write: whether it may be replaced,
// and what differs. Only reads; what is in the folder is untrusted.

import type { Manifest } from "./codegen.ts";
import { compareFiles, compareManifests, readManifest } from "./difference.ts";
import { AppError } from "./errors.ts";
import { MAX_VFS_BYTES } from "./limits.ts";
import { isThere, readFolder, readTextFile } from "./read.ts";
import { CODE_FILE, readCode } from "./skill_code.ts";
import type { FileSet } from "./vfs.ts";

/** The file that holds the manifest of a package, and that of a skill among all its code. */
export type ManifestPath = "manifest.json" | typeof CODE_FILE;

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
  const exists = isThere(path);
  const found = exists ? await readFolder(path) : new Map<string, Uint8Array>();
  const bytes = found.get(manifest);
  const before = bytes && readManifest(manifestText(new TextDecoder().decode(bytes), manifest));
  const after = JSON.parse(manifestText(files.get(manifest)!, manifest)) as Manifest;
  return {
    exists,
    tools: before === undefined ? [] : compareManifests(before, after),
    files: compareFiles(found, files),
  };
}

const PACKAGE_FILES = [
  "index.ts",
  "types.ts",
  "host.ts",
  "manifest.json",
  "deno.json",
  "tsconfig.json",
];

/** Whether a folder of these names is a package that this program wrote, with nothing added. */
export async function isPackage(path: string, names: readonly string[]): Promise<boolean> {
  if (!names.includes("manifest.json")) return false;
  const manifest = await readTextFile(`${path}/manifest.json`, { maxBytes: MAX_VFS_BYTES })
    .then(readManifest).catch(ignoreInvalid);
  const own = new Set([...PACKAGE_FILES, ...manifest?.tools.map((tool) => tool.file) ?? []]);
  return manifest !== undefined && names.every((name) => own.has(name));
}

function ignoreInvalid(error: unknown): undefined {
  if (!(error instanceof AppError && error.kind === "invalid")) throw error;
}

/** The text of the manifest in the text of the file that holds it; empty where it holds none. */
export function manifestText(text: string, file: ManifestPath): string {
  return file === CODE_FILE ? readCode(text).get("/manifest.json") ?? "" : text;
}
