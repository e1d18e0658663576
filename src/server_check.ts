// Connects to servers to look at them: how long it takes, what they say of themselves, how they end.
// Calls no tool.

import type { Catalog } from "./catalog.ts";
import { type Context, dataFile } from "./context.ts";
import { type AppError, toAppError } from "./errors.ts";
import { introspect } from "./introspect.ts";
import type { ServerName, ToolName } from "./names.ts";
import { openConnection } from "./pool.ts";
import type { Progress } from "./progress.ts";
import { type Finding, lintServer } from "./server_lint.ts";
import type { ProtocolEra, ServerInfo, ServerSpec } from "./server.ts";
import { createSignIns, type SignIns } from "./sign_ins.ts";
import { definitionTokens, toolTokens } from "./stats.ts";

/** What a look at one server gave; times in milliseconds. */
export interface ServerCheck {
  readonly name: ServerName;
  readonly transport: ServerSpec["transport"];
  readonly identity: ServerInfo["identity"];
  readonly protocolVersion: string;
  readonly era: ProtocolEra;
  /** Whether credentials were sent; that the server wanted them cannot be seen. */
  readonly auth: "none sent" | "accepted";
  readonly connectMs: number;
  readonly listMs: number;
  readonly closeMs: number;
  readonly tools: number;
  /** The tools that say they only read. */
  readonly readOnly: readonly ToolName[];
  /** The tools whose definitions cost most, at most five, with their tokens. */
  readonly heaviest: readonly { readonly tool: ToolName; readonly tokens: number }[];
  /** About how many tokens the definitions of its tools are. */
  readonly tokens: number;
  readonly findings: readonly Finding[];
}

/** A server that could not be looked at. */
export interface FailedCheck {
  readonly name: ServerName;
  readonly error: AppError;
}

/** Looks at one server; its listing goes into the index. Never rejects. */
export async function checkServer(
  spec: ServerSpec,
  { context, catalog, ignored, progress }: {
    context: Context;
    catalog: Catalog;
    ignored: ReadonlySet<string>;
    progress: Progress;
  },
): Promise<ServerCheck | FailedCheck> {
  const warnings: string[] = [];
  const { signal } = context;
  const signIns = createSignIns({ folder: dataFile(context.paths, "sign-ins"), now: context.now });
  try {
    const start = performance.now();
    const connection = await openConnection(spec, {
      catalog,
      env: context.env,
      signal,
      progress,
      signIns,
      warn: (message) => warnings.push(message),
    });
    const connected = performance.now();
    let info: ServerInfo;
    let listed: number;
    let closed: number;
    try {
      info = await introspect(connection, { signal, progress });
      catalog.save(spec, info);
    } finally {
      listed = performance.now();
      await connection.close();
      closed = performance.now();
    }
    const behaviour = { connectMs: connected - start, closeMs: closed - listed, warnings };
    return {
      name: spec.name,
      transport: spec.transport,
      identity: info.identity,
      protocolVersion: info.protocolVersion,
      era: connection.era,
      auth: sendsCredentials(spec) || await isSignedIn(spec, signIns) ? "accepted" : "none sent",
      connectMs: behaviour.connectMs,
      closeMs: behaviour.closeMs,
      listMs: listed - connected,
      tools: info.tools.length,
      readOnly: info.tools.filter(({ annotations }) => annotations?.["readOnlyHint"] === true)
        .map(({ name }) => name),
      heaviest: info.tools.map((tool) => ({ tool: tool.name, tokens: toolTokens(tool) }))
        .sort((a, b) => b.tokens - a.tokens).slice(0, 5),
      tokens: definitionTokens(info),
      findings: lintServer({ spec, info, behaviour }, ignored),
    };
  } catch (error) {
    return { name: spec.name, error: toAppError(error) };
  }
}

async function isSignedIn(spec: ServerSpec, signIns: SignIns): Promise<boolean> {
  return spec.transport === "http" && await signIns.of(spec.url).token() !== undefined;
}

function sendsCredentials(spec: ServerSpec): boolean {
  return spec.transport === "http" &&
    Object.keys(spec.headers).some((name) => /auth|key|token|cookie/i.test(name));
}
