// `search`: tools by a few words, ranked over what servers told before. Answers from the saved
// index alone: nothing is connected to and no server is started, but the built-in one looked into.

import { buildCommand } from "@stricli/core";
import { createCatalog } from "../catalog.ts";
import { type Database, withDatabase } from "../database.ts";
import { AppError } from "../errors.ts";
import {
  argument,
  choiceFlag,
  type Invocation,
  listFlag,
  openServers,
  SERVER_FLAGS,
  type ServerFlagValues,
  textFlag,
  withSession,
} from "../flags.ts";
import { MAX_FOUND_TOOLS, MAX_RANKED_TOOLS, parseCount } from "../limits.ts";
import { DEMO_SERVER, type ServerName } from "../names.ts";
import type { ServerPlan } from "../plan.ts";
import { mayBeCalled } from "../policy.ts";
import type { ServerInfo, ServerSpec } from "../server.ts";
import { findServer, type ServerSet } from "../servers.ts";
import type { Session } from "../session.ts";
import { cleanLine, quoteText } from "../text.ts";
import { fillToolIndex, type IndexedTool, searchToolIndex } from "../tool_index.ts";

const DETAILS = ["name", "signature", "full"] as const;
type Detail = (typeof DETAILS)[number];

interface Flags extends ServerFlagValues {
  readonly server?: readonly string[] | undefined;
  readonly detail?: Detail | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: number | undefined;
}

const DEFAULT_LIMIT = 5;

/** The command `search`. */
export const command = buildCommand<Flags, string[], Invocation>({
  docs: {
    brief: "Find tools by a few words, without starting a server",
    customUsage: [
      "<words>... [--server NAME]... [--detail name|signature|full] [--limit COUNT] [--cursor NEXT]",
    ],
    fullDescription: `Ranks the tools of all configured servers, or of those named with --server,
against the words. Answers from the saved index, which "introspect" and every run fill. Tools that
policy never allows are left in and marked.

EXAMPLES
  mcp-exec search merge request notes
  mcp-exec search "create issue" --server github --detail signature --limit 1
  mcp-exec search issue --limit 10 --cursor 10`,
  },
  parameters: {
    flags: {
      server: listFlag("Search this server only", "NAME"),
      detail: choiceFlag("How much to show; name has a summary beside it", DETAILS),
      limit: {
        ...textFlag(`Tools shown at most (${DEFAULT_LIMIT})`, "COUNT"),
        parse: (text: string) => parseCount(text, "Limit", MAX_FOUND_TOOLS),
      },
      cursor: {
        ...textFlag("Go on behind an earlier page", "NEXT"),
        parse: (text: string) => parseCount(text, "Cursor", MAX_RANKED_TOOLS),
      },
      ...SERVER_FLAGS,
    },
    positional: { kind: "array", parameter: argument("Words to look for", "words"), minimum: 1 },
  },
  async func(flags, ...words) {
    const query = words.join(" ").trim();
    if (query === "") {
      throw new AppError("usage", "There are no words to look for", {
        hint: "mcp-exec introspect SERVER lists all tools of a server",
      });
    }
    const servers = await openServers(this, flags, flags.server);
    const names = chooseServers(servers, flags.server);
    const specs = names.map((name) => servers.specs.get(name)!);
    const { limit = DEFAULT_LIMIT, cursor: offset = 0 } = flags;
    const { tools, modules, refused, hasMore } = await findTools(this, { servers, specs }, {
      query,
      limit,
      offset,
      withModules: flags.detail === "full",
    });
    const detail = flags.detail ?? "name";
    if (this.output.format === "json") {
      this.output.document({
        ok: true,
        tools: tools.map(({ server, tool, functionName, summary, signature }, at) => ({
          server,
          tool,
          function: functionName,
          summary,
          ...(detail !== "name" && { signature }),
          ...(detail === "full" && { module: modules[at] }),
          ...(refused[at] && { refused: true }),
        })),
        ...(hasMore && { nextCursor: String(offset + limit) }),
      });
      return;
    }
    if (tools.length === 0) {
      this.log.info(
        `No ${offset > 0 ? "more " : ""}tool of ${
          names.length === 1 ? `"${names[0]}"` : "these servers"
        } ` +
          `has ${quoteText(query)} in its name or summary`,
      );
    }
    for (const [at, { server, tool, summary, signature }] of tools.entries()) {
      const name = names.length === 1 ? "" : `${server} `;
      const mark = refused[at] ? " (refused by policy)" : "";
      const line = `${name}${cleanLine(tool)}${mark}${summary && `: ${summary}`}`;
      if (detail === "name") this.output.print(line);
      else if (detail === "signature") this.output.print(`${signature}\n  ${line}`);
      else this.output.print(`// ${line}\n${modules[at]!.trimEnd()}`);
    }
    if (hasMore) this.log.info(`There are more: --cursor ${offset + limit}`);
  },
});

// The built-in server is searched when it is named, or when there is no other.
function chooseServers(servers: ServerSet, wanted: readonly string[] | undefined): ServerName[] {
  if (servers.unnamed.size > 0) {
    throw new AppError("usage", "A server that is searched needs a name", {
      hint: "write --stdio NAME=COMMAND or --http NAME=URL",
    });
  }
  if (wanted !== undefined) {
    return [...new Set(wanted)].map((name) => findServer(servers, name).name);
  }
  const others = [...servers.specs.keys()].filter((name) => name !== DEMO_SERVER);
  return others.length > 0 ? others : [DEMO_SERVER];
}

const MAX_NAMED = 5;

interface Found {
  readonly tools: readonly IndexedTool[];
  /** The text of each tool's module, where it was asked for. */
  readonly modules: readonly string[];
  /** For each tool whether policy allows no call of it. */
  readonly refused: readonly boolean[];
  readonly hasMore: boolean;
}

/** The tools that fit; throws when nothing is known of any server, and names what is missing. */
async function findTools(
  invocation: Invocation,
  { servers, specs }: { readonly servers: ServerSet; readonly specs: readonly ServerSpec[] },
  { withModules, ...wanted }: {
    query: string;
    limit: number;
    offset: number;
    withModules: boolean;
  },
): Promise<Found> {
  const { context, log } = invocation;
  const warn = (message: string) => log.warn(message);
  const work = async (database: Database): Promise<Found> => {
    const catalog = createCatalog(database, { now: context.now, warn });
    let unknown = await fillToolIndex(database, specs, catalog);
    if (unknown.some(({ name }) => name === DEMO_SERVER)) {
      // It is in this program: whoever tries a search first need not be told to fill an index.
      const describe = (session: Session) => session.bridge.describe(DEMO_SERVER);
      await withSession(invocation, servers, { work: describe });
      unknown = await fillToolIndex(database, specs, catalog);
    }
    const missing = unknown.map(({ name }) => `"${name}"`);
    const listed = missing.slice(0, MAX_NAMED).join(", ") +
      (missing.length > MAX_NAMED ? ` and ${missing.length - MAX_NAMED} more` : "");
    const hint = `mcp-exec introspect ${missing.length === 1 ? JSON.parse(missing[0]!) : "--all"}`;
    if (missing.length === specs.length) {
      throw new AppError("invalid", `Nothing is known yet of the tools of ${listed}`, { hint });
    }
    if (missing.length > 0) log.info(`Not searched, because not known yet: ${listed} (${hint})`);
    const { limit } = wanted;
    const found = searchToolIndex(database, specs, { ...wanted, limit: limit + 1 });
    const tools = found.slice(0, limit);
    const byName = new Map(specs.map((spec) => [spec.name, catalog.load.bind(catalog, spec)]));
    const modules = withModules ? await modulesOf(tools, (name) => byName.get(name)!()!.info) : [];
    const refused = tools.map(({ server, tool }) => {
      if (servers.policy.length === 0) return false;
      const { trustAnnotations = false } = servers.specs.get(server)!;
      const { annotations = {} } = byName.get(server)!()!.info.tools.find(({ name }) =>
        name === tool
      ) ?? {};
      return !mayBeCalled({ server, tool, annotations, trustAnnotations }, servers.policy);
    });
    return { tools, modules, refused, hasMore: found.length > limit };
  };
  return await withDatabase(context, { warn, work });
}

async function modulesOf(
  tools: readonly IndexedTool[],
  infoOf: (name: ServerName) => ServerInfo,
): Promise<string[]> {
  const [{ planServer }, { readableModule }] = await Promise.all([
    import("../plan.ts"),
    import("../codegen.ts"),
  ]);
  const plans = new Map<ServerName, ServerPlan>();
  return tools.map(({ server, tool }) => {
    const plan = plans.get(server) ?? planServer(infoOf(server));
    plans.set(server, plan);
    return readableModule(plan.tools.find((item) => item.tool === tool)!, plan);
  });
}
