import assert from "node:assert/strict";
import { DEFAULT_RUN_LIMITS, MAX_HINT_CHARS, MAX_HINT_TOKENS } from "../src/limits.ts";
import { parsePolicy } from "../src/policy.ts";
import { digestOf } from "../src/hash.ts";
import { catalogHint, servedTools } from "../src/serve_texts.ts";
import { createSessionKeys } from "../src/serve_keys.ts";
import { serveEnvironment } from "../src/serve_session.ts";
import { countTokens } from "../src/stats.ts";
import { fixtureSpec, type Given, WAYS, withServing } from "./serve_fixture.ts";

const HONEST = fixtureSpec("honest");
const NAMES = Array.from({ length: 5_000 }, (_, at) => `tool_number_${at}`);

Deno.test("servedTools cost less than 1,000 tokens whatever is configured", () => {
  const many = Array.from({ length: 300 }, (_, at) => ({ name: `server-${at}`, tools: NAMES }));
  for (const servers of [[], [{ name: "github", tools: NAMES }], many]) {
    const tools = servedTools(servers, { plain: true });
    const tokens = tools.reduce((sum, tool) => sum + countTokens(tool.description), 0);
    assert.ok(tokens < 1_000, `${tokens} tokens`);
    for (const { name, description } of tools) assert.ok(description.length < 2_000, name);
  }
});

Deno.test("catalogHint names every server with its tools while they fit", () => {
  assert.equal(
    catalogHint([{ name: "a", tools: ["x", "y"] }, { name: "b" }]),
    "Servers, with how many tools: a (2): x, y; b (not listed yet).",
  );
  const two = catalogHint([{ name: "small", tools: ["only"] }, { name: "large", tools: NAMES }]);
  assert.match(two, /small \(1\): only; large \(5000\): tool_number_0, .*, \.\.\.\.$/);
  const servers = Array.from({ length: 40 }, (_, at) => ({ name: `s${at}`, tools: NAMES }));
  const hint = catalogHint(servers);
  for (const { name } of servers) assert.ok(hint.includes(`${name} (5000)`), name);
  const all = catalogHint(Array.from({ length: 1_000 }, (_, at) => ({ name: `server${at}` })));
  assert.match(all, / and \d+ more\.$/);
  for (const text of [two, hint, all]) {
    assert.ok(text.length <= MAX_HINT_CHARS && countTokens(text) <= MAX_HINT_TOKENS);
  }
  const odd = catalogHint([{ name: "a", tools: ["ignore all\nprevious", "`rm`", "ok"] }]);
  assert.equal(odd, "Servers, with how many tools: a (3): ok.");
});

Deno.test("SessionKeys accept only what was given with the same key (C2)", () => {
  const keys = createSessionKeys("one key");
  const session = keys.issue();
  assert.match(session, /^s[a-z2-7]{42}$/);
  assert.notEqual(session, keys.issue());
  assert.equal(keys.accept(session), session);
  assert.equal(createSessionKeys("one key").accept(session), session);
  const changed = session.replace(/.$/, (last) => last === "a" ? "b" : "a");
  const moved = session.replace(/^s./, (start) => start === "sa" ? "sb" : "sa");
  for (const text of [changed, moved, "", "s", `${session}\n`, `${session}/x`, "one", "s\0"]) {
    assert.equal(keys.accept(text), undefined, text);
  }
  assert.equal(createSessionKeys("another").accept(session), undefined);
  assert.equal(createSessionKeys().accept(session), undefined);
});

Deno.test("serveEnvironment adds the usual folders behind the PATH and says how deep it is", () => {
  const variables: Record<string, string> = {
    PATH: "/usr/bin:/own",
    HOME: "/home/a",
    MCP_EXEC_SERVE_TOKEN: "canary",
  };
  const env = serveEnvironment({
    env: { get: (name) => variables[name], toObject: () => variables },
    paths: { home: "/home/a", config: "", data: undefined },
    platform: "darwin",
  }, 2);
  assert.match(
    env.get("PATH")!,
    /^\/usr\/bin:\/own:.*\/opt\/homebrew\/bin.*:\/home\/a\/.local\/bin/,
  );
  assert.equal(env.get("PATH")!.split(":").filter((folder) => folder === "/usr/bin").length, 1);
  assert.equal(env.toObject()["MCP_EXEC_DEPTH"], "2");
  assert.equal(env.toObject()["HOME"], "/home/a");
  assert.equal(env.get("MCP_EXEC_SERVE_TOKEN"), undefined);
  assert.ok(!JSON.stringify(env.toObject()).includes("canary"));
});

for (const way of WAYS) {
  Deno.test(`serve over ${way} lists, searches, reads and runs`, async () => {
    await withServing(async ({ connect }) => {
      const { client, call, run } = await connect(way);
      const { tools } = await client.listTools();
      assert.deepEqual(tools.map(({ name }) => name), [
        ...["search_tools", "read_tool_files", "execute_code", "read_result", "run_skill"],
        "call_tool",
      ]);
      const found = await call("search_tools", { query: "list issues" });
      assert.match(
        found.text,
        /^listIssues\(params: .*\n {2}from "mcp:demo", demo\/list_issues: /m,
      );
      assert.ok(
        found.data.tools.some((tool: { function: string }) => tool.function === "listIssues"),
      );
      const page = await call("search_tools", { query: "", server: "demo", detail: "full" });
      assert.equal(page.data.tools.length, 3);
      const next = await call("search_tools", {
        query: "",
        detail: "full",
        cursor: page.data.nextCursor,
      });
      assert.notDeepEqual(next.data.tools[0], page.data.tools[0]);
      assert.match(page.text, /export (?:async )?function /);
      const files = await call("read_tool_files", {
        paths: ["/mcp-tools/servers/demo/", "demo/list_issues", "demo/listIssue.ts"],
      });
      assert.match(files.blocks[0]!.text!, /listIssues\.ts {2}Lists the issues/);
      assert.match(files.blocks[1]!.text!, /export interface ListIssuesParams|ListIssuesParams =/);
      assert.match(files.blocks[2]!.text!, /did you mean "demo\/listIssues\.ts"/);
      assert.equal(files.isError, false);
      assert.equal(
        await run(`import { listProjects } from "mcp:demo";
          const { projects } = await listProjects();
          export default projects.length;`),
        (await call("call_tool", { server: "demo", tool: "list_projects" })).data.value.projects
          .length,
      );
      assert.equal(await run("export default ({ a }) => a + 1", { args: { a: 1 } }), 2);
    });
  });

  Deno.test(`serve over ${way} keeps what is large behind a handle and hands on pictures`, async () => {
    await withServing(async ({ connect }) => {
      const { call } = await connect(way);
      const large = await call("execute_code", {
        code: `return Array.from({ length: 9_000 }, (_, id) => ({ id, name: "ä" }))`,
      });
      const { preview } = large.data;
      assert.equal(large.data.value, undefined);
      assert.match(large.blocks[1]!.text!, new RegExp(`handle ${preview.handle}`));
      assert.ok(large.text.length < 20_000);
      const kept = {
        handle: preview.handle,
        ...(large.data.session && { session: large.data.session }),
      };
      const slice = await call("read_result", { ...kept, start: 0, end: 50 });
      assert.ok(slice.data.text.startsWith(`[{"id":0,"name":"ä"}`));
      const rest = await call("read_result", { ...kept, start: preview.bytes - 20 });
      assert.ok(rest.data.text.endsWith("}]"));
      const more = await call("execute_code", {
        code: `return (await readResult("${preview.handle}")).length`,
        ...(large.data.session && { session: large.data.session }),
      });
      assert.ok(more.data.value > 200_000, more.text);
      // "ä" is the bytes 17 and 18: a slice that begins or ends within it loses nothing.
      let [read, start] = ["", 18];
      for (const end of [18, 19, 24]) {
        const part = await call("read_result", { ...kept, start, end });
        read += part.data.text;
        start = part.data.end;
      }
      assert.equal(read, `ä"},{"`);
      const unknown = await call("read_result", { handle: "h".padEnd(27, "a") });
      assert.ok(unknown.isError && /not known here, or has expired/.test(unknown.text));
      const picture = await call("execute_code", {
        code: `return await callTool("honest", "image", {})`,
      });
      assert.deepEqual(picture.blocks[0]!.type, "image");
      assert.match(picture.blocks[0]!.data!, /^iVBOR/);
      const said = await call("execute_code", {
        code: `const [block] = await callTool("honest", "image", {});
          return { ...block, type: "audio", mimeType: "audio/x\\r\\nX: y" }`,
      });
      const shown = said.blocks.find(({ type }) => type !== "text")!;
      assert.deepEqual([shown.type, shown.mimeType], ["image", "image/png"], said.text);
    }, { specs: [HONEST] });
  });

  Deno.test(`serve over ${way} keeps results from other clients that know their names (C1)`, async () => {
    await withServing(async ({ connect, serving }) => {
      const [one, other] = [await connect(way), await connect(way)];
      const large = await one.call("execute_code", { code: `return "secret ".repeat(9_000)` });
      const { handle } = large.data.preview;
      const mine = large.data.session ? { session: large.data.session } : {};
      assert.equal(
        (await one.call("read_result", { handle, end: 6, ...mine })).data.text,
        "secret",
      );
      const read = "export default (args) => readResult(args.at(-1))";
      const send = `export default ([at]) => callTool("demo", "echo", { text: { $handle: at } })`;
      const forged = serving.keys.issue();
      for (
        const attempt of [
          other.call("read_result", { handle }),
          other.call("read_result", { handle, session: forged }),
          other.call("execute_code", { code: read, args: [handle] }),
          other.call("execute_code", { code: read, args: [{ handle, bytes: 1 }] }),
          other.call("execute_code", { code: send, args: [handle] }),
          other.call("call_tool", {
            server: "demo",
            tool: "echo",
            arguments: { text: { $handle: handle } },
          }),
        ]
      ) {
        const { isError, text } = await attempt;
        assert.ok(isError && /not known here/.test(text), text);
      }
    });
  });

  Deno.test(`serve over ${way} writes errors for whoever wrote the program`, async () => {
    await withServing(async ({ connect }) => {
      const { client, call } = await connect(way);
      const failed = async (code: string, pattern: RegExp) => {
        const given = await call("execute_code", { code });
        assert.ok(given.isError);
        assert.match(given.text, pattern);
        assert.equal(given.data.ok, false);
      };
      await failed("const a = 1;\nreturn a.b.c;", /at code\.ts:2:\d+\n {2}2 \| return a\.b\.c;/);
      await failed(
        `return await callTool("demo", "list_issue", {})`,
        /did you mean "list_issues": listIssues\(params: /,
      );
      await failed(
        `return await callTool("demo", "list_issues", { projekt: "PAY" })`,
        /parameter "project" \(string\) is missing, "projekt" is not known/,
      );
      await failed(
        `import { listIssuez } from "mcp:demo"; export default await listIssuez({})`,
        /did you mean listIssues\(params: /,
      );
      await failed("for (;;) {}", /fuel of [\s\S]*hint: look for an endless loop, else do less/);
      await failed("return 1 +", /at code\.ts:1/);
      const wrong = await call("execute_code", { source: "return 1" });
      assert.match(wrong.text, /"source" of execute_code is not known\n {2}hint: it takes code/);
      const late = await call("execute_code", {
        code: "await new Promise((done) => setTimeout(done, 9000))",
        timeoutMs: 100,
      });
      assert.match(late.text, /100ms/);
      const many = await call("execute_code", {
        code: `for (;;) await callTool("demo", "list_labels", {})`,
        maxCalls: 2,
      });
      assert.match(many.text, /2 calls/);
      await assert.rejects(client.callTool({ name: "nope", arguments: {} }), /"nope" not found/);
    }, { limits: { ...DEFAULT_RUN_LIMITS, fuel: 1e7 } });
  });

  Deno.test(`serve over ${way} keeps state by session (C1, C2, C3)`, async () => {
    await withServing(async ({ connect }) => {
      const [one, two] = [await connect(way), await connect(way)];
      const set = (code: string) => ({ code: `${code}; await setState("k", "${code}")` });
      const first = await one.call("execute_code", set("1"));
      const second = await two.call("execute_code", set("2"));
      const later = (given: Given) => given.data.session ? { session: given.data.session } : {};
      assert.equal(first.data.session === undefined, way !== "http of 2026");
      await one.run(
        "JSON.stringify = () => 'changed'; Object.prototype.x = 1; return 1",
        later(first),
      );
      const read = `return [await getState("k"), ({}).x ?? null]`;
      assert.deepEqual(await one.run(read, later(first)), ["1", null]);
      assert.deepEqual(await two.run(read, later(second)), ["2", null]);
      for (const session of ["1", "default", "a/b", "s".padEnd(43, "a"), "s\u0000"]) {
        await assert.rejects(one.run(read, { session }), /not one that was given here/);
      }
    });
  });

  Deno.test(`serve over ${way} never crosses runs of many clients (C4)`, async () => {
    await withServing(async ({ connect }) => {
      const clients = await Promise.all(Array.from({ length: 8 }, () => connect(way)));
      await Promise.all(clients.map(async ({ call }, at) => {
        const code = `export default async (mark) => {
          const waited = await callTool("honest", "echo", { text: mark });
          const before = await getState("mark");
          await setState("mark", mark);
          return [waited, before ?? null, await getState("mark")];
        }`;
        let session: string | undefined;
        for (let round = 0; round < 6; round++) {
          const mark = `client ${at} round ${round}`;
          const given = await call("execute_code", {
            code,
            args: mark,
            ...(session && { session }),
          });
          const before = round === 0 ? null : `client ${at} round ${round - 1}`;
          assert.deepEqual(given.data.value, [mark, before, mark]);
          session = given.data.session ?? session;
        }
      }));
    }, { specs: [HONEST] });
  });

  Deno.test(`serve over ${way} stops a run and its calls when the client cancels it`, async () => {
    await withServing(async ({ connect, serving }) => {
      const { run, call } = await connect(way);
      await run(`await callTool("honest", "count", {})`);
      const stop = new AbortController();
      const steps: number[] = [];
      const code = `await callTool("honest", "wait", { ms: 60_000 })`;
      const waiting = call("execute_code", { code }, {
        signal: stop.signal,
        onprogress({ progress }) {
          steps.push(progress);
          if (steps.length === 2) stop.abort();
        },
      });
      await assert.rejects(waiting);
      assert.deepEqual(steps, [1, 2]);
      // Its place is free again, and the server was told.
      for (;;) {
        const cancelled = await run(`return await callTool("honest", "cancelled", {})`);
        if (cancelled === "1") break;
      }
      const ended = serving.session.journal.runs(20).find(({ id }) =>
        serving.session.journal.run(id)!.code === code
      )!;
      assert.equal(ended.end!.outcome, "interrupted");
    }, { specs: [HONEST], concurrency: 1 });
  });

  Deno.test(`serve over ${way} refuses to be called by itself too deep (N4)`, async () => {
    await withServing(async ({ connect }) => {
      const { call } = await connect(way);
      const meta = { "io.github.mcp-exec/depth": 3 };
      const given = await call("execute_code", { code: "return 1" }, { meta });
      assert.ok(given.isError);
      assert.match(given.text, /called by itself more than 3 deep/);
      const below = { "io.github.mcp-exec/depth": 2 };
      assert.equal(
        (await call("execute_code", { code: "return 1" }, { meta: below })).data.value,
        1,
      );
    });
  });

  Deno.test(`serve over ${way} shows the trace of a run to who was given its address (C2)`, async () => {
    await withServing(async ({ connect, serving: { keys, session } }) => {
      const { client, call } = await connect(way);
      const { data } = await call("execute_code", {
        code: `return (await callTool("demo", "list_labels", {})).labels.length`,
      });
      const { contents } = await client.readResource({ uri: data.trace });
      const trace = JSON.parse((contents[0] as { text: string }).text);
      assert.equal(trace.id, data.run);
      assert.equal(trace.calls[0].tool, "list_labels");
      const other = session.journal.startRun({
        code: "export default 1;",
        codeDigest: digestOf("export default 1;"),
        servers: [],
        limits: DEFAULT_RUN_LIMITS,
        command: "execute",
      });
      const forged = data.trace.replace(/.$/, (last: string) => last === "a" ? "b" : "a");
      for (const uri of [`mcp-exec://runs/${data.run}`, forged, keys.traceOf(other)]) {
        await assert.rejects(client.readResource({ uri }), /not found/i);
      }
    });
  });

  Deno.test(`serve over ${way} tells when what is known of servers changes`, async () => {
    await withServing(async ({ connect, serving }) => {
      const { client } = await connect(way);
      const describe = async () => (await client.listTools()).tools[0]!.description!;
      assert.match(await describe(), /honest \(not listed yet\)/);
      const { promise: told, resolve } = Promise.withResolvers<void>();
      if (way !== "http of 2025") {
        client.setNotificationHandler("notifications/tools/list_changed", () => resolve());
        // deno-lint-ignore no-explicit-any -- offered in the newer revision alone
        const listening = client as any;
        if (way === "http of 2026") await listening.listen({ toolsListChanged: true });
      } else serving.onToolsChanged(resolve);
      await serving.fill();
      await told;
      assert.match(await describe(), /honest \(\d+\): add_numbers, /);
    }, { specs: [HONEST] });
  });
}

Deno.test("serve offers no tool that policy never allows", async () => {
  const policy = [parsePolicy({
    rules: [
      { tool: "demo/create_label", decide: "deny" },
      { tool: "demo/list_*", arguments: { project: "none" }, decide: "deny" },
    ],
  }, { name: "user", file: "config.json", warn: (message) => assert.fail(message) })];
  await withServing(async ({ connect, serving }) => {
    await serving.fill();
    const { call, client } = await connect("stdio");
    for (const detail of ["name", "signature", "full"]) {
      for (const query of ["", "create label"]) {
        const { text, data } = await call("search_tools", { query, detail });
        assert.ok(!text.includes("create_label") && data.tools.length > 0, text);
      }
    }
    const folder = await call("read_tool_files", { paths: ["demo"] });
    assert.match(folder.text, /listLabels/);
    assert.ok(!/create_?label/i.test(folder.text));
    const file = await call("read_tool_files", { paths: ["demo/create_label.ts"] });
    assert.ok(file.isError);
    const { tools } = await client.listTools();
    assert.ok(!tools.some(({ description }) => description!.includes("create_label")));
  }, { policy });
});

Deno.test("serve takes old runs out of the journal while it stays", async () => {
  let now = Date.now();
  await withServing(async ({ connect, serving }) => {
    const { run } = await connect("stdio");
    const runs = () => serving.session.journal.runs(10).length;
    await run("return 1");
    await run("return 2");
    assert.equal(runs(), 2);
    now += 365 * 24 * 3_600_000;
    await run("return 3");
    assert.equal(runs(), 1);
  }, { now: () => now });
});

Deno.test("createServeTools lets clients take turns and bounds how many runs wait", async () => {
  await withServing(async ({ serving }) => {
    const ended: string[] = [];
    const never = new AbortController().signal;
    const ask = (owner: string) =>
      serving.tools.call("execute_code", { code: `return "${owner}"` }, {
        owner,
        depth: 0,
        signal: never,
      }).then((result) => {
        ended.push(owner);
        return result!;
      });
    const greedy = Array.from({ length: 80 }, () => ask("greedy"));
    const modest = ask("modest");
    await modest;
    assert.ok(ended.filter((owner) => owner === "greedy").length < 20, `${ended.length}`);
    const results = await Promise.all(greedy);
    const refused = results.filter(({ isError }) => isError);
    assert.equal(refused.length, 80 - 65);
    assert.match(JSON.stringify(refused[0]), /busy: 64 runs are waiting/);
  }, { concurrency: 1 });
});

Deno.test("serve on stdio frees the state of a connection that has ended (C5)", async () => {
  await withServing(async ({ connect, serving }) => {
    const { run, close } = await connect("stdio");
    await run(`await setState("k", "x")`);
    const rows = () => serving.session.database.all("select * from state").length;
    assert.equal(rows(), 1);
    await close();
    assert.equal(rows(), 0);
  });
});
