// E-C8: METHOD of a long text
// expect: limit fuel | limit memory | guest
// each: before callback split pad trim upper compare encode wellFormed reverse
const text = "a".repeat(3e6);
const acts = {
  before: () => text.replaceAll("a", "$`"),
  callback: () => {
    for (;;) text.replace(/a/g, () => "bb");
  },
  split: () => {
    const kept = [];
    for (;;) kept.push(text.split(""));
  },
  pad: () => {
    for (;;) text.padStart(2 ** 26, "ab");
  },
  trim: () => {
    const gap = " ".repeat(1e7);
    for (;;) gap.trim();
  },
  upper: () => {
    for (;;) text.toUpperCase();
  },
  compare: () => {
    for (;;) text.localeCompare(text + "b");
  },
  encode: () => {
    for (;;) encodeURIComponent(text);
  },
  wellFormed: () => {
    for (;;) text.toWellFormed();
  },
  reverse: () => {
    for (;;) [...text].reverse().join("");
  },
};
acts["METHOD"]();
