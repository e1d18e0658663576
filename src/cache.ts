// Results of calls that may be answered again without asking the server: only of tools that were
// opted in, or that the server marks. Never an error, never for other credentials, never on disk.

import type { LRUCache } from "lru-cache";
import { type Digest, digestOf } from "./hash.ts";
import {
  CACHE_TTL_MS,
  MAX_CACHE_BYTES,
  MAX_CACHE_ENTRIES,
  MAX_CACHE_TTL_MS,
  parseDuration,
  parseSize,
} from "./limits.ts";
import { fits, type Pattern, toToolPattern } from "./policy.ts";
import { isObject, type JsonObject } from "./server.ts";
import { quoteText } from "./text.ts";
import { orInterrupted } from "./waiting.ts";

/** A result as it is kept: texts, so that nobody can change what another one gets. */
export interface CachedResult {
  /** The value that a program gets, as JSON. */
  readonly json: string;
  /** The server's whole answer, as JSON. */
  readonly raw: string;
}

/** Where an entry belongs: both can be dropped as a whole. */
export interface CacheGroup {
  /** The server's fingerprint. */
  readonly server: Digest;
  /** The digest of the tool's definition. */
  readonly tool: Digest;
}

/** What a cache holds. */
export interface CacheStats {
  readonly entries: number;
  readonly bytes: number;
}

/** A place that keeps results for a while; one that is lost is asked for again. */
export interface CacheProvider {
  get(key: Digest): Promise<CachedResult | undefined>;
  /** Keeps a result for `ttlMs` at most; one larger than the whole cache is not kept. */
  set(key: Digest, result: CachedResult, options: CacheGroup & { ttlMs: number }): Promise<void>;
  /** Forgets what belongs to a server, or to one definition of one of its tools. */
  drop(group: Pick<CacheGroup, "server"> & Partial<CacheGroup>): Promise<void>;
  stats(): Promise<CacheStats>;
}

/** How much an in-memory cache keeps. */
export interface CacheBounds {
  readonly maxEntries?: number;
  readonly maxBytes?: number;
}

interface Entry extends CachedResult, CacheGroup {
  readonly storedAt: number;
  readonly expiresAt: number;
}

/**
 * A cache in memory that forgets what was not asked for the longest. `now` is in milliseconds;
 * after it has jumped back, what was stored later than it counts as stale.
 */
export function createMemoryCache(
  { now, maxEntries = MAX_CACHE_ENTRIES, maxBytes = MAX_CACHE_BYTES }:
    & CacheBounds
    & { readonly now: () => number },
): CacheProvider {
  let entries: LRUCache<Digest, Entry> | undefined;
  // Before the first result is kept there is nothing to load a library for.
  const open = async () => {
    const { LRUCache } = await import("lru-cache");
    return entries ??= new LRUCache<Digest, Entry>({
      max: maxEntries,
      maxSize: maxBytes,
      sizeCalculation: ({ json, raw }) => ENTRY_BYTES + sizeOf(json) + sizeOf(raw),
    });
  };
  return {
    get(key) {
      const entry = entries?.get(key);
      const time = now();
      if (entry !== undefined && entry.storedAt <= time && time < entry.expiresAt) {
        return Promise.resolve(entry);
      }
      if (entry !== undefined) entries!.delete(key);
      return Promise.resolve(undefined);
    },
    async set(key, { json, raw }, { server, tool, ttlMs }) {
      const storedAt = now();
      const expiresAt = storedAt + Math.min(ttlMs, MAX_CACHE_TTL_MS);
      (entries ?? await open()).set(key, { json, raw, server, tool, storedAt, expiresAt });
    },
    drop(group) {
      for (const [key, { server, tool }] of entries?.entries() ?? []) {
        const isMeant = server === group.server && (group.tool ?? tool) === tool;
        if (isMeant) entries!.delete(key);
      }
      return Promise.resolve();
    },
    stats: () =>
      Promise.resolve({ entries: entries?.size ?? 0, bytes: entries?.calculatedSize ?? 0 }),
  };
}

// Key, group and times of an entry, and its place in the list.
const ENTRY_BYTES = 512;

// What a text takes in memory: a byte a character unless one of them needs two.
function sizeOf(text: string): number {
  // deno-lint-ignore no-control-regex
  return /^[\u0000-\u00ff]*$/.test(text) ? text.length : 2 * text.length;
}

/** What tells two calls apart. */
export interface CacheKeyParts extends CacheGroup {
  /** Of the credentials the server is reached with, which come in as a digest alone. */
  readonly credentials: () => Digest;
  /** Of the arguments in canonical form. */
  readonly arguments: () => Digest;
}

/** The key of a call's result. */
function cacheKey({ server, credentials, tool, arguments: params }: CacheKeyParts): Digest {
  return digestOf(`${server} ${credentials()} ${tool} ${params()}`);
}

/** What a call gave, whoever gave it. */
export interface Answer {
  readonly value: unknown;
  /** `value` as JSON text. */
  readonly json: string;
  /** The server's whole answer. */
  readonly raw: JsonObject;
}

/**
 * Where an answer came from: `missed` is one of the server that might have been kept, `shared` one
 * that another call for the same was waiting for.
 */
export type AnswerSource = "server" | "missed" | "cache" | "shared";

/** A call whose result may be kept. */
export interface CacheableCall extends CacheKeyParts {
  /** How long a tool that was opted in may be kept; undefined for any other. */
  readonly ttlMs: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Answers calls from what is kept, else from the server; one at a time for the same call. */
export interface ResultCache {
  /**
   * The answer to a call. `load` asks the server; what it throws is thrown and never kept. Of calls
   * of an opted-in tool that are the same and under way at once only the first one asks; the signal
   * that `load` gets is aborted once nobody waits any more. Who leaves gets `interrupted`.
   */
  ask<T extends Answer>(
    call: CacheableCall,
    load: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<{ readonly answer: Answer; readonly source: AnswerSource }>;
  /** Forgets what belongs to a server or to one definition of a tool, what is under way included. */
  forget(group: Pick<CacheGroup, "server"> & Partial<CacheGroup>): Promise<void>;
  stats(): Promise<CacheStats>;
}

interface Flight {
  readonly answer: Promise<Answer>;
  readonly stop: AbortController;
  waiting: number;
}

/** Results of calls by `provider`. */
export function createResultCache(provider: CacheProvider): ResultCache {
  const flights = new Map<Digest, Flight>();
  /** Definitions of tools of which a server has marked a result. */
  const marked = new Set<Digest>();
  let drops = 0;

  async function loadAndKeep<T extends Answer>(
    call: CacheableCall,
    load: () => Promise<T>,
  ): Promise<Answer> {
    const before = drops;
    const answer = await load();
    const ttlMs = call.ttlMs ?? markedFor(answer.raw);
    if (ttlMs === undefined || drops !== before) return answer;
    // Those that are forgotten are marked again by their next result.
    if (marked.size >= MAX_CACHE_ENTRIES) marked.clear();
    if (call.ttlMs === undefined) marked.add(call.tool);
    const { server, tool } = call;
    await provider.set(cacheKey(call), { json: answer.json, raw: JSON.stringify(answer.raw) }, {
      server,
      tool,
      ttlMs,
    });
    return answer;
  }

  function takeOff(key: Digest, start: (signal: AbortSignal) => Promise<Answer>): Flight {
    const stop = new AbortController();
    const flight: Flight = {
      answer: start(stop.signal).finally(() => land(key, flight)),
      stop,
      waiting: 0,
    };
    flight.answer.catch(() => {}); // nobody may be left to hear of it
    flights.set(key, flight);
    return flight;
  }

  function land(key: Digest, flight: Flight): void {
    if (flights.get(key) === flight) flights.delete(key);
  }

  return {
    async ask(call, load) {
      const direct = () => load(call.signal);
      if (call.ttlMs === undefined && !marked.has(call.tool)) {
        return { answer: await loadAndKeep(call, direct), source: "server" };
      }
      const key = cacheKey(call);
      const kept = await provider.get(key);
      if (kept !== undefined) return { answer: answerOf(kept), source: "cache" };
      if (call.ttlMs === undefined) {
        return { answer: await loadAndKeep(call, direct), source: "missed" };
      }
      const known = flights.get(key);
      const flight = known ?? takeOff(key, (signal) => loadAndKeep(call, () => load(signal)));
      flight.waiting++;
      try {
        const answer = await orInterrupted(flight.answer, call.signal);
        return { answer, source: known === undefined ? "missed" : "shared" };
      } finally {
        if (--flight.waiting === 0) {
          land(key, flight);
          flight.stop.abort(call.signal?.reason);
        }
      }
    },
    async forget(group) {
      drops++;
      flights.clear();
      await provider.drop(group);
    },
    stats: () => provider.stats(),
  };
}

// Parsed for each who looks at it: most only want the text.
function answerOf({ json, raw }: CachedResult): Answer {
  return {
    json,
    get value(): unknown {
      return JSON.parse(json);
    },
    get raw(): JsonObject {
      return JSON.parse(raw);
    },
  };
}

/** A tool, or several by a pattern, whose results are kept for `ttlMs`. */
export interface CacheRule {
  readonly server: Pattern;
  readonly tool: Pattern;
  readonly ttlMs: number;
}

/** What a configuration says of caching. */
export interface CacheSettings extends CacheBounds {
  /** Whether anything is kept at all. */
  readonly isOn: boolean;
  readonly rules: readonly CacheRule[];
}

/** What holds when nothing is said: only results that their server marks are kept. */
export const DEFAULT_CACHE: CacheSettings = { isOn: true, rules: [] };

/** How long results of an opted-in tool are kept; undefined for any other tool. */
export function optedInFor(
  { rules }: CacheSettings,
  called: { readonly server: string; readonly tool: string },
): number | undefined {
  return rules.find(({ server, tool }) => fits(server, called.server) && fits(tool, called.tool))
    ?.ttlMs;
}

/**
 * How long the server itself lets an answer be kept: the `ttlMs` of the protocol's cacheable
 * results, in the answer or its `_meta`; undefined when it does not say.
 */
export function markedFor(answer: JsonObject): number | undefined {
  const meta = answer["_meta"];
  const inMeta = isObject(meta) ? meta["ttlMs"] : undefined;
  const ttlMs = answer["ttlMs"] ?? inMeta;
  return typeof ttlMs === "number" && ttlMs > 0 ? Math.min(ttlMs, MAX_CACHE_TTL_MS) : undefined;
}

/**
 * The `cache` of a configuration: `false`, or an object of `tools`, `entries` and `size`. A part
 * that cannot be used is told to `warn` and left out.
 */
export function parseCache(value: unknown, warn: (message: string) => void): CacheSettings {
  if (value === undefined) return DEFAULT_CACHE;
  if (value === false) return { isOn: false, rules: [] };
  if (!isObject(value)) {
    warn(`"cache" must be an object or false`);
    return DEFAULT_CACHE;
  }
  const { tools = [], entries, size, ...others } = value;
  for (const key of Object.keys(others)) {
    warn(`unknown key ${quoteText(`cache.${key}`)} is not used`);
  }
  if (!Array.isArray(tools)) warn(`"cache.tools" must be an array`);
  const rules = (Array.isArray(tools) ? tools : []).flatMap((item, index) => {
    const rule = readRule(item);
    if (typeof rule !== "string") return [rule];
    warn(`entry ${index + 1} of "cache.tools" is left out: ${rule}`);
    return [];
  });
  const isCount = typeof entries === "number" && Number.isInteger(entries) && entries > 0 &&
    entries <= MAX_SET_ENTRIES;
  if (entries !== undefined && !isCount) {
    warn(`"cache.entries" must be a whole number from 1 to ${MAX_SET_ENTRIES}`);
  }
  const maxBytes = size === undefined ? undefined : read(() => parseSize(String(size)));
  if (size !== undefined && maxBytes === undefined) warn(`"cache.size" must be like "64MiB"`);
  return {
    isOn: true,
    rules,
    ...(isCount && { maxEntries: entries }),
    ...(maxBytes !== undefined && { maxBytes }),
  };
}

// The list behind the cache is made at once for all of them.
const MAX_SET_ENTRIES = 1_000_000;

/** The rule, or what is wrong with it. */
function readRule(value: unknown): CacheRule | string {
  const { tool, ttl, ...others } = (typeof value === "string" ? { tool: value } : value ?? {}) as
    & JsonObject
    & { ttl?: unknown };
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) return `it has the unknown key ${quoteText(unknown)}`;
  const names = typeof tool === "string" ? toToolPattern(tool) : undefined;
  if (names === undefined) return `a tool must be like "docs/get_*"`;
  if (ttl === undefined) return { ...names, ttlMs: CACHE_TTL_MS };
  const ttlMs = read(() => parseDuration(String(ttl)));
  return ttlMs === undefined ? `"ttl" must be like "5m"` : { ...names, ttlMs };
}

function read<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
