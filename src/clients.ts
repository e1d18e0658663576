// The one table of the programs that keep MCP servers in files of their own: where those files are
// on each platform, and how an entry of theirs reads in our shape. Opens nothing.

import type { Context, Environment } from "./context.ts";
import { AppError } from "./errors.ts";
import { isObject, type JsonObject } from "./server.ts";
import { maskHome, quoteText } from "./text.ts";

/** A file in which a client may keep servers. */
export interface ClientFile {
  readonly client: string;
  /** What the client calls itself. */
  readonly title: string;
  /** Files of a project are not the person's own: what they name has to be trusted first. */
  readonly scope: "user" | "project";
  /** Tells entries of one name apart: the client, or where in a project the file is. */
  readonly tag: string;
  readonly path: string;
  readonly syntax: "json" | "toml" | "yaml";
  /** Where in `document` the client has entries by name; of two with one name the later holds. */
  placesOf(document: JsonObject): readonly (readonly string[])[];
  /** What switches off an entry at `keys`; undefined where a client knows only what is there. */
  off(keys: readonly string[]): readonly [key: string, value: boolean] | undefined;
  /** The folder, as it is shown, in which alone an entry at `keys` holds. */
  folderOf(keys: readonly string[]): string | undefined;
  /**
   * An entry in our shape; undefined for what is no server of its own, such as an extension of the
   * client. Throws an `invalid` error for what only the client can start.
   */
  toEntry(entry: JsonObject): JsonObject | undefined;
  /** An entry of the client that starts a program. */
  newEntry(program: Program): JsonObject;
}

/** A program to start, and what with. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** What the files of clients depend on. */
export type ClientPlace = Pick<Context, "env" | "cwd" | "platform" | "paths">;

interface Folders {
  readonly env: Environment;
  readonly home: string;
  /** Where applications of the platform keep settings. */
  readonly application: string;
  /** Where programs keep settings that follow XDG on every system but Windows. */
  readonly config: string;
  readonly isWindows: boolean;
}

interface Client {
  readonly id: string;
  readonly title: string;
  readonly user: (folders: Folders) => readonly string[];
  /** Paths below a project. */
  readonly project: readonly string[];
  readonly syntax?: ClientFile["syntax"];
  readonly places: (cwd: string, document: JsonObject) => readonly (readonly string[])[];
  readonly off?: ClientFile["off"];
  /** Whether an entry at `keys` of the person's own file holds in `cwd` alone. */
  readonly isOfFolder?: (keys: readonly string[]) => boolean;
  readonly toEntry: ClientFile["toEntry"];
  /** Where an entry is not just command and arguments. */
  readonly newEntry?: ClientFile["newEntry"];
}

const CLIENTS: readonly Client[] = [
  {
    id: "mcp-exec",
    title: "mcp-exec",
    user: () => [],
    project: [".mcp-exec.json"],
    places: () => [["mcpServers"]],
    toEntry: (entry) => entry,
  },
  {
    id: "claude-code",
    title: "Claude Code",
    user: ({ env, home }) => [`${env.get("CLAUDE_CONFIG_DIR") || home}/.claude.json`],
    project: [".mcp.json"],
    // What was added for this folder alone goes before what holds everywhere.
    places: (cwd) => [
      ["mcpServers"],
      ["projects", cwd.replaceAll("\\", "/"), "mcpServers"],
      ["projects", cwd, "mcpServers"],
    ],
    isOfFolder: ([first]) => first === "projects",
    toEntry: (entry) => withMilliseconds(entry),
  },
  {
    id: "claude-desktop",
    title: "Claude Desktop",
    user: ({ application }) => [`${application}/Claude/claude_desktop_config.json`],
    project: [],
    places: () => [["mcpServers"]],
    toEntry: (entry) => withMilliseconds(entry),
  },
  {
    id: "cursor",
    title: "Cursor",
    user: ({ home }) => [`${home}/.cursor/mcp.json`],
    project: [".cursor/mcp.json"],
    places: () => [["mcpServers"]],
    toEntry: (entry) => withMilliseconds(entry),
  },
  {
    id: "vscode",
    title: "VS Code",
    user: ({ application }) => [`${application}/Code/User/mcp.json`],
    project: [".vscode/mcp.json"],
    places: () => [["servers"]],
    toEntry: (entry) => withMilliseconds(entry),
    newEntry: ({ command, args }) => ({ type: "stdio", command, args }),
  },
  {
    id: "windsurf",
    title: "Windsurf",
    user: ({ home }) => [`${home}/.codeium/windsurf/mcp_config.json`],
    project: [],
    places: () => [["mcpServers"]],
    off: () => ["disabled", true],
    toEntry: (entry) => withMilliseconds(entry),
  },
  {
    id: "codex",
    title: "Codex",
    user: ({ env, home }) => [`${env.get("CODEX_HOME") || `${home}/.codex`}/config.toml`],
    project: [".codex/config.toml"],
    syntax: "toml",
    places: () => [["mcp_servers"]],
    off: () => ["enabled", false],
    toEntry: fromCodex,
  },
  {
    id: "gemini",
    title: "Gemini CLI",
    user: ({ home }) => [`${home}/.gemini/settings.json`],
    project: [".gemini/settings.json"],
    places: () => [["mcpServers"]],
    toEntry: (entry) =>
      mapTexts(
        withMilliseconds(entry),
        (text) => text.replace(/\$(?=[A-Za-z_])([A-Za-z0-9_]+)/g, "${$1}"),
      ),
  },
  {
    id: "zed",
    title: "Zed",
    user: ({ application, config, isWindows }) => [
      isWindows ? `${application}/Zed/settings.json` : `${config}/zed/settings.json`,
    ],
    project: [".zed/settings.json"],
    places: () => [["context_servers"]],
    off: () => ["enabled", false],
    toEntry: fromZed,
    newEntry: ({ command, args }) => ({ source: "custom", command, args, env: {} }),
  },
  {
    id: "opencode",
    title: "OpenCode",
    user: ({ home, config, isWindows }) =>
      ["opencode.json", "opencode.jsonc"].map((name) =>
        `${isWindows ? `${home}/.config` : config}/opencode/${name}`
      ),
    project: ["opencode.json", "opencode.jsonc", ".opencode/opencode.json"],
    // Its second version moved the servers one level down, and turned the switch round.
    places: (_, document) => {
      const servers = objectAt(document, ["mcp", "servers"]);
      const isEntry = "type" in servers || Object.keys(servers).length === 0;
      return [isEntry ? ["mcp"] : ["mcp", "servers"]];
    },
    off: (keys) => keys.length > 1 ? ["disabled", true] : ["enabled", false],
    toEntry: fromOpenCode,
    // On without a word, in either version.
    newEntry: ({ command, args }) => ({ type: "local", command: [command, ...args] }),
  },
  {
    id: "goose",
    title: "Goose",
    user: ({ application, home, isWindows }) => [
      isWindows
        ? `${application}/Block/goose/config/config.yaml`
        : `${home}/.config/goose/config.yaml`,
    ],
    project: [],
    syntax: "yaml",
    places: () => [["extensions"]],
    off: () => ["enabled", false],
    toEntry: fromGoose,
    newEntry: ({ command, args }) => ({
      name: "mcp-exec",
      type: "stdio",
      enabled: true,
      cmd: command,
      args,
    }),
  },
];

/** The entries of a client's document by the client's names. */
export function entriesOf(file: Pick<ClientFile, "placesOf">, document: JsonObject): JsonObject {
  return Object.assign(
    Object.create(null),
    ...file.placesOf(document).map((keys) => objectAt(document, keys)),
  );
}

/** Every file that may hold servers: the person's own first, then those of the project in `cwd`. */
export function clientFiles(place: ClientPlace): ClientFile[] {
  const folders = foldersOf(place);
  const files = (scope: ClientFile["scope"]) =>
    CLIENTS.flatMap((client) => {
      const paths = scope === "project"
        ? client.project.map((path) => `${place.cwd}/${path}`)
        : folders === undefined
        ? []
        : client.user(folders);
      return paths.map((path): ClientFile => ({
        client: client.id,
        title: client.title,
        scope,
        tag: scope === "user"
          ? client.id
          : /^(?:mcp-exec|claude-code)$/.test(client.id)
          ? "project"
          : `${client.id}-project`,
        path,
        syntax: client.syntax ?? "json",
        placesOf: (document) => client.places(place.cwd, document),
        off: client.off ?? (() => undefined),
        folderOf: (keys) =>
          scope === "project" || client.isOfFolder?.(keys)
            ? maskHome(place.cwd, place.paths.home)
            : undefined,
        toEntry: (entry) => client.toEntry(withPlaces(entry, place)),
        newEntry: client.newEntry ?? (({ command, args }) => ({ command, args })),
      }));
    });
  return [...files("user"), ...files("project")];
}

function foldersOf({ env, platform, paths }: ClientPlace): Folders | undefined {
  const { home } = paths;
  if (home === undefined) return undefined;
  const config = env.get("XDG_CONFIG_HOME") || `${home}/.config`;
  const application = platform === "windows"
    ? env.get("APPDATA") || `${home}/AppData/Roaming`
    : platform === "darwin"
    ? `${home}/Library/Application Support`
    : config;
  return { env, home, application, config, isWindows: platform === "windows" };
}

/** The object at a path of keys; an empty one where there is none. */
export function objectAt(document: JsonObject, keys: readonly string[]): JsonObject {
  let value: unknown = document;
  for (const key of keys) {
    value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }
  return isObject(value) ? value : {};
}

/** `value` with every text in it changed, names of members not. Depth is bounded by the reader. */
function mapTexts<Value>(value: Value, change: (text: string) => string): Value {
  const map = (item: unknown): unknown =>
    typeof item === "string"
      ? change(item)
      : Array.isArray(item)
      ? item.map(map)
      : isObject(item)
      ? Object.fromEntries(Object.entries(item).map(([key, member]) => [key, map(member)]))
      : item;
  return map(value) as Value;
}

// Editors know where they are; what they would ask a person for comes from a variable here.
function withPlaces(entry: JsonObject, { cwd, paths, env, platform }: ClientPlace): JsonObject {
  const places: Readonly<Record<string, string>> = {
    workspaceFolder: cwd,
    workspaceFolderBasename: cwd.replace(/^.*[\\/](?=.)/s, ""),
    userHome: paths.home ?? "~",
    pathSeparator: platform === "windows" ? "\\" : "/",
    "/": platform === "windows" ? "\\" : "/",
  };
  return mapTexts(
    entry,
    (text) =>
      text.replace(/\$\{(input|command|config):([^{}]*)\}/g, (_, kind: string, id: string) => {
        const variable = `MCP_EXEC_INPUT_${id.toUpperCase().replace(/[^A-Z0-9]+/g, "_")}`;
        if (kind === "input" && env.get(variable)) return `\${${variable}}`;
        const asks = kind === "input" ? "asks a person for" : `takes from its ${kind}s`;
        throw new AppError(
          "invalid",
          `its client ${asks} the value ${quoteText(id.slice(0, 60))}`,
          {
            hint: kind === "input"
              ? `set ${variable}, or add the server to your own configuration: mcp-exec server add`
              : "add it to your own configuration: mcp-exec server add",
          },
        );
      }).replace(
        /\$\{([A-Za-z]+|\/)\}/g,
        (whole, name: string) => Object.hasOwn(places, name) ? places[name]! : whole,
      ),
  );
}

/** An entry whose `timeout` is in milliseconds, as it is with most clients. */
function withMilliseconds(entry: JsonObject): JsonObject {
  if (typeof entry["envFile"] === "string") {
    throw new AppError("invalid", `its "envFile" is read by its client alone`);
  }
  const { timeout, ...rest } = entry;
  return { ...rest, ...deadline(timeout, 1) };
}

// Longer deadlines than a day are the same as none.
function deadline(value: unknown, unitMs: number): { timeout?: string } {
  const ms = typeof value === "number" ? Math.floor(value * unitMs) : 0;
  return ms >= 1 && ms <= 24 * 3_600_000 ? { timeout: `${ms}ms` } : {};
}

function fromCodex(entry: JsonObject): JsonObject {
  const { env_vars: names, bearer_token_env_var: token, ...rest } = entry;
  const forwarded = (Array.isArray(names) ? names : []).map((item) =>
    isObject(item) ? item["name"] : item
  ).filter((name) => typeof name === "string");
  const seconds = entry["tool_timeout_sec"] ?? entry["startup_timeout_sec"];
  const fromVariables = Object.entries(objectAt(entry, ["env_http_headers"])).map((
    [name, variable],
  ) => [name, `\${${variable}}`] as const);
  return {
    ...rest,
    env: {
      ...Object.fromEntries(forwarded.map((name) => [name, `\${${name}:-}`])),
      ...objectAt(entry, ["env"]),
    },
    headers: {
      ...objectAt(entry, ["http_headers"]),
      ...Object.fromEntries(fromVariables),
      ...(typeof token === "string" && { Authorization: `Bearer \${${token}}` }),
    },
    ...deadline(seconds, 1000),
  };
}

function fromZed(entry: JsonObject): JsonObject | undefined {
  const { command, timeout: _, ...rest } = entry;
  // What an extension brings along is not in the file.
  if (command === undefined && rest["url"] === undefined) return undefined;
  return isObject(command)
    ? {
      ...rest,
      command: command["path"],
      args: command["args"] ?? [],
      env: command["env"] ?? {},
    }
    : { ...rest, ...(command !== undefined && { command }) };
}

function fromOpenCode(entry: JsonObject): JsonObject {
  const { command, environment, ...rest } = mapTexts(entry, (text) => {
    if (text.includes("{file:")) {
      throw new AppError("invalid", "it takes a value from a file that its client reads");
    }
    return text.replace(/\{env:([A-Za-z_][A-Za-z0-9_]*)\}/g, "${$1:-}");
  });
  const [program, ...args] = Array.isArray(command) ? command : [command];
  return withMilliseconds({
    ...rest,
    ...(program !== undefined && { command: program, args }),
    ...(environment !== undefined && { env: environment }),
  });
}

function fromGoose(entry: JsonObject): JsonObject | undefined {
  // Older files have everything but `enabled` one level down.
  const { type, cmd, uri, envs, env_keys: keys, timeout, ...rest } = {
    ...entry,
    ...objectAt(entry, ["config"]),
  } as JsonObject;
  if (!["stdio", "sse", "streamable_http"].includes(String(type))) return undefined;
  const secrets = (Array.isArray(keys) ? keys : []).map((key) => [key, `\${${key}}`] as const);
  return {
    ...rest,
    enabled: entry["enabled"],
    ...(cmd !== undefined && { command: cmd }),
    ...(uri !== undefined && { url: uri }),
    env: { ...Object.fromEntries(secrets), ...(isObject(envs) ? envs : {}) },
    ...deadline(timeout, 1000),
  };
}
