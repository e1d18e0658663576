// `server`: which servers there are and where they come from, which entries of a project may be
// started, and changes to our own. Never shows the value of a variable or header.

import { buildCommand } from "@stricli/core";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import {
  argument,
  choiceFlag,
  type CommandGroup,
  type Invocation,
  isServerUrl,
  listFlag,
  openServers,
  SERVER_FLAGS,
  type ServerFlagValues,
  switchFlag,
  textFlag,
  trustLines,
} from "../flags.ts";
import { equalDigests } from "../hash.ts";
import { login, logout } from "../login_commands.ts";
import { toServerName } from "../names.ts";
import { refuseUnattended } from "../policy_layers.ts";
import { countOf, formatAge } from "../render.ts";
import type { ServerSpec } from "../server.ts";
import {
  findServer,
  ownConfigFile,
  readHeaders,
  readIndex,
  readVariables,
  requireUnlocked,
  type ServerSet,
  withTrustStore,
} from "../servers.ts";
import { serverLines, serverTable, type ServerView, viewServers } from "../server_views.ts";
import { cleanLine, maskHome, quoteText } from "../text.ts";
import { toEntryDigest } from "../trust.ts";
import { addCommand } from "../well_known.ts";

const NAME = argument("Name of a server", "server");
const SERVERS_CHANGED = "Configured servers changed";

/** A positional argument that must be there. */
const ONE = { kind: "tuple", parameters: [NAME] } as const;

const list = buildCommand<Record<never, never>, [], Invocation>({
  docs: {
    brief: "Show every server, where it comes from, and whether it can be used",
    fullDescription: `Shows the servers of your own configuration, of other clients (Claude Code,
Claude Desktop, Cursor, VS Code, Windsurf, Codex, Gemini CLI, Zed, OpenCode, Goose) and of the
project. Connects to none. A state is one of:

  ready      can be used
  needs VAR  a variable of its entry is not set ("unset" in JSON)
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
    const views = viewServers(await openServers(this, {}), this.context.env);
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
    const view = findView(servers, name, this.context);
    const { output, context, log } = this;
    const spec = servers.specs.get(view.name as ServerSpec["name"]);
    const warn = (message: string) => log.warn(message);
    const saved = spec && spec.transport !== "embedded"
      ? await readIndex(context, { spec, warn })
      : undefined;
    const known = saved && {
      identity: saved.info.identity,
      protocolVersion: saved.info.protocolVersion,
      tools: saved.info.tools.length,
      savedAt: saved.savedAt,
    };
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

function findView(servers: ServerSet, name: string, { env }: Context): ServerView {
  const views = viewServers(servers, env);
  const view = views.find((item) => item.name === name && item.state !== "shadowed") ??
    views.find((item) => item.name === name);
  if (view !== undefined) return view;
  findServer(servers, name);
  throw new AppError("usage", `Server ${quoteText(name)} is not configured`);
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
    refuseUnattended(context, servers.policy, "Entries trusted");
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
    throw new AppError(
      "untrusted",
      `Trust in server "${spec.name}" needs --digest: there is no terminal to ask on`,
      {
        detail: trustLines(spec),
        hint: `mcp-exec server trust ${spec.name} --digest ${spec.digest}`,
      },
    );
  }
  context.writeError(`${trustLines(spec).join("\n")}\n`);
  if (await context.confirm("Trust it in this folder?")) return;
  throw new AppError("untrusted", `Server "${spec.name}" was not trusted`);
}

const READ_ONLY = ["read-only"] as const;

interface ValidateFlags extends ServerFlagValues {
  readonly all?: boolean | undefined;
  readonly strict?: boolean | undefined;
  readonly ignore?: readonly string[] | undefined;
  readonly rules?: boolean | undefined;
  readonly emitPolicy?: "read-only" | undefined;
  readonly output?: string | undefined;
}

const validate = buildCommand<ValidateFlags, string[], Invocation>({
  docs: {
    brief: "Connect to servers and say what is wrong with them",
    customUsage: [
      "[server]... [--all] [--strict] [--ignore [SERVER/]RULE[:TOOL]]... [server flags]",
      "[server]... [--all] --emit-policy read-only [--output FILE]",
      "--rules",
    ],
    fullDescription: `Connects, reads the tools, ends the connection; calls none. Says how long each
took, which protocol is spoken, what the tools cost a client in tokens, and what the rules find:
schemas and annotations that are missing, names that clients refuse, texts that hide something or
give orders, noise, packages without a version. Exits with 1 for errors and warnings, with --strict
for what is only worth knowing, too; with 3 when a server is not reached. What "validate.ignore" of
the configuration lists is left out, too.

With --emit-policy read-only it prints a policy that allows, one by one, the tools that say they only
read, and denies all others: to be reviewed and copied into the configuration by you.

EXAMPLES
  mcp-exec server validate github
  mcp-exec server validate --all --format json
  mcp-exec server validate github --ignore no-annotations --ignore heavy-tool:search_code
  mcp-exec server validate --stdio "npx -y my-server@1.0.0" --strict
  mcp-exec server validate github --emit-policy read-only --output policy.json
  mcp-exec server validate --rules`,
  },
  parameters: {
    flags: {
      all: switchFlag("Every server that may be used, several at a time"),
      strict: switchFlag("Fail for findings of any severity"),
      ignore: listFlag("Leave a rule out, or one of a server or tool", "RULE"),
      rules: switchFlag("List the rules, connect to nothing"),
      emitPolicy: choiceFlag("Print a policy that allows what says it only reads", READ_ONLY),
      output: textFlag("New file for the policy", "FILE"),
      ...SERVER_FLAGS,
    },
    positional: { kind: "array", parameter: argument("Names or URLs of servers", "server") },
  },
  async func(flags, ...names) {
    const [{ ruleDocuments, ruleLines, validateServers }, { requireRules, rulesIgnoredBy }] =
      await Promise.all([import("../server_validate.ts"), import("../server_lint.ts")]);
    if (flags.rules) {
      if (this.output.format !== "json") return this.output.print(ruleLines().join("\n"));
      return this.output.document({ ok: true, rules: ruleDocuments() });
    }
    if (flags.all && names.length > 0) {
      throw new AppError("usage", "--all goes without names of servers");
    }
    if (flags.output !== undefined && flags.emitPolicy === undefined) {
      throw new AppError("usage", "--output goes with --emit-policy");
    }
    const servers = await openServers(this, flags, flags.all ? undefined : names);
    const named = names.filter((name) => !isServerUrl(name)).map((name) =>
      findServer(servers, name)
    );
    const adHoc = servers.adHoc.map((name) => servers.specs.get(name)!);
    const all = [...servers.specs.values()].filter(({ untrusted }) => !untrusted);
    const specs = flags.all ? all : [...new Set([...named, ...adHoc])];
    if (specs.length === 0) {
      throw new AppError("usage", "No server is named", { hint: "name some, or give --all" });
    }
    const ignored = (flags.ignore ?? []).flatMap((text) => text.split(","));
    requireRules(ignored);
    const byFile = rulesIgnoredBy(servers.config, (message) => this.log.warn(message));
    await validateServers(this, specs, {
      ignored: [...byFile, ...ignored],
      strict: flags.strict === true,
      ...(flags.emitPolicy !== undefined && { policy: { file: flags.output } }),
    });
  },
});

interface AddFlags {
  readonly env?: readonly string[] | undefined;
  readonly header?: readonly string[] | undefined;
  readonly force?: boolean | undefined;
}

const add = buildCommand<AddFlags, string[], Invocation>({
  docs: {
    brief: "Add a server to your configuration",
    customUsage: [
      '<name> <URL> [--header "NAME: VALUE"]... [--force]',
      "<name> [--env NAME=VALUE]... [--force] -- <command> [args]...",
    ],
    fullDescription: `Writes a server into your configuration file, in the shape every client uses;
comments in the file stay. Connects to nothing. \${NAME} in a value is put in from the environment
when the server is connected to, so that no secret has to stand in the file.

EXAMPLES
  mcp-exec server add memory -- npx -y @modelcontextprotocol/server-memory
  mcp-exec server add docs https://example.com/mcp
  mcp-exec server add github https://api.githubcopilot.com/mcp/ --header 'Authorization: Bearer \${GITHUB_TOKEN}'`,
  },
  parameters: {
    flags: {
      env: listFlag("Variable for its process", "NAME=VALUE"),
      header: listFlag("Header of its requests", '"NAME: VALUE"'),
      force: switchFlag("Replace the server of that name"),
    },
    positional: {
      kind: "array",
      parameter: argument("Name, then URL or command", "name"),
      minimum: 1,
    },
  },
  async func({ env, header, force }, given, target, ...args) {
    const name = toServerName(given!);
    if (target === undefined) {
      throw new AppError("usage", `Server "${name}" needs a URL, or a command behind "--"`, {
        hint: addCommand(name) ?? "mcp-exec server add --help shows examples",
      });
    }
    const isUrl = isServerUrl(target);
    if (!isUrl && /^[a-z][a-z0-9+.-]*:\/\//i.test(target)) {
      throw new AppError("usage", `URL of server "${name}" must begin with http:// or https://`);
    }
    if (isUrl && args.length > 0) {
      throw new AppError("usage", "A URL stands alone", { hint: "headers are given by --header" });
    }
    if (isUrl && env !== undefined) throw new AppError("usage", "--env goes with a command");
    if (!isUrl && header !== undefined) throw new AppError("usage", "--header goes with a URL");
    await requireUnlocked(this.context, { config: this.config, what: SERVERS_CHANGED });
    const headers = readHeaders(header ?? []);
    const variables = readVariables(env ?? []);
    const entry = isUrl
      ? { url: target, ...(header !== undefined && { headers }) }
      : { command: target, args, ...(env !== undefined && { env: variables }) };
    const file = ownConfigFile(this.context, this.config);
    const { addServer } = await import("../server_changes.ts");
    await addServer(file, { name, entry, force: force === true });
    const { output, log } = this;
    const literal = Object.entries({ ...headers, ...variables }).filter(([, value]) =>
      !value.includes("${")
    );
    for (const [key] of literal) {
      log.info(`The value of ${quoteText(key)} now stands in the file; \${NAME} keeps it out`);
    }
    if (output.format === "json") output.document({ ok: true, server: name, file: file.path });
    else output.print(`Added "${name}" to ${file.shownPath}`);
  },
});

const remove = buildCommand<Record<never, never>, [server: string], Invocation>({
  docs: {
    brief: "Take a server out of your configuration",
    fullDescription: `Removes a server from your configuration file; those of other clients stay.

EXAMPLES
  mcp-exec server remove memory`,
  },
  parameters: { positional: ONE },
  async func(_flags, name) {
    const file = ownConfigFile(this.context, this.config);
    const servers = await openServers(this, {}, [name]);
    refuseUnattended(this.context, servers.policy, SERVERS_CHANGED);
    const { removeServer } = await import("../server_changes.ts");
    await removeServer(file, { name, servers });
    if (this.output.format === "json") this.output.document({ ok: true, server: name });
    else this.output.print(`Removed "${name}" from ${file.shownPath}`);
  },
});

interface ImportFlags {
  readonly move?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

const takeOver = buildCommand<ImportFlags, [server?: string], Invocation>({
  docs: {
    brief: "Copy a server of another client into your configuration, or move it",
    customUsage: ["[server] [--move [--yes]] [--dry-run]"],
    fullDescription:
      `Copies an entry, or all of your clients' entries, into your configuration file.
With --move the client's own entry is switched off, or taken out where it knows no switch, so that
the client no longer loads all its tools: the changes are shown and you are asked, and a copy of the
client's file is kept beside it. A project's file is never changed. What a client has in one folder
alone you have in every folder then: the changes say so.

EXAMPLES
  mcp-exec server import github
  mcp-exec server import github --move
  mcp-exec server import --dry-run`,
  },
  parameters: {
    flags: {
      move: switchFlag("Switch the entry off in its client"),
      dryRun: switchFlag("Show what would change, and change nothing"),
      yes: switchFlag("Change the client's file without asking"),
    },
    positional: { kind: "tuple", parameters: [{ ...NAME, optional: true }] },
  },
  async func({ move, dryRun, yes }, name) {
    const { context, output } = this;
    if (yes && !move) throw new AppError("usage", "--yes goes with --move");
    const file = ownConfigFile(context, this.config);
    const servers = await openServers(this, {});
    if (!dryRun) refuseUnattended(context, servers.policy, SERVERS_CHANGED);
    const { importServers, planImport } = await import("../server_changes.ts");
    const takeovers = await planImport(file, { name, servers, move: move === true });
    const diff = takeovers.flatMap((takeover) => takeover.diff);
    // Those of a project are named whenever its files are read.
    for (const { problem, file } of name === undefined ? servers.found : []) {
      if (problem !== undefined && file.scope === "user") this.log.warn(problem.message);
    }
    if (move && !dryRun && !yes && diff.length > 0) {
      if (context.confirm === undefined) {
        throw new AppError("usage", "Nothing was changed: nobody can be asked", {
          detail: diff,
          hint: "look at the changes, then give --yes",
        });
      }
      context.writeError(`${diff.join("\n")}\n`);
      if (!await context.confirm("Change these files?")) {
        throw new AppError("usage", "Nothing was changed");
      }
    }
    const kept = dryRun ? [] : await importServers(context, { file, takeovers });
    const backups = kept.map((path) => maskHome(path, context.paths.home));
    if (output.format === "json") {
      const done = takeovers.map(({ name, added, moved }) => ({
        name,
        added: added !== undefined,
        switchedOff: moved.map(({ file, shownPath }) => ({ client: file.title, file: shownPath })),
      }));
      return output.document({ ok: true, dryRun: dryRun === true, servers: done, diff, backups });
    }
    if (takeovers.length === 0) return output.print("No server of another client to import");
    if (!move || dryRun || yes) output.print(diff.join("\n"));
    if (dryRun) return;
    const names = takeovers.map((takeover) => `"${takeover.name}"`).join(", ");
    output.print(`${move ? "Moved" : "Imported"} ${names}`);
    for (const backup of backups) output.print(`What was there is kept in ${backup}`);
  },
});

/** The commands `server ...`. */
export const command: CommandGroup = {
  description: `Servers come from your own configuration, from the files of other clients, and from
the project in the current folder. Those of a project start only once you trust them.

EXAMPLES
  mcp-exec server list
  mcp-exec server add memory -- npx -y @modelcontextprotocol/server-memory
  mcp-exec server trust database`,
  commands: { list, info, validate, trust, add, remove, import: takeOver, login, logout },
};
