// The sandbox as commands start it: with the prepared engine kept in the user's data folder. Loads
// little, so that a worker can start while everything else is still being loaded.

import { type Context, dataFile } from "./context.ts";
import { type CodeExecutor, createExecutor, type ExecutorOptions } from "./sandbox.ts";

let ahead: CodeExecutor | undefined;

/**
 * Starts the sandbox that the next `startExecutor` gives, for a process that is sure to want one:
 * its worker gets ready while the command is loaded. Settles when it has all that it needs for that,
 * because this thread may not listen again for a while.
 */
export async function startAhead(context: Pick<Context, "paths">): Promise<void> {
  ahead ??= startExecutor(context);
  await ahead.ready;
}

/** Starts a sandbox; its first worker starts at once. Whoever starts it closes it. */
export function startExecutor(
  { paths }: Pick<Context, "paths">,
  options: Pick<ExecutorOptions, "concurrency"> = {},
): CodeExecutor {
  if (ahead !== undefined && options.concurrency === undefined) {
    const started = ahead;
    ahead = undefined;
    return started;
  }
  const path = dataFile(paths, "engine.wasm");
  if (path === undefined) return createExecutor(options);
  return createExecutor({
    ...options,
    engine: {
      load: () => Deno.readFile(path).catch(() => undefined),
      // A bundle has nothing to save: its worker does not wait for what writes files.
      save: async (bytes) => await (await import("./disk.ts")).writeFileAtomic(path, bytes),
    },
  });
}
