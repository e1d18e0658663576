// How fast tools are called: one token bucket for each session, server and tool. It outlives
// connections, and no jump of its clock ever gives more than the bucket holds.

import { AppError } from "./errors.ts";
import {
  formatDuration,
  HTTP_RATE,
  MAX_RATE_BUCKETS,
  MAX_RATE_WAIT_MS,
  MAX_RATE_WAITING,
} from "./limits.ts";
import { fits, type Pattern, toToolPattern } from "./policy.ts";
import { isObject, type ServerSpec } from "./server.ts";
import { quoteText } from "./text.ts";
import { interruption } from "./waiting.ts";

/** A rate: so many calls a second, and at most `burst` at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Whose call it is and how fast its like may come. */
export interface RatedCall {
  /** The bucket, made with `bucketKey`. */
  readonly key: string;
  /** The call as messages name it, safe to show. */
  readonly called: string;
  /** No rate: the call goes at once. */
  readonly rate: Rate | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Lets calls through at their rate. */
export interface Limiter {
  /**
   * Settles when the call may go, in the order of asking, with the milliseconds it waited; 0 when it
   * went at once. Throws a `limit` error at once where it would have to wait too long or too many
   * wait, and `interrupted` once the signal is aborted.
   */
  take(call: RatedCall): Promise<number>;
}

/** How a limiter keeps time. */
export interface LimiterOptions {
  /** Milliseconds of a clock that does not go back. */
  readonly now: () => number;
  readonly maxWaitMs?: number;
  readonly maxWaiting?: number;
}

/** One bucket's key; two names of one server have one fingerprint, and so one bucket. */
export function bucketKey(
  parts: { readonly session: string; readonly server: string; readonly tool: string },
): string {
  return JSON.stringify([parts.session, parts.server, parts.tool]);
}

interface Bucket {
  rate: Rate;
  tokens: number;
  /** The latest time that was ever seen: only what is later brings tokens. */
  seen: number;
  /** What lets each one go, in order. */
  waiting: (() => void)[];
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** A limiter with full buckets. */
export function createLimiter(options: LimiterOptions): Limiter {
  const { now, maxWaitMs = MAX_RATE_WAIT_MS, maxWaiting = MAX_RATE_WAITING } = options;
  const buckets = new Map<string, Bucket>();
  let room = MAX_RATE_BUCKETS;

  function bucketOf(key: string, rate: Rate): Bucket {
    const known = buckets.get(key);
    if (known !== undefined) {
      // Of two rates for one server the lower one holds, whichever name it goes under.
      known.rate = lower(known.rate, rate);
      refill(known);
      return known;
    }
    if (buckets.size >= room) {
      forgetFull();
      room = Math.max(MAX_RATE_BUCKETS, 2 * buckets.size);
    }
    const bucket: Bucket = {
      rate,
      tokens: rate.burst,
      seen: now(),
      waiting: [],
      timer: undefined,
    };
    buckets.set(key, bucket);
    return bucket;
  }

  function refill(bucket: Bucket): void {
    const time = now();
    const passed = Math.max(0, time - bucket.seen);
    bucket.seen = Math.max(bucket.seen, time);
    const { perSecond, burst } = bucket.rate;
    bucket.tokens = Math.min(burst, bucket.tokens + passed * perSecond / 1000);
  }

  // A bucket that is full says no more than one that is not there.
  function forgetFull(): void {
    for (const [key, bucket] of buckets) {
      refill(bucket);
      if (bucket.waiting.length === 0 && bucket.tokens >= bucket.rate.burst) buckets.delete(key);
    }
  }

  /** Milliseconds until `count` tokens are there. */
  function waitFor(count: number, { tokens, rate }: Bucket): number {
    return Math.max(0, (count - tokens) * 1000 / rate.perSecond);
  }

  function letGo(bucket: Bucket): void {
    bucket.timer = undefined;
    refill(bucket);
    while (bucket.waiting.length > 0 && bucket.tokens >= 1 - ROUNDING) {
      bucket.tokens = Math.max(0, bucket.tokens - 1);
      bucket.waiting[0]!();
    }
    schedule(bucket);
  }

  function stopTimer(bucket: Bucket): void {
    clearTimeout(bucket.timer);
    bucket.timer = undefined;
  }

  function schedule(bucket: Bucket): void {
    if (bucket.timer !== undefined || bucket.waiting.length === 0) return;
    const ms = Math.min(Math.ceil(waitFor(1, bucket)), maxWaitMs);
    bucket.timer = setTimeout(() => letGo(bucket), Math.max(1, ms));
  }

  return {
    async take({ key, called, rate, signal }) {
      if (signal?.aborted) throw interruption(signal);
      if (rate === undefined) return 0;
      const bucket = bucketOf(key, rate);
      if (bucket.waiting.length === 0 && bucket.tokens >= 1) {
        bucket.tokens--;
        return 0;
      }
      const wait = waitFor(bucket.waiting.length + 1, bucket);
      if (wait > maxWaitMs || bucket.waiting.length >= maxWaiting) {
        throw tooFast(called, bucket.rate);
      }
      const asked = now();
      await new Promise<void>((resolve, reject) => {
        const leave = () => {
          signal?.removeEventListener("abort", onAbort);
          bucket.waiting = bucket.waiting.filter((other) => other !== go);
          if (bucket.waiting.length === 0) stopTimer(bucket);
        };
        const onAbort = () => {
          leave();
          reject(interruption(signal!));
        };
        const go = () => {
          leave();
          resolve();
        };
        bucket.waiting.push(go);
        signal?.addEventListener("abort", onAbort, { once: true });
        schedule(bucket);
      });
      return Math.max(0, now() - asked);
    },
  };

  function tooFast(called: string, { perSecond, burst }: Rate): AppError {
    return new AppError(
      "limit",
      `${called} is over its rate of ${perSecond} a second (at once ${burst}), and would wait longer than ${
        formatDuration(maxWaitMs)
      }`,
      {
        limit: { name: "rate", limit: perSecond },
        hint: `call it less often, or set "limits.rate" in the configuration`,
      },
    );
  }
}

// Sums of fractions of a token come out a little below the whole.
const ROUNDING = 1e-9;

function lower(a: Rate, b: Rate): Rate {
  if (a.perSecond <= b.perSecond && a.burst <= b.burst) return a;
  return {
    perSecond: Math.min(a.perSecond, b.perSecond),
    burst: Math.min(a.burst, b.burst),
  };
}

/** A rate for the tools that a pattern stands for, or for all. */
export interface RateRule {
  readonly server?: Pattern;
  readonly tool?: Pattern;
  /** Undefined: as fast as they come. */
  readonly rate: Rate | undefined;
}

/** The rate of a tool: that of the first rule that fits, else 50 a second over HTTP and none else. */
export function rateOf(
  rules: readonly RateRule[],
  called: { readonly spec: ServerSpec; readonly tool: string },
): Rate | undefined {
  const { spec, tool } = called;
  const rule = rules.find((rule) =>
    (rule.server === undefined || fits(rule.server, spec.name)) &&
    (rule.tool === undefined || fits(rule.tool, tool))
  );
  if (rule !== undefined) return rule.rate;
  return spec.transport === "http" ? HTTP_RATE : undefined;
}

/**
 * The rules that `limits.rate` of a configuration stands for: `false` for no rate, one rate, or a
 * list of rates with a `tool` each. A part that cannot be used is told to `warn` and left out.
 */
export function parseRates(value: unknown, warn: (message: string) => void): RateRule[] {
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).flatMap((item, index) => {
    const rule = readRate(item);
    if (typeof rule !== "string") return [rule];
    const place = Array.isArray(value) ? `limits.rate, entry ${index + 1}` : "limits.rate";
    warn(`${place} is left out: ${rule}`);
    return [];
  });
}

const RATE_KEYS = new Set(["tool", "perSecond", "burst"]);
const MAX_RATE = 1_000_000;
// As many at once as four seconds bring, like the default rate.
const BURST_SECONDS = 4;

/** The rule, or what is wrong with it. */
function readRate(value: unknown): RateRule | string {
  if (value === false) return { rate: undefined };
  if (!isObject(value)) {
    return `it must be false or like {"perSecond": 50, "burst": 200}`;
  }
  const { tool, perSecond, burst } = value;
  const unknown = Object.keys(value).find((key) => !RATE_KEYS.has(key));
  if (unknown !== undefined) return `it has the unknown key ${quoteText(unknown)}`;
  const names = typeof tool === "string" ? toToolPattern(tool) : undefined;
  if (tool !== undefined && names === undefined) return `"tool" must be like "github/*"`;
  if (perSecond === false && burst === undefined) return { ...names, rate: undefined };
  if (typeof perSecond !== "number" || !(perSecond > 0 && perSecond <= MAX_RATE)) {
    return `"perSecond" must be false or a number above 0`;
  }
  const most = burst ?? Math.max(1, Math.ceil(perSecond * BURST_SECONDS));
  if (typeof most !== "number" || !Number.isInteger(most) || most < 1) {
    return `"burst" must be a whole number from 1`;
  }
  return { ...names, rate: { perSecond, burst: most } };
}
