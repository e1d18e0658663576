// `generate`: writes the TypeScript package of servers into folders. Writes nothing when nothing
// has changed, and replaces no folder that it did not make itself.

import { buildCommand } from "@stricli/core";
import { AppError } from "../errors.ts";
import {
  argument,
  chooseServer,
  type Invocation,
  isServerUrl,
  openServers,
  SERVER_FLAGS,
  type ServerFlagValues,
  switchFlag,
  textFlag,
  withSession,
} from "../flags.ts";
import { formatBytes, MAX_VFS_BYTES } from "../limits.ts";
import type { ServerName } from "../names.ts";
import { countOf } from "../render.ts";
import type { Session } from "../session.ts";
import { quoteText } from "../text.ts";

interface Flags extends ServerFlagValues {
  readonly feature?: "wasm" | undefined;
  readonly output?: string | undefined;
  readonly dryRun?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly all?: boolean | undefined;
}

const DEFAULT_FOLDER = "mcp-tools/servers";
const SHOWN_FILES = 30;

/** The command `generate`. */
export const command = buildCommand<Flags, string[], Invocation>({
  docs: {
    brief: "Write a server's tools as a TypeScript package",
    customUsage: ["[server]... [--output DIR] [--dry-run] [--force] [--all] [server flags]"],
    fullDescription: `Writes one typed function a tool, with an index and a manifest, into
${DEFAULT_FOLDER}/<server>, or with --output into DIR (DIR/<server> for several servers).
A package that is up to date is left as it is. Programs need no package: they import "mcp:<server>".

EXAMPLES
  mcp-exec generate demo
  mcp-exec generate github --output ./tools/github
  mcp-exec generate --stdio "npx -y @modelcontextprotocol/server-memory" --dry-run
  mcp-exec generate --all`,
  },
  parameters: {
    flags: {
      feature: {
        ...textFlag("What to write: the TypeScript package that the sandbox runs", "wasm"),
        parse: parseFeature,
      },
      output: textFlag("Folder of the package", "DIR"),
      dryRun: switchFlag("Show what would be written"),
      force: switchFlag("Replace a folder that something else made"),
      all: switchFlag("Write a package for every configured server"),
      ...SERVER_FLAGS,
    },
    positional: {
      kind: "array",
      parameter: argument("Names or URLs of servers", "server"),
    },
  },
  async func(flags, ...names) {
    if (flags.all && names.length > 0) {
      throw new AppError("usage", "--all goes without names of servers");
    }
    const urls = names.filter(isServerUrl);
    const servers = await openServers(this, flags, urls);
    const named = names.filter((name) => !isServerUrl(name));
    const choices = named.map((name) => chooseServer(servers, name));
    if (choices.length === 0 && servers.adHoc.length === 0 && !flags.all) {
      chooseServer(servers, undefined);
    }
    await withSession(this, servers, {
      work: async (session) => {
        const chosen = new Set(
          flags.all
            ? session.bridge.servers
            : [...choices.map((choose) => choose(session)), ...session.adHoc],
        );
        const reports: PackageReport[] = [];
        for (const name of chosen) {
          const folder = folderOf(name, { output: flags.output, alone: chosen.size === 1 });
          reports.push(await writePackage(this, session, { name, folder, flags }));
        }
        const { output } = this;
        if (output.format === "json") output.document({ ok: true, packages: reports });
        else for (const report of reports) output.print(packageText(report));
      },
    });
  },
});

function parseFeature(text: string): "wasm" {
  if (text === "wasm") return text;
  throw new AppError("usage", `Feature ${quoteText(text)} is not there: only "wasm" is`);
}

function folderOf(
  name: ServerName,
  { output, alone }: { output: string | undefined; alone: boolean },
): string {
  if (output === undefined) return `${DEFAULT_FOLDER}/${name}`;
  return alone ? output : `${output.replace(/[\\/]+$/, "")}/${name}`;
}

interface PackageReport {
  readonly server: ServerName;
  readonly folder: string;
  readonly state: "written" | "unchanged" | "not written";
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** What it takes to read all tools at each level of detail, as the manifest says. */
  readonly tokens: Readonly<Record<"summary" | "signature" | "module" | "definition", number>> & {
    readonly estimate: string;
  };
}

async function writePackage(
  { context, log }: Invocation,
  session: Session,
  { name, folder, flags }: { name: ServerName; folder: string; flags: Flags },
): Promise<PackageReport> {
  const [{ generateTypescript }, { replaceFolder }, { estimateTokens, TOKENIZER }] = await Promise
    .all([
      import("../codegen.ts"),
      import("../disk.ts"),
      import("../stats.ts"),
    ]);
  const info = await session.bridge.describe(name);
  const { files, warnings } = generateTypescript(info, { estimateTokens });
  for (const warning of warnings) log.warn(warning);
  let state: PackageReport["state"] = "not written";
  if (!flags.dryRun) {
    const isDefault = flags.output === undefined;
    const path = isDefault ? `${context.cwd}/${folder}` : folder;
    const outcome = await replaceFolder(path, files, {
      force: flags.force === true,
      isOurs: (names) => isPackage(path, names),
      ...(isDefault && { within: context.cwd }),
    });
    state = outcome.unchanged ? "unchanged" : "written";
  }
  const encoder = new TextEncoder();
  return {
    server: name,
    folder,
    state,
    files: [...files].map(([path, text]) => ({ path, bytes: encoder.encode(text).length })),
    tokens: { ...JSON.parse(files.get("manifest.json")!).tokens, estimate: TOKENIZER },
  };
}

const FIXED_FILES = [
  "index.ts",
  "types.ts",
  "host.ts",
  "manifest.json",
  "deno.json",
  "tsconfig.json",
];

/** Whether a folder holds a package that this program wrote, and nothing that somebody added. */
async function isPackage(folder: string, names: readonly string[]): Promise<boolean> {
  if (!names.includes("manifest.json")) return false;
  const { readTextFile } = await import("../disk.ts");
  try {
    const text = await readTextFile(`${folder}/manifest.json`, { maxBytes: MAX_VFS_BYTES });
    const { format_version, tools } = JSON.parse(text);
    if (typeof format_version !== "number" || !Array.isArray(tools)) return false;
    const own = new Set([...FIXED_FILES, ...tools.map((tool: { file?: unknown }) => tool.file)]);
    return names.every((name) => own.has(name));
  } catch {
    return false;
  }
}

function packageText({ server, folder, state, files, tokens }: PackageReport): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const lines = [
    `${server}: ${countOf(files.length, "file")}, ${formatBytes(bytes)}, ${state}: ${folder}`,
    ...files.slice(0, SHOWN_FILES).map(({ path }) => `  ${path}`),
  ];
  if (files.length > SHOWN_FILES) lines.push(`  and ${files.length - SHOWN_FILES} more`);
  const { summary, signature, module, definition, estimate } = tokens;
  lines.push(
    `tokens to read all tools: ${definition} as schemas, ${module} as modules, ${signature} as signatures, ${summary} as summaries (${estimate})`,
  );
  return lines.join("\n");
}
