// That work grows in proportion to its input, told so that a busy machine cannot make it fail.

import assert from "node:assert/strict";

const LARGEST_EXPONENT = 1.6;
// The first rounds show a small input slower than it is: its code was not compiled yet.
const MIN_ROUNDS = 5;
const MAX_ROUNDS = 40;

/**
 * Passes once `work` has been seen to take in proportion to its input. The least of interleaved
 * rounds is what the work itself takes, the rest is what else went on: only work that grows faster
 * stays above in all rounds.
 */
export function assertProportional<Input>(
  sizes: readonly [small: number, large: number],
  input: (size: number) => Input,
  work: (input: Input) => void,
): void {
  const inputs = sizes.map(input);
  const least = [Infinity, Infinity];
  let exponent = Infinity;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (round >= MIN_ROUNDS && exponent < LARGEST_EXPONENT) return;
    for (const [index, item] of inputs.entries()) {
      const start = performance.now();
      work(item);
      least[index] = Math.min(least[index]!, performance.now() - start);
    }
    // The clock is no finer than this.
    const [small, large] = least.map((ms) => Math.max(ms, 0.05)) as [number, number];
    exponent = Math.log(large / small) / Math.log(sizes[1] / sizes[0]);
  }
  assert.fail(`Grows with the exponent ${exponent.toFixed(2)}`);
}
