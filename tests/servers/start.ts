// Starts the fixture servers of this folder for tests, and looks at processes from outside.

import { type ServerName, toServerName } from "../../src/names.ts";
import type { HttpSpec, StdioSpec } from "../../src/server.ts";
import { Secret } from "../../src/text.ts";

/** A fixture server of this folder. */
export type Fixture = "honest" | "hostile";

const NAME: ServerName = toServerName("fixture");

/** This process's environment, as a command hands it down. */
export const ENVIRONMENT = {
  get: (name: string) => Deno.env.get(name),
  toObject: () => Deno.env.toObject(),
};

/** A spec that starts a fixture server in `mode` over standard streams. */
export function stdioSpec(
  fixture: Fixture,
  mode: string,
  more: { env?: Record<string, string>; name?: string; timeoutMs?: number } = {},
): StdioSpec {
  const { env = {}, name, timeoutMs } = more;
  return {
    name: name === undefined ? NAME : toServerName(name),
    origin: "flag",
    transport: "stdio",
    command: Deno.execPath(),
    args: ["run", "-A", pathOf(fixture), mode],
    env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, new Secret(value)])),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

/** A spec for a server over HTTP at `url`. */
export function httpSpec(url: string, headers: Record<string, string> = {}): HttpSpec {
  return {
    name: NAME,
    origin: "flag",
    transport: "http",
    url: new Secret(url),
    shownUrl: new URL(url).origin,
    headers: Object.fromEntries(
      Object.entries(headers).map(([key, value]) => [key, new Secret(value)]),
    ),
  };
}

/** Starts a fixture server in `mode` over HTTP; disposing of it ends its process. */
export async function listen(
  fixture: Fixture,
  mode: string,
): Promise<{ url: string } & AsyncDisposable> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", pathOf(fixture), mode, "--http", "0"],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`Fixture ${fixture} ${mode} ended before it listened`);
    text += value;
  }
  return {
    url: text.trim(),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await Promise.all([reader.cancel(), child.status]);
    },
  };
}

/** Whether a process is there and more than an unread exit code. */
export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

function pathOf(fixture: Fixture): string {
  return decodeURIComponent(new URL(`./${fixture}.ts`, import.meta.url).pathname);
}
