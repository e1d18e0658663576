import { deepStrictEqual, ok } from "node:assert/strict";
import { toServerName } from "../src/names.ts";
import { describeSpec, type HttpSpec, type StdioSpec } from "../src/server.ts";
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
