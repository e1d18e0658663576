// However the program ends, no process of a server is left: real processes, with children of their
// own, behind a shell as `npx` would put one there.

import assert from "node:assert/strict";
import { eventually } from "./eventually.ts";
import { endProcess, freshPlace, processesIn, PROGRAM, serverCommand } from "./specs/run.ts";

interface Started extends AsyncDisposable {
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
  return {
    child,
    folder,
    stderr: () => stderr,
    ended,
    async [Symbol.asyncDispose]() {
      await endProcess(child);
      await ended;
      await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
    },
  };
}

/** Lets a program run over a server with a tree of processes until `end` has ended it. */
async function endOf(
  { child, folder, stderr, ended }: Started,
  { mode, end }: { readonly mode: string; readonly end?: (pid: number) => void },
): Promise<{ code: number; left: () => Promise<string[]> }> {
  if (end !== undefined) {
    await eventually(() => stderr().includes("[info] ready"), stderr);
    // The program, the shell, the server and, of a hostile one, its own child.
    const tree = mode === "" ? 3 : 4;
    await eventually(
      async () => (await processesIn(folder)).length >= tree,
      () => "the tree did not grow",
    );
    end(child.pid);
  }
  const { code } = await child.status;
  await ended;
  return { code, left: () => processesIn(folder) };
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

for (const { how, exit, code: program, ...run } of ENDS) {
  Deno.test({
    name: `mcp-exec that ends ${how} leaves nothing of a server that will not end (A8, H3)`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using started = await start("immortal", program);
      const { code, left } = await endOf(started, { mode: "immortal", ...run });
      assert.equal(code, exit);
      assert.deepEqual(await left(), []);
    },
  });
}

Deno.test({
  name: "mcp-exec that is killed leaves nothing of a server that ends with its input (A8)",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const program = WAIT.replace(`"call", {}`, `"add_numbers", { a: 1, b: 2 }`);
    await using started = await start("", program);
    const end = (pid: number) => Deno.kill(pid, "SIGKILL");
    const { left } = await endOf(started, { mode: "", end });
    await eventually(async () => (await left()).length === 0, () => "a process is left");
  },
});
