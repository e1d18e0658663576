// A served working set for tests and benches: in this process over pairs of streams or through the
// HTTP gate, or as a process of its own. Clients are the SDK's.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { loadEngineFiles } from "../src/asset.ts";
import { EMPTY_CONFIG } from "../src/config.ts";
import type { Context } from "../src/context.ts";
import { openDemoServer } from "../src/demo_server.ts";
import { DEFAULT_RUN_LIMITS } from "../src/limits.ts";
import { createLog } from "../src/log.ts";
import type { ServerName } from "../src/names.ts";
import type { PolicyLayer } from "../src/policy.ts";
import { createGate, type HttpGate } from "../src/serve.ts";
import { openServing, type ServeOptions, type Serving } from "../src/serve_session.ts";
import { type ByteStreams, StreamTransport } from "../src/serve_stdio.ts";
import type { ServerSpec, StdioSpec } from "../src/server.ts";
import { PROGRAM } from "./specs/run.ts";

/** How a client reaches the server. */
export const WAYS = ["stdio", "http of 2025", "http of 2026"] as const;
export type Way = (typeof WAYS)[number];

/** What a tool gave. */
export interface Given {
  readonly text: string;
  readonly blocks: readonly { type: string; text?: string; mimeType?: string; data?: string }[];
  // deno-lint-ignore no-explicit-any -- tests look into it as they please
  readonly data: any;
  readonly isError: boolean;
}

export interface CallSetup {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: { progress: number; message?: string }) => void;
  readonly meta?: Record<string, unknown>;
}

/** A client with the calls that tests make. */
export interface Connected {
  readonly client: Client;
  call(name: string, args: Record<string, unknown>, setup?: CallSetup): Promise<Given>;
  /** What a program gives; what went wrong is thrown. */
  // deno-lint-ignore no-explicit-any
  run(code: string, more?: Record<string, unknown>, setup?: CallSetup): Promise<any>;
  close(): Promise<void>;
}

export interface Served {
  readonly serving: Serving;
  readonly gate: HttpGate;
  readonly folder: string;
  /** All that was logged. */
  shown(): string;
  connect(way: Way): Promise<Connected>;
}

/** A fixture server as a process. */
export function fixtureSpec(file: string, args: readonly string[] = [], name = file): StdioSpec {
  return {
    transport: "stdio",
    name: name as ServerName,
    origin: "user",
    command: Deno.execPath(),
    args: [
      "run",
      "--allow-all",
      "--no-lock",
      new URL(`servers/${file}.ts`, import.meta.url).pathname,
      ...args,
    ],
    env: {},
  };
}

/** The built-in server. */
export const DEMO: ServerSpec = {
  transport: "embedded",
  name: "demo" as ServerName,
  origin: "built-in",
  open: openDemoServer,
};

export interface ServeSetup extends Partial<ServeOptions> {
  readonly specs?: readonly ServerSpec[];
  readonly token?: string;
  readonly hosts?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly policy?: readonly PolicyLayer[];
  readonly now?: () => number;
}

/** Runs `work` with a served demo server, or with `specs`. */
export async function withServing(
  work: (served: Served) => Promise<void>,
  { specs = [DEMO], token, hosts = [], env = {}, policy = [], now = Date.now, ...options }:
    ServeSetup = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "mcp-exec-serve-" });
  const variables: Record<string, string> = {
    PATH: Deno.env.get("PATH") ?? "",
    HOME: Deno.env.get("HOME") ?? "",
    ...env,
  };
  const context: Context = {
    args: [],
    env: { get: (name) => variables[name], toObject: () => variables },
    cwd: folder,
    platform: "linux",
    // Everything is kept in memory.
    paths: { home: undefined, config: `${folder}/config`, data: undefined },
    writeOut: () => true,
    writeError: () => {},
    readInput: () => Promise.resolve(new Uint8Array()),
    isTerminal: { in: false, out: false, error: false },
    columns: 80,
    signal: new AbortController().signal,
    now,
  };
  await loadEngineFiles(); // what loads on its own would outlast a test that runs no program
  let shown = "";
  const log = createLog((text) => shown += text);
  const serving = await openServing({ context, log }, {
    specs: new Map(specs.map((spec) => [spec.name, spec])),
    adHoc: [],
    unnamed: new Set(),
    unusable: new Map(),
    found: [],
    config: EMPTY_CONFIG,
    policy,
  }, {
    limits: DEFAULT_RUN_LIMITS,
    concurrency: 2,
    plain: true,
    ...(token !== undefined && { secret: token }),
    ...options,
  });
  const gate = createGate({ ...serving, token, hosts, onEnd: serving.endSession });
  serving.onToolsChanged(gate.toolsChanged);
  const open: Connected[] = [];
  let ports = 1000;
  try {
    await work({
      serving,
      gate,
      folder,
      shown: () => shown,
      async connect(way) {
        const owner = `127.0.0.1:${ports++}`;
        const connected = way === "stdio"
          ? await connectStreams(serving)
          : await connectGate(gate, { owner, token, isModern: way === "http of 2026" });
        open.push(connected);
        return connected;
      },
    });
  } finally {
    for (const connected of open) await connected.close();
    await gate.close();
    await serving.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function connectStreams(serving: Serving): Promise<Connected> {
  const [up, down] = [pipe(), pipe()];
  const session = serving.keys.issue();
  const transport = new StreamTransport({ input: up.readable, output: down.writable });
  let server: { sendToolListChanged(): void } | undefined;
  serving.onToolsChanged(() => server?.sendToolListChanged());
  const handle = serveStdio(
    serving.factory(() => ({ owner: session, session }), (made) => server = made),
    { transport },
  );
  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StreamTransport({ input: down.readable, output: up.writable }));
  return connectedTo(client, async () => {
    await client.close();
    await up.writable.close().catch(() => {});
    await handle.close();
    serving.endSession(session);
  });
}

function pipe(): ByteStreamsPair {
  return new TransformStream<Uint8Array, Uint8Array>();
}

type ByteStreamsPair = {
  readonly readable: ByteStreams["input"];
  readonly writable: ByteStreams["output"];
};

async function connectGate(
  gate: HttpGate,
  { owner, token, isModern }: {
    readonly owner: string;
    readonly token: string | undefined;
    readonly isModern: boolean;
  },
): Promise<Connected> {
  const transport = new StreamableHTTPClientTransport(new URL("http://127.0.0.1:1/mcp"), {
    fetch: async (url, init) => {
      const { signal, ...rest } = init ?? {};
      const request = new Request(url, rest);
      request.headers.set("host", "127.0.0.1:1");
      const response = await gate.answer(request, owner);
      return leaving(response, signal ?? undefined);
    },
    ...(token !== undefined && {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
  });
  const client = new Client({ name: "test", version: "1" }, {
    ...(isModern && { versionNegotiation: { mode: "auto" } }),
  });
  await client.connect(transport);
  return connectedTo(client, () => client.close());
}

// What the network does: a client that goes away cancels the body.
function leaving(response: Response, signal: AbortSignal | undefined): Response {
  if (response.body === null || signal === undefined) return response;
  const reader = response.body.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await reader.read();
      if (!done) return controller.enqueue(value);
      signal.removeEventListener("abort", stop);
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

/** A client with the calls that tests make. */
export function connectedTo(client: Client, close: () => Promise<void>): Connected {
  const call: Connected["call"] = async (name, args, { meta, ...options } = {}) => {
    const params = { name, arguments: args, ...(meta && { _meta: meta }) };
    // deno-lint-ignore no-explicit-any
    const result: any = await client.callTool(params, { timeout: 120_000, ...options } as any);
    return {
      text: result.content.map((block: { text?: string }) => block.text ?? "").join("\n"),
      blocks: result.content,
      data: result.structuredContent,
      isError: result.isError === true,
    };
  };
  return {
    client,
    call,
    async run(code, more = {}, setup) {
      const given = await call("execute_code", { code, ...more }, setup);
      if (given.isError) throw new Error(given.text);
      return given.data.value;
    },
    close,
  };
}

/** A process that serves, in a folder of its own. */
export interface ServeProcess {
  readonly child: Deno.ChildProcess;
  readonly folder: string;
  /** Ends it and gives its exit code and what it wrote to stderr. */
  end(how?: "stdin" | Deno.Signal): Promise<{ code: number; stderr: string }>;
}

/** Starts `serve` with `args` for a person with this configuration. */
export function startServe(
  args: readonly string[],
  { folder, env }: { readonly folder: string; readonly env: Readonly<Record<string, string>> },
): ServeProcess {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...PROGRAM, "serve", ...args],
    cwd: folder,
    env,
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return {
    child,
    folder,
    async end(how = "stdin") {
      const errors = child.stderr.locked ? Promise.resolve("") : new Response(child.stderr).text();
      if (how === "stdin") await child.stdin.close().catch(() => {});
      else child.kill(how);
      const { code } = await child.status;
      if (how !== "stdin") await child.stdin.close().catch(() => {});
      if (!child.stdout.locked) await child.stdout.cancel();
      return { code, stderr: await errors };
    },
  };
}
