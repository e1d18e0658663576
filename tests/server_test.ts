import { deepStrictEqual, ok } from "node:assert/strict";
import { toServerName } from "../src/names.ts";
import { describeSpec, type ServerSpec } from "../src/server.ts";
import { Secret } from "../src/text.ts";

Deno.test("describeSpec shows how a server is reached and no secret (X1, X2, X3, X4, X5)", () => {
  const base = { name: toServerName("files"), origin: "user" } as const;
  const secrets = { A: new Secret("canary"), B: new Secret("canary") };
  const url = "https://canary@h/mcp?k=canary";
  const specs: readonly ServerSpec[] = [
    {
      ...base,
      transport: "stdio",
      command: "npx",
      args: ["-y", "server", "--token", "canary", "--key=canary"],
      env: secrets,
    },
    { ...base, transport: "http", url: new Secret(url), shownUrl: url, headers: secrets },
    { ...base, transport: "embedded", open: () => Promise.resolve() },
  ];
  deepStrictEqual(specs.map(describeSpec), [
    "npx -y server --token *** --key=***",
    "https://***@h/mcp?k=***",
    "built in",
  ]);
  ok(!JSON.stringify([secrets, new Secret(url)]).includes("canary"));
});
