import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { toServerName } from "../src/names.ts";
import { describeSpec, fingerprintOf, type HttpSpec, type StdioSpec } from "../src/server.ts";
import { maskUrl, Secret } from "../src/text.ts";

const STDIO: StdioSpec = {
  name: toServerName("files"),
  origin: "user",
  transport: "stdio",
  command: "npx",
  args: ["-y", "server"],
  env: { A: new Secret("canary"), B: new Secret("canary") },
};

function httpSpec(url: string, headers: Record<string, Secret> = {}): HttpSpec {
  return {
    name: toServerName("web"),
    origin: "user",
    transport: "http",
    url: new Secret(url),
    shownUrl: maskUrl(url),
    headers,
  };
}

Deno.test("fingerprintOf is the same for the same place, whatever it is called and costs to enter", () => {
  const fingerprint = fingerprintOf(STDIO);
  match(fingerprint, /^blake3:[0-9a-f]{64}$/);
  const renamed: StdioSpec = {
    ...STDIO,
    name: toServerName("other"),
    origin: "project",
    file: "x.json",
    timeoutMs: 5,
    env: { B: new Secret("other"), A: new Secret("other") },
  };
  strictEqual(fingerprintOf(renamed), fingerprint);
  strictEqual(
    fingerprintOf(httpSpec("https://u:1@h/?k=1", { A: new Secret("1") })),
    fingerprintOf(httpSpec("https://v:2@h/?k=2", { A: new Secret("2") })),
  );
});

Deno.test("fingerprintOf changes with command, arguments, folder, variables, URL and headers", () => {
  const specs = [
    STDIO,
    { ...STDIO, command: "node" },
    { ...STDIO, args: ["-y server"] },
    { ...STDIO, args: ["server", "-y"] },
    { ...STDIO, cwd: "/x" },
    { ...STDIO, env: { A: new Secret("") } },
    httpSpec("https://h/a"),
    httpSpec("https://h/b"),
    httpSpec("https://h/a?k=1"),
    httpSpec("https://h/a", { A: new Secret("") }),
    { ...STDIO, transport: "embedded" as const, open: () => Promise.resolve() },
  ];
  strictEqual(new Set(specs.map(fingerprintOf)).size, specs.length);
});

Deno.test("describeSpec shows how a server is reached and no secret (X1, X2, X3, X4, X5)", () => {
  const specs = [
    { ...STDIO, args: ["-y", "server", "--token", "canary", "--key=canary"] },
    httpSpec("https://canary@h/mcp?k=canary", { A: new Secret("canary") }),
    { ...STDIO, transport: "embedded" as const, open: () => Promise.resolve() },
  ];
  deepStrictEqual(specs.map(describeSpec), [
    "npx -y server --token *** --key=***",
    "https://***@h/mcp?k=***",
    "built in",
  ]);
  ok(!JSON.stringify(specs.slice(1)).includes("canary"));
});
