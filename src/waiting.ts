// Waiting that ends as soon as nobody wants what is waited for: for work, for one of few places, and
// for time to pass. Nobody waits in a line without an end.

import { AppError } from "./errors.ts";

/** The error of who left: the signal's own one, or `interrupted`. */
export function interruption(signal: AbortSignal): AppError {
  if (signal.reason instanceof AppError) return signal.reason;
  return new AppError("interrupted", "Interrupted before the server was asked");
}

/** What `work` gives, or an `interrupted` error as soon as `signal` is aborted. */
export async function orInterrupted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await work;
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(interruption(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Who wants a place. */
export interface PlaceRequest {
  /** Whose it is: places that come free go to all who wait in turn. */
  readonly owner?: string;
  readonly signal?: AbortSignal | undefined;
}

/** A number of places that are taken and given back. */
export interface Slots {
  /**
   * Waits for a place, in order among those of one owner; what it gives puts the place back, once.
   * Throws what `refuse` gives at once where too many wait, and as soon as the signal is aborted.
   */
  take(request?: PlaceRequest): Promise<() => void>;
  /** A place at once, where there is one. */
  takeNow(owner?: string): (() => void) | undefined;
  /** How many wait. */
  readonly waiting: number;
  /** Whether no place is free. */
  readonly isFull: boolean;
}

/** How many places there are and who may wait for one; no bound where nothing is said. */
export interface SlotBounds {
  readonly places: number;
  /** How many of them one owner may have. */
  readonly placesOfOne?: number;
  /** How many of one owner may wait, and how many of all. */
  readonly waitingOfOne?: number;
  readonly waiting?: number;
  /** The error for who may not even wait, by the bound that was met. */
  readonly refuse?: (bound: number) => AppError;
}

/** At most so many holders at once; the others wait, or leave when their signal is aborted. */
export function createSlots(bounds: SlotBounds): Slots {
  const { placesOfOne = Infinity, waitingOfOne = Infinity } = bounds;
  const { waiting: waitingOfAll = Infinity } = bounds;
  /** Who waits by owner; the owner whose turn is next comes first. */
  const lines = new Map<string, (() => void)[]>();
  /** Places in use by owner. */
  const held = new Map<string, number>();
  let free = bounds.places;
  let waiting = 0;

  const mayHold = (owner: string) => free > 0 && (held.get(owner) ?? 0) < placesOfOne;

  function hold(owner: string): () => void {
    free--;
    held.set(owner, (held.get(owner) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      free++;
      const left = held.get(owner)! - 1;
      if (left === 0) held.delete(owner);
      else held.set(owner, left);
      giveOn();
    };
  }

  // To the first of the round who may have it, and then to the end of the round with that owner.
  function giveOn(): void {
    for (const [owner, line] of lines) {
      if (!mayHold(owner)) continue;
      lines.delete(owner);
      lines.set(owner, line);
      return line[0]!(); // who leaves an empty line takes it out
    }
  }

  function leave(owner: string, line: (() => void)[], go: () => void): void {
    waiting--;
    line.splice(line.indexOf(go), 1);
    if (line.length === 0) lines.delete(owner);
  }

  return {
    takeNow: (owner = "") => mayHold(owner) ? hold(owner) : undefined,
    get waiting() {
      return waiting;
    },
    get isFull() {
      return free === 0;
    },
    async take({ owner = "", signal } = {}) {
      if (signal?.aborted) throw interruption(signal);
      if (mayHold(owner)) return hold(owner);
      const line = lines.get(owner) ?? [];
      const bound = waiting >= waitingOfAll ? waitingOfAll : waitingOfOne;
      if (waiting >= waitingOfAll || line.length >= waitingOfOne) throw bounds.refuse!(bound);
      return await new Promise<() => void>((resolve, reject) => {
        const go = () => {
          leave(owner, line, go);
          signal?.removeEventListener("abort", onAbort);
          resolve(hold(owner));
        };
        const onAbort = () => {
          leave(owner, line, go);
          reject(interruption(signal!));
        };
        line.push(go);
        lines.set(owner, line);
        waiting++;
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
  };
}

/** How time passes for what ends by itself. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Does `work` after `ms` unless what it gives is called before; keeps no process alive. */
  later(ms: number, work: () => void): () => void;
}

/** The machine's own time. */
export const MACHINE_CLOCK: Clock = {
  now: () => performance.now(),
  later(ms, work) {
    const timer = setTimeout(work, ms);
    Deno.unrefTimer(timer);
    return () => clearTimeout(timer);
  },
};
