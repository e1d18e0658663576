// Where a daemon listens and how a command knows it for its own: a folder that only its person may
// enter, a token in it, and the version both are of. Nothing is written or connected to here.

import { type Context, daemonFolder, type Environment } from "./context.ts";
import { AppError } from "./errors.ts";
import { quotePath } from "./read.ts";
import { VERSION } from "./version.ts";

/** The files of the daemon of one data folder. */
export interface DaemonPlace {
  readonly folder: string;
  /** A socket that cannot be named is no error: there is just no daemon. */
  readonly socket: string;
  readonly token: string;
  /** Held by the process that listens. */
  readonly lock: string;
}

/** The first message to a daemon. Its members stay as they are: it may be of another version. */
export interface Hello {
  readonly want: "run" | "status" | "stop" | "stop now";
  readonly token: string;
  readonly version: string;
  readonly build: string;
  /** The data folder it is about. */
  readonly data: string;
  /** What a process reads of its environment once, and cannot change for one run. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The answer to it. */
export interface Welcome {
  readonly ok: boolean;
  readonly pid: number;
  readonly version: string;
  /** Why not. */
  readonly refused?: "token" | "version" | "settings" | "busy";
  readonly status?: DaemonStatus;
}

/** What a daemon tells of itself. */
export interface DaemonStatus {
  readonly startedAt: number;
  readonly runs: number;
  /** Bytes of the process. */
  readonly memory: number;
  readonly idleMs: number;
  readonly servers: readonly {
    readonly server: string;
    readonly connections: number;
    readonly idle: number;
  }[];
}

// What the system's name of a socket may be long, with the least of all systems.
const MAX_SOCKET_BYTES = 103;

/**
 * The place of the daemon for the data folder of `context`; undefined where there can be none, and
 * where its path is too long for a socket.
 */
export function daemonPlace(
  context: Pick<Context, "env" | "paths" | "platform">,
): DaemonPlace | undefined {
  const folder = daemonFolder(context);
  if (folder === undefined) return undefined;
  const data = context.paths.data!;
  // A folder for all data folders: a daemon of another one of the same name refuses.
  const name = folder === `${data}/daemon` ? "daemon" : shortNameOf(data);
  const socket = `${folder}/${name}.sock`;
  if (new TextEncoder().encode(socket).length > MAX_SOCKET_BYTES) return undefined;
  return { folder, socket, token: `${folder}/${name}.token`, lock: `${folder}/${name}.lock` };
}

/** Whether the folder is there; throws `denied` for a link, and unless it is its person's alone. */
export function hasOwnFolder({ folder }: DaemonPlace): boolean {
  const info = lstat(folder);
  const refuse = (
    why: string,
    hint = "remove it, or set XDG_RUNTIME_DIR to a folder of your own",
  ): never => {
    throw new AppError("denied", `Folder ${quotePath(folder)} of the daemon ${why}`, { hint });
  };
  if (info === undefined) return false;
  if (!info.isDirectory) refuse("is a link or no folder");
  if (info.uid !== Deno.uid()) refuse("is somebody else's");
  if (((info.mode ?? 0) & 0o077) !== 0) {
    refuse("can be entered by others", `chmod 700 ${quotePath(folder)}`);
  }
  return true;
}

/** The token of the daemon that was started last; undefined where none was. */
export function readToken({ token }: DaemonPlace): string | undefined {
  const info = lstat(token);
  if (info?.isFile !== true || info.uid !== Deno.uid() || info.size > 1_000) return undefined;
  try {
    return Deno.readTextFileSync(token);
  } catch {
    return undefined; // it ended this moment
  }
}

// The first use of a thread costs a process more than all of these.
function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

/** What a command says of itself to the daemon of its data folder. */
export function helloOf(
  { env, paths }: Pick<Context, "env" | "paths">,
  { want, token }: Pick<Hello, "want" | "token">,
): Hello {
  return {
    want,
    token,
    version: VERSION,
    build: buildOf(),
    data: paths.data ?? "",
    settings: settingsOf(env),
  };
}

/** Tells builds of one version apart: where the program is, and when it was put there. */
function buildOf(): string {
  if (Deno.build.standalone) return stampOf(Deno.execPath());
  const main = new URL(Deno.mainModule);
  const folders = ["src/", "src/commands/"].map((folder) => new URL(folder, main));
  return [main, ...folders].map(stampOf).join(" ");
}

function stampOf(path: string | URL): string {
  try {
    const { ino, size, mtime } = Deno.statSync(path);
    return `${ino} ${size} ${mtime?.getTime()}`;
  } catch {
    return "-";
  }
}

// Proxies, certificates and the time zone.
const SETTINGS =
  /^(?:(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR)|NODE_EXTRA_CA_CERTS|DENO_CERT|DENO_TLS_CA_STORE|TZ)$/i;

/** The variables that the whole process goes by. */
export function settingsOf(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env.toObject()).filter(([name]) => SETTINGS.test(name)).sort(),
  );
}

// Short, and the same for the same text: names of sockets have little room.
function shortNameOf(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(36);
}
