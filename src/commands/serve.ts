// `serve`: this program as an MCP server, on standard streams or over HTTP. What it may listen on is
// decided here; off this machine only with a token.

import { buildCommand } from "@stricli/core";
import type { McpServer } from "@modelcontextprotocol/server";
import { AppError, toAppError } from "../errors.ts";
import {
  chooseServer,
  durationFlag,
  type Invocation,
  LIMIT_FLAGS,
  type LimitFlagValues,
  limitsOf,
  listFlag,
  openServers,
  POLICY_FLAGS,
  type PolicyFlagValues,
  switchFlag,
  textFlag,
} from "../flags.ts";
import { DEFAULT_RUN_LIMITS, MAX_WORKERS, parseCount } from "../limits.ts";
import { readTextFile } from "../read.ts";
import type { SessionKeys } from "../serve_keys.ts";
import type { Serving } from "../serve_session.ts";
import { maskHome, quoteText } from "../text.ts";

interface Flags extends LimitFlagValues, PolicyFlagValues {
  readonly http?: Address | undefined;
  readonly tokenFile?: string | undefined;
  readonly allowHost?: readonly string[] | undefined;
  readonly server?: readonly string[] | undefined;
  readonly plain?: boolean | undefined;
  readonly concurrency?: number | undefined;
  readonly cwd?: string | undefined;
  readonly install?: string | undefined;
  readonly print?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly trust?: boolean | undefined;
  readonly serverTimeout?: number | undefined;
}

interface Address {
  readonly hostname: string;
  readonly port: number;
}

const DEFAULT_ADDRESS: Address = { hostname: "127.0.0.1", port: 7337 };

/** The command `serve`. */
export const command = buildCommand<Flags, [], Invocation>({
  docs: {
    brief: "Serve search, programs and skills to MCP clients",
    customUsage: [
      "[--http [HOST:PORT]] [--plain] [--server NAME]... [limits]",
      "--install CLIENT [--print | --yes] [--cwd DIR]",
    ],
    fullDescription:
      `Offers an agent a handful of small tools instead of every tool of every server:
search_tools, read_tool_files, execute_code, read_result, run_skill; with --plain call_tool, too.
Speaks the protocol on standard input and output, or over HTTP with --http. On another address than
this machine's own it asks for a token, from --token-file or MCP_EXEC_SERVE_TOKEN.

With --install it writes itself into the file of a client, after showing what changes:
claude-code, claude-desktop, cursor, vscode, windsurf, codex, gemini, zed, opencode or goose.

EXAMPLES
  mcp-exec serve
  mcp-exec serve --install claude-code
  mcp-exec serve --http
  mcp-exec serve --http 0.0.0.0:8080 --token-file token --allow-host tools.example.com`,
  },
  parameters: {
    flags: {
      http: {
        kind: "parsed",
        parse: parseAddress,
        inferEmpty: true,
        optional: true,
        brief:
          `Listen on this address (${DEFAULT_ADDRESS.hostname}:${DEFAULT_ADDRESS.port}), at /mcp`,
        placeholder: "[HOST:PORT]",
      },
      tokenFile: textFlag("File with the token that clients have to show", "FILE"),
      allowHost: listFlag("Name that requests may be for and come from", "NAME"),
      server: listFlag("Serve this server only", "NAME"),
      plain: switchFlag("Offer call_tool for agents that write no code"),
      concurrency: {
        ...textFlag("Programs that run at once, one a core up to 4 by default", "COUNT"),
        parse: (text: string) => parseCount(text, "Concurrency", 64),
      },
      cwd: textFlag("Folder whose project files count", "DIR"),
      install: textFlag("Write the entry of this client instead of serving", "CLIENT"),
      print: switchFlag("With --install: only print the entry"),
      yes: switchFlag("With --install: write without asking"),
      trust: switchFlag("Use servers of the project's files without asking"),
      serverTimeout: durationFlag("Deadline for connecting and for each call (30s and 60s)"),
      ...POLICY_FLAGS,
      ...LIMIT_FLAGS,
    },
  },
  async func(flags) {
    if (flags.install !== undefined) return await installEntry(this, flags.install, flags);
    for (const flag of ["print", "yes"] as const) {
      if (flags[flag]) throw new AppError("usage", `--${flag} goes with --install`);
    }
    const token = await readToken(this, flags);
    if (flags.http === undefined) {
      for (const flag of ["tokenFile", "allowHost"] as const) {
        if (flags[flag] === undefined) continue;
        const name = flag === "tokenFile" ? "--token-file" : "--allow-host";
        throw new AppError("usage", `${name} goes with --http`);
      }
    } else checkAddress(flags.http, token);
    const { http: address, ...others } = flags;
    const cwd = flags.cwd === undefined ? this.context.cwd : await realFolder(flags.cwd);
    const open = (cwd: string, keys?: SessionKeys) =>
      openIn({ ...this, context: { ...this.context, cwd } }, others, { token, keys });
    const serving = await open(cwd);
    try {
      if (address !== undefined) {
        return await serveAddress(this, serving, { ...flags, ...address, token });
      }
      // Where nothing was said, the client may know which project it is about.
      await serveStreams(this, serving, flags.cwd === undefined ? open : undefined);
    } finally {
      await serving.close();
    }
  },
});

async function installEntry(
  invocation: Invocation,
  client: string,
  { print, yes, cwd }: Flags,
): Promise<void> {
  const { context, output, log } = invocation;
  const { install, planInstallation, stableProgram } = await import("../serve_install.ts");
  const { command, args } = await stableProgram(context, {
    executable: Deno.execPath(),
    isStandalone: Deno.build.standalone,
    entry: pathOf(Deno.mainModule),
  });
  const folder = cwd === undefined ? [] : ["--cwd", await realFolder(cwd)];
  const program = { command, args: [...args, ...folder] };
  const plan = await planInstallation(context, { client, program });
  const { file, shownPath, entry, diff, direct } = plan;
  const isJson = output.format === "json";
  if (print) {
    if (isJson) output.document({ ok: true, client: file.client, file: shownPath, entry });
    else output.print(plan.alone.trimEnd());
    return;
  }
  if (diff.length > 0 && !yes) {
    if (context.confirm === undefined) {
      throw new AppError("usage", "Nothing was changed: nobody can be asked", {
        detail: diff,
        hint: "look at the change, then give --yes",
      });
    }
    context.writeError(`${diff.join("\n")}\n`);
    if (!await context.confirm("Change this file?")) {
      throw new AppError("usage", "Nothing was changed");
    }
  }
  const backup = diff.length === 0 ? undefined : await install(context, plan);
  const kept = backup && maskHome(backup, context.paths.home);
  if (isJson) {
    output.document({
      ok: true,
      client: file.client,
      file: shownPath,
      entry,
      changed: diff.length > 0,
      ...(kept !== undefined && { backup: kept }),
      direct,
    });
  } else {
    if (yes && diff.length > 0) output.print(diff.join("\n"));
    output.print(
      diff.length === 0
        ? `${file.title} has the entry already`
        : `${file.title} starts mcp-exec from now on; restart it`,
    );
    if (kept !== undefined) output.print(`What was there is kept in ${kept}`);
  }
  if (direct.length === 0) return;
  const names = direct.slice(0, 5).map((name) => quoteText(name)).join(", ");
  const rest = direct.length > 5 ? ` and ${direct.length - 5} more` : "";
  log.info(
    `${file.title} still loads every tool of ${names}${rest} itself: ` +
      `mcp-exec server import${direct.length === 1 ? ` ${direct[0]}` : ""} --move`,
  );
}

/** The working set for a project. */
async function openIn(
  invocation: Invocation,
  flags: Omit<Flags, "http">,
  { token, keys }: { readonly token: string | undefined; readonly keys: SessionKeys | undefined },
): Promise<Serving> {
  const servers = await openServers(invocation, flags);
  const only = flags.server?.map((name) => chooseServer(servers, name)({ adHoc: [] }));
  const { openServing } = await import("../serve_session.ts");
  return await openServing(invocation, servers, {
    limits: { ...DEFAULT_RUN_LIMITS, ...servers.config.limits, ...limitsOf(flags) },
    only,
    plain: flags.plain === true,
    concurrency: flags.concurrency ?? Math.min(navigator.hardwareConcurrency, MAX_WORKERS),
    secret: token,
    keys,
  });
}

/**
 * Serves one client until it closes our input, or we are told to end; with `open`, the project that
 * the client names, when it is another one.
 */
async function serveStreams(
  { context, log }: Invocation,
  serving: Serving,
  open: ((cwd: string, keys: SessionKeys) => Promise<Serving>) | undefined,
): Promise<void> {
  if (context.streams === undefined) throw new AppError("failure", "There is no standard input");
  const [{ serveStdio }, { StreamTransport }] = await Promise.all([
    import("@modelcontextprotocol/server/stdio"),
    import("../serve_stdio.ts"),
  ]);
  const session = serving.keys.issue();
  const transport = new StreamTransport(context.streams());
  let connected: McpServer | undefined;
  let moved: Promise<Serving | undefined> | undefined;
  serving.onToolsChanged(() => connected?.sendToolListChanged());
  const handle = serveStdio(
    serving.factory(() => ({ owner: session, session }), (server) => {
      connected = server;
      server.server.oninitialized = () => {
        if (open === undefined) return;
        moved ??= followRoots(server, { serving, open, cwd: context.cwd }).catch((error) => {
          log.debug(`Roots of the client are not used: ${toAppError(error).message}`);
          return undefined;
        });
      };
      serving.fill().catch(() => {});
    }),
    { transport },
  );
  const stop = () => void handle.close();
  context.signal.addEventListener("abort", stop, { once: true });
  if (context.signal.aborted) stop();
  await transport.closed;
  context.signal.removeEventListener("abort", stop);
  serving.endSession(session);
  await (await moved)?.close();
}

/** Goes on in the folder that a client names as its project; gives what was opened there. */
async function followRoots(
  { server }: McpServer,
  { serving, open, cwd }: {
    readonly serving: Serving;
    readonly open: (cwd: string, keys: SessionKeys) => Promise<Serving>;
    readonly cwd: string;
  },
): Promise<Serving | undefined> {
  if (server.getClientCapabilities()?.roots === undefined) return undefined;
  const { roots } = await server.listRoots(undefined, { timeout: ROOTS_MS });
  const root = roots.find(({ uri }) => uri.startsWith("file:///"));
  if (root === undefined) return undefined;
  const folder = await realFolder(pathOf(root.uri));
  if (folder === cwd) return undefined;
  const next = await open(folder, serving.keys);
  serving.follow(next);
  next.onToolsChanged(() => serving.follow(next));
  next.fill().catch(() => {});
  return next;
}

const ROOTS_MS = 5_000;

/** The path of a file URL. */
function pathOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname).replace(/^\/(?=[A-Za-z]:)/, "");
}

/** Listens until we are told to end. */
async function serveAddress(
  { context, log }: Invocation,
  serving: Serving,
  { hostname, port, token, allowHost }: Flags & Address & { readonly token: string | undefined },
): Promise<void> {
  const { serveHttp } = await import("../serve.ts");
  const server = startListening({ hostname, port }, () =>
    serveHttp({
      ...serving,
      hostname,
      port,
      token,
      hosts: allowHost ?? [],
      onEnd: serving.endSession,
    }));
  serving.onToolsChanged(server.toolsChanged);
  serving.fill().catch(() => {});
  log.info(`Serving at ${server.url}`);
  const { promise, resolve } = Promise.withResolvers<void>();
  context.signal.addEventListener("abort", () => resolve(), { once: true });
  if (context.signal.aborted) resolve();
  await promise;
  await server.close();
}

function startListening<Server>({ hostname, port }: Address, listen: () => Server): Server {
  try {
    return listen();
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new AppError("failure", `Address "${hostname}:${port}" is in use`, {
        hint: "name another port with --http HOST:PORT",
      });
    }
    throw error;
  }
}

function parseAddress(text: string): Address {
  if (text === "") return DEFAULT_ADDRESS;
  const [, hostname, port] = /^(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):)?(\d{1,5})$/.exec(text) ??
    [];
  if (port === undefined || Number(port) > 65_535) {
    throw new AppError("usage", `Address must look like 127.0.0.1:7337, got ${quoteText(text)}`);
  }
  return {
    hostname: hostname?.replace(/^\[|\]$/g, "") ?? DEFAULT_ADDRESS.hostname,
    port: Number(port),
  };
}

function checkAddress({ hostname }: Address, token: string | undefined): void {
  const isLocal = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(hostname);
  if (isLocal || token !== undefined) return;
  throw new AppError(
    "usage",
    `Address ${quoteText(hostname)} is open to others: it needs a token`,
    {
      hint: "give one with --token-file FILE or MCP_EXEC_SERVE_TOKEN",
    },
  );
}

const MIN_TOKEN_CHARS = 16;
const MAX_TOKEN_BYTES = 4_096;

async function readToken({ context }: Invocation, flags: Flags): Promise<string | undefined> {
  const { tokenFile } = flags;
  const fromVariable = context.env.get("MCP_EXEC_SERVE_TOKEN") || undefined;
  const token = tokenFile === undefined
    ? fromVariable
    : (await readTextFile(tokenFile, { maxBytes: MAX_TOKEN_BYTES })).trim();
  if (token === undefined || /^[\x21-\x7e]+$/.test(token) && token.length >= MIN_TOKEN_CHARS) {
    return token;
  }
  throw new AppError("usage", `Token must be ${MIN_TOKEN_CHARS} visible characters or more`, {
    hint: "make one with: openssl rand -hex 32",
  });
}

async function realFolder(path: string): Promise<string> {
  try {
    const real = await Deno.realPath(path);
    if ((await Deno.stat(real)).isDirectory) return real;
  } catch {
    // Said below.
  }
  throw new AppError("usage", `Folder ${quoteText(path)} of --cwd does not exist`);
}
