// deno-lint-ignore-file no-console
// What an agent's context takes for five tasks, in estimated tokens: our tool list, a search, the
// modules of three tools, one program and its answer, against the definitions of all tools and every
// intermediate result. Definitions are recordings of published servers (../shared/corpus); what their
// tools answer is made up, in the shape and size those services give. Each text counts once, as if
// nothing were sent again. `deno task bench agent_path`.

import { InMemoryTransport, Server } from "@modelcontextprotocol/server";
import type { ServerName } from "../src/names.ts";
import type { JsonObject, ServerSpec, ToolDefinition } from "../src/server.ts";
import { countTokens, definitionTokens, TOKENIZER } from "../src/stats.ts";
import { HAS_CORPUS, recordedServers } from "../tests/server_fixtures.ts";
import { withServing } from "../tests/serve_fixture.ts";

type Answers = Readonly<Record<string, (args: JsonObject) => unknown>>;
type Call = readonly [server: string, tool: string, args: JsonObject];

interface Task {
  readonly title: string;
  /** The servers that are configured. */
  readonly servers: readonly string[];
  readonly search: string;
  readonly read: readonly string[];
  readonly program: string;
  /** The calls an agent without programs makes for the same answer. */
  readonly calls: readonly Call[];
}

const user = (at: number) => ({
  login: `person-${at % 9}`,
  id: 1000 + at,
  avatar_url: `https://avatars.example.com/u/${1000 + at}?v=4`,
  html_url: `https://example.com/person-${at % 9}`,
  type: "User",
  site_admin: false,
});
const issue = (at: number) => ({
  id: 90_000 + at,
  number: at,
  title: `Exports of report ${at} stop half way`,
  state: "open",
  user: user(at),
  labels: [{ id: 7, name: at % 3 === 0 ? "bug" : "question", color: "d73a4a", default: true }],
  assignees: at % 2 === 0 ? [] : [user(at + 1)],
  comments: at % 11,
  created_at: `2026-0${1 + at % 9}-11T08:00:00Z`,
  updated_at: "2026-10-01T08:00:00Z",
  body: "The export stops without a message when the report has more than a thousand rows. ".repeat(
    3,
  ),
  html_url: `https://example.com/o/r/issues/${at}`,
});
const mergeRequest = (at: number) => ({
  id: 5000 + at,
  iid: at,
  project_id: 12,
  title: `Move job ${at} to the new queue`,
  description: "Moves the job and its tests; the old queue is removed when all are done. ".repeat(
    4,
  ),
  state: "opened",
  author: user(at),
  source_branch: `queue-${at}`,
  target_branch: "main",
  web_url: `https://gitlab.example.com/a/b/-/merge_requests/${at}`,
  updated_at: "2026-10-01T08:00:00Z",
});
const pipeline = (at: number) => ({
  id: 70_000 + at,
  iid: at,
  status: at % 4 === 0 ? "failed" : "success",
  source: "merge_request_event",
  ref: `refs/merge-requests/${at}/head`,
  sha: "4f2c1d9e".repeat(5),
  created_at: "2026-10-01T08:00:00Z",
  web_url: `https://gitlab.example.com/a/b/-/pipelines/${70_000 + at}`,
});
const POD_LINES = Array.from(
  { length: 60 },
  (_, at) =>
    `shop  v1  Pod  worker-${at}-7d9f8b6c5-x${at}  1/1  ${
      at % 20 === 3 ? "CrashLoopBackOff" : "Running"
    }  ${at % 20 === 3 ? 41 : at % 3}  12d  10.2.0.${at}  node-${at % 5}  app=worker-${at}`,
);
const LOG = Array.from(
  { length: 100 },
  (_, at) =>
    `2026-10-01T08:00:${String(at % 60).padStart(2, "0")}Z ${
      at === 97
        ? "ERROR cannot reach the queue: connection refused"
        : "INFO took a job off the queue"
    } worker=3 job=${at}`,
).join("\n");
const page = (at: number) => ({
  object: "page",
  id: `0f${String(at).padStart(6, "0")}-1111-2222-3333-444455556666`,
  created_time: "2026-09-01T08:00:00.000Z",
  last_edited_time: "2026-10-01T08:00:00.000Z",
  properties: {
    Status: { id: "a", type: "status", status: { id: "s", name: at % 4 === 0 ? "Late" : "Done" } },
    Team: { id: "b", type: "select", select: { id: "t", name: ["Core", "Web", "Data"][at % 3] } },
    Name: {
      id: "title",
      type: "title",
      title: [{
        type: "text",
        text: { content: `Task ${at}`, link: null },
        plain_text: `Task ${at}`,
      }],
    },
  },
  url: `https://www.notion.example/Task-${at}`,
});
const many = <Item>(count: number, make: (at: number) => Item, from = 1) =>
  Array.from({ length: count }, (_, at) => make(at + from));

const ANSWERS: Readonly<Record<string, Answers>> = {
  "github-ref": {
    list_issues: ({ page = 1 }) => many(50, issue, 1 + (Number(page) - 1) * 50),
  },
  "gitlab-zereight": {
    list_merge_requests: () => many(30, mergeRequest),
    list_merge_request_pipelines: (args) => [pipeline(Number(args["merge_request_iid"]))],
  },
  kubernetes: {
    pods_list: () => POD_LINES.join("\n"),
    pods_log: () => LOG,
  },
  notion: {
    "API-query-data-source": ({ start_cursor }) => ({
      object: "list",
      results: many(50, page, start_cursor === undefined ? 1 : 51),
      has_more: start_cursor === undefined,
      next_cursor: start_cursor === undefined ? "second" : null,
    }),
  },
  exa: {
    web_search_exa: () =>
      many(3, (at) => ({
        title: `Release notes, part ${at}`,
        url: `https://example.com/release-${at}`,
        text: "The new release reads files of twice the size in half of the time. ".repeat(12),
      })),
  },
};

const WORK = ["github-ref", "gitlab-zereight", "kubernetes", "notion", "filesystem", "supabase"];
const crashing = POD_LINES.filter((line) => line.includes("CrashLoop")).map((line) =>
  line.split(/ {2,}/)[3]!
);
const TASKS: readonly Task[] = [
  {
    title: "bugs nobody works on, the five oldest (2 pages of issues)",
    servers: WORK,
    search: "list issues of a repository",
    read: ["github-ref/list_issues", "github-ref/get_issue", "github-ref/search_issues"],
    program: `import { listIssues } from "mcp:github-ref";
const pages = await Promise.all([1, 2].map((page) =>
  listIssues({ owner: "o", repo: "r", state: "open", per_page: 50, page }) as Promise<any[]>));
export default pages.flat()
  .filter((issue) => issue.assignees.length === 0 && issue.labels.some((l: any) => l.name === "bug"))
  .sort((a, b) => a.created_at.localeCompare(b.created_at)).slice(0, 5)
  .map(({ number, title }) => ({ number, title }));`,
    calls: [1, 2].map((page) =>
      [
        "github-ref",
        "list_issues",
        { owner: "o", repo: "r", state: "open", per_page: 50, page },
      ] as const
    ),
  },
  {
    title: "merge requests whose last pipeline failed (31 calls)",
    servers: WORK,
    search: "merge request pipelines",
    read: [
      "gitlab-zereight/list_merge_requests",
      "gitlab-zereight/list_merge_request_pipelines",
      "gitlab-zereight/get_merge_request",
    ],
    program: `import { listMergeRequests, listMergeRequestPipelines } from "mcp:gitlab-zereight";
const requests = await listMergeRequests({ project_id: "12", state: "opened" }) as any[];
const failed = await Promise.all(requests.map(async ({ iid, title, author }) => {
  const [last] = await listMergeRequestPipelines({ project_id: "12", merge_request_iid: String(iid) }) as any[];
  return last?.status === "failed" ? [\`!\${iid} \${title} (\${author.login})\`] : [];
}));
export default failed.flat();`,
    calls: [
      ["gitlab-zereight", "list_merge_requests", { project_id: "12", state: "opened" }],
      ...many(30, (at): Call => [
        "gitlab-zereight",
        "list_merge_request_pipelines",
        { project_id: "12", merge_request_iid: String(at) },
      ]),
    ],
  },
  {
    title: "why pods crash: the errors in their logs (4 calls)",
    servers: WORK,
    search: "list pods and read their logs",
    read: ["kubernetes/pods_list", "kubernetes/pods_log", "kubernetes/events_list"],
    program: `import { podsList, podsLog } from "mcp:kubernetes";
const lines = String(await podsList({})).split("\\n").filter((line) => line.includes("CrashLoopBackOff"));
export default await Promise.all(lines.map(async (line) => {
  const [namespace, , , name] = line.split(/ {2,}/);
  const log = String(await podsLog({ name, namespace, tail: 100 }));
  return { name, errors: log.split("\\n").filter((entry) => entry.includes("ERROR")).slice(-3) };
}));`,
    calls: [
      ["kubernetes", "pods_list", {}],
      ...crashing.map((name): Call => [
        "kubernetes",
        "pods_log",
        { name, namespace: "shop", tail: 100 },
      ]),
    ],
  },
  {
    title: "late tasks by team (2 pages of a database)",
    servers: WORK,
    search: "query data source",
    read: [
      "notion/API-query-data-source",
      "notion/API-retrieve-a-data-source",
      "notion/API-retrieve-a-page",
    ],
    program: `import { apiQueryDataSource } from "mcp:notion";
const counts: Record<string, number> = {};
for (let start_cursor: string | undefined;;) {
  const page = await apiQueryDataSource({ data_source_id: "0f000000-1111-2222-3333-444455556666", start_cursor }) as any;
  for (const { properties } of page.results) {
    if (properties.Status.status.name !== "Late") continue;
    counts[properties.Team.select.name] = (counts[properties.Team.select.name] ?? 0) + 1;
  }
  if (!page.has_more) break;
  start_cursor = page.next_cursor;
}
export default counts;`,
    calls: [undefined, "second"].map((start_cursor): Call => [
      "notion",
      "API-query-data-source",
      {
        data_source_id: "0f000000-1111-2222-3333-444455556666",
        ...(start_cursor !== undefined && { start_cursor }),
      },
    ]),
  },
  {
    title: "one web search, read whole (one small server: plain calls win)",
    servers: ["exa"],
    search: "web search",
    read: ["exa/web_search_exa", "exa/web_fetch_exa"],
    program: `import { webSearchExa } from "mcp:exa";
export default await webSearchExa({ query: "what is new in the release" });`,
    calls: [["exa", "web_search_exa", { query: "what is new in the release" }]],
  },
];

function specOf(name: string, tools: readonly JsonObject[]): ServerSpec {
  return {
    transport: "embedded",
    name: name as ServerName,
    origin: "built-in",
    async open() {
      const server = new Server({ name, version: "1" }, { capabilities: { tools: {} } });
      // deno-lint-ignore no-explicit-any -- recorded as they were
      server.setRequestHandler("tools/list", () => ({ tools: tools as any }));
      server.setRequestHandler("tools/call", ({ params }) => {
        const answer = ANSWERS[name]![params.name]!((params.arguments ?? {}) as JsonObject);
        const text = typeof answer === "string" ? answer : JSON.stringify(answer);
        return { content: [{ type: "text", text }] };
      });
      const [client, end] = InMemoryTransport.createLinkedPair();
      await server.connect(end);
      return client;
    },
  };
}

const count = (value: unknown) =>
  countTokens(typeof value === "string" ? value : JSON.stringify(value));
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

if (!HAS_CORPUS) {
  console.log("There are no recordings beside this checkout: nothing to measure");
  Deno.exit(0);
}
const recorded = new Map([...recordedServers()].map((info) => [info.name as string, info]));
const definitionsOf = (name: string) =>
  recorded.get(name)!.tools.map(({ digest: _, ...tool }) => tool as JsonObject);

console.log(`tokens as ${TOKENIZER}; each text once\n`);
for (const task of TASKS) {
  const specs = task.servers.map((name) => specOf(name, definitionsOf(name)));
  await withServing(async ({ connect, serving }) => {
    await serving.fill();
    const { client, call } = await connect("stdio");
    const { tools } = await client.listTools();
    const search = { query: task.search, detail: "name" };
    const found = await call("search_tools", search);
    const files = { paths: task.read };
    const read = await call("read_tool_files", files);
    const answer = await call("execute_code", { code: task.program });
    if (read.isError || answer.isError || read.text.includes("not found")) {
      throw new Error(`${task.title}\n${read.text.slice(-300)}\n${answer.text}`);
    }
    const parts = {
      "tool list": definitionTokens({ tools: tools as unknown as ToolDefinition[] }),
      search: count(search) + count(found.text),
      reading: count(files) + count(read.text),
      program: count(task.program),
      answer: count(answer.text),
    };
    const tokensOf = (name: string) => definitionTokens(recorded.get(name)!);
    const definitions = sum(task.servers.map(tokensOf));
    const passed = sum(
      task.calls.map(([server, tool, args]) =>
        count({ name: tool, arguments: args }) + count(ANSWERS[server]![tool]!(args))
      ),
    );
    const used = new Set(task.calls.map(([server]) => server));
    const least = sum([...used].map(tokensOf)) + passed;
    const ours = sum(Object.values(parts));
    const plain = definitions + passed;
    console.log(task.title);
    console.log(
      `  programs  ${String(ours).padStart(7)}  ${
        Object.entries(parts).map(([name, value]) => `${name} ${value}`).join(" + ")
      }`,
    );
    console.log(
      `  plain     ${
        String(plain).padStart(7)
      }  definitions ${definitions} + ${task.calls.length} calls ${passed}`,
    );
    if (used.size < task.servers.length) {
      console.log(`  plain     ${String(least).padStart(7)}  with the servers it needs alone`);
    }
    const saved = 100 * (1 - ours / plain);
    console.log(
      saved > 0
        ? `  programs take ${saved.toFixed(1)} % less`
        : `  plain calls take ${(100 * (1 - plain / ours)).toFixed(1)} % less`,
    );
  }, { specs, plain: false });
}
