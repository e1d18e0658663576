// deno-lint-ignore-file no-console
// A well-behaved MCP server for tests, written without the SDK so that it starts fast.
//   deno run -A tests/servers/honest.ts [MODE] [--http PORT]
// On stdio without --http. With it (0 picks a port) the URL is the first line on stdout. Modes:
// plain (default); streamed (HTTP answers as event streams); sse (the oldest HTTP transport);
// modern (revision 2026-07-28 only, through the SDK); no-tools (a server without that capability).

type Json = Record<string, unknown>;
interface Message {
  id?: number | string;
  method?: string;
  params?: Json;
}
type Emit = (message: Json) => void;
interface Tool {
  definition: Json;
  call: (
    args: Json,
    call: { id: unknown; emit: Emit; meta: Json; signal: AbortSignal },
  ) => Promise<Json> | Json;
}

const text = (value: string): Json => ({ content: [{ type: "text", text: value }] });
const schema = (properties: Json = {}, required: string[] = Object.keys(properties)): Json => ({
  type: "object",
  properties,
  required,
});
const PAGE = 3;
// A black pixel.
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const cancelled: unknown[] = [];
let calls = 0;

const tools: Record<string, Tool> = {
  add_numbers: {
    definition: {
      title: "Add numbers",
      description: "Adds two numbers.",
      inputSchema: schema({
        a: { type: "number", description: "The first one." },
        b: { type: "number", description: "The second one." },
      }),
      outputSchema: schema({ sum: { type: "number" } }),
      annotations: { readOnlyHint: true },
    },
    call: ({ a, b }) => {
      const structuredContent = { sum: Number(a) + Number(b) };
      return { ...text(JSON.stringify(structuredContent)), structuredContent };
    },
  },
  cancelled: {
    definition: { description: "How many requests were withdrawn.", inputSchema: schema() },
    call: () => text(String(cancelled.length)),
  },
  count: {
    definition: { description: "How often this process was called.", inputSchema: schema() },
    call: () => text(String(calls)),
  },
  echo: {
    definition: {
      description: "Gives a text back.",
      inputSchema: schema({ text: { type: "string" }, times: { type: "integer", default: 1 } }, [
        "text",
      ]),
    },
    call: ({ text: value, times = 1 }) => text(String(value).repeat(Number(times))),
  },
  env: {
    definition: {
      description: "The names of this process's variables.",
      inputSchema: schema(),
    },
    call: () => text(JSON.stringify(Object.keys(Deno.env.toObject()).sort())),
  },
  fail: {
    definition: {
      description: "Always says that it failed.",
      inputSchema: schema({ reason: { type: "string" } }, []),
    },
    call: ({ reason = "it was asked to" }) => ({ ...text(`Failed: ${reason}`), isError: true }),
  },
  image: {
    definition: { description: "A picture of one pixel.", inputSchema: schema() },
    call: () => ({ content: [{ type: "image", data: PNG, mimeType: "image/png" }] }),
  },
  list_users: {
    definition: {
      description: "A list as JSON text.",
      inputSchema: schema({ limit: { type: "integer", minimum: 1 } }, []),
    },
    call: ({ limit = 2 }) =>
      text(JSON.stringify(
        Array.from({ length: Number(limit) }, (_, id) => ({ id, name: `user ${id}` })),
      )),
  },
  progress: {
    definition: {
      description: "Tells of its progress in steps.",
      inputSchema: schema({ steps: { type: "integer" } }),
    },
    call: ({ steps }, { emit, meta }) => {
      for (let step = 1; step <= Number(steps); step++) {
        const params = { progressToken: meta["progressToken"] ?? 0, progress: step, total: steps };
        emit({ jsonrpc: "2.0", method: "notifications/progress", params });
      }
      return text("done");
    },
  },
  wait: {
    definition: {
      description: "Answers after a while.",
      inputSchema: schema({ ms: { type: "integer", description: "Milliseconds." } }),
    },
    call: ({ ms }, { signal }) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(text(`waited ${ms}`)), Number(ms));
        signal.addEventListener("abort", () => {
          clearTimeout(timer);
          resolve(text("withdrawn"));
        });
      }),
  },
};

const definitions = Object.entries(tools).map(([name, { definition }]) => ({
  name,
  ...definition,
}));
const identity = { name: "honest", version: "1.2.3", title: "Honest server" };
const running = new Map<unknown, AbortController>();

async function answer(message: Message, emit: Emit, mode: string): Promise<Json | undefined> {
  const { id, method, params = {} } = message;
  if (method === "notifications/cancelled") {
    cancelled.push(params["requestId"]);
    running.get(params["requestId"])?.abort();
  }
  if (id === undefined || method === undefined) return undefined;
  const result = (value: Json) => ({ jsonrpc: "2.0", id, result: value });
  const error = (code: number, text: string) => ({
    jsonrpc: "2.0",
    id,
    error: { code, message: text },
  });
  switch (method) {
    case "initialize":
      return result({
        protocolVersion: params["protocolVersion"],
        capabilities: mode === "no-tools" ? {} : { tools: { listChanged: true } },
        serverInfo: identity,
        instructions: "Add numbers, and wait.",
      });
    case "ping":
      return result({});
    case "tools/list": {
      if (mode === "no-tools") return error(-32601, "Method not found");
      const start = Number(params["cursor"] ?? 0);
      const next = start + PAGE;
      return result({
        tools: definitions.slice(start, next),
        ...(next < definitions.length && { nextCursor: String(next) }),
      });
    }
    case "tools/call": {
      const tool = tools[String(params["name"])];
      if (tool === undefined) return error(-32602, `Unknown tool: ${params["name"]}`);
      calls++;
      const controller = new AbortController();
      running.set(id, controller);
      const meta = (params["_meta"] ?? {}) as Json;
      const args = (params["arguments"] ?? {}) as Json;
      const value = await tool.call(args, { id, emit, meta, signal: controller.signal });
      running.delete(id);
      return controller.signal.aborted ? undefined : result(value);
    }
    default:
      return error(-32601, "Method not found");
  }
}

async function serveStdio(mode: string): Promise<void> {
  console.error("honest: ready");
  const emit = (message: Json) => console.log(JSON.stringify(message));
  let rest = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      answer(JSON.parse(line), emit, mode).then((message) => message && emit(message));
    }
  }
}

function event(message: Json, type = "message"): Uint8Array {
  return new TextEncoder().encode(`event: ${type}\ndata: ${JSON.stringify(message)}\n\n`);
}

async function servePost(request: Request, mode: string): Promise<Response> {
  const url = new URL(request.url);
  if (url.pathname === "/moved") return Response.redirect(new URL("/mcp", url), 307);
  if (request.method === "DELETE") return new Response(null, { status: 200 });
  if (request.method !== "POST") return new Response("POST only", { status: 405 });
  const message: Message = await request.json();
  const isHello = message.method === "initialize";
  if (!isHello && request.headers.get("mcp-session-id") !== "session-1") {
    return new Response("No such session", { status: message.method === "ping" ? 404 : 400 });
  }
  const headers = { "mcp-session-id": "session-1" };
  if (mode !== "streamed" || message.id === undefined) {
    const reply = await answer(message, () => {}, mode);
    if (reply === undefined) return new Response(null, { status: 202, headers });
    return Response.json(reply, { headers });
  }
  const body = new ReadableStream({
    async start(controller) {
      const reply = await answer(message, (sent) => controller.enqueue(event(sent)), mode);
      controller.enqueue(event(reply!));
      controller.close();
    },
  });
  return new Response(body, { headers: { ...headers, "content-type": "text/event-stream" } });
}

function createSse(mode: string): (request: Request) => Promise<Response> {
  let send: Emit = () => {};
  return async (request) => {
    const path = new URL(request.url).pathname;
    if (request.method === "GET") {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode("event: endpoint\ndata: /post\n\n"));
          send = (message) => controller.enqueue(event(message));
        },
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    }
    if (path !== "/post") return new Response("Method not allowed", { status: 405 });
    const message: Message = await request.json();
    answer(message, send, mode).then((reply) => reply && send(reply));
    return new Response("Accepted", { status: 202 });
  };
}

async function createModern(): Promise<(request: Request) => Promise<Response>> {
  const sdk = await import("@modelcontextprotocol/server");
  const handler = sdk.createMcpHandler(() => {
    const server = new sdk.Server(identity, { capabilities: { tools: {} } });
    // deno-lint-ignore no-explicit-any
    const result = (value: unknown): any => value;
    server.setRequestHandler("tools/list", () => result({ tools: definitions }));
    server.setRequestHandler("tools/call", async ({ params }, context) => {
      const signal = context.mcpReq.signal;
      const call = { id: 0, emit: () => {}, meta: {}, signal };
      return result(await tools[params.name]!.call(params.arguments ?? {}, call));
    });
    return server;
  }, { legacy: "reject" });
  return (request) => handler.fetch(request);
}

if (import.meta.main) {
  const flag = Deno.args.indexOf("--http");
  const mode = Deno.args.find((arg, at) =>
    !arg.startsWith("--") && (flag < 0 || at !== flag + 1)
  ) ??
    "plain";
  if (flag < 0) {
    await serveStdio(mode);
  } else {
    const handler = mode === "modern"
      ? await createModern()
      : mode === "sse"
      ? createSse(mode)
      : (request: Request) => servePost(request, mode);
    Deno.serve({
      port: Number(Deno.args[flag + 1] ?? 0),
      hostname: "127.0.0.1",
      onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/mcp`),
    }, handler);
  }
}
