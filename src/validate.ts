// Checks what goes into a tool and what comes out against the tool's own schemas. No regular
// expression of a server runs, work is counted, and what cannot be checked passes with a warning:
// the server has the last word. Values are never repeated in messages, they may be secrets.

import type { ErrorObject, ValidateFunction } from "ajv";
import type { Ajv2020 } from "ajv/dist/2020.js";
import type { DataValidateFunction } from "ajv/dist/types/index.js";
import { AppError } from "./errors.ts";
import type { Digest } from "./hash.ts";
import { canonicalJson } from "./hash.ts";
import { MAX_CHECK_DEPTH, MAX_CHECK_STEPS, MAX_COMPILED_SCHEMAS } from "./limits.ts";
import type { ServerName } from "./names.ts";
import {
  CHARS_PER_STEP,
  type Cost,
  COST_KEYWORD,
  type PlainSchema,
  toPlainSchema,
} from "./schema_plain.ts";
import type { ProblemContext } from "./schema_problems.ts";
import type { JsonObject, ToolDefinition } from "./server.ts";
import { cleanLine } from "./text.ts";

/** A tool of a server. */
export interface CheckedTool {
  readonly server: ServerName;
  readonly tool: ToolDefinition;
}

/** Checks values against the schemas of tools; schemas are compiled once for each definition. */
export interface SchemaChecker {
  /** Loads what checking needs, while something else is waited for. */
  prepare(): void;
  /** Throws an `invalid` error that says which parameter is wrong and how, with what the tool takes. */
  checkArguments(called: CheckedTool, params: JsonObject): Promise<void>;
  /** Throws a `protocol` error when structured content is not what the output schema promises. */
  checkResult(called: CheckedTool, answer: JsonObject): Promise<void>;
}

type Part = "inputSchema" | "outputSchema";

interface Misfit extends Omit<ProblemContext, "value"> {
  readonly errors: readonly ErrorObject[];
}

// What a value does not fit in; nothing when it does.
type Check = (value: unknown) => Misfit | undefined;

/** A checker; `warn` gets one line for each schema that cannot be checked against. */
export function createSchemaChecker(
  options: { readonly warn: (message: string) => void },
): SchemaChecker {
  const compiled = new Map<string, Promise<Check>>();
  let loading: Promise<Validators> | undefined;
  const load = () => loading ??= loadValidators();

  async function compile({ server, tool }: CheckedTool, part: Part): Promise<Check> {
    const what = `${part === "inputSchema" ? "Parameters" : "Results"} of "${server}/${
      cleanLine(tool.name, 80)
    }" are not checked`;
    let isWarned = false;
    const giveUp = (reason: string): undefined => {
      if (!isWarned) options.warn(`${what}: ${reason}`);
      isWarned = true;
    };
    const plain = toPlainSchema(tool[part] ?? {});
    if (plain === undefined) {
      giveUp("their schema is too large or in a dialect that is not known");
      return () => undefined;
    }
    if (plain === true || (part === "inputSchema" && isAnyObject(plain))) return () => undefined;
    const { create } = await load();
    try {
      const validate = create(plain, "first");
      let explain: Validate | undefined;
      return (value) => {
        try {
          const first = validate(value, MAX_CHECK_STEPS);
          if (first.length === 0) return undefined;
          explain ??= create(plain, "all");
          const all = attempt(() => explain!(value, EXPLAIN_STEPS)) ?? first;
          const subject = part === "inputSchema" ? "parameter" : undefined;
          return { errors: all.length === 0 ? first : all, plain, subject };
        } catch (error) {
          return giveUp(reasonOf(error));
        }
      };
    } catch (error) {
      giveUp(reasonOf(error));
      return () => undefined;
    }
  }

  function checkOf(called: CheckedTool, part: Part): Promise<Check> {
    const key = `${part} ${called.tool.digest satisfies Digest}`;
    const known = compiled.get(key);
    if (known !== undefined) return known;
    const check = compile(called, part);
    compiled.set(key, check);
    if (compiled.size > MAX_COMPILED_SCHEMAS) compiled.delete(compiled.keys().next().value!);
    return check;
  }

  return {
    prepare() {
      load().catch(() => {}); // whoever needs it meets the failure
    },
    async checkArguments(called, params) {
      const misfit = (await checkOf(called, "inputSchema"))(params);
      if (misfit === undefined) return;
      const problems = await describe(misfit, params);
      const { server, tool } = called;
      throw new AppError(
        "invalid",
        `Call of "${server}/${cleanLine(tool.name, 80)}" is not valid: ${problems[0]}`,
        { detail: problems.slice(1), hint: `it is ${cleanLine(await parametersOf(called), 1500)}` },
      );
    },
    async checkResult(called, answer) {
      const { server, tool } = called;
      const value = answer["structuredContent"];
      if (tool.outputSchema === undefined || value === undefined || value === null) return;
      const misfit = (await checkOf(called, "outputSchema"))(value);
      if (misfit === undefined) return;
      const problems = await describe(misfit, value);
      throw new AppError(
        "protocol",
        `Result of "${server}/${cleanLine(tool.name, 80)}" breaks its output schema: ${
          problems[0]
        }`,
        { detail: problems.slice(1) },
      );
    },
  };
}

// Parameters are objects whatever a schema says: where it says no more there is nothing to load.
function isAnyObject(plain: PlainSchema): boolean {
  return typeof plain === "object" && plain["type"] === "object" &&
    Object.keys(plain).every((key) => key === "type" || key === COST_KEYWORD);
}

// Words are loaded when there is something to say.
async function describe(misfit: Misfit, value: unknown): Promise<readonly string[]> {
  const { describeProblems } = await import("./schema_problems.ts");
  return describeProblems(misfit.errors, { ...misfit, value });
}

// The signature without what the tool gives back, which would take the room of the parameters.
async function parametersOf({ server, tool }: CheckedTool): Promise<string> {
  const { planServer } = await import("./plan.ts");
  const { outputSchema: _, ...asked } = tool;
  const info = { name: server, tools: [asked], warnings: [] };
  const identity = { name: server, version: "" };
  const { tools } = planServer({ ...info, identity, protocolVersion: "", capabilities: {} });
  return tools[0]!.signature.replace(/\): Promise<.*$/s, ")");
}

function reasonOf(error: unknown): string {
  if (error === OVERSPENT) return "that takes too long";
  if (error === TOO_DEEP) return "their schema refers to itself too often";
  return `their schema is not usable (${cleanLine(String((error as Error)?.message), 200)})`;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

// All problems of one value make a long list: who reads it wants the first few.
const EXPLAIN_STEPS = 20_000;
// No errors: the first one of a process costs it 5 ms, for a stack that nobody sees.
const OVERSPENT = Symbol("check takes too many steps");
const TOO_DEEP = Symbol("check goes too deep");
// What these take in time, next to a step.
const REFERENCE_STEPS = 20;
const ITEM_STEPS = 50;

/** What one check may still take, and how deep in references it is. */
interface Budget {
  left: number;
  depth: number;
}

/** Checks a value within a number of steps: no problems when it fits, `OVERSPENT` thrown beyond. */
type Validate = (value: unknown, steps: number) => readonly ErrorObject[];

interface Validators {
  create(schema: JsonObject | boolean, mode: "first" | "all"): Validate;
}

async function loadValidators(): Promise<Validators> {
  const loaded = await import("ajv/dist/2020.js");
  // In a bundle all that a CommonJS module exports stands under `default` alone.
  const { Ajv2020, _, Name } = "Ajv2020" in loaded
    ? loaded
    : (loaded as { default: typeof loaded }).default;
  return {
    // One instance for each schema: it keeps all that it ever compiled.
    create(schema, mode) {
      const budget = { left: 0, depth: 0, spend, overspent: OVERSPENT };
      const ajv = new Ajv2020({
        strict: false,
        // Schemas are rewritten before, so nothing is left to check in them, and nothing to log.
        meta: false,
        validateSchema: false,
        addUsedSchema: false,
        logger: false,
        validateFormats: false,
        messages: false,
        // Takes longer than it saves, and far longer for schemas of some hundred parts.
        code: { optimize: false },
        ownProperties: true,
        // So that 0.3 is a multiple of 0.1.
        multipleOfPrecision: 9,
        ...(mode === "all" && { allErrors: true, verbose: true }),
      });
      addReferences(ajv, { schema, budget });
      addUniqueItems(ajv, budget);
      if (mode === "first") addChoices(ajv, { _, Name });
      ajv.addKeyword({
        keyword: COST_KEYWORD,
        before: "$ref",
        code(cxt) {
          const { steps, isLong } = cxt.schema as Cost;
          const name = cxt.gen.scopeValue("obj", { ref: budget });
          const spent = isLong ? _`${steps} + ${name}.spend(${cxt.data})` : _`${steps}`;
          cxt.gen.if(_`(${name}.left -= ${spent}) < 0`, () => cxt.gen.throw(_`${name}.overspent`));
        },
      });
      const validate = ajv.compile(schema);
      return (value, steps) => {
        budget.left = steps;
        budget.depth = 0;
        return validate(value) ? [] : validate.errors ?? [];
      };
    },
  };
}

/** Steps for reading all of a value, but not what is in it. */
function spend(value: unknown): number {
  if (typeof value === "string") return Math.ceil(value.length / CHARS_PER_STEP);
  if (Array.isArray(value)) return value.length;
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
}

// The library's own references recurse as deep as a schema has it, which may end the process, and
// inlined ones double at each of them.
function addReferences(
  ajv: Ajv2020,
  { schema, budget }: { schema: JsonObject | boolean; budget: Budget },
): void {
  const definitions = typeof schema === "object" ? schema["$defs"] as JsonObject : {};
  const compiled = new Map<string, ValidateFunction>();
  const definition = (name: string) => {
    const known = compiled.get(name) ?? ajv.compile(definitions[name] as JsonObject | boolean);
    compiled.set(name, known);
    return known;
  };
  ajv.removeKeyword("$ref");
  ajv.addKeyword({
    keyword: "$ref",
    before: "const",
    errors: "full",
    compile(reference: string) {
      const name = reference.slice("#/$defs/".length);
      const check: DataValidateFunction = (value, place) => {
        if (++budget.depth > MAX_CHECK_DEPTH) throw TOO_DEEP;
        if ((budget.left -= REFERENCE_STEPS) < 0) throw OVERSPENT;
        const validate = definition(name);
        const fits = validate(value, place);
        check.errors = validate.errors ?? [];
        budget.depth--;
        return fits;
      };
      return check;
    },
  });
}

// The library compares each item with each other.
function addUniqueItems(ajv: Ajv2020, budget: Budget): void {
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    validate(isWanted: boolean, items: unknown[]) {
      if (!isWanted) return true;
      const seen = new Set<string>();
      for (const item of items) {
        const text = canonicalJson(item);
        budget.left -= ITEM_STEPS + text.length;
        if (budget.left < 0) throw OVERSPENT;
        if (seen.has(text)) return false;
        seen.add(text);
      }
      return true;
    },
  });
}

// The library keeps every error of every alternative until one fits: a few hundred bytes of schema
// make it keep a gigabyte. Here they go as soon as the next alternative is looked at.
function addChoices(ajv: Ajv2020, { _, Name }: Pick<typeof import("ajv"), "_" | "Name">): void {
  for (const keyword of ["anyOf", "oneOf"]) {
    ajv.removeKeyword(keyword);
    ajv.addKeyword({
      keyword,
      schemaType: "array",
      trackErrors: true,
      before: "const",
      code(cxt) {
        const { gen } = cxt;
        const fitting = gen.let("fitting", 0);
        const fits = gen.name("fits");
        gen.block(() => {
          for (const schemaProp of (cxt.schema as unknown[]).keys()) {
            const part = cxt.subschema({ keyword, schemaProp, compositeRule: true }, fits);
            gen.if(fits, () => {
              gen.code(_`${fitting}++`);
              cxt.mergeEvaluated(part, Name);
            }, () => cxt.reset());
          }
        });
        cxt.pass(keyword === "oneOf" ? _`${fitting} === 1` : _`${fitting} > 0`);
      },
    });
  }
}
