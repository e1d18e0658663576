// What a server is: how it is named on the command line, how it is reached, and what it told us.
// Values that may be secret are wrapped; nothing here connects.

import type { Digest } from "./hash.ts";
import type { ServerName, ToolName } from "./names.ts";
import { maskArguments, maskUrlTemplate, type Secret } from "./text.ts";

/** A JSON object as it came off the wire. */
export type JsonObject = { readonly [key: string]: unknown };

/** Whether `value` is a JSON object: no array, not null. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether every one of `keys` holds a string. */
export function areTexts(value: Record<string, unknown>, keys: readonly string[]): boolean {
  return keys.every((key) => typeof value[key] === "string");
}

/** Where an entry was found: decides whether it may start without being trusted first. */
export type Origin = "user" | "project" | "flag" | "built-in";

interface SpecBase {
  readonly name: ServerName;
  readonly origin: Origin;
  /** The file the entry stands in, for messages. */
  readonly file?: string;
  /** The client whose file it is, when it is not ours. */
  readonly client?: string;
  /** Over the whole entry, of those that have to be trusted: changes when anything in it does. */
  readonly digest?: Digest;
  /** Overrides the deadline of connecting and of a call, in milliseconds. */
  readonly timeoutMs?: number;
  /** Whether the server's own hints about its tools may allow calls, not only refuse them. */
  readonly trustAnnotations?: boolean;
  /** Set on an entry of a project's file that nobody has trusted yet: it may not be connected to. */
  readonly untrusted?: true;
}

/** A server that is a process speaking JSON-RPC on its standard streams. */
export interface StdioSpec extends SpecBase {
  readonly transport: "stdio";
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, Secret>>;
  readonly cwd?: string;
  /** Whether the process gets our whole environment instead of the short list. */
  readonly inheritEnv?: boolean;
}

/** A server reached over Streamable HTTP, or SSE where it knows nothing newer. */
export interface HttpSpec extends SpecBase {
  readonly transport: "http";
  /** Wrapped whole: user info and query may carry a token. */
  readonly url: Secret;
  /** The URL with its secret parts masked. */
  readonly shownUrl: string;
  readonly headers: Readonly<Record<string, Secret>>;
}

/** A server inside this program. `open` gives the client's end of an in-process transport. */
export interface EmbeddedSpec extends SpecBase {
  readonly transport: "embedded";
  readonly open: () => Promise<unknown>;
}

/** How to reach one server. */
export type ServerSpec = StdioSpec | HttpSpec | EmbeddedSpec;

/** The era of the protocol a server speaks, remembered so that it is not probed again. */
export type ProtocolEra = "legacy" | "modern";

/** One tool as its server defined it, kept only when valid. */
export interface ToolDefinition {
  readonly name: ToolName;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
  readonly annotations?: JsonObject;
  /** Over the whole definition; changes when anything in it does. */
  readonly digest: Digest;
}

/** What a server told about itself: the index keeps this. */
export interface ServerInfo {
  readonly name: ServerName;
  /** The name and version the server gave itself; untrusted text. */
  readonly identity: { readonly name: string; readonly version: string; readonly title?: string };
  readonly protocolVersion: string;
  readonly instructions?: string;
  readonly capabilities: JsonObject;
  /** Sorted by name. */
  readonly tools: readonly ToolDefinition[];
  /** One line each, already safe to show: what was left out and why. */
  readonly warnings: readonly string[];
}

/** One line that says how a server is reached, secrets masked; untrusted parts are not cleaned. */
export function describeSpec(spec: ServerSpec): string {
  switch (spec.transport) {
    case "stdio":
      return [spec.command, ...maskArguments(spec.args)].join(" ");
    case "http":
      return maskUrlTemplate(spec.shownUrl);
    case "embedded":
      return "built in";
  }
}

/** Names of the variables or headers that a server is given. */
export function secretNames(spec: ServerSpec): string[] {
  if (spec.transport === "embedded") return [];
  return Object.keys(spec.transport === "stdio" ? spec.env : spec.headers);
}
