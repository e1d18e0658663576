// A skill as a person or a program wants to see it: what it is, how it is called, which tools it
// offers or uses. Everything in a skill is untrusted and made safe to show here.

import { readManifest } from "./difference.ts";
import { shellWord } from "./escape.ts";
import type { Digest } from "./hash.ts";
import { formatBytes, type RunLimits } from "./limits.ts";
import { CODE_FILE, readCode } from "./skill_code.ts";
import type { SkillExample } from "./skill_metadata.ts";
import { programSignature } from "./skill_programs.ts";
import type { Skill } from "./skills.ts";
import { byteLength, cleanLine, maskHome } from "./text.ts";

/** A skill as `skill info` shows it; its texts are cleaned. */
export interface SkillDescription {
  readonly name: string;
  readonly kind: string;
  readonly description: string;
  readonly folder: string;
  readonly root: Digest;
  readonly accepted: boolean;
  readonly generator: string;
  readonly writtenAt: string;
  readonly files: number;
  readonly bytes: number;
  readonly servers: readonly {
    readonly name: string;
    readonly identity: string;
    readonly reach?: string;
    readonly tools: readonly string[];
  }[];
  /** Of a program: how it is called, and what it needs. */
  readonly signature?: string;
  readonly limits?: Partial<RunLimits>;
  readonly skills?: readonly string[];
  /** How it was called when it was kept, as a command, and the form of what it gave then. */
  readonly example?: { readonly command: string; readonly result?: string };
}

/** A tool that the skill of a server offers. */
export interface OfferedTool {
  readonly tool: string;
  readonly function: string;
  readonly signature: string;
  readonly summary: string;
}

/** What a skill is. */
export function describeSkill(
  { metadata, folder, root, accepted, files }: Skill,
  { home }: { readonly home: string | undefined },
): SkillDescription {
  const { program } = metadata;
  return {
    name: metadata.name,
    kind: metadata.kind,
    description: cleanLine(metadata.description, 1_024),
    folder: maskHome(folder, home),
    root,
    accepted,
    generator: cleanLine(metadata.generator, 100),
    writtenAt: cleanLine(metadata.written_at, 40),
    files: files.size,
    bytes: [...files.values()].reduce((sum, text) => sum + byteLength(text), 0),
    servers: metadata.servers.map(({ name, identity, reach, tools }) => ({
      name,
      identity: cleanLine(`${identity.name} ${identity.version}`, 200),
      ...(reach !== undefined && { reach: cleanLine(reach) }),
      tools: tools.map((tool) => cleanLine(tool.name, 256)),
    })),
    ...(program !== undefined && {
      signature: programSignature(metadata.name, program),
      limits: program.limits,
      ...(program.skills.length > 0 && { skills: program.skills }),
      ...(program.example !== undefined && { example: exampleOf(metadata.name, program.example) }),
    }),
  };
}

function exampleOf(name: string, { args, result }: SkillExample) {
  const given = args === undefined ? "" : ` --args ${shellWord(JSON.stringify(args))}`;
  return {
    command: cleanLine(`mcp-exec execute ${name}${given}`, 2_000),
    ...(result !== undefined && { result: cleanLine(result.shape, 600) }),
  };
}

const SHOWN_TOOLS = 12;

/** A description as lines of text. */
export function skillLines(skill: SkillDescription): string[] {
  const lines = [
    `${skill.name} (${skill.kind})`,
    `  ${skill.description}`,
    `folder: ${cleanLine(skill.folder)} (${skill.files} files, ${formatBytes(skill.bytes)})`,
    `root: ${skill.root} (${skill.accepted ? "accepted" : "not accepted"})`,
    `written: ${skill.writtenAt} by ${skill.generator}`,
  ];
  const { signature, example } = skill;
  if (signature !== undefined) lines.push(`signature: ${signature}`);
  if (example !== undefined) {
    lines.push(`example: ${example.command}`);
    if (example.result !== undefined) lines.push(`  gave: ${example.result}`);
  }
  for (const { name, identity, reach, tools } of skill.servers) {
    const shown = tools.slice(0, SHOWN_TOOLS).join(", ");
    const more = tools.length > SHOWN_TOOLS ? ` and ${tools.length - SHOWN_TOOLS} more` : "";
    lines.push(`server: ${name} (${identity})${reach === undefined ? "" : `, ${reach}`}`);
    lines.push(`  tools: ${shown === "" ? "none" : shown}${more}`);
  }
  if (skill.skills !== undefined) lines.push(`skills: ${skill.skills.join(", ")}`);
  const limits = Object.entries(skill.limits ?? {}).map(([name, value]) => `${name} ${value}`);
  if (limits.length > 0) lines.push(`limits: ${limits.join(", ")}`);
  return lines;
}

/** The tools that a server's skill offers, as its manifest says; none where it has none. */
export function toolsOf({ files }: Pick<Skill, "files">): OfferedTool[] {
  const manifest = readManifest(readCode(files.get(CODE_FILE)).get("/manifest.json") ?? "");
  return (manifest?.tools ?? []).map((tool) => ({
    tool: cleanLine(tool.tool, 256),
    function: cleanLine(tool.function, 256),
    signature: cleanLine(tool.signature, 4_000),
    summary: cleanLine(tool.summary),
  }));
}
