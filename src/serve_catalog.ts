// What clients may learn of tools without calling any: which there are, how they are called, and
// their typed modules. Answers from the index; only servers that it does not know are asked.

import { AppError, toAppError } from "./errors.ts";
import { forgetOldest, MAX_QUERY_CHARS, MAX_READ_FILES_BYTES, SERVE_LISTING_MS } from "./limits.ts";
import { nearestHint, nearestNames, type ServerName, type ToolName } from "./names.ts";
import type { ServerPlan, ToolPlan } from "./plan.ts";
import { mayBeCalled, type PolicyLayer } from "./policy.ts";
import type { HintServer } from "./serve_texts.ts";
import type { JsonObject, ServerInfo, ServerSpec, ToolDefinition } from "./server.ts";
import type { Session } from "./session.ts";
import { byteLength, cleanLine, quoteText } from "./text.ts";
import { fillToolIndex, type IndexedTool, listToolIndex, searchToolIndex } from "./tool_index.ts";

/** How much of a tool a search shows. */
export const DETAILS = ["name", "signature", "full"] as const;
/** One of `DETAILS`. */
export type Detail = (typeof DETAILS)[number];

/** What to look for. */
export interface ToolQuery {
  readonly query: string;
  readonly server?: string | undefined;
  readonly detail: Detail;
  /** Where an earlier page ended. */
  readonly cursor?: string | undefined;
}

/** Text for a model and the same for programs. */
export interface Answer {
  readonly text: string;
  readonly data: JsonObject;
}

/** The tools of a session's servers. */
export interface ServeCatalog {
  /** Every server by name, with its tools as far as they are known. */
  hint(): HintServer[];
  /** Forgets what was read of the index: it has changed. */
  refresh(): void;
  /** A page of tools, best first; servers never listed before are asked, for a while. */
  search(query: ToolQuery, signal: AbortSignal): Promise<Answer>;
  /** The text of a module or what is in a folder. */
  read(path: string, signal: AbortSignal): Promise<string>;
  /** Asks every server that the index does not know. */
  fill(signal: AbortSignal): Promise<void>;
}

const PAGE: Readonly<Record<Detail, number>> = { name: 25, signature: 10, full: 3 };
const MAX_OFFSET = 1_000;
const MAX_PLANS = 32;
/** A server that could not be asked is not asked again for so long. */
const RETRY_MS = 60_000;

/** What a catalog is made of. */
export interface CatalogParts extends Pick<Session, "catalog" | "database" | "bridge" | "specs"> {
  /** Tools that it never allows are not offered. */
  readonly policy: readonly PolicyLayer[];
}

/** The catalog of those servers of a session that are `names`. */
export function createServeCatalog(
  { catalog, database, bridge, specs, policy }: CatalogParts,
  names: readonly ServerName[],
): ServeCatalog {
  const infos = new Map<ServerName, ServerInfo | undefined>();
  const hidden = new Map<ServerName, ReadonlySet<ToolName>>();
  const plans = new Map<ServerInfo, ServerPlan>();
  const failures = new Map<ServerName, { readonly reason: string; readonly at: number }>();
  const asking = new Map<ServerName, Promise<void>>();

  function infoOf(name: ServerName): ServerInfo | undefined {
    if (!infos.has(name)) {
      const known = catalog.load(specs.get(name)!)?.info;
      infos.set(name, known && offered(name, known));
    }
    return infos.get(name);
  }

  /** What `info` says under the name of its server, without tools that cannot be called. */
  function offered(server: ServerName, info: ServerInfo): ServerInfo {
    const { trustAnnotations = false } = specs.get(server)!;
    const isCallable = ({ name: tool, annotations = {} }: ToolDefinition) =>
      mayBeCalled({ server, tool, annotations, trustAnnotations }, policy);
    const { true: tools = [], false: others = [] } = Object.groupBy(
      info.tools,
      (tool) => `${isCallable(tool)}`,
    );
    hidden.set(server, new Set(others.map(({ name }) => name)));
    return { ...info, name: server, tools };
  }

  function isOffered({ server, tool }: IndexedTool): boolean {
    infoOf(server);
    return hidden.get(server)?.has(tool) !== true;
  }

  async function planOf(info: ServerInfo): Promise<ServerPlan> {
    const { planServer } = await import("./plan.ts");
    const plan = plans.get(info) ?? planServer(info);
    plans.delete(info);
    plans.set(info, plan);
    forgetOldest(plans, MAX_PLANS);
    return plan;
  }

  function ask(name: ServerName): Promise<void> {
    const asked = asking.get(name) ?? bridge.describe(name).then(
      () => {
        failures.delete(name);
        infos.delete(name);
      },
      (error) => void failures.set(name, { reason: toAppError(error).message, at: Date.now() }),
    ).finally(() => asking.delete(name));
    asking.set(name, asked);
    return asked;
  }

  // Waits for what can be known soon; the rest goes on and is there for a later search.
  async function askFor(missing: readonly ServerSpec[], signal: AbortSignal): Promise<void> {
    const due = missing.filter(({ name }) =>
      Date.now() - (failures.get(name)?.at ?? -Infinity) > RETRY_MS
    );
    if (due.length === 0) return;
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, SERVE_LISTING_MS);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await Promise.race([Promise.all(due.map(({ name }) => ask(name))), stopped]);
    clearTimeout(timer);
  }

  function find(text: string): ServerName {
    const name = names.find((name) => name === text);
    if (name !== undefined) return name;
    throw new AppError("invalid", `Server ${quoteText(text)} is not one of those served`, {
      hint: nearestHint(text, {
        known: names,
        otherwise: `they are ${names.slice(0, 20).join(", ") || "none"}`,
      }),
    });
  }

  /** The specs to look in, their rows in the index made; and those of which nothing is known. */
  async function prepare(server: string | undefined, signal: AbortSignal) {
    const wanted = (server === undefined ? names : [find(server)]).map((name) => specs.get(name)!);
    let missing = await fillToolIndex(database, wanted, catalog);
    if (missing.length > 0) {
      await askFor(missing, signal);
      missing = await fillToolIndex(database, wanted, catalog);
    }
    return { wanted, missing };
  }

  async function modulesOf(tools: readonly IndexedTool[]): Promise<string[]> {
    const { readableModule } = await import("./codegen.ts");
    const modules: string[] = [];
    for (const { server, tool } of tools) {
      const info = infoOf(server);
      const plan = info && await planOf(info);
      const found = plan?.tools.find((item) => item.tool === tool);
      modules.push(found === undefined ? "" : readableModule(found, plan!).trimEnd());
    }
    return modules;
  }

  async function packageOf(name: ServerName, signal: AbortSignal): Promise<ServerPlan> {
    const info = infoOf(name) ?? offered(name, await bridge.describe(name, { signal }));
    infos.set(name, info);
    return await planOf(info);
  }

  return {
    hint: () =>
      names.map((name) => {
        const tools = infoOf(name)?.tools.map((tool) => tool.name as string);
        return { name, ...(tools !== undefined && { tools }) };
      }),
    refresh() {
      infos.clear();
      plans.clear();
    },
    async search({ query, server, detail, cursor }, signal) {
      const offset = offsetOf(cursor);
      const page = PAGE[detail];
      const { wanted, missing } = await prepare(server, signal);
      const words = query.trim().slice(0, MAX_QUERY_CHARS);
      const found = words === ""
        ? listToolIndex(database, wanted, { offset, limit: page + 1 })
        : searchToolIndex(database, wanted, { query: words, limit: offset + page + 1 }).slice(
          offset,
        );
      const tools = found.slice(0, page).filter(isOffered);
      const next = found.length > page && offset + page <= MAX_OFFSET
        ? `${offset + page}`
        : undefined;
      const modules = detail === "full" ? await modulesOf(tools) : [];
      const unknown = missing.map(({ name }) =>
        `${name} (${failures.get(name)?.reason ?? "not listed yet"})`
      );
      const lines = tools.map((tool, at) => lineOf(tool, { detail, module: modules[at] }));
      const text = [
        ...(tools.length > 0 ? lines : [
          `No tool ${server === undefined ? "" : `of ${server} `}fits ${quoteText(words)}. ` +
          `Servers: ${names.slice(0, 30).join(", ")}. Try other words, or an empty query for all.`,
        ]),
        ...(next === undefined ? [] : [`More with cursor "${next}".`]),
        ...(unknown.length === 0 ? [] : [`Not searched: ${unknown.slice(0, 10).join(", ")}`]),
      ];
      return {
        text: text.join("\n"),
        data: {
          tools: tools.map(({ functionName, ...tool }, at) => ({
            server: tool.server,
            tool: tool.tool,
            function: functionName,
            summary: tool.summary,
            ...(detail !== "name" && { signature: tool.signature }),
            ...(detail === "full" && { module: modules[at] }),
          })),
          ...(next !== undefined && { nextCursor: next }),
          ...(unknown.length > 0 && { notSearched: unknown }),
        },
      };
    },
    async read(path, signal) {
      const [server = "", file = "", ...rest] = segmentsOf(path);
      if (server === "") return names.map((name) => `${name}/`).join("\n");
      const name = find(server);
      const plan = await packageOf(name, signal);
      if (file === "") {
        const lines = plan.tools.map((tool) => `${tool.file}  ${tool.summary}`.trimEnd());
        return bounded(lines.join("\n"), "search_tools finds one by a few words");
      }
      const tool = rest.length === 0 ? toolOf(plan, file) : undefined;
      const { readableModule, writePackage } = await import("./codegen.ts");
      if (tool !== undefined) return bounded(readableModule(tool, plan).trimEnd());
      const text = rest.length === 0 ? writePackage(plan).files.get(file) : undefined;
      if (text !== undefined) return bounded(text);
      throw unknownFile(path, { plan, file });
    },
    async fill(signal) {
      const missing = await fillToolIndex(database, names.map((name) => specs.get(name)!), catalog);
      await askFor(missing, signal);
    },
  };
}

function offsetOf(cursor: string | undefined): number {
  if (cursor === undefined || cursor === "") return 0;
  if (/^\d{1,4}$/.test(cursor) && Number(cursor) <= MAX_OFFSET) return Number(cursor);
  throw new AppError("invalid", `Cursor ${quoteText(cursor)} is not one that a search gave`);
}

function lineOf(
  { server, tool, signature, summary }: IndexedTool,
  { detail, module }: { readonly detail: Detail; readonly module: string | undefined },
): string {
  const named = `${server}/${cleanLine(tool, 80)}${summary === "" ? "" : `: ${summary}`}`;
  if (detail === "name") return named;
  if (detail === "signature") return `${signature}\n  from "mcp:${server}", ${named}`;
  return `// from "mcp:${server}", ${named}\n${module ?? ""}`;
}

// All the ways in which a model writes down where a tool's module is.
function segmentsOf(path: string): string[] {
  const plain = path.replace(/^mcp:/, "").replace(
    /^\/?(?:mcp-tools(?:\/|$))?(?:servers(?:\/|$))?/,
    "",
  );
  return plain.split("/").filter((segment) => segment !== "" && segment !== ".");
}

function toolOf({ tools }: ServerPlan, file: string): ToolPlan | undefined {
  const name = file.replace(/\.ts$/, "");
  return tools.find((tool) =>
    tool.file === file || tool.file === `${name}.ts` || tool.tool === file ||
    tool.functionName === name
  );
}

function unknownFile(
  path: string,
  { plan, file }: { readonly plan: ServerPlan; readonly file: string },
): AppError {
  const known = plan.tools.flatMap((tool) => [tool.file, tool.tool as string]);
  const near = nearestNames(file.replace(/\.ts$/, ""), known);
  const tools = [...new Set(near.map((name) => toolOf(plan, name)))].flatMap((tool) => tool ?? []);
  return new AppError("invalid", `File not found: ${quoteText(path)}`, {
    hint: tools.length === 0
      ? `read "${plan.info.name}/" for the files there are`
      : `did you mean ${tools.map((tool) => `"${plan.info.name}/${tool.file}"`).join(" or ")}?`,
  });
}

function bounded(text: string, hint = "search_tools shows one tool at a time"): string {
  if (text.length <= MAX_READ_FILES_BYTES && byteLength(text) <= MAX_READ_FILES_BYTES) return text;
  const start = text.slice(0, MAX_READ_FILES_BYTES / 2);
  const lines = start.slice(0, start.lastIndexOf("\n") + 1);
  return `${lines}... ${text.length - lines.length} more characters: ${hint}`;
}
