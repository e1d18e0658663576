// What a specifier means inside the sandbox, the sources behind it made ready for the engine, and
// the way back from an engine's stack to the author's line. The virtual files are all it can see.

import type { ModuleAnswer } from "./engine.ts";
import { AppError, type SourcePosition } from "./errors.ts";
import { nearestNames } from "./names.ts";
import { ENTRY_MODULE, HOST_MODULE, PRELUDE_NAME } from "./prelude.ts";
import type { MissingFunction, ServerFunctions } from "./messages.ts";
import { type PreparedSource, prepareOnce, sourceFrame, type StripMode } from "./source.ts";
import { cleanLine, quoteText } from "./text.ts";
import { normalizePath } from "./vfs.ts";

const SERVERS = "/mcp-tools/servers/";
/** A file of the package of a server that is known by its functions: its name and its stem. */
const PACKAGE_FILE = /^\/mcp-tools\/servers\/([^/]+)\/(\w+)\.ts$/;
/** Ends the name of a package's module that has only some of the functions. */
const PART = "?";
const NO_EXPORT = /^Could not find export '(.{1,2000})' in module '(.{1,5000})'$/s;
/** The code of a skill, whichever way it is named: it is kept as one module of JavaScript. */
const SKILL_CODE = /^(\/mcp-tools\/skills\/[^/]+\/)(?:index\.ts|program\.ts|module\.js)$/;
/** The file of a generated package that stands for the host's functions. */
const HOST_FILE = /^\/mcp-tools\/(?:servers|skills)\/[^/]+\/host\.ts$/;
const MAX_SPECIFIER_CHARS = 2000;
/** Imports that failed and may yet end the run. */
const MAX_FAILURES = 100;
/** Frames below the first that an error shows. */
const MAX_FRAMES = 5;

/** A program's own text and the virtual files around it. */
export interface ModuleSources {
  readonly source: string;
  /** As errors show it. */
  readonly path: string;
  readonly files: ReadonlyMap<string, string>;
  /** Servers whose packages are not among the files: their modules are made from this. */
  readonly servers: ServerFunctions;
  /** Folders whose files the host reads. */
  readonly hostFolders: readonly string[];
}

/** Where an error happened, and the lines that show it. */
export interface Place {
  readonly at: SourcePosition;
  readonly detail: readonly string[];
}

/** The modules of one run. */
export interface GuestModules {
  resolve(specifier: string, base: string): ModuleAnswer;
  load(name: string): ModuleAnswer;
  /**
   * The text of a virtual file, undefined where the host has to be asked; throws an `AppError` that
   * says what is wrong with the path.
   */
  read(path: string): string | undefined;
  /** Sorted names in a virtual folder, folders with a `/` behind; otherwise like `read`. */
  list(path: string): string[] | undefined;
  /**
   * The author's place of an engine's stack; undefined when no frame is in a file we know. Of an
   * interrupt the engine knows only the operator or call before it, else the function's start.
   */
  place(stack: string, isInterrupt?: boolean): Place | undefined;
  /** The full error behind a message that `resolve` or `load` gave. */
  failure(message: string): ModuleFailure | undefined;
}

/** Why a module could not be used. */
export interface ModuleFailure {
  readonly error: AppError;
  readonly missing?: MissingFunction;
}

/** The modules of a program; its own source is prepared at once, so that errors come here. */
export function createModules(sources: ModuleSources, mode?: StripMode): GuestModules {
  const { files, path, servers, hostFolders } = sources;
  const main = files.has(path) ? path : baseName(path);
  const modes = mode && { mode };
  const prepared = new Map<string, PreparedSource>();
  prepared.set(main, prepareOnce(sources.source, { path, ...modes }));
  // Made only for the one that ends the run: looking for near names takes time.
  const failures = new Map<string, () => AppError>();

  const textOf = (name: string) => name === main ? sources.source : files.get(name);
  const refuse = (message: string, failure: () => AppError): ModuleAnswer => {
    if (failures.size > MAX_FAILURES) failures.clear();
    failures.set(message, failure);
    return { error: message };
  };

  function resolve(specifier: string, base: string): ModuleAnswer {
    if (base === PRELUDE_NAME && specifier === ENTRY_MODULE) return { ok: ENTRY_MODULE };
    if (base === ENTRY_MODULE) return { ok: main };
    const server = /^mcp:([^/]*)$/.exec(specifier)?.[1];
    const isPath = /^\.{0,2}\//.test(specifier) && specifier.length <= MAX_SPECIFIER_CHARS;
    const target = server !== undefined
      ? `${SERVERS}${server}/index.ts`
      : isPath
      ? pathOf(specifier, base)
      : undefined;
    const names = prepared.get(base)?.names.get(specifier);
    const found = target === undefined ? undefined : moduleAt(target, names);
    if (found !== undefined) return { ok: found };
    const message = `Module not found: ${quoteText(specifier)}`;
    return refuse(message, () => notFound(message, { specifier, base, server, target }));
  }

  // The name of the module at a path, of which `names` are wanted, or all.
  function moduleAt(path: string, names: readonly string[] | undefined): string | undefined {
    if (HOST_FILE.test(path)) return HOST_MODULE;
    const skill = SKILL_CODE.exec(path)?.[1];
    if (skill !== undefined && files.has(`${skill}module.js`)) return `${skill}module.js`;
    if (files.has(path)) return path;
    const stem = packageFile(path)?.stem;
    if (stem === undefined) return undefined;
    return stem === "index" && names !== undefined ? `${path}${PART}${names.join()}` : path;
  }

  function notFound(message: string, { specifier, base, server, target }: Missing): AppError {
    const text = textOf(base);
    const place = text === undefined ? undefined : specifierPlace(text, specifier);
    const hint = server !== undefined
      ? serverHint(server, [...servers.keys(), ...serverNames(files)])
      : target !== undefined
      ? fileHint(target, files)
      : 'only "mcp:SERVER", "mcp:host" and files under /mcp-tools can be imported';
    if (place === undefined) return new AppError("guest", message, { hint });
    const at = { file: cleanLine(shownName(base)), ...place };
    return new AppError("guest", message, { hint, at, detail: sourceFrame(text!, place) });
  }

  function packageFile(path: string) {
    const [, server, stem] = PACKAGE_FILE.exec(path) ?? [];
    const functions = servers.get(server ?? "");
    if (functions === undefined || stem === undefined) return undefined;
    const isFile = stem === "index" || stem === "types" || functions.has(stem);
    return isFile ? { server: server!, stem, functions } : undefined;
  }

  // A package as one module, with the functions that are wanted: hundreds of files take far longer.
  function loadPackage(name: string): string | undefined {
    const [path, part] = name.split(PART, 2);
    const file = packageFile(path!);
    if (file === undefined) return undefined;
    const { server, stem, functions } = file;
    const names = stem === "types"
      ? []
      : stem !== "index"
      ? [stem]
      : part === undefined
      ? functions.keys()
      : new Set(part.split(","));
    let js = `import { callTool } from "${HOST_MODULE}";\n`;
    for (const one of names) {
      const tool = functions.get(one);
      if (tool === undefined) continue;
      const call = `callTool(${JSON.stringify(server)}, ${JSON.stringify(tool)}, params)`;
      js += `export async function ${one}(params) { return await ${call}; }\n`;
    }
    return js;
  }

  function load(name: string): ModuleAnswer {
    if (name === ENTRY_MODULE) return { ok: `export * as main from "mcp:main"` };
    const made = files.has(name) ? undefined : loadPackage(name);
    if (made !== undefined) return { ok: made };
    try {
      return { ok: prepare(name).js };
    } catch (error) {
      if (error instanceof AppError) return refuse(error.message, () => error);
      throw error;
    }
  }

  function prepare(name: string): PreparedSource {
    const known = prepared.get(name);
    if (known !== undefined) return known;
    const text = files.get(name) ?? "";
    const ready = SKILL_CODE.test(name)
      ? asItIs(text)
      : prepareOnce(text, { path: name, form: "module", ...modes });
    prepared.set(name, ready);
    return ready;
  }

  const shownName = (name: string) => name === main ? path : name;

  function place(stack: string, isInterrupt = false): Place | undefined {
    const frames = stack.split("\n").map(parseFrame).filter((frame) =>
      frame !== undefined && prepared.get(frame.file)?.isAuthors(frame)
    ) as Frame[];
    const first = frames.findIndex(({ file }) =>
      !file.startsWith(SERVERS) && !SKILL_CODE.test(file)
    );
    const from = Math.max(first, 0);
    const chosen = frames[from];
    if (chosen === undefined) return undefined;
    const at = isInterrupt && frames.length === 1 && chosen.name === ""
      ? prepared.get(chosen.file)!.interrupted(chosen)
      : originalOf(chosen);
    if (at === undefined) return undefined;
    const callers = frames.slice(from + 1, from + MAX_FRAMES).map((frame) => {
      const { line, column } = originalOf(frame);
      const where = `${cleanLine(shownName(frame.file))}:${line}:${column}`;
      return `at ${frame.name === "" ? where : `${cleanLine(frame.name, 80)} (${where})`}`;
    });
    return {
      at: { file: cleanLine(shownName(chosen.file)), ...at },
      detail: [...sourceFrame(textOf(chosen.file) ?? "", at), ...callers],
    };
  }

  const originalOf = (frame: Frame) =>
    prepared.get(frame.file)!.original({ line: frame.line, column: frame.column });

  return {
    resolve,
    load,
    read(path) {
      const normal = normalizePath(path);
      const text = files.get(normal);
      if (text !== undefined || isHosts(normal)) return text;
      throw new AppError("invalid", `File not found: ${quoteText(path)}`);
    },
    list(path) {
      const normal = normalizePath(path);
      return isHosts(normal)
        ? undefined
        : listFolder([...files.keys(), ...hostFolders.map((folder) => `${folder}/`)], normal);
    },
    place,
    failure(message) {
      const error = failures.get(message)?.();
      if (error !== undefined) return { error };
      const [, name, module] = NO_EXPORT.exec(message) ?? [];
      return name === undefined ? undefined : missingExport(name, module!.split(PART, 1)[0]!);
    },
  };

  function isHosts(path: string): boolean {
    return hostFolders.some((folder) => path === folder || path.startsWith(`${folder}/`));
  }

  function missingExport(name: string, module: string): ModuleFailure {
    const file = packageFile(module);
    const shown = file === undefined ? shownName(module) : `mcp:${file.server}`;
    const exported = file === undefined
      ? namesExported(prepared.get(module)?.js ?? "")
      : [...file.functions.keys()];
    const near = nearestNames(name, exported);
    const place = namePlace(sources.source, name);
    const error = new AppError(
      "guest",
      `Could not find export ${quoteText(name)} in ${quoteText(shown)}`,
      {
        ...(near.length > 0 &&
          { hint: `did you mean ${near.map((one) => quoteText(one)).join(", ")}?` }),
        ...(place !== undefined && {
          at: { file: cleanLine(path), ...place },
          detail: sourceFrame(sources.source, place),
        }),
      },
    );
    return file === undefined ? { error } : { error, missing: { server: file.server, name, near } };
  }
}

interface Missing {
  readonly specifier: string;
  readonly base: string;
  readonly server: string | undefined;
  readonly target: string | undefined;
}

// A module that was prepared when it was written: nothing in it is parsed again.
function asItIs(js: string): PreparedSource {
  return {
    js,
    form: "module",
    imports: [],
    names: new Map(),
    original: (position) => position,
    interrupted: (position) => position,
    isAuthors: () => true,
  };
}

function baseName(path: string): string {
  const name = path.split(/[/\\]/).at(-1)!.replace(/[^\w.-]/g, "_");
  return name === "" ? "main.ts" : name;
}

function pathOf(specifier: string, base: string): string | undefined {
  try {
    return normalizePath(
      specifier.startsWith("/")
        ? specifier
        : `${base.slice(0, base.lastIndexOf("/") + 1)}${specifier}`,
    );
  } catch {
    return undefined;
  }
}

function serverHint(server: string, known: readonly string[]): string {
  const near = nearestNames(server, known);
  if (near.length > 0) return `did you mean ${near.map((name) => `"mcp:${name}"`).join(", ")}?`;
  const all = known.slice(0, 8).map((name) => `"mcp:${name}"`).join(", ");
  return `${known.length > 0 ? `this run has ${all}; ` : ""}name the server in a static import, ` +
    `or with --server`;
}

function serverNames(files: ReadonlyMap<string, string>): string[] {
  const names = new Set<string>();
  for (const path of files.keys()) {
    if (path.startsWith(SERVERS)) names.add(path.slice(SERVERS.length).split("/", 1)[0]!);
  }
  return [...names];
}

function fileHint(target: string, files: ReadonlyMap<string, string>): string {
  const folder = target.slice(0, target.lastIndexOf("/") + 1);
  const siblings = [...files.keys()].filter((path) => path.startsWith(folder));
  const near = nearestNames(target, siblings);
  return near.length > 0
    ? `did you mean ${near.map((name) => quoteText(name)).join(", ")}?`
    : `there is no virtual file ${quoteText(target)}`;
}

function listFolder(paths: Iterable<string>, path: string): string[] {
  const prefix = path === "/" ? "/" : `${path}/`;
  const names = new Set<string>();
  for (const file of paths) {
    if (!file.startsWith(prefix)) continue;
    const rest = file.slice(prefix.length);
    const slash = rest.indexOf("/");
    names.add(slash < 0 ? rest : rest.slice(0, slash + 1));
  }
  if (names.size > 0 || path === "/") return [...names].sort();
  throw new AppError("invalid", `Folder not found: ${quoteText(path)}`);
}

function specifierPlace(
  text: string,
  specifier: string,
): { line: number; column: number } | undefined {
  for (const quote of ['"', "'"]) {
    const index = text.indexOf(`${quote}${specifier}${quote}`);
    if (index >= 0) return placeAt(text, index);
  }
  return undefined;
}

function placeAt(text: string, index: number): { line: number; column: number } {
  const before = text.slice(0, index).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

const EXPORTED = /\bexport\s+(?:async\s+)?(?:const|let|var|class|function\*?)\s+([\w$]+)/g;

function namesExported(js: string): string[] {
  return Array.from(js.matchAll(EXPORTED), (match) => match[1]!);
}

function namePlace(text: string, name: string): { line: number; column: number } | undefined {
  const index = /^[\w$]+$/.test(name)
    ? text.search(new RegExp(`(?<![\\w$])${name.replaceAll("$", "\\$")}(?![\\w$])`))
    : -1;
  return index < 0 ? undefined : placeAt(text, index);
}

interface Frame {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

// `    at name (file:line:column)` or `    at file:line:column`.
function parseFrame(text: string): Frame | undefined {
  const match = /^\s*at (?:(.{0,200}?) \()?([^()]{1,1100}):(\d{1,9}):(\d{1,9})\)?$/.exec(text);
  if (match === null) return undefined;
  const name = match[1] === undefined || match[1] === "<anonymous>" ? "" : match[1];
  return { name, file: match[2]!, line: Number(match[3]), column: Number(match[4]) };
}
