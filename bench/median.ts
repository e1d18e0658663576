// Where the middle of measured values lies; holds no clock and prints nothing.

/** The value that `share` of `values` lie below; NaN without any. */
export function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? NaN;
}

/** The middle one of `values`, the upper of two; NaN without any. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
