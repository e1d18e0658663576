// What a server offers, read raw over every page of its listing and checked tool by tool: one bad
// tool costs one tool and a warning. Nothing here trusts a size, a name or a cursor.

import { AppError } from "./errors.ts";
import type { ServerName } from "./names.ts";
import type { ServerInfo, ToolDefinition } from "./server.ts";
import type { Connection } from "./transport.ts";

/** Bounds and a second chance of one introspection. */
export interface IntrospectOptions {
  readonly signal?: AbortSignal;
  /** Gives a new connection when the first one drops; used once. */
  readonly reconnect?: () => Promise<Connection>;
}

/** What the server on `connection` says about itself, with its valid tools sorted by name. */
export function introspect(
  connection: Connection,
  _options: IntrospectOptions = {},
): Promise<ServerInfo> {
  return Promise.reject(new AppError("connect", `Server "${connection.spec.name}" is not listed`));
}

/**
 * The valid tools of a raw listing, sorted by name, each checked by itself, and one warning, safe
 * to show, for each tool left out.
 */
export function parseTools(
  _name: ServerName,
  _raw: readonly unknown[],
): { tools: ToolDefinition[]; warnings: string[] } {
  return { tools: [], warnings: [] };
}
