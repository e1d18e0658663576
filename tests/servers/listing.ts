// An MCP server on stdio whose tools stand in a file, for tests of what is generated from them.
//   deno run -A tests/servers/listing.ts LISTING_FILE STARTS_FILE
// The file holds {"version": "...", "tools": [...]} and is read at each start, which adds a line to
// STARTS_FILE. A call gives back the tool's name and its arguments.

type Json = Record<string, unknown>;

const [listingFile = "", startsFile = ""] = Deno.args;
Deno.writeTextFileSync(startsFile, `${Deno.pid}\n`, { append: true });
const { version, tools } = JSON.parse(Deno.readTextFileSync(listingFile));

function resultOf(method: string, params: Json): Json {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: params["protocolVersion"],
        capabilities: { tools: {} },
        serverInfo: { name: "Listing server", version },
      };
    case "tools/list":
      return { tools };
    case "tools/call": {
      const text = JSON.stringify({ tool: params["name"], params: params["arguments"] });
      return { content: [{ type: "text", text }] };
    }
    default:
      return {};
  }
}

let rest = "";
for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    const { id, method, params = {} } = JSON.parse(line);
    if (id === undefined) continue;
    const answer = `${JSON.stringify({ jsonrpc: "2.0", id, result: resultOf(method, params) })}\n`;
    let bytes = new TextEncoder().encode(answer);
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
  }
}
