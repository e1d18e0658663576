// Looks for what keeps the program from working and says which command mends it. Starts no server
// and changes nothing: it reads, asks the database whether it is sound, and runs one program.

import { createCatalog } from "./catalog.ts";
import { type Context, pathFrom } from "./context.ts";
import { type Database, withDatabase } from "./database.ts";
import { toAppError } from "./errors.ts";
import { startExecutor } from "./executor.ts";
import { expandSpec } from "./expand.ts";
import { DEFAULT_RUN_LIMITS, formatBytes } from "./limits.ts";
import { DEMO_SERVER } from "./names.ts";
import type { RunReport } from "./sandbox.ts";
import type { ServerSpec } from "./server.ts";
import type { ServerSet } from "./servers.ts";
import { cleanLine, maskHome, quoteText } from "./text.ts";

/** One thing that was looked at. */
export interface Finding {
  readonly area: "configuration" | "servers" | "database" | "sandbox";
  /** `notice`: it works, and something could be better. */
  readonly state: "ok" | "notice" | "problem";
  /** One line, safe to show. */
  readonly text: string;
  /** The command or change that mends it. */
  readonly hint?: string;
}

/** What is known before the doctor looks around. */
export interface Patient {
  readonly servers: Pick<ServerSet, "specs" | "unusable" | "config">;
  /** Warnings of reading the configuration and the files of clients. */
  readonly warnings: readonly string[];
}

/** Everything that was looked at, one area after the other. */
export async function examine(context: Context, patient: Patient): Promise<Finding[]> {
  const databaseWarnings: string[] = [];
  return await withDatabase(context, {
    warn: (text) => databaseWarnings.push(text),
    work: async (database) => [
      ...examineConfiguration(context, patient),
      ...await examineServers(context, { ...patient, database }),
      examineDatabase(context, database, databaseWarnings),
      await examineSandbox(context),
    ],
  });
}

function examineConfiguration(
  { paths }: Context,
  { servers, warnings }: Patient,
): Finding[] {
  const area = "configuration";
  const file = servers.config.file;
  const found: Finding[] = warnings.map((text) => ({
    area,
    state: "problem",
    text: maskHome(cleanLine(text), paths.home),
    hint: "mend the file: what is wrong in it is left out, or all of it where it cannot be read",
  }));
  const text = file === undefined
    ? "there is no configuration of your own, and none is needed"
    : `${cleanLine(file)} is used`;
  if (file === undefined && found.length > 0) return found;
  return [{ area, state: "ok", text }, ...found];
}

async function examineServers(
  context: Context,
  { servers, warnings, database }: Patient & { readonly database: Database },
): Promise<Finding[]> {
  const area = "servers";
  const findings: Finding[] = [];
  const catalog = createCatalog(database, { now: context.now });
  const specs = [...servers.specs.values()].filter(({ name }) => name !== DEMO_SERVER);
  for (const spec of specs) {
    const problem = await examineServer(context, spec);
    const add = (finding: Omit<Finding, "area">) => findings.push({ area, ...finding });
    if (problem !== undefined) add(problem);
    else if (catalog.tokens(spec) === undefined) {
      add({
        state: "notice",
        text: `"${spec.name}" was never asked for its tools: search and completions lack them`,
        hint: `mcp-exec introspect ${spec.name}`,
      });
    } else add({ state: "ok", text: `"${spec.name}" can be started and its tools are known` });
  }
  for (const [name, error] of servers.unusable) {
    // The faults of files are told with the configuration.
    if (servers.config.unusable.has(name) || servers.config.disabled.has(name)) continue;
    if (warnings.includes(error.message)) continue;
    findings.push({
      area,
      state: "problem",
      text: `${quoteText(name)} cannot be used: ${cleanLine(error.message)}`,
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
  if (findings.length > 0) return findings;
  return [{
    area,
    state: "notice",
    text: "no server is configured beside the built-in one",
    hint: "mcp-exec server add NAME URL, or mcp-exec server add NAME -- COMMAND",
  }];
}

/** What keeps a server from being started, as far as that shows without starting it. */
async function examineServer(
  { env }: Context,
  spec: ServerSpec,
): Promise<Omit<Finding, "area"> | undefined> {
  const { name } = spec;
  if (spec.untrusted === true) {
    return {
      state: "notice",
      text: `"${name}" comes from ${quoteText(spec.file ?? "the project")} and is not trusted`,
      hint: `mcp-exec server trust ${name}`,
    };
  }
  let expanded: ServerSpec;
  try {
    expanded = expandSpec(spec, env);
  } catch (error) {
    const { message, hint } = toAppError(error);
    return { state: "problem", text: message, ...(hint !== undefined && { hint }) };
  }
  if (expanded.transport !== "stdio") return undefined;
  const { command, cwd = "." } = expanded;
  const isPath = /[/\\]/.test(command);
  // Where a variable of its own says where programs are, only a start can tell.
  if (!isPath && Object.keys(expanded.env).some((key) => /^path$/i.test(key))) return undefined;
  const folders = (env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  const places = isPath
    ? [pathFrom(cwd, command)]
    : folders.filter((folder) => folder !== "").map((folder) => `${folder}/${command}`);
  if (await isProgram(places)) return undefined;
  return {
    state: "problem",
    text: `Command ${quoteText(command)} of server "${name}" is not found`,
    hint: isPath
      ? "correct the path in the server's entry"
      : `install it, or write its whole path into the server's entry`,
  };
}

const ENDINGS = ["", ".exe", ".cmd", ".bat"];

async function isProgram(places: readonly string[]): Promise<boolean> {
  for (const place of places) {
    for (const ending of Deno.build.os === "windows" ? ENDINGS : [""]) {
      const info = await Deno.stat(place + ending).catch(() => undefined);
      if (info?.isFile && (info.mode === null || (info.mode & 0o111) !== 0)) return true;
    }
  }
  return false;
}

function examineDatabase(
  { paths }: Context,
  database: Database,
  warnings: readonly string[],
): Finding {
  const area = "database";
  try {
    const rows = database.all<{ quick_check: string }>("pragma quick_check(1)");
    const file = database.path;
    const isSound = rows[0]?.quick_check === "ok";
    if (file !== undefined && isSound && warnings.length > 0) {
      return { area, state: "notice", text: warnings[0]! };
    }
    if (file === undefined || !isSound) {
      return {
        area,
        state: "problem",
        text: warnings[0] ?? "there is no place for it: nothing is kept from run to run",
        hint: "make the folder writable, or set MCP_EXEC_DATA_DIR to one that is",
      };
    }
    const { size } = Deno.statSync(file);
    return {
      area,
      state: "ok",
      text: `${maskHome(file, paths.home)} is sound, ${formatBytes(size)}`,
    };
  } catch (error) {
    const text = toAppError(error).message;
    return { area, state: "problem", text, hint: "move the file aside: a new one is begun" };
  }
}

/** What a small program costs in the sandbox; throws why it cannot run. */
export async function tryProgram(context: Context): Promise<RunReport> {
  const executor = startExecutor(context);
  try {
    const report = await executor.execute(
      {
        source: "return 6 * 7",
        path: "doctor.ts",
        files: new Map(),
        limits: DEFAULT_RUN_LIMITS,
      },
      { call: () => Promise.resolve("") },
      { signal: context.signal },
    );
    if (report.error !== undefined) throw report.error;
    return report;
  } finally {
    await executor.close();
  }
}

async function examineSandbox(context: Context): Promise<Finding> {
  const area = "sandbox";
  try {
    const { ms, fuel, memory } = await tryProgram(context);
    const used = `${Math.round(ms)} ms, ${Math.round(fuel)} fuel, ${formatBytes(memory)}`;
    return { area, state: "ok", text: `it ran a program: ${used}` };
  } catch (error) {
    const { message, hint } = toAppError(error);
    return {
      area,
      state: "problem",
      text: message,
      hint: hint ?? "install the program anew: a part of it is missing or was changed",
    };
  }
}
