// What a skill says of itself in metadata.json: made here of a draft, and read back as untrusted text.
// Holds no secret: how a server is reached is kept with its secrets masked.

import { AppError } from "./errors.ts";
import { jsonText } from "./escape.ts";
import type { Digest } from "./hash.ts";
import { CHECKSUM_FILE, checksumOf } from "./integrity.ts";
import { MAX_JSON_DEPTH, type RunLimits } from "./limits.ts";
import { isServerName, type ServerName, type SkillName, toSkillName } from "./names.ts";
import {
  areTexts,
  describeSpec,
  isObject,
  type JsonObject,
  type ServerInfo,
  type ServerSpec,
  type ToolDefinition,
} from "./server.ts";
import { cleanLine, maskHome, quoteText } from "./text.ts";
import { VERSION } from "./version.ts";
import { scanJson } from "./wire.ts";

/** The file that an agent reads first. */
export const SKILL_FILE = "SKILL.md";
/** What a program reads first. */
export const METADATA_FILE = "metadata.json";

const METADATA_FORMAT = 1;
const FIXED_FILES = new Map([
  // A checkout that changed line ends would no longer be what was written.
  [".gitattributes", "* -text\n"],
]);

/** A server that a skill belongs to or uses, with the tools that matter to it. */
export interface SkillServer {
  readonly name: ServerName;
  readonly identity: { readonly name: string; readonly version: string };
  readonly protocol: string;
  /** How it was reached, secrets masked. */
  readonly reach?: string;
  /** Sorted by name. */
  readonly tools: readonly { readonly name: string; readonly digest: Digest }[];
}

/** A call of a program that is known to have gone well. */
export interface SkillExample {
  /** Absent where it is called with nothing. */
  readonly args?: unknown;
  /** Absent where it was not run before it was kept, or with other arguments. */
  readonly result?: { readonly digest: Digest; readonly bytes: number; readonly shape: string };
}

/** What makes a skill a program. */
export interface SkillProgram {
  /** The export that is its result; the default one when absent. */
  readonly entry?: string;
  /** JSON Schema of what it is called with; absent where it takes nothing. */
  readonly input?: JsonObject;
  /** Bounds that differ from the usual ones. */
  readonly limits: Partial<RunLimits>;
  /** What it was called with when it was kept, and what it gave then. */
  readonly example?: SkillExample;
  /** Other skills it imports. */
  readonly skills: readonly SkillName[];
}

/** What a skill says of itself. */
export interface SkillMetadata {
  readonly format_version: number;
  readonly name: SkillName;
  readonly kind: "server" | "program";
  readonly description: string;
  readonly generator: string;
  /** When its content last changed. */
  readonly written_at: string;
  readonly servers: readonly SkillServer[];
  readonly program?: SkillProgram;
}

/** What is known of a skill before it is written. */
export type SkillFacts = Omit<SkillMetadata, "format_version" | "generator" | "written_at">;

/** What to write as a skill. */
export interface SkillDraft {
  readonly facts: SkillFacts;
  /** SKILL.md and what else there is; metadata and checksum are added. */
  readonly files: ReadonlyMap<string, string>;
}

/** The files of a draft with its metadata and checksum. */
export function completeSkill(
  { facts, files }: SkillDraft,
  writtenAt: string,
  digests?: Map<string, Digest>,
): Map<string, string> {
  const all = new Map([...files, ...FIXED_FILES, [METADATA_FILE, metadataText(facts, writtenAt)]]);
  return all.set(CHECKSUM_FILE, checksumOf(all, digests).text);
}

function metadataText(facts: SkillFacts, writtenAt: string): string {
  const { name, kind, description, servers, program } = facts;
  const metadata: SkillMetadata = {
    format_version: METADATA_FORMAT,
    name,
    kind,
    description,
    generator: `mcp-exec ${VERSION}`,
    written_at: writtenAt,
    servers,
    ...(program !== undefined && { program }),
  };
  return jsonText(metadata);
}

/** What a skill keeps of a server: those of its tools that are in `tools`, all when left out. */
export function skillServer(
  info: ServerInfo,
  { spec, home, tools = info.tools }: {
    readonly spec?: ServerSpec | undefined;
    readonly home?: string | undefined;
    readonly tools?: readonly ToolDefinition[];
  },
): SkillServer {
  return {
    name: info.name,
    identity: {
      name: cleanLine(info.identity.name, 200),
      version: cleanLine(info.identity.version, 100),
    },
    protocol: cleanLine(info.protocolVersion, 40),
    ...(spec !== undefined && { reach: reachOf(spec, home) }),
    tools: tools.map(({ name, digest }) => ({ name, digest })),
  };
}

// A folder kept in git is read by others: neither secrets nor a person's home are named in it.
function reachOf(spec: ServerSpec, home: string | undefined): string {
  const words = describeSpec(spec).split(" ").map((word) => maskHome(word, home));
  return cleanLine(words.join(" "));
}

/**
 * The metadata in `text`. Throws `invalid` errors for what is no metadata or of another version
 * (K15); `what` names the skill.
 */
export function readMetadata(text: string, what: string): SkillMetadata {
  const refuse = (why: string, hint?: string): never => {
    throw new AppError("invalid", `${what} ${why}`, hint === undefined ? {} : { hint });
  };
  let value: unknown;
  try {
    if (scanJson(text).depth <= MAX_JSON_DEPTH) value = JSON.parse(text);
  } catch {
    // What is not JSON is no metadata either.
  }
  if (!isObject(value)) return refuse(`has a ${METADATA_FILE} that is not valid`);
  const version = value["format_version"];
  if (version !== METADATA_FORMAT && typeof version === "number") {
    return refuse(
      `is of version ${version} of its form, this program knows ${METADATA_FORMAT}`,
      version > METADATA_FORMAT ? "use a newer version of mcp-exec" : "write it again",
    );
  }
  if (!isMetadata(value)) return refuse(`has a ${METADATA_FILE} that is not valid`);
  try {
    toSkillName(value.name);
    value.program?.skills.forEach(toSkillName);
  } catch {
    return refuse(`has a ${METADATA_FILE} with the name ${quoteText(value.name)}`);
  }
  return value;
}

function isMetadata(value: Record<string, unknown>): value is SkillMetadata & typeof value {
  const { kind, program, servers } = value;
  return value["format_version"] === METADATA_FORMAT &&
    areTexts(value, ["name", "description", "generator", "written_at"]) &&
    (kind === "server" || kind === "program") && (kind === "program") === isProgram(program) &&
    Array.isArray(servers) && servers.every(isServer);
}

function isServer(value: unknown): boolean {
  return isObject(value) && areTexts(value, ["name", "protocol"]) &&
    (value["reach"] === undefined || typeof value["reach"] === "string") &&
    isServerName(String(value["name"])) && isObject(value["identity"]) &&
    areTexts(value["identity"], ["name", "version"]) && Array.isArray(value["tools"]) &&
    value["tools"].every((tool) => isObject(tool) && areTexts(tool, ["name", "digest"]));
}

function isProgram(value: unknown): boolean {
  return isObject(value) && isObject(value["limits"]) &&
    Object.values(value["limits"]).every((limit) => typeof limit === "number" && limit > 0) &&
    (value["entry"] === undefined || typeof value["entry"] === "string") &&
    (value["input"] === undefined || isObject(value["input"])) &&
    (value["example"] === undefined || isExample(value["example"])) &&
    Array.isArray(value["skills"]) &&
    value["skills"].every((name) => typeof name === "string");
}

function isExample(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { result } = value;
  return result === undefined ||
    isObject(result) && areTexts(result, ["digest", "shape"]) &&
      typeof result["bytes"] === "number";
}
