// `introspect`: what a server is and what its tools are, as TypeScript signatures. Reads only; a
// single tool is answered from the saved index without connecting.

import { buildCommand } from "@stricli/core";
import { AppError, changeTexts, toAppError } from "../errors.ts";
import {
  argument,
  chooseServer,
  type Invocation,
  openServers,
  SERVER_FLAGS,
  type ServerFlagValues,
  switchFlag,
  textFlag,
  withSession,
} from "../flags.ts";
import type { ServerName } from "../names.ts";
import { formatAge } from "../render.ts";
import type { ServerInfo } from "../server.ts";
import { findServer, readIndex, type ServerSet } from "../servers.ts";
import type { Session } from "../session.ts";
import { serverDocument, serverText, viewTools } from "../tool_views.ts";

interface Flags extends ServerFlagValues {
  readonly detailed?: boolean | undefined;
  readonly tool?: string | undefined;
  readonly all?: boolean | undefined;
  readonly refresh?: boolean | undefined;
}

/** The command `introspect`. */
export const command = buildCommand<Flags, [server?: string], Invocation>({
  docs: {
    brief: "Show a server's tools as TypeScript signatures",
    customUsage: ["[server] [--detailed] [--tool NAME] [--all] [--refresh] [server flags]"],
    fullDescription: `Connects to a server and shows what it is and what it offers, one TypeScript
signature a tool. --tool shows one tool whole, from the saved index when there is one.

EXAMPLES
  mcp-exec introspect demo
  mcp-exec introspect demo --tool list_issues
  mcp-exec introspect https://example.com/mcp --header "Authorization: Bearer $TOKEN"
  mcp-exec introspect --stdio "npx -y @modelcontextprotocol/server-everything" --detailed
  mcp-exec introspect --all --format json`,
  },
  parameters: {
    flags: {
      detailed: switchFlag("Add capabilities, instructions and whole descriptions"),
      tool: textFlag("Show one tool with its types and documentation", "NAME"),
      all: switchFlag("Show every configured server"),
      refresh: switchFlag("Connect even if the saved index has the answer"),
      ...SERVER_FLAGS,
    },
    positional: {
      kind: "tuple",
      parameters: [{ ...argument("Name or URL of a server", "server"), optional: true }],
    },
  },
  async func(flags, server) {
    if (flags.all && (server !== undefined || flags.tool !== undefined)) {
      throw new AppError("usage", "--all goes neither with a server nor with --tool");
    }
    const named = flags.all ? undefined : server === undefined ? [] : [server];
    const servers = await openServers(this, flags, named);
    if (flags.tool !== undefined && await showSavedTool(this, servers, { ...flags, server })) {
      return;
    }
    const choose = flags.all ? undefined : chooseServer(servers, server);
    await withSession(this, servers, {
      work: async (session) => {
        if (choose === undefined) await showAll(this, session, flags);
        else if (flags.tool === undefined) await showServer(this, session, choose(session), flags);
        else await showTool(this, session, choose(session), { ...flags, tool: flags.tool });
      },
    });
  },
});

async function showServer(
  { output }: Invocation,
  session: Session,
  name: ServerName,
  flags: Flags,
): Promise<void> {
  const info = await session.bridge.describe(name);
  const views = await viewTools(info);
  if (output.format === "json") output.document(serverDocument(info, views));
  else output.print(serverText(info, views, { detailed: flags.detailed === true, output }));
}

/** Shows every server that answers; throws the first failure afterwards and names the others. */
async function showAll(
  { context, output }: Invocation,
  session: Session,
  flags: Flags,
): Promise<void> {
  const answers = await Promise.all(session.bridge.servers.map(async (name) => {
    try {
      const info = await session.bridge.describe(name);
      return { name, info, views: await viewTools(info) };
    } catch (error) {
      return { name, error: toAppError(error) };
    }
  }));
  context.signal.throwIfAborted();
  const failures: AppError[] = [];
  const documents = answers.map(({ name, info, views, error }) => {
    if (error === undefined) {
      if (output.format !== "json") {
        output.print(`${serverText(info, views, { detailed: flags.detailed === true, output })}\n`);
      }
      return serverDocument(info, views);
    }
    failures.push(error);
    return { server: { name }, error: changeTexts(error, output.mask) };
  });
  if (output.format === "json") output.document({ servers: documents });
  const [first, ...others] = failures;
  if (first === undefined) return;
  throw new AppError(first.kind, first.message, {
    ...first,
    detail: [...first.detail ?? [], ...others.map((error) => error.message)],
  });
}

/** Shows a tool as the index has it, without anything that connects; false where it has none. */
async function showSavedTool(
  invocation: Invocation,
  servers: ServerSet,
  { server, tool, refresh }: Pick<Flags, "tool" | "refresh"> & { server: string | undefined },
): Promise<boolean> {
  // An ad hoc server that did not name itself yet is not found in the index by a made-up name.
  if (refresh || server === undefined || servers.unnamed.size > 0) return false;
  const spec = findServer(servers, server);
  const { context, log } = invocation;
  const saved = await readIndex(context, { spec, warn: (message) => log.warn(message) });
  if (!saved?.info.tools.some(({ name }) => name === tool)) return false;
  const age = formatAge(context.now() - saved.savedAt);
  log.info(`From the index of "${spec.name}", saved ${age}; --refresh asks the server`);
  await printTool(invocation, saved.info, tool!);
  return true;
}

async function showTool(
  invocation: Invocation,
  session: Session,
  name: ServerName,
  { tool }: { readonly tool: string },
): Promise<void> {
  await printTool(invocation, await session.bridge.describe(name), tool);
}

async function printTool(
  { output }: Invocation,
  info: ServerInfo,
  tool: string,
): Promise<void> {
  const view = (await viewTools(info)).find((item) => item.tool.name === tool);
  if (view === undefined) throw (await import("../listings.ts")).unknownTool(tool, info);
  if (output.format === "json") output.document(serverDocument(info, [view]));
  else output.print((await view.readModule()).trimEnd());
}
