// `server login` and `server logout`: their flags and help. What they do is loaded when they do it.

import { buildCommand } from "@stricli/core";
import {
  argument,
  type Invocation,
  isServerUrl,
  openServers,
  switchFlag,
  textFlag,
} from "./flags.ts";
import type { ServerSpec } from "./server.ts";
import { findServer } from "./servers.ts";

interface LoginFlags {
  readonly noBrowser?: boolean | undefined;
  readonly scope?: string | undefined;
  readonly clientId?: string | undefined;
}

/** The command `server login`. */
export const login = buildCommand<LoginFlags, [server: string], Invocation>({
  docs: {
    brief: "Sign in at a server over HTTP",
    customUsage: ["<server> [--no-browser] [--scope SCOPES] [--client-id ID]"],
    fullDescription:
      `Opens a browser to sign in, and keeps the tokens in the data folder for you alone.
They go to that server only, and are renewed without you. Where there is no browser, --no-browser
prints the address: sign in anywhere and paste the address that the browser ends at.

EXAMPLES
  mcp-exec server login github
  mcp-exec server login https://example.com/mcp --no-browser`,
  },
  parameters: {
    flags: {
      noBrowser: switchFlag("Open none: print the address, to be opened anywhere"),
      scope: textFlag("What to ask for, instead of what the server names", "SCOPES"),
      clientId: textFlag("Client that was registered by hand at the server", "ID"),
    },
    positional: { kind: "tuple", parameters: [argument("Name or URL of a server", "server")] },
  },
  async func({ noBrowser = false, scope, clientId }, name) {
    const { logIn } = await import("./server_login.ts");
    const spec = await oneServer(this, name);
    await logIn(this, spec, { noBrowser, scope, clientId });
  },
});

/** The command `server logout`. */
export const logout = buildCommand<Record<never, never>, [server: string], Invocation>({
  docs: {
    brief: "Forget the sign-in at a server",
    fullDescription: `Removes the tokens of a server from the data folder.

EXAMPLES
  mcp-exec server logout github`,
  },
  parameters: {
    positional: { kind: "tuple", parameters: [argument("Name or URL of a server", "server")] },
  },
  async func(_flags, name) {
    const { logOut } = await import("./server_login.ts");
    await logOut(this, await oneServer(this, name));
  },
});

/** The server that a name or URL stands for. */
async function oneServer(invocation: Invocation, name: string): Promise<ServerSpec> {
  const servers = await openServers(invocation, {}, [name]);
  return isServerUrl(name) ? servers.specs.get(servers.adHoc[0]!)! : findServer(servers, name);
}
