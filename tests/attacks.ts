// The attack programs of `escapes/`, and what each must come to. Each file is one attack as a guest
// would write it; its first lines are the title, `expect:` with alternatives, and what else differs
// from the usual: `each` (METHOD stands for each of these), `fuel`, `memory`, `wall`, `files`,
// `calls`, `cancel`, `truncated`, `warns`.

import { AppError } from "../src/errors.ts";
import { DEFAULT_RUN_LIMITS, parseSize, type RunLimits, toMemoryLimit } from "../src/limits.ts";
import type { CodeExecutor, RunReport } from "../src/sandbox.ts";

/** One attack. */
export interface Attack {
  readonly title: string;
  readonly source: string;
  readonly expected: readonly string[];
  readonly limits: RunLimits;
  readonly files: ReadonlyMap<string, string>;
  /** Calls that must have been made. */
  readonly calls: number | undefined;
  readonly cancelMs: number | undefined;
  /** What must have been cut. */
  readonly truncated: string | undefined;
  /** What must have been warned of; `nothing` when nothing may. */
  readonly warns: string | undefined;
}

const FOLDER = new URL("./escapes/", import.meta.url);
const KEYS = "expect each fuel memory wall files calls cancel truncated warns".split(" ");
// About a tenth of a second: enough for every attack to get going.
const FUEL = "1e7";

/** All attacks by title, and the number of their files. */
export async function readAttacks(): Promise<{ attacks: Attack[]; files: number }> {
  const attacks: Attack[] = [];
  let files = 0;
  for await (const entry of Deno.readDir(FOLDER)) {
    files++;
    attacks.push(...parseAttack(await Deno.readTextFile(new URL(entry.name, FOLDER))));
  }
  return { attacks: attacks.sort((a, b) => a.title < b.title ? -1 : 1), files };
}

function parseAttack(text: string): Attack[] {
  const title = /^\/\/ (.+)$/m.exec(text)![1]!;
  const rest = new Map(
    Array.from(text.matchAll(/^\/\/ ([a-z]+): (.+)$/gm), (match) => [match[1]!, match[2]!]),
  );
  // Else what is misspelt is not looked at.
  const unknown = [...rest.keys()].filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) throw new Error(`Attack "${title}" has "${unknown.join(", ")}:"`);
  const number = (name: string) => rest.has(name) ? Number(rest.get(name)) : undefined;
  return (rest.get("each")?.split(" ") ?? [""]).map((method) => ({
    title: title.replaceAll("METHOD", () => method),
    source: text.replaceAll("METHOD", () => method),
    expected: rest.get("expect")!.split(" | "),
    limits: {
      ...DEFAULT_RUN_LIMITS,
      fuel: Number(rest.get("fuel") ?? FUEL),
      memory: toMemoryLimit(parseSize(rest.get("memory") ?? "64MiB")),
      wallMs: number("wall") ?? DEFAULT_RUN_LIMITS.wallMs,
    },
    files: new Map(Object.entries(JSON.parse(rest.get("files") ?? "{}"))),
    calls: number("calls"),
    cancelMs: number("cancel"),
    truncated: rest.get("truncated"),
    warns: rest.get("warns"),
  }));
}

/** Whether a report is one of what the attack must come to. */
export function isExpected(report: RunReport, { expected }: Attack): boolean {
  return expected.some((wanted) => matches(report, wanted));
}

function matches(report: RunReport, expected: string): boolean {
  const [kind, ...words] = expected.split(" ");
  const rest = words.join(" ");
  const text = report.error === undefined ? "" : report.error.message;
  switch (kind) {
    case "ok":
      return report.ok && (rest === "" || JSON.stringify(report.value) === rest);
    case "ok-length":
      return report.ok && (report.value as string).length === Number(rest);
    case "none":
      return report.ok && !report.hasValue && report.warnings.join("\n").includes(rest);
    case "limit":
      return report.error?.kind === "limit" && report.error.limit?.name === rest;
    case "interrupted":
      return report.error?.kind === "interrupted";
    default:
      return kind === "guest" && report.error?.kind === "guest" && text.includes(rest);
  }
}

/** Runs one attack; `calls` are the calls it made. */
export async function runAttack(
  executor: CodeExecutor,
  { source, files, limits, cancelMs }: Attack,
): Promise<{ report: RunReport; calls: number }> {
  let calls = 0;
  const host = {
    call(_name: string, argsJson: string): Promise<string> {
      calls++;
      const [, tool, params] = JSON.parse(argsJson);
      if (tool === "fail") {
        return Promise.reject(new AppError("server", "No", { detail: ["secret-canary"] }));
      }
      return Promise.resolve(JSON.stringify(tool === "big" ? "x".repeat(3e6) : { tool, params }));
    },
  };
  const controller = new AbortController();
  const timer = cancelMs === undefined ? undefined : setTimeout(() => controller.abort(), cancelMs);
  const report = await executor.execute(
    { source, path: "attack.js", files, limits },
    host,
    { signal: controller.signal },
  );
  clearTimeout(timer);
  return { report, calls };
}
