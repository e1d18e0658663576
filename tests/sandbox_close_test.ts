import assert from "node:assert/strict";
import { DEFAULT_RUN_LIMITS } from "../src/limits.ts";
import { createExecutor } from "../src/sandbox.ts";

// The engine is loaded once in a process, so this stands in a file of its own.
Deno.test("close waits for a run whose worker has no engine yet", async () => {
  const kept = Promise.withResolvers<undefined>();
  const executor = createExecutor({
    engine: { load: () => kept.promise, save: () => Promise.resolve() },
  });
  const program = { source: "return 1", path: "main.ts", files: new Map() };
  const host = { call: () => Promise.reject(new Error("called")) };
  let ended = false;
  const running = executor.execute({ ...program, limits: DEFAULT_RUN_LIMITS }, host)
    .finally(() => ended = true);
  // The run has its worker by then, which waits for the engine.
  await new Promise((resolve) => setTimeout(resolve));
  const closing = executor.close().then(() => ended);
  kept.resolve(undefined);
  assert.equal(await closing, true);
  assert.equal((await running).error?.kind, "interrupted");
});
