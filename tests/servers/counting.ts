// deno-lint-ignore-file no-console
// An MCP server on stdio that counts, for tests of who starts, asks and withdraws how often.
//   deno run -A tests/servers/counting.ts STARTS_FILE [fail-first-list | no-gate | upgrade] [ARGUMENT]...
// Each start adds a line to STARTS_FILE. `fail-first-list` refuses the first tools/list; `no-gate`
// leaves out the tool `gate`; `upgrade` is another version at each start.

type Json = Record<string, unknown>;

const [startsFile = "/dev/null", mode = ""] = Deno.args;
Deno.writeTextFileSync(startsFile, `${Deno.pid}\n`, { append: true });
const starts = Deno.readTextFileSync(startsFile).split("\n").length - 1;

const counts = { lists: 0, calls: 0, underWay: 0, peak: 0, cancelled: 0 };
/** Calls that were taken and are not answered yet. */
const held = new Set<unknown>();
let gate: { id: unknown; open: () => void }[] = [];

const answer = (id: unknown, result: Json) => print({ jsonrpc: "2.0", id, result });
const notify = (method: string, params: Json) => print({ jsonrpc: "2.0", method, params });
const structured = (value: Json): Json => ({
  content: [{ type: "text", text: JSON.stringify(value) }],
  structuredContent: value,
});

function print(message: Json): void {
  let rest = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
  while (rest.length > 0) rest = rest.subarray(Deno.stdout.writeSync(rest));
}

/** Gives a call's result, or undefined when it is never answered. */
type Tool = (params: Json, id: unknown, meta: Json) => Json | undefined | Promise<Json>;
const tools: Record<string, Tool> = {
  // The process and its counts.
  state: () => structured({ pid: Deno.pid, ...counts }),
  // What the process was started with.
  start: () => structured({ args: Deno.args, names: Object.keys(Deno.env.toObject()).sort() }),
  // Answers when `size` calls of it are under way at once.
  gate: ({ size }, id) =>
    new Promise((resolve) => {
      gate.push({ id, open: () => resolve(structured({ ...counts })) });
      if (gate.length < Number(size)) return;
      for (const { open } of gate) open();
      gate = [];
    }),
  // Never answers, and adds a dot to STARTS_FILE.held.
  hold: () => {
    Deno.writeTextFileSync(`${startsFile}.held`, ".", { append: true });
    return undefined;
  },
  // Answers once there is a file `path`.
  until: async ({ path }) => {
    while (!await Deno.stat(String(path)).then(() => true, () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return { content: [{ type: "text", text: "it is there" }] };
  },
  // Ends in the middle of its answer.
  crash: (_, id) => {
    console.error("counting: about to crash");
    Deno.stdout.writeSync(new TextEncoder().encode(`{"jsonrpc":"2.0","id":${id},"result":{"co`));
    Deno.exit(9);
  },
  // Answers with `result` as it is.
  raw: ({ result }) => result as Json,
  // A text of `count` times `text`.
  large: ({ text, count }) => ({
    content: [{ type: "text", text: String(text).repeat(Number(count)) }],
  }),
  "far.away": () => structured({}),
  // Answers with `value`, whatever it has promised.
  promise: ({ value }) => structured(value as Json),
  // Tells of its progress `steps` times and writes as much to its log, then answers.
  tell: ({ steps, text }, _, meta) => {
    for (let step = 1; step <= Number(steps); step++) {
      const progress = { progressToken: meta["progressToken"] ?? 0, progress: step, total: steps };
      notify("notifications/progress", { ...progress, message: text });
      notify("notifications/message", { level: "warning", logger: "disk", data: { step, text } });
    }
    return structured({ level: logLevel, asked: meta["progressToken"] !== undefined });
  },
  // Sends the notification `count` times; with `atPing` in front of the answer to the next ping.
  announce: ({ count, atPing }) => {
    const tell = () => {
      for (let at = 0; at < Number(count); at++) notify("notifications/tools/list_changed", {});
    };
    if (atPing === true) beforePong = tell;
    else tell();
    return structured({});
  },
  // From now on `promise` promises something else, of which the server tells.
  redefine: ({ schema, rename }) => {
    promised = schema as Json;
    if (rename === true) {
      tools["far_away"] = tools["far.away"]!;
      delete tools["far.away"];
    }
    notify("notifications/tools/list_changed", {});
    return structured({});
  },
};
let logLevel = "none";
let beforePong = () => {};
let promised: Json = { type: "object", properties: { n: { type: "number" } } };
const HINTS: Record<string, Json> = {
  state: { readOnlyHint: true },
  redefine: { destructiveHint: true },
};

async function call(id: unknown, params: Json): Promise<void> {
  const tool = tools[String(params["name"])];
  if (tool === undefined) {
    print({ jsonrpc: "2.0", id, error: { code: -32602, message: "No such tool" } });
    return;
  }
  counts.calls++;
  held.add(id);
  counts.underWay = held.size;
  counts.peak = Math.max(counts.peak, held.size);
  const meta = (params["_meta"] ?? {}) as Json;
  const result = await tool((params["arguments"] ?? {}) as Json, id, meta);
  if (result === undefined) return;
  held.delete(id);
  counts.underWay = held.size;
  answer(id, result);
}

function list(id: unknown): void {
  counts.lists++;
  if (mode === "fail-first-list" && counts.lists === 1) {
    print({ jsonrpc: "2.0", id, error: { code: -32603, message: "Not yet" } });
    return;
  }
  const names = Object.keys(tools).filter((name) => mode !== "no-gate" || name !== "gate");
  answer(id, {
    tools: names.map((name) => ({
      name,
      inputSchema: { type: "object" },
      ...(name === "promise" && { outputSchema: promised }),
      ...(HINTS[name] && { annotations: HINTS[name] }),
    })),
  });
}

function take({ id, method, params = {} }: { id?: unknown; method?: string; params?: Json }): void {
  if (method === "initialize") {
    answer(id, {
      protocolVersion: params["protocolVersion"],
      capabilities: { tools: {}, logging: {} },
      serverInfo: { name: "Counting server", version: `1.0.${mode === "upgrade" ? starts : 0}` },
    });
  } else if (method === "tools/list") list(id);
  else if (method === "tools/call") call(id, params);
  else if (method === "logging/setLevel") {
    logLevel = String(params["level"]);
    answer(id, {});
  } else if (method === "ping") {
    beforePong();
    beforePong = () => {};
    answer(id, {});
  } else if (method === "notifications/cancelled") {
    counts.cancelled++;
    held.delete(params["requestId"]);
    counts.underWay = held.size;
  } else if (id !== undefined) answer(id, {});
}

let rest = "";
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop()!;
  for (const line of lines) take(JSON.parse(line));
}
