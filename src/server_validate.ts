// Looks at servers and prints what was found, several at a time. Fails with what was found: a
// server that cannot be reached goes before what is wrong with one that can.

import { createCatalog } from "./catalog.ts";
import { dataFile } from "./context.ts";
import { openDatabase } from "./database.ts";
import { AppError } from "./errors.ts";
import type { Invocation } from "./flags.ts";
import { MAX_PARALLEL_CHECKS } from "./limits.ts";
import { NO_PROGRESS } from "./progress.ts";
import { countOf, formatMs } from "./render.ts";
import { checkServer, type FailedCheck, type ServerCheck } from "./server_check.ts";
import { LINT_RULES } from "./server_lint.ts";
import type { ServerSpec } from "./server.ts";
import { TOKENIZER } from "./stats.ts";
import { cleanLine, quoteText } from "./text.ts";

/** How servers are validated. */
export interface ValidateOptions {
  /** Rules, or `RULE:TOOL`, that are not looked at. */
  readonly ignored: readonly string[];
  /** Whether what is only worth knowing counts as a fault, too. */
  readonly strict: boolean;
}

/**
 * Looks at `specs` and prints the findings. Throws the error of the first server that could not be
 * reached, else a `failure` when something was found that counts.
 */
export async function validateServers(
  { context, output, log, progress }: Invocation,
  specs: readonly ServerSpec[],
  { ignored, strict }: ValidateOptions,
): Promise<void> {
  const known = new Set(LINT_RULES.map(({ id }) => id));
  const unknown = ignored.find((item) => !known.has(item.replace(/:.*$/s, "")));
  if (unknown !== undefined) {
    throw new AppError("usage", `Rule ${quoteText(unknown)} is not known`, {
      hint: "mcp-exec server validate --rules lists the rules",
    });
  }
  const warn = (message: string) => log.warn(message);
  const database = openDatabase(dataFile(context.paths, "mcp-exec.db"), { warn });
  const checks: (ServerCheck | FailedCheck)[] = [];
  try {
    const catalog = createCatalog(database, { now: context.now, warn });
    const queue = specs.map((spec, index) => ({ spec, index }));
    const whole = specs.length > 1 ? progress.begin("Validating") : NO_PROGRESS.begin("");
    const work = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { spec, index } = next;
        whole.say(`Validating ${specs.length - queue.length} of ${specs.length} servers`);
        checks[index] = await checkServer(spec, {
          context,
          catalog,
          progress: specs.length > 1 ? NO_PROGRESS : progress,
          ignored: new Set(ignored),
        });
      }
    };
    await Promise.all(Array.from({ length: MAX_PARALLEL_CHECKS }, work))
      .finally(() => whole.end());
  } finally {
    database.close();
  }
  const failed = checks.find((check): check is FailedCheck => "error" in check);
  const faults = checks.flatMap((check) => "findings" in check ? check.findings : [])
    .filter(({ severity }) => strict || severity !== "info");
  const ok = failed === undefined && faults.length === 0;
  if (output.format === "json") output.document({ ok, servers: checks.map(documentOf) });
  else output.print(checks.map((check) => linesOf(check).join("\n")).join("\n\n"));
  if (failed !== undefined) throw failed.error;
  if (faults.length === 0) return;
  throw new AppError("failure", `Validation found ${countOf(faults.length, "fault")}`, {
    hint: "--ignore RULE leaves one out; mcp-exec server validate --rules explains them",
  });
}

function documentOf(check: ServerCheck | FailedCheck) {
  if ("error" in check) return { name: check.name, reached: false, error: check.error };
  const { connectMs, listMs, closeMs, ...rest } = check;
  const round = (ms: number) => Math.round(ms * 100) / 100;
  return {
    ...rest,
    reached: true,
    connectMs: round(connectMs),
    listMs: round(listMs),
    closeMs: round(closeMs),
    tokenizer: TOKENIZER,
  };
}

function linesOf(check: ServerCheck | FailedCheck): string[] {
  if ("error" in check) return [`${check.name}: not reached: ${check.error.message}`];
  const { identity, protocolVersion, era, connectMs, listMs, closeMs, findings } = check;
  return [
    `${check.name}: ${cleanLine(identity.name, 80)} ${cleanLine(identity.version, 40)}, MCP ${
      cleanLine(protocolVersion, 20)
    } (${era}), ${check.transport}`,
    `  times     connected ${formatMs(connectMs)}, listed ${formatMs(listMs)}, ended ${
      formatMs(closeMs)
    }`,
    `  sign-in   ${check.auth === "accepted" ? "credentials were accepted" : "none was needed"}`,
    `  tools     ${countOf(check.tools, "tool")}, ${
      check.tokens.toLocaleString("en-US")
    } tokens a session in a client (${TOKENIZER})`,
    ...findings.map(({ rule, severity, message }) =>
      `  ${severity.padEnd(8)}  ${rule}: ${message}`
    ),
    ...(findings.length === 0 ? ["  no finding"] : []),
  ];
}

/** The rules as lines: severity, name, what it looks for. */
export function ruleLines(): string[] {
  const width = Math.max(...LINT_RULES.map(({ id }) => id.length));
  return LINT_RULES.map(({ id, severity, about }) =>
    `${severity.padEnd(8)}${id.padEnd(width)}  ${about}`
  );
}

/** The rules as documents. */
export function ruleDocuments(): { id: string; severity: string; about: string }[] {
  return LINT_RULES.map(({ id, severity, about }) => ({ id, severity, about }));
}
