import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { introspect, parseTools } from "../src/introspect.ts";
import { MAX_JSON_DEPTH, MAX_PAGES, MAX_TOOL_WARNINGS, MAX_TOOLS } from "../src/limits.ts";
import { toServerName } from "../src/names.ts";
import type { ServerInfo, ServerSpec } from "../src/server.ts";
import { connect, type Connection } from "../src/transport.ts";
import { ENVIRONMENT, type Fixture, httpSpec, listen, stdioSpec } from "./servers/start.ts";

const NAME = toServerName("fixture");

function open(spec: ServerSpec): Promise<Connection> {
  return connect(spec, {
    env: ENVIRONMENT,
    warn: () => {},
    clientVersion: "0.0.0",
    timeoutMs: 20_000,
  });
}

async function infoOf(spec: ServerSpec): Promise<ServerInfo> {
  const connection = await open(spec);
  try {
    return await introspect(connection);
  } finally {
    await connection.close();
  }
}

const read = (fixture: Fixture, mode: string) => infoOf(stdioSpec(fixture, mode));
const namesOf = (info: { tools: readonly { name: string }[] }) =>
  info.tools.map((tool) => tool.name);
const tool = (name: unknown, more: object = {}) => ({
  name,
  inputSchema: { type: "object" },
  ...more,
});

Deno.test("introspect reads every page of a server's tools, sorted by name", async () => {
  const info = await read("honest", "plain");
  assert.deepEqual(namesOf(info), [
    ...["add_numbers", "cancelled", "count", "echo", "env", "fail", "image", "list_users"],
    ...["progress", "wait"],
  ]);
  assert.deepEqual(info.warnings, []);
  assert.equal(info.name, "fixture");
  assert.deepEqual(info.identity, { name: "honest", version: "1.2.3", title: "Honest server" });
  assert.equal(info.instructions, "Add numbers, and wait.");
  assert.deepEqual(info.capabilities, { tools: { listChanged: true } });
  const { digest, ...first } = info.tools[0]!;
  assert.match(digest, /^blake3:[0-9a-f]{64}$/);
  assert.deepEqual(first, {
    name: "add_numbers",
    title: "Add numbers",
    description: "Adds two numbers.",
    inputSchema: {
      type: "object",
      properties: {
        a: { type: "number", description: "The first one." },
        b: { type: "number", description: "The second one." },
      },
      required: ["a", "b"],
    },
    outputSchema: {
      type: "object",
      properties: { sum: { type: "number" } },
      required: ["sum"],
    },
    annotations: { readOnlyHint: true },
  });
});

Deno.test("introspect gives the same tools over every way to a server", async () => {
  const { tools } = await read("honest", "plain");
  for (const mode of ["streamed", "sse", "modern"]) {
    await using server = await listen("honest", mode);
    assert.deepEqual((await infoOf(httpSpec(server.url))).tools, tools, mode);
  }
});

Deno.test("introspect does not ask a server without tools for them", async () => {
  const info = await read("honest", "no-tools");
  assert.deepEqual(info.tools, []);
  assert.deepEqual(info.warnings, []);
});

Deno.test("introspect stops at pages without end (H13)", async () => {
  const same = await read("hostile", "same-cursor");
  assert.equal(same.tools.length, 2);
  const rest = "the rest of its tools are left out";
  assert.deepEqual(same.warnings, [`Server "fixture" gives the same cursor twice; ${rest}`]);
  const endless = await read("hostile", "endless-pages");
  assert.equal(endless.tools.length, MAX_PAGES);
  assert.deepEqual(endless.warnings, [`Server "fixture" lists over 1000 pages; ${rest}`]);
  const growing = await read("hostile", "growing-cursor");
  assert.deepEqual(growing.warnings, [`Server "fixture" gives a cursor over 16 KiB; ${rest}`]);
});

Deno.test("introspect bounds the number of tools (H14)", async () => {
  const info = await read("hostile", "many-tools");
  assert.equal(info.tools.length, MAX_TOOLS);
  assert.deepEqual(info.warnings, [
    'Server "fixture" lists over 10000 tools; the rest of its tools are left out',
  ]);
});

Deno.test("introspect leaves out tools with parts that are too large (H14)", async () => {
  const info = await read("hostile", "large-parts");
  assert.deepEqual(namesOf(info), ["fine"]);
  const problems = info.warnings.map((warning) => warning.split("is left out: ")[1]);
  assert.deepEqual(problems, [
    "its description has 1 MiB, over the limit of 32 KiB",
    "its schema has 10.0 MiB, over the limit of 256 KiB",
    "its name must be 1 to 256 printable bytes",
  ]);
});

Deno.test("introspect keeps nine tools when the tenth is not valid (H15)", async () => {
  const info = await read("hostile", "one-bad-tool");
  assert.deepEqual(namesOf(info), ["t0", "t1", "t2", "t3", "t5", "t6", "t7", "t8", "t9"]);
  assert.deepEqual(info.warnings, [
    'Server "fixture": tool "t4" is left out: it has no input schema',
  ]);
});

Deno.test("introspect takes null for absent and names what else is wrong (H15)", async () => {
  const info = await read("hostile", "bad-tools");
  assert.deepEqual(namesOf(info), ["fine"]);
  assert.deepEqual(Object.keys(info.tools[0]!), ["name", "inputSchema", "digest"]);
  assert.deepEqual(info.warnings.map((warning) => warning.slice('Server "fixture": '.length)), [
    'tool "input" is left out: its input is no object',
    'tool "output" is left out: its output schema is no object',
    'tool "description" is left out: its description is no string',
    'tool "annotations" is left out: its annotations are no object',
    "tool 6 of its list is left out: it has no name",
    "tool 7 of its list is left out: it is no object",
    "tool 8 of its list is left out: it is no object",
  ]);
});

Deno.test("introspect refuses repeated and invisible names and keeps odd ones (H16, H22)", async () => {
  const info = await read("hostile", "odd-names");
  assert.deepEqual(namesOf(info), ["../x", "__proto__", "a", "b", "constructor", "then", "🔥"]);
  assert.equal(info.warnings.length, 4);
  assert.match(info.warnings[0]!, /tool "b" is left out: its name comes twice/);
  // deno-lint-ignore no-control-regex
  for (const warning of info.warnings) assert.doesNotMatch(warning, /[\u0000-\u001f\u202e]/);
});

Deno.test("introspect takes any schema as it is and fetches nothing (H17, H18)", async () => {
  const info = await read("hostile", "odd-schemas");
  assert.deepEqual(namesOf(info), ["bomb", "boolean", "cycle", "dangling", "remote"]);
  assert.deepEqual(info.warnings, []);
  assert.deepEqual(namesOf(await read("hostile", "evil-pattern")), ["answer"]);
});

Deno.test("introspect gives other digests when definitions change (H21)", async () => {
  const connection = await open(stdioSpec("hostile", "changes"));
  const [before, after] = [await introspect(connection), await introspect(connection)];
  await connection.close();
  assert.notEqual(before.tools[0]!.digest, after.tools[0]!.digest);
});

Deno.test("introspect refuses an answer that is no listing, or too deep a one (H8)", async () => {
  await assert.rejects(read("hostile", "no-list"), {
    kind: "protocol",
    message: 'Server "fixture" answered tools/list without a list of tools',
  });
  await assert.rejects(read("hostile", "deep-list"), {
    kind: "protocol",
    message: 'Answer of server "fixture" to tools/list refused: it is nested deeper than 200',
  });
});

Deno.test("introspect starts again once when the connection drops (H10)", async () => {
  const dropped = async () => {
    const connection = await open(stdioSpec("hostile", "exit-later"));
    await connection.closed;
    return connection;
  };
  const other = await open(stdioSpec("honest", "plain"));
  let asked = 0;
  const info = await introspect(await dropped(), {
    reconnect: () => {
      asked++;
      return Promise.resolve(other);
    },
  });
  assert.equal(info.tools.length, 10);
  await other.close();
  const again = introspect(await dropped(), {
    reconnect: () => {
      asked++;
      return dropped();
    },
  });
  await assert.rejects(again, { kind: "connect" });
  assert.equal(asked, 2);
  await assert.rejects(introspect(await dropped()), { kind: "connect" });
});

Deno.test("introspect ends when its signal is aborted", async () => {
  const connection = await open(stdioSpec("hostile", "silent-list"));
  const stop = new AbortController();
  const listing = introspect(connection, {
    signal: stop.signal,
    reconnect: () => Promise.reject(new Error("not this time")),
  });
  stop.abort(new AppError("interrupted", "Interrupted"));
  await assert.rejects(listing, { kind: "interrupted" });
  await connection.close();
});

Deno.test("parseTools gives a digest over all parts, whatever their order", () => {
  const digestOf = (definition: object) => parseTools(NAME, [definition]).tools[0]!.digest;
  const plain = digestOf(tool("a"));
  assert.equal(digestOf({ inputSchema: { type: "object" }, name: "a", extra: 1 }), plain);
  for (
    const more of [
      { title: "A" },
      { description: "A" },
      { outputSchema: {} },
      { annotations: {} },
      { inputSchema: { type: "object", required: [] } },
    ]
  ) assert.notEqual(digestOf(tool("a", more)), plain);
});

Deno.test("parseTools refuses a schema that is too deep without overflowing (H17)", () => {
  let schema: object = {};
  for (let depth = 0; depth < 50_000; depth++) schema = { items: schema };
  const { tools, warnings } = parseTools(NAME, [
    tool("deep", { inputSchema: { type: "object", properties: { a: schema } } }),
    tool("fine"),
  ]);
  assert.deepEqual(namesOf({ tools }), ["fine"]);
  assert.deepEqual(warnings, [
    `Server "fixture": tool "deep" is left out: its schema is nested deeper than ${MAX_JSON_DEPTH}`,
  ]);
});

Deno.test("parseTools warns of a bounded number of tools and counts the rest", () => {
  const { warnings } = parseTools(NAME, Array.from({ length: 500 }, () => 7));
  assert.equal(warnings.length, MAX_TOOL_WARNINGS + 1);
  assert.equal(
    warnings.at(-1),
    `Server "fixture": ${500 - MAX_TOOL_WARNINGS} more tools are left out`,
  );
});

Deno.test("parseTools takes a union with objects as input and no other type", () => {
  const typed = (type: unknown) => tool("a", { inputSchema: { type } });
  assert.equal(parseTools(NAME, [tool("a", { inputSchema: {} })]).tools.length, 1);
  assert.equal(parseTools(NAME, [typed("object")]).tools.length, 1);
  assert.equal(parseTools(NAME, [typed(["object"])]).tools.length, 1);
  assert.equal(parseTools(NAME, [typed(["string", "null"])]).tools.length, 0);
  assert.equal(parseTools(NAME, [typed("array")]).tools.length, 0);
});
