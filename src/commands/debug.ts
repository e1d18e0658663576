// `debug`: what the program is, uses and remembers on this machine, and what is wrong with it.
// Starts no server; every row is read or measured when it is asked for.

import { buildCommand } from "@stricli/core";
import { createCatalog } from "../catalog.ts";
import { EMPTY_CONFIG } from "../config.ts";
import { dataFile } from "../context.ts";
import { type Database, openDatabase, SCHEMA_VERSION } from "../database.ts";
import type { Finding } from "../doctor.ts";
import { AppError, toAppError } from "../errors.ts";
import { tableLines } from "../figure_views.ts";
import { lastCalls, tableCounts } from "../figures.ts";
import { argument, type Invocation, openServers } from "../flags.ts";
import { DEFAULT_RUN_LIMITS, formatBytes, formatDuration } from "../limits.ts";
import type { ServerName } from "../names.ts";
import { countOf, formatAge } from "../render.ts";
import { viewServers } from "../server_views.ts";
import { listStateSessions } from "../state.ts";
import { cleanLine, maskHome, quoteText } from "../text.ts";
import { VERSION } from "../version.ts";

const TOPICS = ["info", "connections", "runtime", "doctor"] as const;
type Topic = (typeof TOPICS)[number];

/** The command `debug`. */
export const command = buildCommand<Record<never, never>, [topic: Topic], Invocation>({
  docs: {
    brief: "Show what the program uses, and what is wrong with it",
    customUsage: [`<${TOPICS.join("|")}>`],
    fullDescription: `Shows what the program uses on this machine; starts no server.

  info         version, platform, files, the database and what is kept in it, sessions
  connections  each server: how it is reached, what it spoke last, its last call
  runtime      the bounds of a run and the sandbox, tried with a small program
  doctor       what is wrong, and the command that mends it; exit 1 when something is

EXAMPLES
  mcp-exec debug doctor
  mcp-exec debug info --format json`,
  },
  parameters: {
    positional: {
      kind: "tuple",
      parameters: [{ ...argument("What to show", TOPICS.join("|")), parse: parseTopic }],
    },
  },
  async func(_flags, topic) {
    switch (topic) {
      case "info":
        return await withDatabase(this, (database) => showInfo(this, database));
      case "connections":
        return await withDatabase(this, (database) => showConnections(this, database));
      case "runtime":
        return await showRuntime(this);
      case "doctor":
        return await showDoctor(this);
    }
  },
});

function parseTopic(text: string): Topic {
  const topic = TOPICS.find((item) => item === text || `${item}-metrics` === text);
  if (topic !== undefined) return topic;
  throw new AppError("usage", `There is nothing to show of ${quoteText(text)}`, {
    hint: `debug is followed by ${TOPICS.join(", ")}`,
  });
}

async function withDatabase<Result>(
  { context, log }: Invocation,
  work: (database: Database) => Result | Promise<Result>,
): Promise<Result> {
  const database = openDatabase(dataFile(context.paths, "mcp-exec.db"), {
    warn: (message) => log.warn(message),
  });
  try {
    return await work(database);
  } finally {
    database.close();
  }
}

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
  const views = viewServers(servers).map((view) => {
    // Another entry has the name of one that is not in use.
    const isUsed = ["ready", "trusted", "untrusted"].includes(view.state);
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
  if (output.format === "json") {
    return output.document({
      ok: true,
      servers: views.map(({ savedAt: _, calledAt: _calledAt, ...view }) => view),
    });
  }
  const age = (time: number | undefined) =>
    time === undefined ? "-" : formatAge(context.now() - time);
  output.print(
    tableLines([
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
          : `${age(view.calledAt)}: ${cleanLine(view.lastCall.tool, 60)} ${view.lastCall.outcome}`,
      ]),
    ], "llllr").join("\n"),
  );
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
