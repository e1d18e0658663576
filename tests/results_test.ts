import assert from "node:assert/strict";
import { isHandleId } from "../src/handles.ts";
import type { SessionId } from "../src/names.ts";
import { createResults } from "../src/results.ts";
import { testMedia } from "./media_session.ts";

const PNG_BYTES = 8;
const MIB = 1024 * 1024;
type Block = Readonly<Record<string, unknown>>;

testMedia(
  "hold gives programs every kind of block, with handles for what is binary (H19)",
  async (bench) => {
    const blocks = await bench.value(`return await callTool("media", "everything")`) as Block[];
    assert.deepEqual(blocks.map(({ handle: _, ...block }) => block), [
      { type: "text", text: "first" },
      {
        type: "image",
        mimeType: "image/png",
        annotations: { audience: ["user"] },
        bytes: PNG_BYTES,
      },
      { type: "audio", mimeType: "audio/wav", bytes: 3 },
      { type: "resource", resource: { uri: "mem:a", mimeType: "text/plain", text: "embedded" } },
      {
        type: "resource",
        resource: {
          uri: "mem:b",
          mimeType: "application/pdf",
          bytes: 4,
          handle: (blocks[4]!["resource"] as Block)["handle"],
        },
      },
      { type: "resource_link", uri: "mem:c", name: "c" },
    ]);
    for (const holder of [blocks[1], blocks[2], blocks[4]!["resource"] as Block]) {
      assert.ok(isHandleId(holder!["handle"]));
    }
  },
);

testMedia("hold gives the whole answer where a program asks for it raw", async ({ value }) => {
  assert.deepEqual(await value(`return await callTool("media", "mixed")`), { size: 8 });
  const raw = await value(`return await callTool("media", "mixed", {}, { raw: true })`) as {
    content: Block[];
    structuredContent: unknown;
  };
  assert.deepEqual(raw.structuredContent, { size: 8 });
  assert.ok(isHandleId(raw.content[1]!["handle"]));
});

testMedia(
  "hold keeps a text over 16 MiB and gives a handle with its start (H19)",
  async (bench) => {
    const outcome = await bench.run(`
    const whole = await callTool("media", "text", { size: 16_000_000 });
    const held = await callTool("media", "text", { size: 17_000_000 });
    const slices = [];
    for (let start = 10; start < 40; start += 10) {
      slices.push(await readResult(held, { start, end: start + 10 }));
    }
    const last = await readResult(held.handle, { start: 16_999_995 });
    const error = await readResult(held).catch(({ kind, hint }) => ({ kind, hint }));
    return { whole: whole.length, held, slices, last, error };`);
    assert.equal(outcome.error, undefined);
    const { whole, held, slices, last, error } = outcome.value as Record<string, Block>;
    assert.equal(whole, 16_000_000);
    const { handle, preview, ...rest } = held!;
    assert.ok(isHandleId(handle));
    assert.deepEqual(rest, { type: "text/plain", bytes: 17_000_000 });
    assert.equal(preview, "0123456789".repeat(100));
    assert.deepEqual(slices, ["0123456789", "0123456789", "0123456789"]);
    assert.equal(last, "56789");
    assert.equal(error!["kind"], "limit");
    assert.match(error!["hint"] as string, /in slices/);
  },
);

testMedia(
  "hold gives an error with the handle where the server promised a type (H19)",
  async (bench) => {
    const error = await bench.caught(`callTool("media", "structured", { size: 17_000_000 })`);
    assert.equal(error.kind, "limit");
    assert.match(error.message, /answered with 16\.2 MiB, more than the 16 MiB that a program/);
    const [held] = error.content!;
    assert.equal(held!["type"], "application/json");
    assert.match(error.hint!, new RegExp(`readResult\\("${held!["handle"]}"`));
    const start = await bench.session.handles.read(held!["handle"] as string, { end: 12 });
    assert.equal(new TextDecoder().decode(start), '{"text":"012');
  },
);

testMedia("hold says what is wrong with binary content that is none", async ({ caught }) => {
  const error = await caught(`callTool("media", "broken")`);
  assert.equal(error.kind, "protocol");
  assert.match(error.message, /^Tool "media\/broken" answered with binary content that is not/);
});

testMedia("holdBlocks stops a run that keeps too much", async ({ session }) => {
  const { handles } = session;
  const results = createResults({ handles, maxBytes: 20 });
  const picture = { type: "image", mimeType: "image/png", data: "iVBORw0KGgo=" };
  await results.holdBlocks("Tool", [picture, picture]);
  await assert.rejects(results.holdBlocks("Tool", [picture]), {
    kind: "limit",
    message: "Results kept for this run are more than 20 B",
  });
  assert.equal((await createResults({ handles }).holdBlocks("Tool", [picture])).length, 1);
});

testMedia(
  "holdError gives what a failed tool said, with handles for what is binary",
  async (bench) => {
    const error = await bench.caught(`callTool("media", "fail")`);
    assert.equal(error.name, "ToolError");
    assert.equal(error.kind, "server");
    const [said, picture] = error.content!;
    assert.deepEqual(said, { type: "text", text: "No such page" });
    assert.equal(picture!["data"], undefined);
    assert.ok(isHandleId(picture!["handle"]));
    const outcome = await bench.run(`await callTool("media", "fail")`);
    assert.equal(JSON.stringify(outcome.error).includes("content"), false);
  },
);

testMedia(
  "fill gives tools the content of handles, however they are written",
  async ({ value }) => {
    const measured = await value(`
    const [picture] = await callTool("media", "picture");
    const [,,,, document] = await callTool("media", "everything");
    const held = await callTool("media", "text", { size: 17_000_000 });
    const { handle } = picture;
    const params = [{ $handle: handle }, picture, document, document.resource];
    const got = [];
    for (const data of params) got.push(await callTool("media", "measure", { data }));
    const nested = await callTool("media", "measure", { data: "x", more: [{ deep: picture }] });
    const kept = [{ $handle: 5 }, { $handle: handle, more: 1 }, { handle: "h5", bytes: 1 }];
    for (const data of kept) got.push(await callTool("media", "measure", { data }));
    return [got, nested];`) as [Block[], Block];
    const png = { type: "string", length: 12, start: "iVBORw0KGgo=" };
    const pdf = { type: "string", length: 8, start: "JVBERg==" };
    const object = { type: "object", length: 15, start: "[object Object]" };
    assert.deepEqual(measured[0], [png, png, pdf, pdf, object, object, object]);
  },
);

testMedia("fill gives a tool more than a program could send, up to its bound", async (bench) => {
  const measured = await bench.value(`
    const [blob] = await callTool("media", "blob", { size: 9e6 });
    return await callTool("media", "measure", { data: blob });`);
  assert.deepEqual(measured, { type: "string", length: 12_000_000, start: "A".repeat(40) });
  const error = await bench.caught(`(async () => {
    const [blob] = await callTool("media", "blob", { size: 9e6 });
    await callTool("media", "measure", { data: blob, again: blob });
  })()`);
  assert.equal(error.kind, "invalid");
  assert.match(
    error.message,
    /^Handles in the parameters make 22\.9 MiB, over the limit of 16 MiB$/,
  );
  const large = await bench.caught(`callTool("media", "measure", { data: "x".repeat(2e6) })`);
  assert.match(large.message, /Request too large|over the limit of 1 MiB/);
});

testMedia("fill lets policy judge the content, not the handle (B8)", async ({ value, caught }) => {
  const kept = `const [picture] = await callTool("media", "picture");`;
  assert.deepEqual(
    await value(`${kept} return await callTool("media", "measure", { data: "other" });`),
    { type: "string", length: 5, start: "other" },
  );
  const error = await caught(
    `(async () => { ${kept} await callTool("media", "measure", { data: picture }); })()`,
  );
  assert.equal(error.kind, "denied");
  assert.match(error.message, /refused by rule 1/);
}, {
  policy: { rules: [{ tool: "media/measure", arguments: { data: "iVBOR*" }, decide: "deny" }] },
});

testMedia("fill leaves the journal with what was sent", async ({ run, session }) => {
  const { run: id } = await run(`
    const [picture] = await callTool("media", "picture");
    return await callTool("media", "measure", { data: picture });`);
  const call = session.journal.run(id)!.calls[1]!;
  assert.equal(call.arguments, '{"data":"iVBORw0KGgo="}');
}, { payloads: true });

testMedia(
  "read is for the run that made a handle, its session and who was given it (S16)",
  async (bench) => {
    const { value, caught, session } = bench;
    const [picture] = await value(`return await callTool("media", "picture")`) as [
      { handle: string },
    ];
    const { handle } = picture;
    const secret = await session.handles.keep("of another run", { type: "text/plain" });
    const read = `readResult("${handle}")`;
    for (
      const tried of [
        read,
        `readResult({ handle: "${handle}" })`,
        `readResult({ type: "image", handle: "${handle}", bytes: 8 })`,
        `readResult("${secret.id}")`,
        `callTool("media", "measure", { data: { $handle: "${handle}" } })`,
        `(async () => {
         await setState("h", "${handle}");
         await readResult(await getState("h"));
       })()`,
      ]
    ) {
      const error = await caught(tried);
      assert.equal(error.kind, "invalid", tried);
      assert.match(error.message, /is not known here, or has expired$/);
      // The same as for one that there never was.
      const unknown = await caught(tried.replaceAll(/h[a-z2-7]{26}/g, `h${"a".repeat(26)}`));
      assert.equal(unknown.hint, error.hint);
      assert.equal(unknown.message, error.message.replace(/"h.*?"/, `"h${"a".repeat(26)}"`));
    }
    // What only looks like a handle is somebody else's data.
    assert.deepEqual(
      await value(`return (await callTool("media", "measure",
      { data: { handle: "${handle}", bytes: 8 } })).type`),
      "object",
    );
    assert.equal(
      await value(`export default (args) => readResult(args.picture)`, { args: { picture } }),
      "iVBORw0KGgo=",
    );
    const own = { session: "mine" as SessionId };
    await value(`return await callTool("media", "picture")`, own);
    assert.equal(await value(`return await ${read}`, own), "iVBORw0KGgo=");
    assert.equal((await caught(read, { session: "other" as SessionId })).kind, "invalid");
  },
);

testMedia("read takes no name, slice or object that is none", async ({ value, caught, data }) => {
  await value(`return await callTool("media", "picture")`);
  await Deno.writeTextFile(`${data}/handles.txt`, "secret");
  for (
    const args of [
      `"../handles.txt"`,
      `"mcp-exec.db"`,
      `""`,
      `{}`,
      `{ handle: 5 }`,
      `{ handle: { handle: "x" } }`,
      `[]`,
    ]
  ) {
    assert.equal((await caught(`readResult(${args})`)).kind, "invalid", args);
  }
  for (const slice of [`{ start: -1 }`, `{ start: "0" }`, `{ end: 1.5 }`, `5`, `{ start: 9 }`]) {
    const error = await caught(`(async () => {
      const [picture] = await callTool("media", "picture");
      await readResult(picture, ${slice});
    })()`);
    assert.equal(error.kind, "invalid", slice);
  }
});

testMedia(
  "read refuses content that somebody changed meanwhile",
  async ({ value, caught, data }) => {
    const source = `const [blob] = await callTool("media", "blob", { size: 8 });`;
    const blob = await value(`${source} return blob`) as { handle: string };
    await value(`return await callTool("media", "picture")`); // forgets what was read last
    await Deno.writeFile(`${data}/handles/${blob.handle}`, new Uint8Array(8).fill(1));
    const error = await caught("readResult(args)".replace("args", JSON.stringify(blob.handle)), {
      session: "s" as SessionId,
    });
    assert.equal(error.kind, "invalid");
    const given = await value(
      `export default (blob) => readResult(blob).catch(({ kind }) => kind)`,
      { args: blob },
    );
    assert.equal(given, "integrity");
  },
);

testMedia("content lets a program write what it cannot hold to its workspace", async (bench) => {
  const { value, caught, folder } = bench;
  await Deno.mkdir(`${folder}/desk`);
  const workspace = { workspace: { folder: `${folder}/desk`, writable: true } };
  await value(
    `const [picture] = await callTool("media", "picture");
     await writeFile("/workspace/picture.png", picture);
     await writeFile("/workspace/text.txt", "text");
     return null`,
    workspace,
  );
  const picture = await Deno.readFile(`${folder}/desk/picture.png`);
  assert.equal(picture.toBase64(), "iVBORw0KGgo=");
  assert.equal(await Deno.readTextFile(`${folder}/desk/text.txt`), "text");
  const unknown = { handle: `h${"a".repeat(26)}`, bytes: 1 };
  const error = await caught(
    `writeFile("/workspace/x", ${JSON.stringify(unknown)})`,
    workspace,
  );
  assert.equal(error.kind, "invalid");
  const large = await caught(
    `(async () => {
    const [blob] = await callTool("media", "blob", { size: ${9 * MIB} });
    await writeFile("/workspace/x", blob);
  })()`,
    workspace,
  );
  assert.equal(large.kind, "limit");
});
