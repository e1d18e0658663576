// The records of the built-in demo tracker: people, projects and a few thousand issues, made from a
// seed, so that every run on every machine sees the same ones. No clock and no chance in here.

/** The demo's present; every age is counted from here. */
export const DEMO_NOW = Date.UTC(2026, 2, 2, 9);
/** Milliseconds of a day. */
export const DAY_MS = 86_400_000;

/** A person. */
export interface User {
  readonly id: number;
  readonly login: string;
  readonly name: string;
  readonly team: string;
  readonly timeZone: string;
}

/** A project and the issues in it, by number minus one. */
export interface Project {
  readonly id: number;
  readonly key: string;
  readonly name: string;
  readonly description: string;
  readonly lead: User;
  readonly milestones: readonly Milestone[];
  readonly issues: Issue[];
}

/** A planned release of a project. */
export interface Milestone {
  readonly id: number;
  readonly title: string;
  readonly dueOn: number;
  readonly state: "open" | "closed";
}

/** A label of the workspace. */
export interface Label {
  readonly id: number;
  readonly name: string;
  readonly color: string;
  readonly description: string;
}

/** A comment; times are in milliseconds. */
export interface Comment {
  readonly id: number;
  readonly author: User;
  readonly body: string;
  readonly createdAt: number;
}

/** The states of an issue. */
export const STATES = ["open", "closed"] as const;
/** The priorities of an issue, lowest first. */
export const PRIORITIES = ["low", "medium", "high", "urgent"] as const;
/** The types of an issue. */
export const TYPES = ["bug", "feature", "task", "incident"] as const;
/** Why an issue was closed. */
export const REASONS = ["completed", "not_planned", "duplicate"] as const;

/** An issue as the tracker keeps it; body and comments are made when first asked for. */
export interface Issue {
  readonly id: number;
  readonly number: number;
  readonly project: Project;
  readonly author: User;
  readonly createdAt: number;
  title: string;
  body: string | undefined;
  type: (typeof TYPES)[number];
  priority: (typeof PRIORITIES)[number];
  state: (typeof STATES)[number];
  reason: (typeof REASONS)[number] | undefined;
  duplicateOf: Issue | undefined;
  assignee: User | undefined;
  labels: Label[];
  milestone: Milestone | undefined;
  updatedAt: number;
  closedAt: number | undefined;
  estimate: number;
  commentCount: number;
  comments: Comment[] | undefined;
}

/** A workspace of its own: what is changed in it shows in no other. */
export interface Workspace {
  readonly users: readonly User[];
  readonly labels: Label[];
  readonly projects: readonly Project[];
}

/** Numbers from 0 up to 1 that follow from `seed` alone (mulberry32). */
export function sequence(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Next = () => number;

function pick<T>(next: Next, items: readonly T[]): T {
  return items[Math.floor(next() * items.length)]!;
}

const NAMES = ("Ana Silva,Ben Okafor,Chiara Rossi,Deniz Kaya,Elif Aydin,Farid Haddad,Grace Kim," +
  "Hugo Martin,Ines Costa,Jonas Berg,Kavya Rao,Liam Murphy,Mei Tanaka,Nora Lind,Omar Nasser," +
  "Petra Novak,Quinn Harris,Rosa Vega,Sven Olsen,Tara Singh").split(",");
const TEAMS = ["Platform", "Payments", "Growth", "Mobile", "Support"];
const ZONES = ["Europe/Lisbon", "Africa/Lagos", "Europe/Rome", "Asia/Tokyo", "America/New_York"];

// Key, name, issues, what it is about.
const PROJECTS: readonly (readonly [string, string, number, string])[] = [
  ["PAY", "Payments", 520, "Charges, refunds, payouts and the ledger behind them"],
  ["WEB", "Web shop", 430, "The storefront: catalogue, basket and checkout"],
  ["API", "Public API", 390, "The versioned REST and webhook interface for partners"],
  ["MOB", "Mobile apps", 320, "The apps for iOS and Android"],
  ["INV", "Inventory", 280, "Stock levels, warehouses and suppliers"],
  ["SRCH", "Search", 240, "Indexing, ranking and suggestions"],
  ["AUTH", "Accounts", 200, "Sign-in, sessions, roles and single sign-on"],
  ["DATA", "Data platform", 170, "Pipelines, the warehouse and dashboards"],
  ["SUP", "Support desk", 150, "Tickets, macros and the help centre"],
  ["OPS", "Operations", 120, "Deployments, monitoring and on-call"],
  ["DOC", "Documentation", 100, "Guides, reference and examples"],
  ["LAB", "Experiments", 80, "Prototypes that may never ship"],
];

const LABELS: readonly (readonly [string, string, string])[] = [
  ["regression", "b60205", "Worked in an earlier release"],
  ["customer", "0e8a16", "Reported by a customer, with a contract behind it"],
  ["performance", "fbca04", "Slow, or uses more memory than it should"],
  ["security", "d93f0b", "May expose data; details stay in the private channel"],
  ["accessibility", "5319e7", "Keyboard, screen reader or contrast"],
  ["needs-repro", "c2e0c6", "Nobody else has seen it yet"],
  ["good-first-issue", "7057ff", "Small and well described"],
  ["blocked", "000000", "Waits for another team or a vendor"],
  ["flaky-test", "bfd4f2", "Fails now and then in CI"],
  ["tech-debt", "e99695", "Costs more with every release"],
];

const AREAS =
  ("checkout,refund flow,webhook delivery,invoice export,search suggestions,sign-in page," +
    "session refresh,stock import,order history,price rounding,currency switch,rate limiter," +
    "retry queue,audit log,image upload,address form,push notifications,CSV import,admin dashboard," +
    "nightly job,cache invalidation,date picker,tax calculation,address lookup,bulk editor").split(
      ",",
    );
const SYMPTOMS = ("fails for accounts with more than one owner,times out under load," +
  "shows a stale value after an update,loses the last entry,rejects valid input," +
  "duplicates records when retried,ignores the time zone,is slow on large accounts," +
  "returns 500 for archived items,breaks in right-to-left layouts,does not release its lock," +
  "sends the message twice,drops the second page,rounds the wrong way,forgets the filter")
  .split(",");
const CONTEXTS = ("in Safari,on Android,after the March release,for partners in the EU," +
  "with the new ledger,behind the proxy,in the staging region,with single sign-on,for guests,")
  .split(",");

const PARAGRAPHS = [
  "Since the last release several customers have reported this, two of them with open contracts. It does not happen every time, but often enough that support keeps a macro for it. The workaround is to repeat the action after a minute, which is not something we can write into the documentation.",
  "Steps to reproduce:\n1. Sign in as an owner of a workspace with at least two members.\n2. Open the page and wait until the list has loaded.\n3. Change any field and save, then go back with the browser's button.\n4. Look at the totals in the header and compare them with the list.",
  "Expected: the totals match the list, and the change is there for every member at once.\nActual: the header keeps the earlier value until the page is loaded again; members on another node see it for up to five minutes.",
  "I looked at the traces of last week: the request itself takes 180 ms, of which 150 ms are spent waiting for the lock on the account row. When the nightly job runs at the same time, the wait goes up to 4 s and the gateway gives up first. The retry then finds the first attempt half done.",
  "```\nERROR worker-7 request_id=8f2c status=500 duration_ms=30012\n  at LedgerClient.post (ledger/client.ts:118:11)\n  at async settle (jobs/settle.ts:64:5)\ncaused by: deadline exceeded after 30000 ms, attempt 3 of 3\n```",
  "We could fix the symptom by reading from the primary, as the invoice page does, but that doubles the load there. The better way is an outbox: write the event in the same transaction and let the consumer update the totals. That needs a migration and a decision about old events.",
  "Acceptance criteria:\n- no second record is made when a request is repeated with the same key\n- the page shows the new value within one second for every member\n- a test covers the two nodes, not only one\n- the metric `stale_reads_total` stays at zero for a week",
  "Not in scope: the mobile apps read from their own endpoint and are not affected, and the export is being replaced anyway. Please keep the old field in the response until the partners have moved; three of them still read it.",
];
const REMARKS = [
  "I can reproduce this on staging with the steps above; the time zone of the account seems to matter. Attached the trace to the incident channel.",
  "Talked to the customer today. They can live with the workaround until the end of the month, but want a date by Friday.",
  "This looks like the same cause as the one we closed in January. The fix there covered only the first page of results.",
  "Moved out of the sprint: we wait for the new version of the client library, which changes how retries are counted.",
  "The metric went down by half after yesterday's deployment, but it is not at zero. I will look at the remaining requests, most of them come from one partner.",
  "Could somebody from the platform team confirm that the lock is needed at all? Without it the tests pass, but I do not trust them here.",
  "Reviewed the draft. Two things: the migration has to run in batches, and the flag should default to off for existing accounts.",
  "No change in the last two weeks. I am keeping this open because the alert still fires on Mondays.",
];

/** A new workspace with 3,000 issues in twelve projects, always the same. */
export function createWorkspace(): Workspace {
  const users = NAMES.map((name, index): User => ({
    id: 4001 + index,
    login: name.toLowerCase().replace(" ", "."),
    name,
    team: TEAMS[index % TEAMS.length]!,
    timeZone: ZONES[index % ZONES.length]!,
  }));
  const labels = LABELS.map(([name, color, description], index): Label => ({
    id: 701 + index,
    name,
    color,
    description,
  }));
  const projects = PROJECTS.map(([key, name, count, description], index): Project => {
    let issues: Issue[] | undefined;
    return {
      id: 11 + index,
      key,
      name,
      description,
      lead: users[index]!,
      milestones: milestonesOf(index),
      // Most programs look into a few projects only.
      get issues() {
        return issues ??= createIssues(this, count, { users, labels });
      },
    };
  });
  return { users, labels, projects };
}

function milestonesOf(project: number): Milestone[] {
  return ["2025.4", "2026.1", "2026.2", "2026.3"].map((title, index) => ({
    id: 9000 + project * 10 + index,
    title,
    dueOn: Date.UTC(2025, 11 + index * 3, 15),
    state: index === 0 ? "closed" : "open",
  }));
}

function createIssues(
  project: Project,
  count: number,
  { users, labels }: Pick<Workspace, "users" | "labels">,
): Issue[] {
  const next = sequence(project.id);
  const issues: Issue[] = [];
  for (let number = 1; number <= count; number++) {
    const age = 700 * (1 - number / count) + next() * 20 + 1;
    const createdAt = Math.floor(DEMO_NOW - age * DAY_MS);
    const quietDays = next() ** 3 * 150;
    const updatedAt = Math.max(createdAt, Math.floor(DEMO_NOW - quietDays * DAY_MS - 3_600_000));
    const closed = next() < 0.46;
    const level = next();
    // Some report what another has reported already.
    const earlier = next() < 0.04 && number > 20 ? pick(next, issues) : undefined;
    issues.push({
      id: project.id * 100_000 + number,
      number,
      project,
      title: earlier?.title ?? titleOf(next),
      body: undefined,
      type: next() < 0.6 ? "bug" : pick(next, TYPES),
      priority: level < 0.4 ? "low" : level < 0.77 ? "medium" : level < 0.93 ? "high" : "urgent",
      state: closed ? "closed" : "open",
      reason: closed ? (next() < 0.8 ? "completed" : "not_planned") : undefined,
      duplicateOf: undefined,
      author: pick(next, users),
      assignee: next() < 0.12 ? undefined : pick(next, users),
      labels: labels.filter(() => next() < 0.18),
      milestone: next() < 0.5 ? pick(next, project.milestones) : undefined,
      createdAt,
      updatedAt,
      closedAt: closed ? updatedAt : undefined,
      estimate: pick(next, [1, 2, 3, 5, 8, 13]),
      commentCount: Math.floor(next() ** 2 * 9 + 0.6),
      comments: undefined,
    });
  }
  return issues;
}

function titleOf(next: Next): string {
  const area = pick(next, AREAS);
  const context = pick(next, CONTEXTS);
  const text = `${area} ${pick(next, SYMPTOMS)}${context === "" ? "" : ` ${context}`}`;
  return text[0]!.toUpperCase() + text.slice(1);
}

/** The text of an issue, three to seven paragraphs of Markdown unless it was written by hand. */
export function bodyOf(issue: Issue): string {
  if (issue.body !== undefined) return issue.body;
  const next = sequence(issue.id);
  const parts = PARAGRAPHS.filter(() => next() < 0.6);
  return [
    `**Where:** ${issue.project.name}. **Seen by:** ${1 + Math.floor(next() * 40)} accounts.`,
    ...parts.length > 1 ? parts : PARAGRAPHS.slice(0, 3),
  ].join("\n\n");
}

/** The comments of an issue, oldest first; the list may be added to. */
export function commentsOf(issue: Issue, users: readonly User[]): Comment[] {
  if (issue.comments !== undefined) return issue.comments;
  const next = sequence(issue.id + 7);
  const span = issue.updatedAt - issue.createdAt;
  const times = Array.from({ length: issue.commentCount }, () => next()).sort((a, b) => a - b);
  issue.comments = times.map((time, index) => ({
    id: issue.id * 100 + index,
    author: pick(next, users),
    body: Array.from({ length: 1 + Math.floor(next() * 3) }, () => pick(next, REMARKS)).join(
      "\n\n",
    ),
    // The last change of an issue with comments was the last comment.
    createdAt: index === times.length - 1
      ? issue.updatedAt
      : issue.createdAt + Math.floor(span * time),
  }));
  return issue.comments;
}
