// The lines of README.md that take a package from npm, typed as they stand.

import { match, ok } from "node:assert/strict";
import { README } from "../../scripts/reference.ts";
import { makeDesk, readCommands } from "../readme_blocks.ts";

Deno.test("README: its line for a server from npm shows that server's tools", async () => {
  const line = 'mcp-exec introspect --stdio "npx -y @modelcontextprotocol/server-memory"';
  ok(readCommands(await Deno.readTextFile(README)).includes(line));
  await using desk = await makeDesk();
  // The first start of a package downloads it.
  const { code, printed } = await desk.type(`${line} --server-timeout 3m`);
  ok(code === 0, printed);
  match(printed, /^memory-server: .*, 9 tools$/m);
  match(printed, /^readGraph\(/m);
});
