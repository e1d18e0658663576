// Skills as a program sees them: their files below /mcp-tools/skills, and what their code imports.
// Only skills that were verified and accepted come in here.

import { AppError } from "./errors.ts";
import { CHECKSUM_FILE } from "./integrity.ts";
import { MAX_MOUNTED_SKILLS } from "./limits.ts";
import type { SkillName } from "./names.ts";
import { CODE_FILE, MODULE_FILE, readCode } from "./skill_code.ts";
import { importedSkills } from "./skill_programs.ts";
import type { Skill } from "./skills.ts";
import { scanSource } from "./source_scan.ts";
import { createVfs } from "./vfs.ts";

/** Where programs see skills. */
export const SKILLS_FOLDER = "/mcp-tools/skills";

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
  load: (name: SkillName) => Promise<Pick<Skill, "files">>,
): Promise<MountedSkills> {
  const open = importedSkills(specifiers);
  if (open.length === 0) return { files: new Map(), imports: [] };
  const vfs = createVfs();
  const imports: string[] = [];
  const seen = new Set<SkillName>(open);
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
