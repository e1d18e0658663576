// Figures as text: tables whose columns line up, bars and small graphs. Knows nothing of what the
// figures mean; texts that come in must be safe to show.

const MIN_NAME_WIDTH = 16;

/**
 * Rows with their columns lined up: `align` holds an `l` or `r` for each, cells beyond it are `l`.
 * Lines are cut at `width`, with `namesFirst` after bars were left out and names made shorter.
 */
export function tableLines(
  rows: readonly (readonly (string | number)[])[],
  align: string,
  { width = Infinity, namesFirst = false }: { width?: number; namesFirst?: boolean } = {},
): string[] {
  let cells = rows.map((row) => row.map(String));
  const widths: number[] = [];
  for (const row of cells) {
    row.forEach((cell, at) => widths[at] = Math.max(widths[at] ?? 0, cell.length));
  }
  const excess = () => widths.reduce((sum, column) => sum + column + 2, -2) - width;
  if (namesFirst && excess() > 0) {
    if (widths.length > align.length) {
      cells = cells.map((row) => row.slice(0, align.length));
      widths.length = align.length;
    }
    const room = Math.max(MIN_NAME_WIDTH, widths[0]! - Math.max(0, excess()));
    cells = cells.map(([name = "", ...others]) => [cutText(name, room), ...others]);
    widths[0] = Math.min(widths[0]!, room);
  }
  return cells.map((row) =>
    cutText(
      row.map((cell, at) =>
        align[at] === "r" ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)
      ).join("  ").trimEnd(),
      width,
    )
  );
}

/** `text`, its end replaced by dots where it is longer than `width`. */
export function cutText(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 3)}...` : text;
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
