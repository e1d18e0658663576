// `config`: shows and changes our own configuration file. Servers are shown by `server`; nothing
// here prints a value of theirs.

import { buildCommand } from "@stricli/core";
import {
  commentedSetting,
  type ConfigFile,
  editConfig,
  explainedSetting,
  findSetting,
  parseSetting,
  readConfigFile,
  settingIn,
  SETTINGS,
} from "../config_file.ts";
import { AppError } from "../errors.ts";
import { cutText } from "../figure_views.ts";
import { argument, type CommandGroup, type Invocation, openServers } from "../flags.ts";
import { setInJson } from "../jsonc.ts";
import { countOf, toJson } from "../render.ts";
import type { Takeover } from "../server_changes.ts";
import { ownConfigFile, requireUnlocked } from "../servers.ts";
import { quoteText } from "../text.ts";

const KEY = argument("Name of a setting", "key");
const SETTINGS_CHANGED = "Settings changed";

function fileOf({ context, config }: Invocation): ConfigFile {
  return ownConfigFile(context, config);
}

const show = buildCommand<Record<never, never>, [], Invocation>({
  docs: {
    brief: "Show every setting, its value and whether the file sets it",
    fullDescription: `Shows the settings that hold for this user. "server list" shows the servers.

EXAMPLES
  mcp-exec config show
  mcp-exec config show --format json`,
  },
  parameters: {},
  async func() {
    const { output } = this;
    const file = fileOf(this);
    const { document, exists } = await readConfigFile(file);
    const settings = SETTINGS.map((setting) => {
      const value = settingIn(document, setting);
      const { key, fallback, brief } = setting;
      return { key, value: value ?? fallback, isSet: value !== undefined, brief };
    });
    if (output.format === "json") {
      return output.document({ ok: true, file: file.shownPath, exists, settings });
    }
    const servers = Object.keys((document["mcpServers"] ?? {}) as object).length;
    const width = Math.max(...settings.map(({ key }) => key.length));
    output.print([
      `${file.shownPath}${exists ? `, ${countOf(servers, "server")}` : ", not there yet"}`,
      ...settings.map(({ key, value, isSet, brief }) =>
        cutText(
          `  ${key.padEnd(width)}  ${shown(value).padEnd(10)}  ${
            isSet ? "set    " : "default"
          }  ${brief}`,
          output.width,
        )
      ),
    ].join("\n"));
  },
});

const get = buildCommand<Record<never, never>, [key: string], Invocation>({
  docs: {
    brief: "Print the value of a setting",
    fullDescription: `Prints what holds: the file's value, or the default.

EXAMPLES
  mcp-exec config get limits.timeout`,
  },
  parameters: { positional: { kind: "tuple", parameters: [KEY] } },
  async func(_flags, key) {
    const setting = findSetting(key);
    const { document } = await readConfigFile(fileOf(this));
    const value = settingIn(document, setting);
    if (this.output.format === "json") {
      this.output.document({
        ok: true,
        key,
        value: value ?? setting.fallback,
        isSet: value !== undefined,
      });
    } else this.output.print(shown(value ?? setting.fallback));
  },
});

function shown(value: unknown): string {
  return typeof value === "string" ? quoteText(value).slice(1, -1) : toJson(value);
}

const set = buildCommand<Record<never, never>, [key: string, value: string], Invocation>({
  docs: {
    brief: "Change a setting in your configuration file",
    fullDescription: `Changes one setting; comments in the file stay. The file is made when there is
none. A value that could not be used is refused, and the file stays as it was.

EXAMPLES
  mcp-exec config set limits.timeout 2m
  mcp-exec config set policy.default deny
  mcp-exec config set cache.tools 'docs/get_*, github/list_*'
  mcp-exec config set limits.rate '[{"tool": "github/*", "perSecond": 5}]'
  mcp-exec config set journal.payloads true`,
  },
  parameters: {
    positional: { kind: "tuple", parameters: [KEY, argument("Its new value", "value")] },
  },
  async func(_flags, key, text) {
    const setting = findSetting(key);
    const value = parseSetting(setting, text);
    if (key === "validate.ignore") await requireRuleNames(value);
    await requireUnlocked(this.context, { config: this.config, what: SETTINGS_CHANGED });
    const file = fileOf(this);
    const insteadOf = commentedSetting(setting);
    await editConfig(file, (before) => setInJson(before, key.split("."), value, { insteadOf }));
    done(this, { key, value, said: `${key} is ${shown(value)} in ${file.shownPath}` });
  },
});

// Reading the file takes any names: only who changes them here, or validates, is told of a wrong one.
async function requireRuleNames(value: unknown): Promise<void> {
  const { requireRules } = await import("../server_lint.ts");
  requireRules([value].flat().filter((item) => typeof item === "string"));
}

const unset = buildCommand<Record<never, never>, [key: string], Invocation>({
  docs: {
    brief: "Go back to the default of a setting",
    fullDescription: `Takes one setting out of the file.

EXAMPLES
  mcp-exec config unset limits.timeout`,
  },
  parameters: { positional: { kind: "tuple", parameters: [KEY] } },
  async func(_flags, key) {
    const setting = findSetting(key);
    await requireUnlocked(this.context, { config: this.config, what: SETTINGS_CHANGED });
    const file = fileOf(this);
    const { document, exists } = await readConfigFile(file);
    if (exists && settingIn(document, setting) !== undefined) {
      const insteadOf = commentedSetting(setting);
      const explainedBy = explainedSetting(setting);
      await editConfig(
        file,
        (before) =>
          setInJson(before, key.split("."), undefined, { insteadOf, explainedBy, withGroup: true }),
      );
    }
    const value = setting.fallback;
    done(this, { key, value, said: `${key} is ${shown(value)}, the default` });
  },
});

function done(
  { output }: Invocation,
  { key, value, said }: { key: string; value: unknown; said: string },
): void {
  if (output.format === "json") output.document({ ok: true, key, value });
  else output.print(said);
}

const path = buildCommand<Record<never, never>, [], Invocation>({
  docs: {
    brief: "Print where your configuration file is",
    fullDescription: `Prints the path, whether the file is there or not.

EXAMPLES
  mcp-exec config path
  \${EDITOR:-vi} "$(mcp-exec config path)"`,
  },
  parameters: {},
  async func() {
    const { path, shownPath } = fileOf(this);
    if (this.output.format !== "json") return this.output.print(path);
    const { exists } = await readConfigFile({ path, shownPath });
    this.output.document({ ok: true, path, exists });
  },
});

const init = buildCommand<Record<never, never>, [], Invocation>({
  docs: {
    brief: "Write a configuration file with every setting explained",
    fullDescription:
      `Writes a file in which every setting stands in a comment with its default. On a
terminal you are asked first, and about the few things that are worth a thought: servers of your
other clients, calls that no rule names, what the journal keeps. A file that is there is left alone.

EXAMPLES
  mcp-exec config init`,
  },
  parameters: {},
  async func() {
    const { context, output } = this;
    const file = fileOf(this);
    const refuseIf = (exists: boolean) => {
      if (!exists) return;
      throw new AppError("usage", `Config ${quoteText(file.shownPath)} is there already`, {
        hint: "mcp-exec config set changes it",
      });
    };
    refuseIf((await readConfigFile(file)).exists);
    await requireUnlocked(context, { config: this.config, what: "Configuration files written" });
    const chosen = new Map<string, unknown>();
    if (context.confirm !== undefined) {
      if (!await context.confirm(`Write ${file.shownPath}?`)) {
        throw new AppError("usage", "Nothing was written");
      }
      for (const { question, key, value } of QUESTIONS) {
        if (await context.confirm(question)) chosen.set(key, value);
      }
    }
    await editConfig(file, (_text, { exists }) => {
      // Somebody may have made it while the questions stood there.
      refuseIf(exists);
      return initialText(chosen);
    });
    const takeovers = context.confirm === undefined ? [] : await askForServers(this);
    if (takeovers.length > 0) {
      const { importServers } = await import("../server_changes.ts");
      await importServers(context, { file, takeovers });
    }
    const servers = takeovers.map(({ name }) => name);
    if (output.format === "json") return output.document({ ok: true, path: file.path, servers });
    const copied = servers.length === 0 ? "" : `, with ${countOf(servers.length, "server")}`;
    output.print(`Wrote ${file.shownPath}${copied}`);
  },
});

/** What a person is asked: yes sets the value. */
const QUESTIONS: readonly { question: string; key: string; value: unknown }[] = [
  {
    question: "Refuse calls that no rule allows? No: all are allowed until a rule denies them",
    key: "policy.default",
    value: "deny",
  },
  {
    question: "Keep arguments and results of calls whole in the journal, not as digests?",
    key: "journal.payloads",
    value: true,
  },
];

/** The servers of other clients that a person wants copied; the project's are left where they are. */
async function askForServers(invocation: Invocation): Promise<readonly Takeover[]> {
  const { context } = invocation;
  const servers = await openServers(invocation, {});
  const { planImport } = await import("../server_changes.ts");
  const takeovers = await planImport(fileOf(invocation), { name: undefined, servers, move: false })
    .catch(() => []);
  if (takeovers.length === 0) return [];
  const names = takeovers.slice(0, 10).map(({ name }) => name).join(", ");
  const more = takeovers.length > 10 ? ` and ${takeovers.length - 10} more` : "";
  context.writeError(
    `Your other clients have ${countOf(takeovers.length, "server")}: ${names}${more}\n`,
  );
  const question = "Copy them? They can be used without, too, as long as they stand there";
  return await context.confirm!(question) ? takeovers : [];
}

/** A file that says nothing but what was chosen, with the rest as comments. */
function initialText(chosen: ReadonlyMap<string, unknown>): string {
  const groups = Map.groupBy(SETTINGS, ({ key }) => key.split(".")[0]!);
  const parts = [...groups].map(([group, settings]) => {
    const lines = settings.flatMap((setting, index) => {
      const { key } = setting;
      const comma = index < settings.length - 1 ? "," : "";
      const name = JSON.stringify(key.slice(group.length + 1));
      const line = chosen.has(key)
        ? `    ${name}: ${JSON.stringify(chosen.get(key))}`
        : commentedSetting(setting);
      return [explainedSetting(setting), `${line}${comma}`];
    });
    return `  ${JSON.stringify(group)}: {\n${lines.join("\n")}\n  }`;
  });
  return `{
  // Servers, as every MCP client writes them; those of other clients are found without being here.
  // "name": { "command": "npx", "args": ["-y", "package"], "env": { "TOKEN": "\${TOKEN}" } }
  // "name": { "url": "https://...", "headers": { "Authorization": "Bearer \${TOKEN}" } }
  "mcpServers": {},
${parts.join(",\n")}
}
`;
}

/** The commands `config ...`. */
export const command: CommandGroup = {
  description: `Settings stand in one file, JSON with comments, beside your servers.

EXAMPLES
  mcp-exec config show
  mcp-exec config set limits.timeout 2m
  mcp-exec config path`,
  commands: { show, get, set, unset, init, path },
};
