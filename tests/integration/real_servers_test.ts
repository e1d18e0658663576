import { deepStrictEqual as equal, ok } from "node:assert/strict";
import { makePlace } from "./program.ts";

const EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31";
const FILESYSTEM = "@modelcontextprotocol/server-filesystem@2026.8.31";
const MEMORY = "@modelcontextprotocol/server-memory@2026.8.31";

// The first start of a package downloads it.
const PATIENCE = ["--server-timeout", "3m"];

interface Listing {
  readonly server: { readonly identity: { readonly name: string } };
  readonly tools: readonly { readonly name: string }[];
}

/** The names a server lists, asked without any of our code: plain lines of JSON-RPC. */
async function askForTools(command: readonly string[], folder: string): Promise<string[]> {
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    cwd: folder,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const stdin = child.stdin.getWriter();
  const send = (message: unknown) =>
    stdin.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  const names: string[] = [];
  let buffer = "";
  const decoder = new TextDecoder();
  await send({
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "test", version: "1" },
    },
  });
  reading: for await (const chunk of child.stdout) {
    buffer += decoder.decode(chunk, { stream: true });
    for (let cut = buffer.indexOf("\n"); cut >= 0; cut = buffer.indexOf("\n")) {
      const line = buffer.slice(0, cut).trim();
      buffer = buffer.slice(cut + 1);
      if (!line.startsWith("{")) continue;
      const message = JSON.parse(line);
      if (message.id === 0) {
        await send({ jsonrpc: "2.0", method: "notifications/initialized" });
        await send({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
      } else if (message.id === 1) {
        names.push(...message.result.tools.map((tool: { name: string }) => tool.name));
        break reading;
      }
    }
  }
  await stdin.close().catch(() => {});
  // A server that was started by npx ends when its input does.
  await child.status;
  return names.sort();
}

for (
  const [title, words] of [
    ["server-everything", [EVERYTHING, "stdio"]],
    ["server-filesystem", [FILESYSTEM, "."]],
    ["server-memory", [MEMORY]],
  ] as const
) {
  Deno.test(`introspect lists every tool of ${title}`, async () => {
    await using place = await makePlace();
    const command = ["npx", "-y", ...words];
    const ended = await place.run(
      ...["introspect", "--format", "json", "--stdio", command.join(" "), ...PATIENCE],
    );
    equal(ended.code, 0, ended.error);
    const listing = JSON.parse(ended.out) as Listing;
    const expected = await askForTools(command, place.folder);
    ok(expected.length >= 9, `${title} itself lists ${expected.length} tools`);
    equal(listing.tools.map((tool) => tool.name).sort(), expected);
  });
}

Deno.test("introspect and call reach server-everything over Streamable HTTP", async () => {
  await using place = await makePlace();
  const port = freePort();
  await using server = await startHttpServer(place.folder, port);
  const listed = await place.run("introspect", "--format", "json", "--http", server.url);
  equal(listed.code, 0, listed.error);
  ok((JSON.parse(listed.out) as Listing).tools.some((tool) => tool.name === "echo"));
  const called = await place.run("call", "echo", "message=over http", "--http", server.url);
  equal(called.code, 0, called.error);
  equal(called.out.trim(), "Echo: over http");
});

Deno.test("execute reaches pictures, resources and prompts of server-everything", async () => {
  await using place = await makePlace();
  const everything = ["--stdio", `everything=npx -y ${EVERYTHING} stdio`, ...PATIENCE];
  await place.write(
    "media.ts",
    `import { callTool, getPrompt, listResources, readResource } from "mcp:host";
     const blocks = await callTool("everything", "get-tiny-image");
     const { resources } = await listResources("everything");
     const [blob] = await readResource("everything", "demo://resource/dynamic/blob/1");
     const { messages } = await getPrompt("everything", "simple-prompt");
     const { handle, mimeType } = blocks.find(({ type }) => type === "image");
     const echo = await callTool("everything", "echo", { message: { $handle: handle } });
     export default { handle, mimeType, resources: resources.length, blob: blob.bytes,
       messages: messages.length, echo: echo.length };`,
  );
  const ran = await place.run("execute", "media.ts", ...everything);
  equal(ran.code, 0, ran.error);
  const { handle, mimeType, resources, blob, messages, echo } = JSON.parse(ran.out);
  equal([mimeType, messages], ["image/png", 1]);
  ok(resources > 0 && blob > 0);
  const written = await place.run("result", handle, "--output", "picture.png");
  equal(written.code, 0, written.error);
  const picture = await Deno.readFile(`${place.folder}/picture.png`);
  equal([...picture.subarray(1, 4)], [0x50, 0x4e, 0x47]);
  equal(echo, `Echo: ${picture.toBase64()}`.length);
});

Deno.test("execute joins memory and filesystem and returns a small object", async () => {
  await using place = await makePlace();
  await Deno.mkdir(`${place.folder}/notes`);
  for (let number = 1; number <= 12; number++) {
    const status = number % 3 === 0 ? "open" : "done";
    await place.write(`notes/note-${number}.txt`, `status: ${status}\n${"text ".repeat(400)}`);
  }
  await Deno.mkdir(`${place.folder}/config/mcp-exec`, { recursive: true });
  await place.write(
    "config/mcp-exec/config.json",
    JSON.stringify({
      mcpServers: {
        files: { command: "npx", args: ["-y", FILESYSTEM, `${place.folder}/notes`], timeout: "3m" },
        memory: {
          command: "npx",
          args: ["-y", MEMORY],
          env: { MEMORY_FILE_PATH: `${place.folder}/memory.jsonl` },
          timeout: "3m",
        },
      },
    }),
  );
  await place.write("program.ts", PROGRAM);
  const folder = JSON.stringify({ folder: `${place.folder}/notes` });
  const ended = await place.run("execute", "program.ts", "--args", folder, "--format", "json");
  equal(ended.code, 0, ended.error + ended.out);
  const report = JSON.parse(ended.out);
  equal(report.result, {
    open: ["note-12.txt", "note-3.txt", "note-6.txt", "note-9.txt"],
    remembered: 4,
    observations: ["is open"],
  });
  // One listing, twelve files in parallel, one write, one read.
  equal(report.calls.length, 15);
  ok((await Deno.readTextFile(`${place.folder}/memory.jsonl`)).includes("note-12.txt"));
});

const PROGRAM = `
import { listDirectory, readTextFile } from "mcp:files";
import { createEntities, readGraph } from "mcp:memory";

interface Graph { entities: { name: string; entityType: string; observations: string[] }[] }

function textOf(value: unknown): string {
  return typeof value === "string" ? value : (value as { content: string }).content;
}

export default async function ({ folder }: { folder: string }) {
  const names = textOf(await listDirectory({ path: folder }))
    .split("\\n").map((line) => line.replace("[FILE] ", "").trim()).filter(Boolean).sort();
  const texts = await Promise.all(names.map((name) => readTextFile({ path: folder + "/" + name })));
  const open = names.filter((_, index) => textOf(texts[index]).startsWith("status: open"));
  await createEntities({
    entities: open.map((name) => ({ name, entityType: "note", observations: ["is open"] })),
  });
  const graph = await readGraph({}) as Graph;
  const notes = graph.entities.filter((entity) => entity.entityType === "note");
  return { open, remembered: notes.length, observations: [...new Set(notes.flatMap((n) => n.observations))] };
}
`;

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = listener.addr.port;
  listener.close();
  return port;
}

async function startHttpServer(folder: string, port: number) {
  const child = new Deno.Command("npx", {
    args: ["-y", EVERYTHING, "streamableHttp"],
    cwd: folder,
    env: { PORT: String(port) },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  const server = {
    url: `http://127.0.0.1:${port}/mcp`,
    async [Symbol.asyncDispose]() {
      if (!hasEnded) Deno.kill(-child.pid, "SIGKILL");
      await child.status;
    },
  };
  // As long as the first start of a package may take elsewhere.
  for (let attempt = 0; attempt < 900 && !hasEnded; attempt++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return server;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  await server[Symbol.asyncDispose]();
  throw new Error(hasEnded ? "The server has ended" : `Nothing listens on port ${port}`);
}
