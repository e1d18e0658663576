// Every bound of the program with its reason, and the readers of sizes and durations.
// A bound that is written anywhere else is a defect.

import { AppError } from "./errors.ts";
import { quoteText } from "./text.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Longest JSON-RPC line read from a stdio server: larger results belong in a resource. */
export const MAX_LINE_BYTES = 32 * MIB;
/** Junk lines on a server's stdout before it is taken for something else than an MCP server. */
export const MAX_JUNK_LINES = 1000;
/** Notifications from one server that are looked at in a second; the rest is dropped. */
export const MAX_NOTIFICATIONS_PER_SECOND = 100;
/** How soon a server is asked again to tell of changes when it has stopped to. */
export const LISTEN_AGAIN_MS = 60_000;
/** What a server tells of one call that is kept for the run's trace, and of one such text. */
export const MAX_CALL_NOTICES = 50;
export const MAX_NOTICE_CHARS = 300;
/** Answers to a server's own requests that may wait to be written. */
export const MAX_WAITING_ANSWERS = 16;
/** Withdrawn requests that a server may still have to be told of: as many as can be under way. */
export const MAX_WAITING_WITHDRAWALS = 128;
/** Body of an HTTP error that is read: it may hold a JSON-RPC error. */
export const MAX_ERROR_BODY_BYTES = 64 * KIB;
/** Shortest pause before a dropped HTTP stream is opened again. */
export const MIN_RECONNECT_MS = 1_000;
/** Lines of a server's stderr kept for its error report, and the bytes of one such line. */
export const STDERR_TAIL_LINES = 10;
export const STDERR_LINE_BYTES = 2 * KIB;
/** From start of the process or first request to the end of the handshake: `npx` may download. */
export const CONNECT_TIMEOUT_MS = 30_000;
/** All pages of one listing together. */
export const LIST_TIMEOUT_MS = 60_000;
/** One tool call, or what is left of the run. */
export const CALL_TIMEOUT_MS = 60_000;
/** Open connections of one bridge, and those to one HTTP server; a process has one. */
export const MAX_CONNECTIONS = 64;
export const MAX_HTTP_CONNECTIONS = 8;
/** Calls on one HTTP connection before another one is opened: servers take many side by side. */
export const CALLS_PER_CONNECTION = 16;
/** How long a call may wait for one of all connections, and how long an idle one stays open. */
export const CONNECTION_WAIT_MS = 10_000;
export const IDLE_CONNECTION_MS = 5 * 60_000;
/** After so long without use a server is asked whether it is still there, and how long for. */
export const CHECK_AFTER_MS = 60_000;
export const CHECK_TIMEOUT_MS = 5_000;
/** A connection that held so long was a good one: how it ends says nothing of the next one. */
export const STEADY_CONNECTION_MS = 10_000;
/** How long a server is left alone after its second failure in a row: twice as long with each. */
export const BACKOFF_MS = 1_000;
export const MAX_BACKOFF_MS = 60_000;
/** Time a server gets to end by itself after its stdin closed, then after SIGTERM. */
export const CLOSE_GRACE_MS = 500;
/** Time a command gets to close what it opened after Ctrl-C: more than two of those graces. */
export const INTERRUPT_GRACE_MS = 3_000;
/** How long a daemon that nobody asks for anything stays, and how often it looks for its socket. */
export const DAEMON_IDLE_MS = 15 * 60_000;
export const DAEMON_LOOK_MS = 2_000;
/** How long a daemon may take to grant a run, and to start: a command runs by itself then. */
export const DAEMON_ANSWER_MS = 2_000;
export const DAEMON_START_MS = 10_000;
/** Runs of one daemon at once; commands beyond them run by themselves. */
export const MAX_DAEMON_RUNS = 16;
/** A message to a daemon before it knows who asks, afterwards, and one from it: a whole result. */
export const MAX_DAEMON_HELLO_BYTES = 64 * KIB;
export const MAX_DAEMON_REQUEST_BYTES = 32 * MIB;
export const MAX_DAEMON_OUTPUT_BYTES = 512 * MIB;
/** How long a person may take to sign in, and one request of it may. */
export const SIGN_IN_WAIT_MS = 5 * 60_000;
export const SIGN_IN_REQUEST_MS = 20_000;
/** How long before a token's end it is renewed. */
export const RENEW_BEFORE_MS = 30_000;
/** What one answer of a sign-in and one kept sign-in may hold, and an address that is pasted. */
export const MAX_SIGN_IN_BYTES = 256 * KIB;
export const MAX_PASTED_BYTES = 16 * KIB;
/** How long something takes before a person is told of it on a terminal. */
export const PROGRESS_DELAY_MS = 500;

/** Tools read from one server, and pages of its listing: the largest known server has hundreds. */
export const MAX_TOOLS = 10_000;
export const MAX_PAGES = 1_000;
/** Pages of a server's templates of resources, which come all at once. */
export const MAX_TEMPLATE_PAGES = 10;
/** Cursor of a listing, and all tools of one listing together, as JSON. */
export const MAX_CURSOR_BYTES = 16 * KIB;
export const MAX_LISTING_BYTES = 64 * MIB;
/** Warnings about single tools of one listing; the rest is counted. */
export const MAX_TOOL_WARNINGS = 20;
/** Sizes of one tool's parts, as UTF-8; the tool is left out with a warning beyond them. */
export const MAX_TOOL_NAME_BYTES = 256;
export const MAX_DESCRIPTION_BYTES = 32 * KIB;
export const MAX_SCHEMA_BYTES = 256 * KIB;
/** Nesting of any JSON from a server: deeper overflows recursive readers. */
export const MAX_JSON_DEPTH = 200;

/** Bounds of turning one schema into types; beyond them a type gets wider, never wrong. */
export const MAX_TYPE_ALTERNATIVES = 12;
export const MAX_TYPE_DEPTH = 40;
export const MAX_TYPE_NODES = 20_000;
/** What turning all schemas of one server into types may take: 10,000 usual tools take half of it. */
export const MAX_LISTING_TYPE_NODES = 20 * MAX_TYPE_NODES;
/** The address of a schema or of what it refers to: each is resolved against another one. */
export const MAX_SCHEMA_URI_CHARS = 2 * KIB;
/** Warnings of one schema, and what the docs of one member and of one tag in them may take. */
export const MAX_TYPE_WARNINGS = 20;
export const MAX_MEMBER_DOC_CHARS = 2_000;
export const MAX_DOC_TAG_CHARS = 200;

/** Bounds of checking values against a server's schema: half a second to compile, a fifth to check. */
export const MAX_CHECKED_SUBSCHEMAS = 1_000;
export const MAX_CHECK_STEPS = 5_000_000;
/** References inside one another that one check follows: each takes some of the stack. */
export const MAX_CHECK_DEPTH = 100;
/** Compiled schemas that are kept: more than the tools of a few large servers. */
export const MAX_COMPILED_SCHEMAS = 1_000;

/** Calls of one tool a second over HTTP, and how many may come at once after a pause. */
export const HTTP_RATE = { perSecond: 50, burst: 200 } as const;
/** How long a call may wait for its rate, and how many may wait in one line. */
export const MAX_RATE_WAIT_MS = 10_000;
export const MAX_RATE_WAITING = 1_000;
/** Lines a limiter keeps; those at rest go first. */
export const MAX_RATE_BUCKETS = 10_000;

/** Results kept in memory, how long when a tool is opted in without a time, and at the longest. */
export const MAX_CACHE_ENTRIES = 1_000;
export const MAX_CACHE_BYTES = 64 * MIB;
export const CACHE_TTL_MS = 60_000;
export const MAX_CACHE_TTL_MS = 24 * 3_600_000;

/** Rules of one policy, and one of them as JSON: each call is held against all of them. */
export const MAX_POLICY_RULES = 1_000;
export const MAX_RULE_CHARS = 4 * KIB;

/** Size of the parameters of one call, as JSON. */
export const MAX_PARAMS_BYTES = 1 * MIB;
/** Size of the result of one call, as JSON. */
export const MAX_RESULT_BYTES = 16 * MIB;
/**
 * What a call may answer with at all: beyond `MAX_RESULT_BYTES` it stays on the host as a handle.
 * The result of a run is as large at the most, so every result fits in a handle.
 */
export const MAX_HANDLE_BYTES = 64 * MIB;
/** Parameters of one call once handles in them are replaced by what they stand for. */
export const MAX_FILLED_PARAMS_BYTES = 16 * MIB;
/** What one run may leave behind handles: as much as it may receive. */
export const MAX_RUN_KEPT_BYTES = 256 * MIB;
/**
 * All handles on disk, and all of one process where they cannot be written, and which session kept
 * which of them; the oldest leave.
 */
export const MAX_HANDLES = 10_000;
export const MAX_HANDLE_SESSIONS = 10 * MAX_HANDLES;
export const MAX_HANDLES_BYTES = 1024 * MIB;
export const MAX_HANDLES_IN_MEMORY_BYTES = 256 * MIB;
/** How long a handle lasts: an agent goes back to a result the same day. */
export const HANDLE_HOURS = 24;
/** The start of a large value that stands beside its handle. */
export const HANDLE_PREVIEW_CHARS = 1_000;
/** Calls on their way at once, of one session or run and of all; more wait in order. */
export const MAX_CALLS_IN_FLIGHT = 128;
export const MAX_ALL_CALLS_IN_FLIGHT = 512;
/** Calls that wait for one of those places, of one session or run and of all: more are refused. */
export const MAX_CALLS_WAITING = 256;
export const MAX_ALL_CALLS_WAITING = 4_096;
/** Requests on their way or waiting in one run, together: they stand in the host's memory. */
export const MAX_OPEN_BYTES = 64 * MIB;

/** Size of an agent's program. */
export const MAX_SOURCE_BYTES = 1 * MIB;
/**
 * How deeply a program nests: about 8 a bracket and 1 an operator. The TypeScript parser overflows
 * its stack, and the process with it, from 1,000 brackets (8,000) on.
 */
export const MAX_SOURCE_NESTING = 2_000;
/** Constructs inside one another that the parser tries in two ways: its work doubles with each. */
export const MAX_SOURCE_AMBIGUITY = 12;
/** A result larger than this is not recorded: its digest would take longer than most runs. */
export const MAX_RECORDED_RESULT_BYTES = 256 * KIB;
/** Result of a run, as JSON. */
export const MAX_OUTPUT_BYTES = 64 * MIB;
/** Log of a run; what goes beyond is counted. */
export const MAX_LOG_LINES = 10_000;
export const MAX_LOG_BYTES = 1 * MIB;
/** Prepared sources a worker keeps: programs are often run again, and imports are shared. */
export const MAX_PREPARED_SOURCES = 64;
export const MAX_PREPARED_CHARS = 4 * MIB;
/** Timers a guest may have pending. */
export const MAX_TIMERS = 100;
/** Host calls of one run that are no tool calls: state and search cost the host less. */
export const MAX_HOST_CALLS = 10_000;
/** What the calls of one run send and receive in all, as JSON. */
export const MAX_RUN_SENT_BYTES = 256 * MIB;
export const MAX_RUN_RECEIVED_BYTES = 256 * MIB;
/** How long the wall clock of one run may stand still for connecting, all servers together. */
export const MAX_CONNECTING_MS = 120_000;
/** A file of the workspace, what one run may write there, and the names of one folder. */
export const MAX_WORKSPACE_FILE_BYTES = 8 * MIB;
export const MAX_WORKSPACE_WRITTEN_BYTES = 64 * MIB;
export const MAX_WORKSPACE_NAMES = 10_000;
/** State kept for a session. */
export const MAX_STATE_VALUE_BYTES = 1 * MIB;
export const MAX_STATE_KEYS = 1_000;
export const MAX_STATE_BYTES = 16 * MIB;
/** Sessions that keep state, and how many days after its last use a session is gone. */
export const MAX_STATE_SESSIONS = 1_000;
export const STATE_DAYS = 30;
/** A search is a few words, and its answer a page of tools; a guest may ask as often as it likes. */
export const MAX_QUERY_CHARS = 1_000;
export const MAX_FOUND_TOOLS = 50;
/** How many tools of one search are ranked: its pages end there. */
export const MAX_RANKED_TOOLS = 200;
/** Programs that run at once in one process: more wait, because each may fill a core. */
export const MAX_WORKERS = 4;
/** When a worker is replaced between two runs: only its end gives memory back to the system. */
export const MAX_RUNS_PER_WORKER = 200;
export const RECYCLE_MEMORY_BYTES = 64 * MIB;
/** Stack of the engine inside the sandbox; V8 needs `--stack-size=3400` to stay above it. */
export const GUEST_STACK_BYTES = 128 * KIB;

/** One message of a client that is served, whatever it comes over. */
export const MAX_REQUEST_BYTES = 4 * MIB;
/** How long a client may take to send the body of a request. */
export const REQUEST_BODY_MS = 15_000;
/** HTTP requests that are answered at once; more are refused. */
export const MAX_HTTP_REQUESTS = 2_000;
/** Runs of one client, and of all, that may wait for their turn. */
export const MAX_WAITING_RUNS_OF_ONE = 64;
export const MAX_WAITING_RUNS = 1_000;
/** How often the program may be asked by itself before it refuses. */
export const MAX_SERVE_DEPTH = 3;
/** What a model gets of a result at once; the rest is behind a handle. */
export const SERVED_RESULT_BYTES = 16 * KIB;
/** What one slice of a handle gives at most, and all files that are read at once. */
export const MAX_SLICE_BYTES = 64 * KIB;
export const MAX_READ_FILES_BYTES = 64 * KIB;
/** Pictures and sound of one result that are handed on as such. */
export const MAX_MEDIA_BLOCKS = 8;
export const MAX_MEDIA_BYTES = 8 * MIB;
/** What the tools' descriptions say of the servers, beside what the tools are. */
export const MAX_HINT_CHARS = 1_400;
export const MAX_HINT_TOKENS = 400;
/** How long a search waits for servers that were never listed. */
export const SERVE_LISTING_MS = 10_000;
/** How often a client that wants progress hears of it. */
export const SERVE_PROGRESS_MS = 1_000;

/** The virtual filesystem: files, bytes and depth, checked before anything is written. */
export const MAX_VFS_FILES = 50_000;
export const MAX_VFS_BYTES = 256 * MIB;
export const MAX_VFS_DEPTH = 32;
export const MAX_PATH_BYTES = 1 * KIB;
/** One name in a path: what file systems store. */
export const MAX_SEGMENT_BYTES = 255;

/** Generated identifiers; file names made of them stay well inside a path segment. */
export const MAX_IDENTIFIER_CHARS = 64;
/** A tool's signature on one line; longer ones name their types, which the tool's file spells out. */
export const MAX_SIGNATURE_CHARS = 1_000;
/** Named types of a schema that may be shared: telling them apart takes steps in the square. */
export const MAX_SHARED_DEFINITIONS = 200;
/** The description of a skill in its front matter; validators count in different units. */
export const MAX_SKILL_DESCRIPTION_CHARS = 1_024;
/** SKILL.md without its front matter: validators allow 5,000 tokens, and no count is exact. */
export const MAX_SKILL_TOKENS = 4_500;
/** One file of a skill's reference, likewise, and the tools that one file may document. */
export const MAX_REFERENCE_TOKENS = 4_500;
export const MAX_REFERENCE_TOOLS = 40;
/** The type of one parameter or result in a manifest, which is there to tell what changed. */
export const MAX_MANIFEST_TYPE_CHARS = 200;
/** Lines that say what changed on a server; the rest is counted. */
export const MAX_DIFFERENCE_LINES = 200;
/** The one sentence that stands for a tool in lists. */
export const MAX_SUMMARY_CHARS = 160;

/** Skills of one folder that are looked at; the rest is counted. */
export const MAX_SKILLS = 10_000;
/** A skill on disk: its files and bytes; the largest known server makes a tenth of it. */
export const MAX_SKILL_FILES = 2_000;
export const MAX_SKILL_BYTES = 64 * MIB;
/** Skills that one program imports, directly or through others. */
export const MAX_MOUNTED_SKILLS = 100;
/** A checksum file of that many files with long names. */
export const MAX_CHECKSUM_BYTES = 2 * MIB;
/** The metadata of a skill: the digests of 10,000 tools fit. */
export const MAX_SKILL_METADATA_BYTES = 4 * MIB;
/** Front matter of a SKILL.md that somebody else wrote. */
export const MAX_FRONT_MATTER_BYTES = 16 * KIB;
export const MAX_FRONT_MATTER_LINES = 200;
/** Roots of skills that are remembered as accepted; the oldest leave first. */
export const MAX_ACCEPTED_ROOTS = 20_000;
/** Skills outside of the usual places that are remembered. */
export const MAX_NOTED_FOLDERS = 1_000;

/** A config file larger than this is not a config file. */
export const MAX_CONFIG_BYTES = 4 * MIB;
/** A client's file, which may hold its whole history, and the servers looked at in one. */
export const MAX_CLIENT_FILE_BYTES = 64 * MIB;
export const MAX_CLIENT_SERVERS = 1_000;
/** Servers that are looked at together: each may be a process that starts. */
export const MAX_PARALLEL_CHECKS = 8;
/** From where on a server is called costly, slow or unwilling to end. */
export const LINT_BOUNDS = {
  descriptionChars: 4_000,
  toolTokens: 1_000,
  serverTokens: 20_000,
  connectMs: 5_000,
  closeMs: CLOSE_GRACE_MS,
} as const;
/** Entries of projects that are remembered as trusted; the oldest leave first. */
export const MAX_TRUSTED_ENTRIES = 10_000;
/** How long runs stay in the journal, and its size. */
export const JOURNAL_DAYS = 30;
export const MAX_JOURNAL_BYTES = 256 * MIB;
/** How long to wait for another process that holds a lock. */
export const LOCK_TIMEOUT_MS = 10_000;
/** How long one database statement waits for another process that writes. */
export const DATABASE_BUSY_MS = 5_000;
/** One server in the index, as JSON, and how many servers are remembered. */
export const MAX_INDEX_ENTRY_BYTES = 32 * MIB;
export const MAX_INDEX_SERVERS = 1_000;
/** Distinct warnings shown by one process: more is a flood. */
export const MAX_WARNINGS = 200;

declare const memoryLimit: unique symbol;

/** The size in bytes of a guest's linear memory: whole WebAssembly pages, 16 MiB to 2 GiB. */
export type MemoryLimit = number & { readonly [memoryLimit]: true };

const PAGE_BYTES = 64 * KIB;
const MIN_MEMORY_BYTES = 16 * MIB;
const MAX_MEMORY_BYTES = 2048 * MIB;

/** `bytes` as a memory limit, rounded down to whole pages; an `invalid` error outside its range. */
export function toMemoryLimit(bytes: number): MemoryLimit {
  if (!Number.isFinite(bytes) || bytes < MIN_MEMORY_BYTES || bytes > MAX_MEMORY_BYTES) {
    throw new AppError("invalid", `Memory limit must be 16MiB to 2GiB, got ${bytes} B`);
  }
  return Math.floor(bytes / PAGE_BYTES) * PAGE_BYTES as MemoryLimit;
}

/** The settable bounds of one run. */
export interface RunLimits {
  /** Units of about 10 ns of CPU; deterministic for the same program. */
  readonly fuel: number;
  /** Wall clock in milliseconds, waits for servers included, connecting not. */
  readonly wallMs: number;
  /** Linear memory of the engine. */
  readonly memory: MemoryLimit;
  /** Tool calls. */
  readonly calls: number;
}

/** What a run gets when nothing else is said. */
export const DEFAULT_RUN_LIMITS: RunLimits = {
  fuel: 1e9,
  wallMs: 30_000,
  memory: toMemoryLimit(256 * MIB),
  calls: 1000,
};

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const MAX_DURATION_MS = 24 * 3_600_000;

/**
 * Milliseconds of a duration such as `500ms`, `2s`, `5m`, `1h` or a bare number of seconds.
 * Throws an `invalid` error for anything else, for zero and for more than a day.
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)?$/.exec(text.trim());
  const value = match === null ? NaN : Number(match[1]) * DURATION_UNITS[match[2] ?? "s"]!;
  if (!(value >= 1 && value <= MAX_DURATION_MS)) {
    throw new AppError(
      "invalid",
      `Duration must look like 500ms, 2s or 5m, got ${quoteText(text)}`,
    );
  }
  return Math.round(value);
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: KIB,
  kb: KIB,
  kib: KIB,
  m: MIB,
  mb: MIB,
  mib: MIB,
  g: 1024 * MIB,
  gb: 1024 * MIB,
  gib: 1024 * MIB,
};

/**
 * Bytes of a size such as `64MiB`, `64m`, `512k` or a bare number of bytes; units are binary.
 * Throws an `invalid` error for anything else and for zero.
 */
export function parseSize(text: string): number {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]{0,3})$/i.exec(text.trim());
  const unit = match === null ? undefined : SIZE_UNITS[match[2]!.toLowerCase()];
  const value = match === null || unit === undefined ? NaN : Math.floor(Number(match[1]) * unit);
  if (!(value >= 1 && value <= Number.MAX_SAFE_INTEGER)) {
    throw new AppError("invalid", `Size must look like 64MiB or 512k, got ${quoteText(text)}`);
  }
  return value;
}

/** A whole number from 1 to `max` such as `1000` or `1e9`; an `invalid` error naming `what` else. */
export function parseCount(text: string, what: string, max = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d{1,16}(?:e\d{1,2})?$/i.test(text.trim()) ? Number(text) : NaN;
  if (!(value >= 1 && value <= max)) {
    throw new AppError(
      "invalid",
      `${what} must be a whole number from 1 to ${max}, got ${quoteText(text)}`,
    );
  }
  return value;
}

/** `ms` in the largest unit that leaves a whole number, such as `30s` or `1500ms`. */
export function formatDuration(ms: number): string {
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms >= 1000 && ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.round(ms)}ms`;
}

/** A whole number with its thousands set apart, such as `1,000,000`. */
export function formatCount(value: number): string {
  return `${Math.round(value)}`.replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `bytes` in the largest binary unit that leaves at least 1, such as `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < KIB) return `${bytes} B`;
  const [unit, name] = bytes < MIB
    ? [KIB, "KiB"]
    : bytes < 1024 * MIB
    ? [MIB, "MiB"]
    : [1024 * MIB, "GiB"];
  const value = bytes / unit;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${name}`;
}

/** Forgets the oldest of `kept` beyond `most`: what it holds is in the order of putting in. */
export function forgetOldest(kept: Map<unknown, unknown> | Set<unknown>, most: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= most) return;
    kept.delete(oldest);
  }
}
