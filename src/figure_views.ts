// Figures as text: tables whose columns line up, bars and small graphs. Knows nothing of what the
// figures mean; texts that come in must be safe to show.

/** Rows with their columns lined up: `align` holds an `l` or `r` for each, cells beyond it are `l`. */
export function tableLines(
  rows: readonly (readonly (string | number)[])[],
  align: string,
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, at) => widths[at] = Math.max(widths[at] ?? 0, `${cell}`.length));
  }
  return rows.map((row) =>
    row.map((cell, at) =>
      align[at] === "r" ? `${cell}`.padStart(widths[at]!) : `${cell}`.padEnd(widths[at]!)
    ).join("  ").trimEnd()
  );
}

/** A bar of at most `width` blocks for `value` of `max`; at least one for anything above zero. */
export function barOf(value: number, max: number, width = 20): string {
  if (value <= 0 || max <= 0) return "";
  return "█".repeat(Math.max(1, Math.round(value / max * width)));
}

/** One block a value, as high as the value is of the largest; a space for none. */
export function sparkline(values: readonly number[]): string {
  const max = Math.max(0, ...values);
  return values.map((value) =>
    value <= 0 ? " " : "▁▂▃▄▅▆▇█"[Math.min(7, Math.floor(value / max * 8))]!
  ).join("");
}

export { formatCount } from "./limits.ts";
