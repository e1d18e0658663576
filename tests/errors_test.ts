import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { AppError, errorText, EXIT_CODES, prefixError, toAppError } from "../src/errors.ts";

Deno.test("AppError has the exit code of its kind", () => {
  const codes = Object.fromEntries(
    Object.keys(EXIT_CODES).map((
      kind,
    ) => [kind, new AppError(kind as keyof typeof EXIT_CODES, "X").exitCode]),
  );
  deepStrictEqual(codes, {
    failure: 1,
    stale: 1,
    usage: 2,
    invalid: 2,
    connect: 3,
    protocol: 3,
    server: 3,
    "sign-in": 3,
    timeout: 4,
    guest: 5,
    limit: 5,
    denied: 6,
    untrusted: 6,
    integrity: 6,
    interrupted: 130,
  });
});

Deno.test("AppError as JSON holds the parts it was given and neither cause nor stack", () => {
  deepStrictEqual(
    JSON.parse(JSON.stringify(new AppError("usage", "Bad", { cause: new Error("secret") }))),
    { kind: "usage", message: "Bad" },
  );
  const parts = {
    hint: "try this",
    at: { file: "main.ts", line: 2, column: 3 },
    detail: ["a", "b"],
    limit: { name: "fuel", limit: 10, value: 11 },
  };
  deepStrictEqual(JSON.parse(JSON.stringify(new AppError("limit", "Out of fuel", parts))), {
    kind: "limit",
    message: "Out of fuel",
    ...parts,
  });
});

Deno.test("errorText begins with one line that stands alone and indents the rest", () => {
  const error = new AppError("guest", "Name x is not defined", {
    at: { file: "main.ts", line: 2, column: 3 },
    detail: ["return x;", "       ^"],
    hint: "declare it",
  });
  strictEqual(
    errorText(error),
    "error: Name x is not defined at main.ts:2:3\n  return x;\n         ^\n  hint: declare it",
  );
  const noColumn = new AppError("guest", "Bad", { at: { file: "a.ts", line: 7 } });
  strictEqual(errorText(noColumn), "error: Bad at a.ts:7");
  strictEqual(errorText(new AppError("failure", "Bad")), "error: Bad");
});

Deno.test("toAppError keeps an AppError and makes a failure of everything else", () => {
  const error = new AppError("denied", "No");
  strictEqual(toAppError(error), error);
  const made = toAppError(new TypeError("\nfirst\nsecond"));
  deepStrictEqual([made.kind, made.message], ["failure", "first"]);
  strictEqual((made.cause as Error).name, "TypeError");
  const thrown = [undefined, "", null, 7, Symbol("s"), Object.create(null), new Error("")];
  deepStrictEqual(thrown.map((value) => toAppError(value).message), [
    "undefined",
    "Unknown failure",
    "null",
    "7",
    "Symbol(s)",
    "Unknown failure",
    "Unknown failure",
  ]);
});

Deno.test("toAppError shows no control character of what was thrown (H22)", () => {
  strictEqual(
    toAppError(new Error("a\x1b[2Jb\rc\u202e")).message,
    "a\\u{1b}[2Jb c\\u{202e}",
  );
});

Deno.test("prefixError goes on in lower case, but for names such as URL", () => {
  const prefixed = (message: string) => prefixError("It", new AppError("invalid", message)).message;
  strictEqual(prefixed("Value is empty"), "It: value is empty");
  strictEqual(prefixed("URL is empty"), "It: URL is empty");
  strictEqual(prefixed(""), "It: ");
});
