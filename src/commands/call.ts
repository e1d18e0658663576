// `call`: one tool call from the command line. A `key=text` argument becomes a number or a boolean
// only where the tool's schema takes nothing else, so that a numeric-looking text stays a text.

import { buildCommand } from "@stricli/core";
import { AppError, toAppError } from "../errors.ts";
import {
  argument,
  chooseServer,
  type Invocation,
  isServerUrl,
  openServers,
  parseJsonText,
  POLICY_FLAGS,
  type PolicyFlagValues,
  SERVER_FLAGS,
  type ServerFlagValues,
  switchFlag,
  textFlag,
  withSession,
} from "../flags.ts";
import { digestOf } from "../hash.ts";
import { DEFAULT_RUN_LIMITS, MAX_PARAMS_BYTES } from "../limits.ts";
import type { ServerName } from "../names.ts";
import { readTextFile } from "../read.ts";
import { callLines } from "../render.ts";
import type { JsonObject } from "../server.ts";
import type { ServerSet } from "../servers.ts";
import type { Session } from "../session.ts";
import { quoteText } from "../text.ts";

interface Flags extends ServerFlagValues, PolicyFlagValues {
  readonly args?: string | undefined;
  readonly raw?: boolean | undefined;
}

/** The command `call`. */
export const command = buildCommand<Flags, string[], Invocation>({
  docs: {
    brief: "Call one tool",
    customUsage: ["[server] <tool> [key=text]... [key:=json]... [key=@file]... [--args JSON]"],
    fullDescription: `Calls one tool and prints its result. With one server given by --stdio, --http
or as a URL, its name is left out.

  key=text    a text; a number or boolean where the tool takes nothing else
  key:=json   any JSON value
  key=@file   the text of a file

EXAMPLES
  mcp-exec call demo list_issues project=PAY per_page=2
  mcp-exec call add_numbers a:=2 b:=3 --http http://127.0.0.1:3000/mcp
  mcp-exec call github create_issue owner=o repo=r title=t body=@notes.md labels:='["bug"]'
  mcp-exec call demo get_project --args '{"project": "PAY"}' --raw`,
  },
  parameters: {
    flags: {
      args: textFlag("All parameters as one JSON object", "JSON"),
      raw: switchFlag("Print the server's whole answer instead of its value"),
      ...POLICY_FLAGS,
      ...SERVER_FLAGS,
    },
    positional: {
      kind: "array",
      parameter: argument("Server (unless one is given by flag), tool, parameters", "tool"),
      minimum: 1,
    },
  },
  async func(flags, ...words) {
    const isAdHoc = (flags.stdio ?? []).length + (flags.http ?? []).length === 1;
    const isNamed = !isAdHoc || (words[1] !== undefined && !PARAMETER.test(words[1]));
    const servers = await openServers(this, flags, isNamed ? words.slice(0, 1) : []);
    const { server, tool, rest } = splitWords(words, servers);
    const choose = chooseServer(servers, server);
    const params = await readParams(rest, flags.args);
    await withSession(this, servers, {
      work: (session) => callOnce(this, session, { flags, server: choose(session), tool, params }),
    });
  },
});

interface Words {
  readonly server: string | undefined;
  readonly tool: string;
  readonly rest: readonly string[];
}

const PARAMETER = /^([^=]+?)(:=|=@|=)(.*)$/s;

/** The server is left out where flags or a URL give exactly one, unless it is named all the same. */
function splitWords(words: readonly string[], servers: ServerSet): Words {
  const [first, second] = words;
  const isNamed = second !== undefined && !PARAMETER.test(second);
  const server = servers.adHoc.length !== 1 || isServerUrl(first!) || isNamed ? first : undefined;
  const rest = server === undefined ? words : words.slice(1);
  if (rest[0] === undefined || PARAMETER.test(rest[0])) {
    throw new AppError("usage", "No tool is named", {
      hint: "mcp-exec introspect shows the tools of a server",
    });
  }
  return { server, tool: rest[0], rest: rest.slice(1) };
}

/** A parameter: a value, or a text whose type the tool's schema decides. */
type Parameter = { readonly value: unknown } | { readonly text: string };

async function readParams(
  words: readonly string[],
  json: string | undefined,
): Promise<ReadonlyMap<string, Parameter>> {
  const params = new Map<string, Parameter>();
  if (json !== undefined) {
    const value = await parseJsonText(json, "--args");
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new AppError("invalid", "Value of --args must be a JSON object");
    }
    for (const [key, item] of Object.entries(value)) params.set(key, { value: item });
  }
  for (const word of words) {
    const [, key, operator, text] = PARAMETER.exec(word) ?? [];
    if (key === undefined || text === undefined) {
      throw new AppError("usage", `Parameter ${quoteText(word)} has no "="`, {
        hint: "write key=text, key:=json or key=@file",
      });
    }
    if (params.has(key)) {
      throw new AppError("usage", `Parameter ${quoteText(key)} is given twice`);
    }
    if (operator === ":=") params.set(key, { value: await parseJsonText(text, `${key}:=`) });
    else if (operator === "=") params.set(key, { text });
    else params.set(key, { value: await readTextFile(text, { maxBytes: MAX_PARAMS_BYTES }) });
  }
  return params;
}

interface Call {
  readonly flags: Flags;
  readonly server: ServerName;
  readonly tool: string;
  readonly params: ReadonlyMap<string, Parameter>;
}

async function callOnce(
  { context, output, note, progress }: Invocation,
  session: Session,
  { flags, server, tool, params }: Call,
): Promise<void> {
  const { bridge, journal } = session;
  const schema = [...params.values()].some((param) => "text" in param)
    ? await inputSchemaOf(session, server, tool)
    : undefined;
  const values = Object.fromEntries(
    [...params].map(([key, param]) => [
      key,
      "value" in param ? param.value : typedText(param.text, { key, schema }),
    ]),
  );
  const source = `return await callTool(${JSON.stringify(server)}, ${JSON.stringify(tool)}, args);`;
  const started = performance.now();
  const activity = progress.begin(`Calling ${server}/${tool}`);
  const run = journal.startRun({
    command: "call",
    code: source,
    codeDigest: digestOf(source),
    servers: [server],
    limits: DEFAULT_RUN_LIMITS,
  });
  try {
    const result = await bridge.callTool(server, tool, values, {
      run,
      signal: context.signal,
      // A failed call is reported once, as the failure of the command.
      onCall: (trace) => trace.ok && note([`run ${run}: ${callLines([trace])}`]),
    });
    journal.finishRun(run, { outcome: "ok", ms: performance.now() - started });
    const value = flags.raw ? result.raw : result.value;
    if (output.format === "json") output.document({ ok: true, run, server, tool, result: value });
    else output.value(value);
  } catch (error) {
    const failure = toAppError(error);
    journal.finishRun(run, {
      outcome: failure.kind,
      ms: performance.now() - started,
      error: failure.toJSON(),
    });
    throw failure;
  } finally {
    activity.end();
  }
}

/** The tool's schema from the index or the server; undefined where there is no such tool. */
async function inputSchemaOf(
  session: Session,
  server: ServerName,
  tool: string,
): Promise<JsonObject | undefined> {
  const saved = session.catalog.load(session.specs.get(server)!)?.info;
  const find = (info = saved) => info?.tools.find((item) => item.name === tool)?.inputSchema;
  return find() ?? find(await session.bridge.describe(server));
}

/** `text` as what the schema of parameter `key` takes; as it is where that may be a text. */
export function typedText(
  text: string,
  { key, schema }: { key: string; schema: JsonObject | undefined },
): unknown {
  const properties = (schema?.["properties"] ?? {}) as JsonObject;
  const types = Object.hasOwn(properties, key) ? typesOf(properties[key], schema!) : undefined;
  if (types === undefined || types.size === 0 || types.has("string")) return text;
  if (types.has("boolean") && /^(?:true|false)$/.test(text)) return text === "true";
  if (types.has("number") && /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  throw new AppError(
    "invalid",
    `Parameter ${quoteText(key)} takes ${[...types].join(" or ")}, got ${quoteText(text)}`,
    types.has("object") || types.has("array") ? { hint: `write it as JSON: ${key}:='...'` } : {},
  );
}

// The JSON types a schema takes, as far as it says so plainly; undefined where it may be any.
function typesOf(schema: unknown, root: JsonObject, depth = 0): Set<string> | undefined {
  if (typeof schema !== "object" || schema === null || depth > 5) return undefined;
  const { type, $ref, anyOf, oneOf, enum: values, const: value } = schema as JsonObject;
  const name = (item: unknown) => item === "integer" ? "number" : String(item);
  if (type !== undefined) return new Set([type].flat().map(name));
  if (typeof $ref === "string") {
    const [, group, key] = /^#\/(\$defs|definitions)\/([^/~%]+)$/.exec($ref) ?? [];
    const definitions = (root[group ?? ""] ?? {}) as JsonObject;
    return key !== undefined && Object.hasOwn(definitions, key)
      ? typesOf(definitions[key], root, depth + 1)
      : undefined;
  }
  const literals = Array.isArray(values) ? values : value === undefined ? undefined : [value];
  if (literals !== undefined) return new Set(literals.map((item) => typeof item));
  const choices = anyOf ?? oneOf;
  if (!Array.isArray(choices)) return undefined;
  const sets = choices.map((choice) => typesOf(choice, root, depth + 1));
  return sets.some((set) => set === undefined)
    ? undefined
    : new Set(sets.flatMap((set) => [...set!]));
}
