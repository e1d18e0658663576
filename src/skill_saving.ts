// Keeps a program as a skill: finds out of the journal or its text what it uses, and makes the draft
// of the skill. The program itself does not run again.

import { AppError } from "./errors.ts";
import { digestOf } from "./hash.ts";
import { type RunEntry, toRunId } from "./journal.ts";
import { DEFAULT_RUN_LIMITS, MAX_SOURCE_BYTES, type RunLimits } from "./limits.ts";
import type { ServerName, SkillName } from "./names.ts";
import { readTextFile } from "./read.ts";
import { createExecutor } from "./sandbox.ts";
import type { JsonObject, ServerInfo, ToolDefinition } from "./server.ts";
import { importedServers, type Session } from "./session.ts";
import { importedSkills } from "./skill_code.ts";
import {
  exportedInput,
  namedTools,
  PROGRAM_FILE,
  programDraft,
  schemaOf,
  type UsedServer,
} from "./skill_programs.ts";
import type { SkillDraft, SkillExample } from "./skill_metadata.ts";
import type { SkillStore } from "./skills.ts";
import { prepareSource } from "./source.ts";
import { cleanLine, quoteText } from "./text.ts";

/** What to keep, and under which name. */
export interface SaveRequest {
  readonly name: SkillName;
  /** A run of the journal; either this or `file`. */
  readonly run?: string | undefined;
  readonly file?: string | undefined;
  readonly entry?: string | undefined;
  readonly description?: string | undefined;
  /** What the program is called with: the example, and its schema unless it exports one. */
  readonly args?: unknown;
  readonly limits: Partial<RunLimits>;
}

const LOOKED_AT_RUNS = 50;
/** Commands whose runs are programs that somebody wrote. */
const PROGRAM_COMMANDS = ["execute", "demo", "skill load"];

/** The skill of a program, with all it uses; throws `usage` errors for what cannot be kept. */
export async function draftProgram(
  { session, store, home, warn }: {
    readonly session: Session;
    readonly store: SkillStore;
    readonly home: string | undefined;
    readonly warn: (message: string) => void;
  },
  request: SaveRequest,
): Promise<SkillDraft> {
  if ((request.run === undefined) === (request.file === undefined)) {
    throw new AppError("usage", "Give one program: --run ID, --run last or --file FILE");
  }
  const run = request.run === undefined ? undefined : findRun(session, request.run);
  const source = run?.code ?? await readTextFile(request.file!, { maxBytes: MAX_SOURCE_BYTES });
  const { imports } = prepareSource(source, { path: request.file ?? PROGRAM_FILE });
  const servers = await usedServers({ session, store }, { source, imports, run });
  const input = await inputOf(source, request.args);
  const entry = request.entry ?? run?.end?.result?.entry;
  return programDraft({
    ...request,
    entry,
    source,
    servers,
    input,
    home,
    limits: { ...run?.limits, ...request.limits },
    example: exampleOf(run, { args: request.args, entry, warn }),
  });
}

// The result of a run belongs to the arguments of that run.
function exampleOf(
  run: RunEntry | undefined,
  { args, entry, warn }: {
    readonly args: unknown;
    readonly entry: string | undefined;
    readonly warn: (message: string) => void;
  },
): SkillExample | undefined {
  const given = args === undefined ? undefined : digestOf(JSON.stringify(args));
  const example = args === undefined ? undefined : { args };
  const recorded = run?.end?.result;
  if (recorded === undefined) return example;
  const { argsDigest, entry: exported, ...result } = recorded;
  if (argsDigest === given && exported === entry) return { ...example, result };
  const whose = `Run ${run!.id}`;
  if (argsDigest !== undefined && given === undefined) {
    warn(`${whose} was called with --args: give them once more, to say what the program takes`);
  } else {
    const called = exported !== entry
      ? "gave another export"
      : `was called ${argsDigest === undefined ? "without" : "with other"} --args`;
    warn(`${whose} ${called}: its result is not kept to compare with`);
  }
  return example;
}

function findRun({ journal }: Session, id: string): RunEntry {
  const found = id === "last"
    ? journal.runs(LOOKED_AT_RUNS).find((run) => PROGRAM_COMMANDS.includes(run.command))?.id
    : toRunId(id);
  const run = found === undefined ? undefined : journal.run(found);
  const hint = { hint: 'each run of "mcp-exec execute" tells its id' };
  if (run === undefined) {
    const what = id === "last" ? "No program has run yet" : `There is no run ${quoteText(id)}`;
    throw new AppError("usage", what, hint);
  }
  if (![...PROGRAM_COMMANDS, "skill verify"].includes(run.command)) {
    throw new AppError("usage", `Run ${run.id} was no program but "${run.command}"`, hint);
  }
  if (run.end?.outcome === "ok") return run;
  throw new AppError("usage", `Run ${run.id} did not end well: only what worked is kept`);
}

interface ProgramView {
  readonly source: string;
  readonly imports: readonly string[];
  readonly run: RunEntry | undefined;
}

/** The servers that a program imports, called or names, and those of skills it imports. */
async function usedServers(
  { session, store }: { readonly session: Session; readonly store: SkillStore },
  { source, imports, run }: ProgramView,
): Promise<UsedServer[]> {
  const called = (run?.calls ?? []).filter((call) => call.decision === "allow");
  const names = new Set<string>(importedServers(imports));
  for (const { server } of called) names.add(server);
  for (const { 1: server } of source.matchAll(/\bcallTool\s*(?:<[^()]*>)?\(\s*["'`]([^"'`]+)/g)) {
    if (session.specs.has(server as ServerName)) names.add(server!);
  }
  // What another skill calls in this program's name counts as used by it.
  const inherited = new Map<string, Set<string>>();
  for (const skill of importedSkills(imports)) {
    const { metadata } = await store.load(skill);
    for (const { name, tools } of metadata.servers) {
      names.add(name);
      const kept = inherited.get(name) ?? new Set();
      inherited.set(name, kept);
      if (metadata.kind === "program") { for (const tool of tools) kept.add(tool.name); }
    }
  }
  return await Promise.all(
    [...names].sort().map(async (name) => {
      const calls = called.filter((call) => call.server === name);
      const info = await describe(session, name as ServerName, calls);
      const wanted = new Set<string>([
        ...calls.map((call) => call.tool),
        ...inherited.get(name) ?? [],
        ...namedTools(source, info).map((tool) => tool.name),
      ]);
      const tools = info.tools.filter((tool) => wanted.has(tool.name));
      return { info, tools, spec: session.specs.get(name as ServerName) };
    }),
  );
}

/** What a server says, from the index where that is what the run had to do with. */
async function describe(
  session: Session,
  name: ServerName,
  calls: RunEntry["calls"],
): Promise<ServerInfo> {
  const spec = session.specs.get(name);
  if (spec === undefined) {
    throw new AppError("usage", `Server "${cleanLine(name, 64)}" of the program is not known now`, {
      hint: `give it as for the run, such as --stdio ${cleanLine(name, 64)}="command"`,
    });
  }
  const differs = ({ tools }: ServerInfo) => {
    const digests = new Map<string, ToolDefinition["digest"]>(
      tools.map((tool) => [tool.name, tool.digest]),
    );
    return calls.find(({ tool, definition, outcome }) =>
      outcome === "ok" && definition !== undefined && digests.get(tool) !== definition
    );
  };
  const saved = session.catalog.load(spec)?.info;
  if (saved !== undefined && differs(saved) === undefined) return saved;
  const info = await session.bridge.describe(name);
  const changed = differs(info);
  if (changed === undefined) return info;
  throw new AppError(
    "stale",
    `Tool ${quoteText(`${name}/${changed.tool}`)} has changed since the run`,
    { hint: "run the program again, then save that run" },
  );
}

const INPUT_LIMITS: RunLimits = { ...DEFAULT_RUN_LIMITS, fuel: 1e7, wallMs: 5_000, calls: 1 };

/** The schema of what a program is called with: the one it exports, else one that `args` fits. */
async function inputOf(source: string, args: unknown): Promise<JsonObject | undefined> {
  const text = exportedInput(source);
  if (text === undefined) return args === undefined ? undefined : schemaOf(args);
  // Only the object itself is evaluated, apart from the program and with nothing to call.
  const executor = createExecutor({ concurrency: 1 });
  try {
    const report = await executor.execute(
      {
        source: `export default (${text});`,
        path: "input.ts",
        files: new Map(),
        limits: INPUT_LIMITS,
      },
      { call: () => Promise.reject(new AppError("denied", "Nothing can be called here")) },
    );
    const { value } = report;
    if (report.ok && typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as JsonObject;
    }
    throw new AppError("invalid", 'Exported "input" is not a JSON Schema that stands by itself', {
      ...(report.error !== undefined && { detail: [report.error.message] }),
    });
  } finally {
    await executor.close();
  }
}
