import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import {
  DEFAULT_RUN_LIMITS,
  formatBytes,
  formatCount,
  parseCount,
  parseDuration,
  parseSize,
  toMemoryLimit,
} from "../src/limits.ts";

const MIB = 1024 * 1024;

function refuses(read: () => unknown, message: RegExp): void {
  throws(read, (error: unknown) => {
    strictEqual((error as AppError).kind, "invalid");
    match((error as AppError).message, message);
    return true;
  });
}

Deno.test("parseDuration reads units, and a bare number as seconds", () => {
  deepStrictEqual(
    ["500ms", "2s", "5m", "1h", "30", "0.5", " 1.5s ", "24h"].map(parseDuration),
    [500, 2_000, 300_000, 3_600_000, 30_000, 500, 1_500, 86_400_000],
  );
});

Deno.test("parseDuration refuses what is no duration, zero and more than a day (A4)", () => {
  const odd = ["-1", "0", "0s", "NaN", "1e999", "5x", "", "Infinity", "1 s", "0.1ms", "25h", "1e3"];
  for (const text of odd) {
    refuses(() => parseDuration(text), /^Duration must look like 500ms, 2s or 5m, got "/);
  }
  refuses(() => parseDuration("\x1b[2J"), /got "\\u\{1b\}\[2J"$/);
});

Deno.test("parseSize reads binary units in any case", () => {
  deepStrictEqual(
    ["64MiB", "64m", "64 MB", "512k", "1G", "100", "1.5KiB", "7b"].map(parseSize),
    [64 * MIB, 64 * MIB, 64 * MIB, 512 * 1024, 1024 * MIB, 100, 1536, 7],
  );
});

Deno.test("parseSize refuses what is no size, and zero (A4)", () => {
  for (const text of ["", "0", "-5", "1e3", "5x", "NaN", "MiB", "1kk", "999999999999g"]) {
    refuses(() => parseSize(text), /^Size must look like 64MiB or 512k, got "/);
  }
});

Deno.test("parseCount reads whole numbers with or without an exponent", () => {
  deepStrictEqual(["1", "1000", "1e9", "2E3"].map((text) => parseCount(text, "Fuel")), [
    1,
    1000,
    1e9,
    2000,
  ]);
});

Deno.test("parseCount names what was wanted and the largest value (A4)", () => {
  for (const text of ["0", "-1", "1.5", "1e99", "NaN", "", "0x10", "11"]) {
    refuses(() => parseCount(text, "Calls", 10), /^Calls must be a whole number from 1 to 10, got/);
  }
});

Deno.test("toMemoryLimit gives whole pages between its bounds", () => {
  strictEqual(toMemoryLimit(64 * MIB + 70_000), 64 * MIB + 65_536);
  strictEqual(toMemoryLimit(16 * MIB), 16 * MIB);
  strictEqual(toMemoryLimit(2048 * MIB), 2048 * MIB);
  for (const bytes of [16 * MIB - 1, 2048 * MIB + 1, 0, -1, NaN, Infinity]) {
    refuses(() => toMemoryLimit(bytes), /^Memory limit must be 16MiB to 2GiB, got \S+ B$/);
  }
});

Deno.test("DEFAULT_RUN_LIMITS are the documented ones", () => {
  deepStrictEqual(DEFAULT_RUN_LIMITS, {
    fuel: 1e9,
    wallMs: 30_000,
    memory: 256 * MIB,
    calls: 1000,
  });
});

Deno.test("formatBytes uses the largest unit that leaves at least one", () => {
  deepStrictEqual(
    [0, 1023, 1024, 1536, 64 * MIB, 2048 * MIB].map(formatBytes),
    ["0 B", "1023 B", "1 KiB", "1.5 KiB", "64 MiB", "2 GiB"],
  );
});

Deno.test("formatCount sets thousands apart", () => {
  strictEqual(formatCount(1_234_567.8), "1,234,568");
  strictEqual(formatCount(-1_450), "-1,450");
});
