// `debug`: what the program is, uses and remembers on this machine, and what is wrong with it.
// Starts no server; every row is read or measured when it is asked for.

import { buildCommand } from "@stricli/core";
import { createCatalog } from "../catalog.ts";
import { EMPTY_CONFIG } from "../config.ts";
import { dataFile } from "../context.ts";
import type { DaemonStatus } from "../daemon_place.ts";
import { type Database, SCHEMA_VERSION, withDatabase } from "../database.ts";
import type { Finding } from "../doctor.ts";
import { AppError, toAppError } from "../errors.ts";
import { tableLines } from "../figure_views.ts";
import { lastCalls, tableCounts } from "../figures.ts";
import {
  argument,
  type CommandGroup,
  type Invocation,
  openServers,
  POLICY_FLAGS,
  type PolicyFlagValues,
  textFlag,
} from "../flags.ts";
import {
  DEFAULT_RUN_LIMITS,
  formatBytes,
  formatCount,
  formatDuration,
  MAX_CACHE_BYTES,
  MAX_CACHE_ENTRIES,
} from "../limits.ts";
import type { ServerName } from "../names.ts";
import { countOf, formatAge } from "../render.ts";
import { requireServers } from "../policy_layers.ts";
import { outcomeText } from "../run_views.ts";
import { findServer, readIndex } from "../servers.ts";
import { viewServers } from "../server_views.ts";
import { listStateSessions } from "../state.ts";
import { cleanLine, maskHome } from "../text.ts";
import { VERSION } from "../version.ts";

const info = topic("Show version, platform, files, the database and sessions", {
  about: `Shows what the program is and what it keeps on this machine.`,
  examples: ["debug info", "debug info --format json"],
  show: overDatabase(showInfo),
});

const connections = topic("Show each server: how it is reached, what it spoke, its last call", {
  about: `Shows what is known of every server from earlier connections; connects to none. Where a
daemon runs, the connections that it holds open come last.`,
  examples: ["debug connections"],
  show: overDatabase(showConnections),
});

const cache = topic("Show which results are kept, and the handles in the data folder", {
  about:
    `Shows which tools' results may be kept, and for how long. Results are kept in the memory of
one process and end with it; handles of large results are in the data folder until they expire.
"stats cache" shows what the cache answered.`,
  examples: ["debug cache"],
  show: overDatabase(showCache),
});

const runtime = topic("Show the bounds of a run and the sandbox, tried with a small program", {
  about:
    `Runs a program of one line in the sandbox, and shows what it cost beside what is allowed.`,
  examples: ["debug runtime"],
  show: showRuntime,
});

const doctor = topic("Say what is wrong, and the command that mends it", {
  about: `Looks at the configuration, the servers, the database and the sandbox. Exits with 1 when
something is wrong.`,
  examples: ["debug doctor", "debug doctor --format json"],
  show: showDoctor,
});

/** A command without flags or arguments. */
function topic(
  brief: string,
  { about, examples, show }: {
    readonly about: string;
    readonly examples: readonly string[];
    readonly show: (invocation: Invocation) => Promise<void>;
  },
) {
  const lines = examples.map((example) => `  mcp-exec ${example}`).join("\n");
  return buildCommand<Record<never, never>, [], Invocation>({
    docs: { brief, fullDescription: `${about}\n\nEXAMPLES\n${lines}` },
    parameters: {},
    async func() {
      await show(this);
    },
  });
}

function overDatabase(show: (invocation: Invocation, database: Database) => Promise<void>) {
  return async (invocation: Invocation) => {
    const { context, log } = invocation;
    await withDatabase(context, {
      warn: (message) => log.warn(message),
      work: (database) => show(invocation, database),
    });
  };
}

interface PolicyFlags extends PolicyFlagValues {
  readonly args?: string | undefined;
}

const policy = buildCommand<PolicyFlags, string[], Invocation>({
  docs: {
    brief: "Say whether a call is allowed, and which rule of which layer says so",
    customUsage: ["<server> [tool] [key=text]... [key:=json]... [--args JSON] [--allow] [--deny]"],
    fullDescription: `Judges a call as it would be judged, and shows the rule that decides and the
layers it goes through: the machine's, yours, the project's, then --allow and --deny. Without a tool,
every tool of the server is judged. Connects to nothing: annotations are those of the saved index.

EXAMPLES
  mcp-exec debug policy demo
  mcp-exec debug policy demo update_issue number:=7 --deny 'demo/update_*'`,
  },
  parameters: {
    flags: { args: textFlag("All parameters as one JSON object", "JSON"), ...POLICY_FLAGS },
    positional: {
      kind: "array",
      parameter: argument("Server, tool, parameters", "tool"),
    },
  },
  async func({ args, ...flags }, name, tool, ...words) {
    if (name === undefined) {
      throw new AppError("usage", "No server is named", {
        hint: "mcp-exec debug policy SERVER judges its tools",
      });
    }
    const servers = await openServers(this, flags, [name]);
    const spec = findServer(servers, name);
    requireServers(servers.policy, [...servers.specs.keys(), ...servers.unusable.keys()]);
    const saved = await readIndex(this.context, { spec, warn: (text) => this.log.warn(text) });
    const tools = saved?.info.tools ?? [];
    const views = await import("../policy_views.ts");
    const { output } = this;
    const layers = servers.policy;
    if (tool === undefined) {
      if (output.format === "json") {
        return output.document({
          ok: true,
          server: spec.name,
          tools: tools.map((tool) => ({
            tool: tool.name,
            ...views.explanationDocument(
              views.explainCall({ spec, name: tool.name, params: {}, tool }, layers),
            ),
          })),
          layers: views.layerDocuments(layers),
        });
      }
      const hint = `  no tool of it is known yet: mcp-exec introspect ${spec.name}`;
      return output.print([
        `${output.style.bold(spec.name)}: ${countOf(tools.length, "tool")}`,
        ...(tools.length === 0 ? [hint] : views.toolTable(spec, tools, layers)),
        ...views.layerLines(layers),
      ].join("\n"));
    }
    const { readParams, valuesOf } = await import("../call_params.ts");
    const known = tools.find((item) => item.name === tool);
    const params = valuesOf(
      await readParams(words, { json: args, from: this.context.cwd }),
      known?.inputSchema,
    );
    const asked = { spec, name: tool, params, tool: known };
    if (output.format === "json") {
      return output.document({
        ok: true,
        server: spec.name,
        tool,
        ...views.explanationDocument(views.explainCall(asked, layers)),
        layers: views.layerDocuments(layers),
      });
    }
    output.print(views.callLinesOf(asked, { layers, style: output.style }).join("\n"));
  },
});

/** The commands `debug ...`. */
export const command: CommandGroup = {
  description: `Shows what the program uses on this machine; starts no server.

EXAMPLES
  mcp-exec debug doctor
  mcp-exec debug policy demo update_issue`,
  commands: { info, connections, cache, runtime, policy, doctor },
  aliases: { "cache-stats": "cache", "runtime-metrics": "runtime" },
};

const VARIABLES = /^(?:MCP_EXEC_[A-Z_]+|XDG_(?:CONFIG|DATA)_HOME|NO_COLOR|CI)$/;

async function showInfo(invocation: Invocation, database: Database): Promise<void> {
  const { context, output } = invocation;
  const { config } = await openServers(invocation, {});
  const file = database.path;
  const sessions = listStateSessions(database);
  const mask = (path: string) => maskHome(path, context.paths.home);
  const info = {
    version: VERSION,
    runtime: {
      deno: Deno.version.deno,
      v8: Deno.version.v8,
      typescript: Deno.version.typescript,
      platform: `${Deno.build.os} ${Deno.build.arch}`,
      standalone: Deno.build.standalone,
    },
    config: { folder: mask(context.paths.config), file: config.file ?? null },
    // Values may be secrets, names are not.
    variables: Object.keys(context.env.toObject()).filter((name) => VARIABLES.test(name)).sort(),
    database: {
      file: file === undefined ? null : mask(file),
      bytes: file === undefined ? 0 : (await Deno.stat(file)).size,
      schema: SCHEMA_VERSION,
      rows: tableCounts(database),
    },
    sessions: sessions.map(({ usedAt, ...session }) => ({
      ...session,
      used: new Date(usedAt).toISOString(),
    })),
  };
  if (output.format === "json") return output.document({ ok: true, ...info });
  const rows = Object.entries(info.database.rows);
  output.print(
    tableLines([
      ["version", info.version],
      ["runtime", `Deno ${info.runtime.deno}, V8 ${info.runtime.v8}, ${info.runtime.platform}`],
      ["config", info.config.file ?? `none in ${info.config.folder}`],
      ["variables", info.variables.join(", ") || "none that matter"],
      [
        "database",
        info.database.file === null
          ? "in memory: nothing is kept"
          : `${info.database.file}, ${formatBytes(info.database.bytes)}, schema ${SCHEMA_VERSION}`,
      ],
      ["", rows.map(([name, count]) => `${name}: ${count}`).join(", ")],
      ...sessions.map((session, at) => [
        at === 0 ? "sessions" : "",
        `${session.session}: ${countOf(session.keys, "key")}, ${formatBytes(session.bytes)}, used ${
          formatAge(context.now() - session.usedAt)
        }`,
      ]),
    ], "ll").join("\n"),
  );
}

async function showConnections(invocation: Invocation, database: Database): Promise<void> {
  const { context, output } = invocation;
  const servers = await openServers(invocation, {});
  const catalog = createCatalog(database, { now: context.now });
  const calls = lastCalls(database);
  const views = viewServers(servers, context.env).map((view) => {
    // Another entry has the name of one that is not in use.
    const isUsed = ["ready", "unset", "trusted", "untrusted"].includes(view.state);
    const spec = isUsed ? servers.specs.get(view.name as ServerName) : undefined;
    const saved = spec && catalog.load(spec);
    const call = isUsed ? calls.get(view.name) : undefined;
    return {
      server: view.name,
      transport: spec?.transport ?? null,
      state: view.state,
      protocol: saved?.info.protocolVersion ?? null,
      tools: saved?.info.tools.length ?? null,
      listed: saved === undefined ? null : new Date(saved.savedAt).toISOString(),
      lastCall: call === undefined ? null : {
        started: new Date(call.startedMs).toISOString(),
        tool: call.tool,
        outcome: call.outcome,
      },
      savedAt: saved?.savedAt,
      calledAt: call?.startedMs,
    };
  });
  const daemon = await heldByDaemon(invocation);
  if (output.format === "json") {
    return output.document({
      ok: true,
      servers: views.map(({ savedAt: _, calledAt: _calledAt, ...view }) => view),
      daemon: daemon ?? null,
    });
  }
  const age = (time: number | undefined) =>
    time === undefined ? "-" : formatAge(context.now() - time);
  output.print([
    ...tableLines(
      [
        ["server", "transport", "state", "protocol", "tools", "listed", "last call"],
        ...views.map((view) => [
          view.server,
          view.transport ?? "-",
          view.state,
          cleanLine(view.protocol ?? "-", 20),
          view.tools ?? "-",
          age(view.savedAt),
          view.lastCall === null
            ? "-"
            : `${age(view.calledAt)}: ${cleanLine(view.lastCall.tool, 60)} ${
              endOfCall(view.lastCall.outcome)
            }`,
        ]),
      ],
      "llllr",
      { width: output.width },
    ),
    ...(daemon === undefined ? [] : daemonLines(daemon, output)),
  ].join("\n"));
}

// A kind of error alone, such as "server", would read as part of the tool's name.
function endOfCall(outcome: string): string {
  return outcome === "ok" ? outcome : `failed (${outcomeText(outcome)})`;
}

/** What a daemon tells of the connections it holds. */
interface HeldConnections extends Pick<DaemonStatus, "servers"> {
  readonly pid: number;
  readonly version: string;
}

/** Those of the daemon that runs; undefined where none answers. */
async function heldByDaemon(
  { context, log }: Invocation,
): Promise<HeldConnections | undefined> {
  const [{ askDaemon }, { daemonPlace }] = await Promise.all([
    import("../daemon_client.ts"),
    import("../daemon_place.ts"),
  ]);
  try {
    const place = daemonPlace(context);
    const found = place && await askDaemon(context, place, "status");
    if (found === undefined) return undefined;
    found.link.close();
    const { pid, version, status } = found.welcome;
    return { pid, version, servers: status?.servers ?? [] };
  } catch (error) {
    log.warn(`No daemon is asked: ${toAppError(error).message}`);
    return undefined;
  }
}

function daemonLines(
  { pid, servers }: HeldConnections,
  { style }: Pick<Invocation["output"], "style">,
): string[] {
  const held = servers.length === 0 ? "holds no connection" : "holds:";
  return [
    style.bold(`daemon, process ${pid}, ${held}`),
    ...tableLines(
      servers.map(({ server, connections, idle }) => [
        `  ${cleanLine(server, 64)}`,
        `${countOf(connections, "connection")}, ${idle} idle`,
      ]),
      "ll",
    ),
  ];
}

const SHOWN_HANDLES = 20;

async function showCache(invocation: Invocation, database: Database): Promise<void> {
  const { context, output } = invocation;
  const { config } = await openServers(invocation, {});
  const { isOn, rules, maxEntries = MAX_CACHE_ENTRIES, maxBytes = MAX_CACHE_BYTES } = config.cache;
  const tools = rules.map(({ server, tool, ttlMs }) => ({
    tool: `${server.join("*")}/${tool.join("*")}`,
    ttlMs,
  }));
  const handles = database.all<{ id: string; type: string; bytes: number; expires: number }>(
    "select id, type, bytes, expires from handles where expires > ? order by kept desc, id",
    context.now(),
  );
  const bytes = handles.reduce((sum, handle) => sum + handle.bytes, 0);
  if (output.format === "json") {
    return output.document({
      ok: true,
      results: { on: isOn, maxEntries, maxBytes, tools },
      handles: {
        count: handles.length,
        bytes,
        list: handles.slice(0, SHOWN_HANDLES).map(({ expires, ...handle }) => ({
          ...handle,
          expires: new Date(expires).toISOString(),
        })),
      },
    });
  }
  const named = tools.map(({ tool, ttlMs }) => `${cleanLine(tool, 60)} ${formatDuration(ttlMs)}`);
  output.print([
    ...tableLines([
      [
        "results",
        isOn
          ? `at most ${formatCount(maxEntries)} and ${formatBytes(maxBytes)} in one process`
          : "none are kept: the configuration says so",
      ],
      ["tools", isOn ? named.join(", ") || "those whose server says how long" : "none"],
      ["handles", `${countOf(handles.length, "handle")}, ${formatBytes(bytes)}`],
    ], "ll"),
    ...tableLines(
      handles.slice(0, SHOWN_HANDLES).map(({ id, type, bytes, expires }) => [
        `  ${id}`,
        cleanLine(type, 40),
        formatBytes(bytes),
        `expires in ${countOf(Math.ceil((expires - context.now()) / 3_600_000), "hour")}`,
      ]),
      "llrl",
    ),
  ].join("\n"));
}

async function showRuntime(invocation: Invocation): Promise<void> {
  const { context, output } = invocation;
  const { config } = await openServers(invocation, {});
  const { tryProgram } = await import("../doctor.ts");
  const report = await tryProgram(context);
  const limits = { ...DEFAULT_RUN_LIMITS, ...config.limits };
  const path = dataFile(context.paths, "engine.wasm");
  const engine = path === undefined ? undefined : await Deno.stat(path).catch(() => undefined);
  if (output.format === "json") {
    return output.document({
      ok: true,
      limits,
      program: { ms: Math.round(report.ms * 100) / 100, fuel: report.fuel, memory: report.memory },
      engine: { prepared: engine !== undefined, bytes: engine?.size ?? 0 },
    });
  }
  output.print(
    tableLines([
      [
        "limits",
        `${formatDuration(limits.wallMs)}, ${limits.fuel} fuel, ${formatBytes(limits.memory)}, ${
          countOf(limits.calls, "call")
        }`,
      ],
      [
        "program",
        `return 6 * 7: ${Math.round(report.ms)} ms, ${Math.round(report.fuel)} fuel, ${
          formatBytes(report.memory)
        }`,
      ],
      [
        "engine",
        engine === undefined
          ? "prepared at each start: there is no copy in the data folder"
          : `prepared copy of ${formatBytes(engine.size)} in the data folder`,
      ],
    ], "ll").join("\n"),
  );
}

async function showDoctor(invocation: Invocation): Promise<void> {
  const { context, output, log } = invocation;
  const { examine } = await import("../doctor.ts");
  const warnings: string[] = [];
  const listening = { ...invocation, log: { ...log, warn: (text: string) => warnings.push(text) } };
  const servers = await openServers(listening, {}).catch((error) => {
    const { message, at } = toAppError(error);
    warnings.push(
      at === undefined ? message : `${message} at line ${at.line}, column ${at.column}`,
    );
    return { specs: new Map(), unusable: new Map(), config: EMPTY_CONFIG };
  });
  const { rulesIgnoredBy } = await import("../server_lint.ts");
  rulesIgnoredBy(servers.config, (message) => warnings.push(message));
  const findings = await examine(context, { servers, warnings });
  const problems = findings.filter(({ state }) => state === "problem");
  if (output.format === "json") output.document({ ok: problems.length === 0, findings });
  else output.print(findings.flatMap((finding) => findingLines(finding, output)).join("\n"));
  if (problems.length > 0) {
    throw new AppError("failure", `Found ${countOf(problems.length, "problem")}`);
  }
}

function findingLines(
  { area, state, text, hint }: Finding,
  { style }: Pick<Invocation["output"], "style">,
): string[] {
  const mark = state === "problem" ? style.red(state) : state;
  return [
    `${mark}${" ".repeat(9 - state.length)}${area}: ${text}`,
    ...(hint === undefined ? [] : [`         ${style.dim(`hint: ${hint}`)}`]),
  ];
}
