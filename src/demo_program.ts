// The program of `mcp-exec demo`: what an agent would write for the task below, as its source text.
// It runs in the sandbox like any other; nothing in here runs by being imported.

/** What the agent was asked, one sentence. */
export const DEMO_TASK = "Which high-priority issues of the three busiest projects have had no " +
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
