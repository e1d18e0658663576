// Which calls are allowed: rules in layers of which each may only narrow what the ones before it
// allow. What cannot be read refuses. Patterns are texts with "*", never regular expressions.

import { AppError } from "./errors.ts";
import { MAX_POLICY_RULES, MAX_RULE_CHARS } from "./limits.ts";
import { isObject, type JsonObject } from "./server.ts";
import { cleanLine, quoteText } from "./text.ts";

/** Where rules come from, the widest first. */
export type LayerName = "managed" | "user" | "project" | "flags";

/** What a rule, or a layer without a fitting one, says. */
export type Effect = "allow" | "deny";

/** A text in which each "*" stands for any characters: the parts between them. */
export type Pattern = readonly string[];

/** One rule; a part that is absent fits every call. */
export interface PolicyRule {
  readonly decide: Effect;
  readonly server?: Pattern;
  readonly tool?: Pattern;
  /** Hints that a tool must have; one it does not give has the protocol's default. */
  readonly annotations?: Readonly<Record<string, boolean>>;
  /** Values that parameters must have, any one of those listed for each. */
  readonly arguments?: readonly (readonly [name: string, values: readonly Value[]])[];
  /** The rule as it was written, safe to show. */
  readonly text: string;
}

/** A value that a parameter is compared with. */
export type Value = Pattern | number | boolean | null;

/** The rules of one place in order; the first one that fits a call decides for the layer. */
export interface PolicyLayer {
  readonly name: LayerName;
  /** The file the rules stand in, as it may be shown. */
  readonly file?: string;
  readonly rules: readonly PolicyRule[];
  /** What holds where no rule fits. */
  readonly default: Effect;
  /** Whether servers given by flag, and trust without a terminal, are ruled out. */
  readonly isLocked: boolean;
  /** Whether nothing may run that the journal cannot show, which a file of the machine may say. */
  readonly requiresJournal?: true;
}

/** A call to be judged. */
export interface PolicyCall {
  readonly server: string;
  readonly tool: string;
  readonly params: JsonObject;
  /** The tool's annotations, none as `{}`; absent while the tool is not known yet. */
  readonly annotations?: JsonObject;
  /** Whether the annotations of this server may allow something. */
  readonly trustAnnotations?: boolean;
}

/** What was decided, and by what. */
export interface Decision {
  readonly decide: Effect;
  readonly layer?: PolicyLayer;
  /** The deciding rule, and its number from 1; absent where the layer's default decided. */
  readonly rule?: PolicyRule;
  readonly index?: number;
  /** Whether annotations would have allowed the call if they were trusted. */
  readonly needsTrust?: true;
}

const ALLOWED: Decision = { decide: "allow" };

/**
 * Whether a call is allowed: denied as soon as one layer denies it. Undefined when that hangs on
 * annotations that are not known yet. An allowed call names the last rule that allowed it.
 */
export function decide(call: PolicyCall, layers: readonly PolicyLayer[]): Decision | undefined {
  let allowed: Decision | undefined = ALLOWED;
  for (const layer of layers) {
    const decision = decideIn(layer, call);
    if (decision?.decide === "deny") return decision;
    if (decision === undefined) allowed = undefined;
    else if (decision.rule !== undefined && allowed !== undefined) allowed = decision;
  }
  return allowed;
}

/** Whether some call of a tool may be allowed, whatever its parameters have to be for that. */
export function mayBeCalled(
  tool: Omit<PolicyCall, "params">,
  layers: readonly PolicyLayer[],
): boolean {
  return layers.every((layer) => mayAllow(layer, tool));
}

function mayAllow(layer: PolicyLayer, call: Omit<PolicyCall, "params">): boolean {
  for (const rule of layer.rules) {
    if (rule.server !== undefined && !fits(rule.server, call.server)) continue;
    if (rule.tool !== undefined && !fits(rule.tool, call.tool)) continue;
    if (rule.annotations !== undefined) {
      if (call.annotations === undefined) return true;
      if (!fitsHints(rule.annotations, call.annotations)) continue;
      if (rule.decide === "allow" && call.trustAnnotations !== true) continue;
    }
    if (rule.decide === "allow") return true;
    // One about parameters leaves other calls.
    if (rule.arguments === undefined) return false;
  }
  return layer.default === "allow";
}

/** The refusal of a server of which no call at all can be allowed; undefined for any other one. */
export function refusalOfServer(
  server: string,
  layers: readonly PolicyLayer[],
): Decision | undefined {
  for (const layer of layers) {
    const decision = decideServer(layer, server);
    if (decision?.decide === "deny") return decision;
  }
  return undefined;
}

function decideServer(layer: PolicyLayer, server: string): Decision | undefined {
  for (const [at, rule] of layer.rules.entries()) {
    if (rule.server !== undefined && !fits(rule.server, server)) continue;
    const fitsAll = isEverything(rule.tool) && rule.annotations === undefined &&
      rule.arguments === undefined;
    if (rule.decide === "allow") return ALLOWED;
    if (fitsAll) return { decide: "deny", layer, rule, index: at + 1 };
  }
  return { decide: layer.default, layer };
}

function decideIn(layer: PolicyLayer, call: PolicyCall): Decision | undefined {
  let needsTrust = false;
  for (const [at, rule] of layer.rules.entries()) {
    if (rule.server !== undefined && !fits(rule.server, call.server)) continue;
    if (rule.tool !== undefined && !fits(rule.tool, call.tool)) continue;
    if (!fitsArguments(rule, call.params)) continue;
    if (rule.annotations !== undefined) {
      if (call.annotations === undefined) return undefined;
      if (!fitsHints(rule.annotations, call.annotations)) continue;
      // A server's word about its own tools is no reason to allow them.
      if (rule.decide === "allow" && call.trustAnnotations !== true) {
        needsTrust = true;
        continue;
      }
    }
    return { decide: rule.decide, layer, rule, index: at + 1, ...(needsTrust && { needsTrust }) };
  }
  return { decide: layer.default, layer, ...(needsTrust && { needsTrust }) };
}

// The defaults of the protocol's `ToolAnnotations`: what is not said is taken for the worse.
const HINTS: Readonly<Record<string, boolean>> = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
  openWorldHint: true,
};

function fitsHints(wanted: Readonly<Record<string, boolean>>, given: JsonObject): boolean {
  return Object.entries(wanted).every(([name, value]) => hint(given, name) === value);
}

function hint(given: JsonObject, name: string): boolean {
  const value = given[name];
  if (typeof value === "boolean") return value;
  // What only reads destroys nothing.
  return name === "destructiveHint" && given["readOnlyHint"] === true ? false : HINTS[name]!;
}

// A rule that denies is read generously: each item of a list, and a number for its text. One that
// allows is read narrowly.
function fitsArguments({ arguments: wanted, decide }: PolicyRule, params: JsonObject): boolean {
  return wanted === undefined || wanted.every(([name, values]) => {
    if (!Object.hasOwn(params, name)) return false;
    const given = params[name];
    const isOne = (item: unknown) => values.some((value) => equals(value, item, decide));
    if (!Array.isArray(given)) return isOne(given);
    const items = given.flat(Infinity);
    return decide === "deny" ? items.some(isOne) : items.length > 0 && items.every(isOne);
  });
}

function equals(value: Value, given: unknown, effect: Effect): boolean {
  const isScalar = typeof given !== "object" && given !== undefined;
  if (isPattern(value)) {
    if (typeof given === "string") return fits(value, given);
    return effect === "deny" && isScalar && fits(value, String(given));
  }
  return given === value || (effect === "deny" && isScalar && String(value) === given);
}

function isPattern(value: Value): value is Pattern {
  return Array.isArray(value);
}

/** `text` as a pattern. */
export function toPattern(text: string): Pattern {
  return text.split("*");
}

/** Whether `text` is one of those the pattern stands for, in time linear in its length. */
export function fits(pattern: Pattern, text: string): boolean {
  const first = pattern[0]!;
  if (pattern.length === 1) return text === first;
  const last = pattern.at(-1)!;
  const end = text.length - last.length;
  if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let from = first.length;
  for (const part of pattern.slice(1, -1)) {
    const at = text.indexOf(part, from);
    if (at < 0 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}

function isEverything(pattern: Pattern | undefined): boolean {
  return pattern === undefined || (pattern.length > 1 && pattern.every((part) => part === ""));
}

/** `server/tool`, each with "*", as two patterns; undefined without a slash or part. */
export function toToolPattern(text: string): { server: Pattern; tool: Pattern } | undefined {
  const slash = text.indexOf("/");
  if (slash < 1 || slash === text.length - 1) return undefined;
  return { server: toPattern(text.slice(0, slash)), tool: toPattern(text.slice(slash + 1)) };
}

/** The layer that rules out servers given by flag; a project's own file cannot. */
export function lockingLayer(layers: readonly PolicyLayer[]): PolicyLayer | undefined {
  return layers.find(({ name, isLocked }) => isLocked && name !== "project");
}

/** The error for a call, named as it may be shown, that a decision refuses. */
export function refusal(decision: Decision, called: string): AppError {
  const { layer, rule, index, needsTrust } = decision;
  const place = layer?.name === "flags"
    ? rule === undefined ? "is not among those of --allow" : `is refused by ${rule.text}`
    : rule === undefined
    ? `is allowed by no rule of ${placeOf(layer)}, and its "policy.default" is "deny"`
    : `is refused by rule ${index} of ${placeOf(layer)}`;
  return new AppError("denied", `${called} ${place}`, {
    ...(rule !== undefined && layer?.name !== "flags" && { detail: [rule.text] }),
    ...(needsTrust && {
      hint: `a rule allows by annotations: they count once the server's entry has ` +
        `"trustAnnotations": true`,
    }),
  });
}

/** A decision for the journal, such as `allow` or `deny: user rule 2`. */
export function decisionText({ decide, layer, index }: Decision): string {
  if (layer === undefined || (index === undefined && decide === "allow")) return decide;
  return `${decide}: ${layer.name} ${index === undefined ? "default" : `rule ${index}`}`;
}

function placeOf(layer: PolicyLayer | undefined): string {
  return layer?.file === undefined ? `the ${layer?.name ?? ""} policy` : quoteText(layer.file);
}

/** Where a policy was read. */
export interface PolicyPlace {
  readonly name: Exclude<LayerName, "flags">;
  readonly file: string;
  /** Gets one line, safe to show, for each part that cannot be used. */
  readonly warn: (message: string) => void;
}

/**
 * The `policy` of a configuration file as a layer. A rule that cannot be read refuses every call
 * that gets as far as it; anything else that is not understood makes the default `deny`.
 */
export function parsePolicy(value: unknown, { name, file, warn }: PolicyPlace): PolicyLayer {
  const fail = (message: string) => warn(`${message}; calls are refused for it`);
  if (!isObject(value)) {
    fail(`"policy" must be an object`);
    return { name, file, rules: [], default: "deny", isLocked: false };
  }
  let isWhole = true;
  const require = (holds: boolean, message: string) => {
    if (holds) return;
    isWhole = false;
    fail(message);
  };
  for (const key of Object.keys(value)) {
    require(POLICY_KEYS.has(key), `unknown key ${quoteText(`policy.${key}`)}`);
  }
  const { default: effect = "allow", locked = false, rules = [] } = value;
  require(effect === "allow" || effect === "deny", `"policy.default" must be "allow" or "deny"`);
  require(typeof locked === "boolean", `"policy.locked" must be true or false`);
  require(Array.isArray(rules), `"policy.rules" must be an array`);
  const list = Array.isArray(rules) ? rules : [];
  require(list.length <= MAX_POLICY_RULES, `"policy.rules" has over ${MAX_POLICY_RULES} rules`);
  return {
    name,
    file,
    rules: list.slice(0, MAX_POLICY_RULES).map((item, at) => {
      const rule = readRule(item);
      if (typeof rule !== "string") return rule;
      fail(`rule ${at + 1} of "policy.rules" is not valid: ${rule}`);
      return { decide: "deny", text: `not valid: ${rule}` };
    }),
    default: isWhole && effect === "allow" ? "allow" : "deny",
    isLocked: locked !== false,
  };
}

const POLICY_KEYS = new Set(["default", "locked", "rules"]);
const RULE_KEYS = new Set(["server", "tool", "annotations", "arguments", "decide"]);

/** The rule, or what is wrong with it. */
function readRule(value: unknown): PolicyRule | string {
  if (!isObject(value)) return "it must be an object";
  const text = JSON.stringify(value);
  if (text.length > MAX_RULE_CHARS) return `it is longer than ${MAX_RULE_CHARS} characters`;
  const unknown = Object.keys(value).find((key) => !RULE_KEYS.has(key));
  if (unknown !== undefined) {
    return `it has the unknown key ${quoteText(unknown)} (known are ${[...RULE_KEYS].join(", ")})`;
  }
  const { decide, server, tool, annotations, arguments: params } = value;
  if (decide !== "allow" && decide !== "deny") return `"decide" must be "allow" or "deny"`;
  if (server !== undefined && tool !== undefined) {
    return `"server" goes without "tool", which names it too`;
  }
  if (server !== undefined && (typeof server !== "string" || server === "")) {
    return `"server" must be a name, "*" for any characters`;
  }
  const names = typeof tool === "string" ? toToolPattern(tool) : undefined;
  if (tool !== undefined && names === undefined) return `"tool" must be like "github/delete_*"`;
  if (annotations !== undefined) {
    if (!isObject(annotations)) return `"annotations" must be an object`;
    for (const [name, hint] of Object.entries(annotations)) {
      if (!Object.hasOwn(HINTS, name)) return `there is no annotation ${quoteText(name)}`;
      if (typeof hint !== "boolean") return `annotation "${name}" must be true or false`;
    }
  }
  if (params !== undefined && !isObject(params)) return `"arguments" must be an object`;
  const wanted: [string, Value[]][] = [];
  for (const [name, item] of Object.entries(params ?? {})) {
    const values = Array.isArray(item) ? item : [item];
    if (values.length === 0 || values.some((one) => typeof one === "object" && one !== null)) {
      return `argument ${quoteText(name)} must be a value or a list of values`;
    }
    wanted.push([name, values.map((one) => typeof one === "string" ? toPattern(one) : one)]);
  }
  return {
    decide,
    ...(server !== undefined && { server: toPattern(server) }),
    ...names,
    ...(annotations !== undefined && { annotations: annotations as Record<string, boolean> }),
    ...(params !== undefined && { arguments: wanted }),
    text: cleanLine(text, MAX_RULE_CHARS),
  };
}

/**
 * The layer of `--allow` and `--deny`: each value a server, or `server/tool`, with "*"; undefined
 * when there are none. Throws a `usage` error for any other value.
 */
export function flagPolicy(flags: {
  readonly allow?: readonly string[] | undefined;
  readonly deny?: readonly string[] | undefined;
}): PolicyLayer | undefined {
  const { allow = [], deny = [] } = flags;
  if (allow.length + deny.length === 0) return undefined;
  const ruleOf = (decide: Effect) => (text: string): PolicyRule => {
    const flag = `--${decide} ${quoteText(text)}`;
    if (!text.includes("/") && text !== "") return { decide, server: toPattern(text), text: flag };
    const names = toToolPattern(text);
    if (names === undefined || text.length > MAX_RULE_CHARS) {
      throw new AppError(
        "usage",
        `--${decide} takes a server or server/tool, got ${quoteText(text)}`,
      );
    }
    return { decide, ...names, text: flag };
  };
  return {
    name: "flags",
    rules: [...deny.map(ruleOf("deny")), ...allow.map(ruleOf("allow"))],
    default: allow.length > 0 ? "deny" : "allow",
    isLocked: false,
  };
}
