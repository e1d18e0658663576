// deno-lint-ignore-file no-console
// Makes executables of the bundle: `deno compile` with the permissions baked in. Deno fetches the
// runtime of each target from its own host; where that cannot be reached, DENORT_BIN names a file.

import { build, BUNDLE_FLAGS, COMPILE_ALL, PERMISSION_FLAGS } from "./build.ts";
import { type Target, TARGETS } from "./release.ts";

const MAGIC = "d3n0l4nd";

/** What an executable is made from and where to. */
export interface CompileOptions {
  /** The folder of the bundle. */
  readonly bundle: string;
  /** The executable to write. */
  readonly out: string;
  /** The system it is for; this one's when left out. */
  readonly target?: Target;
  /** The runtime to put the bundle into, instead of the one that Deno fetches. */
  readonly runtime?: string;
}

/**
 * Writes an executable. The same bundle and runtime give the same bytes. Throws with a hint when the
 * runtime of the target cannot be fetched.
 */
export async function compile({ bundle, out, target, runtime }: CompileOptions): Promise<void> {
  const folder = await copyWithoutTimes(bundle);
  try {
    const included = ["src/guest.js", "quickjs.wasm", "prelude.bin"];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["compile", "--no-config", "--no-lock", "--no-npm", "--no-remote", "--no-prompt"],
        // With lazy imports Deno would leave out what is imported late.
        ...BUNDLE_FLAGS.filter((flag) => /^--(?:unstable-worker|v8-flags)/.test(flag))
          // An executable may find nothing of what an earlier run compiled.
          .map((flag) => flag.replace(COMPILE_ALL, "")),
        ...PERMISSION_FLAGS,
        ...included.flatMap((file) => ["--include", file]),
        ...(target === undefined ? [] : ["--target", target]),
        // One name for all: where an executable keeps its caches must not depend on its file's.
        ...["--app-name", "mcp-exec", "--output", await absolute(out), "main.js"],
      ],
      cwd: folder,
      env: {
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
        ...(runtime !== undefined && { DENORT_BIN: runtime }),
      },
      stdin: "null",
      stdout: "null",
    }).output();
    if (success) return;
    const text = new TextDecoder().decode(stderr).trim();
    throw new Error(
      `Cannot compile for ${target ?? Deno.build.target}: ${text}\n  hint: the runtime "denort" ` +
        `of Deno ${Deno.version.deno} comes from dl.deno.land; where that cannot be reached, fetch ` +
        `it elsewhere and name the file in DENORT_BIN`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

// The times of the files get into the executable.
async function copyWithoutTimes(bundle: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  const copy = async (below: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(`${bundle}/${below}`)) {
      const path = `${below}${name}`;
      if (isDirectory) {
        await Deno.mkdir(`${folder}/${path}`);
        await copy(`${path}/`);
      } else await Deno.copyFile(`${bundle}/${path}`, `${folder}/${path}`);
      await Deno.utime(`${folder}/${path}`, 0, 0);
    }
  };
  await copy("");
  return folder;
}

async function absolute(path: string): Promise<string> {
  const slash = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  const folder = path.slice(0, Math.max(slash, 0)) || ".";
  await Deno.mkdir(folder, { recursive: true });
  return `${await Deno.realPath(folder)}/${path.slice(slash + 1)}`;
}

/** What an executable carries besides the runtime. */
export interface Payload {
  /** How it is started: arguments, permissions, flags of V8, features, environment. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Its files by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** All of it as it stands in the executable. */
  readonly bytes: Uint8Array;
}

type Entry =
  | { readonly File: { readonly n: string; readonly o: readonly [at: number, size: number] } }
  | { readonly Dir: { readonly n: string; readonly e: readonly Entry[] } };

/** What the executable `bytes` carries; throws when that has not the form it is known to have. */
export function readPayload(bytes: Uint8Array): Payload {
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.lastIndexOf(MAGIC);
  // The section is named like the mark that it begins with.
  const start = text.indexOf(`${MAGIC}${MAGIC}`) + MAGIC.length;
  if (start < MAGIC.length || end <= start) throw new Error("Executable carries no payload");
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sized = (at: number) => {
    const size = Number(view.getBigUint64(at, true));
    return {
      next: at + 8 + size,
      text: new TextDecoder().decode(bytes.subarray(at + 8, at + 8 + size)),
    };
  };
  const metadata = sized(start + MAGIC.length);
  // Between them: packages of npm, names of modules, redirects and modules from elsewhere; a bundle
  // has none of those, and each is told by its count alone.
  const between = sized(metadata.next);
  if (between.text !== "") throw new Error("Payload holds packages of npm");
  const treeAt = text.indexOf("[{", between.next) - 8;
  if (/[^\0]/.test(text.slice(between.next, treeAt))) {
    throw new Error("Payload holds other modules");
  }
  const tree = sized(treeAt);
  const base = tree.next + 8; // behind the size of all files together
  const files = new Map<string, Uint8Array>();
  const read = (entries: readonly Entry[], below: string) => {
    for (const entry of entries) {
      if ("Dir" in entry) read(entry.Dir.e, `${below}${entry.Dir.n}/`);
      else {
        const { n, o: [at, size] } = entry.File;
        files.set(below + n, bytes.subarray(base + at, base + at + size));
      }
    }
  };
  read(JSON.parse(tree.text), "");
  return { metadata: JSON.parse(metadata.text), files, bytes: bytes.subarray(start, end) };
}

if (import.meta.main) {
  const [flag, value] = Deno.args;
  const known: readonly string[] = ["all", ...TARGETS];
  if (Deno.args.length > 0 && (flag !== "--target" || !known.includes(value ?? ""))) {
    console.error(`usage: deno task compile [--target all|${TARGETS.join("|")}]`);
    Deno.exit(2);
  }
  const targets = value === "all" ? TARGETS : [(value ?? Deno.build.target) as Target];
  await build();
  for (const target of targets) {
    const out = `build/bin/${target}/mcp-exec${target.includes("windows") ? ".exe" : ""}`;
    const runtime = Deno.env.get("DENORT_BIN");
    try {
      await compile({ bundle: "dist", out, target, ...(runtime !== undefined && { runtime }) });
      console.log(`${out}: ${(await Deno.stat(out)).size} bytes`);
    } catch (error) {
      console.error(`error: ${(error as Error).message}`);
      Deno.exit(1);
    }
  }
}
