// `search`: tools by a few words, ranked over what servers told before. Answers from the saved
// index alone: nothing is connected to and no server is started.

import { buildCommand } from "@stricli/core";
import { dataFile } from "../context.ts";
import { AppError } from "../errors.ts";
import {
  argument,
  type Invocation,
  listFlag,
  openServers,
  SERVER_FLAGS,
  type ServerFlagValues,
  textFlag,
} from "../flags.ts";
import { MAX_FOUND_TOOLS, parseCount } from "../limits.ts";
import { DEMO_SERVER, type ServerName } from "../names.ts";
import type { ServerPlan, ToolPlan } from "../plan.ts";
import type { ServerInfo } from "../server.ts";
import { findServer, type ServerSet } from "../servers.ts";
import { quoteText } from "../text.ts";

const DETAILS = ["name", "signature", "full"] as const;
type Detail = (typeof DETAILS)[number];

interface Flags extends ServerFlagValues {
  readonly server?: readonly string[] | undefined;
  readonly detail?: Detail | undefined;
  readonly limit?: number | undefined;
}

const DEFAULT_LIMIT = 5;

/** The command `search`. */
export const command = buildCommand<Flags, string[], Invocation>({
  docs: {
    brief: "Find tools by a few words, without starting a server",
    customUsage: ["<words>... [--server NAME]... [--detail name|signature|full] [--limit COUNT]"],
    fullDescription: `Ranks the tools of all configured servers, or of those named with --server,
against the words. Answers from the saved index, which "introspect" and every run fill.

EXAMPLES
  mcp-exec search merge request notes
  mcp-exec search "create issue" --server github --detail signature --limit 1`,
  },
  parameters: {
    flags: {
      server: listFlag("Search this server only", "NAME"),
      detail: {
        ...textFlag("How much to show: name (with a summary), signature or full (name)", "LEVEL"),
        parse: parseDetail,
      },
      limit: {
        ...textFlag(`Tools shown at most (${DEFAULT_LIMIT})`, "COUNT"),
        parse: (text: string) => parseCount(text, "Limit", MAX_FOUND_TOOLS),
      },
      ...SERVER_FLAGS,
    },
    positional: { kind: "array", parameter: argument("Words to look for", "words"), minimum: 1 },
  },
  async func(flags, ...words) {
    const servers = await openServers(this, flags, flags.server);
    const names = chooseServers(servers, flags.server);
    const infos = await loadInfos(this, servers, names);
    const found = await find(infos, words.join(" "), flags.limit ?? DEFAULT_LIMIT);
    const detail = flags.detail ?? "name";
    if (this.output.format === "json") {
      const { readableModule } = await import("../codegen.ts");
      this.output.document({
        ok: true,
        tools: found.map(({ plan, tool }) => ({
          server: plan.info.name,
          tool: tool.tool,
          function: tool.functionName,
          summary: tool.summary,
          ...(detail !== "name" && { signature: tool.signature }),
          ...(detail === "full" && { module: readableModule(tool, plan) }),
        })),
      });
      return;
    }
    if (found.length === 0) {
      this.log.info(
        `No tool of ${infos.length === 1 ? `"${infos[0]!.name}"` : "these servers"} ` +
          `has ${quoteText(words.join(" "))} in its name or summary`,
      );
    }
    const { cleanLine } = await import("../text.ts");
    for (const { plan, tool } of found) {
      const server = names.length === 1 ? "" : `${plan.info.name} `;
      const line = `${server}${cleanLine(tool.tool)}${tool.summary && `: ${tool.summary}`}`;
      if (detail === "name") this.output.print(line);
      else if (detail === "signature") this.output.print(`${tool.signature}\n  ${line}`);
      else {
        const { readableModule } = await import("../codegen.ts");
        this.output.print(`// ${line}\n${readableModule(tool, plan).trimEnd()}`);
      }
    }
  },
});

function parseDetail(text: string): Detail {
  const detail = DETAILS.find((item) => item === text);
  if (detail !== undefined) return detail;
  throw new AppError("usage", `Level ${quoteText(text)} is not one of ${DETAILS.join(", ")}`);
}

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

/** What the index holds of `names`; throws when it holds nothing, and names what is missing. */
async function loadInfos(
  { context, log }: Invocation,
  { specs }: ServerSet,
  names: readonly ServerName[],
): Promise<ServerInfo[]> {
  const [{ openDatabase }, { createCatalog }] = await Promise.all([
    import("../database.ts"),
    import("../catalog.ts"),
  ]);
  const warn = (message: string) => log.warn(message);
  const database = openDatabase(dataFile(context.paths, "mcp-exec.db"), { warn });
  try {
    const catalog = createCatalog(database, { now: context.now, warn });
    const entries = names.map((name) => ({ name, info: catalog.load(specs.get(name)!)?.info }));
    const missing = entries.filter(({ info }) => info === undefined).map(({ name }) => `"${name}"`);
    const listed = missing.slice(0, MAX_NAMED).join(", ") +
      (missing.length > MAX_NAMED ? ` and ${missing.length - MAX_NAMED} more` : "");
    const hint = `mcp-exec introspect ${missing.length === 1 ? JSON.parse(missing[0]!) : "--all"}`;
    if (missing.length === names.length) {
      throw new AppError("invalid", `Nothing is known yet of the tools of ${listed}`, { hint });
    }
    if (missing.length > 0) log.info(`Not searched, because not known yet: ${listed} (${hint})`);
    return entries.flatMap(({ info }) => info ?? []);
  } finally {
    database.close();
  }
}

interface Found {
  readonly plan: ServerPlan;
  readonly tool: ToolPlan;
}

async function find(infos: readonly ServerInfo[], query: string, limit: number): Promise<Found[]> {
  const [{ planServer }, { searchTools }] = await Promise.all([
    import("../plan.ts"),
    import("../search.ts"),
  ]);
  const all = infos.flatMap((info) => {
    const plan = planServer(info);
    return plan.tools.map((tool) => ({
      server: info.name,
      tool: tool.tool,
      signature: tool.signature,
      summary: tool.summary,
      found: { plan, tool },
    }));
  });
  const ranked = searchTools(all, query, limit) as typeof all;
  return ranked.map(({ found }) => found);
}
