// The wall clock of one run: how long it has taken, what of that counts against its limit, and the
// timer that ends a run which waits. Nothing here ends a program that computes.

import { MAX_CONNECTING_MS } from "./limits.ts";

/**
 * Calls `act` in about `ms` milliseconds, or never once what it gives was called. Keeps no process
 * alive, and costs none the 4 ms of a first `setTimeout`.
 */
export function after(ms: number, act: () => void): () => void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  Promise.resolve(Atomics.waitAsync(cell, 0, 0, ms).value).then((end) => end !== "ok" && act());
  return () => void Atomics.notify(cell, 0);
}

/** A clock that has not begun. */
export class WallClock {
  readonly #limitMs: number;
  readonly #onEnd: () => void;
  #startedAt: number | undefined;
  #standsSince: number | undefined;
  #stoodMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the run waits. */
  #isWaiting = false;

  /** `onEnd` is called when a run that waits has used `limitMs`. */
  constructor(limitMs: number, onEnd: () => void) {
    this.#limitMs = limitMs;
    this.#onEnd = onEnd;
  }

  /** Milliseconds since it began. */
  get ms(): number {
    return this.#startedAt === undefined ? 0 : performance.now() - this.#startedAt;
  }

  /** Milliseconds that count: those in which it stood do not. */
  get countedMs(): number {
    const stands = this.#standsSince === undefined ? 0 : performance.now() - this.#standsSince;
    return Math.max(0, this.ms - this.#stoodMs - stands);
  }

  /** Whether the limit is used up. */
  get isOver(): boolean {
    return this.countedMs > this.#limitMs;
  }

  /** Begins, or begins anew. */
  begin(): void {
    this.end();
    this.#startedAt = performance.now();
  }

  /** Lets it stand still, or go on. */
  hold(stands: boolean): void {
    if (stands === (this.#standsSince !== undefined)) return;
    this.#clear();
    if (stands) {
      this.#standsSince = performance.now();
      return;
    }
    this.#stoodMs += performance.now() - this.#standsSince!;
    this.#standsSince = undefined;
    if (this.#isWaiting) this.wait();
  }

  /** The run waits, until its end. Before that no timer is set: a process's first takes 5 ms. */
  wait(): void {
    this.#isWaiting = true;
    if (this.#standsSince !== undefined) return;
    this.#timer ??= setTimeout(this.#onEnd, this.#limitMs - this.countedMs);
  }

  /** Sets no timer from now on. */
  end(): void {
    this.#isWaiting = false;
    this.#clear();
  }

  #clear(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** What holds the clock of one run. */
export interface Holds {
  /** Lets it stand still until the function it gives is called. */
  hold(): () => void;
  /** Ends every hold. */
  end(): void;
}

/**
 * Nothing holds the clock yet; `onChange` is told when it stands still and when it goes on. Several
 * calls can hold it at once, all of them together no longer than `MAX_CONNECTING_MS`.
 */
export function createHolds(onChange: (stands: boolean) => void): Holds {
  let holders = 0;
  let since = 0;
  let left = MAX_CONNECTING_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    left -= performance.now() - since;
    onChange(false);
  };
  return {
    hold() {
      if (holders++ === 0 && left > 0) {
        since = performance.now();
        timer = setTimeout(end, left);
        onChange(true);
      }
      let holds = true;
      return () => {
        if (!holds) return;
        holds = false;
        if (--holders === 0) end();
      };
    },
    end,
  };
}
