// The bundle with a real server from npm, in an empty folder with an empty cache of its own.

import assert from "node:assert/strict";
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
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});
