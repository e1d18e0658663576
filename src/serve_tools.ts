// The served tools, whatever they are asked over: arguments are checked, runs take turns, and every
// failure becomes a result that a model can act on. It listens to nothing and starts no server.

import type { CallToolResult } from "@modelcontextprotocol/server";
import type { CallTrace } from "./bridge.ts";
import { AppError, changeTexts, toAppError } from "./errors.ts";
import {
  MAX_SERVE_DEPTH,
  MAX_SLICE_BYTES,
  MAX_WAITING_RUNS,
  MAX_WAITING_RUNS_OF_ONE,
  type RunLimits,
  SERVED_RESULT_BYTES,
} from "./limits.ts";
import type { Log } from "./log.ts";
import type { ServerName, SessionId } from "./names.ts";
import { DETAILS, type ServeCatalog } from "./serve_catalog.ts";
import { errorResult, outcomeResult, textResult } from "./serve_results.ts";
import type { SessionKeys } from "./serve_keys.ts";
import { type ServedTool, servedTools } from "./serve_texts.ts";
import { isObject, type JsonObject } from "./server.ts";
import type { RunOutcome, RunRequest, Session } from "./session.ts";
import type { Skill, SkillStore } from "./skills.ts";
import { cleanLine, quoteText } from "./text.ts";
import { createSlots } from "./waiting.ts";

/** What is served, and how. */
export interface ServeParts {
  readonly session: Session;
  readonly catalog: ServeCatalog;
  readonly keys: SessionKeys;
  readonly skills: SkillStore;
  readonly log: Log;
  /** The widest limits of a run. */
  readonly limits: RunLimits;
  /** The servers that programs of clients may call. */
  readonly servers: readonly ServerName[];
  /** Those that a skill may call where it was kept with them. */
  readonly skillServers: readonly ServerName[];
  /** Runs that are under way at once. */
  readonly concurrency: number;
  /** Whether tools can be called without a program. */
  readonly plain: boolean;
  /** Takes paths and secrets of this machine out of a text. */
  readonly mask: (text: string) => string;
  /** Called after each run. */
  readonly onRun: () => void;
}

/** Who asks. */
export interface Caller {
  /** Whose turn it takes. */
  readonly owner: string;
  /** The session of its connection; without one every run has a session of its own. */
  readonly session?: SessionId | undefined;
  /** How often this program stands between the one who asks and this call. */
  readonly depth: number;
  /** Aborted when it no longer wants the answer. */
  readonly signal: AbortSignal;
  /** Hears of calls while a run is under way. */
  readonly onCall?: ((trace: CallTrace) => void) | undefined;
}

/** The served tools. */
export interface ServeTools {
  /** Their definitions, as far as the index is known now. */
  list(): ServedTool[];
  /** Answers a call; never throws. Undefined for a tool that is not served. */
  call(name: string, args: unknown, caller: Caller): Promise<CallToolResult | undefined>;
}

type Parameters = JsonObject;
/** What every run of a caller is asked with. */
type Shared = Pick<RunRequest, "onCall" | "depth" | "fromClient"> & {
  readonly signal: AbortSignal;
};
type Tool = (args: Parameters, caller: Caller) => Promise<CallToolResult>;

/** The tools over the parts given. */
export function createServeTools(parts: ServeParts): ServeTools {
  const { session, catalog, keys, limits, mask } = parts;
  const slots = createSlots({
    places: parts.concurrency,
    waitingOfOne: MAX_WAITING_RUNS_OF_ONE,
    waiting: MAX_WAITING_RUNS,
    refuse: (bound) =>
      new AppError("limit", `Server is busy: ${bound} runs are waiting for their turn`, {
        hint: "try again in a few seconds",
        limit: { name: "waiting runs", limit: bound },
      }),
  });

  const tools: Readonly<Record<string, Tool>> = {
    async search_tools(args, { signal }) {
      const detail = optional(args, "detail", "string") ?? "signature";
      const known = DETAILS.find((item) => item === detail);
      if (known === undefined) {
        throw new AppError("invalid", `Detail ${quoteText(detail)} is not ${DETAILS.join(", ")}`);
      }
      const { text, data } = await catalog.search({
        query: required(args, "query"),
        server: optional(args, "server", "string"),
        detail: known,
        cursor: optional(args, "cursor", "string"),
      }, signal);
      return textResult(text, data);
    },
    async read_tool_files(args, { signal }) {
      const paths = pathsOf(args["paths"]);
      const files = await Promise.all(paths.map((path) => readFile(path, signal)));
      return {
        content: files.map(({ path, text }) => ({ type: "text", text: `// ${path}\n${text}` })),
        structuredContent: { files },
        ...(files.every(({ ok }) => !ok) && { isError: true }),
      };
    },
    async execute_code(args, caller) {
      const source = required(args, "code");
      const own = sessionOf(optional(args, "session", "string"), caller);
      return await runProgram({ ...caller, own }, {
        source,
        path: "code.ts",
        limits: narrowed(args),
        ...(args["args"] !== undefined && { args: args["args"] }),
      });
    },
    async read_result(args, caller) {
      const id = required(args, "handle");
      const own = sessionOf(optional(args, "session", "string"), caller);
      const handle = session.handles.isOf(own, id) ? session.handles.find(id) : undefined;
      // Of one of another session nothing is told, not even whether there is one.
      if (handle === undefined) {
        throw new AppError("invalid", `Handle ${quoteText(id)} is not known here, or has expired`, {
          hint: "give the session that its result named, or run the program once more",
        });
      }
      const start = optional(args, "start", "number") ?? 0;
      const end = Math.min(optional(args, "end", "number") ?? Infinity, start + MAX_SLICE_BYTES);
      const facts = { handle: id, type: handle.type, bytes: handle.bytes };
      const media = /^(image|audio)\//.exec(handle.type)?.[1] as "image" | "audio" | undefined;
      if (media !== undefined && args["start"] === undefined && args["end"] === undefined) {
        const data = (await session.handles.read(id)).toBase64();
        return {
          content: [{ type: media, mimeType: handle.type, data }],
          structuredContent: facts,
        };
      }
      // Where it ends as asked for: of text, both ends of each slice move back alike.
      const next = Math.min(end, handle.bytes);
      const bytes = await session.handles.read(id, { start, end: next });
      const text = handle.isText ? new TextDecoder().decode(bytes) : bytes.toBase64();
      const note = next < handle.bytes ? [`Next: start ${next} of ${handle.bytes} bytes`] : [];
      return {
        content: [text, ...note].map((text) => ({ type: "text", text })),
        structuredContent: {
          ...facts,
          start,
          end: next,
          [handle.isText ? "text" : "base64"]: text,
        },
      };
    },
    async run_skill(args, caller) {
      const name = optional(args, "name", "string");
      if (name === undefined || name === "") return await listSkills();
      const own = sessionOf(optional(args, "session", "string"), caller);
      const skill = await loadSkill(parts.skills, name);
      const [{ runSkillIn }, { PROGRAM_FILE }] = await Promise.all([
        import("./skill_runs.ts"),
        import("./skill_programs.ts"),
      ]);
      const flags = {
        session: own,
        preview: SERVED_RESULT_BYTES,
        server: neededOf(skill).filter((server) => parts.skillServers.includes(server)),
      };
      const source = skill.files.get(PROGRAM_FILE) ?? "";
      return await run({ ...caller, source, own }, async (request) =>
        await runSkillIn(
          session,
          { skill: within(skill, limits), flags, args: args["args"], command: "serve" },
          { ...request, log: parts.log },
        ));
    },
    async call_tool(args, caller) {
      const server = required(args, "server");
      const tool = required(args, "tool");
      const params = args["arguments"] ?? {};
      return await runProgram({ ...caller, own: sessionOf(undefined, caller) }, {
        source: "export default ([server, tool, params]) => callTool(server, tool, params);",
        path: "call.ts",
        args: [server, tool, params],
        limits,
      });
    },
  };

  async function readFile(path: string, signal: AbortSignal) {
    const name = /^\/?(?:mcp-tools\/)?skills\/(.+)$/.exec(path)?.[1];
    try {
      const text = name === undefined
        ? await catalog.read(path, signal)
        : await readSkillFile(parts.skills, name);
      return { path, ok: true, text };
    } catch (error) {
      const { message, hint } = changeTexts(toAppError(error), mask);
      return { path, ok: false, text: hint === undefined ? message : `${message}\nhint: ${hint}` };
    }
  }

  async function listSkills(): Promise<CallToolResult> {
    const { skills } = await parts.skills.list();
    const shown = skills.filter((skill) => skill.shadowedBy === undefined).slice(0, 100)
      .map(({ name, kind, description }) => ({
        name: cleanLine(name, 64),
        kind,
        description: cleanLine(description, MAX_DESCRIPTION_CHARS),
      }));
    const lines = shown.map(({ name, description }) => `${name}: ${description}`);
    return textResult(lines.join("\n") || "There are no skills.", { skills: shown });
  }

  /** The session a run belongs to; one that was not given here is refused. */
  function sessionOf(text: string | undefined, caller: Caller): SessionId {
    if (text === undefined || text === "") return caller.session ?? keys.issue();
    const known = keys.accept(text);
    if (known !== undefined) return known;
    throw new AppError("invalid", `Session ${quoteText(text)} is not one that was given here`, {
      hint: "leave it out: the result names a new one",
    });
  }

  function narrowed(args: Parameters): RunLimits {
    const wallMs = optional(args, "timeoutMs", "number") ?? limits.wallMs;
    const calls = optional(args, "maxCalls", "number") ?? limits.calls;
    return {
      ...limits,
      wallMs: Math.max(1, Math.min(wallMs, limits.wallMs)),
      calls: Math.min(calls, limits.calls),
    };
  }

  async function runProgram(
    caller: Caller & { readonly own: SessionId },
    program: Pick<RunRequest, "source" | "path" | "args" | "limits">,
  ): Promise<CallToolResult> {
    return await run({ ...caller, source: program.source }, async (request) =>
      await session.run({
        ...request,
        ...program,
        command: "serve",
        session: caller.own,
        preview: SERVED_RESULT_BYTES,
        servers: parts.servers,
      }));
  }

  async function run(
    { owner, signal, onCall, depth, own, source = "", ...caller }: Caller & {
      readonly own: SessionId;
      readonly source?: string;
    },
    work: (request: Shared) => Promise<RunOutcome>,
  ): Promise<CallToolResult> {
    if (depth >= MAX_SERVE_DEPTH) {
      throw new AppError(
        "denied",
        `mcp-exec is called by itself more than ${MAX_SERVE_DEPTH} deep`,
        {
          hint: "take its own entry out of its servers",
          limit: { name: "depth", limit: MAX_SERVE_DEPTH },
        },
      );
    }
    const giveBack = await slots.take({ owner, signal });
    try {
      const outcome = await work({
        signal,
        depth: depth + 1,
        fromClient: true,
        ...(onCall && { onCall }),
      });
      return await outcomeResult(outcome, {
        handles: session.handles,
        trace: keys.traceOf(outcome.run),
        owner: own,
        // A connection knows its session.
        ...(caller.session !== own && { session: own }),
        isStateful: /\b[gs]etState\b/.test(source),
        mask,
      });
    } finally {
      giveBack();
      parts.onRun();
    }
  }

  return {
    list: () => servedTools(catalog.hint(), { plain: parts.plain }),
    async call(name, args = {}, caller) {
      const isServed = Object.hasOwn(tools, name) && (parts.plain || name !== "call_tool");
      if (!isServed) return undefined;
      try {
        if (!isObject(args)) throw new AppError("invalid", `Arguments of ${name} are no object`);
        checkNames(args, servedTools([], parts).find((tool) => tool.name === name)!);
        return await tools[name]!(args, caller);
      } catch (error) {
        return errorResult(toAppError(error), mask);
      }
    },
  };
}

function checkNames(args: Parameters, { name, inputSchema }: ServedTool): void {
  const known = Object.keys(inputSchema["properties"] as object);
  const strange = Object.keys(args).find((key) => !known.includes(key));
  if (strange === undefined) return;
  throw new AppError("invalid", `Parameter ${quoteText(strange)} of ${name} is not known`, {
    hint: `it takes ${known.join(", ")}`,
  });
}

interface Kinds {
  string: string;
  number: number;
}

function optional<Kind extends keyof Kinds>(
  args: Parameters,
  key: string,
  kind: Kind,
): Kinds[Kind] | undefined {
  const value = args[key];
  if (value === undefined || value === null) return undefined;
  const fits = typeof value === kind && (kind === "string" || Number(value) >= 0);
  if (fits) return value as Kinds[Kind];
  const wanted = kind === "string" ? "a string" : "a number from 0 on";
  throw new AppError("invalid", `Parameter "${key}" must be ${wanted}`);
}

function required(args: Parameters, key: string): string {
  const value = optional(args, key, "string");
  if (value !== undefined) return value;
  throw new AppError("invalid", `Parameter "${key}" is missing`);
}

const MAX_PATHS = 20;
/** What of a skill's description is listed: its folder may be anybody's. */
const MAX_DESCRIPTION_CHARS = 1_024;

function pathsOf(value: unknown): string[] {
  const paths = typeof value === "string" ? [value] : value;
  if (
    Array.isArray(paths) && paths.length > 0 && paths.length <= MAX_PATHS &&
    paths.every((path) => typeof path === "string")
  ) return paths;
  throw new AppError("invalid", `Parameter "paths" must be a list of 1 to ${MAX_PATHS} strings`);
}

/** A skill that was accepted here; what nobody accepted is for no model to read. */
async function loadSkill(skills: SkillStore, name: string): Promise<Skill> {
  if (!/[/\\]/.test(name)) return await skills.load(name);
  throw new AppError("invalid", `Skill ${quoteText(name)} is named by its name, not a path`);
}

async function readSkillFile(skills: SkillStore, path: string): Promise<string> {
  const [name = "", ...rest] = path.split("/").filter((segment) => segment !== "");
  const { files } = await loadSkill(skills, name);
  const file = rest.join("/");
  const text = file === "" ? [...files.keys()].sort().join("\n") : files.get(file);
  if (text !== undefined) return text.slice(0, MAX_SLICE_BYTES);
  throw new AppError("invalid", `File not found: ${quoteText(`skills/${path}`)}`);
}

function neededOf(skill: Skill): ServerName[] {
  return skill.metadata.servers.map(({ name }) => name);
}

/** A skill whose own limits are no wider than `limits`. */
function within(skill: Skill, limits: RunLimits): Skill {
  const { program } = skill.metadata;
  if (program === undefined) return skill;
  const own: Partial<RunLimits> = program.limits ?? {};
  const narrow = Object.fromEntries(
    (Object.keys(limits) as (keyof RunLimits)[]).map((key) => [
      key,
      Math.min(own[key] ?? limits[key], limits[key]),
    ]),
  );
  return {
    ...skill,
    metadata: { ...skill.metadata, program: { ...program, limits: { ...own, ...narrow } } },
  };
}
