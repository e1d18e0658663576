// deno-lint-ignore-file no-console
// Makes everything a release offers for download, from the bundle and the executables: archives,
// npm package, portable archives, installers, formula, bill of materials, sums. Uploads nothing.

import { type ArchiveEntry, tarGz, zip } from "./archive.ts";
import { build, listFiles } from "./build.ts";
import { changelogSection, readHistory } from "./changelog.ts";
import { manPage, printed } from "./man.ts";
import { LAUNCH_FLAGS, npmPackage } from "./npm.ts";
import { billOfMaterials, readPackages, thirdPartyNotices } from "./sbom.ts";
import { VERSION } from "../src/version.ts";

/** The systems that there are executables for, as Deno names them. */
export const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
  "aarch64-pc-windows-msvc",
] as const;

/** The name of one of these systems. */
export type Target = (typeof TARGETS)[number];

/** What a release is made from and where to. */
export interface ReleaseOptions {
  /** The folder to write, which is replaced. */
  readonly out: string;
  /** The folder of the bundle. */
  readonly bundle: string;
  /** Our executables by system. */
  readonly binaries: ReadonlyMap<Target, string>;
  /** Executables of Deno by system, for portable archives. */
  readonly denos: ReadonlyMap<Target, string>;
  /** `owner/name` on GitHub. */
  readonly repository: string;
  /** The time of every file in the archives, in seconds since 1970. */
  readonly seconds: number;
}

const ROOT = new URL("../", import.meta.url);
const TEMPLATES = new URL("templates/release/", ROOT);

/** Writes a release and gives the names of its files; the same sources give the same bytes. */
export async function release(options: ReleaseOptions): Promise<string[]> {
  const { out, repository, seconds } = options;
  const date = new Date(seconds * 1000).toISOString().slice(0, 10);
  const url = `https://github.com/${repository}/releases/download/v${VERSION}`;
  const packages = await readPackages(ROOT);
  const deno = Deno.version.deno;
  const bundle = await readFolder(options.bundle);
  const licences = [
    { path: "LICENSE", data: await Deno.readFile(new URL("LICENSE", ROOT)) },
    text("THIRD_PARTY_LICENSES", thirdPartyNotices(packages, { deno })),
  ];
  const page = text("mcp-exec.1", await manPage({ date }));
  const beside = [...licences, page, ...await completions()];

  await Deno.remove(out, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(out, { recursive: true });
  const sums = new Map<string, string>();
  const write = async (name: string, data: Uint8Array<ArrayBuffer>) => {
    await Deno.writeFile(`${out}/${name}`, data);
    sums.set(name, await sha256(data));
  };
  const pack = async (name: string, target: Target, entries: readonly ArchiveEntry[]) => {
    const inside = entries.map((entry) => ({ ...entry, path: `${name}/${entry.path}` }));
    const onWindows = target.includes("windows");
    const archive = onWindows ? await zip(inside, { seconds }) : await tarGz(inside, { seconds });
    await write(archiveName(name, target), archive);
  };

  for (const [target, path] of options.binaries) {
    const program = { path: fileName("mcp-exec", target), data: await Deno.readFile(path) };
    await pack(nameFor(target), target, [{ ...program, executable: true }, ...beside]);
  }
  for (const [target, path] of options.denos) {
    const program = { path: `lib/${fileName("deno", target)}`, data: await Deno.readFile(path) };
    await pack(`${nameFor(target)}-portable`, target, [
      { ...program, executable: true },
      await portableLauncher(target),
      ...bundle.map((entry) => ({ ...entry, path: `lib/${entry.path}` })),
      ...beside,
    ]);
  }

  const readme = { path: "README.md", data: await Deno.readFile(new URL("README.md", ROOT)) };
  const launcher = await filled("npm_launcher.cjs", {
    // Stands in quotes in the template, which so is JavaScript, too.
    FLAGS: LAUNCH_FLAGS.map((flag) => JSON.stringify(flag)).join(", ").slice(1, -1),
  });
  const documents = [...licences, page, readme];
  const files = npmPackage({ bundle, documents, repository, launcher });
  await write(`mcp-exec-${VERSION}.tgz`, await tarGz(files, { seconds }));

  const bill = await billOfMaterials(packages, { version: VERSION, seconds, repository, deno });
  await write(`mcp-exec-${VERSION}.cdx.json`, encode(`${JSON.stringify(bill, null, 2)}\n`));
  await write("mcp-exec.1", page.data);
  const common = { VERSION, URL: url, REPOSITORY: repository };
  const sumOf = (target: Target) => sums.get(archiveName(nameFor(target), target));
  const unix = TARGETS.filter((target) => !target.includes("windows") && sumOf(target));
  const windows = TARGETS.filter((target) => target.includes("windows") && sumOf(target));
  if (unix.length > 0) {
    const lines = unix.map((target) => `    ${target}) echo ${sumOf(target)} ;;`);
    const values = { ...common, TARGETS: unix.join(", "), SUMS: lines.join("\n") };
    await write("install.sh", encode(await filled("install.sh", values)));
  }
  if (windows.length > 0) {
    const lines = windows.map((target) => `    '${target}' = '${sumOf(target)}'`);
    const script = await filled("install.ps1", { ...common, SUMS: lines.join("\n") });
    await write("install.ps1", encode(script));
  }
  if (unix.length === 4) {
    const values = Object.fromEntries(unix.map((target) => [`SHA256:${target}`, sumOf(target)!]));
    await write("mcp-exec.rb", encode(await filled("formula.rb", { ...common, ...values })));
  }
  const { subjects, isFirst } = await readHistory(ROOT);
  const section = changelogSection(subjects, { version: VERSION, date, isFirst });
  await write("NOTES.md", encode(section));
  const listed = [...sums].sort(([a], [b]) => a < b ? -1 : 1);
  const list = listed.map(([name, sum]) => `${sum}  ${name}\n`).join("");
  await Deno.writeTextFile(`${out}/SHA256SUMS`, list);
  return ["SHA256SUMS", ...listed.map(([name]) => name)];
}

function nameFor(target: Target): string {
  return `mcp-exec-${VERSION}-${target}`;
}

function archiveName(name: string, target: Target): string {
  return `${name}.${target.includes("windows") ? "zip" : "tar.gz"}`;
}

function fileName(name: "mcp-exec" | "deno", target: Target): string {
  return target.includes("windows") ? `${name}.exe` : name;
}

/** The completions as packages of each shell's world name them. */
async function completions(): Promise<ArchiveEntry[]> {
  const names = {
    bash: "mcp-exec.bash",
    zsh: "_mcp-exec",
    fish: "mcp-exec.fish",
    powershell: "mcp-exec.ps1",
  };
  return await Promise.all(
    Object.entries(names).map(async ([shell, name]) =>
      text(`completions/${name}`, await printed(["completions", shell]))
    ),
  );
}

async function portableLauncher(target: Target): Promise<ArchiveEntry> {
  const FLAGS = LAUNCH_FLAGS.join(" ");
  if (/[^\w=, -]/.test(FLAGS)) throw new Error(`Flags need quotes for a shell: ${FLAGS}`);
  return target.includes("windows")
    ? text("mcp-exec.cmd", (await filled("portable.cmd", { FLAGS })).replaceAll("\n", "\r\n"))
    : { ...text("mcp-exec", await filled("portable.sh", { FLAGS })), executable: true };
}

/** A template with each `@NAME@` replaced; throws for a name without a value. */
async function filled(name: string, values: Readonly<Record<string, string>>): Promise<string> {
  const template = await Deno.readTextFile(new URL(name, TEMPLATES));
  return template.replace(/@([A-Z]\w*(?::[\w-]+)?)@/g, (_, key) => {
    if (!Object.hasOwn(values, key)) throw new Error(`Template "${name}" has no value for ${key}`);
    return values[key]!;
  });
}

async function readFolder(folder: string): Promise<ArchiveEntry[]> {
  const files = await listFiles(folder);
  return await Promise.all(
    files.map(async ({ path }) => ({ path, data: await Deno.readFile(`${folder}/${path}`) })),
  );
}

function text(path: string, content: string): ArchiveEntry {
  return { path, data: encode(content) };
}

function encode(content: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(content);
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data)).toHex();
}

/** The executables in the folders of `parent` that are named after systems. */
async function findExecutables(
  parent: string,
  name: "mcp-exec" | "deno",
): Promise<Map<Target, string>> {
  const found = new Map<Target, string>();
  for (const target of TARGETS) {
    const path = `${parent}/${target}/${fileName(name, target)}`;
    if (await Deno.stat(path).then(() => true, () => false)) found.set(target, path);
  }
  if (found.size === 0) throw new Error(`No folder of "${parent}" holds ${name} for a system`);
  return found;
}

/** When the checked-out commit was made, unless `SOURCE_DATE_EPOCH` says otherwise. */
async function commitSeconds(): Promise<number> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  if (given) return Number(given);
  const { stdout } = await new Deno.Command("git", {
    args: ["log", "-1", "--format=%ct"],
    cwd: ROOT,
  }).output();
  return Number(new TextDecoder().decode(stdout));
}

if (import.meta.main) {
  const flags = new Map<string, string>();
  for (let index = 0; index < Deno.args.length; index += 2) {
    const [flag, value] = [Deno.args[index]!, Deno.args[index + 1]];
    if (!/^--(?:binaries|deno|out)$/.test(flag) || value === undefined) {
      console.error("usage: deno task release [--binaries DIR] [--deno DIR] [--out DIR]");
      Deno.exit(2);
    }
    flags.set(flag, value);
  }
  const binaries = flags.get("--binaries");
  const denos = flags.get("--deno");
  const out = flags.get("--out") ?? "build/release";
  await build();
  const names = await release({
    out,
    bundle: "dist",
    binaries: binaries === undefined ? new Map() : await findExecutables(binaries, "mcp-exec"),
    denos: denos === undefined
      ? new Map([[Deno.build.target as Target, Deno.execPath()]])
      : await findExecutables(denos, "deno"),
    repository: Deno.env.get("GITHUB_REPOSITORY") ?? "mcp-exec/mcp-exec",
    seconds: await commitSeconds(),
  });
  console.log(names.map((name) => `${out}/${name}`).join("\n"));
}
