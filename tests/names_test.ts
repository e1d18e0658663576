import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import type { AppError } from "../src/errors.ts";
import {
  isPathSegment,
  isServerName,
  nearestHint,
  nearestNames,
  slugServerName,
  toServerName,
  toSessionId,
  toSkillName,
  toToolName,
} from "../src/names.ts";

// What no name of a file or of anything that becomes one may be.
const ODD_NAMES = [
  "",
  ".",
  "..",
  "../x",
  "/etc",
  "a/b",
  "C:\\x",
  "\\\\host",
  "a\\b",
  "x.",
  "x ",
  " x",
  "x".repeat(300),
  "a\0b",
  "a\nb",
  "CON",
  "con",
  "nul.txt",
  "LPT1",
  "%2e%2e",
  "%252e%252e%2f",
  "a\u200bb",
  "a\u202eb",
  "e\u0301",
  "\ud800",
];

function refuses(make: (text: string) => unknown, text: string, kind = "usage"): void {
  throws(() => make(text), (error: unknown) => {
    strictEqual((error as AppError).kind, kind);
    match((error as AppError).message, /^[A-Z]\P{Cc}*$/u);
    return true;
  }, `${JSON.stringify(text)} was accepted`);
}

Deno.test("toServerName accepts letters, digits, dots, dashes and underscores", () => {
  for (const name of ["github", "a", "My.Server_2-x", "x".repeat(64), "then"]) {
    strictEqual(toServerName(name), name);
  }
});

Deno.test("toServerName refuses names that leave a folder or that a disk changes (V1, V2, V3)", () => {
  const more = ["x".repeat(65), "-x", ".x", "a b", "gіthub", "é", "a%2e", "com1.x"];
  for (const name of [...ODD_NAMES, ...more]) {
    refuses(toServerName, name);
    ok(!isServerName(name));
  }
  refuses((text) => toServerName(text, "invalid"), "../x", "invalid");
});

Deno.test("toServerName refuses members of every object (A12)", () => {
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]) {
    refuses(toServerName, name);
  }
});

Deno.test("slugServerName makes a valid name of any text", () => {
  deepStrictEqual(
    ["My Server!", "café", "  ", "../../etc", "con", "constructor", "日本", "-a-", "x".repeat(80)]
      .map((text) => slugServerName(text)),
    ["My-Server", "cafe", "server", "etc", "server", "server", "server", "a", "x".repeat(64)],
  );
  strictEqual(slugServerName("日本", "other"), "other");
});

Deno.test("toToolName keeps a name byte for byte", () => {
  for (const name of ["add", "repo/list issues", "__proto__", "then", "日本", "a".repeat(256)]) {
    strictEqual(toToolName(name), name);
  }
});

Deno.test("toToolName refuses empty, oversized and invisible names (H16, V3, S25)", () => {
  const hidden = ["a\0", "a\n", "\x1b[m", "\u200b", "\u202e", "\u{e0041}", "\ufe0f", "\u3164"];
  for (const name of ["", "a".repeat(257), "é".repeat(129), "\ud800", "\u034f", ...hidden]) {
    refuses(toToolName, name);
  }
});

Deno.test("toSkillName accepts lower-case groups joined by single hyphens", () => {
  for (const name of ["github", "my-skill-2", "x".repeat(64)]) strictEqual(toSkillName(name), name);
});

Deno.test("toSkillName refuses other names, devices and reserved words (V1, V2, V3)", () => {
  const more = ["x".repeat(65), "A", "a--b", "-a", "a-", "a_b", "a.b", "nul", "com1", "my-claude"];
  for (const name of [...ODD_NAMES, ...more]) refuses(toSkillName, name);
});

Deno.test("toSessionId refuses separators and everything that is no plain word (C2)", () => {
  strictEqual(toSessionId("Run_1-a"), "Run_1-a");
  for (const id of [...ODD_NAMES, "a:b", "a.b", "-a", "x".repeat(65)]) {
    if (!/^con$/i.test(id) && id !== "LPT1") refuses(toSessionId, id);
  }
});

Deno.test("isPathSegment refuses what some disk changes, splits or hides (V1, V2, V3)", () => {
  for (const name of ["index.ts", ".claude", "Über uns.md", "日本", "a-b_c", "100%", "..a"]) {
    ok(isPathSegment(name), name);
  }
  for (const name of [...ODD_NAMES, "a:b", "a*", "a?", 'a"', "a<b", "a|b"]) {
    ok(!isPathSegment(name), JSON.stringify(name));
  }
});

Deno.test("nearestNames gives the three nearest, best first", () => {
  const known = ["create_issue", "create_issues", "delete_issue", "list", "get_create_issue_x"];
  const near = ["create_issue", "create_issues", "delete_issue"];
  deepStrictEqual(nearestNames("craete_issue", known), near);
  deepStrictEqual(nearestNames("CREATE_ISSUE", known), near);
  deepStrictEqual(nearestNames("issues", known), ["create_issues"]);
  deepStrictEqual(nearestNames("lst", known), ["list"]);
  deepStrictEqual(nearestNames("zzz", known), []);
  deepStrictEqual(nearestNames("", known), []);
  // Much longer ones are near only where they contain the name.
  deepStrictEqual(nearestNames("issue_x", [...known, "issue"]), ["issue", "get_create_issue_x"]);
  strictEqual(nearestHint("lst", { known, otherwise: "look" }), 'did you mean "list"?');
  strictEqual(nearestHint("zzz", { known, otherwise: "look" }), "look");
});
