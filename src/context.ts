// Everything a command may touch of the machine comes in through a Context, so that tests hand in
// their own and nothing below reads the process's arguments, environment or console.

import { AppError, toAppError } from "./errors.ts";
import { formatBytes } from "./limits.ts";
import { joinBytes } from "./text.ts";

/** The ways of printing: `pretty` on a terminal, `text` in a pipe, `json` for programs. */
export type OutputFormat = "json" | "text" | "pretty";

/** Environment variables, as far as the program may read them. */
export interface Environment {
  get(name: string): string | undefined;
  toObject(): Record<string, string>;
}

/** Folders of the program, absolute. */
export interface Paths {
  /** The person's home folder; undefined where the machine names none. */
  readonly home: string | undefined;
  /** Own configuration: `config.json` lives here. */
  readonly config: string;
  /** The machine's own configuration file, whose policy comes before the person's. */
  readonly managed?: string;
  /** Database, handles, cached engine; undefined where the machine names no place for them. */
  readonly data: string | undefined;
}

/** The path of a file of ours; undefined where nothing can be kept. */
export function dataFile(
  { data }: Paths,
  name: "mcp-exec.db" | "engine.wasm" | "handles" | "sign-ins",
): string | undefined {
  return data === undefined ? undefined : `${data}/${name}`;
}

/** The folder of this person's daemon; undefined where there can be none. */
export function daemonFolder(
  { env, paths, platform }: Pick<Context, "env" | "paths" | "platform">,
): string | undefined {
  // On Windows the runtime has no such sockets.
  if (platform === "windows" || paths.data === undefined) return undefined;
  const runtime = env.get("XDG_RUNTIME_DIR");
  return runtime?.startsWith("/") ? `${runtime}/mcp-exec` : `${paths.data}/daemon`;
}

/** `path` as seen from the folder of the command, which is not always that of the process. */
export function pathFrom(cwd: string, path: string): string {
  return isAbsolute(path) ? path : `${cwd}/${path}`;
}

/** Our own configuration file: the one that `flag` or `MCP_EXEC_CONFIG` names, or the usual one. */
export function configPath(
  { env, paths }: Pick<Context, "env" | "paths">,
  flag: string | undefined,
): { readonly path: string; readonly isAsked: boolean } {
  const asked = flag ?? (env.get("MCP_EXEC_CONFIG") || undefined);
  return { path: asked ?? `${paths.config}/config.json`, isAsked: asked !== undefined };
}

/** What a command may touch. */
export interface Context {
  readonly args: readonly string[];
  readonly env: Environment;
  readonly cwd: string;
  readonly platform: "linux" | "darwin" | "windows";
  readonly paths: Paths;
  /**
   * Writes results. Returns false once the reader has gone, so that a command may stop early; throws
   * a `failure` when they cannot be written, as on a full disk.
   */
  writeOut(data: string | Uint8Array): boolean;
  /** Writes everything that is not a result. */
  writeError(text: string): void;
  /** All of standard input, read to its end; fails beyond `maxBytes`. */
  readInput(maxBytes: number): Promise<Uint8Array>;
  /** Standard input and output as they are, for a command that speaks a protocol over them. */
  streams?(): {
    readonly input: ReadableStream<Uint8Array>;
    readonly output: WritableStream<Uint8Array>;
  };
  readonly isTerminal: { readonly in: boolean; readonly out: boolean; readonly error: boolean };
  /**
   * Asks on the terminal and gives whether the answer was yes; absent where nobody can be asked:
   * in a pipe, and with `CI` set.
   */
  confirm?(question: string): Promise<boolean>;
  /** Asks on the terminal and gives the line that was typed; absent as `confirm` is. */
  ask?(question: string): Promise<string>;
  /** Width of the terminal in columns. */
  readonly columns: number;
  /** Aborted on Ctrl-C and SIGTERM; its reason is an `interrupted` error. */
  readonly signal: AbortSignal;
  /** Milliseconds since 1970, by the wall clock. */
  now(): number;
}

/** What only the entry of the program may read of the process. */
export interface ProcessView {
  readonly args: readonly string[];
  readonly env: Environment;
  /** Gives permissions of the process back for good; absent where it has to keep them. */
  drop?(names: readonly ("net" | "run" | "write")[]): void;
}

/** The real context: this process's streams, folders, clock and signals. */
export function createContext(view: ProcessView): Context {
  const platform = platformOf(Deno.build.os);
  const cwd = currentFolder();
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort(new AppError("interrupted", "Interrupted"));
  const signals: Deno.Signal[] = platform === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  const isTerminal = {
    in: Deno.stdin.isTerminal(),
    out: Deno.stdout.isTerminal(),
    error: Deno.stderr.isTerminal(),
  };
  const writeError = createWriter(Deno.stderr, () => {});
  const canAsk = isTerminal.in && isTerminal.error && !view.env.get("CI");
  return {
    ...view,
    cwd,
    platform,
    paths: pathsOf(view.env, { platform, cwd }),
    writeOut: createWriter(Deno.stdout, (error) => {
      // A terminal that was closed is a reader that has gone.
      if (isTerminal.out) return;
      const reason = toAppError(error).message;
      throw new AppError("failure", `Cannot write the result: ${reason}`, { cause: error });
    }),
    writeError,
    readInput: (maxBytes) => readInput(maxBytes, interrupt.signal),
    streams: () => ({ input: Deno.stdin.readable, output: Deno.stdout.writable }),
    isTerminal,
    ...(canAsk && {
      confirm: async (question) =>
        /^y(?:es)?$/i.test(await askTerminal(`${question} [y/N] `, writeError, interrupt.signal)),
      ask: (question) => askTerminal(question, writeError, interrupt.signal),
    }),
    columns: Object.values(isTerminal).includes(true) ? terminalColumns() : DEFAULT_COLUMNS,
    signal: interrupt.signal,
    now: () => Date.now(),
  };
}

/** Where the program keeps its files, by the conventions of the platform and `XDG_*`. */
export function pathsOf(
  env: Environment,
  { platform, cwd }: Pick<Context, "platform" | "cwd">,
): Paths {
  // The XDG specification has relative paths ignored; a relative home is none either.
  const folder = (name: string) => {
    const value = env.get(name);
    return value !== undefined && isAbsolute(value) ? value : undefined;
  };
  const home = folder(platform === "windows" ? "USERPROFILE" : "HOME");
  const place = (xdg: string, windows: string, unix: string) => {
    if (platform === "windows") return folder(xdg) ?? folder(windows);
    const inHome = platform === "darwin" ? "Library/Application Support" : unix;
    return folder(xdg) ?? (home && `${home}/${inHome}`);
  };
  // A folder that cannot exist: there is no configuration then.
  const nowhere = platform === "windows" ? "NUL:\\" : "/dev/null";
  const ownData = env.get("MCP_EXEC_DATA_DIR") || undefined;
  const data = place("XDG_DATA_HOME", "LOCALAPPDATA", ".local/share");
  return {
    home,
    managed: MANAGED_FILES[platform],
    config: `${place("XDG_CONFIG_HOME", "APPDATA", ".config") ?? nowhere}/mcp-exec`,
    data: ownData === undefined
      ? data && `${data}/mcp-exec`
      : isAbsolute(ownData)
      ? ownData
      : `${cwd}/${ownData}`,
  };
}

// Fixed places, which no variable of the person's can move.
const MANAGED_FILES: Readonly<Record<Context["platform"], string>> = {
  linux: "/etc/mcp-exec/config.json",
  darwin: "/Library/Application Support/mcp-exec/config.json",
  windows: "C:\\ProgramData\\mcp-exec\\config.json",
};

function isAbsolute(path: string): boolean {
  return /^(?:[/\\]|[A-Za-z]:[/\\])/.test(path);
}

function platformOf(os: string): Context["platform"] {
  return os === "windows" || os === "darwin" ? os : "linux";
}

function currentFolder(): string {
  try {
    return Deno.cwd();
  } catch {
    return "."; // removed under us: whoever needs a file of it will say so
  }
}

function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || DEFAULT_COLUMNS;
  } catch {
    return DEFAULT_COLUMNS;
  }
}

const DEFAULT_COLUMNS = 80;

// Writes all of it, however little the stream takes at a time. A reader that has gone is no
// failure: `program | head` is meant to end quietly.
function createWriter(
  stream: { writeSync(data: Uint8Array): number },
  onFailure: (error: unknown) => void,
): (data: string | Uint8Array) => boolean {
  let open = true;
  return (data) => {
    let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
    while (open && rest.length > 0) {
      try {
        rest = rest.subarray(stream.writeSync(rest));
      } catch (error) {
        if (error instanceof Deno.errors.WouldBlock) {
          pause();
          continue;
        }
        open = false;
        const hasGone = error instanceof Deno.errors.BrokenPipe ||
          error instanceof Deno.errors.ConnectionReset;
        if (!hasGone) onFailure(error);
      }
    }
    return open;
  };
}

// The other end of the pipe set it to non-blocking and is slower than we are.
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
}

// A terminal gives its input a line at a time.
async function askTerminal(
  question: string,
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  write(question);
  const reader = Deno.stdin.readable.getReader();
  try {
    const { value } = await Promise.race([reader.read(), rejection(signal)]);
    return new TextDecoder().decode(value).trim();
  } finally {
    reader.releaseLock();
  }
}

// Heeded only while something is being read.
function rejection(signal: AbortSignal): Promise<never> {
  const interrupted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  interrupted.catch(() => {});
  return interrupted;
}

async function readInput(maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const interrupted = rejection(signal);
  const reader = Deno.stdin.readable.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await Promise.race([reader.read(), interrupted]);
    if (done) break;
    length += value.length;
    if (length > maxBytes) {
      throw new AppError("invalid", `Standard input is larger than ${formatBytes(maxBytes)}`);
    }
    chunks.push(value);
  }
  return joinBytes(chunks, length);
}
