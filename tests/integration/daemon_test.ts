// A server that npx starts, kept by the daemon for the next command, and gone with the daemon.

import { deepStrictEqual as equal, ok } from "node:assert/strict";
import { processesIn } from "../specs/run.ts";
import { makePlace } from "./program.ts";

const SERVER = "npx -y @modelcontextprotocol/server-everything@2026.8.31";

Deno.test({
  name: "daemon keeps a server of npx for the next command, and none when it is killed",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using place = await makePlace();
    equal((await place.run("daemon", "start")).code, 0);
    const status = async () =>
      JSON.parse((await place.run("daemon", "status", "--format", "json")).out);
    const { pid } = await status();
    try {
      const program = "return await callTool('everything', 'echo', { message: 'hello' })";
      const execute = [
        ...["execute", "-e", program, "--stdio", `everything=${SERVER}`],
        ...["--server-timeout", "3m", "--quiet"],
      ];
      const first = await place.run(...execute);
      equal(first, { code: 0, out: "Echo: hello\n", error: "" });
      const processes = await processesIn(place.folder);
      ok(processes.length > 0);
      equal(await place.run(...execute), first);
      equal(await processesIn(place.folder), processes);
      equal((await status()).servers, [{ server: "everything", connections: 1, idle: 1 }]);
    } finally {
      Deno.kill(pid, "SIGKILL");
    }
    for (let attempt = 0; attempt < 500; attempt++) {
      if ((await processesIn(place.folder)).length === 0) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    equal(await processesIn(place.folder), []);
    const alone = await place.run("call", "demo", "get_project", "project=PAY", "--quiet");
    equal([alone.code, alone.error], [0, ""]);
  },
});
