// `server`: which servers there are and where they come from, and which entries of a project may be
// started. Never shows the value of a variable or header.

import { buildCommand } from "@stricli/core";
import { AppError } from "../errors.ts";
import {
  argument,
  type CommandGroup,
  type Invocation,
  openServers,
  switchFlag,
  textFlag,
  trustLines,
} from "../flags.ts";
import { equalDigests } from "../hash.ts";
import { nearestNames } from "../names.ts";
import { countOf, formatAge } from "../render.ts";
import type { ServerSpec } from "../server.ts";
import { findServer, type ServerSet, withTrustStore } from "../servers.ts";
import { serverLines, serverTable, type ServerView, viewServers } from "../server_views.ts";
import { cleanLine, quoteText } from "../text.ts";
import { toEntryDigest } from "../trust.ts";

const NAME = argument("Name of a server", "server");

/** A positional argument that must be there. */
const ONE = { kind: "tuple", parameters: [NAME] } as const;

const list = buildCommand<Record<never, never>, [], Invocation>({
  docs: {
    brief: "Show every server, where it comes from, and whether it can be used",
    fullDescription: `Shows the servers of your own configuration, of other clients (Claude Code,
Claude Desktop, Cursor, VS Code, Windsurf, Codex, Gemini CLI, Zed, OpenCode, Goose) and of the
project. Connects to none. A state is one of:

  ready      can be used
  trusted    of the project, and you said that it may be started
  untrusted  of the project: "server trust" shows what it would start
  disabled   switched off in its file
  shadowed   another entry of that name is used
  unusable   with the reason

Where clients mean different servers by one name, each goes by its name and its client's, such as
"github-cursor". A name that does not fit is changed, and the list says so.

EXAMPLES
  mcp-exec server list
  mcp-exec server list --format json`,
  },
  parameters: {},
  async func() {
    const views = viewServers(await openServers(this, {}));
    const { output } = this;
    if (output.format === "json") output.document({ ok: true, servers: views });
    else output.print(serverTable(views, output.width).join("\n"));
  },
});

const info = buildCommand<Record<never, never>, [server: string], Invocation>({
  docs: {
    brief: "Show one server: its entry, and what the index knows of it",
    fullDescription:
      `Shows where a server's entry stands, how it is reached, and what was read of it
before. Connects to nothing; values of variables and headers are never shown.

EXAMPLES
  mcp-exec server info demo
  mcp-exec server info github --format json`,
  },
  parameters: { positional: ONE },
  async func(_flags, name) {
    const servers = await openServers(this, {});
    const view = findView(servers, name);
    const known = await readIndex(this, servers.specs.get(view.name as ServerSpec["name"]));
    const { output, context } = this;
    if (output.format === "json") {
      return output.document({ ok: true, server: { ...view, ...known } });
    }
    const lines = serverLines(view);
    if (known !== undefined) {
      const { identity, protocolVersion, tools, savedAt } = known;
      const age = formatAge(context.now() - savedAt);
      lines.push(
        `${"index".padEnd(12)}${cleanLine(identity.name, 80)} ${
          cleanLine(identity.version, 40)
        }, MCP ${cleanLine(protocolVersion, 20)}, ${countOf(tools, "tool")}, read ${age}`,
      );
    }
    output.print(lines.join("\n"));
  },
});

function findView(servers: ServerSet, name: string): ServerView {
  const views = viewServers(servers);
  const view = views.find((item) => item.name === name && item.state !== "shadowed") ??
    views.find((item) => item.name === name);
  if (view !== undefined) return view;
  const near = nearestNames(name, views.map((item) => item.name));
  throw new AppError("usage", `Server ${quoteText(name)} is not configured`, {
    hint: near.length > 0
      ? `did you mean ${near.map((item) => `"${item}"`).join(" or ")}?`
      : "mcp-exec server list shows those there are",
  });
}

async function readIndex({ context, log }: Invocation, spec: ServerSpec | undefined) {
  if (spec === undefined || spec.transport === "embedded") return undefined;
  const { openDatabase } = await import("../database.ts");
  const { createCatalog } = await import("../catalog.ts");
  const { dataFile } = await import("../context.ts");
  const warn = (message: string) => log.warn(message);
  const database = openDatabase(dataFile(context.paths, "mcp-exec.db"), { warn });
  try {
    const saved = createCatalog(database, { now: context.now, warn }).load(spec);
    if (saved === undefined) return undefined;
    const { identity, protocolVersion, tools } = saved.info;
    return { identity, protocolVersion, tools: tools.length, savedAt: saved.savedAt };
  } finally {
    database.close();
  }
}

interface TrustFlags {
  readonly digest?: string | undefined;
  readonly revoke?: boolean | undefined;
}

const trust = buildCommand<TrustFlags, [server: string], Invocation>({
  docs: {
    brief: "Let a server of the project be started, after a look at what it is",
    customUsage: ["<server> [--digest blake3:HEX] [--revoke]"],
    fullDescription: `Entries of a project's files start only once you trust them. Trust holds for
this folder and for exactly this entry: when anything in it changes, you are asked again. On a
terminal the entry is shown first; elsewhere its digest has to be given, from "server list --format
json". MCP_EXEC_TRUST=blake3:HEX trusts an entry for one command, without asking.

EXAMPLES
  mcp-exec server trust database
  mcp-exec server trust database --digest blake3:6f3d...
  mcp-exec server trust database --revoke`,
  },
  parameters: {
    flags: {
      digest: {
        ...textFlag("Trust the entry if this is its digest", "DIGEST"),
        parse: toEntryDigest,
      },
      revoke: switchFlag("Trust it no longer"),
    },
    positional: ONE,
  },
  async func({ digest, revoke }, name) {
    const { context, log, output } = this;
    const servers = await openServers(this, {});
    const spec = findServer(servers, name);
    if (spec.origin !== "project" || spec.digest === undefined) {
      throw new AppError("usage", `Server "${spec.name}" is not of a project's file`, {
        hint: "only those have to be trusted",
      });
    }
    const entry = { folder: context.cwd, digest: spec.digest, server: spec.name };
    const warn = (message: string) => log.warn(message);
    const done = (said: string, trusted: boolean) => {
      if (output.format !== "json") return output.print(said);
      output.document({ ok: true, server: spec.name, digest: spec.digest, trusted });
    };
    if (revoke) {
      if (digest !== undefined) throw new AppError("usage", "--revoke goes without --digest");
      const work = await withTrustStore(context, {
        warn,
        work: (store) => store.revoke(entry.folder, entry.digest),
      });
      const said = work ? "is no longer trusted here" : "was not trusted here";
      return done(`Server "${spec.name}" ${said}`, false);
    }
    if (!spec.untrusted) return done(`Server "${spec.name}" is trusted already`, true);
    await checkConsent(this, spec, digest);
    await withTrustStore(context, { warn, work: (store) => store.trust(entry) });
    done(`Server "${spec.name}" is trusted in this folder, as it is now`, true);
  },
});

/** Throws unless the digest that was given is the entry's, or a person says yes to what they see. */
async function checkConsent(
  { context }: Invocation,
  spec: ServerSpec,
  digest: string | undefined,
): Promise<void> {
  if (digest !== undefined) {
    if (equalDigests(digest, spec.digest!)) return;
    throw new AppError("untrusted", `Entry of server "${spec.name}" has another digest`, {
      detail: trustLines(spec),
      hint: "look at what it is now before you trust it",
    });
  }
  if (context.confirm === undefined) {
    throw new AppError("untrusted", `Server "${spec.name}" is trusted by its digest here`, {
      detail: trustLines(spec),
      hint: `mcp-exec server trust ${spec.name} --digest ${spec.digest}`,
    });
  }
  context.writeError(`${trustLines(spec).join("\n")}\n`);
  if (await context.confirm("Trust it in this folder?")) return;
  throw new AppError("untrusted", `Server "${spec.name}" was not trusted`);
}

/** The commands `server ...`. */
export const command: CommandGroup = {
  description: `Servers come from your own configuration, from the files of other clients, and from
the project in the current folder. Those of a project start only once you trust them.

EXAMPLES
  mcp-exec server list
  mcp-exec server info github
  mcp-exec server trust database`,
  commands: { list, info, trust },
};
