// `serve` as a process, started as clients start it.

import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StreamTransport } from "../src/serve_stdio.ts";
import { eventually } from "./eventually.ts";
import { connectedTo, type ServeProcess, startServe } from "./serve_fixture.ts";
import { endProcess, freshPlace, processesIn, PROGRAM, serverCommand } from "./specs/run.ts";

/** A folder of its own, where nothing is left running. */
interface Place {
  readonly folder: string;
  readonly env: Record<string, string>;
  serve(args: readonly string[]): ServeProcess;
}

async function inPlace(work: (place: Place) => Promise<void>): Promise<void> {
  const fresh = await freshPlace();
  const children: Deno.ChildProcess[] = [];
  const place: Place = {
    ...fresh,
    serve(args) {
      const served = startServe(args, fresh);
      children.push(served.child);
      return served;
    },
  };
  const [command, ...args] = serverCommand("honest").split(" ");
  await Deno.mkdir(`${place.env["XDG_CONFIG_HOME"]}/mcp-exec`, { recursive: true });
  await Deno.writeTextFile(
    `${place.env["XDG_CONFIG_HOME"]}/mcp-exec/config.json`,
    JSON.stringify({ mcpServers: { honest: { command, args } } }),
  );
  try {
    await work(place);
    assert.deepEqual(await processesIn(place.folder), []);
  } finally {
    for (const child of children) await endProcess(child);
    await Deno.remove(place.folder.replace(/\/work$/, ""), { recursive: true });
  }
}

/** Reads whole lines of JSON until `count` came. */
async function readMessages(stream: ReadableStream<Uint8Array>, count: number) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  // deno-lint-ignore no-explicit-any
  const messages: any[] = [];
  let rest = "";
  while (messages.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop()!;
    messages.push(...lines.map((line) => JSON.parse(line)));
  }
  await reader.cancel();
  return messages;
}

Deno.test("serve on stdio answers what was asked before its input ended", async () => {
  await inPlace(async (place) => {
    const served = place.serve([]);
    const reading = new Response(served.child.stdout).text();
    const writer = served.child.stdin.getWriter();
    const requests = [
      { id: 1, method: "tools/list" },
      {
        id: 2,
        method: "tools/call",
        params: {
          name: "execute_code",
          arguments: { code: `return await callTool("honest", "wait", { ms: 1500 })` },
        },
      },
    ].map((request) => `${JSON.stringify({ jsonrpc: "2.0", ...request })}\n`);
    await writer.write(new TextEncoder().encode(requests.join("")));
    await writer.close();
    const answers = (await reading).trim().split("\n").map((line) => JSON.parse(line));
    const [listed, waited] = [1, 2].map((id) => answers.find((answer) => answer.id === id)?.result);
    assert.equal(listed.tools.length, 5);
    assert.equal(waited.structuredContent.value, "waited 1500");
    assert.equal((await served.child.status).code, 0);
    await served.child.stderr.cancel();
  });
});

Deno.test("serve on stdio answers what is no message and goes on (N1)", async () => {
  await inPlace(async (place) => {
    const served = place.serve([]);
    const writer = served.child.stdin.getWriter();
    const send = (text: string) => writer.write(new TextEncoder().encode(text));
    const pings = Array.from(
      { length: 10_000 },
      (_, id) => `{"jsonrpc":"2.0","id":${id},"method":"ping"}\n`,
    );
    const reading = readMessages(served.child.stdout, 10_004);
    await send(
      `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{
      "protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n`
        .replaceAll("\n     ", "") + "\n",
    );
    await send("{ nonsense\n[]\n");
    const part = "x".repeat(1024 * 1024);
    for (let at = 0; at < 20; at++) await send(part);
    await send("\n");
    await send(pings.join(""));
    const messages = await reading;
    assert.deepEqual(
      messages.filter(({ error }) => error).map(({ id, error }) => [id, error.code]),
      [[null, -32700], [null, -32600], [null, -32600]],
    );
    assert.equal(messages.filter(({ result }) => result).length, 10_001);
    writer.releaseLock();
    assert.equal((await served.end()).code, 0);
  });
});

Deno.test("serve on stdio ends with its input and leaves no server behind (N5)", async () => {
  await inPlace(async (place) => {
    const served = place.serve([]);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(
      new StreamTransport({ input: served.child.stdout, output: served.child.stdin }),
    );
    const { run, call } = connectedTo(client, () => client.close());
    assert.equal(await run(`return await callTool("honest", "echo", { text: "a" })`), "a");
    const waiting = call("execute_code", { code: `await callTool("honest", "wait", {ms: 60000})` });
    waiting.catch(() => {});
    await eventually(async () => (await processesIn(place.folder)).length >= 2);
    await client.close();
    served.child.stdin.close().catch(() => {});
    const { code } = await served.child.status;
    assert.equal(code, 0);
    await served.child.stderr.cancel();
  });
});

Deno.test("serve on stdio ends without an error when nobody reads what it says (N5)", async () => {
  await inPlace(async (place) => {
    const served = place.serve([]);
    const writer = served.child.stdin.getWriter();
    const errors = new Response(served.child.stderr).text();
    const params = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "t", version: "1" },
    };
    const hello = { jsonrpc: "2.0", id: 1, method: "initialize", params };
    await writer.write(new TextEncoder().encode(`${JSON.stringify(hello)}\n`));
    const reader = served.child.stdout.getReader();
    await reader.read();
    // It is about to say that the tools of a server are known now.
    await reader.cancel();
    const { code } = await served.child.status;
    assert.deepEqual({ code, stderr: await errors }, { code: 0, stderr: "" });
    await writer.close().catch(() => {});
  });
});

Deno.test("serve that is its own server ends at the depth limit and leaves nothing (N4)", async () => {
  await inPlace(async (place) => {
    const self = { command: Deno.execPath(), args: [...PROGRAM, "serve"], inheritEnv: true };
    await Deno.writeTextFile(
      `${place.env["XDG_CONFIG_HOME"]}/mcp-exec/config.json`,
      JSON.stringify({ mcpServers: { self } }),
    );
    const served = place.serve([]);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(
      new StreamTransport({ input: served.child.stdout, output: served.child.stdin }),
    );
    const { run } = connectedTo(client, () => client.close());
    const nested = (depth: number): string =>
      depth === 0
        ? `return "at the ground"`
        : `const { value } = await callTool("self", "execute_code", { code: ${
          JSON.stringify(nested(depth - 1))
        } });
          return value;`;
    assert.equal(await run(nested(2)), "at the ground");
    await assert.rejects(run(nested(3)), /called by itself more than 3 deep/);
    await client.close();
    assert.equal((await served.end()).code, 0);
  });
});

Deno.test("serve on stdio goes on in the project that the client names as its root", async () => {
  await inPlace(async (place) => {
    const project = `${place.folder}/a project`;
    await Deno.mkdir(project);
    const [command, ...args] = serverCommand("honest").split(" ");
    const entry = { mcpServers: { inproject: { command, args } } };
    await Deno.writeTextFile(`${project}/.mcp.json`, JSON.stringify(entry));
    const served = place.serve(["--trust"]);
    const client = new Client({ name: "test", version: "1" }, { capabilities: { roots: {} } });
    const uri = `file://${encodeURI(project)}`;
    client.setRequestHandler("roots/list", () => ({ roots: [{ uri, name: "a" }] }));
    const { promise: told, resolve } = Promise.withResolvers<void>();
    client.setNotificationHandler("notifications/tools/list_changed", async () => {
      const { tools } = await client.listTools();
      if (tools[0]!.description!.includes("inproject (")) resolve();
    });
    await client.connect(
      new StreamTransport({ input: served.child.stdout, output: served.child.stdin }),
    );
    await told;
    const { run } = connectedTo(client, () => client.close());
    assert.equal(await run(`return await callTool("inproject", "echo", { text: "a" })`), "a");
    await client.close();
    assert.equal((await served.end()).code, 0);
  });
});

Deno.test("serve offers accepted skills as resources and runs them", async () => {
  await inPlace(async (place) => {
    const skill = async (name: string, source: string, more: Record<string, string> = {}) => {
      await Deno.writeTextFile(`${place.folder}/program.ts`, source);
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [...PROGRAM, "skill", "save", name, "--file", "program.ts", "--scope", "user"],
        cwd: place.folder,
        env: { ...place.env, ...more },
        clearEnv: true,
      }).output();
      assert.ok(success, new TextDecoder().decode(stderr));
      return `${place.env["HOME"]}/.claude/skills/${name}`;
    };
    await skill("add-up", "export default ({ a, b }: { a: number; b: number }) => a + b;");
    const changed = await skill("was-changed", "export default 1;");
    await Deno.writeTextFile(`${changed}/program.ts`, "export default 2;");
    const served = place.serve([]);
    const client = new Client({ name: "test", version: "1" });
    await client.connect(
      new StreamTransport({ input: served.child.stdout, output: served.child.stdin }),
    );
    const { call } = connectedTo(client, () => client.close());
    const { resources } = await client.listResources();
    assert.deepEqual(resources.map(({ uri }) => uri), ["skill://add-up/SKILL.md"]);
    const { contents } = await client.readResource({ uri: "skill://add-up/program.ts" });
    assert.match((contents[0] as { text: string }).text, /a \+ b/);
    for (const path of ["was-changed/SKILL.md", "add-up/../was-changed/SKILL.md", "add-up/nope"]) {
      await assert.rejects(client.readResource({ uri: `skill://${path}` }));
    }
    assert.match((await call("run_skill", {})).text, /^add-up: /m);
    const sum = await call("run_skill", { name: "add-up", args: { a: 2, b: 3 } });
    assert.equal(sum.data.value, 5, sum.text);
    for (
      const path of ["skills/was-changed", "skills/was-changed/program.ts", "skills/..\\add-up"]
    ) {
      assert.ok((await call("read_tool_files", { paths: [path] })).isError, path);
    }
    const own = await call("read_tool_files", { paths: ["skills/add-up/program.ts"] });
    assert.match(own.text, /a \+ b/);
    const elsewhere = { MCP_EXEC_DATA_DIR: `${place.folder}/elsewhere` };
    await skill("never-accepted", "export default 1; // a canary", elsewhere);
    const strange = await call("read_tool_files", { paths: ["skills/never-accepted/program.ts"] });
    assert.ok(strange.isError && !strange.text.includes("canary"), strange.text);
    const refused = await call("run_skill", { name: "was-changed" });
    assert.ok(refused.isError);
    assert.match(refused.text, /"was-changed"/);
    const unknown = await call("run_skill", { name: "add-upp" });
    assert.match(unknown.text, /did you mean "add-up"/);
    await client.close();
    assert.equal((await served.end()).code, 0);
  });
});

Deno.test("serve --http names the address that is in use", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await inPlace(async (place) => {
    const served = place.serve(["--http", `127.0.0.1:${port}`]);
    const { code, stderr } = await served.end();
    assert.ok(stderr.startsWith(`error: Address "127.0.0.1:${port}" is in use\n`), stderr);
    assert.equal(code, 1);
  });
});

Deno.test("serve --http serves both revisions to processes and ends on a signal (N3, N5)", async () => {
  await inPlace(async (place) => {
    const served = place.serve(["--http", "127.0.0.1:0"]);
    const errors = served.child.stderr.getReader();
    const { value } = await errors.read();
    const url = /http:\S+/.exec(new TextDecoder().decode(value))![0];
    for (const mode of ["legacy", "auto"] as const) {
      const client = new Client({ name: "test", version: "1" }, {
        ...(mode === "auto" && { versionNegotiation: { mode } }),
      });
      await client.connect(new StreamableHTTPClientTransport(new URL(url)));
      const { run } = connectedTo(client, () => client.close());
      assert.equal(await run(`return await callTool("honest", "echo", { text: "a" })`), "a");
      await client.close();
    }
    const client = new Client({ name: "test", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    const { run } = connectedTo(client, () => client.close());
    const ask = async (tool: string) =>
      Number(await run(`return await callTool("honest", "${tool}")`));
    let asked = await ask("count");
    // A client that goes away in the middle.
    const gone = new AbortController();
    const asking = await fetch(url, {
      method: "POST",
      signal: gone.signal,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: {
          name: "execute_code",
          arguments: { code: `await callTool("honest", "wait", { ms: 60_000 })` },
        },
      }),
    });
    // Its call is one more than ours.
    await eventually(async () => await ask("count") > ++asked);
    gone.abort();
    await asking.text().catch(() => {});
    await eventually(async () => await ask("cancelled") === 1);
    await client.close();
    served.child.kill("SIGTERM");
    await errors.cancel();
    await served.child.stdin.close();
    await served.child.stdout.cancel();
    assert.equal((await served.child.status).code, 0);
  });
});
