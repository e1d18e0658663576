// Writes archives whose bytes depend on nothing but their content: entries in order of path, one
// given time for all, no owner. Just what a release needs of tar and zip; reads nothing.

import { crc32 } from "node:zlib";

/** A file of an archive; `path` has `/` between folders. */
export interface ArchiveEntry {
  readonly path: string;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly executable?: boolean;
}

/** The time of every entry, in seconds since 1970. */
export interface ArchiveOptions {
  readonly seconds: number;
}

const BLOCK = 512;

/** The entries as `.tar.gz`, in the ustar format; throws for a path of more than 100 bytes. */
export function tarGz(
  entries: readonly ArchiveEntry[],
  { seconds }: ArchiveOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts = inOrder(entries).flatMap((entry) => [
    tarHeader(entry, seconds),
    entry.data,
    new Uint8Array((BLOCK - entry.data.length % BLOCK) % BLOCK),
  ]);
  return through(new CompressionStream("gzip"), [...parts, new Uint8Array(2 * BLOCK)]);
}

function tarHeader(
  { path, data, executable }: ArchiveEntry,
  seconds: number,
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(BLOCK);
  const put = (text: string, at: number, room: number) => {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > room) throw new Error(`Path "${path}" is longer than ${room} bytes`);
    header.set(bytes, at);
  };
  const octal = (value: number, at: number, digits: number) =>
    put(value.toString(8).padStart(digits, "0"), at, digits);
  put(path, 0, 100);
  octal(executable ? 0o755 : 0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(data.length, 124, 11);
  octal(seconds, 136, 11);
  put(" ".repeat(8), 148, 8);
  put("0", 156, 1);
  put("ustar\x0000", 257, 8);
  // The sum of the header counts its own field as spaces.
  octal(header.reduce((sum, byte) => sum + byte, 0), 148, 6);
  header[154] = 0;
  return header;
}

/** The entries as `.zip`, deflated, their modes as Unix has them. */
export async function zip(
  entries: readonly ArchiveEntry[],
  { seconds }: ArchiveOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let offset = 0;
  for (const { path, data, executable } of inOrder(entries)) {
    const name = new TextEncoder().encode(path);
    const packed = await through(new CompressionStream("deflate-raw"), [data]);
    // Version 2.0, names in UTF-8, deflate.
    const about = [
      ...[u16(20), u16(0x0800), u16(8), ...dosTime(seconds).map(u16), u32(crc32(data))],
      ...[u32(packed.length), u32(data.length), u16(name.length), u16(0)],
    ];
    const local = joined([u32(0x04034b50), ...about, name, packed]);
    const mode = (0o100000 | (executable ? 0o755 : 0o644)) * 0x10000;
    directory.push(joined([
      ...[u32(0x02014b50), u16(3 << 8 | 20), ...about],
      ...[u16(0), u16(0), u16(0), u32(mode), u32(offset), name],
    ]));
    parts.push(local);
    offset += local.length;
  }
  const index = joined(directory);
  const count = u16(directory.length);
  const end = [
    u32(0x06054b50),
    u16(0),
    u16(0),
    count,
    count,
    u32(index.length),
    u32(offset),
    u16(0),
  ];
  return joined([...parts, index, ...end]);
}

const FIRST_DOS_MS = Date.UTC(1980, 0);

/** Time and date as DOS has them, in universal time from 1980 on, in steps of two seconds. */
function dosTime(seconds: number): [time: number, date: number] {
  const at = new Date(Math.max(seconds * 1000, FIRST_DOS_MS));
  return [
    at.getUTCHours() << 11 | at.getUTCMinutes() << 5 | at.getUTCSeconds() >> 1,
    (at.getUTCFullYear() - 1980) << 9 | (at.getUTCMonth() + 1) << 5 | at.getUTCDate(),
  ];
}

function inOrder(entries: readonly ArchiveEntry[]): ArchiveEntry[] {
  return [...entries].sort((a, b) => a.path < b.path ? -1 : 1);
}

function u16(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([value & 0xff, value >> 8 & 0xff]);
}

function u32(value: number): Uint8Array<ArrayBuffer> {
  return joined([u16(value % 0x10000), u16(Math.floor(value / 0x10000))]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function through(
  compression: CompressionStream,
  parts: readonly Uint8Array<ArrayBuffer>[],
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await new Response(new Blob([...parts]).stream().pipeThrough(compression)).arrayBuffer(),
  );
}
