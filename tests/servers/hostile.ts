// deno-lint-ignore-file no-console
// An MCP server that misbehaves in one way a mode, for tests; hostile_modes.ts says in which.
//   deno run -A tests/servers/hostile.ts MODE [--http PORT]
// On stdio without --http. With it (0 picks a port) the URL is the first line on stdout; where MODE
// is "all", the path says which. What it is asked goes to the file that NOTES, or `notes` in the
// query, names: a word a line.

import { hello, HTTP_MODES, type Message, type Mode, MODES, type Peer } from "./hostile_modes.ts";

const encoder = new TextEncoder();
const line = (text: string) => `${text}\n`;
const event = (text: string) => `data: ${text}\n\n`;
const never = () => new Promise<undefined>(() => setInterval(() => {}, 60_000));

function noting(file: string | null | undefined): (word: string) => void {
  return (word) => {
    if (file) Deno.writeTextFileSync(file, `${word}\n`, { append: true });
  };
}

/** Takes one message; what the mode has no part for is answered as a proper server would. */
async function handle(message: Message, mode: Mode, peer: Peer): Promise<void> {
  const { id, method, params = {} } = message;
  if (method === undefined) return mode.answered?.(message);
  peer.note(method === "tools/call" ? `tools/call ${params["name"]}` : method);
  if (method === "notifications/initialized") await mode.initialized?.(peer);
  if (id === undefined) return;
  const result = method === "initialize"
    ? await (mode.initialize ?? hello)(params, peer)
    : method === "tools/list"
    ? await (mode.list ?? tools)(params, peer)
    : method === "tools/call"
    ? await (mode.call ?? called)(params, peer)
    : {};
  if (result === undefined) return peer.withhold();
  const body = "error" in result ? result : { result };
  await (mode.write ?? peer.line)(JSON.stringify({ jsonrpc: "2.0", id, ...body }), peer);
}

const tools = () => ({
  tools: [{ name: "call", description: "A tool.", inputSchema: { type: "object" } }],
});
const called = () => ({ content: [{ type: "text", text: "called" }] });

async function serveStdio(mode: Mode): Promise<void> {
  const note = noting(Deno.env.get("NOTES"));
  const print = (data: string | Uint8Array) => {
    let rest = typeof data === "string" ? encoder.encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
  };
  const peerOf = (id: unknown): Peer => ({
    id,
    note,
    print,
    frame: line,
    line: (text) => print(line(text)),
    send: (message) => print(line(JSON.stringify({ jsonrpc: "2.0", ...message }))),
    end: (code) => Deno.exit(code),
    withhold() {},
  });
  note("start");
  await mode.start?.(peerOf(null));
  let rest = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    // Not one after the other: a mode may wait for another message.
    for (const line of lines) {
      const message = JSON.parse(line);
      handle(message, mode, peerOf(message.id ?? null));
    }
    if (mode.isDeaf && lines.some((line) => line.includes("notifications/initialized"))) {
      await never();
    }
  }
  await mode.end?.();
  Deno.exit(0);
}

interface Served {
  readonly mode: Mode;
  readonly note: (word: string) => void;
  isGone?: boolean;
}

const EVENTS = { headers: { "content-type": "text/event-stream" } };

/** One request of a mode over HTTP: an event stream, closed when the answer has been written. */
async function answerHttp(
  message: Message,
  served: Served,
): Promise<Response> {
  const { mode, note } = served;
  if (served.isGone) return new Response("Session not found", { status: 404 });
  if (message.method === undefined || message.id === undefined) {
    const end = () => void (served.isGone = true);
    await handle(message, mode, { note, end } as unknown as Peer);
    return new Response(null, { status: 202 });
  }
  let stream: ReadableStreamDefaultController<Uint8Array>;
  let pull = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (stream = controller),
    pull: () => pull.resolve(),
    cancel: () => {
      gone = true;
      pull.resolve();
    },
  });
  let gone = false;
  const print = (data: string | Uint8Array) => {
    if (gone) return;
    stream.enqueue(typeof data === "string" ? encoder.encode(data) : data);
  };
  const end = () => {
    if (!gone) stream.close();
    gone = true;
  };
  const peer: Peer = {
    id: message.id,
    note,
    print,
    frame: event,
    line: (text) => print(event(text)),
    send: (sent) => print(event(JSON.stringify({ jsonrpc: "2.0", ...sent }))),
    end,
    withhold() {
      withheld = true;
    },
    async drained() {
      pull = Promise.withResolvers();
      if (!gone) await pull.promise;
      return !gone;
    },
  };
  let withheld = false;
  handle(message, mode, peer).then(() => withheld || end(), () => end());
  return new Response(body, EVENTS);
}

function serveHttp(only: string, port: number): void {
  const modes = new Map<string, Served>();
  Deno.serve({
    port,
    hostname: "127.0.0.1",
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/mcp`),
    onError: (error) => new Response(String(error), { status: 500 }),
  }, async (request) => {
    const url = new URL(request.url);
    const name = only === "all" ? url.pathname.slice(1) : only;
    const note = noting(url.searchParams.get("notes"));
    const message: Message = request.method === "POST" ? await request.json() : {};
    if (Object.hasOwn(HTTP_MODES, name)) {
      note(`${request.method} ${message.method ?? ""}`.trim());
      return await HTTP_MODES[name]!(request, message);
    }
    if (!Object.hasOwn(MODES, name)) return new Response("No such mode", { status: 404 });
    if (request.method !== "POST") return new Response(null, { status: 405 });
    // The question of the newest era; these speak the one before it.
    if (message.method === "server/discover") return new Response("Bad request", { status: 400 });
    // A mode may remember what happened; every address is a server of its own.
    const kept = modes.get(url.href) ?? { mode: MODES[name]!(), note };
    modes.set(url.href, kept);
    return await answerHttp(message, kept);
  });
}

if (import.meta.main) {
  const [name = "", flag, port] = Deno.args;
  const isHttp = flag === "--http";
  if (isHttp ? name !== "all" && !isKnown(name, true) : !isKnown(name, false)) {
    console.error(`Unknown mode: wanted one of ${Object.keys(MODES).join(", ")}`);
    Deno.exit(2);
  }
  if (isHttp) serveHttp(name, Number(port ?? 0));
  else await serveStdio(MODES[name]!());
}

function isKnown(name: string, http: boolean): boolean {
  return Object.hasOwn(MODES, name) || (http && Object.hasOwn(HTTP_MODES, name));
}
