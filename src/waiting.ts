// Waiting that ends as soon as nobody wants what is waited for: for work, and for one of few places.

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

/** A number of places that are taken and given back. */
export interface Slots {
  /** Waits for a place in order; what it gives puts the place back. Throws once `signal` is aborted. */
  take(signal?: AbortSignal): Promise<() => void>;
}

/** At most `count` holders at once; the others wait in order, or until their signal is aborted. */
export function createSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let free = count;
  const release = () => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  };
  return {
    async take(signal) {
      if (free > 0) {
        free--;
        return release;
      }
      await new Promise<void>((resolve, reject) => {
        const onTurn = () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        };
        const onAbort = () => {
          waiting.splice(waiting.indexOf(onTurn), 1);
          reject(interruption(signal!));
        };
        waiting.push(onTurn);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
      return release;
    },
  };
}
