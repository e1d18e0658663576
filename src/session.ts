// One command's working set: the bridge to its servers, the database behind it and the sandbox in
// front, joined so that a program runs with exactly the servers it may call. Closes all it opened.

import { type CallTrace, createBridge, type McpBridge } from "./bridge.ts";
import { type Catalog, createCatalog } from "./catalog.ts";
import { type Context, dataFile } from "./context.ts";
import { type Database, openDatabase } from "./database.ts";
import { AppError, ExitCode, toAppError } from "./errors.ts";
import { startExecutor } from "./executor.ts";
import { digestOf } from "./hash.ts";
import { createHandleStore, type HandleStore } from "./handles.ts";
import { createHostFunctions, functionsOf, SERVERS_FOLDER } from "./host_functions.ts";
import { createJournal, type Journal, type RunEnd, type RunId, type RunTokens } from "./journal.ts";
import { DEFAULT_RUN_LIMITS, type RunLimits } from "./limits.ts";
import type { Log } from "./log.ts";
import {
  isServerName,
  type ServerName,
  type SessionId,
  type SkillName,
  slugServerName,
} from "./names.ts";
import type { PolicyLayer } from "./policy.ts";
import { requireServers } from "./policy_layers.ts";
import { type Connect, openConnection, type OpenOptions } from "./pool.ts";
import type { Activity, Progress } from "./progress.ts";
import { makePreview, type Preview } from "./preview.ts";
import { recordResult } from "./recorded_result.ts";
import { createResults } from "./results.ts";
import type { CodeExecutor, LogEntry, RunReport } from "./sandbox.ts";
import { createSecretMask } from "./secrets.ts";
import type { ServerInfo, ServerSpec } from "./server.ts";
import { freeName, type ServerSet } from "./servers.ts";
import { createSignIns } from "./sign_ins.ts";
import type { MountedSkills } from "./skill_code.ts";
import type { Skill } from "./skills.ts";
import { countTokens, TOKENIZER } from "./stats.ts";
import {
  createMemoryState,
  createSessionState,
  type SessionState,
  type StateStorage,
} from "./state.ts";
import type { Connection } from "./transport.ts";
import { openWorkspace, WORKSPACE_FOLDER, type WorkspaceOptions } from "./workspace.ts";

/** What to run. */
export interface RunRequest {
  readonly source: string;
  /** The name errors show, such as `main.ts`. */
  readonly path: string;
  readonly entry?: string;
  readonly args?: unknown;
  /** Whether a client asks: naming a handle in its arguments is no reason that it may be read. */
  readonly fromClient?: boolean;
  /** Bounds set for this run; others come from the configuration, then the defaults. */
  readonly limits?: Partial<RunLimits>;
  /** The only servers the program may call; all when absent. */
  readonly servers?: readonly ServerName[];
  /** The folder that the program sees as `/workspace`; none when absent. */
  readonly workspace?: WorkspaceOptions;
  /** The command that runs it, for the journal. */
  readonly command: string;
  /** Whose state the program sees and keeps; without it state ends with the run. */
  readonly session?: SessionId;
  /** Whether the calls of the outcome show what servers told while they were under way. */
  readonly notices?: boolean;
  /** Bytes of a result from which on the outcome has a preview of it. */
  readonly preview?: number;
  readonly onLog?: (entry: LogEntry) => void;
  /** Gets the trace of each call when it has ended. */
  readonly onCall?: (trace: CallTrace) => void;
  /** How often this program stands above the calls; told to servers, which may be this program. */
  readonly depth?: number;
  /** Ends the run, and its calls, when whoever asked for it has gone. */
  readonly signal?: AbortSignal;
}

/** What a run gave, with its name in the journal and its calls in the order they ended. */
export interface RunOutcome extends RunReport {
  readonly run: RunId;
  readonly calls: readonly CallTrace[];
  /** What the run could have used: servers it imported, with their tools. */
  readonly servers: readonly ServerInfo[];
  /** What to show of a result that is larger than was asked for. */
  readonly preview?: Preview;
}

/** A command's working set. */
export interface Session {
  readonly bridge: McpBridge;
  readonly catalog: Catalog;
  readonly journal: Journal;
  /** Large and binary results. */
  readonly handles: HandleStore;
  /** What sessions keep between runs. */
  readonly state: SessionState;
  /** Where all of these keep what they keep. */
  readonly database: Database;
  /** All servers by name, ad hoc ones under the name they gave themselves. */
  readonly specs: ReadonlyMap<ServerName, ServerSpec>;
  /** Servers given by flag, in order. */
  readonly adHoc: readonly ServerName[];
  /** Runs a program; a guest that fails gives an outcome, a server that cannot be listed throws. */
  run(request: RunRequest): Promise<RunOutcome>;
  /** Ends connections, workers and the database; leaves no process behind. */
  close(): Promise<void>;
}

/** What a session is opened with besides its servers. */
export interface SessionOptions {
  readonly log: Log;
  /** Told before a server is connected to. */
  readonly onConnect?: (name: ServerName) => void;
  /** Told when the index was given what a server said of itself. */
  readonly onListed?: () => void;
  /** Shows what takes a while. */
  readonly progress?: Progress;
  /** Counts the tokens of each result, for reports that show them. */
  readonly countTokens?: (text: string) => number;
  /** A sandbox that was started before; it is not closed with the session. */
  readonly executor?: CodeExecutor;
  /** A way to connections that outlive the session. */
  readonly connect?: Connect;
}

/** A session over `servers`. Ad hoc servers without a name are connected to, to learn theirs. */
export async function openSession(
  context: Context,
  servers: ServerSet,
  options: SessionOptions,
): Promise<Session> {
  const warn = (message: string) => options.log.warn(message);
  const database = openDatabase(dataFile(context.paths, "mcp-exec.db"), { warn });
  const catalog = createCatalog(database, {
    now: context.now,
    warn,
    ...(options.onListed && { onSave: options.onListed }),
  });
  const journal = createJournal(database, {
    warn,
    now: context.now,
    ...servers.config.journal,
    required: servers.config.journal.required ||
      servers.policy.some(({ requiresJournal }) => requiresJournal),
    mask: createSecretMask(servers.specs.values(), context.env),
  });
  const handles = createHandleStore(database, {
    folder: dataFile(context.paths, "handles"),
    now: context.now,
    warn,
  });
  const opening: OpenOptions = {
    catalog,
    env: context.env,
    warn,
    signal: context.signal,
    ...(options.onConnect && { onConnect: options.onConnect }),
    ...(options.progress && { progress: options.progress }),
    ...(options.connect && { connect: options.connect }),
    signIns: createSignIns({ folder: dataFile(context.paths, "sign-ins"), now: context.now }),
  };
  let named: NamedServers;
  try {
    named = await nameServers(servers, opening);
  } catch (error) {
    database.close();
    throw error;
  }
  try {
    // What --allow and --deny name is known once every server has its name.
    requireServers(servers.policy, [...named.specs.keys(), ...servers.unusable.keys()]);
  } catch (error) {
    await Promise.all([...named.connections.values()].map((connection) => connection.close()));
    database.close();
    throw error;
  }
  const bridge = createBridge({
    ...opening,
    specs: named.specs,
    unusable: servers.unusable,
    connections: named.connections,
    journal,
    now: context.now,
    countTokens: options.countTokens ?? countTokens,
    policy: servers.policy,
    rates: servers.config.rates,
    timeouts: servers.config.timeouts,
    bounds: servers.config.idleMs === undefined ? {} : { idleMs: servers.config.idleMs },
    cache: servers.config.cache,
  });
  const lasting = createSessionState(database, { now: context.now });
  let started: CodeExecutor | undefined;
  return {
    bridge,
    catalog,
    journal,
    handles,
    state: lasting,
    database,
    specs: named.specs,
    adHoc: named.adHoc,
    async run(request) {
      const executor = options.executor ?? (started ??= startExecutor(context));
      const limits = { ...DEFAULT_RUN_LIMITS, ...servers.config.limits, ...request.limits };
      const activity = options.progress?.begin(`Running ${request.path}`, { isWhole: true }) ??
        NOTHING_SHOWN;
      return await runProgram(request, {
        activity,
        bridge,
        catalog,
        journal,
        handles,
        executor,
        limits,
        state: request.session === undefined ? createMemoryState() : lasting,
        specs: named.specs,
        policy: servers.policy,
        loadSkill: async (name) => {
          const { skillStoreOver } = await import("./skills.ts");
          return await skillStoreOver(context, database).load(name);
        },
        signal: request.signal === undefined
          ? context.signal
          : AbortSignal.any([context.signal, request.signal]),
      }).finally(() => activity.end());
    },
    async close() {
      await Promise.all([started?.close(), bridge.close()]);
      await handles.prune();
      journal.prune();
      database.close();
    },
  };
}

interface NamedServers {
  readonly specs: ReadonlyMap<ServerName, ServerSpec>;
  readonly adHoc: readonly ServerName[];
  readonly connections: ReadonlyMap<ServerName, Connection>;
}

/** Ad hoc servers without a name get the one they give themselves, made valid and unique. */
async function nameServers(servers: ServerSet, opening: OpenOptions): Promise<NamedServers> {
  const connections = new Map<ServerName, Connection>();
  const unnamed = [...servers.unnamed].map((name) => servers.specs.get(name)!);
  if (unnamed.length === 0) return { ...servers, connections };
  const opened = await Promise.allSettled(unnamed.map((spec) => openConnection(spec, opening)));
  const failed = opened.find((item) => item.status === "rejected");
  if (failed !== undefined) {
    await Promise.all(
      opened.map((item) => item.status === "fulfilled" ? item.value.close() : null),
    );
    throw failed.reason;
  }
  const specs = new Map([...servers.specs].filter(([name]) => !servers.unnamed.has(name)));
  const renamed = new Map<ServerName, ServerName>();
  for (const [index, item] of opened.entries()) {
    if (item.status !== "fulfilled") continue;
    const spec = unnamed[index]!;
    const wanted = slugServerName(item.value.identity.name, spec.name);
    const name = freeName(wanted, (taken) => specs.has(taken));
    specs.set(name, { ...spec, name });
    item.value.rename(name);
    connections.set(name, item.value);
    renamed.set(spec.name, name);
  }
  return { specs, connections, adHoc: servers.adHoc.map((name) => renamed.get(name) ?? name) };
}

const NOTHING_SHOWN: Activity = { say() {}, end() {} };
// What the engine says of a name that is nowhere; a program that says so itself gets the same hint.
const UNDEFINED = /^ReferenceError: '([A-Za-z_$][\w$]*)' is not defined$/;
// What it says of a value that is not of the shape that the program takes it to be.
const MISSHAPEN =
  /^TypeError: (?:not a function|not an object|value is not iterable|invalid 'in' operand|cannot (?:read|set) property|cannot convert to object)/;

interface RunParts {
  readonly activity: Activity;
  readonly bridge: McpBridge;
  readonly catalog: Catalog;
  readonly journal: Journal;
  readonly handles: HandleStore;
  readonly executor: CodeExecutor;
  readonly limits: RunLimits;
  readonly state: StateStorage;
  readonly specs: ReadonlyMap<ServerName, ServerSpec>;
  readonly policy: readonly PolicyLayer[];
  readonly loadSkill: (name: SkillName) => Promise<Skill>;
  readonly signal: AbortSignal;
}

async function runProgram(request: RunRequest, parts: RunParts): Promise<RunOutcome> {
  const { bridge, journal, executor, limits, signal } = parts;
  const only = request.servers === undefined ? undefined : new Set(request.servers);
  // The worker reads it meanwhile, unless there is nothing to find.
  const reading = /import|from/.test(request.source)
    ? executor.imports(request.source, request.path)
    : Promise.resolve([]);
  reading.catch(() => {});
  const run = journal.startRun({
    code: request.source,
    codeDigest: digestOf(request.source),
    servers: [...only ?? parts.specs.keys()],
    limits,
    command: request.command,
    ...(request.session !== undefined && { session: request.session }),
  });
  try {
    // A source that cannot be read fails as a program does: with a report.
    const imports = await reading.catch((error) => {
      if (error instanceof AppError && error.exitCode === ExitCode.guest) return [];
      throw error;
    });
    const skills = await mountImportedSkills(imports, parts);
    const imported = [...imports, ...skills.imports];
    if (importedServers(imported).length > 0) bridge.prepare();
    const servers = await listServers(request, parts, imported);
    const calls: CallTrace[] = [];
    const host = createHostFunctions({
      ...parts,
      run,
      // Without a session that lasts, state lives as long as the run.
      session: request.session ?? run as string as SessionId,
      only,
      listed: servers,
      workspace: request.workspace && await openWorkspace(request.workspace),
      results: createResults({
        handles: parts.handles,
        session: request.session,
        args: request.fromClient ? undefined : request.args,
      }),
      caller: request.session,
      notices: request.notices === true,
      depth: request.depth,
      onCall(trace) {
        calls.push(trace);
        request.onCall?.(trace);
        parts.activity.say(`Running ${request.path}: call ${calls.length}`);
      },
    });
    const { missing, ...ran } = await executor.execute(
      {
        source: request.source,
        path: request.path,
        files: skills.files,
        servers: functionsOf(servers),
        hostFolders: request.workspace ? [SERVERS_FOLDER, WORKSPACE_FOLDER] : [SERVERS_FOLDER],
        limits,
        ...(request.entry !== undefined && { entry: request.entry }),
        ...(request.args !== undefined && { args: request.args }),
      },
      host,
      { signal, ...(request.onLog && { onLog: request.onLog }) },
    );
    const [, unknown] = UNDEFINED.exec(ran.error?.message ?? "") ?? [];
    const hint = missing !== undefined
      ? host.explain(missing)
      : unknown !== undefined
      ? host.importOf(unknown)
      : MISSHAPEN.test(ran.error?.message ?? "")
      ? resultTypes(calls, parts)
      : undefined;
    const report = hint === undefined || ran.error === undefined
      ? ran
      : { ...ran, error: new AppError(ran.error.kind, ran.error.message, { ...ran.error, hint }) };
    // Calls that the end of the program withdrew belong to the run's account too.
    await host.settled();
    const preview = await previewOf(request, { report, handles: parts.handles });
    journal.finishRun(run, {
      outcome: report.error?.kind ?? "ok",
      fuel: report.fuel,
      memory: report.memory,
      ms: report.ms,
      ...(report.error !== undefined && { error: report.error.toJSON() }),
      ...resultOf(request, report),
      tokens: tokensOf(request, parts, { calls, servers, report, preview }),
    });
    return { ...report, run, calls, servers, ...(preview !== undefined && { preview }) };
  } catch (error) {
    const failure = toAppError(error);
    journal.finishRun(run, { outcome: failure.kind, ms: 0, error: failure.toJSON() });
    throw failure;
  }
}

/** What shows the types of results that the program was given; undefined where none is known. */
function resultTypes(
  calls: readonly CallTrace[],
  { specs, catalog }: RunParts,
): string | undefined {
  const made = Map.groupBy(calls.filter(({ ok }) => ok), ({ server }) => server);
  const typed = [...made].flatMap(([server, traces]) => {
    const spec = specs.get(server as ServerName);
    // A server that a flag gave has no name in another command.
    if (spec === undefined || spec.origin === "flag") return [];
    const called = new Set(traces.map(({ tool }) => tool));
    return (catalog.load(spec)?.info.tools ?? [])
      .filter(({ name, outputSchema }) => outputSchema !== undefined && called.has(name))
      .map(({ name }) => `${server} --tool ${name}`);
  });
  const [only] = typed;
  if (only === undefined) return undefined;
  return typed.every((one) => one === only) && /^[\w.-]+ --tool \w[\w./-]*$/.test(only)
    ? `mcp-exec introspect ${only} shows the type of its result`
    : "mcp-exec introspect SERVER --tool NAME shows the type of a tool's result";
}

async function previewOf(
  { preview: maxBytes, session }: RunRequest,
  { report, handles }: { readonly report: RunReport; readonly handles: HandleStore },
): Promise<Preview | undefined> {
  return maxBytes === undefined || !report.hasValue
    ? undefined
    : await makePreview(report.value, { maxBytes, handles, session });
}

function resultOf(request: RunRequest, { ok, value }: RunReport): Pick<RunEnd, "result"> {
  const result = ok ? recordResult(value, request) : undefined;
  return result === undefined ? {} : { result };
}

/** What passed by in a run that has ended. */
function tokensOf(
  { source }: RunRequest,
  { specs, catalog }: RunParts,
  { calls, servers, report, preview }: Pick<RunOutcome, "calls" | "servers"> & {
    readonly report: RunReport;
    readonly preview: Preview | undefined;
  },
): RunTokens {
  const { value, error } = report;
  // Definitions were of no use to a call that failed, nor to a failed program that only imported.
  const used = new Set<string>([
    ...calls.filter(({ ok }) => ok).map((call) => call.server),
    ...error === undefined ? servers.map((info) => info.name) : [],
  ]);
  const known = [...used].flatMap((name) => specs.get(name as ServerName) ?? []);
  const answer = error?.message ?? preview?.preview ??
    (typeof value === "string" ? value : JSON.stringify(value));
  return {
    tokenizer: TOKENIZER,
    definitions: known.reduce((sum, spec) => sum + (catalog.tokens(spec) ?? 0), 0),
    arguments: calls.reduce((sum, call) => sum + (call.sentTokens ?? 0), 0),
    results: calls.reduce((sum, call) => sum + (call.receivedTokens ?? 0), 0),
    program: countTokens(source),
    answer: countTokens(answer ?? ""),
  };
}

// What skills need is loaded only for programs that import one.
async function mountImportedSkills(
  imports: readonly string[],
  { loadSkill }: RunParts,
): Promise<MountedSkills> {
  if (!imports.some((specifier) => specifier.startsWith("/mcp-tools/skills/"))) {
    return { files: new Map(), imports: [] };
  }
  const { mountSkills } = await import("./skill_code.ts");
  return await mountSkills(imports, loadSkill);
}

/** What the servers say that a program imports, asked in parallel. */
async function listServers(
  request: RunRequest,
  { bridge, signal }: RunParts,
  imports: readonly string[],
): Promise<ServerInfo[]> {
  const options = {
    signal,
    ...(request.servers !== undefined && { only: new Set(request.servers) }),
  };
  const names = [...new Set(importedServers(imports))];
  return await Promise.all(names.map((name) => bridge.describe(name, options)));
}

/** The servers among import specifiers: `mcp:NAME` and `/mcp-tools/servers/NAME/...`. */
export function importedServers(specifiers: readonly string[]): ServerName[] {
  const names = specifiers.map((specifier) =>
    /^mcp:(.+)$/s.exec(specifier)?.[1] ?? /^\/mcp-tools\/servers\/([^/]+)\//.exec(specifier)?.[1]
  );
  return names.filter((name) =>
    name !== undefined && name !== "host" && isServerName(name)
  ) as ServerName[];
}
