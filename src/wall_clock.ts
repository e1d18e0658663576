// The wall clock of one run: how long it has taken, what of that counts against its limit, and the
// timer that ends a run which waits. Nothing here ends a program that computes.

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
