import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { inspect } from "node:util";
import {
  cleanLine,
  cleanText,
  maskArguments,
  maskHome,
  maskUrl,
  maskUrlTemplate,
  quoteText,
  Secret,
} from "../src/text.ts";

Deno.test("cleanText makes terminal escapes, bidi, tag and invisible characters visible (H22)", () => {
  const cases: Record<string, string> = {
    "\x1b[31mred": "\\u{1b}[31mred",
    "\x1b]8;;http://x\x07link": "\\u{1b}]8;;http://x\\u{7}link",
    "\x1b]52;c;QQ==\x1b\\": "\\u{1b}]52;c;QQ==\\u{1b}\\",
    "safe\rfake": "safe\\u{d}fake",
    "\x9b2J": "\\u{9b}2J",
    "a\0b\x7f": "a\\u{0}b\\u{7f}",
    "\u202eabc\u2066": "\\u{202e}abc\\u{2066}",
    "a\u200bb\u2060\ufeff\u00ad": "a\\u{200b}b\\u{2060}\\u{feff}\\u{ad}",
    "\u{e0041}\u{e0100}": "\\u{e0041}\\u{e0100}",
    "x\ufe0fy\u034f\u3164\u180b": "x\\u{fe0f}y\\u{34f}\\u{3164}\\u{180b}",
    "\u2028\u2029": "\\u{2028}\\u{2029}",
    "\ud800x\ue000": "\\u{d800}x\\u{e000}",
  };
  for (const [text, safe] of Object.entries(cases)) strictEqual(cleanText(text), safe);
});

Deno.test("cleanText leaves ordinary text of any script, tabs and line feeds alone", () => {
  const text = "Zoë: 日本語 שלום 👍🏽\n\tnext ~ \u00a0 e\u0301";
  strictEqual(cleanText(text), text);
  strictEqual(cleanText("a\r\nb"), "a\nb");
});

Deno.test("cleanText and cleanLine say how much they left out, and never cut a character in two", () => {
  strictEqual(cleanText("abcdef", 4), "abcd... (2 more)");
  strictEqual(cleanText("abc👍def", 4), "abc... (5 more)");
  strictEqual(cleanLine("abcdef", 4), "abcd... (2 more)");
  strictEqual(cleanLine("x".repeat(1_000_000), 10), `${"x".repeat(10)}... (999990 more)`);
  strictEqual(cleanLine(`a${" ".repeat(1_000_000)}`, 10), "a... (1000000 more)");
});

Deno.test("cleanLine gives one line whatever separates the words", () => {
  strictEqual(cleanLine(" a\r\n\tb\u2028c\u0085d\u000be  "), "a b c d e");
});

Deno.test("quoteText shortens, cleans and stays on one line", () => {
  strictEqual(quoteText("a\nb\tc\x1b"), '"a b c\\u{1b}"');
  strictEqual(quoteText(""), '""');
  strictEqual(quoteText("x".repeat(80)), `"${"x".repeat(80)}"`);
  strictEqual(quoteText("x".repeat(81)), `"${"x".repeat(80)}..."`);
  strictEqual(quoteText(`${"x".repeat(79)}👍`), `"${"x".repeat(79)}..."`);
  strictEqual(quoteText(`a... (b${"x".repeat(90)}`), `"a... (b${"x".repeat(73)}..."`);
});

Deno.test("Secret gives only a mask however it is printed (X1, X2)", () => {
  const secret = new Secret("canary");
  strictEqual(secret.reveal(), "canary");
  const printed = [
    String(secret),
    `${secret}`,
    "" + secret,
    JSON.stringify({ secret }),
    Deno.inspect({ nested: { secret } }, { showHidden: true, depth: 9 }),
    inspect(secret, { showHidden: true, depth: 9 }),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify(structuredClone(secret)),
    new Error("x", { cause: secret }).stack!,
    Deno.inspect(new Error("x", { cause: secret })),
  ];
  ok(!printed.join().includes("canary"), printed.join());
  deepStrictEqual(printed.slice(0, 3), ["***", "***", "***"]);
});

Deno.test("maskUrl hides user info, query values and fragment (X3, X4)", () => {
  strictEqual(
    maskUrl("https://canary:canary@host:8443/mcp?key=canary&b=canary#canary"),
    "https://***@host:8443/mcp?key=***&b=***#***",
  );
  strictEqual(maskUrl("https://host/mcp"), "https://host/mcp");
  strictEqual(maskUrl("https://host/?canary"), "https://host/?***");
  strictEqual(maskUrl("https://host/?canary="), "https://host/?***");
  strictEqual(maskUrl("https://host/?a=canary=canary&&=canary"), "https://host/?a=***&***");
  strictEqual(maskUrl("canary:canary@host"), "canary:***");
  strictEqual(maskUrl("//canary@host"), "***");
  strictEqual(maskUrl("data:text/plain,canary"), "data:***");
});

Deno.test("maskUrlTemplate hides user info and query where a URL with variables cannot be parsed", () => {
  for (
    const [url, shown] of [
      ["https://canary:canary@host/${X}?key=canary#canary", "https://***@host/${X}"],
      ["${SCHEME}://canary@host/x", "${SCHEME}://***@host/x"],
      ["https:canary:canary@host/${X}", "https:***@host/${X}"],
      ["https:/canary:canary@host/${X}", "https:/***@host/${X}"],
      ["https:\\\\canary:canary@host/${X}", "https:\\\\***@host/${X}"],
      ["https:/\t/canary:canary@host/${X}", "https://***@host/${X}"],
      ["https://${U:-can/ary}:${P}@host/", "https://***@host/"],
      ["https://${U:-can?ary}:${P}@host/", "https://***@host/"],
      ["${BASE:-https://canary@host/}x", "${BASE:-***}x"],
      ["https://${HOST:-localhost:80}/@scope/${X}", "https://${HOST:-localhost:80}/@scope/${X}"],
      ["https://host/mcp?key=canary", "https://host/mcp?key=***"],
    ] as const
  ) strictEqual(maskUrlTemplate(url), shown);
});

Deno.test("maskArguments hides what sounds or looks like a secret (X5)", () => {
  deepStrictEqual(
    maskArguments([
      "-y",
      "@modelcontextprotocol/server-everything@2025.12.18",
      "--api-key",
      "canary",
      "--token=canary",
      "--url=https://u:canary@host/x?k=canary",
      "-e",
      "GITHUB_TOKEN=canary",
      "--header",
      "Authorization: Bearer canary",
      "https://host/?t=canary",
      "sk-canary",
      "ghp_canary",
      "0123456789abcdef0123456789abcdef",
      "postgres://user:canary@db/x",
      "--verbose",
      "--password",
      "--dir=/home/me",
      "/home/me/some-project/with-a-long-path-2024",
    ]),
    [
      "-y",
      "@modelcontextprotocol/server-everything@2025.12.18",
      "--api-key",
      "***",
      "--token=***",
      "--url=https://***@host/x?k=***",
      "-e",
      "GITHUB_TOKEN=***",
      "--header",
      "Authorization: ***",
      "https://host/?t=***",
      "***",
      "***",
      "***",
      "postgres:***",
      "--verbose",
      "--password",
      "--dir=/home/me",
      "/home/me/some-project/with-a-long-path-2024",
    ],
  );
});

Deno.test("maskHome writes the home folder as ~ and no other folder (X6)", () => {
  strictEqual(maskHome("/home/me/x", "/home/me"), "~/x");
  strictEqual(maskHome("/home/me", "/home/me"), "~");
  strictEqual(maskHome("/home/mel/x", "/home/me"), "/home/mel/x");
  strictEqual(maskHome("C:\\me\\x", "C:\\me"), "~\\x");
  strictEqual(maskHome('a "/home/me/x", /home/me', "/home/me/"), 'a "~/x", ~');
  strictEqual(maskHome("file:///home/me/x", "/home/me"), "file://~/x");
  for (const other of ["/mnt/home/me", "/home/me.old", "/home/meé", "https://a.b/home/me/x"]) {
    strictEqual(maskHome(other, "/home/me"), other);
  }
  for (const home of [undefined, "", "/"]) strictEqual(maskHome("/a", home), "/a");
  // Letters of two units, and a folder that begins again where it ends.
  for (const other of ["/home/me\u{1d49c}", "\u{1d49c}/home/me"]) {
    strictEqual(maskHome(other, "/home/me"), other);
  }
  strictEqual(maskHome("x/a//a//a", "/a//a"), "x/a/~");
  strictEqual(maskHome("C:\\me C:\\meC:\\me", "C:\\me"), "~ C:\\meC:\\me");
});
