// However the program ends, no process of a server is left: real processes, with children of their
// own, behind a shell as `npx` would put one there.

import assert from "node:assert/strict";
import { eventually } from "./eventually.ts";
import { freshPlace, processesIn, PROGRAM, serverCommand } from "./specs/run.ts";

interface Started {
  readonly child: Deno.ChildProcess;
  readonly folder: string;
  /** All that it wrote to its stderr so far. */
  readonly stderr: () => string;
  readonly ended: Promise<void>;
}

/** A server behind a shell, as package runners start one. */
function behindShell(mode: string): string {
  const name = mode === "" ? "honest" : "hostile";
  return `s=sh -c '${serverCommand(name)} ${mode}; exit $?'`;
}

async function start(mode: string, code: string): Promise<Started> {
  const { folder, env } = await freshPlace();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...PROGRAM, "execute", "-e", code, "--stdio", behindShell(mode)],
    cwd: folder,
    clearEnv: true,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let stderr = "";
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) stderr += text;
  })();
  const ended = Promise.all([reading, child.stdout.cancel()]).then(() => {});
  return { child, folder, stderr: () => stderr, ended };
}

/** Runs a program over a server with a tree of processes until `end` has ended it. */
async function endOf(
  mode: string,
  { code, end }: { readonly code: string; readonly end?: (pid: number) => void },
): Promise<{ code: number; left: () => Promise<string[]>; remove: () => Promise<void> }> {
  const run = await start(mode, code);
  if (end !== undefined) {
    await eventually(() => run.stderr().includes("[info] ready"), run.stderr);
    // The program, the shell, the server and, of a hostile one, its own child.
    const tree = mode === "" ? 3 : 4;
    await eventually(
      async () => (await processesIn(run.folder)).length >= tree,
      () => "the tree did not grow",
    );
    end(run.child.pid);
  }
  const status = await run.child.status;
  await run.ended;
  return {
    code: status.code,
    left: () => processesIn(run.folder),
    remove: () => Deno.remove(run.folder.replace(/\/work$/, ""), { recursive: true }),
  };
}

const WAIT = `await callTool("s", "call", {}); console.info("ready");
  await new Promise((resolve) => setTimeout(resolve, 60_000));`;

// The server heeds neither the end of its input nor SIGTERM, and nor does its child.
const ENDS = [
  { how: "of its own", code: `await callTool("s", "call", {}); return 1`, exit: 0 },
  { how: "with a failure", code: `await callTool("s", "call", {}); throw new Error("x")`, exit: 5 },
  ...(["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => ({
    how: `by ${signal}`,
    code: WAIT,
    exit: 130,
    end: (pid: number) => Deno.kill(pid, signal),
  })),
];

for (const { how, exit, ...run } of ENDS) {
  Deno.test({
    name: `mcp-exec that ends ${how} leaves nothing of a server that will not end (A8, H3)`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      const { code, left, remove } = await endOf("immortal", run);
      assert.equal(code, exit);
      assert.deepEqual(await left(), []);
      await remove();
    },
  });
}

Deno.test({
  name: "mcp-exec that is killed leaves nothing of a server that ends with its input (A8)",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const { left, remove } = await endOf("", {
      code: WAIT.replace(`"call", {}`, `"add_numbers", { a: 1, b: 2 }`),
      end: (pid) => Deno.kill(pid, "SIGKILL"),
    });
    await eventually(async () => (await left()).length === 0, () => "a process is left");
    await remove();
  },
});
