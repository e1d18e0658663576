// A release of all systems, made once for the tests of a file, and what they look at it with.

import { build, listFiles } from "../scripts/build.ts";
import { LAUNCH_FLAGS } from "../scripts/npm.ts";
import { release, type ReleaseOptions, type Target, TARGETS } from "../scripts/release.ts";

/** The time of every file in the archives. */
export const SECONDS = 1_700_000_000;
/** This system. */
export const HERE = Deno.build.target as Target;
/** Where the release says that it comes from. */
export const REPOSITORY = "mcp-exec/mcp-exec";

/** A release and what it was made from. */
export interface Made {
  /** The folder of the release. */
  readonly out: string;
  /** The folder that the others stand in. */
  readonly base: string;
  /** What it was made from; the executables are scripts that run the bundle. */
  readonly parts: Omit<ReleaseOptions, "out">;
  readonly names: readonly string[];
  readonly sums: ReadonlyMap<string, string>;
}

let made: Promise<Made> | undefined;

/** The release, made when it is asked for first. */
export function makeRelease(): Promise<Made> {
  return made ??= (async () => {
    const base = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-release-" }));
    const [bundle, out] = [`${base}/dist`, `${base}/release`];
    await build({ out: bundle });
    const parts = await partsOf(bundle, base);
    const names = await release({ ...parts, out });
    const list = await Deno.readTextFile(`${out}/SHA256SUMS`);
    const sums = new Map(
      list.trimEnd().split("\n").map((line) => {
        const [sum, name] = line.split("  ");
        return [name!, sum!];
      }),
    );
    return { out, base, parts, names, sums };
  })();
}

/** Removes the release, where one was made. */
export async function removeRelease(): Promise<void> {
  if (made !== undefined) await Deno.remove((await made).base, { recursive: true });
}

async function partsOf(bundle: string, base: string): Promise<Made["parts"]> {
  const program = `${base}/stand-in`;
  const started = [Deno.execPath(), "run", ...LAUNCH_FLAGS, `${bundle}/main.js`];
  // Whatever is no question of a shell is only written down, a word in each pair of brackets.
  const script = `#!/bin/sh
case "$1" in
  __complete | completions | --version) exec ${started.map((word) => `'${word}'`).join(" ")} "$@" ;;
  *) printf '[%s]' "$@" >> ran; echo >> ran ;;
esac
`;
  await Deno.writeTextFile(program, script, { mode: 0o755 });
  return {
    bundle,
    binaries: new Map(TARGETS.map((target) => [target, program])),
    denos: new Map([[HERE, Deno.execPath()]]),
    repository: REPOSITORY,
    seconds: SECONDS,
  };
}

/** The SHA-256 of bytes, as lists of sums have it. */
export async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

/** What a command left behind. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a command to its end; `env` is all of its environment. */
export async function run(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    clearEnv: options.env !== undefined,
    stdin: "null",
    ...options,
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), error: decode(stderr) };
}

/** Whether a program is installed. */
export async function hasTool(name: string): Promise<boolean> {
  try {
    await new Deno.Command(name, { args: ["--version"], stdin: "null" }).output();
    return true;
  } catch {
    return false;
  }
}

/** The paths of every file below a folder, sorted. */
export async function filesIn(folder: string): Promise<string[]> {
  return (await listFiles(folder)).map(({ path }) => path);
}

/** Runs `work` with an empty folder. */
export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-place-" }));
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
