// Looks at servers and prints what was found, several at a time. Fails with what was found: a
// server that cannot be reached goes before what is wrong with one that can.

import { createCatalog } from "./catalog.ts";
import { type Database, withDatabase } from "./database.ts";
import { writeFileAtomic } from "./disk.ts";
import { AppError, changeTexts } from "./errors.ts";
import type { Invocation } from "./flags.ts";
import { MAX_PARALLEL_CHECKS } from "./limits.ts";
import { NO_PROGRESS } from "./progress.ts";
import { isThere } from "./read.ts";
import { countOf, formatMs, type Output, roundMs, toJson } from "./render.ts";
import { checkServer, type FailedCheck, type ServerCheck } from "./server_check.ts";
import { LINT_RULES } from "./server_lint.ts";
import type { ServerSpec } from "./server.ts";
import { TOKENIZER } from "./stats.ts";
import { cleanLine, quoteText } from "./text.ts";

/** How servers are validated. */
export interface ValidateOptions {
  /** What is not looked at, each `[SERVER/]RULE[:TOOL]` of a rule there is. */
  readonly ignored: readonly string[];
  /** Whether what is only worth knowing counts as a fault, too. */
  readonly strict: boolean;
  /** Prints a policy of what only reads instead, or writes it into a new file. */
  readonly policy?: { readonly file: string | undefined };
}

/**
 * Looks at `specs` and prints the findings. Throws the error of the first server that could not be
 * reached, else a `failure` when something was found that counts.
 */
export async function validateServers(
  invocation: Invocation,
  specs: readonly ServerSpec[],
  { ignored, strict, policy }: ValidateOptions,
): Promise<void> {
  const { context, output, log, progress } = invocation;
  const warn = (message: string) => log.warn(message);
  const checks: (ServerCheck | FailedCheck)[] = [];
  const checkAll = async (database: Database) => {
    const catalog = createCatalog(database, { now: context.now, warn });
    const queue = [...specs.entries()];
    const whole = specs.length > 1 ? progress.begin("Validating") : NO_PROGRESS.begin("");
    const work = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [index, spec] = next;
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
  };
  await withDatabase(context, { warn, work: checkAll });
  const failed = checks.find((check): check is FailedCheck => "error" in check);
  if (policy !== undefined) {
    await emitPolicy(invocation, checks.filter((check) => "findings" in check), policy.file);
    if (failed !== undefined) throw failed.error;
    return;
  }
  const faults = checks.flatMap((check) => "findings" in check ? check.findings : [])
    .filter(({ severity }) => strict || severity !== "info");
  const ok = failed === undefined && faults.length === 0;
  if (output.format === "json") {
    output.document({ ok, servers: checks.map((check) => documentOf(check, output)) });
  } else output.print(checks.map((check) => linesOf(check, output).join("\n")).join("\n\n"));
  if (failed !== undefined) throw failed.error;
  if (faults.length === 0) return;
  throw new AppError("failure", `Validation found ${countOf(faults.length, "fault")}`, {
    hint: "--ignore RULE leaves one out; mcp-exec server validate --rules explains them",
  });
}

/** An allow list of the tools that say they only read: to be reviewed, and applied by a person. */
async function emitPolicy(
  { output, log }: Invocation,
  checks: readonly ServerCheck[],
  file: string | undefined,
): Promise<void> {
  const lists = checks.map(({ name, tools, readOnly }) => {
    // In a rule it would stand for any characters.
    const named = readOnly.filter((tool) => !tool.includes("*"));
    return {
      name,
      tools,
      rules: named.map((tool) => ({ tool: `${name}/${tool}`, decide: "allow" })),
    };
  });
  const rules = lists.flatMap(({ rules }) => rules);
  const policy = { default: "deny", rules };
  if (output.format === "json" && file === undefined) return output.document({ ok: true, policy });
  const text = policyText(lists);
  if (file === undefined) return output.print(text.trimEnd());
  if (isThere(file)) {
    throw new AppError("usage", `File ${quoteText(file)} is there already`, {
      hint: "give the name of a new file",
    });
  }
  await writeFileAtomic(file, text);
  if (output.format === "json") return output.document({ ok: true, file, policy });
  output.print(`Wrote ${countOf(rules.length, "rule")} to ${cleanLine(file, 200)}`);
  log.info("Review them, then copy the policy into your configuration: mcp-exec config path");
}

function policyText(
  lists: readonly { name: string; tools: number; rules: readonly object[] }[],
): string {
  const all = lists.flatMap(({ rules }) => rules);
  const lines = lists.flatMap(({ name, tools, rules }) => [
    `      // ${name}: ${rules.length} of ${countOf(tools, "tool")} say they only read`,
    ...rules.map((rule) => `      ${toJson(rule)}${rule === all.at(-1) ? "" : ","}`),
  ]);
  return `{
  // Nothing applies this by itself, and what a server says of its tools may be wrong: review each
  // line, then copy "policy" into your configuration.
  "policy": {
    "default": "deny",
    "rules": [
${lines.join("\n")}
    ]
  }
}
`;
}

function documentOf(check: ServerCheck | FailedCheck, { mask }: Output) {
  if ("error" in check) {
    return { name: check.name, reached: false, error: changeTexts(check.error, mask) };
  }
  const { connectMs, listMs, closeMs, ...rest } = check;
  return {
    ...rest,
    reached: true,
    connectMs: roundMs(connectMs),
    listMs: roundMs(listMs),
    closeMs: roundMs(closeMs),
    tokenizer: TOKENIZER,
  };
}

function linesOf(check: ServerCheck | FailedCheck, { mask }: Output): string[] {
  if ("error" in check) return [`${check.name}: not reached: ${mask(check.error.message)}`];
  const { identity, protocolVersion, connectMs, listMs, closeMs, findings } = check;
  return [
    `${check.name}: ${cleanLine(identity.name, 80)} ${cleanLine(identity.version, 40)}, MCP ${
      cleanLine(protocolVersion, 20)
    }, ${check.transport}`,
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

/** The rules as lines: severity, name, what it looks for, what mends it. */
export function ruleLines(): string[] {
  const width = Math.max(...LINT_RULES.map(({ id }) => id.length));
  return LINT_RULES.flatMap(({ id, severity, about, mend }) => [
    `${severity.padEnd(8)}${id.padEnd(width)}  ${about}`,
    `${" ".repeat(8 + width)}  mend: ${mend}`,
  ]);
}

/** The rules as documents. */
export function ruleDocuments(): { id: string; severity: string; about: string; mend: string }[] {
  return LINT_RULES.map(({ id, severity, about, mend }) => ({ id, severity, about, mend }));
}
