// The entry: answers `--version` at once and hands everything else to the command line. It loads
// nothing before it knows that it is needed, and is the only place that ends the process.

import { VERSION } from "./src/version.ts";

if (Deno.args.length === 1 && /^(?:--version|-V)$/.test(Deno.args[0]!)) {
  try {
    Deno.stdout.writeSync(new TextEncoder().encode(`${VERSION}\n`));
  } catch {
    // The reader has gone: nobody to tell.
  }
} else {
  // Libraries show there what servers say, as it came.
  // deno-lint-ignore no-console -- nothing of ours goes this way
  for (const name of ["debug", "error", "info", "log", "warn"] as const) console[name] = () => {};
  const { main } = await import("./src/cli.ts");
  // What a command does not need it gives back before it begins.
  const drop = (names: readonly Deno.PermissionName[]) => {
    for (const name of names) Deno.permissions.revokeSync({ name });
  };
  Deno.exit(await main({ args: Deno.args, env: Deno.env, drop }));
}
