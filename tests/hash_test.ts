import { notStrictEqual, ok, strictEqual } from "node:assert/strict";
import { canonicalJson, digestOf, digestOfJson, equalDigests } from "../src/hash.ts";

// From test_vectors.json of the BLAKE3 reference implementation: the digest by the input's length.
const VECTORS: Record<number, string> = {
  0: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
  1: "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
  1023: "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
  1024: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
  1025: "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
  2048: "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a",
  2049: "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030",
  3072: "b98cb0ff3623be03326b373de6b9095218513e64f1ee2edd2525c7ad1e5cffd2",
  4097: "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995",
  7169: "a003fc7a51754a9b3c7fae0367ab3d782dccf28855a03d435f8cfe74605e7817",
};

Deno.test("digestOf agrees with the reference implementation", () => {
  for (const [length, hex] of Object.entries(VECTORS)) {
    const input = Uint8Array.from({ length: Number(length) }, (_, index) => index % 251);
    strictEqual(digestOf(input), `blake3:${hex}`);
  }
});

Deno.test("digestOf takes a string as its UTF-8 bytes", () => {
  strictEqual(digestOf(""), `blake3:${VECTORS[0]}`);
  strictEqual(digestOf("é👍"), digestOf(new TextEncoder().encode("é👍")));
});

Deno.test("digestOfJson depends on meaning and not on the order of keys (C7)", () => {
  const digest = digestOfJson({ a: 1, b: { c: [1, 2], d: null } });
  strictEqual(digestOfJson(JSON.parse('{ "b": {"d":null,"c":[1,2]}, "a":1.0 }')), digest);
  const others = [
    { a: "1", b: { c: [1, 2], d: null } },
    { a: 1, b: { c: [2, 1], d: null } },
    { a: 1, b: { c: [1, 2] } },
    { a: 1, b: { c: [[1, 2]], d: null } },
    { a: true, b: { c: [1, 2], d: null } },
  ];
  for (const other of others) notStrictEqual(digestOfJson(other), digest);
  strictEqual(digestOfJson(-0), digestOfJson(0));
  notStrictEqual(digestOfJson("\u00e9"), digestOfJson("e\u0301"));
  notStrictEqual(digestOfJson({ "a.b": 1 }), digestOfJson({ a: { b: 1 } }));
});

Deno.test("canonicalJson sorts keys by code unit and leaves out what is undefined", () => {
  strictEqual(
    canonicalJson({ b: undefined, "\ufb33": 1, "\ud83d\ude00": 2, a: [undefined, "é\n"], A: {} }),
    '{"A":{},"a":[null,"é\\n"],"\ud83d\ude00":2,"\ufb33":1}',
  );
  strictEqual(canonicalJson(JSON.parse('{"__proto__":{"x":1}}')), '{"__proto__":{"x":1}}');
});

Deno.test("equalDigests is true for equal texts only", () => {
  const digest = digestOf("a");
  ok(equalDigests(digest, digestOf("a")));
  ok(!equalDigests(digest, digestOf("b")));
  ok(!equalDigests(digest, digest.slice(0, -1)));
  ok(!equalDigests(digest, `${digest}\0`));
  ok(!equalDigests("", digest));
  ok(equalDigests("", ""));
});
