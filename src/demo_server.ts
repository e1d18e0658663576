// The built-in server `demo`: a real MCP server of an issue tracker, joined to its client inside of
// this process, with the tools for everything but issues. Every opened one has records of its own;
// nothing outlives it or leaves it.

import type { StandardSchemaWithJSON, Transport } from "@modelcontextprotocol/server";
import { createWorkspace, DAY_MS, DEMO_NOW } from "./demo_data.ts";
import { ISSUE_TOOLS } from "./demo_issue_tools.ts";
import {
  allIssues,
  countBy,
  type DemoTool,
  exportIssues,
  filterOf,
  findProject,
  findUser,
  sorted,
  ToolFailure,
  type Tracker,
} from "./demo_tracker.ts";
import {
  ADDS,
  labelView,
  LOGIN,
  milestoneView,
  objectSchema,
  PROJECT_KEY,
  PROJECT_SCHEMA,
  projectView,
  READS,
  SINCE,
  time,
  userView,
} from "./demo_views.ts";
import type { JsonObject } from "./server.ts";
import { VERSION } from "./version.ts";

const INSTRUCTIONS = "An issue tracker with made-up records for trying things out. Keys of " +
  "projects look like PAY, keys of issues like PAY-12. Count ages from get_workspace's time.";

type Sdk = typeof import("@modelcontextprotocol/server");

/** Starts a demo server and gives the client's end of its transport; closing that ends it. */
export async function openDemoServer(): Promise<Transport> {
  const sdk = await import("@modelcontextprotocol/server");
  const server = new sdk.McpServer(
    { name: "demo-tracker", title: "Demo tracker", version: VERSION },
    { instructions: INSTRUCTIONS },
  );
  const tracker: Tracker = {
    workspace: createWorkspace(),
    changes: 0,
    building: 0,
    builtAtOnce: 0,
  };
  for (const tool of [...PROJECT_TOOLS, ...ISSUE_TOOLS]) {
    const { name, title, description, annotations, input, output } = tool;
    server.registerTool(name, {
      title,
      description,
      annotations: { title, ...annotations },
      inputSchema: lazySchema(sdk, input),
      ...(output !== undefined && { outputSchema: lazySchema(sdk, output) }),
    }, (args) => runTool(tool, args, tracker));
  }
  const [client, end] = sdk.InMemoryTransport.createLinkedPair();
  await server.connect(end);
  return client;
}

async function runTool(tool: DemoTool, args: JsonObject, tracker: Tracker) {
  const text = (text: string) => [{ type: "text" as const, text }];
  try {
    const answer = await tool.run(args, tracker);
    if (typeof answer === "string") return { content: text(answer) };
    return {
      content: text(JSON.stringify(answer)),
      ...(tool.output !== undefined && { structuredContent: answer as JsonObject }),
    };
  } catch (error) {
    if (!(error instanceof ToolFailure)) throw error;
    return { content: text(error.message), isError: true };
  }
}

// The SDK's own way compiles every schema at once, which takes longer than the demo's first answer.
function lazySchema(sdk: Sdk, schema: JsonObject): StandardSchemaWithJSON<JsonObject, JsonObject> {
  let compiled: StandardSchemaWithJSON<JsonObject, JsonObject> | undefined;
  return {
    "~standard": {
      version: 1,
      vendor: "mcp-exec",
      validate: (value) => {
        compiled ??= sdk.fromJsonSchema<JsonObject>(schema);
        return compiled["~standard"].validate(value);
      },
      jsonSchema: { input: () => schema, output: () => schema },
    },
  };
}

// For projects, people, labels, milestones and reports, in the order a client is given; among them
// the slow one and the one that always fails.
const PROJECT_TOOLS: readonly DemoTool[] = [
  {
    name: "get_workspace",
    title: "Get workspace",
    description: "Gives the workspace's name, its present time and how much there is in it. Ages " +
      "of issues have to be counted from this time, not from the caller's clock.",
    input: objectSchema({}),
    output: objectSchema({
      name: { type: "string" },
      now: SINCE,
      projects: { type: "integer" },
      users: { type: "integer" },
      issues: { type: "integer" },
    }),
    annotations: READS,
    run: (_args, tracker) => ({
      name: "Northwind Works",
      now: time(DEMO_NOW + tracker.changes * 1000),
      projects: tracker.workspace.projects.length,
      users: tracker.workspace.users.length,
      issues: allIssues(tracker).length,
    }),
  },
  {
    name: "list_projects",
    title: "List projects",
    description: "Lists all projects of the workspace with their lead and their counts of open " +
      "and closed issues. Archived projects are never in the list.",
    input: objectSchema({}),
    output: objectSchema({ projects: { type: "array", items: PROJECT_SCHEMA } }),
    annotations: READS,
    run: (_args, { workspace }) => ({ projects: workspace.projects.map(projectView) }),
  },
  {
    name: "get_project",
    title: "Get project",
    description: "Gives one project by its key, with its lead, counts and settings.",
    input: objectSchema({ project: PROJECT_KEY }),
    output: PROJECT_SCHEMA,
    annotations: READS,
    run: (args, tracker) => projectView(findProject(tracker, args["project"])),
  },
  {
    name: "project_stats",
    title: "Project statistics",
    description: "Counts the issues of a project by state, priority, type and assignee, and says " +
      "how old the open ones are on average. Use it before listing issues page by page.",
    input: objectSchema({
      project: PROJECT_KEY,
      since: { ...SINCE, description: "Count only issues created at or after this time" },
    }, ["since"]),
    output: objectSchema({
      project: { type: "string" },
      total: { type: "integer" },
      by_state: { type: "object", additionalProperties: { type: "integer" } },
      by_priority: { type: "object", additionalProperties: { type: "integer" } },
      by_type: { type: "object", additionalProperties: { type: "integer" } },
      by_assignee: { type: "object", additionalProperties: { type: "integer" } },
      open_age_days: { type: "number", description: "Mean age of the open issues" },
    }),
    annotations: READS,
    run: (args, tracker) => {
      const project = findProject(tracker, args["project"]);
      const issues = project.issues.filter(filterOf({ created_after: args["since"] }));
      const open = issues.filter(({ state }) => state === "open");
      const ages = open.reduce((sum, { createdAt }) => sum + (DEMO_NOW - createdAt) / DAY_MS, 0);
      return {
        project: project.key,
        total: issues.length,
        by_state: countBy(issues, ({ state }) => state),
        by_priority: countBy(issues, ({ priority }) => priority),
        by_type: countBy(issues, ({ type }) => type),
        by_assignee: countBy(issues, ({ assignee }) => assignee?.login ?? "nobody"),
        open_age_days: open.length === 0 ? 0 : Math.round(ages / open.length),
      };
    },
  },
  {
    name: "list_milestones",
    title: "List milestones",
    description: "Lists the milestones of a project with their due dates, the earliest first.",
    input: objectSchema({
      project: PROJECT_KEY,
      state: { type: "string", enum: ["open", "closed"], description: "Both when left out" },
    }, ["state"]),
    annotations: READS,
    run: (args, tracker) =>
      findProject(tracker, args["project"]).milestones
        .filter(({ state }) => args["state"] === undefined || state === args["state"])
        .map(milestoneView),
  },
  {
    name: "list_labels",
    title: "List labels",
    description: "Lists the labels of the workspace with what they mean; projects share them.",
    input: objectSchema({}),
    annotations: READS,
    run: (_args, { workspace }) => workspace.labels.map(labelView),
  },
  {
    name: "create_label",
    title: "Create label",
    description: "Creates a label that all projects can use, and gives it back.",
    input: objectSchema({
      name: { type: "string", pattern: "^[a-z0-9]+(-[a-z0-9]+)*$", maxLength: 40 },
      color: { type: "string", pattern: "^[0-9a-f]{6}$", default: "ededed" },
      description: { type: "string", maxLength: 200 },
    }, ["color", "description"]),
    annotations: ADDS,
    run: (args, { workspace }) => {
      const name = args["name"] as string;
      if (workspace.labels.some((label) => label.name === name)) {
        throw new ToolFailure(`There is a label ${name} already`);
      }
      const label = {
        id: 701 + workspace.labels.length,
        name,
        color: args["color"] as string | undefined ?? "ededed",
        description: args["description"] as string | undefined ?? "",
      };
      workspace.labels.push(label);
      return labelView(label);
    },
  },
  {
    name: "list_users",
    title: "List users",
    description: "Lists the people of the workspace with their teams and time zones.",
    input: objectSchema({
      team: { type: "string", description: "Only people of this team, such as Platform" },
    }, ["team"]),
    annotations: READS,
    run: (args, { workspace }) =>
      workspace.users.filter(({ team }) => args["team"] === undefined || team === args["team"])
        .map(userView),
  },
  {
    name: "get_user",
    title: "Get user",
    description: "Gives one person by login, with how many open issues are assigned to them.",
    input: objectSchema({ login: LOGIN }),
    annotations: READS,
    run: (args, tracker) => {
      const user = findUser(tracker, args["login"]);
      const open = allIssues(tracker)
        .filter((issue) => issue.assignee === user && issue.state === "open");
      return { ...userView(user), open_issues: open.length };
    },
  },
  {
    name: "export_project",
    title: "Export project",
    description:
      "Exports the issues of a project as CSV text, oldest first. With bodies the text " +
      "of a large project is about a megabyte.",
    input: objectSchema({
      project: PROJECT_KEY,
      state: { type: "string", enum: ["open", "closed"], description: "Both when left out" },
      with_bodies: { type: "boolean", default: false },
    }, ["state", "with_bodies"]),
    annotations: READS,
    run: (args, tracker) => {
      const found = findProject(tracker, args["project"]).issues.filter(filterOf(args));
      return exportIssues(sorted(found, { direction: "asc" }), args["with_bodies"] === true);
    },
  },
  {
    name: "build_report",
    title: "Build report",
    description: "Builds a report on a project, which takes a while: 20 ms unless delay_ms says " +
      "otherwise. Reports that are asked for at the same time are built at the same time.",
    input: objectSchema({
      project: PROJECT_KEY,
      delay_ms: { type: "integer", minimum: 0, maximum: 10_000, default: 20 },
    }, ["delay_ms"]),
    output: objectSchema({
      project: { type: "string" },
      lines: { type: "array", items: { type: "string" } },
      built_at_once: { type: "integer", description: "The most reports there were at one time" },
    }),
    annotations: READS,
    run: async (args, tracker) => {
      const project = findProject(tracker, args["project"]);
      tracker.building++;
      tracker.builtAtOnce = Math.max(tracker.builtAtOnce, tracker.building);
      try {
        await new Promise((done) => setTimeout(done, args["delay_ms"] as number | undefined ?? 20));
      } finally {
        tracker.building--;
      }
      const counts = countBy(project.issues, ({ state, priority }) => `${state}, ${priority}`);
      return {
        project: project.key,
        lines: Object.entries(counts).map(([kind, number]) => `${kind}: ${number}`),
        built_at_once: tracker.builtAtOnce,
      };
    },
  },
  {
    name: "import_issues",
    title: "Import issues",
    description: "Imports issues from another tracker by its URL. The demo server reaches no " +
      "network, so that this always fails; it is here to see how a failure looks.",
    input: objectSchema({
      url: { type: "string", format: "uri", description: "Where the other tracker exports to" },
      project: PROJECT_KEY,
    }),
    annotations: { ...ADDS, openWorldHint: true },
    run: (args) => {
      throw new ToolFailure(`Cannot import from ${args["url"]}: the demo server has no network`);
    },
  },
];
