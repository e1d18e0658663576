// `call`: one tool call from the command line. A `key=text` argument becomes a number or a boolean
// only where the tool's schema takes nothing else, so that a numeric-looking text stays a text.

import { buildCommand } from "@stricli/core";
import type { CallTrace } from "../bridge.ts";
import { isParameter, type Parameter, readParams, valuesOf } from "../call_params.ts";
import { AppError, toAppError } from "../errors.ts";
import {
  argument,
  chooseServer,
  type Invocation,
  isServerUrl,
  openServers,
  POLICY_FLAGS,
  type PolicyFlagValues,
  PREVIEW_FLAG,
  SERVER_FLAGS,
  type ServerFlagValues,
  switchFlag,
  textFlag,
  withSession,
} from "../flags.ts";
import { digestOf } from "../hash.ts";
import type { RunEnd } from "../journal.ts";
import { DEFAULT_RUN_LIMITS, MAX_FILLED_PARAMS_BYTES } from "../limits.ts";
import type { ServerName } from "../names.ts";
import { makePreview } from "../preview.ts";
import { createResults } from "../results.ts";
import { callLines, showPreview } from "../run_output.ts";
import type { JsonObject } from "../server.ts";
import type { ServerSet } from "../servers.ts";
import type { Session } from "../session.ts";
import { countTokens, TOKENIZER } from "../stats.ts";
import { quoteText } from "../text.ts";

interface Flags extends ServerFlagValues, PolicyFlagValues {
  readonly args?: string | undefined;
  readonly raw?: boolean | undefined;
  readonly preview?: number | undefined;
}

/** The command `call`. */
export const command = buildCommand<Flags, string[], Invocation>({
  docs: {
    brief: "Call one tool",
    customUsage: ["[server] <tool> [key=text]... [key:=json]... [key=@file]... [--args JSON]"],
    fullDescription: `Calls one tool and prints its result. With one server given by --stdio, --http
or as a URL, its name is left out. Pictures and other binary content become handles, for "result" and
for the parameters of other calls.

  key=text    a text; a number or boolean where the tool takes nothing else
  key:=json   any JSON value; in it {"$handle": "h..."} stands for what the handle holds
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
      preview: PREVIEW_FLAG,
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
    const isNamed = !isAdHoc || (words[1] !== undefined && !isParameter(words[1]));
    const servers = await openServers(this, flags, isNamed ? words.slice(0, 1) : []);
    const { server, tool, rest } = splitWords(words, servers);
    const choose = chooseServer(servers, server);
    const params = await readParams(rest, { json: flags.args, from: this.context.cwd });
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

/** The server is left out where flags or a URL give exactly one, unless it is named all the same. */
function splitWords(words: readonly string[], servers: ServerSet): Words {
  const [first, second] = words;
  const isNamed = second !== undefined && !isParameter(second);
  const server = servers.adHoc.length !== 1 || isServerUrl(first!) || isNamed ? first : undefined;
  const rest = server === undefined ? words : words.slice(1);
  if (rest[0] === undefined || isParameter(rest[0])) {
    const [, named, tool] = /^([^/=]+)\/([^/=]+)$/.exec(first!) ?? [];
    throw new AppError("usage", "No tool is named", {
      hint: tool !== undefined
        ? `the server and the tool are two words: mcp-exec call ${named} ${tool}`
        : server !== undefined
        ? `${quoteText(server)} stands where the server is named: mcp-exec call SERVER TOOL`
        : "mcp-exec introspect shows the tools of a server",
    });
  }
  return { server, tool: rest[0], rest: rest.slice(1) };
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
  const { bridge, journal, handles } = session;
  const results = createResults({ handles, isTrusted: true });
  const schema = [...params.values()].some((param) => "text" in param)
    ? await inputSchemaOf(session, server, tool)
    : undefined;
  const values = valuesOf(params, schema);
  const source = `return await callTool(${JSON.stringify(server)}, ${JSON.stringify(tool)}, args);`;
  const started = performance.now();
  const activity = progress.begin(`Calling ${server}/${tool}`, { isWhole: true });
  const run = journal.startRun({
    command: "call",
    code: source,
    codeDigest: digestOf(source),
    servers: [server],
    limits: DEFAULT_RUN_LIMITS,
  });
  let trace: CallTrace | undefined;
  const finish = (end: Pick<RunEnd, "outcome" | "error">, answer: string) => {
    const { sentTokens = 0, receivedTokens = 0 } = trace ?? {};
    journal.finishRun(run, {
      ...end,
      ms: performance.now() - started,
      tokens: {
        tokenizer: TOKENIZER,
        // Those of a call that failed were of no use.
        definitions: trace?.ok ? session.catalog.tokens(session.specs.get(server)!) ?? 0 : 0,
        arguments: sentTokens,
        results: receivedTokens,
        // Whoever wrote the command wrote its parameters.
        program: countTokens(source) + sentTokens,
        answer: countTokens(answer),
      },
    });
  };
  try {
    const filled = await results.fill(values);
    const result = await bridge.callTool(server, tool, filled, {
      run,
      ...(filled !== values && { maxParamsBytes: MAX_FILLED_PARAMS_BYTES }),
      signal: context.signal,
      onCall(ended) {
        trace = ended;
        // A failed call is reported once, as the failure of the command.
        if (ended.ok) note([`run ${run}: ${callLines([ended])}`]);
      },
    });
    const { value, json } = flags.raw
      ? { value: result.raw, json: JSON.stringify(result.raw) }
      : await results.show(`Tool ${quoteText(`${server}/${tool}`)}`, result);
    const maxBytes = flags.preview;
    const preview = maxBytes === undefined
      ? undefined
      : await makePreview(value, { maxBytes, handles });
    finish({ outcome: "ok" }, preview?.preview ?? json);
    if (output.format === "json") {
      output.document({ ok: true, run, server, tool, ...preview ?? { result: value } });
    } else if (preview !== undefined) showPreview(output, preview);
    else output.value(value);
  } catch (error) {
    const failure = toAppError(error);
    finish({ outcome: failure.kind, error: failure.toJSON() }, failure.message);
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
