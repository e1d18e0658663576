// Reads a source map (version 3, one source) back to positions of the author's text.
// It trusts nothing in the map: whatever is damaged leaves positions as they are.

/** A place in a text; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

// One mapping: generated column, source line, source column, all from 0.
type Segment = readonly [number, number, number];

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** A function from positions of generated text to those of its source, by a map's `mappings`. */
export function mapPositions(mappings: string): (position: Position) => Position {
  const lines = decodeMappings(mappings);
  return ({ line, column }) => {
    // A line without a mapping of its own belongs to the statement that began above it.
    for (let index = Math.min(line, lines.length) - 1; index >= 0; index--) {
      const segments = lines[index]!;
      const wanted = index === line - 1 ? column - 1 : Infinity;
      const found = segments.findLast(([generated]) => generated <= wanted) ?? segments[0];
      if (found !== undefined) return { line: found[1] + 1, column: found[2] + 1 };
    }
    return { line, column };
  };
}

function decodeMappings(mappings: string): Segment[][] {
  let sourceLine = 0;
  let sourceColumn = 0;
  return mappings.split(";").map((line) => {
    const segments: Segment[] = [];
    let generated = 0;
    for (const text of line.split(",")) {
      const [column, source, lineDelta, columnDelta] = decodeNumbers(text);
      generated += column ?? 0;
      if (source === undefined || lineDelta === undefined || columnDelta === undefined) continue;
      sourceLine += lineDelta;
      sourceColumn += columnDelta;
      segments.push([generated, sourceLine, sourceColumn]);
    }
    return segments;
  });
}

// Base-64 VLQ: five bits a digit, lowest first, the sixth says that more follow; bit 0 is the sign.
function decodeNumbers(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const char of text) {
    const digit = DIGITS.indexOf(char);
    value += (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) !== 0) continue;
    numbers.push((value & 1) === 1 ? -(value >>> 1) : value >>> 1);
    value = shift = 0;
  }
  return numbers;
}
