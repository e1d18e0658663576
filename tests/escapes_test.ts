import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { DEFAULT_RUN_LIMITS, parseSize, type RunLimits, toMemoryLimit } from "../src/limits.ts";
import { type CodeExecutor, createExecutor, type RunReport } from "../src/sandbox.ts";

// Each file in `escapes/` is one attack as a guest would write it. Its first lines say what it must
// come to: the title, `expect:` with alternatives, and what else differs from the usual.
interface Attack {
  readonly title: string;
  readonly source: string;
  readonly expected: readonly string[];
  readonly limits: RunLimits;
  readonly files: ReadonlyMap<string, string>;
  readonly calls: number | undefined;
  readonly cancelMs: number | undefined;
  readonly truncated: string | undefined;
}

const FOLDER = new URL("./escapes/", import.meta.url);
// About a tenth of a second: enough for every attack to get going.
const FUEL = "1e7";

async function readAttacks(): Promise<Attack[]> {
  const attacks: Attack[] = [];
  for await (const entry of Deno.readDir(FOLDER)) {
    attacks.push(...parseAttack(await Deno.readTextFile(new URL(entry.name, FOLDER))));
  }
  return attacks.sort((a, b) => a.title < b.title ? -1 : 1);
}

function parseAttack(text: string): Attack[] {
  const title = /^\/\/ (.+)$/m.exec(text)![1]!;
  const rest = new Map(
    Array.from(text.matchAll(/^\/\/ ([a-z]+): (.+)$/gm), (match) => [match[1]!, match[2]!]),
  );
  const number = (name: string) => rest.has(name) ? Number(rest.get(name)) : undefined;
  return (rest.get("each")?.split(" ") ?? [""]).map((method) => ({
    title: title.replaceAll("METHOD", method),
    source: text.replaceAll("METHOD", method),
    expected: rest.get("expect")!.split(" | "),
    limits: {
      ...DEFAULT_RUN_LIMITS,
      fuel: Number(rest.get("fuel") ?? FUEL),
      memory: toMemoryLimit(parseSize(rest.get("memory") ?? "64MiB")),
    },
    files: new Map(Object.entries(JSON.parse(rest.get("files") ?? "{}"))),
    calls: number("calls"),
    cancelMs: number("cancel"),
    truncated: rest.get("truncated"),
  }));
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

async function attack(executor: CodeExecutor, one: Attack): Promise<void> {
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
  const { source, files, limits } = one;
  const timer = one.cancelMs === undefined
    ? undefined
    : setTimeout(() => controller.abort(), one.cancelMs);
  const report = await executor.execute(
    { source, path: "attack.js", files, limits },
    host,
    { signal: controller.signal },
  );
  clearTimeout(timer);
  const { log: _, ...shown } = report;
  assert.ok(
    one.expected.some((expected) => matches(report, expected)),
    `wanted ${one.expected.join(" or ")}, got ${JSON.stringify(shown).slice(0, 600)}`,
  );
  if (one.calls !== undefined) assert.equal(calls, one.calls);
  if (one.truncated !== undefined) assert.match(report.truncated.join(), new RegExp(one.truncated));
  assert.ok(report.memory <= limits.memory);
  assert.ok(report.log.length <= 10_000);
  assert.equal(Object.keys(Object.prototype).length, 0);

  const next = await executor.execute(
    { source: "export default 6 * 7", path: "next.ts", files: new Map(), limits },
    host,
  );
  assert.equal(next.value, 42);
}

const attacks = await readAttacks();

Deno.test("sandbox: every attack ends as it must, and the next run works", async (context) => {
  const executor = createExecutor({ concurrency: 1 });
  for (const one of attacks) {
    await context.step({
      name: one.title,
      fn: () => attack(executor, one),
      sanitizeOps: false,
      sanitizeResources: false,
    });
  }
  await executor.close();
});
