// `demo`: the whole loop on the built-in server, offline: read its tools, generate code for them,
// run a program against them, and count what that keeps out of a model's context.

import { buildCommand } from "@stricli/core";
import { AppError } from "../errors.ts";
import { type Invocation, openServers, withSession } from "../flags.ts";
import { formatBytes } from "../limits.ts";
import { DEMO_SERVER } from "../names.ts";
import { countOf, formatMs, type Output, toJson } from "../render.ts";
import { logLines, runDocument, runLine } from "../run_output.ts";
import { serverText, viewTools } from "../tool_views.ts";
import type { ServerInfo } from "../server.ts";
import type { RunOutcome, Session } from "../session.ts";
import type { TokenLedger } from "../stats.ts";
import { cleanLine } from "../text.ts";

/** The command `demo`. */
export const command = buildCommand<Record<never, never>, [], Invocation>({
  docs: {
    brief: "Show the whole loop on the built-in server, offline",
    customUsage: [""],
    fullDescription: `Reads the tools of the built-in issue tracker, generates code for them, runs a
program against it in the sandbox, and says what that cost in tokens against calling tool by tool.
It needs no network and no configuration, and leaves nothing behind but an entry in the journal.

EXAMPLES
  mcp-exec demo
  mcp-exec demo --format json
  mcp-exec introspect demo --tool list_issues`,
  },
  parameters: {},
  async func() {
    const { estimateTokens } = await import("../stats.ts");
    const servers = await openServers(this, {}, [DEMO_SERVER]);
    await withSession(this, servers, {
      countTokens: estimateTokens,
      work: (session) => showLoop(this, session),
    });
  },
});

interface Demo {
  readonly task: string;
  readonly program: string;
  readonly info: ServerInfo;
  readonly files: ReadonlyMap<string, string>;
  readonly generateMs: number;
  readonly outcome: RunOutcome;
  readonly ledger: TokenLedger;
  readonly tokenizer: string;
}

async function showLoop(invocation: Invocation, session: Session): Promise<void> {
  const { output, log } = invocation;
  const demo = await runLoop(invocation, session);
  const { outcome, info, ledger, tokenizer } = demo;
  if (output.format === "json") {
    output.document({
      ...runDocument(outcome, output.mask),
      task: demo.task,
      program: demo.program,
      server: { name: info.name, identity: info.identity, tools: info.tools.length },
      tokens: { estimate: tokenizer, ...ledger },
    });
  } else if (outcome.ok) {
    output.print(demoText(demo, output));
  }
  log.info(runLine(outcome));
  if (!outcome.ok) throw outcome.error ?? new AppError("failure", "Demo failed without a reason");
}

async function runLoop({ note }: Invocation, session: Session): Promise<Demo> {
  const [{ generateTypescript }, stats] = await Promise.all([
    import("../codegen.ts"),
    import("../stats.ts"),
  ]);
  const info = await session.bridge.describe(DEMO_SERVER);
  const start = performance.now();
  const { files } = generateTypescript(info);
  const generateMs = performance.now() - start;
  const outcome = await session.run({
    source: DEMO_PROGRAM,
    path: DEMO_PATH,
    command: "demo",
    servers: [DEMO_SERVER],
    onLog: (entry) => note(logLines(entry)),
  });
  const views = await viewTools(info);
  const called = new Set(outcome.calls.map((call) => call.tool));
  const listing = serverText(info, views, { detailed: false });
  const ledger = stats.tokenLedger({
    definitions: stats.definitionTokens(info),
    // The list of all tools, and whole those that the program uses.
    read: [
      listing,
      ...await Promise.all(
        views.filter(({ tool }) => called.has(tool.name)).map((view) => view.readModule()),
      ),
    ],
    calls: outcome.calls.reduce(
      (sum, call) => sum + stats.estimateTokens(call.tool) + (call.sentTokens ?? 0),
      0,
    ),
    results: outcome.calls.reduce((sum, call) => sum + (call.receivedTokens ?? 0), 0),
    program: DEMO_PROGRAM,
    answer: JSON.stringify(outcome.value ?? null),
  });
  return {
    task: DEMO_TASK,
    program: DEMO_PROGRAM,
    info,
    files,
    generateMs,
    outcome,
    ledger,
    tokenizer: stats.TOKENIZER,
  };
}

function demoText(demo: Demo, { style }: Output): string {
  const { task, program, info, files, outcome, ledger } = demo;
  const bytes = [...files.values()].reduce((sum, text) => sum + text.length, 0);
  const perTool = new Map<string, number>();
  for (const { tool } of outcome.calls) perTool.set(tool, (perTool.get(tool) ?? 0) + 1);
  const calls = [...perTool].sort((a, b) => b[1] - a[1]).map(([tool, count]) => `${count} ${tool}`);
  const { direct, program: spent } = ledger;
  const count = (tokens: number) => tokens.toLocaleString("en-US");
  return [
    `${style.bold("task")}        ${task}`,
    `${style.bold("introspect")}  ${info.name}: ${cleanLine(info.identity.name, 80)}, ${
      countOf(info.tools.length, "tool")
    }, built in`,
    `${style.bold("generate")}    ${countOf(files.size, "file")}, ${
      formatBytes(bytes)
    }, in memory in ${formatMs(demo.generateMs)}`,
    `${style.bold("execute")}     ${
      countOf(program.trimEnd().split("\n").length, "line")
    } in the sandbox: ${formatMs(outcome.ms)}, ${count(Math.round(outcome.fuel))} fuel, ${
      formatBytes(outcome.memory)
    }`,
    `${style.bold("calls")}       ${outcome.calls.length}: ${calls.join(", ")}`,
    "",
    style.bold("answer"),
    toJson(outcome.value, 2),
    "",
    `${style.bold("tokens")} (${demo.tokenizer}; the same calls both ways)`,
    `  tool by tool  ${count(direct.definitions)} definitions + ${count(direct.calls)} calls + ${
      count(direct.results)
    } results = ${count(direct.total)}`,
    `  one program   ${count(spent.read)} to read + ${count(spent.source)} program + ${
      count(spent.answer)
    } answer = ${count(spent.total)}`,
    `  saved         ${(ledger.saved * 100).toFixed(1)} %`,
  ].join("\n");
}

/** What the agent was asked, one sentence. */
const DEMO_TASK = "Which high-priority issues of the three busiest projects have had no " +
  "comment for 30 days, by assignee? And close the duplicates.";

/** The name the program has in error messages. */
export const DEMO_PATH = "demo.ts";

/** TypeScript that answers `DEMO_TASK` with a small value, the same on every run. */
export const DEMO_PROGRAM = `\
import { getWorkspace, listComments, listIssues, listProjects, updateIssue } from "mcp:demo";

type Issue = Awaited<ReturnType<typeof listIssues>>["issues"][number];

/** All open issues of a project: the first page says how many more to ask for at once. */
async function openIssues(project: string): Promise<Issue[]> {
  const ask = (page: number) => listIssues({ project, state: "open", per_page: 100, page });
  const first = await ask(1);
  const pages = Math.ceil(first.total_count / 100);
  const rest = await Promise.all(Array.from({ length: pages - 1 }, (_, index) => ask(index + 2)));
  return [first, ...rest].flatMap((page) => page.issues);
}

const [{ now }, { projects }] = await Promise.all([getWorkspace(), listProjects()]);
const busiest = projects.sort((a, b) => b.open_issues - a.open_issues).slice(0, 3);
const issues = (await Promise.all(busiest.map(({ key }) => openIssues(key)))).flat();

// Whoever repeats the title of an earlier issue of the same project repeats the issue.
const firsts = new Map<string, Issue>();
const closed: Record<string, number> = {};
const closing: Promise<unknown>[] = [];
for (const issue of issues.sort((a, b) => a.number - b.number)) {
  const { key } = issue.project;
  const first = firsts.get(key + issue.title);
  if (first === undefined) {
    firsts.set(key + issue.title, issue);
    continue;
  }
  closed[key] = (closed[key] ?? 0) + 1;
  closing.push(updateIssue({
    issue: issue.key,
    state: "closed",
    state_reason: "duplicate",
    duplicate_of: first.key,
  }));
}
await Promise.all(closing);

const important = [...firsts.values()]
  .filter(({ priority }) => priority === "high" || priority === "urgent");
const quiet = new Map<string, number[]>();
await Promise.all(important.map(async ({ key, assignee, created_at }) => {
  const { comments: [last] } = await listComments({ issue: key, direction: "desc", per_page: 1 });
  const days = Math.floor((Date.parse(now) - Date.parse(last?.created_at ?? created_at)) / 864e5);
  const login = assignee?.login ?? "nobody";
  if (days >= 30) quiet.set(login, [...quiet.get(login) ?? [], days]);
}));

export default {
  projects: busiest.map(({ key }) => key),
  open: issues.length,
  important: important.length,
  quietFor30Days: [...quiet]
    .sort(([a, { length: m }], [b, { length: n }]) => n - m || (a < b ? -1 : 1))
    .map(([login, days]) => \`\${login}: \${days.length}, the longest for \${Math.max(...days)} days\`),
  closedAsDuplicates: closed,
};
`;
