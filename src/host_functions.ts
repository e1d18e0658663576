// What a program may ask of its host beside computing: tools, search, state and files. Everything
// comes in as text of the guest and is checked here or by what it is handed to.

import type { CallTrace, McpBridge } from "./bridge.ts";
import type { Catalog } from "./catalog.ts";
import { AppError } from "./errors.ts";
import { identifiersOf } from "./identifiers.ts";
import type { RunId } from "./journal.ts";
import { MAX_FILLED_PARAMS_BYTES, MAX_FOUND_TOOLS, MAX_JSON_DEPTH } from "./limits.ts";
import { nearestNames, type ServerName, type SessionId } from "./names.ts";
import { planServer, type ToolPlan } from "./plan.ts";
import { mayBeCalled, type PolicyLayer } from "./policy.ts";
import { createResources } from "./resources.ts";
import type { Results } from "./results.ts";
import type { HostCall, HostFunctions, MissingFunction, ServerFunctions } from "./sandbox.ts";
import { type SearchableTool, searchTools } from "./search.ts";
import { isObject, type JsonObject, type ServerInfo, type ServerSpec } from "./server.ts";
import type { StateStorage } from "./state.ts";
import { cleanLine, quoteText } from "./text.ts";
import type { FileSet } from "./vfs.ts";
import { normalizePath } from "./vfs.ts";
import { scanJson } from "./wire.ts";
import { type Workspace, WORKSPACE_FOLDER } from "./workspace.ts";

/** Where programs see the packages of servers. */
export const SERVERS_FOLDER = "/mcp-tools/servers";

/** What the host functions of one run are made of. */
export interface HostParts {
  readonly bridge: McpBridge;
  readonly catalog: Catalog;
  readonly specs: ReadonlyMap<ServerName, ServerSpec>;
  /** What judges the calls: a tool of which none can be allowed is not found. */
  readonly policy: readonly PolicyLayer[];
  readonly state: StateStorage;
  /** Whose state the run sees. */
  readonly session: SessionId;
  readonly run: RunId;
  /** Servers the run is narrowed to; all when undefined. */
  readonly only: ReadonlySet<ServerName> | undefined;
  /** Servers that were listed for this run. */
  readonly listed: readonly ServerInfo[];
  readonly workspace: Workspace | undefined;
  /** What the run's calls gave. */
  readonly results: Results;
  readonly onCall: (trace: CallTrace) => void;
  /** Whether servers are asked to tell of calls under way. */
  readonly notices: boolean;
  /** How often this program stands above the calls. */
  readonly depth?: number | undefined;
  /** Whose rate and turn the calls count for, where the person named a session. */
  readonly caller: SessionId | undefined;
}

/** The host functions of one run. */
export interface RunHost extends HostFunctions {
  /** Settles when no call is under way. */
  settled(): Promise<unknown>;
  /** What to write instead of a function that is not there, with the signatures of near ones. */
  explain(missing: MissingFunction): string | undefined;
  /** The import of what a program used without one: a server's function, or a server. */
  importOf(name: string): string | undefined;
}

// Many servers may have a function of one name.
const SHOWN_IMPORTS = 3;

/** The functions of servers' packages, as programs import them. */
export function functionsOf(servers: readonly ServerInfo[]): ServerFunctions {
  return new Map(servers.map((info) => {
    const tools = [...new Set(info.tools.map((tool) => tool.name as string))].sort();
    const names = identifiersOf(tools, { style: "function" });
    return [info.name, new Map(tools.map((tool) => [names.get(tool)!, tool]))];
  }));
}

/** Makes the host functions of one run. */
export function createHostFunctions(parts: HostParts): RunHost {
  const { bridge, catalog, specs, policy, only, workspace, results } = parts;
  const infos = new Map(parts.listed.map((info) => [info.name, info]));
  const plans = new Map<ServerName, readonly ToolPlan[]>();
  const packages = new Map<ServerName, Promise<FileSet>>();
  let searchable: readonly SearchableTool[] | undefined;

  function savedInfo(name: ServerName): ServerInfo | undefined {
    const spec = specs.get(name);
    if (spec === undefined || (only !== undefined && !only.has(name))) return undefined;
    return infos.get(name) ?? catalog.load(spec)?.info;
  }

  function toolsOf(name: ServerName): readonly ToolPlan[] {
    const known = plans.get(name);
    if (known !== undefined) return known;
    const info = savedInfo(name);
    const tools = info === undefined ? [] : planServer(info).tools;
    plans.set(name, tools);
    return tools;
  }

  // Every tool that the program may call, as far as servers were listed now or before.
  const allTools = () =>
    searchable ??= [...specs.keys()].flatMap((server) => {
      const offered = offeredTools(server);
      return toolsOf(server).filter(({ tool }) => offered?.has(tool) !== false)
        .map(({ tool, signature, summary }) => ({ server, tool, signature, summary }));
    });

  // Undefined where nothing is ruled out.
  function offeredTools(server: ServerName): ReadonlySet<string> | undefined {
    if (policy.length === 0) return undefined;
    const { trustAnnotations = false } = specs.get(server)!;
    const tools = savedInfo(server)?.tools ?? [];
    return new Set(
      tools.filter(({ name: tool, annotations = {} }) =>
        mayBeCalled({ server, tool, annotations, trustAnnotations }, policy)
      ).map(({ name }) => name),
    );
  }

  // Read from the server only when the index does not know it.
  async function packageOf(server: string, call: HostCall): Promise<FileSet> {
    const name = server as ServerName;
    const made = packages.get(name) ?? (async () => {
      const info = savedInfo(name) ??
        await whileHeld(call, () => bridge.describe(name, { signal: call.signal, ...narrowed }));
      const { generateTypescript } = await import("./codegen.ts");
      return generateTypescript(info).files;
    })();
    packages.set(name, made);
    made.catch(() => packages.delete(name));
    return await made;
  }

  const narrowed = only === undefined ? {} : { only };

  const optionsOf = (call: HostCall) => ({
    ...narrowed,
    signal: call.signal,
    run: parts.run,
    ...(parts.caller !== undefined && { session: parts.caller }),
    notices: parts.notices,
    depth: parts.depth,
    onCall: parts.onCall,
    onConnecting: () => call.holdClock(),
  });

  const resources = createResources(bridge);

  /** Gives `value` with handles for what is binary or too large in it. */
  async function held(called: string, value: unknown): Promise<string> {
    return await results.hold(called, { value, json: JSON.stringify(value), raw: {} });
  }

  async function readResource([name, uri]: unknown[], call: HostCall): Promise<string> {
    const server = asText(name, "a server's name");
    const contents = await resources.read(server, asText(uri, "a URI"), optionsOf(call));
    const called = `Resource ${quoteText(String(uri))} of ${quoteText(server)}`;
    return await held(called, await results.holdBlocks(called, contents));
  }

  async function listResources([name, options]: unknown[], call: HostCall): Promise<string> {
    const server = asText(name, "a server's name");
    const cursor = isObject(options) ? options["cursor"] : undefined;
    const from = cursor === undefined ? undefined : asText(cursor, "a cursor");
    const page = await resources.list(server, from, optionsOf(call));
    return await held(`List of resources of ${quoteText(server)}`, page);
  }

  async function getPrompt([name, prompt, args = {}]: unknown[], call: HostCall): Promise<string> {
    const server = asText(name, "a server's name");
    const wanted = { name: asText(prompt, "a prompt's name"), args: asObject(args) };
    const { messages, ...rest } = await resources.prompt(server, wanted, optionsOf(call));
    const called = `Prompt ${quoteText(wanted.name)} of ${quoteText(server)}`;
    const contents = await results.holdBlocks(called, messages.map(({ content }) => content));
    const filled = messages.map((message, at) => ({ ...message, content: contents[at] }));
    return await held(called, { ...rest, messages: filled });
  }

  async function callTool(args: unknown[], call: HostCall): Promise<string> {
    const [server, tool, params = {}, options] = args;
    const names = [asText(server, "a server's name"), asText(tool, "a tool's name")] as const;
    const called = `Tool ${quoteText(names.join("/"))}`;
    // Before the bridge, so that policy, schema and journal see what the server will.
    const filled = await results.fill(params);
    try {
      const result = await bridge.callTool(...names, filled, {
        ...optionsOf(call),
        ...(filled !== params && { maxParamsBytes: MAX_FILLED_PARAMS_BYTES }),
      });
      if (!isObject(options) || options["raw"] !== true) return await results.hold(called, result);
      const value = await results.holdAnswer(called, result.raw);
      return await results.hold(called, { value, json: JSON.stringify(value), raw: {} });
    } catch (error) {
      throw withSignatures(await results.holdError(called, error), names);
    }
  }

  // A name that no tool has: the model gets what it can write instead.
  function withSignatures(error: unknown, [server, tool]: readonly [string, string]): unknown {
    if (!(error instanceof AppError) || error.kind !== "invalid") return error;
    const tools = specs.has(server as ServerName) ? toolsOf(server as ServerName) : [];
    if (tools.length === 0 || tools.some((one) => one.tool === tool)) return error;
    const near = nearestNames(tool, tools.map((one) => one.tool));
    if (near.length === 0) return error;
    const shown = near.map((name) => {
      const { signature } = tools.find((one) => one.tool === name)!;
      return `${quoteText(name)}: ${callOf(signature)}`;
    });
    return new AppError(error.kind, error.message, {
      ...error,
      hint: `did you mean ${shown.join(" or ")}?`,
    });
  }

  async function readPath(path: unknown, call: HostCall): Promise<string> {
    const { place, server, rest } = parsePath(path);
    if (place === WORKSPACE_FOLDER) return await needWorkspace().read(rest);
    const text = server === "" ? undefined : (await packageOf(server, call)).get(rest);
    if (text === undefined) throw notFound("File", path);
    return text;
  }

  async function listPath(path: unknown, call: HostCall): Promise<string[]> {
    const { place, server, rest } = parsePath(path);
    if (place === WORKSPACE_FOLDER) return await needWorkspace().list(rest);
    if (server === "") return [...only ?? specs.keys()].sort().map((name) => `${name}/`);
    if (rest !== "") throw notFound("Folder", path);
    return [...(await packageOf(server, call)).keys()].sort();
  }

  async function writePath(path: unknown, data: unknown): Promise<void> {
    const { place, rest } = parsePath(path);
    if (place !== WORKSPACE_FOLDER) throw new AppError("denied", "Only /workspace can be written");
    const target = needWorkspace();
    await target.write(rest, typeof data === "string" ? data : await results.content(data));
  }

  function needWorkspace(): Workspace {
    if (workspace !== undefined) return workspace;
    throw new AppError("denied", "This run has no workspace", {
      hint: "the user can give a folder with --workspace",
    });
  }

  async function answer(name: string, argsJson: string, call: HostCall): Promise<string> {
    // Before the parser sees it: how deep that may go depends on the thread it runs in.
    if (scanJson(argsJson).depth > MAX_JSON_DEPTH) {
      const message = `Arguments of ${quoteText(name)} are nested deeper than ${MAX_JSON_DEPTH}`;
      throw new AppError("invalid", message);
    }
    const args = JSON.parse(argsJson) as unknown[];
    switch (name) {
      case "callTool":
        return await callTool(args, call);
      case "searchTools": {
        const words = asText(args[0], "words to search for");
        return JSON.stringify(findTools(allTools(), words, args[1]));
      }
      case "getState":
        return parts.state.get(parts.session, asText(args[0], "a key")) ?? "";
      case "setState":
        parts.state.set(parts.session, asText(args[0], "a key"), JSON.stringify(args[1] ?? null));
        return "";
      case "readFile":
        return JSON.stringify(await readPath(args[0], call));
      case "listFiles":
        return JSON.stringify(await listPath(args[0], call));
      case "writeFile":
        await writePath(args[0], args[1]);
        return "";
      case "readResource":
        return await readResource(args, call);
      case "listResources":
        return await listResources(args, call);
      case "getPrompt":
        return await getPrompt(args, call);
      case "readResult":
        return JSON.stringify(await results.read(args[0], args[1]));
      default:
        throw new AppError("guest", `There is no host function ${quoteText(name)}`);
    }
  }

  const underWay = new Set<Promise<string>>();
  return {
    call(name, argsJson, call) {
      const work = answer(name, argsJson, call).finally(() => underWay.delete(work));
      underWay.add(work);
      return work;
    },
    settled: () => Promise.allSettled(underWay),
    explain({ server, near }) {
      const tools = toolsOf(server as ServerName);
      const signatures = near.flatMap((name) =>
        tools.filter((tool) => tool.functionName === name).map((tool) => callOf(tool.signature))
      );
      return signatures.length === 0 ? undefined : `did you mean ${signatures.join(" or ")}?`;
    },
    importOf(name) {
      const servers = [...specs.keys()].filter((server) => only === undefined || only.has(server));
      if (servers.includes(name as ServerName)) return `import * as ${name} from "mcp:${name}"`;
      const known = servers.flatMap((server) => savedInfo(server) ?? []);
      const lines = [...functionsOf(known)].filter(([, functions]) => functions.has(name))
        .slice(0, SHOWN_IMPORTS).map(([server]) => `import { ${name} } from "mcp:${server}"`);
      return lines.length === 0 ? undefined : lines.join(" or ");
    },
  };
}

async function whileHeld<T>(call: HostCall, work: () => Promise<T>): Promise<T> {
  const release = call.holdClock();
  try {
    return await work();
  } finally {
    release();
  }
}

// The folder a path belongs to, and for a package its server and the file in it.
function parsePath(path: unknown): { place: string; server: string; rest: string } {
  const normal = normalizePath(asText(path, "a path"));
  if (normal === WORKSPACE_FOLDER || normal.startsWith(`${WORKSPACE_FOLDER}/`)) {
    return { place: WORKSPACE_FOLDER, server: "", rest: normal.slice(WORKSPACE_FOLDER.length + 1) };
  }
  if (normal !== SERVERS_FOLDER && !normal.startsWith(`${SERVERS_FOLDER}/`)) {
    return { place: "", server: "", rest: normal };
  }
  const [server = "", ...rest] = normal.slice(SERVERS_FOLDER.length + 1).split("/");
  return { place: SERVERS_FOLDER, server, rest: rest.join("/") };
}

// How a function is called, without what it gives.
function callOf(signature: string): string {
  return signature.replace(/\): Promise<.*$/s, ")");
}

function notFound(what: string, path: unknown): AppError {
  return new AppError("invalid", `${what} not found: ${quoteText(cleanLine(String(path)))}`);
}

function asObject(value: unknown): JsonObject {
  if (isObject(value)) return value;
  throw new AppError("invalid", "Expected arguments as an object");
}

function asText(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new AppError("invalid", `Expected ${what} as a string, got ${typeof value}`);
}

const DEFAULT_FOUND = 10;

function findTools(
  tools: readonly SearchableTool[],
  query: string,
  options: unknown,
): SearchableTool[] {
  const { server, limit } = (options ?? {}) as { server?: unknown; limit?: unknown };
  const wanted = server === undefined ? tools : tools.filter((tool) => tool.server === server);
  const count = typeof limit === "number" && limit >= 1 ? Math.floor(limit) : DEFAULT_FOUND;
  return searchTools(wanted, query, Math.min(count, MAX_FOUND_TOOLS));
}
