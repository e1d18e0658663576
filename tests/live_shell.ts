// Drives an interactive shell on a terminal of its own, the way a person's keys would.

import assert from "node:assert/strict";

/** A folder to work in, and the environment of the shell. */
export interface Place {
  readonly folder: string;
  readonly env: Record<string, string>;
}

/**
 * Types `lines` into an interactive shell on a terminal and gives the commands that it ran, which
 * `mcp-exec` there writes into the file `ran` of the folder, a line each.
 */
export async function typeInto(
  { folder, env }: Place,
  { shell, setup, lines }: { shell: string; setup: string; lines: readonly string[] },
): Promise<string[]> {
  const onMac = Deno.build.os === "darwin";
  const args = onMac ? ["-q", "/dev/null", ...shell.split(" ")] : ["-qfec", shell, "/dev/null"];
  const child = new Deno.Command("script", {
    args,
    cwd: folder,
    clearEnv: true,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let shown = "";
  const reading = child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({
      write(text) {
        shown += text;
      },
    }),
  );
  const input = child.stdin.getWriter();
  const type = (text: string) => input.write(new TextEncoder().encode(text));
  const ran = async () => await Deno.readTextFile(`${folder}/ran`).catch(() => "");
  const until = async (isThere: () => Promise<boolean> | boolean) => {
    for (let waited = 0; !await isThere(); waited += 20) {
      assert.ok(waited < 30_000, `${shell} does not answer; it shows:\n${shown}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  try {
    await type(`${setup}; echo READ''Y\n`);
    await until(() => shown.includes("READY"));
    for (const [index, line] of lines.entries()) {
      await type(`${line}\n`);
      await until(async () => (await ran()).split("\n").length > index + 1);
    }
  } finally {
    await type("exit\n").catch(() => {});
    await input.close().catch(() => {});
    // It writes its history as it leaves: what is killed may still leave a child that does so.
    const stuck = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await child.status;
    clearTimeout(stuck);
    await reading.catch(() => {});
  }
  return (await ran()).trimEnd().split("\n");
}

/** Whether a shell is installed. */
export async function hasShell(shell: string): Promise<boolean> {
  try {
    return (await new Deno.Command(shell, { args: ["-c", "exit 0"] }).output()).success;
  } catch {
    return false;
  }
}
