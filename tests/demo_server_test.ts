import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/client";
import { generateTypescript } from "../src/codegen.ts";
import { DEMO_NOW } from "../src/demo_data.ts";
import { DEMO_PROGRAM } from "../src/commands/demo.ts";
import { openDemoServer } from "../src/demo_server.ts";
import { parseTools } from "../src/introspect.ts";
import { DEMO_SERVER } from "../src/names.ts";

interface Answer {
  readonly isError: boolean;
  readonly text: string;
  // deno-lint-ignore no-explicit-any
  readonly value: any;
}

type Call = (name: string, args?: Record<string, unknown>) => Promise<Answer>;

async function withDemo(work: (call: Call, client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(await openDemoServer());
  try {
    await work(async (name, args = {}) => {
      const result = await client.callTool({ name, arguments: args });
      const [block] = result.content;
      assert(block?.type === "text");
      const value = result.structuredContent ??
        (/^[[{]/.test(block.text) ? JSON.parse(block.text) : block.text);
      return { isError: result.isError === true, text: block.text, value };
    }, client);
  } finally {
    await client.close();
  }
}

// One valid call of every tool; what it changes is undone by the end of the server.
const CALLS: readonly (readonly [name: string, args: Record<string, unknown>])[] = [
  ["get_workspace", {}],
  ["list_projects", {}],
  ["get_project", { project: "PAY" }],
  ["project_stats", { project: "WEB", since: "2025-06-01T00:00:00Z" }],
  ["list_milestones", { project: "API", state: "open" }],
  ["list_labels", {}],
  ["create_label", { name: "from-test" }],
  ["list_users", { team: "Platform" }],
  ["get_user", { login: "ana.silva" }],
  ["export_project", { project: "LAB", with_bodies: true }],
  ["build_report", { project: "OPS", delay_ms: 0 }],
  ["import_issues", { project: "LAB", url: "https://elsewhere.example/export" }],
  ["list_issues", {
    project: "PAY",
    state: "open",
    priority: "high",
    type: "bug",
    assignee: "ana.silva",
    label: "customer",
    milestone: "2026.1",
    created_after: "2024-01-01T00:00:00Z",
    updated_before: "2026-03-01T00:00:00Z",
    sort: "priority",
    direction: "asc",
    page: 1,
    per_page: 100,
  }],
  ["search_issues", { query: "webhook delivery", in_body: true, state: "open" }],
  ["get_issue", { issue: "MOB-7" }],
  ["create_issue", { project: "LAB", title: "Try it", labels: ["from-test"], estimate: 3 }],
  ["update_issue", {
    issue: "LAB-81",
    title: "Tried",
    milestone: "2026.2",
    assignee: "mei.tanaka",
  }],
  ["bulk_update", { issues: ["LAB-1", "LAB-2"], priority: "urgent" }],
  ["link_issues", { from: "LAB-1", to: "LAB-2", relation: "blocks" }],
  ["list_comments", { issue: "LAB-1", direction: "desc", per_page: 5 }],
  ["add_comment", { issue: "LAB-81", body: "Seen" }],
  ["delete_comment", { issue: "LAB-81", comment: 2200081_00 }],
];

Deno.test("openDemoServer lists about twenty tools that say all there is to say", async () => {
  await withDemo(async (_call, client) => {
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name).sort(), CALLS.map(([name]) => name).sort());
    for (const { name, description, inputSchema, annotations } of tools) {
      assert(description!.length > 40, name);
      assert.equal(inputSchema.type, "object");
      assert.equal(inputSchema["additionalProperties"], false);
      assert.equal(typeof annotations?.readOnlyHint, "boolean", name);
    }
    assert(tools.filter(({ outputSchema }) => outputSchema !== undefined).length >= 10);
    assert(tools.some(({ annotations }) => annotations?.destructiveHint));
    assert.deepEqual(parseTools(DEMO_SERVER, tools).warnings, []);
  });
});

Deno.test("openDemoServer answers every tool, and only import_issues always fails", async () => {
  await withDemo(async (call) => {
    for (const [name, args] of CALLS) {
      const { isError, text } = await call(name, args);
      assert.equal(isError, name === "import_issues", `${name}: ${text.slice(0, 200)}`);
    }
    const failed = await call("import_issues", { project: "LAB", url: "https://a.example/b" });
    assert.match(failed.text, /^Cannot import from https:\/\/a\.example\/b: /);
  });
});

Deno.test("openDemoServer says what is wrong with a call that names what is not there", async () => {
  await withDemo(async (call) => {
    const wrong: [string, Record<string, unknown>, RegExp][] = [
      ["get_issue", { issue: "PAY-99999" }, /There is no issue PAY-99999/],
      ["list_issues", { project: "NOPE" }, /There is no project NOPE\. Projects: PAY, WEB/],
      ["list_issues", { project: "PAY", per_page: 101 }, /per_page/],
      ["list_issues", { project: "PAY", created_after: "soon" }, /created_after|not a time/],
      ["get_issue", {}, /issue/],
      ["create_issue", { project: "PAY", title: "a", labels: ["none"] }, /no label none/],
      ["update_issue", { issue: "PAY-1", milestone: "1.0" }, /PAY has no milestone 1\.0/],
      ["update_issue", { issue: "PAY-1", duplicate_of: "PAY-1" }, /cannot repeat itself/],
      ["create_label", { name: "customer" }, /already/],
      ["delete_comment", { issue: "PAY-1", comment: 1 }, /PAY-1 has no comment 1/],
    ];
    for (const [name, args, message] of wrong) {
      const { isError, text } = await call(name, args);
      assert(isError, name);
      assert.match(text, message);
    }
  });
});

Deno.test("openDemoServer pages through the issues of a project, each of them once", async () => {
  await withDemo(async (call) => {
    const seen: string[] = [];
    let page: number | null = 1;
    while (page !== null) {
      const { value } = await call("list_issues", { project: "INV", per_page: 100, page });
      seen.push(...value.issues.map(({ key }: { key: string }) => key));
      assert.equal(value.total_count, 280);
      page = value.next_page;
    }
    assert.equal(new Set(seen).size, 280);
    assert.equal(seen.length, 280);
    const { value } = await call("list_issues", { project: "INV", per_page: 100, page: 4 });
    assert.deepEqual([value.issues, value.next_page], [[], null]);
  });
});

Deno.test("openDemoServer filters by every field and sorts both ways", async () => {
  await withDemo(async (call) => {
    const list = async (more: Record<string, unknown>) =>
      // deno-lint-ignore no-explicit-any
      (await call("list_issues", { project: "PAY", per_page: 100, ...more })).value.issues as any[];
    const filtered = await list({ state: "open", priority: "high", type: "bug" });
    assert(filtered.length > 0);
    for (const { state, priority, type } of filtered) {
      assert.deepEqual([state, priority, type], ["open", "high", "bug"]);
    }
    const label = await list({ label: "security", assignee: "mei.tanaka" });
    assert(label.length > 0);
    for (const { labels, assignee } of label) {
      assert(labels.some(({ name }: { name: string }) => name === "security"));
      assert.equal(assignee.login, "mei.tanaka");
    }
    const old = await list({ updated_before: "2025-12-01T00:00:00Z", sort: "updated" });
    assert(old.length > 0 && old.every(({ updated_at }) => updated_at < "2025-12-01"));
    const times = old.map(({ updated_at }) => updated_at);
    assert.deepEqual(times, times.toSorted().reverse());
    const counts = (await list({ sort: "comments", direction: "asc" })).map((one) => one.comments);
    assert.deepEqual(counts, counts.toSorted((a, b) => a - b));
  });
});

Deno.test("openDemoServer gives the same records to everyone, and keeps changes to itself", async () => {
  const read = async (call: Call) => [
    (await call("list_issues", { project: "SRCH", per_page: 100 })).text,
    (await call("list_comments", { issue: "SRCH-9", per_page: 100 })).text,
    (await call("list_projects")).text,
  ];
  let first: string[] = [];
  await withDemo(async (call) => {
    first = await read(call);
    await call("bulk_update", { issues: ["SRCH-239", "SRCH-240"], state: "closed" });
    await call("add_comment", { issue: "SRCH-9", body: "Only here" });
    assert.notDeepEqual(await read(call), first);
    const { value } = await call("get_issue", { issue: "SRCH-240" });
    assert.equal(value.state, "closed");
    assert.equal(value.closed_at, value.updated_at);
  });
  await withDemo(async (call) => {
    assert.deepEqual(await read(call), first);
    const { value } = await call("get_workspace");
    assert.deepEqual(value, {
      name: "Northwind Works",
      now: new Date(DEMO_NOW).toISOString(),
      projects: 12,
      users: 20,
      issues: 3000,
    });
  });
});

Deno.test("openDemoServer builds reports at the same time when asked at the same time", async () => {
  await withDemo(async (call) => {
    const one = await call("build_report", { project: "WEB", delay_ms: 1 });
    assert.equal(one.value.built_at_once, 1);
    const many = await Promise.all(
      Array.from({ length: 50 }, () => call("build_report", { project: "WEB" })),
    );
    assert.equal(many.at(-1)!.value.built_at_once, 50);
  });
});

Deno.test("DEMO_PROGRAM fits the types that are generated for the demo server", async () => {
  await withDemo(async (_call, client) => {
    const { tools } = parseTools(DEMO_SERVER, (await client.listTools()).tools);
    const { files } = generateTypescript({
      name: DEMO_SERVER,
      identity: { name: "demo", version: "1" },
      protocolVersion: "2025-11-25",
      capabilities: {},
      tools,
      warnings: [],
    });
    const folder = await Deno.makeTempDir();
    try {
      for (const [path, text] of files) await Deno.writeTextFile(`${folder}/${path}`, text);
      // Were the import taken for `any`, the planted mistake would be none, which is one too.
      const planted = '// @ts-expect-error planted\nlistIssues({ projekt: "PAY" });\n';
      await Deno.writeTextFile(`${folder}/demo.ts`, DEMO_PROGRAM + planted);
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["check", "--quiet", `${folder}/demo.ts`],
        cwd: folder,
        stdout: "null",
        env: { NO_COLOR: "1" },
      }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
});

Deno.test("DEMO_PROGRAM gives a small answer that is always the same", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--unstable-worker-options",
        "--v8-flags=--stack-size=3400",
        new URL("../main.ts", import.meta.url).pathname,
        ...["execute", "-", "--format", "json"],
      ],
      env: { MCP_EXEC_DATA_DIR: folder, XDG_CONFIG_HOME: folder },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    await input.write(new TextEncoder().encode(DEMO_PROGRAM));
    await input.close();
    const { stdout, stderr } = await child.output();
    const text = new TextDecoder().decode(stdout);
    const { result, calls } = JSON.parse(text || new TextDecoder().decode(stderr));
    assert.deepEqual(result.projects, ["PAY", "WEB", "API"]);
    assert.deepEqual(result.closedAsDuplicates, { PAY: 18, WEB: 11, API: 12 });
    assert.deepEqual([result.open, result.important], [722, 165]);
    assert.deepEqual(result.quietFor30Days.slice(0, 3), [
      "nobody: 15, the longest for 635 days",
      "kavya.rao: 9, the longest for 517 days",
      "sven.olsen: 7, the longest for 637 days",
    ]);
    assert(JSON.stringify(result).length < 2000);
    // What the answer stands for: much more than a model could have read.
    const received = calls.reduce(
      (sum: number, { receivedBytes }: { receivedBytes: number }) => sum + receivedBytes,
      0,
    );
    assert(calls.length > 200 && received > 2_000_000, `${calls.length} calls, ${received} bytes`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
