// deno-lint-ignore-file no-console
// A stdio MCP server whose results are not text alone, with resources and prompts.
//   deno run -A tests/servers/media.ts [bare]
// bare: the same without the capabilities of resources and prompts.

type Json = Record<string, unknown>;

const isBare = Deno.args.includes("bare");
const PNG = "iVBORw0KGgo=";
const picture = { type: "image", data: PNG, mimeType: "image/png" };
const content = (...blocks: unknown[]) => ({ content: blocks });
const text = (value: string) => ({ type: "text", text: value });

const tools: Record<string, (args: Json) => unknown> = {
  // Every kind of block.
  everything: () =>
    content(
      text("first"),
      { ...picture, annotations: { audience: ["user"] } },
      { type: "audio", data: "AAEC", mimeType: "audio/wav" },
      { type: "resource", resource: { uri: "mem:a", mimeType: "text/plain", text: "embedded" } },
      {
        type: "resource",
        resource: { uri: "mem:b", mimeType: "application/pdf", blob: "JVBERg==" },
      },
      { type: "resource_link", uri: "mem:c", name: "c" },
    ),
  picture: () => content(picture),
  // A picture beside structured content.
  mixed: () => ({ ...content(text("{}"), picture), structuredContent: { size: 8 } }),
  // `size` bytes of zeros as a picture.
  blob: ({ size }) =>
    content({
      type: "image",
      data: new Uint8Array(Number(size)).toBase64(),
      mimeType: "image/raw",
    }),
  text: ({ size }) => content(text("0123456789".repeat(Number(size) / 10))),
  structured: ({ size }) => ({
    ...content(),
    structuredContent: { text: "0123456789".repeat(Number(size) / 10) },
  }),
  fail: () => ({ ...content(text("No such page"), picture), isError: true }),
  broken: () => content({ type: "image", data: "*not base64*", mimeType: "image/png" }),
  // Gives back the result it is asked for.
  raw: ({ result }) => result,
  // How long a text is, and its start: what a tool got of a parameter.
  measure: ({ data }) => ({
    ...content(),
    structuredContent: {
      type: typeof data,
      length: String(data).length,
      start: String(data).slice(0, 40),
    },
  }),
};

const resources: Record<string, Json[]> = {
  "mem:text": [{ uri: "mem:text", mimeType: "text/plain", text: "hello" }],
  "mem:blob": [{ uri: "mem:blob", mimeType: "image/png", blob: PNG }],
  "mem:both": [{ uri: "mem:both/1", text: "one" }, { uri: "mem:both/2", blob: "AAE=" }],
  "mem:odd": ["no object"] as unknown as Json[],
};

function answer(method: string, params: Json): unknown {
  switch (method) {
    default:
      return undefined;
    case "initialize":
      return {
        protocolVersion: params["protocolVersion"],
        capabilities: { tools: {}, ...(isBare ? {} : { resources: {}, prompts: {} }) },
        serverInfo: { name: "media", version: "1" },
      };
    case "ping":
      return {};
    case "tools/list":
      return {
        tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: "object" } })),
      };
    case "tools/call":
      return tools[String(params["name"])]?.((params["arguments"] ?? {}) as Json);
    case "resources/list": {
      const names = Object.keys(resources);
      const start = Number(params["cursor"] ?? 0);
      return {
        resources: names.slice(start, start + 3).map((uri) => ({ uri, name: uri })),
        ...(start + 3 < names.length && { nextCursor: String(start + 3) }),
      };
    }
    case "resources/templates/list":
      return { resourceTemplates: [{ uriTemplate: "mem:{name}", name: "any" }] };
    case "resources/read":
      return resources[String(params["uri"])] && { contents: resources[String(params["uri"])] };
    case "prompts/get": {
      const { topic = "" } = (params["arguments"] ?? {}) as Json;
      if (params["name"] === "odd") return { messages: [{ role: "user" }] };
      return {
        description: "Asks about a topic.",
        messages: [
          { role: "user", content: text(`Tell me of ${topic}`) },
          { role: "user", content: picture },
        ],
      };
    }
  }
}

let rest = "";
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    const { id, method, params = {} } = JSON.parse(line);
    if (id === undefined) continue;
    const result = answer(method, params);
    const error = { code: -32602, message: `Nothing known of ${method}` };
    console.log(JSON.stringify({ jsonrpc: "2.0", id, ...(result ? { result } : { error }) }));
  }
}
