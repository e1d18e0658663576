// The only module that starts processes: each child leads its own group, and stopping it ends the
// whole group. Nothing here goes through a shell, and no value of a variable is ever printed.

import type { Environment } from "./context.ts";
import { AppError } from "./errors.ts";
import { CLOSE_GRACE_MS } from "./limits.ts";
import { V8_FLAGS } from "./prepared.ts";
import { quoteText, type Secret } from "./text.ts";

/** A running child with its descendants, and its three pipes. */
export interface ChildGroup {
  /** The process id, which is the id of the group too. */
  readonly pid: number;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  /** Settles when the child itself has ended; a child of its own may still hold the pipes. */
  readonly exited: Promise<ChildExit>;
  /**
   * Ends the whole group and settles when it is gone: end of stdin, a grace of `CLOSE_GRACE_MS`,
   * SIGTERM, the same grace, SIGKILL. Never rejects; more calls wait for the first.
   */
  stop(): Promise<void>;
}

/** How a child ended: its exit code, and the signal that ended it if one did. */
export interface ChildExit {
  readonly code: number;
  readonly signal: string | null;
}

/** What to start: the command and each argument reach the process as they are. */
export interface SpawnOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the child. */
  readonly env: Readonly<Record<string, string | Secret>>;
  readonly cwd?: string;
}

// Enough for a program to find itself, its person, its caches, a screen and the network. Compared in
// capitals: Windows does not tell them apart, and proxies are written both ways.
const INHERITED: ReadonlySet<string> = new Set([
  ...["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "LANG", "LANGUAGE"],
  ...["TMPDIR", "TEMP", "TMP", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"],
  // Runtimes and package runners: where they are, and where they fetch from.
  ...["NVM_DIR", "NVM_BIN", "VOLTA_HOME", "FNM_DIR", "PNPM_HOME", "BUN_INSTALL"],
  ...["DENO_DIR", "DENO_INSTALL", "UV_CACHE_DIR", "DOCKER_HOST", "DOCKER_CONFIG"],
  ...["NPM_CONFIG_REGISTRY", "NPM_CONFIG_CACHE", "NPM_CONFIG_PREFIX", "NPM_CONFIG_USERCONFIG"],
  ...["NPM_CONFIG_GLOBALCONFIG", "NPM_CONFIG_PROXY", "NPM_CONFIG_HTTPS_PROXY"],
  ...["NPM_CONFIG_NOPROXY", "NPM_CONFIG_CAFILE", "NPM_CONFIG_OFFLINE", "NPM_CONFIG_PREFER_OFFLINE"],
  // How deep a server of ours stands below another one.
  "MCP_EXEC_DEPTH",
  // Windows.
  ...["APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)"],
  ...["HOMEDRIVE", "HOMEPATH", "USERPROFILE", "USERNAME", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR"],
  ...["COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE"],
]);

function isInherited(name: string): boolean {
  const capitals = name.toUpperCase();
  return INHERITED.has(capitals) || /^(?:LC|XDG)_[A-Z_]+$/.test(capitals);
}

/**
 * The environment of a server's process: of `source` a short list of names without tokens, or
 * all of it with `inheritAll`; on top of it the variables of the server's own entry.
 */
export function childEnvironment(
  source: Environment,
  entry: Readonly<Record<string, Secret>>,
  inheritAll: boolean,
): Record<string, string | Secret> {
  const env: Record<string, string | Secret> = Object.create(null);
  for (const [name, value] of Object.entries(source.toObject())) {
    // A value that begins so is a shell function: a way to run code in a child that is a shell.
    if (value.startsWith("()")) continue;
    if (inheritAll || isInherited(name)) env[name] = value;
  }
  return Object.assign(env, entry);
}

const live = new Map<number, Deno.ChildProcess>();
// What is left at the end of the process is killed at once, without waiting.
globalThis.addEventListener("unload", () => {
  for (const child of live.values()) signalGroup(child, "SIGKILL");
});

// Hears of each group that starts and ends. When this process ends, however it does, so does its
// input: groups that are left then have the time to end by themselves, and are ended as `stop` does.
const GUARD = `
left=
while read -r what pid; do
  rest=
  for one in $left; do [ "$one" = "$pid" ] || rest="$rest $one"; done
  left=$rest
  [ "$what" = + ] && left="$left $pid"
done
[ -z "$left" ] && exit
sleep 1
for one in $left; do kill -s TERM -- "-$one"; done
sleep 1
for one in $left; do kill -s KILL -- "-$one"; done
`;

let tellGuard: (what: "+" | "-", pid: number) => void = () => {};

/**
 * Sees to it that no group outlives this process, even one that is killed and leaves servers that do
 * not heed the end of their input. For a process that stays; where there is no shell it does nothing.
 */
export function guardGroups(): void {
  if (Deno.build.os === "windows") return;
  try {
    const guard = new Deno.Command("/bin/sh", {
      args: ["-c", GUARD],
      cwd: "/",
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin" },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    guard.unref();
    const writer = guard.stdin.getWriter();
    tellGuard = (what, pid) =>
      void writer.write(new TextEncoder().encode(`${what} ${pid}\n`)).catch(() => {});
  } catch {
    // Nothing is lost that was there before.
  }
}

/**
 * Starts `command` as the leader of a new process group with pipes on its standard streams.
 * Throws a `connect` error when it cannot be found or started.
 */
export function spawnGroup(options: SpawnOptions): ChildGroup {
  const child = start(options);
  live.set(child.pid, child);
  tellGuard("+", child.pid);
  const exited = child.status.then(({ code, signal }) => ({ code, signal }));
  const input = child.stdin.getWriter();
  let stopping: Promise<void> | undefined;
  return {
    pid: child.pid,
    // Kept behind a stream of our own: `stop` has to end stdin while somebody else writes to it.
    stdin: new WritableStream({
      write: (chunk) => input.write(chunk),
      close: () => input.close(),
      abort: (reason) => input.abort(reason),
    }),
    stdout: child.stdout,
    stderr: child.stderr,
    exited,
    stop: () => stopping ??= stopGroup(child, input, exited),
  };
}

/** Opens an address in the person's browser, where there is one; says nothing where there is none. */
export function openInBrowser(
  url: string,
  { env, platform }: { readonly env: Environment; readonly platform: string },
): void {
  const [command, ...args] = BROWSERS[platform] ?? BROWSERS["linux"]!;
  try {
    // On its own: the browser stays when this program ends.
    new Deno.Command(command!, {
      args: [...args, url],
      env: Object.fromEntries(
        Object.entries(env.toObject()).filter(([name]) => isInherited(name) || isDisplay(name)),
      ),
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn().unref();
  } catch {
    // The address was printed.
  }
}

/** Flags with which Deno heeds no file but the bundle's own, in its folder or above; none for source. */
export function bundleFlags(entry: string): string[] {
  return entry.endsWith(".ts")
    ? []
    : ["--no-config", "--no-npm", "--no-remote", "--cached-only", "--no-lock"];
}

/**
 * Starts this program once more with `args`, on its own: it stays when this process ends, belongs to
 * no terminal and gets a short environment, with `env` on top. Settles when it has ended; throws
 * what the runtime throws.
 */
export function startSelf(
  args: readonly string[],
  { source, env }: { readonly source: Environment; readonly env: Readonly<Record<string, string>> },
): Promise<unknown> {
  const program = Deno.build.standalone ? [] : [
    ...["run", "--no-prompt", "--unstable-worker-options", `--v8-flags=${V8_FLAGS}`],
    ...bundleFlags(Deno.mainModule),
    ...["--allow-read", "--allow-write", "--allow-net"],
    ...["--allow-env", "--allow-run", "--allow-sys"],
    Deno.mainModule,
  ];
  const inherited = Object.entries(source.toObject()).filter(([name]) => isInherited(name));
  const child = new Deno.Command(Deno.execPath(), {
    args: [...program, ...args],
    cwd: "/",
    env: { ...Object.fromEntries(inherited), ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  return child.status;
}

const BROWSERS: Readonly<Record<string, readonly string[]>> = {
  linux: ["xdg-open"],
  darwin: ["open"],
  windows: ["rundll32", "url.dll,FileProtocolHandler"],
};

function isDisplay(name: string): boolean {
  return /^(?:DISPLAY|WAYLAND_DISPLAY|DBUS_SESSION_BUS_ADDRESS|BROWSER)$/.test(name);
}

function start(options: SpawnOptions): Deno.ChildProcess {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.env)) {
    env[name] = typeof value === "string" ? value : value.reveal();
  }
  try {
    return new Deno.Command(options.command, {
      args: [...options.args],
      env,
      clearEnv: true,
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      detached: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (cause) {
    throw startError(options, cause);
  }
}

function startError({ command, cwd }: SpawnOptions, cause: unknown): AppError {
  const shown = quoteText(command);
  if (cwd !== undefined && !isFolder(cwd)) {
    return new AppError("connect", `Folder ${quoteText(cwd)} to start ${shown} in does not exist`, {
      hint: `correct "cwd" in the server's entry`,
      cause,
    });
  }
  if (cause instanceof Deno.errors.NotFound) {
    const hint = command.includes("/") || command.includes("\\")
      ? "check the path"
      : `install ${shown}, or give its full path`;
    return new AppError("connect", `Command ${shown} was not found`, { hint, cause });
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    const hint = "make it executable, or start it through its interpreter";
    return new AppError("connect", `Command ${shown} is not executable`, { hint, cause });
  }
  return new AppError("connect", `Command ${shown} could not be started`, {
    hint: "check the command, its arguments and its variables for stray characters",
    cause,
  });
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

async function stopGroup(
  child: Deno.ChildProcess,
  input: WritableStreamDefaultWriter<Uint8Array>,
  exited: Promise<ChildExit>,
): Promise<void> {
  input.close().catch(() => {});
  // Output nobody reads any more would keep a child in its last write.
  for (const output of [child.stdout, child.stderr]) {
    if (!output.locked) output.cancel().catch(() => {});
  }
  await settles(exited, CLOSE_GRACE_MS);
  if (signalGroup(child, "SIGTERM") && await outlives(child, exited, CLOSE_GRACE_MS)) {
    signalGroup(child, "SIGKILL");
    // Killed is not yet gone; what nobody collects the exit code of stays in sight for ever.
    await outlives(child, exited, CLOSE_GRACE_MS / 5);
  }
  await exited;
  live.delete(child.pid);
  tellGuard("-", child.pid);
  await input.abort().catch(() => {});
}

// Whether anything of the group is still there after `ms`; children that lost their parent
// can only be seen by asking.
async function outlives(
  child: Deno.ChildProcess,
  exited: Promise<ChildExit>,
  ms: number,
): Promise<boolean> {
  const deadline = performance.now() + ms;
  if (!await settles(exited, ms)) return true;
  while (signalGroup(child, 0)) {
    if (performance.now() >= deadline) return true;
    await settles(undefined, 10);
  }
  return false;
}

// Sends `signal` to the whole group; false when there is no such group any more. 0 only asks.
function signalGroup(child: Deno.ChildProcess, signal: "SIGTERM" | "SIGKILL" | 0): boolean {
  try {
    if (Deno.build.os === "windows") {
      // No groups there: the tree is ended by the system's own tool, by force or not at all.
      if (signal === 0) return false;
      const args = ["/PID", String(child.pid), "/T", "/F"];
      return new Deno.Command("taskkill", { args, stdout: "null", stderr: "null" })
        .outputSync().success;
    }
    Deno.kill(-child.pid, signal as Deno.Signal);
    return true;
  } catch {
    return false;
  }
}

/** Whether `event` settles within `ms` milliseconds; without an event it only waits. */
export async function settles(event: Promise<unknown> | undefined, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), ms));
  try {
    return await (event === undefined
      ? late
      : Promise.race([event.then(() => true, () => true), late]));
  } finally {
    clearTimeout(timer);
  }
}
