// The demo tracker's records as its tools act on them: found, filtered, sorted, paged and changed.
// Nothing here knows of the protocol, reads a clock or reaches the network.

import {
  bodyOf,
  type Comment,
  commentsOf,
  DAY_MS,
  DEMO_NOW,
  type Issue,
  type Label,
  PRIORITIES,
  type Project,
  type User,
  type Workspace,
} from "./demo_data.ts";
import { keyOf } from "./demo_views.ts";
import type { JsonObject } from "./server.ts";

/** A failure that the caller is meant to read: the tool's result says so. */
export class ToolFailure extends Error {}

/** What the tools act on: one workspace, and what happened in it since it was opened. */
export interface Tracker {
  readonly workspace: Workspace;
  /** How many changes there have been: the tracker's time goes on by a second with each. */
  changes: number;
  /** Reports being built now, and the most there have been at once. */
  building: number;
  builtAtOnce: number;
}

/** One tool of the tracker. */
export interface DemoTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: JsonObject;
  readonly output?: JsonObject;
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint?: boolean;
    readonly idempotentHint?: boolean;
    readonly openWorldHint: boolean;
  };
  /**
   * What the tool answers: an object or array for JSON, a string for text. `args` fits `input`.
   * Throws `ToolFailure` for what the caller can mend.
   */
  run(args: JsonObject, tracker: Tracker): unknown;
}

/** The tracker's time, a second on with every change. */
export function nextTime(tracker: Tracker): number {
  return DEMO_NOW + ++tracker.changes * 1000;
}

/** The project with the key `key`. */
export function findProject({ workspace }: Tracker, key: unknown): Project {
  const found = workspace.projects.find((project) => project.key === key);
  if (found !== undefined) return found;
  const keys = workspace.projects.map((project) => project.key).join(", ");
  throw new ToolFailure(`There is no project ${key}. Projects: ${keys}`);
}

/** The issue with the key `key`, such as `PAY-12`. */
export function findIssue(tracker: Tracker, key: unknown): Issue {
  const [project, number] = String(key).split("-");
  const found = findProject(tracker, project).issues[Number(number) - 1];
  if (found === undefined) throw new ToolFailure(`There is no issue ${key}`);
  return found;
}

/** The person with the login `login`. */
export function findUser({ workspace }: Tracker, login: unknown): User {
  const found = workspace.users.find((user) => user.login === login);
  if (found === undefined) throw new ToolFailure(`There is no user ${login}`);
  return found;
}

function findLabels({ workspace }: Tracker, names: readonly string[]): Label[] {
  return names.map((name) => {
    const found = workspace.labels.find((label) => label.name === name);
    if (found === undefined) throw new ToolFailure(`There is no label ${name}`);
    return found;
  });
}

/** The issues of every project, project by project. */
export function allIssues({ workspace }: Tracker): Issue[] {
  return workspace.projects.flatMap(({ issues }) => issues);
}

/** Whether an issue passes all filters that `args` names. */
export function filterOf(args: JsonObject): (issue: Issue) => boolean {
  const { state, priority, type, assignee, label, milestone } = args;
  const after = args["created_after"] === undefined ? -Infinity : parseTime(args["created_after"]);
  const before = args["updated_before"] === undefined
    ? Infinity
    : parseTime(args["updated_before"]);
  return (issue) =>
    (state === undefined || issue.state === state) &&
    (priority === undefined || issue.priority === priority) &&
    (type === undefined || issue.type === type) &&
    (assignee === undefined || issue.assignee?.login === assignee) &&
    (label === undefined || issue.labels.some(({ name }) => name === label)) &&
    (milestone === undefined || issue.milestone?.title === milestone) &&
    issue.createdAt >= after && issue.updatedAt < before;
}

function parseTime(text: unknown): number {
  const at = Date.parse(String(text));
  if (Number.isNaN(at)) throw new ToolFailure(`${text} is not a time`);
  return at;
}

/** `issues` by `args.sort` and `args.direction`, newest first when nothing is said. */
export function sorted(issues: readonly Issue[], args: JsonObject): Issue[] {
  const rank = {
    created: (issue: Issue) => issue.createdAt,
    updated: (issue: Issue) => issue.updatedAt,
    priority: (issue: Issue) => PRIORITIES.indexOf(issue.priority),
    comments: (issue: Issue) => issue.commentCount,
  }[args["sort"] as string ?? "created"]!;
  const sign = args["direction"] === "asc" ? 1 : -1;
  return issues.toSorted((a, b) => sign * (rank(a) - rank(b) || a.id - b.id));
}

/** One page of `items` under the name `name`, as `args.page` and `args.per_page` ask for. */
export function pageOf<T>(
  name: string,
  items: readonly T[],
  { args, show }: { args: JsonObject; show: (item: T) => JsonObject },
): JsonObject {
  const page = args["page"] as number | undefined ?? 1;
  const size = args["per_page"] as number | undefined ?? 30;
  return {
    [name]: items.slice((page - 1) * size, page * size).map(show),
    total_count: items.length,
    page,
    next_page: page * size < items.length ? page + 1 : null,
  };
}

/** How many of `items` there are of each kind, the most frequent first. */
export function countBy<T>(items: readonly T[], kindOf: (item: T) => string): JsonObject {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(kindOf(item), (counts.get(kindOf(item)) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

/** Changes the fields of `issue` that `args` names; all of them are checked before the first. */
export function applyFields(issue: Issue, args: JsonObject, tracker: Tracker): void {
  const fields = args as Partial<Pick<Issue, "title" | "body" | "type" | "priority" | "estimate">>;
  const assignee = args["assignee"] === undefined
    ? issue.assignee
    : findUser(tracker, args["assignee"]);
  const labels = args["labels"] === undefined
    ? issue.labels
    : findLabels(tracker, args["labels"] as string[]);
  const milestone = args["milestone"] === undefined
    ? issue.milestone
    : issue.project.milestones.find(({ title }) => title === args["milestone"]);
  if (milestone === undefined && args["milestone"] !== undefined) {
    throw new ToolFailure(`${issue.project.key} has no milestone ${args["milestone"]}`);
  }
  const duplicateOf = args["duplicate_of"] === undefined
    ? issue.duplicateOf
    : findIssue(tracker, args["duplicate_of"]);
  if (duplicateOf === issue) throw new ToolFailure(`${keyOf(issue)} cannot repeat itself`);
  const state = args["state"] as Issue["state"] | undefined ?? issue.state;
  const at = nextTime(tracker);
  Object.assign(issue, {
    title: fields.title ?? issue.title,
    body: fields.body ?? issue.body,
    type: fields.type ?? issue.type,
    priority: fields.priority ?? issue.priority,
    estimate: fields.estimate ?? issue.estimate,
    assignee,
    labels,
    milestone,
    duplicateOf,
    state,
    reason: state === "closed" ? args["state_reason"] ?? issue.reason ?? "completed" : undefined,
    closedAt: state === "closed" ? issue.closedAt ?? at : undefined,
    updatedAt: at,
  });
}

/** Adds a comment to `issue` in the name of `author`. */
export function addComment(
  issue: Issue,
  body: string,
  { author, tracker }: { author: User; tracker: Tracker },
): Comment {
  const comments = commentsOf(issue, tracker.workspace.users);
  const at = nextTime(tracker);
  const comment = { id: issue.id * 100 + comments.length, author, body, createdAt: at };
  comments.push(comment);
  issue.commentCount = comments.length;
  issue.updatedAt = at;
  return comment;
}

/** One line of CSV an issue, with a head line; bodies only when asked for. */
export function exportIssues(issues: readonly Issue[], withBodies: boolean): string {
  const head = ["key", "state", "priority", "type", "assignee", "age_days", "title"];
  const lines = issues.map((issue) =>
    [
      keyOf(issue),
      issue.state,
      issue.priority,
      issue.type,
      issue.assignee?.login ?? "",
      Math.floor((DEMO_NOW - issue.createdAt) / DAY_MS),
      issue.title,
      ...(withBodies ? [bodyOf(issue)] : []),
    ].map((cell) => `"${String(cell).replaceAll('"', '""')}"`).join(",")
  );
  return [[...head, ...(withBodies ? ["body"] : [])].join(","), ...lines].join("\n");
}
