// Large and binary results that stay on the host: files by the digest of their content, private to
// the user and gone after a day. Nothing is given out whose content is not what it was, no link is
// followed, and a data folder that cannot be written costs a warning, never the run.

import type { Database } from "./database.ts";
import { removeFile, whileUnchanged, writeFileAtomic } from "./disk.ts";
import { AppError, toAppError } from "./errors.ts";
import { type Digest, digestOf, equalDigests } from "./hash.ts";
import {
  forgetOldest,
  formatBytes,
  HANDLE_HOURS,
  MAX_HANDLE_BYTES,
  MAX_HANDLE_SESSIONS,
  MAX_HANDLES,
  MAX_HANDLES_BYTES,
  MAX_HANDLES_IN_MEMORY_BYTES,
} from "./limits.ts";
import type { SessionId } from "./names.ts";
import { listInside, readInside, realFolder } from "./inside.ts";
import { quoteText } from "./text.ts";

declare const brand: unique symbol;

/** A handle's name: `h` and 26 characters that only who knows the content and its type can make. */
export type HandleId = string & { readonly [brand]: "handle" };

/** What is kept under a name. */
export interface Handle {
  readonly id: HandleId;
  /** Of the content. */
  readonly digest: Digest;
  /** A MIME type; `application/octet-stream` for what was none. */
  readonly type: string;
  readonly bytes: number;
  /** Whether it is UTF-8 text, by its type and its content. */
  readonly isText: boolean;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** A part of a handle's content in bytes, `end` not included; the whole without them. */
export interface Slice {
  readonly start?: number;
  readonly end?: number;
}

/** Contents by name. */
export interface HandleStore {
  /**
   * Keeps `data` for a day from now; what is kept already lasts longer. With a session, runs of that
   * session may read it. Throws `limit` beyond `MAX_HANDLE_BYTES`.
   */
  keep(
    data: string | Uint8Array,
    about: { readonly type: string; readonly session?: SessionId },
  ): Promise<Handle>;
  /** What is kept under a name; undefined for what is not or no longer. */
  find(id: string): Handle | undefined;
  /** Whether a run of the session kept it. */
  isOf(session: SessionId, id: string): boolean;
  /**
   * The content, or a slice of it: of text, both ends move back to the start of a character, so that
   * slices that follow one another make the whole. Throws `invalid` for a name that is not known or
   * has expired and for a slice that is none, `integrity` for content that was changed.
   */
  read(id: string, slice?: Slice): Promise<Uint8Array>;
  /** How many there are, and their size. */
  size(): { readonly count: number; readonly bytes: number };
  /** Removes what has expired, then the oldest while there is too much. Never throws. */
  prune(): Promise<void>;
}

/** How handles are kept; what is not given is as in `limits.ts`. */
export interface HandleOptions {
  /** The folder of their files, made when needed; without one they are kept in memory. */
  readonly folder: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly warn: (message: string) => void;
  readonly maxBytes?: number;
}

interface Row {
  readonly id: HandleId;
  readonly digest: Digest;
  readonly type: string;
  readonly bytes: number;
  readonly is_text: number;
  readonly kept: number;
  readonly expires: number;
}

interface Kept {
  readonly handle: Handle;
  readonly data: Uint8Array;
}

const ROW_VERSION = 1;
const HOUR_MS = 3_600_000;
const HANDLE_ID = /^h[a-z2-7]{26}$/;
const FILE_OF_HANDLE = /^\.?(h[a-z2-7]{26})(?:\.|$)/;

/** Whether `text` has the form of a handle's name. */
export function isHandleId(text: unknown): text is HandleId {
  return typeof text === "string" && HANDLE_ID.test(text);
}

/** Handles whose files are in a folder and whose records are in `database`. */
export function createHandleStore(database: Database, options: HandleOptions): HandleStore {
  const { folder, now, warn, maxBytes = MAX_HANDLES_BYTES } = options;
  /** What could not be written, and the sessions that kept it, the oldest first. */
  const inMemory = new Map<string, Kept>();
  const ofSessions = new Set<string>();
  let bytesInMemory = 0;
  /** Since when nothing was removed, and how much was written since. */
  let prunedAt = now();
  let bytesSince = 0;
  /** The content that was read last: slices of it follow one another. */
  let recent: Kept | undefined;
  let isWritable = folder !== undefined;
  const [parent, name] = splitFolder(folder ?? "");

  function remember(kept: Kept, session: SessionId | undefined): void {
    const { id, bytes } = kept.handle;
    drop(id);
    inMemory.set(id, kept);
    bytesInMemory += bytes;
    for (const [oldest, { handle }] of inMemory) {
      const isTooMuch = bytesInMemory > Math.min(maxBytes, MAX_HANDLES_IN_MEMORY_BYTES) ||
        inMemory.size > MAX_HANDLES;
      if (!isTooMuch && handle.expiresAt > now()) break;
      drop(oldest);
    }
    if (session === undefined) return;
    const pair = `${session} ${id}`;
    ofSessions.delete(pair);
    ofSessions.add(pair);
    forgetOldest(ofSessions, MAX_HANDLES);
  }

  function drop(id: string): void {
    bytesInMemory -= inMemory.get(id)?.handle.bytes ?? 0;
    inMemory.delete(id);
  }

  // The record first and the file under its lock: who removes an expired one looks at the record
  // again under that lock, so that what is kept anew at that moment stays.
  async function write({ handle, data }: Kept, session: SessionId | undefined): Promise<boolean> {
    if (!isWritable || database.path === undefined) return false;
    const { id, digest, type, bytes, isText, expiresAt } = handle;
    try {
      database.run(
        `insert or replace into handles (id, version, digest, type, bytes, is_text, kept, expires)
         values (?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[id, ROW_VERSION, digest, type, bytes, isText ? 1 : 0, now(), expiresAt],
      );
      if (session !== undefined) {
        const sql = "insert or replace into handle_sessions (session, id, kept) values (?, ?, ?)";
        database.run(sql, session, id, now());
      }
      await writeFileAtomic(`${folder}/${id}`, data, { within: parent, mode: 0o600 });
      return true;
    } catch (error) {
      isWritable = false;
      const reason = toAppError(error).message;
      forget(handle);
      warn(`Large results are kept for this run only: ${reason}`);
      return false;
    }
  }

  function forget({ id, expiresAt }: Handle): void {
    try {
      database.run("delete from handles where id = ? and expires = ?", id, expiresAt);
    } catch {
      // It is the database that failed.
    }
  }

  function find(id: string): Handle | undefined {
    if (!isHandleId(id)) return undefined;
    const kept = inMemory.get(id);
    if (kept !== undefined) return kept.handle.expiresAt > now() ? kept.handle : undefined;
    const row = database.get<Row>("select * from handles where id = ? and expires > ?", id, now());
    return row === undefined ? undefined : {
      id: row.id,
      digest: row.digest,
      type: row.type,
      bytes: row.bytes,
      isText: row.is_text === 1,
      expiresAt: row.expires,
    };
  }

  async function load(handle: Handle): Promise<Uint8Array> {
    const { id, bytes } = handle;
    const kept = inMemory.get(id) ?? (recent?.handle.id === id ? recent : undefined);
    if (kept !== undefined) return kept.data;
    const data = await readContent(id, bytes);
    if (data.length !== bytes || !equalDigests(digestOf(data), handle.digest)) {
      throw new AppError("integrity", `Handle "${id}" is not what was kept: its file was changed`, {
        hint: "run the program that made it once more",
      });
    }
    recent = { handle, data };
    return data;
  }

  async function readContent(id: HandleId, maxBytes: number): Promise<Uint8Array> {
    try {
      return await readInside(await realFolder(parent), `${name}/${id}`, { maxBytes });
    } catch (error) {
      const failure = toAppError(error);
      if (failure.kind === "denied") throw failure;
      // Larger than it was, or not there.
      if (failure.limit === undefined) throw gone(id);
      throw new AppError("integrity", `Handle "${id}" is not what was kept: its file has grown`);
    }
  }

  async function remove({ id, kept }: Pick<Row, "id" | "kept">): Promise<void> {
    await whileUnchanged(`${folder}/${id}`, async () => {
      const sql = "select kept from handles where id = ?";
      if (database.get<{ kept: number }>(sql, id)?.kept !== kept) return;
      await removeFile(`${folder}/${id}`);
      database.run("delete from handles where id = ? and kept = ?", id, kept);
    }, { within: parent });
  }

  const total = () =>
    database.get<{ count: number; bytes: number }>(
      "select count(*) as count, coalesce(sum(bytes), 0) as bytes from handles",
    )!;

  // Files without a record, which a lost database leaves; who takes the lock of a file removes what
  // a process left that died while it wrote it.
  async function sweep(): Promise<void> {
    const names = listInside(await realFolder(parent), name, { maxNames: 10 * MAX_HANDLES });
    for (const id of new Set(names.flatMap((name) => FILE_OF_HANDLE.exec(name)?.[1] ?? []))) {
      const path = `${folder}/${id}`;
      await whileUnchanged(path, async () => {
        if (!database.get("select 1 from handles where id = ?", id)) await removeFile(path);
      }, { within: parent });
    }
  }

  async function prune(): Promise<void> {
    prunedAt = now();
    bytesSince = 0;
    try {
      if (!isWritable || database.path === undefined) return;
      const expired = database.all<Row>("select id, kept from handles where expires <= ?", now());
      for (const row of expired) await remove(row);
      const all = total();
      let [over, tooMany] = [all.bytes - maxBytes, all.count - MAX_HANDLES];
      if (over > 0 || tooMany > 0) {
        for (const row of database.all<Row>("select id, kept, bytes from handles order by kept")) {
          if (over <= 0 && tooMany <= 0) break;
          await remove(row);
          over -= row.bytes;
          tooMany--;
        }
      }
      // What many keep may stay for ever; each of them may read it for a day.
      database.run(
        `delete from handle_sessions where kept <= ? or id not in (select id from handles)
           or kept < (select kept from handle_sessions order by kept desc limit 1 offset ?)`,
        now() - HANDLE_HOURS * HOUR_MS,
        MAX_HANDLE_SESSIONS - 1,
      );
      if (expired.length > 0) await sweep();
    } catch {
      // Another time: nothing that a command was asked for depends on it.
    }
  }

  return {
    async keep(data, { type, session }) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      if (bytes.length > MAX_HANDLE_BYTES) {
        const size = `${formatBytes(bytes.length)}, more than ${formatBytes(MAX_HANDLE_BYTES)}`;
        throw new AppError("limit", `What is to be kept is ${size}`, {
          limit: { name: "handle", limit: MAX_HANDLE_BYTES, value: bytes.length },
        });
      }
      const digest = digestOf(bytes);
      const mime = cleanType(type);
      const handle: Handle = {
        id: idOf(digest, mime),
        digest,
        type: mime,
        bytes: bytes.length,
        isText: isTextType(mime) && (typeof data === "string" || isUtf8(bytes)),
        expiresAt: now() + HANDLE_HOURS * HOUR_MS,
      };
      const kept = { handle, data: bytes };
      if (await write(kept, session)) {
        recent = kept;
        bytesSince += bytes.length;
        // Whoever stays for days has no end at which to tidy up.
        if (bytesSince > maxBytes / 8 || now() - prunedAt > HOUR_MS) await prune();
      } else remember(kept, session);
      return handle;
    },
    find,
    isOf(session, id) {
      if (ofSessions.has(`${session} ${id}`)) return true;
      const sql = "select 1 from handle_sessions where session = ? and id = ?";
      return database.get(sql, session, id) !== undefined;
    },
    async read(id, slice = {}) {
      const handle = find(id);
      if (handle === undefined) throw gone(id);
      const range = rangeOf(handle, slice);
      const data = await load(handle);
      return cut(data, handle.isText ? toCharacters(data, range) : range);
    },
    size() {
      const { count, bytes } = total();
      return { count: count + inMemory.size, bytes: bytes + bytesInMemory };
    },
    prune,
  };
}

function splitFolder(folder: string): [parent: string, name: string] {
  const end = Math.max(folder.lastIndexOf("/"), folder.lastIndexOf("\\"));
  return [folder.slice(0, end), folder.slice(end + 1)];
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const ID_CHARS = 26;

// The type is part of it: the same bytes as text and as a picture are two things.
function idOf(digest: Digest, type: string): HandleId {
  let bits = BigInt(`0x${digestOf(`${digest} ${type}`).slice("blake3:".length)}`);
  let text = "";
  for (let at = 0; at < ID_CHARS; at++, bits >>= 5n) text += ALPHABET[Number(bits & 31n)];
  return `h${text}` as HandleId;
}

const MIME_TYPE = /^[\w!#$&^.+-]{1,60}\/[\w!#$&^.+-]{1,80}$/;

function cleanType(type: string): string {
  const plain = type.split(";", 1)[0]!.trim().toLowerCase();
  return MIME_TYPE.test(plain) ? plain : "application/octet-stream";
}

function isTextType(type: string): boolean {
  return /^(?:text\/.*|application\/(?:json|xml|yaml|toml|javascript|.*\+(?:json|xml)))$/.test(
    type,
  );
}

function isUtf8(data: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(data);
    return true;
  } catch {
    return false;
  }
}

function gone(id: string): AppError {
  return new AppError("invalid", `Handle ${quoteText(id)} is not known, or has expired`, {
    hint: "handles last for a day: run the program that made it once more",
  });
}

type Range = readonly [start: number, end: number];

function rangeOf({ id, bytes }: Handle, { start = 0, end = bytes }: Slice): Range {
  const isWhole = (value: number) => Number.isSafeInteger(value) && value >= 0;
  if (isWhole(start) && isWhole(end) && start <= end && start <= bytes) {
    return [start, Math.min(end, bytes)];
  }
  const asked = quoteText(`${start}:${end}`);
  throw new AppError("invalid", `Slice ${asked} of "${id}" is not within its ${bytes} bytes`);
}

function toCharacters(data: Uint8Array, [start, end]: Range): Range {
  const toStart = (at: number) => {
    while (at > 0 && at < data.length && (data[at]! & 0xc0) === 0x80) at--;
    return at;
  };
  return [toStart(start), toStart(end)];
}

function cut(data: Uint8Array, [start, end]: Range): Uint8Array {
  return start === 0 && end === data.length ? data : data.subarray(start, end);
}
