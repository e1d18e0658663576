// What a server offers, read raw over every page of its listing and checked tool by tool: one bad
// tool costs one tool and a warning. Nothing here trusts a size, a name or a cursor.

import { AppError } from "./errors.ts";
import { digestOfJson } from "./hash.ts";
import {
  formatBytes,
  LIST_TIMEOUT_MS,
  MAX_CURSOR_BYTES,
  MAX_DESCRIPTION_BYTES,
  MAX_JSON_DEPTH,
  MAX_LISTING_BYTES,
  MAX_PAGES,
  MAX_SCHEMA_BYTES,
  MAX_TOOL_NAME_BYTES,
  MAX_TOOL_WARNINGS,
  MAX_TOOLS,
} from "./limits.ts";
import { type ServerName, type ToolName, toToolName } from "./names.ts";
import type { Progress } from "./progress.ts";
import { isObject, type JsonObject, type ServerInfo, type ToolDefinition } from "./server.ts";
import { byteLength, quoteText } from "./text.ts";
import type { Connection } from "./transport.ts";
import { depthOf } from "./wire.ts";

/** Bounds and a second chance of one introspection. */
export interface IntrospectOptions {
  readonly signal?: AbortSignal;
  /** Gives a new connection when the first one drops; used once. */
  readonly reconnect?: () => Promise<Connection>;
  /** Shows how many tools were read. */
  readonly progress?: Progress;
}

/**
 * What the server on `connection` says about itself, with its valid tools sorted by name. Throws
 * what requests throw, and `protocol` for an answer that is no listing.
 */
export async function introspect(
  connection: Connection,
  options: IntrospectOptions = {},
): Promise<ServerInfo> {
  try {
    return await readServer(connection, options);
  } catch (error) {
    const dropped = error instanceof AppError && error.kind === "connect";
    if (!dropped || options.reconnect === undefined || options.signal?.aborted) throw error;
    return await readServer(await options.reconnect(), options);
  }
}

async function readServer(
  connection: Connection,
  options: IntrospectOptions,
): Promise<ServerInfo> {
  const { spec: { name }, identity, capabilities } = connection;
  // Without the capability there is nothing to ask for, and some servers answer with an error.
  const listing = capabilities["tools"] === undefined
    ? { raw: [], warnings: [] }
    : await listTools(connection, options);
  const { tools, warnings } = parseTools(name, listing.raw);
  const all = [...listing.warnings, ...warnings];
  const instructions = connection.instructions;
  const kept = instructions === undefined
    ? undefined
    : cutText(instructions, MAX_DESCRIPTION_BYTES);
  if (kept !== instructions) {
    all.push(
      `Server "${name}" gives instructions over ${
        formatBytes(MAX_DESCRIPTION_BYTES)
      }; they are cut`,
    );
  }
  return {
    name,
    identity: {
      name: cutText(identity.name, MAX_TOOL_NAME_BYTES),
      version: cutText(identity.version, MAX_TOOL_NAME_BYTES),
      ...(identity.title !== undefined && { title: cutText(identity.title, MAX_TOOL_NAME_BYTES) }),
    },
    protocolVersion: connection.protocolVersion,
    ...(kept !== undefined && { instructions: kept }),
    capabilities,
    tools,
    warnings: all,
  };
}

interface Listing {
  readonly raw: unknown[];
  readonly warnings: string[];
}

async function listTools(
  connection: Connection,
  { signal, progress }: IntrospectOptions,
): Promise<Listing> {
  const name = connection.spec.name;
  const activity = progress?.begin(`Reading the tools of "${name}"`);
  try {
    return await listPages(connection, {
      signal,
      onTools: (count) => activity?.say(`Reading the tools of "${name}": ${count}`),
    });
  } finally {
    activity?.end();
  }
}

async function listPages(
  connection: Connection,
  { signal, onTools }: { signal: AbortSignal | undefined; onTools: (count: number) => void },
): Promise<Listing> {
  const name = connection.spec.name;
  const deadline = performance.now() + LIST_TIMEOUT_MS;
  const listing: Listing = { raw: [], warnings: [] };
  const stop = (reason: string): Listing => {
    listing.warnings.push(`Server "${name}" ${reason}; the rest of its tools are left out`);
    return listing;
  };
  const seen = new Set<string>();
  let cursor: string | undefined;
  let bytes = 0;
  for (let page = 1;; page++) {
    const left = Math.ceil(deadline - performance.now());
    if (left <= 0) throw listTooSlow(name, page);
    const answer = await connection.request("tools/list", cursor === undefined ? {} : { cursor }, {
      timeoutMs: Math.min(left, connection.spec.timeoutMs ?? left),
      ...(signal !== undefined && { signal }),
    }) as JsonObject;
    const tools = answer["tools"];
    if (!Array.isArray(tools)) {
      throw new AppError(
        "protocol",
        `Server "${name}" answered tools/list without a list of tools`,
      );
    }
    bytes += JSON.stringify(tools).length;
    if (bytes > MAX_LISTING_BYTES) return stop(`lists over ${formatBytes(MAX_LISTING_BYTES)}`);
    const room = MAX_TOOLS - listing.raw.length;
    for (const tool of tools.slice(0, room)) listing.raw.push(tool);
    onTools(listing.raw.length);
    if (tools.length > room) return stop(`lists over ${MAX_TOOLS} tools`);
    const next = answer["nextCursor"] ?? "";
    if (next === "") return listing;
    if (typeof next !== "string") return stop("gives a cursor that is no string");
    if (byteLength(next) > MAX_CURSOR_BYTES) {
      return stop(`gives a cursor over ${formatBytes(MAX_CURSOR_BYTES)}`);
    }
    if (seen.has(next)) return stop("gives the same cursor twice");
    if (page >= MAX_PAGES) return stop(`lists over ${MAX_PAGES} pages`);
    seen.add(next);
    cursor = next;
  }
}

function listTooSlow(name: ServerName, page: number): AppError {
  return new AppError(
    "timeout",
    `Server "${name}" did not finish its list of tools within ${LIST_TIMEOUT_MS / 1000}s`,
    { limit: { name: "list", limit: LIST_TIMEOUT_MS }, detail: [`it stopped before page ${page}`] },
  );
}

/**
 * The valid tools of a raw listing, sorted by name, each checked by itself, and one warning, safe
 * to show, for each tool left out; a name that comes again is left out too.
 */
export function parseTools(
  name: ServerName,
  raw: readonly unknown[],
): { tools: ToolDefinition[]; warnings: string[] } {
  const tools = new Map<ToolName, ToolDefinition>();
  const warnings: string[] = [];
  let unnamed = 0;
  for (const [index, item] of raw.entries()) {
    const read = readTool(item);
    const problem = typeof read !== "string" && tools.has(read.name)
      ? "its name comes twice, the first one is kept"
      : read;
    if (typeof problem !== "string") tools.set(problem.name, problem);
    else if (warnings.length < MAX_TOOL_WARNINGS) {
      warnings.push(`Server "${name}": ${labelOf(item, index)} is left out: ${problem}`);
    } else unnamed++;
  }
  if (unnamed > 0) warnings.push(`Server "${name}": ${unnamed} more tools are left out`);
  // By code units, so that the order is the same on every machine.
  const sorted = [...tools.values()].sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  return { tools: sorted, warnings };
}

function labelOf(item: unknown, index: number): string {
  const name = isObject(item) ? item["name"] : undefined;
  return typeof name === "string" ? `tool ${quoteText(name)}` : `tool ${index + 1} of its list`;
}

// The tool, or what is wrong with it.
function readTool(item: unknown): ToolDefinition | string {
  if (!isObject(item)) return "it is no object";
  const name = item["name"];
  if (typeof name !== "string") return "it has no name";
  const toolName = readName(name);
  if (toolName === undefined) {
    return `its name must be 1 to ${MAX_TOOL_NAME_BYTES} printable bytes`;
  }
  // Some servers write null for what is absent.
  const title = item["title"] ?? undefined;
  const description = item["description"] ?? undefined;
  const outputSchema = item["outputSchema"] ?? undefined;
  const annotations = item["annotations"] ?? undefined;
  const inputSchema = item["inputSchema"];
  if (title !== undefined && typeof title !== "string") return "its title is no string";
  if (description !== undefined && typeof description !== "string") {
    return "its description is no string";
  }
  for (const text of [title, description]) {
    if (text !== undefined && byteLength(text) > MAX_DESCRIPTION_BYTES) {
      return `its description has ${formatBytes(byteLength(text))}, over the limit of ${
        formatBytes(MAX_DESCRIPTION_BYTES)
      }`;
    }
  }
  if (!isObject(inputSchema)) return "it has no input schema";
  const type = inputSchema["type"] ?? "object";
  if (type !== "object" && !(Array.isArray(type) && type.includes("object"))) {
    return "its input is no object";
  }
  if (outputSchema !== undefined && !isObject(outputSchema)) {
    return "its output schema is no object";
  }
  if (annotations !== undefined && !isObject(annotations)) return "its annotations are no object";
  for (const schema of [inputSchema, outputSchema, annotations]) {
    const problem = schema === undefined ? undefined : schemaProblem(schema);
    if (problem !== undefined) return problem;
  }
  const parts = {
    name: toolName,
    ...(title !== undefined && { title }),
    ...(description !== undefined && { description }),
    inputSchema,
    ...(outputSchema !== undefined && { outputSchema }),
    ...(annotations !== undefined && { annotations }),
  };
  return { ...parts, digest: digestOfJson(parts) };
}

function readName(text: string): ToolName | undefined {
  try {
    return toToolName(text, "invalid");
  } catch {
    return undefined;
  }
}

function schemaProblem(schema: JsonObject): string | undefined {
  // First: measuring the size of something too deep would overflow the stack.
  if (depthOf(schema) > MAX_JSON_DEPTH) return `its schema is nested deeper than ${MAX_JSON_DEPTH}`;
  const bytes = byteLength(JSON.stringify(schema));
  if (bytes <= MAX_SCHEMA_BYTES) return undefined;
  return `its schema has ${formatBytes(bytes)}, over the limit of ${formatBytes(MAX_SCHEMA_BYTES)}`;
}

function cutText(text: string, maxBytes: number): string {
  if (byteLength(text) <= maxBytes) return text;
  const bytes = new TextEncoder().encode(text.slice(0, maxBytes));
  return new TextDecoder().decode(bytes.subarray(0, maxBytes)).replace(/\ufffd$/, "");
}
