// The tools of the demo tracker that read and change issues and their comments, as one table.
// Each only says what a client is told and calls the tracker.

import { bodyOf, commentsOf, type Issue, PRIORITIES, REASONS, STATES, TYPES } from "./demo_data.ts";
import {
  addComment,
  allIssues,
  applyFields,
  type DemoTool,
  filterOf,
  findIssue,
  findProject,
  findUser,
  nextTime,
  pageOf,
  sorted,
  ToolFailure,
} from "./demo_tracker.ts";
import {
  ADDS,
  CHANGES,
  COMMENT_SCHEMA,
  commentView,
  DESTROYS,
  ISSUE_KEY,
  ISSUE_SCHEMA,
  issueView,
  keyOf,
  LOGIN,
  objectSchema,
  pageSchema,
  PAGING,
  PROJECT_KEY,
  READS,
  SINCE,
} from "./demo_views.ts";

const LABEL_NAMES = {
  type: "array",
  items: { type: "string" },
  maxItems: 10,
  description: "Names of labels; list_labels gives all of them",
};
const STATE = { type: "string", enum: STATES, description: "Open or closed; both when left out" };
const PRIORITY = { type: "string", enum: PRIORITIES };
const FIELDS = {
  title: { type: "string", minLength: 1, maxLength: 200 },
  body: { type: "string", maxLength: 20_000, description: "Markdown" },
  type: { type: "string", enum: TYPES },
  priority: PRIORITY,
  assignee: LOGIN,
  labels: LABEL_NAMES,
  milestone: { type: "string", description: "Title of a milestone of the project" },
  estimate: { type: "integer", minimum: 0, maximum: 100, description: "Story points" },
};

/** The tools for issues and comments, in the order a client is given them. */
export const ISSUE_TOOLS: readonly DemoTool[] = [
  {
    name: "list_issues",
    title: "List issues",
    description: "Lists the issues of one project in full, newest first unless sorted otherwise. " +
      "Filters narrow the list and are combined with AND. A page holds at most 100 issues: ask " +
      "for next_page until it is null. The bodies are part of the answer, so pages are large.",
    input: objectSchema({
      project: PROJECT_KEY,
      state: STATE,
      priority: PRIORITY,
      type: { type: "string", enum: TYPES },
      assignee: LOGIN,
      label: { type: "string", description: "Only issues with this label" },
      milestone: { type: "string", description: "Only issues of this milestone, by title" },
      created_after: { ...SINCE, description: "Only issues created at or after this time" },
      updated_before: { ...SINCE, description: "Only issues last changed before this time" },
      sort: {
        type: "string",
        enum: ["created", "updated", "priority", "comments"],
        default: "created",
      },
      direction: { type: "string", enum: ["asc", "desc"], default: "desc" },
      ...PAGING,
    }, [
      "state",
      "priority",
      "type",
      "assignee",
      "label",
      "milestone",
      "created_after",
      "updated_before",
      "sort",
      "direction",
      "page",
      "per_page",
    ]),
    output: pageSchema("issues", ISSUE_SCHEMA),
    annotations: READS,
    run: (args, tracker) => {
      const project = findProject(tracker, args["project"]);
      const found = project.issues.filter(filterOf(args));
      return pageOf("issues", sorted(found, args), { args, show: issueView });
    },
  },
  {
    name: "search_issues",
    title: "Search issues",
    description: "Searches the titles of all projects' issues for words, and their bodies too if " +
      "asked for. All words have to be there, in any order and case. Best used to find one issue.",
    input: objectSchema({
      query: { type: "string", minLength: 2, maxLength: 200, description: "Words to look for" },
      in_body: { type: "boolean", default: false, description: "Look into the bodies too" },
      state: STATE,
      ...PAGING,
    }, ["in_body", "state", "page", "per_page"]),
    output: pageSchema("issues", ISSUE_SCHEMA),
    annotations: READS,
    run: (args, tracker) => {
      const words = String(args["query"]).toLowerCase().split(/\s+/);
      const found = allIssues(tracker).filter(filterOf(args)).filter((issue) => {
        const text = (args["in_body"] === true ? `${issue.title} ${bodyOf(issue)}` : issue.title)
          .toLowerCase();
        return words.every((word) => text.includes(word));
      });
      return pageOf("issues", sorted(found, {}), { args, show: issueView });
    },
  },
  {
    name: "get_issue",
    title: "Get issue",
    description: "Gives one issue in full by its key. Comments are listed by list_comments.",
    input: objectSchema({ issue: ISSUE_KEY }),
    output: ISSUE_SCHEMA,
    annotations: READS,
    run: (args, tracker) => issueView(findIssue(tracker, args["issue"])),
  },
  {
    name: "create_issue",
    title: "Create issue",
    description: "Creates an issue in a project and gives it back. Without an assignee the " +
      "project's lead is told; without a priority it is medium.",
    input: objectSchema(
      { project: PROJECT_KEY, ...FIELDS },
      Object.keys(FIELDS).filter((name) => name !== "title"),
    ),
    output: ISSUE_SCHEMA,
    annotations: ADDS,
    run: (args, tracker) => {
      const project = findProject(tracker, args["project"]);
      const at = nextTime(tracker);
      const number = project.issues.length + 1;
      const issue: Issue = {
        id: project.id * 100_000 + number,
        number,
        project,
        title: "",
        body: "",
        type: "task",
        priority: "medium",
        state: "open",
        reason: undefined,
        duplicateOf: undefined,
        author: tracker.workspace.users[0]!,
        assignee: undefined,
        labels: [],
        milestone: undefined,
        createdAt: at,
        updatedAt: at,
        closedAt: undefined,
        estimate: 0,
        commentCount: 0,
        comments: [],
      };
      applyFields(issue, args, tracker);
      project.issues.push(issue);
      return issueView(issue);
    },
  },
  {
    name: "update_issue",
    title: "Update issue",
    description:
      "Changes the named fields of an issue, closes it or opens it again, and gives it " +
      "back. Labels replace the ones there are. Closing as a duplicate names the other issue.",
    input: objectSchema({
      issue: ISSUE_KEY,
      ...FIELDS,
      state: { type: "string", enum: STATES },
      state_reason: { type: "string", enum: REASONS, description: "Why it is closed" },
      duplicate_of: { ...ISSUE_KEY, description: "The issue that this one repeats" },
    }, [...Object.keys(FIELDS), "state", "state_reason", "duplicate_of"]),
    output: ISSUE_SCHEMA,
    annotations: CHANGES,
    run: (args, tracker) => {
      const issue = findIssue(tracker, args["issue"]);
      applyFields(issue, args, tracker);
      return issueView(issue);
    },
  },
  {
    name: "bulk_update",
    title: "Update many issues",
    description: "Changes state, priority or assignee of up to 200 issues at once. There is no " +
      "way back: what the issues had before is not kept. Unknown keys fail the whole call.",
    input: objectSchema({
      issues: { type: "array", items: ISSUE_KEY, minItems: 1, maxItems: 200, uniqueItems: true },
      state: { type: "string", enum: STATES },
      state_reason: { type: "string", enum: REASONS },
      priority: PRIORITY,
      assignee: LOGIN,
    }, ["state", "state_reason", "priority", "assignee"]),
    output: objectSchema({
      updated: { type: "integer" },
      issues: { type: "array", items: { type: "string" } },
    }),
    annotations: DESTROYS,
    run: (args, tracker) => {
      const issues = (args["issues"] as string[]).map((key) => findIssue(tracker, key));
      for (const issue of issues) applyFields(issue, args, tracker);
      return { updated: issues.length, issues: issues.map(keyOf) };
    },
  },
  {
    name: "link_issues",
    title: "Link issues",
    description: "Says in both issues that they belong together, by a comment in each.",
    input: objectSchema({
      from: ISSUE_KEY,
      to: ISSUE_KEY,
      relation: { type: "string", enum: ["relates_to", "blocks", "causes"], default: "relates_to" },
    }, ["relation"]),
    annotations: ADDS,
    run: (args, tracker) => {
      const from = findIssue(tracker, args["from"]);
      const to = findIssue(tracker, args["to"]);
      const relation = String(args["relation"] ?? "relates_to").replace("_", " ");
      const author = tracker.workspace.users[0]!;
      addComment(from, `This ${relation} ${keyOf(to)}`, { author, tracker });
      addComment(to, `Linked from ${keyOf(from)}: ${relation}`, { author, tracker });
      return `${keyOf(from)} ${relation} ${keyOf(to)}`;
    },
  },
  {
    name: "list_comments",
    title: "List comments",
    description: "Lists the comments of an issue with their authors, oldest first unless sorted " +
      "otherwise. With direction desc and per_page 1 it gives the last one.",
    input: objectSchema({
      issue: ISSUE_KEY,
      direction: { type: "string", enum: ["asc", "desc"], default: "asc" },
      ...PAGING,
    }, ["direction", "page", "per_page"]),
    output: pageSchema("comments", COMMENT_SCHEMA),
    annotations: READS,
    run: (args, tracker) => {
      const issue = findIssue(tracker, args["issue"]);
      const comments = commentsOf(issue, tracker.workspace.users);
      return pageOf("comments", args["direction"] === "desc" ? comments.toReversed() : comments, {
        args,
        show: (comment) => commentView(comment, issue),
      });
    },
  },
  {
    name: "add_comment",
    title: "Add comment",
    description:
      "Adds a comment to an issue and gives it back. People watching the issue are told.",
    input: objectSchema({
      issue: ISSUE_KEY,
      body: { type: "string", minLength: 1, maxLength: 20_000, description: "Markdown" },
      author: { ...LOGIN, description: "Login of the author; the caller when left out" },
    }, ["author"]),
    output: COMMENT_SCHEMA,
    annotations: ADDS,
    run: (args, tracker) => {
      const issue = findIssue(tracker, args["issue"]);
      const author = args["author"] === undefined
        ? tracker.workspace.users[0]!
        : findUser(tracker, args["author"]);
      return commentView(addComment(issue, args["body"] as string, { author, tracker }), issue);
    },
  },
  {
    name: "delete_comment",
    title: "Delete comment",
    description: "Deletes a comment of an issue for good, whoever wrote it.",
    input: objectSchema({
      issue: ISSUE_KEY,
      comment: { type: "integer", description: "The comment's id, as list_comments gives it" },
    }),
    annotations: DESTROYS,
    run: (args, tracker) => {
      const issue = findIssue(tracker, args["issue"]);
      const comments = commentsOf(issue, tracker.workspace.users);
      const index = comments.findIndex(({ id }) => id === args["comment"]);
      if (index < 0) throw new ToolFailure(`${keyOf(issue)} has no comment ${args["comment"]}`);
      comments.splice(index, 1);
      issue.commentCount = comments.length;
      issue.updatedAt = nextTime(tracker);
      return `Deleted comment ${args["comment"]} of ${keyOf(issue)}`;
    },
  },
];
