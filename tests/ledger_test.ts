// What is counted as kept out of a model's context: of each run that ended, in the journal.

import assert from "node:assert/strict";
import { withServing } from "./serve_fixture.ts";

const IMPORT = `import { listUsers } from "mcp:demo";`;

Deno.test("run counts definitions of servers of which a call succeeded, or that it imported and ran to its end", async () => {
  await withServing(async ({ serving: { session } }) => {
    const definitionsOf = async (source: string) => {
      const { run } = await session.run({ source, path: "main.ts", command: "execute" });
      return session.journal.run(run)!.end!.tokens!.definitions;
    };
    const all = await definitionsOf(`${IMPORT} export default typeof listUsers;`);
    assert.ok(all > 0);
    assert.equal(await definitionsOf(`await callTool("demo", "list_users"); throw 1;`), all);
    assert.equal(await definitionsOf(`${IMPORT} throw 1;`), 0);
    assert.equal(await definitionsOf(`await callTool("demo", "list_users", { team: 1 });`), 0);
    assert.equal(await definitionsOf("export default 1;"), 0);
  });
});
