// Turns results into what is printed: one JSON document, plain text, or text for a terminal.
// Everything from a server or a program is made safe to show here, and JSON is never coloured.

import type { CallTrace } from "./bridge.ts";
import type { Context, OutputFormat } from "./context.ts";
import { type AppError, changeTexts, errorText } from "./errors.ts";
import { formatBytes, formatCount, MAX_LOG_BYTES } from "./limits.ts";
import type { LogEntry } from "./sandbox.ts";
import type { ServerInfo, ToolDefinition } from "./server.ts";
import type { RunOutcome } from "./session.ts";
import { cleanLine, cleanText, isPlain, maskHome } from "./text.ts";

/** Ways to set off a piece of text; each gives its text unchanged where colour is off. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
}

/** Where a command prints its results. */
export interface Output {
  readonly format: OutputFormat;
  readonly style: Style;
  /** Columns a line may take: the terminal's, or without bound in a pipe. */
  readonly width: number;
  /** Prints lines of text and a line feed. */
  print(text: string): void;
  /** Prints a result as `text` and `pretty` do: a string as it is, anything else as JSON. */
  value(value: unknown): void;
  /** Prints the one JSON document of a command; further ones are dropped. */
  document(value: unknown): void;
  /** Text of ours for showing: the home folder is written as `~`. */
  mask(text: string): string;
}

/** The output of one command. `color` is what was asked for; JSON and pipes get none anyway. */
export function createOutput(
  context: Pick<Context, "writeOut" | "isTerminal" | "columns" | "paths">,
  options: { format: OutputFormat; color: boolean },
): Output {
  const isTerminal = context.isTerminal.out;
  const pretty = options.format === "pretty";
  let done = false;
  // A pipe gets a program's text as it is; a terminal would obey what is in it.
  const safe = (text: string) => isTerminal ? cleanText(text, Infinity) : text;
  return {
    format: options.format,
    style: createStyle(options.color && pretty && isTerminal),
    width: pretty ? Math.max(40, context.columns) : Infinity,
    print: (text) => void context.writeOut(`${text}\n`),
    value(value) {
      const text = typeof value === "string" ? safe(value) : toJson(value, pretty ? 2 : 0);
      context.writeOut(text.endsWith("\n") ? text : `${text}\n`);
    },
    document(value) {
      if (!done) context.writeOut(`${toJson(value)}\n`);
      done = true;
    },
    mask: (text) => maskHome(text, context.paths.home),
  };
}

/** Colours, or none of them. */
export function createStyle(color: boolean): Style {
  const code = (open: number, close: number) => (text: string) =>
    color ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return { bold: code(1, 22), dim: code(2, 22), red: code(31, 39) };
}

/** JSON text in which characters that a terminal obeys or hides are written as escapes. */
export function toJson(value: unknown, indent = 0): string {
  const text = JSON.stringify(value, null, indent) ?? "null";
  return isPlain(text) ? text : text.replace(
    /[\u007f-\u009f]|\p{Cf}|\p{Co}|\p{Zl}|\p{Zp}/gu,
    (char) => {
      const units = Array.from({ length: char.length }, (_, index) => char.charCodeAt(index));
      return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
    },
  );
}

/** An error as stderr shows it: one line, then indented detail and hint. */
export function errorLines(error: AppError, style: Style): string {
  return errorText(error).replace(/^error:/, style.red("error:"));
}

/** A tool together with the function that was generated for it. */
export interface ToolView {
  readonly tool: ToolDefinition;
  readonly functionName: string;
  readonly signature: string;
  readonly summary: string;
  /** The function's module, with the shared types that it uses. */
  readModule(): Promise<string>;
}

/** The tools of a server together with what is generated for them, sorted by name. */
export async function viewTools(info: ServerInfo): Promise<ToolView[]> {
  const { planServer } = await import("./plan.ts");
  const plan = planServer(info);
  return plan.tools.map((tool) => {
    const { definition, functionName, signature, summary } = tool;
    return {
      tool: definition,
      functionName,
      signature,
      summary,
      readModule: async () => (await import("./codegen.ts")).readableModule(tool, plan),
    };
  });
}

/** The document form of a server and its tools. */
export function serverDocument(info: ServerInfo, tools: readonly ToolView[]) {
  const { name, identity, protocolVersion, instructions, capabilities, warnings } = info;
  return {
    server: {
      name,
      identity,
      protocolVersion,
      ...(instructions !== undefined && { instructions }),
      capabilities,
      warnings,
    },
    tools: tools.map(({ tool, functionName, signature, summary }) => ({
      ...tool,
      function: functionName,
      signature,
      summary,
    })),
  };
}

/** A server as a heading, then a signature and a summary for each tool. */
export function serverText(
  info: ServerInfo,
  tools: readonly ToolView[],
  options: { detailed: boolean; output?: Pick<Output, "style" | "width"> },
): string {
  const { style, width } = options.output ?? { style: createStyle(false), width: Infinity };
  const { name, version } = info.identity;
  const lines = [
    `${style.bold(info.name)}: ${cleanLine(name, 80)} ${cleanLine(version, 40)}, MCP ${
      cleanLine(info.protocolVersion, 20)
    }, ${countOf(tools.length, "tool")}`,
  ];
  if (options.detailed) {
    const offered = Object.keys(info.capabilities).map((key) => cleanLine(key, 40));
    lines.push(`capabilities: ${offered.join(", ") || "none"}`);
    if (info.instructions !== undefined) {
      lines.push("instructions from the server:", ...quoted(info.instructions));
    }
  }
  for (const view of tools) {
    const { functionName, signature } = view;
    lines.push("", style.bold(functionName) + signature.slice(functionName.length));
    if (!options.detailed) {
      if (view.summary !== "") {
        lines.push(`  ${style.dim(cut(view.summary, width))}`);
      }
      continue;
    }
    if (view.functionName !== view.tool.name) lines.push(`  tool: ${cleanLine(view.tool.name)}`);
    const hints = Object.entries(view.tool.annotations ?? {}).map(([key, value]) =>
      cleanLine(`${key}=${JSON.stringify(value)}`, 120)
    );
    if (hints.length > 0) lines.push(`  annotations: ${hints.join(", ")}`);
    if (view.tool.description !== undefined) lines.push(...quoted(view.tool.description));
  }
  return lines.join("\n");
}

// A server's own text, set off so that no line of it passes for one of ours.
function quoted(text: string): string[] {
  return cleanText(text.trim()).split("\n").map((line) => `  | ${line}`.trimEnd());
}

function cut(text: string, width: number): string {
  return text.length + 2 > width ? `${text.slice(0, Math.max(0, width - 5))}...` : text;
}

/** The document form of a run; `mask` is that of the output. */
export function runDocument(outcome: RunOutcome, mask: Output["mask"]) {
  const { ok, run, error, calls, log, fuel, memory, ms, truncated, warnings } = outcome;
  return {
    ok,
    run,
    ...(ok && outcome.hasValue && (outcome.preview ?? { result: outcome.value })),
    ...(error !== undefined && { error: changeTexts(error, mask) }),
    calls: calls.map(({ error, ...call }) => ({
      ...call,
      ms: roundMs(call.ms),
      ...(error !== undefined && { error: { ...error, message: mask(error.message) } }),
    })),
    log,
    fuel,
    memory,
    ms: roundMs(ms),
    truncated,
    ...(warnings.length > 0 && { warnings: warnings.map(mask) }),
  };
}

// A clock's noise says nothing to a reader.
function roundMs(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** A run in one line: its name in the journal, and what it used. */
export function runLine({ run, ok, calls, ms, fuel, memory }: RunOutcome): string {
  return `run ${run}: ${ok ? "ok" : "failed"}, ${countOf(calls.length, "call")}, ${formatMs(ms)}, ${
    formatCount(fuel)
  } fuel, ${formatBytes(memory)}`;
}

/** What a program wrote to its log, each line marked so that none passes for one of ours. */
export function logLines({ level, text }: LogEntry): string[] {
  return cleanText(text, MAX_LOG_BYTES).split("\n").map((line) => `[${level}] ${line}`);
}

/** One line for each call of a run, at most `max` and a count of the rest. */
export function callLines(calls: readonly CallTrace[], max = 20): string[] {
  const lines = calls.slice(0, max).map((call) =>
    `${call.server}/${call.tool} ${call.ok ? "ok" : `failed (${call.error?.kind ?? "failure"})`}, ${
      formatMs(call.ms)
    }${call.source === undefined ? "" : `, ${SOURCES[call.source]}`}, ${
      formatBytes(call.sentBytes)
    } sent, ${formatBytes(call.receivedBytes)} received`
  );
  if (calls.length > max) lines.push(`and ${calls.length - max} more`);
  return lines;
}

const SOURCES = { cache: "from the cache", shared: "shared with another call" } as const;

/** `ms` as `12 ms` or `3.4 s`. */
export function formatMs(ms: number): string {
  return ms < 1000
    ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
    : `${(ms / 1000).toFixed(1)} s`;
}

/** How long ago something was, in the largest unit that leaves at least 1. */
export function formatAge(ms: number): string {
  const units = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"]] as const;
  const unit = units.find(([size]) => ms >= size);
  return unit === undefined ? "moments ago" : `${countOf(Math.floor(ms / unit[0]), unit[1])} ago`;
}

/** `1 call`, `2 calls`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
