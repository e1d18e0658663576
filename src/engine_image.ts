// The memory of an engine in which only the prelude has run: what of it is kept, and that as one file,
// which the build writes so that no process has to run the prelude. Holds nothing of any guest.

/** Pointers into the memory by name, and those parts of it that are not empty. */
export interface EngineImage {
  readonly handles: Readonly<Record<string, number>>;
  readonly pages: readonly { readonly at: number; readonly bytes: Uint8Array }[];
}

const PAGE_BYTES = 4096;

/** The numbers of the pages of `memory` that are not empty. */
export async function usedPages(memory: WebAssembly.Memory): Promise<Set<number>> {
  // Native comparison: a loop over 16 MiB would cost more than all that the copy saves.
  const { Buffer } = await import("node:buffer");
  const bytes = Buffer.from(memory.buffer);
  const empty = Buffer.alloc(PAGE_BYTES);
  const used = new Set<number>();
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
    if (empty.compare(bytes, at, at + PAGE_BYTES) !== 0) used.add(at / PAGE_BYTES);
  }
  return used;
}

/** Copies of the used pages of `memory`, and of those that were used `before` the prelude ran. */
export async function pagesToKeep(
  memory: WebAssembly.Memory,
  before: ReadonlySet<number>,
): Promise<EngineImage["pages"]> {
  // What the constructors alone wrote the prelude may have cleared: that has to be copied as well.
  return [...before.union(await usedPages(memory))].map((page) => {
    const at = page * PAGE_BYTES;
    return { at, bytes: new Uint8Array(memory.buffer.slice(at, at + PAGE_BYTES)) };
  });
}

const HEADER_BYTES = 8;

/** The image as bytes: the length of a JSON header and of a page, the header, the pages. */
export function encodeImage({ handles, pages }: EngineImage): Uint8Array<ArrayBuffer> {
  const size = pages[0]?.bytes.length ?? 0;
  const header = new TextEncoder().encode(
    JSON.stringify({ handles, at: pages.map(({ at }) => at) }),
  );
  const bytes = new Uint8Array(HEADER_BYTES + header.length + pages.length * size);
  new DataView(bytes.buffer).setUint32(0, header.length);
  new DataView(bytes.buffer).setUint32(4, size);
  bytes.set(header, HEADER_BYTES);
  pages.forEach((page, index) => {
    bytes.set(page.bytes, HEADER_BYTES + header.length + index * size);
  });
  return bytes;
}

/** What `encodeImage` made, whose bytes the caller has checked; the pages are views into `bytes`. */
export function decodeImage(bytes: Uint8Array): EngineImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const start = HEADER_BYTES + view.getUint32(0);
  const size = view.getUint32(4);
  const header = new TextDecoder().decode(bytes.subarray(HEADER_BYTES, start));
  const { handles, at } = JSON.parse(header) as { handles: EngineImage["handles"]; at: number[] };
  const pages = at.map((place, index) => ({
    at: place,
    bytes: bytes.subarray(start + index * size, start + (index + 1) * size),
  }));
  return { handles, pages };
}
