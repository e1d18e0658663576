// The code of a skill in the two forms it is kept in, all generated files as one and one module that
// the sandbox runs without a parser of TypeScript, and as programs see it below /mcp-tools/skills.
// Reads it as untrusted text: refuses what is no text or imports what is none of a skill's business.

import { AppError } from "./errors.ts";
import { jsonText, stringLiteral } from "./escape.ts";
import { CHECKSUM_FILE } from "./integrity.ts";
import { MAX_MOUNTED_SKILLS } from "./limits.ts";
import { type SkillName, toSkillName } from "./names.ts";
import type { ServerPlan } from "./plan.ts";
import { scanSource } from "./source_scan.ts";
import { quoteText } from "./text.ts";
import { createVfs, type FileSet } from "./vfs.ts";

/** All generated code of a skill as one file: `{"format_version", "files": {"/path": "text"}}`. */
export const CODE_FILE = "vfs.json";
/** The code as one module that the sandbox runs as it is. */
export const MODULE_FILE = "module.js";

const CODE_FORMAT = 1;
const SKILLS_FOLDER = "/mcp-tools/skills";

/** The text of the file that holds all of `files`, by absolute path and sorted. */
export function writeCode(files: FileSet): string {
  const sorted = [...files].sort(([a], [b]) => a < b ? -1 : 1);
  return jsonText({
    format_version: CODE_FORMAT,
    files: Object.fromEntries(sorted.map(([path, text]) => [`/${path}`, text])),
  });
}

/** The files in the text of a code file by absolute path; none where it is not one. */
export function readCode(text: string | undefined): ReadonlyMap<string, string> {
  try {
    const { format_version, files } = JSON.parse(text ?? "") as Record<string, unknown>;
    if (format_version !== CODE_FORMAT || typeof files !== "object" || files === null) {
      return new Map();
    }
    return new Map(
      Object.entries(files).filter((entry): entry is [string, string] =>
        entry[0].startsWith("/") && typeof entry[1] === "string"
      ),
    );
  } catch {
    return new Map();
  }
}

/** The functions of all tools of a server as one module of plain JavaScript. */
export function writeToolModule({ info, tools }: ServerPlan): string {
  const server = stringLiteral(info.name);
  // Local names of their own, so that no function's name meets that of another binding.
  const functions = tools.map(({ tool }, at) =>
    `const f${at} = async (params) => await call(${server}, ${stringLiteral(tool)}, params);\n`
  );
  const exports = tools.map(({ functionName }, at) => `  f${at} as ${functionName},\n`);
  return `import { callTool as call } from "./host.ts";\n${functions.join("")}export {\n${
    exports.join("")
  }};\n`;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The text of a skill's file; an `integrity` error for anything else, because nobody can read
 * compiled code before accepting it. `what` names the skill.
 */
export function decodeText(data: Uint8Array, what: string): string {
  try {
    const text = UTF8.decode(data);
    if (!text.includes("\0")) return text;
  } catch {
    // Told below.
  }
  throw new AppError("integrity", `${what} holds a file that is not text`);
}

/**
 * Throws an `integrity` error for files that are compiled code, and for a module that imports more
 * than servers, other skills and the host's functions. `what` names the skill.
 */
export function checkCode(files: ReadonlyMap<string, string>, what: string): void {
  for (const name of files.keys()) {
    if (/\.(?:wasm|node|so|dylib|dll|exe|qjsc?|bc)$/i.test(name)) {
      throw new AppError("integrity", `${what} holds compiled code: ${quoteText(name)}`);
    }
  }
  const foreign = foreignImport(files.get(MODULE_FILE) ?? "");
  if (foreign === undefined) return;
  throw new AppError("integrity", `${what} has a ${MODULE_FILE} that imports ${foreign}`, {
    hint: "it may import servers, other skills and the host's functions",
  });
}

// An import as it looks wherever it stands, a comment in it included; not a quoted word alone.
const LOOKS_IMPORTING = /(?<!["'`\w$.])(?:import|from)\s*(?:["'`]|\/[*/])|(?<![\w$.])import\s*\(/g;

/** What a module imports that no skill may, safe to show; undefined where there is nothing. */
export function foreignImport(module: string): string | undefined {
  const { imports, computes, importCount, slashes } = scanSource(module);
  const foreign = imports.find((item) => !isKnownImport(item));
  if (foreign !== undefined) return quoteText(foreign);
  if (computes) return "by a name that is computed or written with escapes";
  // Where a `/` can be read in two ways, a text can pass for code and code for a text.
  const seen = slashes ? module.match(LOOKS_IMPORTING)?.length ?? 0 : 0;
  return seen > importCount ? "what a text or a regular expression may hide" : undefined;
}

function isKnownImport(specifier: string): boolean {
  return specifier === "./host.ts" || /^mcp:[^/]+$/.test(specifier) ||
    /^\/mcp-tools\/(?:servers|skills)\//.test(specifier);
}

/** The skills among import specifiers: `/mcp-tools/skills/NAME/...`. */
export function importedSkills(specifiers: readonly string[]): SkillName[] {
  const names = specifiers.map((specifier) =>
    /^\/mcp-tools\/skills\/([^/]+)\//.exec(specifier)?.[1]
  );
  return [...new Set(names.filter((name) => name !== undefined))].sort().map(toSkillName);
}

/** Skills that a program imports, directly or through others. */
export interface MountedSkills {
  /** By absolute path. */
  readonly files: ReadonlyMap<string, string>;
  /** What their modules import. */
  readonly imports: readonly string[];
}

/** The skills among import specifiers; `load` gives each one verified and accepted, or throws. */
export async function mountSkills(
  specifiers: readonly string[],
  load: (name: SkillName) => Promise<{ readonly files: ReadonlyMap<string, string> }>,
): Promise<MountedSkills> {
  const vfs = createVfs();
  const imports: string[] = [];
  const seen = new Set(importedSkills(specifiers));
  // What is added to a set while it is walked is walked too.
  for (const name of seen) {
    if (seen.size > MAX_MOUNTED_SKILLS) {
      throw new AppError("limit", `Program imports more than ${MAX_MOUNTED_SKILLS} skills`, {
        limit: { name: "skills", limit: MAX_MOUNTED_SKILLS, value: seen.size },
      });
    }
    const { files } = await load(name);
    vfs.mount(`${SKILLS_FOLDER}/${name}`, filesOf(files));
    const module = files.get(MODULE_FILE);
    if (module === undefined) continue;
    const found = scanSource(module).imports;
    imports.push(...found);
    for (const other of importedSkills(found)) seen.add(other);
  }
  return { files: vfs.files(), imports };
}

function filesOf(files: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  for (const [path, text] of files) {
    // Names that begin with a dot are there for others, as is what proves the rest.
    if (path !== CHECKSUM_FILE && path !== CODE_FILE && !path.startsWith(".")) all.set(path, text);
  }
  for (const [path, text] of readCode(files.get(CODE_FILE))) all.set(path.slice(1), text);
  return all;
}
