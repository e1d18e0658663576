// What servers say of their tools: from the index while that will do, else from the server, asked
// once for all who want it. What has changed is told, so that nothing is kept of an old definition.

import type { Catalog } from "./catalog.ts";
import { AppError } from "./errors.ts";
import type { Digest } from "./hash.ts";
import { introspect } from "./introspect.ts";
import { nearestHint, type ServerName, type ToolName } from "./names.ts";
import type { Progress } from "./progress.ts";
import type { Lease } from "./pool.ts";
import type { ServerInfo, ServerSpec, ToolDefinition } from "./server.ts";
import { quoteText } from "./text.ts";

/** What is known of servers' tools. */
export interface Listings {
  /** What the server says, asked once unless it announces a change. Who waits does not end it. */
  describe(spec: ServerSpec): Promise<ServerInfo>;
  /** A tool as the index or the server has it; throws `invalid` with near names for no such tool. */
  find(wanted: WantedTool): Promise<ToolDefinition>;
  /**
   * Does `check` with a definition, and once more with the server's own one where that was from
   * the index and has changed since. Gives the definition that held.
   */
  hold(
    wanted: WantedTool,
    tool: ToolDefinition,
    check: (tool: ToolDefinition) => Promise<void>,
  ): Promise<ToolDefinition>;
  /** Forgets what is known of a server that announced a change. */
  onChanged(name: ServerName): void;
}

/** A tool to be found. */
export interface WantedTool {
  readonly spec: ServerSpec;
  readonly tool: ToolName;
  /** Gives what `work` gives, and sees to who waits for a connection meanwhile. */
  whenConnected<T>(work: () => Promise<T>): Promise<T>;
}

/** What listings are made of. */
export interface ListingOptions {
  readonly catalog: Catalog;
  readonly take: (spec: ServerSpec) => Promise<Lease>;
  readonly warn: (message: string) => void;
  /** Ends listings under way. */
  readonly signal: AbortSignal;
  /** Told of each definition that no longer holds. */
  readonly onStale: (spec: ServerSpec, definition: Digest) => void;
  /** Shows what takes a while. */
  readonly progress?: Progress | undefined;
}

interface KnownTools {
  readonly tools: ReadonlyMap<string, ToolDefinition>;
  /** Whether the server said so itself, in this process. */
  readonly isLive: boolean;
}

/** Listings that ask nobody yet. */
export function createListings(options: ListingOptions): Listings {
  const described = new Map<ServerName, Promise<ServerInfo>>();
  const known = new Map<ServerName, KnownTools>();
  /** Servers that announced a change and were not asked since. */
  const announced = new Set<ServerName>();

  function toolsOf(spec: ServerSpec): KnownTools {
    const tools = known.get(spec.name) ??
      { tools: byName(options.catalog.load(spec)?.info.tools ?? []), isLive: false };
    known.set(spec.name, tools);
    return tools;
  }

  async function list(spec: ServerSpec): Promise<ServerInfo> {
    const leases: Lease[] = [];
    const reconnect = async () => {
      const lease = await options.take(spec);
      leases.push(lease);
      return lease.connection;
    };
    const { signal, progress } = options;
    let before: KnownTools;
    let info: ServerInfo;
    try {
      const connection = await reconnect();
      before = toolsOf(spec);
      const bounds = { signal, reconnect, ...(progress && { progress }) };
      info = { ...await introspect(connection, bounds), name: spec.name };
    } finally {
      for (const lease of leases) lease.release();
    }
    for (const warning of info.warnings) options.warn(warning);
    const old = announced.delete(spec.name) ? options.catalog.load(spec)?.info : undefined;
    options.catalog.save(spec, info);
    const tools = byName(info.tools);
    for (const [name, { digest }] of before.tools) {
      if (tools.get(name)?.digest !== digest) options.onStale(spec, digest);
    }
    // A change that was announced meanwhile may not be in this answer.
    if (known.get(spec.name) === before) known.set(spec.name, { tools, isLive: true });
    if (old !== undefined) await tellChanges({ old, info }, options.warn);
    return info;
  }

  async function describe(spec: ServerSpec): Promise<ServerInfo> {
    const listing = described.get(spec.name) ?? list(spec);
    described.set(spec.name, listing);
    try {
      return await listing;
    } catch (error) {
      if (described.get(spec.name) === listing) described.delete(spec.name);
      throw error;
    }
  }

  async function findLive({ spec, tool, whenConnected }: WantedTool): Promise<ToolDefinition> {
    const info = await whenConnected(() => describe(spec));
    const live = info.tools.find((item) => item.name === tool);
    if (live !== undefined) return live;
    throw unknownTool(tool, info);
  }

  return {
    describe,
    find: async (wanted) => toolsOf(wanted.spec).tools.get(wanted.tool) ?? await findLive(wanted),
    async hold(wanted, tool, check) {
      try {
        await check(tool);
        return tool;
      } catch (error) {
        if (toolsOf(wanted.spec).isLive) throw error;
        const live = await findLive(wanted);
        if (live.digest === tool.digest) throw error;
        await check(live);
        return live;
      }
    },
    onChanged(name) {
      announced.add(name);
      described.delete(name);
      known.set(name, { tools: new Map(), isLive: false });
    },
  };
}

// What reads schemas for people is loaded for servers that change under way.
async function tellChanges(
  { old, info }: { readonly old: ServerInfo; readonly info: ServerInfo },
  warn: ListingOptions["warn"],
): Promise<void> {
  const { compareServers } = await import("./difference.ts");
  const lines = compareServers(old, info);
  if (lines.length === 0) return;
  const shown = lines.slice(0, MAX_SHOWN_CHANGES);
  if (lines.length > shown.length) shown.push(`and ${lines.length - shown.length} more changes`);
  warn(`Server "${info.name}" has changed: ${shown.join("; ")}`);
}

const MAX_SHOWN_CHANGES = 8;

/** The error for a tool that a server does not have, with the nearest names or where they are. */
export function unknownTool(tool: string, { name, tools }: ServerInfo): AppError {
  return new AppError("invalid", `Server "${name}" has no tool ${quoteText(tool)}`, {
    hint: nearestHint(tool, {
      known: tools.map((item) => item.name),
      otherwise: `mcp-exec introspect ${name} lists its tools`,
    }),
  });
}

function byName(tools: readonly ToolDefinition[]): ReadonlyMap<string, ToolDefinition> {
  return new Map(tools.map((tool) => [tool.name, tool]));
}
