import assert from "node:assert/strict";
import { runCli } from "../src/cli.ts";
import type { Context } from "../src/context.ts";
import { openDatabase } from "../src/database.ts";
import { createHandleStore, type HandleStore } from "../src/handles.ts";
import { runInOnePlace, serverCommand } from "./specs/run.ts";

interface Outcome {
  readonly code: number;
  readonly stderr: string;
  /** Everything that went to stdout. */
  readonly out: Uint8Array;
  readonly stdout: string;
}

interface Bench {
  readonly handles: HandleStore;
  readonly folder: string;
  readonly data: string;
  run(args: readonly string[], options?: { readonly isTerminal?: boolean }): Promise<Outcome>;
}

function test(title: string, body: (bench: Bench) => Promise<void>): void {
  Deno.test(title, async () => {
    const folder = await Deno.realPath(await Deno.makeTempDir());
    const data = `${folder}/data`;
    const database = openDatabase(`${data}/mcp-exec.db`, { warn: assert.fail });
    const handles = createHandleStore(database, {
      folder: `${data}/handles`,
      now: Date.now,
      warn: assert.fail,
    });
    const run: Bench["run"] = async (args, { isTerminal = false } = {}) => {
      const parts: Uint8Array[] = [];
      let stderr = "";
      const context: Context = {
        args: ["result", ...args],
        env: { get: () => undefined, toObject: () => ({}) },
        cwd: folder,
        platform: "linux",
        paths: { home: undefined, config: `${folder}/config`, data },
        writeOut(part) {
          return parts.push(typeof part === "string" ? new TextEncoder().encode(part) : part) > 0;
        },
        writeError: (text) => void (stderr += text),
        readInput: () => Promise.resolve(new Uint8Array()),
        isTerminal: { in: false, out: isTerminal, error: false },
        columns: 80,
        signal: new AbortController().signal,
        now: Date.now,
      };
      const code = await runCli(context);
      const out = new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
      return { code, stderr, out, stdout: new TextDecoder().decode(out) };
    };
    try {
      await body({ handles, folder, data, run });
    } finally {
      database.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

const BINARY = Uint8Array.of(0, 0xff, 0x0a, 0x1b);

test("result prints a text, and slices of it", async ({ handles, run }) => {
  const { id } = await handles.keep("first\nsecond é", { type: "text/plain" });
  assert.equal((await run([id])).stdout, "first\nsecond é\n");
  assert.equal((await run([id, "--slice", "0:5"])).stdout, "first\n");
  assert.equal((await run([id, "--slice", "13:"])).stdout, "é\n");
  assert.equal((await run([id, "--slice", ":99"])).stdout, "first\nsecond é\n");
  const { stdout } = await run([id, "--slice=6:12", "--format", "json"]);
  const { expires, ...document } = JSON.parse(stdout);
  assert.ok(Date.parse(expires) > Date.now());
  assert.deepEqual(document, {
    ok: true,
    handle: id,
    type: "text/plain",
    bytes: 15,
    slice: { start: 6, end: 12 },
    text: "second",
  });
});

test("result gives a pipe binary content as it is, and a terminal none", async ({ handles, run }) => {
  const { id } = await handles.keep(BINARY, { type: "image/png" });
  assert.deepEqual((await run([id])).out, BINARY);
  const shown = await run([id], { isTerminal: true });
  assert.equal(shown.code, 2);
  assert.equal(shown.stdout, "");
  assert.match(shown.stderr, /^error: Handle "h\w+" is image\/png, 4 B: no text to show\n/);
  assert.ok(shown.stderr.includes(`hint: mcp-exec result ${id} --output FILE`));
  const document = JSON.parse((await run([id, "--format", "json"], { isTerminal: true })).stdout);
  assert.equal(document.base64, BINARY.toBase64());
});

test("result shows a terminal nothing that it would obey", async ({ handles, run }) => {
  const { id } = await handles.keep("\u001b[2Jgone", { type: "text/plain" });
  const { stdout } = await run([id], { isTerminal: true });
  assert.equal(stdout, "\\u{1b}[2Jgone\n");
});

test("result writes a file of exactly the content", async ({ handles, run, folder }) => {
  const { id } = await handles.keep(BINARY, { type: "image/png" });
  const file = `${folder}/out.png`;
  const { code, stdout, stderr } = await run([id, "--output", file]);
  assert.deepEqual([code, stdout], [0, ""]);
  assert.match(stderr, /^wrote 4 B to /);
  assert.deepEqual(await Deno.readFile(file), BINARY);
  await run([id, "--output", file, "--slice", "1:2"]);
  assert.deepEqual(await Deno.readFile(file), BINARY.subarray(1, 2));
  const document = JSON.parse((await run([id, "--output", file, "--format", "json"])).stdout);
  assert.deepEqual(document, { ok: true, handle: id, type: "image/png", bytes: 4, output: file });
  await Deno.symlink(file, `${folder}/link.png`);
  assert.equal((await run([id, "--output", `${folder}/link.png`])).code, 6);
  assert.equal((await run([id, "--output", folder])).code, 6);
});

test("result says what is wrong with a handle or a slice", async ({ handles, run, data }) => {
  const { id } = await handles.keep("text", { type: "text/plain" });
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[`h${"a".repeat(26)}`], 2, /^error: Handle "ha+" is not known, or has expired\n {2}hint: /],
    [["../mcp-exec.db"], 2, /is not known/],
    [["\u001b[2J"], 2, /^error: Handle "\\u\{1b\}\[2J" is not known/],
    [[id, "--slice", "5:9"], 2, /^error: Slice "5:9" of "h\w+" is not within its 4 bytes\n/],
    [[id, "--slice", "3:2"], 2, /is not within its 4 bytes/],
    [[id, "--slice", "x"], 2, /slice must look like 0:2000 or 2000:, got "x"/],
    [[id, "--slice=-1:2"], 2, /slice must look like/],
    [[], 2, /Argument <handle> of "mcp-exec result" is missing/],
  ];
  for (const [args, code, message] of cases) {
    const outcome = await run(args);
    assert.equal(outcome.code, code, args.join(" "));
    assert.match(outcome.stderr, message);
    assert.equal(outcome.stdout, "");
  }
  await Deno.writeTextFile(`${data}/handles/${id}`, "test");
  const changed = await run([id]);
  assert.equal(changed.code, 6);
  assert.match(
    changed.stderr,
    /^error: Handle "h\w+" is not what was kept: its file was changed\n/,
  );
});

Deno.test("result gives what earlier processes kept: previews, pictures, parameters of calls", async () => {
  const honest = ["--stdio", serverCommand("honest")];
  // Names follow from content and type, so that they are known before.
  const picture = "h25y6unw5mxcsohorhqr6beecka";
  const program = `const [{ handle }] = await callTool("honest", "image"); return "x".repeat(5000)`;
  const [called, ran, json, whole, sent] = await runInOnePlace([
    ["call", "image", ...honest],
    ["execute", "-e", program, "--preview", "100", ...honest],
    ["call", "list_users", "limit=100", "--preview", "1k", "--format", "json", ...honest],
    ["result", picture, "--format", "json"],
    ["call", "echo", `text:={"$handle": "${picture}"}`, ...honest],
  ]);
  assert.equal(
    called!.stdout,
    `[{"type":"image","mimeType":"image/png","bytes":70,"handle":"${picture}"}]\n`,
  );
  const lines = ran!.stdout.split("\n");
  assert.equal(lines[0], "x".repeat(100));
  assert.match(lines[1]!, /^\.\.\. 100 of 5000 bytes, about \d+ tokens$/);
  assert.equal(lines[2], "shape: string of 5000 characters");
  assert.match(lines[3]!, /^rest: mcp-exec result h[a-z2-7]{26} --slice 100:$/);
  const { preview, shape, bytes, handle, tokens, result } = JSON.parse(json!.stdout);
  assert.equal(preview.length, 1024);
  assert.equal(shape, "{ id: number, name: string }[100]");
  assert.ok(bytes > 2000 && tokens > 100 && /^h[a-z2-7]{26}$/.test(handle));
  assert.equal(result, undefined);
  const { base64, type } = JSON.parse(whole!.stdout);
  assert.equal(type, "image/png");
  assert.equal(sent!.stdout, `${base64}\n`);
});
