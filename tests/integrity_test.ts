import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import type { AppError } from "../src/errors.ts";
import { digestOf } from "../src/hash.ts";
import { CHECKSUM_FILE, checksumOf, rootOf, toRoot, verifyFiles } from "../src/integrity.ts";

const TEXTS = new Map([["b.ts", "two"], ["SKILL.md", "one"], ["a/c.ts", "three"]]);

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function written(texts: ReadonlyMap<string, string> = TEXTS): Map<string, Uint8Array> {
  const files = new Map([...texts].map(([name, text]) => [name, bytes(text)]));
  return files.set(CHECKSUM_FILE, bytes(checksumOf(texts).text));
}

function refuses(files: ReadonlyMap<string, Uint8Array>, message: RegExp): void {
  throws(() => verifyFiles(files, 'Skill "x"'), (error: AppError) => {
    strictEqual(error.kind, "integrity");
    strictEqual(error.exitCode, 6);
    match(error.message, message);
    return true;
  });
}

Deno.test("checksumOf gives a sorted line for each file, then the total over these lines", () => {
  const { text, root } = checksumOf(TEXTS);
  const lines = [["SKILL.md", "one"], ["a/c.ts", "three"], ["b.ts", "two"]]
    .map(([name, data]) => `${digestOf(data!)}  ${name}\n`).join("");
  strictEqual(text, `${lines}${digestOf(lines)}\n`);
  strictEqual(root, digestOf(lines));
  strictEqual(rootOf(text), root);
});

Deno.test("checksumOf gives the same for any order of files, and leaves itself out", () => {
  const turned = new Map([...TEXTS].reverse());
  deepStrictEqual(checksumOf(turned), checksumOf(TEXTS));
  deepStrictEqual(checksumOf(written()), checksumOf(TEXTS));
});

Deno.test("verifyFiles gives the root of files that are as they were written", () => {
  strictEqual(verifyFiles(written(), "x"), checksumOf(TEXTS).root);
  strictEqual(verifyFiles(written(new Map()), "x"), checksumOf(new Map()).root);
});

Deno.test("verifyFiles names the file of which any byte was flipped (K1)", () => {
  for (const name of TEXTS.keys()) {
    const size = TEXTS.get(name)!.length;
    for (let at = 0; at < size; at++) {
      const files = written();
      files.get(name)![at]! ^= 1;
      refuses(files, new RegExp(`^Skill "x" is not as it was written: "${name}" was changed$`));
    }
  }
});

Deno.test("verifyFiles says what brings a changed skill back", () => {
  const files = written();
  files.set("b.ts", bytes("mine"));
  throws(
    () => verifyFiles(files, 'Skill "x"'),
    (error: AppError) => /^write it again with --force, or remove it$/.test(error.hint ?? ""),
  );
});

Deno.test("verifyFiles refuses a checksum file of which any byte was flipped (K1, K3)", () => {
  const size = written().get(CHECKSUM_FILE)!.length;
  for (let at = 0; at < size; at++) {
    const files = written();
    files.get(CHECKSUM_FILE)![at]! ^= 1;
    refuses(files, /./);
  }
});

Deno.test("verifyFiles names files that were cut, emptied, removed and added (K2)", () => {
  const cut = written().set("b.ts", bytes("tw"));
  refuses(cut, /"b\.ts" was changed$/);
  refuses(written().set("b.ts", bytes("")), /"b\.ts" was changed$/);
  refuses(written().set("d.ts", bytes("")), /"d\.ts" was added$/);
  const without = written();
  without.delete("a/c.ts");
  refuses(without, /"a\/c\.ts" is missing$/);
});

Deno.test("verifyFiles lists several files below its message, and counts beyond ten", () => {
  const files = written(new Map(Array.from({ length: 14 }, (_, at) => [`f${at}`, "x"])));
  for (const name of files.keys()) if (name !== CHECKSUM_FILE) files.set(name, bytes("y"));
  throws(() => verifyFiles(files, "x"), (error: AppError) => {
    strictEqual(error.detail?.length, 11);
    strictEqual(error.detail?.at(-1), "and 4 more");
    return true;
  });
});

Deno.test("verifyFiles refuses a checksum file that is absent or malformed (K3)", () => {
  const absent = written();
  absent.delete(CHECKSUM_FILE);
  refuses(absent, /has no checksum\.blake3$/);
  const good = checksumOf(TEXTS).text;
  const first = good.slice(0, good.indexOf("\n") + 1);
  const malformed: [string, RegExp][] = [
    ["", /without a total$/],
    ["\n", /without a total$/],
    [good.slice(0, -1), /without a total$/],
    [good.toUpperCase(), /without a total$/],
    [`${good}\n`, /without a total$/],
    [first + good, /line that does not belong/],
    [good.replaceAll("\n", "\r\n"), /without a total$/],
    [good.replace("  ", " "), /line that does not belong/],
    [good.slice(first.length), /total does not fit/],
    [good.replace("SKILL.md", CHECKSUM_FILE), /line that does not belong/],
    [`${"x".repeat(3_000_000)}\n`, /is too large$/],
  ];
  for (const [text, message] of malformed) {
    refuses(written().set(CHECKSUM_FILE, bytes(text)), message);
  }
});

Deno.test("verifyFiles cannot tell both file and checksum rewritten: the root differs (K4)", () => {
  const changed = written(new Map([...TEXTS, ["b.ts", "evil"]]));
  const root = verifyFiles(changed, "x");
  match(root, /^blake3:[0-9a-f]{64}$/);
  strictEqual(root === checksumOf(TEXTS).root, false);
});

Deno.test("toRoot takes a whole digest and nothing else", () => {
  const { root } = checksumOf(TEXTS);
  strictEqual(toRoot(root), root);
  for (const text of ["", "blake3:", root.slice(0, -1), root.toUpperCase(), ` ${root}`]) {
    throws(() => toRoot(text), { kind: "usage" });
  }
});
