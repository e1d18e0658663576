import assert from "node:assert/strict";
import { barOf, sparkline, tableLines } from "../src/figure_views.ts";

Deno.test("tableLines lines columns up and leaves no space at the end of a line", () => {
  assert.deepEqual(tableLines([["tool", "n", ""], ["a", 12, "x"], ["bcdefg", 3, ""]], "lr"), [
    "tool     n",
    "a       12  x",
    "bcdefg   3",
  ]);
  assert.deepEqual(tableLines([], "l"), []);
});

Deno.test("tableLines leaves out bars, then shortens names, then cuts lines to a width", () => {
  const rows = [["tool", "n", "times"], ["a-tool-of-a-long-name", 12, 3, "████"]];
  const shown = (width: number) => tableLines(rows, "lrr", { width, namesFirst: true })[1];
  assert.equal(shown(38), "a-tool-of-a-long-name  12      3  ████");
  assert.equal(shown(37), "a-tool-of-a-long-name  12      3");
  assert.equal(shown(31), "a-tool-of-a-long-...  12      3");
  assert.equal(shown(20), "a-tool-of-a-l... ...");
  assert.equal(tableLines([["id", "text"]], "ll", { width: 6 })[0], "id ...");
});

Deno.test("barOf is as long as its share and never empty above zero", () => {
  assert.equal(barOf(10, 10, 4), "████");
  assert.equal(barOf(5, 10, 4), "██");
  assert.equal(barOf(1, 1_000, 4), "█");
  assert.equal(barOf(0, 10, 4) + barOf(-3, 10, 4) + barOf(3, 0, 4), "");
});

Deno.test("sparkline shows the largest highest, and nothing for none", () => {
  assert.equal(sparkline([0, 1, 4, 8]), " ▂▅█");
  assert.equal(sparkline([]) + sparkline([0]), " ");
  assert.equal(sparkline([-5, 2]), " █");
});
