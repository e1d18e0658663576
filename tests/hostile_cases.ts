// What hostile servers do and what must come of it, over stdio and HTTP alike: one list for both.
// Each case is a command line; the ids are those of the threat list. Adding a case needs no code.

import type { ErrorKind } from "../src/errors.ts";

/** The ways to a server. */
export type Way = "stdio" | "http";

/** What must come of a case. */
export interface Wanted {
  /** The exit code; default 0. */
  readonly code?: number;
  /** Of the error document. */
  readonly kind?: ErrorKind;
  readonly message?: RegExp;
  /** Somewhere in the lines below the message. */
  readonly detail?: RegExp;
  readonly hint?: RegExp;
  /** The warnings on stderr, all of them and in this order. */
  readonly warnings?: readonly RegExp[];
  /** `result` of the document. */
  readonly result?: unknown;
  /** Somewhere in the document, or in what was written where the format is not JSON. */
  readonly shows?: readonly RegExp[];
  /** Nowhere in what was written. */
  readonly hides?: readonly RegExp[];
  /** Somewhere in the files of the folder `skill`, and nowhere in any of them. */
  readonly files?: { readonly shows: readonly RegExp[]; readonly hides: readonly RegExp[] };
  /** Words the server wrote down, with how often each. */
  readonly asked?: Readonly<Record<string, number>>;
}

/** One case. */
export interface HostileCase {
  readonly ids: string;
  /** A sentence that begins with what the server does. */
  readonly title: string;
  readonly mode: string;
  /** The command; the server goes by "it". */
  readonly args: readonly string[];
  readonly wanted: Wanted;
  /** Where HTTP has another outcome; the rest is as for stdio. */
  readonly http?: Wanted;
  /** The one way in which the case makes sense, and why the other has none. */
  readonly only?: readonly [way: Way, because: string];
  /** What else the entry of the server holds, in place of what starts or reaches the mode. */
  readonly entry?: Readonly<Record<string, unknown>>;
  /** What else the configuration holds. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The mode of a second server, which goes by "other". */
  readonly other?: string;
  /** Runs as a process of its own, whose memory must stay below so many MiB. */
  readonly memoryMiB?: number;
  /** How results are printed; default `json`. */
  readonly format?: "text";
}

const CALL = ["call", "it", "call"];
const LIST = ["introspect", "it"];
const SOON = ["--server-timeout", "400ms"];
const CALLS_SOON = { limits: { callTimeouts: { "it/*": "400ms" } } };
const program = (source: string) => ["execute", "-e", source];
const UNCLEAN =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u{e0000}-\u{e007f}]/u;

/** Every case. */
export const CASES: readonly HostileCase[] = [
  {
    ids: "H1",
    title: "server whose command there is none of",
    mode: "proper",
    entry: { command: "no-such-command-here" },
    only: ["stdio", "only a process has a command"],
    args: CALL,
    wanted: {
      code: 3,
      kind: "connect",
      message: /^Server "it" did not start: command "no-such-command-here" was not found$/,
    },
  },
  {
    ids: "H1",
    title: "server whose command is not executable",
    mode: "proper",
    entry: { command: new URL("../LICENSE", import.meta.url).pathname },
    only: ["stdio", "only a process has a command"],
    args: CALL,
    wanted: { code: 3, kind: "connect", message: /^Server "it" did not start: .*not executable$/ },
  },
  {
    ids: "H1",
    title: "server that nobody listens for",
    mode: "proper",
    entry: { url: "http://127.0.0.1:9/mcp" },
    only: ["http", "a process has no address"],
    args: CALL,
    wanted: { code: 3, kind: "connect", message: /cannot be reached at http:\/\/127\.0\.0\.1:9/ },
  },
  {
    ids: "H2, H22",
    title: "server that exits at once, with its last lines cleaned",
    mode: "exit",
    args: CALL,
    wanted: {
      code: 3,
      kind: "connect",
      message: /^Server "it" exited with code 1 before the handshake$/,
      detail: /^fatal: no token in TOKEN$/,
    },
    http: {
      code: 3,
      kind: "connect",
      message: /^Connection to server "it" was closed before the handshake$/,
    },
  },
  {
    ids: "H2",
    title: "server that ends after the handshake",
    mode: "exit-later",
    args: CALL,
    wanted: {
      code: 3,
      kind: "connect",
      message: /^Server "it" exited with code 7/,
      detail: /^goodbye$/,
    },
    // Asked for its tools, it is asked once more by a new handshake, which it does not know either.
    http: { code: 3, kind: "server", message: /HTTP 404$/ },
  },
  {
    ids: "H3",
    title: "server that never answers the handshake",
    mode: "silent",
    args: [...CALL, ...SOON],
    wanted: { code: 4, kind: "timeout", message: /no answer to initialize within 400ms$/ },
  },
  {
    ids: "H3",
    title: "server that answers the handshake after the deadline",
    mode: "late",
    args: [...CALL, ...SOON],
    wanted: { code: 4, kind: "timeout", message: /no answer to initialize within 400ms$/ },
  },
  {
    ids: "H3, B7",
    title: "server that never answers a call, and is told that nobody waits",
    mode: "silent-call",
    config: CALLS_SOON,
    args: CALL,
    wanted: {
      code: 4,
      kind: "timeout",
      message: /^Server "it" gave no answer to tools\/call within 400ms$/,
      asked: { "tools/call call": 1, "notifications/cancelled": 1 },
    },
  },
  {
    ids: "H3, B7",
    title: "server that never answers, in a program that runs out of time",
    mode: "silent-call",
    args: [...program(`return await callTool("it", "call", {});`), "--timeout", "3s"],
    wanted: {
      code: 5,
      kind: "limit",
      asked: { "tools/call call": 1, "notifications/cancelled": 1 },
    },
  },
  {
    ids: "H3",
    title: "server that never lists its tools",
    mode: "silent-list",
    args: [...LIST, "--server-timeout", "3s"],
    wanted: { code: 4, kind: "timeout", message: /no answer to tools\/list within 3s$/ },
  },
  {
    ids: "H3",
    title: "server that reads nothing any more",
    mode: "deaf",
    args: [...CALL, "--server-timeout", "3s"],
    only: ["stdio", "over HTTP who does not read gets no request"],
    wanted: { code: 4, kind: "timeout", message: /within 3s$/ },
  },
  {
    ids: "H3",
    title: "server that neither ends with its input nor on a signal, nor does its child",
    mode: "immortal",
    args: CALL,
    only: ["stdio", "over HTTP nothing was started"],
    wanted: {},
  },
  {
    ids: "H4",
    title: "server that answers a byte at a time",
    mode: "drip",
    args: [...CALL, ...SOON],
    wanted: { code: 4, kind: "timeout", message: /no answer to initialize within 400ms$/ },
  },
  ...["1999-01-01", "2999-01-01"].map((version): HostileCase => ({
    ids: "H5",
    title: `server of protocol version ${version}`,
    mode: version < "2" ? "old-version" : "future-version",
    args: CALL,
    wanted: {
      code: 3,
      kind: "protocol",
      message: new RegExp(`^Server "it" speaks protocol version "${version}", this .*2025-11-25$`),
    },
  })),
  {
    ids: "H6",
    title: "server that prints other things between its messages",
    mode: "noise",
    args: CALL,
    wanted: { result: "called", warnings: [/^Server "it" prints other things than messages/] },
    // Events that hold no message are nothing unusual.
    http: { result: "called" },
  },
  {
    ids: "H6",
    title: "server that prints only other things",
    mode: "only-noise",
    args: CALL,
    wanted: {
      code: 3,
      kind: "protocol",
      message: /printed 1000 lines in a row that are no messages$/,
      warnings: [/^Server "it" prints other things than messages/],
    },
    http: { code: 3, kind: "protocol", message: /sent 1000 events in a row that are no messages$/ },
  },
  {
    ids: "H7",
    title: "server that writes a line without end",
    mode: "endless-line",
    args: CALL,
    memoryMiB: 350,
    wanted: {
      code: 3,
      kind: "protocol",
      message: /^Server "it" sent a line over the limit of 32 MiB$/,
    },
    http: {
      code: 3,
      kind: "protocol",
      message: /^Server "it" sent an event over the limit of 32 M/,
    },
  },
  ...([
    ["deep", "it is nested deeper than 200"],
    ["huge", "it holds a number no computer can"],
    ["twice", "it names a member twice"],
  ] as const).map(([mode, reason]): HostileCase => ({
    ids: "H8",
    title: `server whose answer is refused: ${reason}`,
    mode,
    args: CALL,
    wanted: {
      code: 3,
      kind: "protocol",
      message: new RegExp(`^Answer of server "it" to tools/call refused: ${reason}$`),
    },
  })),
  {
    ids: "H8",
    title: "server whose list of tools is nested too deep",
    mode: "deep-list",
    args: LIST,
    wanted: { code: 3, kind: "protocol", message: /^Answer of server "it" to tools\/list refused/ },
  },
  {
    ids: "H8",
    title: "server whose whole body is nested too deep",
    mode: "deep-body",
    only: ["http", "a line of a process is its body"],
    args: CALL,
    wanted: { code: 3, kind: "protocol", message: /^Answer .* refused: it is nested deeper/ },
  },
  {
    ids: "H9",
    title: "server that answers with wrong ids, and twice",
    mode: "wrong-ids",
    args: program(
      `return await Promise.all([1, 2, 3].map(() => callTool("it", "call", {})));`,
    ),
    wanted: {
      result: ["right", "right", "right"],
      warnings: [/^Server "it" prints other things than messages/],
    },
    http: { result: ["right", "right", "right"] },
  },
  {
    ids: "H10",
    title: "server that breaks off amid an answer, and is asked again",
    mode: "crash",
    args: program(`
      const failed = await callTool("it", "call", {}).catch((error) => error.kind);
      return [failed, await callTool("it", "fine", {}), await callTool("it", "fine", {})];`),
    wanted: { result: ["connect", "fine", "fine"], asked: { initialize: 2 } },
    // One stream broke off, not the connection.
    http: { result: ["connect", "fine", "fine"], asked: { initialize: 1 } },
  },
  {
    ids: "H12",
    title: "server that floods with notifications",
    mode: "flood",
    args: CALL,
    memoryMiB: 400,
    wanted: {
      result: "done",
      warnings: [/^Server "it" sends more than 100 notifications a second; the rest are dropped$/],
    },
  },
  ...([
    ["same-cursor", "gives the same cursor twice"],
    ["endless-pages", "lists over 1000 pages"],
    ["growing-cursor", "gives a cursor over"],
  ] as const).map(([mode, what]): HostileCase => ({
    ids: "H13",
    title: `server that ${what}`,
    mode,
    args: LIST,
    wanted: { warnings: [new RegExp(`^Server "it" ${what}`)] },
  })),
  {
    ids: "H14",
    title: "server with 50,000 tools",
    mode: "many-tools",
    args: LIST,
    wanted: { warnings: [/^Server "it" lists over 10000 tools/] },
  },
  {
    ids: "H14",
    title: "server with a description of 1 MB, a schema of 10 MB and a name of 300 bytes",
    mode: "large-parts",
    args: LIST,
    wanted: {
      shows: [/"fine"/],
      warnings: [
        /tool "long_description" is left out: its description has 1 MiB, over the limit of 32 KiB$/,
        /tool "large_schema" is left out: its schema has 10\.0 MiB, over the limit of 256 KiB$/,
        /is left out: its name must be 1 to 256 printable bytes$/,
      ],
    },
  },
  {
    ids: "H15",
    title: "server with one invalid tool of ten",
    mode: "one-bad-tool",
    args: LIST,
    wanted: {
      shows: [/"t0".*"t9"/s],
      hides: [/"name": ?"t4"/],
      warnings: [/tool "t4" is left out: it has no input schema$/],
    },
  },
  {
    ids: "H16",
    title: "server with names of tools that mean something else",
    mode: "odd-names",
    args: LIST,
    wanted: {
      shows: [/"__proto__"/, /"constructor"/, /"then"/, /"\.\.\/x"/, /"🔥"/],
      hides: [UNCLEAN],
      warnings: [
        /tool "b" is left out: its name comes twice/,
        /tool "" is left out/,
        /tool "with line" is left out/,
        /tool "a\\u\{202e\}b" is left out/,
      ],
    },
  },
  {
    ids: "H16",
    title: "server with such names, whose tools a program gets as functions",
    mode: "odd-names",
    args: program(`
      import * as it from "mcp:it";
      export default Object.keys(it).filter((name) => typeof it[name] === "function").length;`),
    wanted: {
      result: 7,
      warnings: [/"b" is left out/, /"" is left out/, /line" is left out/, /"a.*b" is left out/],
    },
  },
  {
    ids: "H17",
    title: "server with schemas that refer to themselves, to nothing and to elsewhere",
    mode: "odd-schemas",
    args: [...LIST, "--detailed"],
    wanted: { shows: [/"bomb"/, /"cycle"/, /"dangling"/, /"remote"/] },
  },
  {
    ids: "H18",
    title: "server with patterns that freeze who runs them",
    mode: "evil-pattern",
    args: ["call", "it", "answer", `value=${"a".repeat(40)}!`],
    wanted: { result: { value: `${"a".repeat(40)}!` } },
  },
  {
    ids: "H19",
    title: "server whose result has 40 MB",
    mode: "results",
    args: ["call", "it", "large"],
    memoryMiB: 350,
    wanted: {
      code: 3,
      kind: "protocol",
      message: /^Server "it" sent a line over the limit of 32 M/,
    },
    http: { code: 3, kind: "protocol", message: /^Server "it" sent an event over the limit of 32/ },
  },
  ...([
    ["none", { result: [] }],
    ["no-content", { result: [] }],
    ["structured", { result: { value: 1 } }],
    ["image", {}],
    ["null-item", { code: 3, kind: "protocol" }],
    ["error", { code: 3, kind: "server", message: /^Tool "it\/error" failed: /, hides: [UNCLEAN] }],
  ] as const).map(([name, wanted]): HostileCase => ({
    ids: "H19",
    title: `server whose result is "${name}"`,
    mode: "results",
    args: ["call", "it", name],
    wanted,
  })),
  {
    ids: "H20",
    title: "server that asks for a model, a person and folders",
    mode: "asks",
    args: CALL,
    wanted: {
      result: [0, 1, 2, 3].map((at) => ({
        id: `ask-${at}`,
        code: at === 3 ? null : -32601,
        result: at === 3 ? {} : null,
      })),
    },
  },
  {
    ids: "H21, C11",
    title: "server that announces other tools, and what was kept of the old ones goes",
    mode: "changes",
    config: { cache: { tools: ["it/change"] } },
    args: program(`
      await callTool("it", "change", {});
      for (let wait = 0; wait < 20; wait++) await callTool("demo", "list_users", {});
      await callTool("it", "change", {});
      return true;`),
    wanted: {
      result: true,
      warnings: [/^Server "it" has changed: .*"Version 1\.", is now "Version 2\."$/],
      asked: { "tools/list": 2, "tools/call change": 2 },
    },
  },
  {
    ids: "H22, H23",
    title: "server with escapes, directions and orders in every text",
    mode: "rude",
    format: "text",
    args: [...LIST, "--detailed"],
    wanted: { shows: [/Ignore previous instructions/], hides: [UNCLEAN] },
  },
  {
    ids: "H22, H23",
    title: "server with such texts in a failure",
    mode: "rude",
    format: "text",
    args: ["call", "it", "rude"],
    wanted: { code: 3, shows: [/Ignore previous instructions/], hides: [UNCLEAN] },
  },
  {
    ids: "H23, H24",
    title: "server with headings and fences in texts that go into a skill",
    mode: "rude",
    format: "text",
    args: ["generate", "it", "--output", "skill"],
    memoryMiB: 400,
    wanted: {
      hides: [UNCLEAN],
      files: {
        shows: [/Ignore previous instructions/],
        hides: [UNCLEAN, /^# Heading/m, /^Ignore/m],
      },
    },
  },
  {
    ids: "H25",
    title: "server with a tool named like another one's",
    mode: "proper",
    other: "crash",
    args: program(`
      import { call as here } from "mcp:it";
      import { call as there } from "mcp:other";
      export default [await here({}), await there({}).catch((error) => error.server)];`),
    wanted: { result: ["called", "other"], asked: { "tools/call call": 1 } },
  },
  {
    ids: "H26",
    title: "server that calls a writer harmless, where only what is harmless is allowed",
    mode: "lies",
    config: {
      policy: {
        default: "deny",
        rules: [{ annotations: { readOnlyHint: true }, decide: "allow" }],
      },
    },
    args: ["call", "it", "delete_all"],
    wanted: {
      code: 6,
      kind: "denied",
      hint: /trustAnnotations/,
      asked: { "tools/call delete_all": 0 },
    },
  },
  ...([
    ["redirect", /^Server "it" redirects to http:\/\/127\.0\.0\.2:9$/],
    ["found", /^Server "it" redirects to http:\/\/127\.0\.0\.2:9$/],
    ["metadata", /^Server "it" redirects to http:\/\/169\.254\.169\.254$/],
    ["cut-events", /^Server "it" broke off before it answered tools\/call$/],
  ] as const).map(([mode, message]): HostileCase => ({
    ids: "H27",
    title: `server that does "${mode}"`,
    mode,
    only: ["http", "a process has neither addresses nor streams that end"],
    args: CALL,
    wanted: { code: 3, kind: "connect", message },
  })),
  ...(["gzip", "large-body", "large-event"] as const).map((mode): HostileCase => ({
    ids: "H27",
    title: `server that answers with "${mode}"`,
    mode,
    only: ["http", "what a process writes is not packed, and has no body but its lines"],
    args: CALL,
    memoryMiB: 350,
    wanted: {
      code: 3,
      kind: "protocol",
      message: /^Server "it" sent an? .* over the limit of 32 M/,
    },
  })),
  {
    ids: "H27",
    title: "server whose events never end",
    mode: "endless-events",
    only: ["http", "the lines of a process never end either, and that is H12"],
    config: CALLS_SOON,
    args: CALL,
    wanted: {
      code: 4,
      kind: "timeout",
      message: /within 400ms$/,
    },
  },
  {
    ids: "H27",
    title: "server that sends whoever signs in to a script",
    mode: "unauthorized",
    only: ["http", "a process has nobody sign in"],
    args: CALL,
    wanted: {
      code: 3,
      kind: "sign-in",
      message: /^Server "it" asks for sign-in$/,
      hides: [/javascript/],
    },
  },
  {
    ids: "B1",
    title: "server under a name that is not quite its own",
    mode: "proper",
    args: program(`
      const names = ["It", "it ", "IT", "ıt", "it\\u200b", "", "__proto__"];
      const kinds = names.map((name) => callTool(name, "call", {}).catch((error) => error.kind));
      return [...new Set(await Promise.all(kinds))];`),
    wanted: { result: ["usage"], asked: { start: 0, initialize: 0 } },
  },
  {
    ids: "B1",
    title: "server that is not allowed",
    mode: "proper",
    args: [...CALL, "--allow", "demo"],
    wanted: { code: 6, kind: "denied", asked: { start: 0, initialize: 0 } },
  },
  {
    ids: "B2",
    title: "tool that is denied beside its near twin that is not",
    mode: "crash",
    config: { policy: { rules: [{ tool: "it/call", decide: "deny" }] } },
    args: program(`
      const kinds = ["call", "Call", "call "].map((tool) =>
        callTool("it", tool, {}).catch((error) => error.kind));
      return [...await Promise.all(kinds), await callTool("it", "fine", {})];`),
    wanted: {
      result: ["denied", "invalid", "invalid", "fine"],
      asked: { "tools/call call": 0, "tools/call fine": 1 },
    },
  },
  {
    ids: "B3",
    title: "batch of 1,000 calls of which one is denied",
    mode: "proper",
    config: {
      limits: { rate: false },
      policy: { rules: [{ tool: "it/call", arguments: { at: 500 }, decide: "deny" }] },
    },
    args: program(`
      const items = Array.from({ length: 1000 }, (_, at) =>
        ({ server: "it", tool: "call", params: { at } }));
      const outcomes = await callTools(items, { concurrency: 32 });
      return [outcomes.findIndex(({ ok }) => !ok), outcomes.filter(({ ok }) => ok).length];`),
    wanted: { result: [500, 999], asked: { "tools/call call": 999 } },
  },
  {
    ids: "B4",
    title: "burst of 20 calls at a rate of five",
    mode: "proper",
    config: { limits: { rate: { perSecond: 0.001, burst: 5 } } },
    args: program(`
      const calls = Array.from({ length: 20 }, () => callTool("it", "call", {}));
      const kinds = calls.map((call) => call.then(() => "ok", (error) => error.kind));
      const all = await Promise.all(kinds);
      return ["ok", "limit"].map((kind) => all.filter((item) => item === kind).length);`),
    wanted: { result: [5, 15], asked: { "tools/call call": 5 } },
  },
  {
    ids: "B5",
    title: "rate of two calls, over a crash",
    mode: "crash",
    config: { limits: { rate: { perSecond: 0.001, burst: 2 } } },
    args: program(`
      const kinds = [];
      for (const tool of ["fine", "call", "fine", "fine"]) {
        kinds.push(await callTool("it", tool, {}).then(() => "ok", (error) => error.kind));
      }
      return kinds;`),
    wanted: { result: ["ok", "connect", "ok", "limit"], asked: { "tools/call fine": 2 } },
  },
  {
    ids: "B8",
    title: "server that crashes in every call is left alone after two",
    mode: "crash",
    args: program(`
      const kinds = [];
      for (let count = 0; count < 6; count++) {
        kinds.push(await callTool("it", "call", {}).catch((error) => error.kind));
      }
      return [...new Set(kinds)];`),
    wanted: { result: ["connect"], asked: { initialize: 2, "tools/call call": 2 } },
    // A stream that breaks off is no crash: the connection holds.
    http: { result: ["connect"], asked: { initialize: 1, "tools/call call": 6 } },
  },
  {
    ids: "B6",
    title: "parameters that are too large or of a wrong type",
    mode: "evil-pattern",
    args: program(`
      const params = [{ value: 5 }, { value: "x".repeat(1 << 20) }, []];
      const kinds = params.map((item) =>
        callTool("it", "answer", item).catch((error) => error.kind ?? error.name));
      return await Promise.all(kinds);`),
    wanted: { result: ["invalid", "limit", "TypeError"], asked: { "tools/call answer": 0 } },
  },
];
