// How the demo tracker shows its records, and the schemas that promise it: nested and wordy, as the
// big trackers answer, because what a model would have to read is what the demo is about.

import {
  bodyOf,
  type Comment,
  type Issue,
  type Label,
  type Milestone,
  PRIORITIES,
  type Project,
  REASONS,
  sequence,
  STATES,
  TYPES,
  type User,
} from "./demo_data.ts";
import type { JsonObject } from "./server.ts";

const SITE = "https://tracker.example";

/** A time as the tracker writes it. */
export function time(at: number): string {
  return new Date(at).toISOString();
}

/** The key people use for an issue, such as `PAY-12`. */
export function keyOf(issue: Issue): string {
  return `${issue.project.key}-${issue.number}`;
}

/** A person, as shown everywhere. */
export function userView(user: User): JsonObject {
  return {
    id: user.id,
    login: user.login,
    name: user.name,
    type: "User",
    team: user.team,
    time_zone: user.timeZone,
    avatar_url: `${SITE}/avatars/${user.id}.png?size=128`,
    html_url: `${SITE}/people/${user.login}`,
    url: `${SITE}/api/v3/users/${user.login}`,
    site_admin: false,
  };
}

/** A label, as shown everywhere. */
export function labelView(label: Label): JsonObject {
  return { ...label, url: `${SITE}/api/v3/labels/${label.name}`, default: false };
}

/** A milestone, as shown everywhere. */
export function milestoneView(milestone: Milestone): JsonObject {
  return {
    id: milestone.id,
    title: milestone.title,
    state: milestone.state,
    due_on: time(milestone.dueOn),
    html_url: `${SITE}/milestones/${milestone.id}`,
  };
}

/** A project with its counts. */
export function projectView(project: Project): JsonObject {
  const open = project.issues.filter((issue) => issue.state === "open").length;
  return {
    id: project.id,
    key: project.key,
    name: project.name,
    description: project.description,
    lead: userView(project.lead),
    open_issues: open,
    closed_issues: project.issues.length - open,
    html_url: `${SITE}/projects/${project.key}`,
    url: `${SITE}/api/v3/projects/${project.key}`,
    settings: { private: true, default_priority: "medium", auto_close_days: null },
  };
}

/** An issue in full, body included. */
export function issueView(issue: Issue): JsonObject {
  const key = keyOf(issue);
  const next = sequence(issue.id + 3);
  const count = () => Math.floor(next() ** 3 * 12);
  const votes = { "+1": count(), "-1": count(), heart: count(), eyes: count() };
  return {
    id: issue.id,
    key,
    number: issue.number,
    url: `${SITE}/api/v3/issues/${key}`,
    html_url: `${SITE}/issues/${key}`,
    title: issue.title,
    body: bodyOf(issue),
    type: issue.type,
    priority: issue.priority,
    state: issue.state,
    state_reason: issue.reason ?? null,
    duplicate_of: issue.duplicateOf === undefined ? null : keyOf(issue.duplicateOf),
    project: {
      id: issue.project.id,
      key: issue.project.key,
      name: issue.project.name,
      url: `${SITE}/api/v3/projects/${issue.project.key}`,
    },
    author: userView(issue.author),
    assignee: issue.assignee === undefined ? null : userView(issue.assignee),
    labels: issue.labels.map(labelView),
    milestone: issue.milestone === undefined ? null : milestoneView(issue.milestone),
    estimate: issue.estimate,
    comments: issue.commentCount,
    comments_url: `${SITE}/api/v3/issues/${key}/comments`,
    reactions: { total_count: Object.values(votes).reduce((a, b) => a + b, 0), ...votes },
    created_at: time(issue.createdAt),
    updated_at: time(issue.updatedAt),
    closed_at: issue.closedAt === undefined ? null : time(issue.closedAt),
  };
}

/** A comment in full. */
export function commentView(comment: Comment, issue: Issue): JsonObject {
  return {
    id: comment.id,
    issue: keyOf(issue),
    author: userView(comment.author),
    body: comment.body,
    created_at: time(comment.createdAt),
    html_url: `${SITE}/issues/${keyOf(issue)}#comment-${comment.id}`,
  };
}

/** An object schema whose properties are all there, except the `optional` ones. */
export function objectSchema(properties: JsonObject, optional: readonly string[] = []): JsonObject {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return {
    type: "object",
    properties,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

const text = { type: "string" };
const whole = { type: "integer" };
const moment = { type: "string", format: "date-time" };
const link = { type: "string", format: "uri" };

function orNull(schema: JsonObject): JsonObject {
  return { anyOf: [schema, { type: "null" }] };
}

const USER_SCHEMA = objectSchema({
  id: whole,
  login: { ...text, description: "Name to use in other tools" },
  name: text,
  type: text,
  team: text,
  time_zone: text,
  avatar_url: link,
  html_url: link,
  url: link,
  site_admin: { type: "boolean" },
});

/** The schema of `projectView`. */
export const PROJECT_SCHEMA = objectSchema({
  id: whole,
  key: { ...text, description: "Key to use in other tools, such as PAY" },
  name: text,
  description: text,
  lead: USER_SCHEMA,
  open_issues: whole,
  closed_issues: whole,
  html_url: link,
  url: link,
  settings: objectSchema({
    private: { type: "boolean" },
    default_priority: text,
    auto_close_days: orNull(whole),
  }),
});

/** The schema of `issueView`. */
export const ISSUE_SCHEMA = objectSchema({
  id: whole,
  key: { ...text, description: "Key to use in other tools, such as PAY-12" },
  number: whole,
  url: link,
  html_url: link,
  title: text,
  body: { ...text, description: "Markdown" },
  type: { enum: TYPES },
  priority: { enum: PRIORITIES },
  state: { enum: STATES },
  state_reason: orNull({ enum: REASONS }),
  duplicate_of: orNull(text),
  project: objectSchema({ id: whole, key: text, name: text, url: link }),
  author: USER_SCHEMA,
  assignee: orNull(USER_SCHEMA),
  labels: {
    type: "array",
    items: objectSchema({
      id: whole,
      name: text,
      color: { ...text, description: "Six hexadecimal digits" },
      description: text,
      url: link,
      default: { type: "boolean" },
    }),
  },
  milestone: orNull(
    objectSchema({
      id: whole,
      title: text,
      state: { enum: STATES },
      due_on: moment,
      html_url: link,
    }),
  ),
  estimate: { ...whole, description: "Story points" },
  comments: { ...whole, description: "How many comments there are" },
  comments_url: link,
  reactions: objectSchema({
    total_count: whole,
    "+1": whole,
    "-1": whole,
    heart: whole,
    eyes: whole,
  }),
  created_at: moment,
  updated_at: moment,
  closed_at: orNull(moment),
});

/** The schema of `commentView`. */
export const COMMENT_SCHEMA = objectSchema({
  id: whole,
  issue: text,
  author: USER_SCHEMA,
  body: { ...text, description: "Markdown" },
  created_at: moment,
  html_url: link,
});

/** The schema of one page of `items` under the name `name`. */
export function pageSchema(name: string, items: JsonObject): JsonObject {
  return objectSchema({
    [name]: { type: "array", items },
    total_count: { ...whole, description: "Over all pages" },
    page: whole,
    next_page: {
      ...orNull(whole),
      description: "The page to ask for next; null on the last one",
    },
  });
}

/** What a tool says of itself that only reads. */
export const READS = { readOnlyHint: true, openWorldHint: false };
/** What a tool says of itself that adds something new. */
export const ADDS = { readOnlyHint: false, destructiveHint: false, openWorldHint: false };
/** What a tool says of itself that changes the same way however often it is called. */
export const CHANGES = { ...ADDS, idempotentHint: true };
/** What a tool says of itself that leaves no way back. */
export const DESTROYS = { readOnlyHint: false, destructiveHint: true, openWorldHint: false };

/** A parameter: a project's key. */
export const PROJECT_KEY = {
  type: "string",
  pattern: "^[A-Z]{2,6}$",
  description: "Key of the project, such as PAY; list_projects gives all of them",
};
/** A parameter: an issue's key. */
export const ISSUE_KEY = {
  type: "string",
  pattern: "^[A-Z]{2,6}-[0-9]+$",
  description: "Key of the issue, such as PAY-12",
};
/** A parameter: a person's login. */
export const LOGIN = {
  type: "string",
  description: "Login of a person, such as ana.silva; list_users gives all of them",
};
/** A parameter: a time. */
export const SINCE = { type: "string", format: "date-time" };
/** Two parameters: which page, and how much on it. */
export const PAGING = {
  page: { type: "integer", minimum: 1, default: 1, description: "Page to give, from 1" },
  per_page: {
    type: "integer",
    minimum: 1,
    maximum: 100,
    default: 30,
    description: "How many to give on one page",
  },
};
