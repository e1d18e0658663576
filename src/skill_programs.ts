// A program as a skill: its files, and what it needs as far as its text tells. Nothing of a program
// runs here.

import { AppError } from "./errors.ts";
import { codeBlock, codeSpan, jsonText, markdownText, shellWord, yamlString } from "./escape.ts";
import { identifiersOf } from "./identifiers.ts";
import { DEFAULT_RUN_LIMITS, MAX_JSON_DEPTH, type RunLimits } from "./limits.ts";
import { isServerName, type SkillName } from "./names.ts";
import { toTypeModel } from "./schema.ts";
import {
  areTexts,
  isObject,
  type JsonObject,
  type ServerInfo,
  type ServerSpec,
  type ToolDefinition,
} from "./server.ts";
import { foreignImport, importedSkills, MODULE_FILE } from "./skill_code.ts";
import {
  SKILL_FILE,
  type SkillDraft,
  type SkillExample,
  type SkillProgram,
  skillServer,
} from "./skill_metadata.ts";
import type { Skill } from "./skills.ts";
import { prepareSource } from "./source.ts";
import { cleanLine, quoteText } from "./text.ts";
import { printType } from "./type_text.ts";
import { scanJson } from "./wire.ts";

/** The author's text of a program. */
export const PROGRAM_FILE = "program.ts";
/** The definitions of the tools that a program uses, as they were when it was kept. */
const TOOLS_FILE = "tools.json";

const TOOLS_FORMAT = 1;

/** A server that a program uses. */
export interface UsedServer {
  readonly info: ServerInfo;
  readonly spec?: ServerSpec | undefined;
  /** The tools it uses, as far as its text and its run tell. */
  readonly tools: readonly ToolDefinition[];
}

/** A program to keep. */
export interface ProgramParts {
  readonly name: SkillName;
  readonly source: string;
  readonly entry?: string | undefined;
  readonly description?: string | undefined;
  readonly servers: readonly UsedServer[];
  readonly input?: JsonObject | undefined;
  readonly example?: SkillExample | undefined;
  readonly limits: Partial<RunLimits>;
  /** The person's home folder, which is not named in a skill. */
  readonly home: string | undefined;
}

/** The skill of a program. Throws a `guest` error with its place for a source that is not valid. */
export function programDraft(parts: ProgramParts): SkillDraft {
  const { name, source, entry, servers, input, example, home } = parts;
  const prepared = prepareSource(source, { path: PROGRAM_FILE });
  const module = prepareSource(source, {
    path: PROGRAM_FILE,
    form: prepared.form,
    // Other skills import it without a parser of TypeScript, so imports of types have to go.
    mode: "transform",
  });
  const foreign = foreignImport(module.js);
  if (foreign !== undefined) {
    throw new AppError("invalid", `Program imports ${foreign}: no skill may`, {
      hint: 'name "mcp:SERVER" or "/mcp-tools/skills/NAME/index.ts" in an import',
    });
  }
  const limits = Object.fromEntries(
    Object.entries(parts.limits).filter(([key, value]) =>
      value !== undefined && DEFAULT_RUN_LIMITS[key as keyof RunLimits] !== value
    ),
  );
  const program: SkillProgram = {
    ...(entry !== undefined && { entry }),
    ...(input !== undefined && { input }),
    limits,
    ...(example !== undefined && { example }),
    skills: importedSkills(prepared.imports),
  };
  const description = parts.description ?? describe(parts);
  const kept = servers.map(({ info, spec, tools }) => skillServer(info, { spec, home, tools }));
  return {
    facts: { name, kind: "program", description, servers: kept, program },
    files: new Map([
      [SKILL_FILE, documentOf(parts, { description, program })],
      [PROGRAM_FILE, source],
      [MODULE_FILE, module.js],
      [TOOLS_FILE, writeTools(servers)],
    ]),
  };
}

/**
 * The tools of `info` that a source names: functions of its package as words, and exact names in
 * quotes. Too many rather than too few, because what is not named is not watched.
 */
export function namedTools(source: string, info: ServerInfo): ToolDefinition[] {
  const words = new Set(source.match(/[A-Za-z_$][\w$]*/g));
  const functions = identifiersOf(info.tools.map((tool) => tool.name), { style: "function" });
  return info.tools.filter(({ name }) =>
    words.has(functions.get(name)!) ||
    ['"', "'", "`"].some((quote) => source.includes(`${quote}${name}${quote}`))
  );
}

/** A schema that `value` fits: its members with their types, all of them required. */
export function schemaOf(value: unknown): JsonObject {
  if (value === null) return { type: "null" };
  if (Array.isArray(value)) {
    return value.length === 0 ? { type: "array" } : { type: "array", items: schemaOf(value[0]) };
  }
  if (typeof value !== "object") return { type: typeof value };
  const members = Object.entries(value);
  return {
    type: "object",
    properties: Object.fromEntries(members.map(([key, member]) => [key, schemaOf(member)])),
    required: members.map(([key]) => key),
  };
}

/**
 * The text of the object that a program exports as `input`; undefined where it exports none.
 */
export function exportedInput(source: string): string | undefined {
  const start = /\bexport\s+const\s+input\b[^={]{0,1000}=\s*(?=\{)/.exec(source);
  if (start === null) return undefined;
  const from = start.index + start[0].length;
  let depth = 0;
  const tokens =
    /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|\/\/.*|\/\*[^]*?(?:\*\/|$)|[{}]/g;
  tokens.lastIndex = from;
  for (let token = tokens.exec(source); token !== null; token = tokens.exec(source)) {
    if (token[0] === "{") depth++;
    else if (token[0] === "}" && --depth === 0) return source.slice(from, tokens.lastIndex);
  }
  return undefined;
}

/** How a program is called, on one line: `weeklyReport(input: { days: number })`. */
export function programSignature(name: SkillName, { input }: SkillProgram): string {
  const words = name.split("-");
  const call = words[0] +
    words.slice(1).map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  if (input === undefined) return `${call}()`;
  const text = printType(toTypeModel(input, { name: "Input" }).root, { line: true });
  return cleanLine(`${call}(input: ${text})`, 2_000);
}

function describe({ name, servers }: ProgramParts): string {
  const used = servers.map(({ info, tools }) =>
    `${tools.slice(0, 6).map((tool) => tool.name).join(", ")}${
      tools.length > 6 ? " and more" : ""
    } of the MCP server ${info.name}`
  ).filter((text) => !text.startsWith(" of"));
  const text = `Runs the saved program ${name} with mcp-exec` +
    `${used.length === 0 ? "" : `, which calls ${used.join(", and ")}`}. Use when its result is ` +
    `needed again, for the same arguments or others.`;
  return cleanLine(text.replace(/[<>]/g, ""), 1_000);
}

function documentOf(
  { name, servers }: ProgramParts,
  { description, program }: { readonly description: string; readonly program: SkillProgram },
): string {
  const { args: given } = program.example ?? {};
  const args = given === undefined ? "" : ` --args ${shellWord(JSON.stringify(given))}`;
  const command = args.length > 2_000 ? ` --args '{...}'` : args;
  const tools = servers.map(({ info, tools }) =>
    `- ${codeSpan(info.name)}: ${
      tools.slice(0, 40).map((tool) => codeSpan(tool.name)).join(", ") || "no tools"
    }${tools.length > 40 ? ` and ${tools.length - 40} more` : ""}`
  );
  return `---
name: ${yamlString(name)}
description: ${yamlString(description)}
---

# ${name}

${markdownText(description, 1_024)}

## Usage

${codeBlock(`mcp-exec execute ${name}${command}`, "sh")}
- It is called as ${codeSpan(programSignature(name, program), 2_000)}.
- Its text is in [${PROGRAM_FILE}](${PROGRAM_FILE}); a changed file is not run.
- Exit code 6 means that a tool it uses has changed, and says how. \`mcp-exec skill info ${name}\` shows what it needs.
${tools.length === 0 ? "" : `\n## Tools\n\n${tools.join("\n")}\n`}`;
}

function writeTools(servers: readonly UsedServer[]): string {
  return jsonText({
    format_version: TOOLS_FORMAT,
    servers: servers.map(({ info: { name, identity, protocolVersion }, tools }) => ({
      name,
      identity,
      protocolVersion,
      capabilities: {},
      warnings: [],
      tools,
    })),
  });
}

/**
 * The servers a program was kept with, each with the tools it uses as they were then. Throws an
 * `invalid` error for a text that says no such thing.
 */
export function recordedServers({ name, files }: Pick<Skill, "name" | "files">): ServerInfo[] {
  const text = files.get(TOOLS_FILE);
  if (text === undefined) return [];
  let value: unknown;
  try {
    if (scanJson(text).depth <= MAX_JSON_DEPTH) value = JSON.parse(text);
  } catch {
    // What is not JSON is no list of tools either.
  }
  if (isObject(value) && value["format_version"] === TOOLS_FORMAT && areServers(value["servers"])) {
    return value["servers"];
  }
  throw new AppError("invalid", `Skill ${quoteText(name)} has a ${TOOLS_FILE} that is not valid`, {
    hint: "keep the program again with this version of mcp-exec",
  });
}

function areServers(value: unknown): value is ServerInfo[] {
  return Array.isArray(value) &&
    value.every((server) =>
      isObject(server) && areTexts(server, ["name", "protocolVersion"]) &&
      isServerName(String(server["name"])) && isObject(server["identity"]) &&
      areTexts(server["identity"], ["name", "version"]) && Array.isArray(server["tools"]) &&
      server["tools"].every(isTool)
    );
}

function isTool(value: unknown): boolean {
  if (!isObject(value) || !areTexts(value, ["name", "digest"])) return false;
  const { title = "", description = "", inputSchema, outputSchema = {}, annotations = {} } = value;
  return typeof title === "string" && typeof description === "string" &&
    [inputSchema, outputSchema, annotations].every(isObject);
}
