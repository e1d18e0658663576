import assert from "node:assert/strict";
import { AppError, type ErrorKind } from "../src/errors.ts";
import { MAX_VFS_FILES } from "../src/limits.ts";
import { createVfs, type FileSet, normalizePath } from "../src/vfs.ts";

function refused(kind: ErrorKind, run: () => unknown): AppError {
  let caught: unknown;
  try {
    run();
  } catch (error) {
    caught = error;
  }
  assert.ok(caught instanceof AppError, "expected a refusal");
  assert.equal(caught.kind, kind, caught.message);
  assert.match(caught.message, /^[A-Z][^\n]*[^.]$/);
  return caught;
}

function fileSet(...paths: string[]): FileSet {
  return new Map(paths.map((path) => [path, `text of ${path}`]));
}

const ODD_NAMES = [
  "..",
  ".",
  "a\\..\\b",
  "C:\\x",
  "\\\\host",
  "\\\\host\\share",
  "a.",
  "a ",
  " a",
  "a\0b",
  "a\nb",
  "CON",
  "nul.ts",
  "Lpt1.tar.gz",
  "x".repeat(300),
  "a:b",
  "a*",
  "a\u200bb",
  "a\u202eb",
  "%2e%2e",
  "%252e%252e",
  "a%00",
  "e\u0301",
];

Deno.test("normalizePath and mount refuse names that not every disk keeps (V1, V2, V3)", () => {
  refused("invalid", () => normalizePath(""));
  refused("invalid", () => normalizePath(".."));
  for (const name of ODD_NAMES) {
    const vfs = createVfs();
    refused("invalid", () => vfs.mount("/a", fileSet(name)));
    refused("invalid", () => vfs.mount("/a", fileSet(`b/${name}`)));
    refused("invalid", () => vfs.mount("/a", fileSet(`${name}/b`)));
    assert.equal(vfs.files().size, 0);
    if (!name.startsWith(".")) refused("invalid", () => normalizePath(`/a/${name}`));
  }
  for (const path of ["/etc", "", "/", "a//b", "a/", "./a", "a/../b"]) {
    refused("invalid", () => createVfs().mount("/a", fileSet(path)));
  }
  refused("limit", () => normalizePath(`/${"a/".repeat(10_000)}`));
});

Deno.test("normalizePath resolves what stays inside and refuses what leaves (V7)", () => {
  assert.equal(normalizePath("//a"), "/a");
  assert.equal(normalizePath("/./a/"), "/a");
  assert.equal(normalizePath("/a/b/../c"), "/a/c");
  assert.equal(normalizePath("a/b.ts"), "/a/b.ts");
  assert.equal(normalizePath("/"), "/");
  assert.equal(normalizePath("/workspace/Übersicht.md"), "/workspace/Übersicht.md");
  refused("invalid", () => normalizePath("/a/../../b"));
  refused("invalid", () => normalizePath("../a"));
});

Deno.test("createVfs holds what was mounted by absolute path, and hands out a copy", () => {
  const vfs = createVfs();
  vfs.mount("/mcp-tools/servers/demo", fileSet("index.ts", "sub/c.ts"));
  vfs.mount("/mcp-tools/./servers/other/", fileSet("index.ts"));
  for (const round of [1, 2]) {
    const files = vfs.files() as Map<string, string>;
    assert.deepEqual([...files], [
      ["/mcp-tools/servers/demo/index.ts", "text of index.ts"],
      ["/mcp-tools/servers/demo/sub/c.ts", "text of sub/c.ts"],
      ["/mcp-tools/servers/other/index.ts", "text of index.ts"],
    ], `round ${round}`);
    files.clear();
  }
});

Deno.test("createVfs keeps paths apart that differ only by case (V4)", () => {
  const vfs = createVfs();
  vfs.mount("/GitHub", fileSet("Read.ts", "read.ts"));
  vfs.mount("/github", fileSet("read.ts"));
  assert.equal(vfs.files().size, 3);
});

Deno.test("createVfs reports paths that a reader may take for one another (V3)", () => {
  const twins = [
    ["paypal.ts", "pаypаl.ts"],
    ["Сору/a.ts", "Copy/b.ts"],
    ["ﬁle.ts", "file.ts"],
  ];
  for (const [first, second] of twins) {
    const vfs = createVfs();
    assert.match(
      refused("invalid", () => vfs.mount("/a", fileSet(first!, second!))).message,
      /looks like/,
    );
    vfs.mount("/a", fileSet(first!));
    refused("invalid", () => vfs.mount("/a", fileSet(second!)));
    assert.equal(vfs.files().size, 1);
  }
});

Deno.test("createVfs refuses a file where a folder is and the reverse (V5)", () => {
  const vfs = createVfs();
  refused("invalid", () => vfs.mount("/", fileSet("a", "a/b")));
  refused("invalid", () => vfs.mount("/", fileSet("a/b", "a")));
  vfs.mount("/", fileSet("a/b"));
  refused("invalid", () => vfs.mount("/", fileSet("a")));
  refused("invalid", () => vfs.mount("/a/b", fileSet("c")));
  refused("invalid", () => vfs.mount("/a", fileSet("b")));
  assert.deepEqual([...vfs.files().keys()], ["/a/b"]);
});

Deno.test("createVfs checks its bounds before it takes anything in (V6)", () => {
  const vfs = createVfs();
  vfs.mount("/", fileSet("first"));
  const many = new Map(Array.from({ length: 100_000 }, (_, n) => [`f${n}`, ""]));
  const reached = refused("limit", () => vfs.mount("/many", many));
  assert.equal(reached.limit?.limit, MAX_VFS_FILES);
  const megabyte = "é".repeat(512 * 1024);
  const large = new Map(Array.from({ length: 1024 }, (_, n) => [`f${n}`, megabyte]));
  refused("limit", () => vfs.mount("/large", large));
  refused("limit", () => vfs.mount("/deep", fileSet(`${"a/".repeat(10_000)}b`)));
  refused("limit", () => vfs.mount(`/${"a/".repeat(20)}`, fileSet(`${"b/".repeat(20)}c`)));
  refused("limit", () => vfs.mount("/", fileSet(`${`${"x".repeat(250)}/`.repeat(5)}c`)));
  assert.deepEqual([...vfs.files().keys()], ["/first"]);
});
