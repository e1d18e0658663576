// What a policy says of a call, and which rule of which layer says so, as lines and as a document.
// Judges by the rules that a call itself is judged by; connects to nothing.

import type { AppError } from "./errors.ts";
import { tableLines } from "./figure_views.ts";
import {
  decide,
  type Decision,
  decisionText,
  type PolicyLayer,
  refusal,
  refusalOfServer,
} from "./policy.ts";
import { countOf, type Output } from "./render.ts";
import type { JsonObject, ServerSpec, ToolDefinition } from "./server.ts";
import { cleanLine } from "./text.ts";

/** A call to explain; `tool` is what the index knows of it. */
export interface AskedCall {
  readonly spec: ServerSpec;
  readonly name: string;
  readonly params: JsonObject;
  readonly tool: ToolDefinition | undefined;
}

/** What policy says of a call: `unknown` where that hangs on annotations nobody has read yet. */
export interface Explanation {
  readonly decision: "allow" | "deny" | "unknown";
  /** As the journal has it. */
  readonly text: string;
  readonly deciding: Decision | undefined;
  /** Why a call is refused; absent where it is not. */
  readonly refused: AppError | undefined;
}

/** Judges a call as the bridge would. */
export function explainCall(
  { spec, name, params, tool }: AskedCall,
  layers: readonly PolicyLayer[],
): Explanation {
  const server = refusalOfServer(spec.name, layers);
  const deciding = server ?? decide({
    server: spec.name,
    tool: name,
    params,
    ...(tool !== undefined && { annotations: tool.annotations ?? {} }),
    ...(spec.trustAnnotations === true && { trustAnnotations: true }),
  }, layers);
  const decision = deciding?.decide ?? "unknown";
  return {
    decision,
    text: deciding === undefined ? "unknown" : decisionText(deciding),
    deciding,
    refused: deciding?.decide === "deny"
      ? refusal(deciding, `Call of "${spec.name}/${cleanLine(name, 80)}"`)
      : undefined,
  };
}

/** An explanation as a document. */
export function explanationDocument({ decision, text, deciding, refused }: Explanation) {
  const { layer, rule, index } = deciding ?? {};
  return {
    decision,
    text,
    ...(layer !== undefined && (rule !== undefined || decision === "deny") && {
      layer: layer.name,
      ...(layer.file !== undefined && { file: layer.file }),
    }),
    ...(rule !== undefined && { rule: { ...(index !== undefined && { index }), text: rule.text } }),
    ...(refused !== undefined && { message: refused.message }),
    ...(refused?.hint !== undefined && { hint: refused.hint }),
  };
}

/** The layers as a document, the widest first. */
export function layerDocuments(layers: readonly PolicyLayer[]) {
  return layers.map(({ name, file, rules, default: fallback, isLocked }) => ({
    layer: name,
    ...(file !== undefined && { file }),
    rules: rules.map(({ text }) => text),
    default: fallback,
    locked: isLocked,
  }));
}

/** One call explained: the decision, the rule behind it, and the layers it went through. */
export function callLinesOf(
  asked: AskedCall,
  { layers, style }: { readonly layers: readonly PolicyLayer[]; readonly style: Output["style"] },
): string[] {
  const { decision, text, deciding, refused } = explainCall(asked, layers);
  const { layer, rule } = deciding ?? {};
  const called = `${asked.spec.name}/${cleanLine(asked.name, 80)}`;
  return [
    `${style.bold(called)}: ${decision === "deny" ? style.red(text) : text}`,
    ...(rule === undefined ? [] : [`  rule     ${rule.text}`]),
    ...(rule === undefined || layer?.file === undefined ? [] : [`  of       ${layer.file}`]),
    ...(refused === undefined ? [] : [`  because  ${refused.message}`]),
    ...(refused?.hint === undefined ? [] : [`  hint     ${refused.hint}`]),
    ...(decision === "unknown"
      ? [
        "  because  a rule asks for annotations, and the index does not know the tool",
        `  hint     mcp-exec introspect ${asked.spec.name}`,
      ]
      : []),
    ...knownAnnotations(asked),
    ...layerLines(layers),
  ];
}

function knownAnnotations({ tool, spec }: AskedCall): string[] {
  if (tool === undefined) return [];
  const hints = Object.entries(tool.annotations ?? {}).filter(([, value]) =>
    typeof value === "boolean"
  ).map(([name, value]) => cleanLine(`${name}=${value}`, 80));
  const trust = spec.trustAnnotations === true ? "trusted" : "they may deny, not allow";
  return [`  tool     ${hints.length === 0 ? "no annotations" : `${hints.join(", ")} (${trust})`}`];
}

/** The layers a call goes through, each of which may only narrow the ones before. */
export function layerLines(layers: readonly PolicyLayer[]): string[] {
  if (layers.length === 0) return ["  layers   none: every call is allowed"];
  return layers.map(({ name, file, rules, default: fallback, isLocked }, at) =>
    `${at === 0 ? "  layers   " : "           "}${name}${file === undefined ? "" : ` (${file})`}: ${
      countOf(rules.length, "rule")
    }, else ${fallback}${isLocked ? ", locked" : ""}`
  );
}

/** Every tool of a server with what is decided of a call without parameters. */
export function toolTable(
  spec: ServerSpec,
  tools: readonly ToolDefinition[],
  layers: readonly PolicyLayer[],
): string[] {
  return tableLines(
    tools.map((tool) => {
      const { text, deciding } = explainCall(
        { spec, name: tool.name, params: {}, tool },
        layers,
      );
      return [`  ${cleanLine(tool.name, 60)}`, text, deciding?.rule?.text ?? ""];
    }),
    "lll",
  );
}
