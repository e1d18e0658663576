import { equal, ok } from "node:assert/strict";
import { COMMAND, makePlace, placeEnv } from "./program.ts";

const SUITE = "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12";

/** Runs one client scenario of the official suite against our command line. */
async function runScenario(scenario: string, args: string): Promise<void> {
  await using place = await makePlace();
  // The suite starts a server, appends its URL to the command and splits it at single spaces.
  const output = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-config", "--no-lock", "--node-modules-dir=none", "--quiet", SUITE],
      ...["client", "--scenario", scenario, "--command", `${COMMAND.join(" ")} ${args}`],
    ],
    cwd: place.folder,
    env: placeEnv(place.folder),
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const said = decoder.decode(output.stdout) + decoder.decode(output.stderr);
  equal(output.code, 0, said);
  const checks = /Passed: (\d+)\/(\d+), 0 failed/.exec(said);
  ok(checks !== null && Number(checks[1]) > 0 && checks[1] === checks[2], said);
}

Deno.test("introspect passes the conformance scenario initialize", async () => {
  await runScenario("initialize", "introspect --http");
});

Deno.test("call passes the conformance scenario tools_call", async () => {
  await runScenario("tools_call", "call add_numbers a:=2 b:=3 --http");
});
