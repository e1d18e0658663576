// What changed between two descriptions of a server, or between a folder and what would be written:
// one line each, for people and reviews; and what the change of a tool means for programs, decided
// on the safe side. Reads manifests from disk as untrusted text.

import { describeServer, type Manifest, type ManifestTool } from "./codegen.ts";
import { canonicalJson } from "./hash.ts";
import { MAX_DIFFERENCE_LINES } from "./limits.ts";
import { planServer } from "./plan.ts";
import {
  areTexts,
  isObject,
  type JsonObject,
  type ServerInfo,
  type ToolDefinition,
} from "./server.ts";
import { cleanLine, quoteText } from "./text.ts";

/** What changed from one listing of a server to another, as `compareManifests` says it. */
export function compareServers(before: ServerInfo, after: ServerInfo): string[] {
  return compareManifests(describeServer(planServer(before)), describeServer(planServer(after)));
}

/**
 * Lines that begin with `+` for a tool that is new, `-` for one that is gone and `~` for each thing
 * that changed; none when both say the same. At most `MAX_DIFFERENCE_LINES`, then a count.
 */
export function compareManifests(before: Manifest, after: Manifest): string[] {
  const [was, is] = [before.identity, after.identity];
  const lines = [
    ...change("server name", { from: was.name, to: is.name }),
    ...change("server version", { from: was.version, to: is.version }),
    ...change("protocol", { from: before.protocol, to: after.protocol }),
  ];
  const old = new Map(before.tools.map((tool) => [tool.tool, tool]));
  const current = new Map(after.tools.map((tool) => [tool.tool, tool]));
  for (const name of [...new Set(old.keys()).union(current)].sort()) {
    const [from, to] = [old.get(name), current.get(name)];
    const shown = cleanLine(name, MAX_NAME_CHARS);
    if (from === undefined) lines.push(`+ ${shown}: ${cleanLine(to!.signature)}`);
    else if (to === undefined) lines.push(`- ${shown}`);
    else lines.push(...compareTools(from, to).map((change) => `~ ${shown}: ${change}`));
  }
  return bounded(lines);
}

/** Lines for files that would be written (`+`), changed (`~`) and removed (`-`), sorted by path. */
export function compareFiles(
  before: ReadonlyMap<string, Uint8Array>,
  after: ReadonlyMap<string, string>,
): string[] {
  const encoder = new TextEncoder();
  const lines: string[] = [];
  for (const path of [...new Set(before.keys()).union(after)].sort()) {
    const [from, to] = [before.get(path), after.get(path)];
    const shown = cleanLine(path, MAX_NAME_CHARS);
    if (to === undefined) lines.push(`- ${shown}`);
    else if (from === undefined) lines.push(`+ ${shown}`);
    else if (!sameBytes(from, encoder.encode(to))) lines.push(`~ ${shown}`);
  }
  return lines;
}

const MAX_NAME_CHARS = 120;
const MAX_VALUE_CHARS = 100;

function bounded(lines: readonly string[]): string[] {
  if (lines.length <= MAX_DIFFERENCE_LINES) return [...lines];
  const left = lines.length - MAX_DIFFERENCE_LINES;
  return [...lines.slice(0, MAX_DIFFERENCE_LINES), `and ${left} more changes`];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function compareTools(before: ManifestTool, after: ManifestTool): string[] {
  const changes = compareParameters(before, after);
  changes.push(...change("result", { from: before.result, to: after.result }));
  changes.push(...change("function", { from: before.function, to: after.function }));
  for (const hint of new Set([before, after].flatMap((tool) => Object.keys(tool.annotations)))) {
    const [from, to] = [before, after].map(({ annotations }) =>
      Object.hasOwn(annotations, hint) ? String(annotations[hint]) : "unsaid"
    );
    changes.push(...change(cleanLine(hint, MAX_NAME_CHARS), { from: from!, to: to! }));
  }
  if (before.summary !== after.summary) {
    changes.push(`summary was ${quoteText(before.summary)}, is now ${quoteText(after.summary)}`);
  }
  if (changes.length === 0 && before.digest !== after.digest) {
    changes.push("description or details of its schemas changed");
  }
  return changes;
}

function compareParameters(before: ManifestTool, after: ManifestTool): string[] {
  if (before.parameters === undefined || after.parameters === undefined) {
    return change("signature", { from: before.signature, to: after.signature });
  }
  const changes: string[] = [];
  const old = new Map(before.parameters.map((parameter) => [parameter.name, parameter]));
  const current = new Map(after.parameters.map((parameter) => [parameter.name, parameter]));
  for (const name of [...new Set(old.keys()).union(current)].sort()) {
    const [from, to] = [old.get(name), current.get(name)];
    const shown = `parameter ${quoteText(name)}`;
    if (from === undefined) {
      const type = cleanLine(to!.type, MAX_VALUE_CHARS);
      changes.push(`${shown} is new (${to!.required ? "required" : "optional"}, ${type})`);
    } else if (to === undefined) {
      changes.push(`${shown} is gone`);
    } else {
      if (from.required !== to.required) {
        changes.push(`${shown} is now ${to.required ? "required" : "optional"}`);
      }
      changes.push(...change(shown, { from: from.type, to: to.type }));
    }
  }
  return changes;
}

function change(what: string, { from, to }: { from: string; to: string }): string[] {
  if (from === to) return [];
  const [before, after] = [from, to].map((value) => cleanLine(value, MAX_VALUE_CHARS) || "empty");
  return [`${what} was ${before}, is now ${after}`];
}

/** The manifest in `text`; undefined when it is none that this program wrote. */
export function readManifest(text: string): Manifest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isManifest(value) ? value : undefined;
}

function isManifest(value: unknown): value is Manifest {
  return isObject(value) && typeof value["format_version"] === "number" &&
    areTexts(value, ["server", "protocol"]) && isObject(value["identity"]) &&
    areTexts(value["identity"], ["name", "version"]) && Array.isArray(value["tools"]) &&
    value["tools"].every(isTool);
}

function isTool(value: unknown): value is ManifestTool {
  return isObject(value) &&
    areTexts(value, ["tool", "file", "function", "signature", "result", "summary", "digest"]) &&
    isObject(value["annotations"]) &&
    (value["parameters"] === undefined ||
      Array.isArray(value["parameters"]) && value["parameters"].every(isParameter));
}

function isParameter(value: unknown): boolean {
  return isObject(value) && areTexts(value, ["name", "type"]) &&
    typeof value["required"] === "boolean";
}

/** How a tool changed: other words only, in a way that old calls fit, or so that they may not. */
export type ToolChange = "none" | "text" | "compatible" | "breaking";

/**
 * What the change from `before` to `after` means for a program that was written against `before`;
 * `after` is undefined for a tool that is gone. What cannot be compared counts as a break.
 */
export function classifyChange(
  before: ToolDefinition,
  after: ToolDefinition | undefined,
): ToolChange {
  if (after === undefined) return "breaking";
  if (before.digest === after.digest) return "none";
  const [input, newInput] = [before, after].map((tool) => withoutTexts(tool.inputSchema));
  const [output, newOutput] = [before, after].map((tool) =>
    tool.outputSchema && withoutTexts(tool.outputSchema)
  );
  if (isSame(input, newInput) && isSame(output, newOutput)) return "text";
  const fits = stillFits(input, newInput, "input") && stillFits(output, newOutput, "output");
  return fits ? "compatible" : "breaking";
}

type Direction = "input" | "output";

const OBJECT_KEYWORDS = ["properties", "required"];

/**
 * Whether what a program knew as `before` still holds: for an input that all it could send is taken,
 * for an output that all it could read is there.
 */
function stillFits(before: unknown, after: unknown, direction: Direction): boolean {
  if (isSame(before, after)) return true;
  if (!isObject(before) || !isObject(after)) return false;
  if (!isSame(without(before, OBJECT_KEYWORDS), without(after, OBJECT_KEYWORDS))) {
    return listFits(before, after, direction) || itemsFit(before, after, direction);
  }
  const [old, current] = [before, after].map((schema) => recordOf(schema["properties"]));
  const [oldRequired, required] = [before, after].map((schema) => namesOf(schema["required"]));
  const isStrict = direction === "input"
    ? required!.isSubsetOf(oldRequired!)
    : oldRequired!.isSubsetOf(required!);
  // A name that is new was one of all others before.
  const others = recordOf(before["additionalProperties"]);
  const isOpen = Object.keys(others).length === 0;
  return isStrict && Object.keys(old!).every((name) => Object.hasOwn(current!, name)) &&
    Object.entries(current!).every(([name, schema]) =>
      Object.hasOwn(old!, name)
        ? stillFits(old![name], schema, direction)
        : isOpen || stillFits(others, schema, direction)
    );
}

// A choice of values may grow where it is sent, and shrink where it is read.
function listFits(before: JsonObject, after: JsonObject, direction: Direction): boolean {
  if (!isSame(without(before, ["enum"]), without(after, ["enum"]))) return false;
  const [old, current] = [before, after].map(({ enum: values }) =>
    Array.isArray(values) ? new Set(values.map((value) => canonicalJson(value))) : undefined
  );
  const [wide, narrow] = direction === "input" ? [current, old] : [old, current];
  return wide === undefined || narrow?.isSubsetOf(wide) === true;
}

function itemsFit(before: JsonObject, after: JsonObject, direction: Direction): boolean {
  return isObject(before["items"]) && isObject(after["items"]) &&
    isSame(without(before, ["items"]), without(after, ["items"])) &&
    stillFits(before["items"], after["items"], direction);
}

const TEXTS = new Set(["title", "description", "$comment", "examples", "deprecated"]);
const MAPS = new Set([
  ...["properties", "patternProperties", "$defs", "definitions"],
  ...["dependentSchemas", "dependentRequired", "dependencies"],
]);
const VALUES = new Set(["enum", "const", "default", "required"]);

// Properties may be named like keywords, so maps of schemas are told from schemas.
function withoutTexts(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutTexts);
  if (!isObject(schema)) return schema;
  const kept = Object.entries(schema).filter(([key]) => !TEXTS.has(key));
  return Object.fromEntries(kept.map(([key, value]) => {
    if (VALUES.has(key)) return [key, value];
    if (!MAPS.has(key) || !isObject(value)) return [key, withoutTexts(value)];
    const entries = Object.entries(value).map(([name, item]) => [name, withoutTexts(item)]);
    return [key, Object.fromEntries(entries)];
  }));
}

function without(schema: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !keys.includes(key)));
}

function isSame(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

function recordOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function namesOf(value: unknown): ReadonlySet<unknown> {
  return new Set(Array.isArray(value) ? value : []);
}
