// The bundle with a real server from npm, in an empty folder with an empty cache of its own.

import assert from "node:assert/strict";
import { HAS_TERMINAL } from "../terminal.ts";
import { build, BUNDLE_FLAGS, PERMISSION_FLAGS } from "../../scripts/build.ts";

Deno.test("build makes a bundle that reads and calls a server from npm", async () => {
  const base = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-bundle-" }));
  try {
    await build({ out: `${base}/dist` });
    await Deno.mkdir(`${base}/work`);
    const flags = [...BUNDLE_FLAGS, ...PERMISSION_FLAGS];
    const env = { XDG_DATA_HOME: `${base}/data`, DENO_DIR: `${base}/cache` };
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", ...flags, `${base}/dist/main.js`, ...args],
        cwd: `${base}/work`,
        env,
        stdin: "null",
      }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    const everything = "npx -y @modelcontextprotocol/server-everything@2026.8.31 stdio";
    // The first start of a package downloads it.
    const server = ["--stdio", everything, "--server-timeout", "3m"];
    assert.match(await run("introspect", ...server), /echo\(params: /);
    assert.match(await run("call", "echo", "message=hello", ...server), /hello/);
    if (!HAS_TERMINAL) return;
    // Deno writes nothing of its own over what the program asks or shows.
    const words = [Deno.execPath(), "run", ...flags, `${base}/dist/main.js`, "server", "list"];
    const line = words.map((word) => `'${word}'`).join(" ");
    const { stdout } = await new Deno.Command("script", {
      args: ["-qfec", `stty cols 80 rows 24; exec ${line}`, "/dev/null"],
      cwd: `${base}/work`,
      env: { ...env, TERM: "xterm" },
      stdin: "null",
    }).output();
    const screen = new TextDecoder().decode(stdout);
    assert.match(screen, /^demo .*built in/m);
    assert.ok(!screen.includes("\u001b[2K"), JSON.stringify(screen));
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});
