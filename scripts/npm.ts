// The npm package: the bundle, and a launcher that runs it on the Deno which npm brings. It is the
// same program as the executables; nothing is downloaded or run when it is installed.

import type { ArchiveEntry } from "./archive.ts";
import { BUNDLE_FLAGS, PERMISSION_FLAGS } from "./build.ts";
import { VERSION } from "../src/version.ts";

/** Flags with which Deno runs the bundle, for launchers. */
export const LAUNCH_FLAGS: readonly string[] = [...BUNDLE_FLAGS, ...PERMISSION_FLAGS];

/** The systems that npm has Deno for, as its packages are called. */
const NPM_SYSTEMS = [
  "darwin-arm64",
  "darwin-x64",
  "linux-arm64-glibc",
  "linux-x64-glibc",
  "win32-arm64",
  "win32-x64",
] as const;

/** Tried from 2.9.5 on; a later minor version may change the flags that the sandbox rests on. */
const DENO_RANGE = "~2.9.5";

/** Parts of the package that others make, too. */
export interface NpmParts {
  /** The files of the bundle, below `dist/`. */
  readonly bundle: readonly ArchiveEntry[];
  /** Licence, notices, readme and man page, by their names. */
  readonly documents: readonly ArchiveEntry[];
  readonly repository: string;
  /** The launcher with its placeholder filled. */
  readonly launcher: string;
}

/** The files of the package as npm packs them, below `package/`. */
export function npmPackage({ bundle, documents, repository, launcher }: NpmParts): ArchiveEntry[] {
  const manifest = {
    name: "mcp-exec",
    version: VERSION,
    description: "Turns MCP servers into code that agents can run safely",
    keywords: ["mcp", "model-context-protocol", "agent", "sandbox", "cli"],
    homepage: `https://github.com/${repository}#readme`,
    bugs: `https://github.com/${repository}/issues`,
    repository: { type: "git", url: `git+https://github.com/${repository}.git` },
    license: "MIT",
    // The bundle's files end in .js and are modules.
    type: "module",
    bin: { "mcp-exec": "bin/mcp-exec.cjs" },
    man: ["mcp-exec.1"],
    engines: { node: ">=18" },
    // Not by way of the package "deno": it has an install script, and asks for one version of all
    // systems, which is not always there for each.
    optionalDependencies: Object.fromEntries(
      NPM_SYSTEMS.map((system) => [`@deno/${system}`, DENO_RANGE]),
    ),
  };
  const text = (path: string, content: string): ArchiveEntry => ({
    path,
    data: new TextEncoder().encode(content),
  });
  return [
    text("package.json", `${JSON.stringify(manifest, null, 2)}\n`),
    { ...text("bin/mcp-exec.cjs", launcher), executable: true },
    ...bundle.map((entry) => ({ ...entry, path: `dist/${entry.path}` })),
    ...documents,
  ].map((entry) => ({ ...entry, path: `package/${entry.path}` }));
}
