import assert from "node:assert/strict";
import { isHandleId } from "../src/handles.ts";
import { testMedia } from "./media_session.ts";

type Block = Readonly<Record<string, unknown>>;

testMedia(
  "read gives a resource's contents, with handles for what is binary",
  async ({ value }) => {
    const [text, blob, both] = await value(`
    import { readResource } from "mcp:host";
    const read = (uri) => readResource("media", uri);
    export default Promise.all([read("mem:text"), read("mem:blob"), read("mem:both")]);
  `) as Block[][];
    assert.deepEqual(text, [{ uri: "mem:text", mimeType: "text/plain", text: "hello" }]);
    const [{ handle, ...rest }] = blob as [Block];
    assert.ok(isHandleId(handle));
    assert.deepEqual(rest, { uri: "mem:blob", mimeType: "image/png", bytes: 8 });
    assert.deepEqual(both![0], { uri: "mem:both/1", text: "one" });
    assert.equal(both![1]!["bytes"], 2);
  },
);

testMedia("read of a resource reads its handle, and gives it to a tool", async ({ value }) => {
  const source = `
    const [blob] = await readResource("media", "mem:blob");
    const got = await callTool("media", "measure", { data: blob });
    return [await readResult(blob), got.start];`;
  assert.deepEqual(await value(source), ["iVBORw0KGgo=", "iVBORw0KGgo="]);
});

testMedia(
  "list gives resources a page at a time, and templates with the first",
  async ({ value }) => {
    const source = `
    const first = await listResources("media");
    return [first, await listResources("media", { cursor: first.nextCursor })];`;
    const [first, second] = await value(source) as [
      { resources: Block[]; templates: Block[]; nextCursor: string },
      { resources: Block[]; templates: Block[]; nextCursor?: string },
    ];
    assert.deepEqual(first.resources.map(({ uri }) => uri), ["mem:text", "mem:blob", "mem:both"]);
    assert.deepEqual(first.templates, [{ uriTemplate: "mem:{name}", name: "any" }]);
    assert.deepEqual(second.resources.map(({ uri }) => uri), ["mem:odd"]);
    assert.deepEqual(second.templates, []);
    assert.equal(second.nextCursor, undefined);
  },
);

testMedia("prompt gives messages with handles for what is binary in them", async ({ value }) => {
  const prompt = await value(`return await getPrompt("media", "about", { topic: "cats" })`) as {
    description: string;
    messages: { role: string; content: Block }[];
  };
  assert.equal(prompt.description, "Asks about a topic.");
  assert.deepEqual(prompt.messages[0], {
    role: "user",
    content: { type: "text", text: "Tell me of cats" },
  });
  assert.ok(isHandleId(prompt.messages[1]!.content["handle"]));
});

testMedia("request says what a server does not offer, know or answer well", async ({ caught }) => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [`readResource("bare", "x:y")`, "invalid", /^Server "bare" offers no resources$/],
    [`listResources("bare")`, "invalid", /^Server "bare" offers no resources$/],
    [`getPrompt("bare", "x")`, "invalid", /^Server "bare" offers no prompts$/],
    [`readResource("media", "mem:none")`, "server", /resources\/read with error -32602/],
    [`readResource("media", "mem:odd")`, "protocol", /contents that are not a list of objects$/],
    [`getPrompt("media", "odd")`, "protocol", /messages without content$/],
    [`readResource("none", "x:y")`, "usage", /^Server "none" is not configured$/],
    [`readResource("media", 5)`, "", /must be a string/],
    [`getPrompt("media", "x", [])`, "invalid", /^Expected arguments as an object$/],
  ];
  for (const [tried, kind, message] of cases) {
    const error = await caught(tried);
    assert.equal(error.kind ?? "", kind, tried);
    assert.match(error.message, message, tried);
  }
  const narrowed = await caught(`readResource("media", "mem:text")`, { servers: [] });
  assert.equal(narrowed.kind, "denied");
});

testMedia(
  "request is judged by rules that name the method, and by the arguments (B8)",
  async (bench) => {
    const { value, caught } = bench;
    const refused = await caught(`readResource("media", "mem:text")`);
    assert.equal(refused.kind, "denied");
    assert.match(refused.message, /^Call of "media\/resources\/read" is refused by rule 1/);
    assert.equal(
      (await value(`return await readResource("media", "mem:both")`) as Block[]).length,
      2,
    );
    assert.equal((await caught(`getPrompt("media", "about")`)).kind, "denied");
  },
  {
    policy: {
      rules: [
        { tool: "media/resources/read", arguments: { uri: "mem:text" }, decide: "deny" },
        { tool: "media/prompts/*", decide: "deny" },
      ],
    },
  },
);

testMedia("request is refused where only what is named is allowed", async ({ value, caught }) => {
  assert.equal((await caught(`getPrompt("media", "about")`)).kind, "denied");
  assert.equal((await caught(`listResources("media")`)).kind, "denied");
  const read = await value(`return (await readResource("media", "mem:text"))[0].text`);
  assert.equal(read, "hello");
}, { policy: { default: "deny", rules: [{ tool: "media/resources/read", decide: "allow" }] } });

testMedia("request is refused for a server that is denied", async ({ caught }) => {
  for (const tried of [`listResources("media")`, `getPrompt("media", "about")`]) {
    assert.equal((await caught(tried)).kind, "denied", tried);
  }
}, { policy: { rules: [{ server: "media", decide: "deny" }] } });

testMedia("request counts as a call, and the journal shows it", async ({ run, session }) => {
  const outcome = await run(`return await readResource("media", "mem:text")`);
  assert.deepEqual(outcome.calls.map(({ tool, ok }) => [tool, ok]), [["resources/read", true]]);
  const [call] = session.journal.run(outcome.run)!.calls;
  assert.deepEqual([call!.tool, call!.outcome, call!.decision], ["resources/read", "ok", "allow"]);
  const stopped = await run(
    `for (let count = 0; count < 9; count++) await readResource("media", "mem:text")`,
    { limits: { calls: 3 } },
  );
  assert.equal(stopped.error?.limit?.name, "calls");
});
