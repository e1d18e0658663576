// Variables in configuration entries, put in only when a server is about to be connected to: what
// is merely listed is only asked which of its variables have no value.

import type { Environment } from "./context.ts";
import { AppError } from "./errors.ts";
import type { ServerSpec } from "./server.ts";
import { quoteText, Secret } from "./text.ts";

const VARIABLE = /\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}/g;

/**
 * `spec` with `${VAR}`, `${env:VAR}` and `${VAR:-default}` replaced. Throws an `invalid` error
 * that names a variable without value and default. Servers from flags are left alone: the shell
 * they were typed in has expanded what it was asked to.
 */
export function expandSpec<Spec extends ServerSpec>(spec: Spec, env: Environment): Spec {
  return replaceVariables(spec, env, (name) => {
    throw new AppError(
      "invalid",
      `Variable ${quoteText(name)} is not set and server "${spec.name}" needs it`,
      { hint: `set it, or write \${${name}:-default} in the entry` },
    );
  });
}

/** The names of variables that `expandSpec` would refuse `spec` for, each once. */
export function missingVariables(spec: ServerSpec, env: Environment): string[] {
  const missing = new Set<string>();
  replaceVariables(spec, env, (name) => {
    missing.add(name);
    return "";
  });
  return [...missing];
}

/** `spec` with its variables replaced, those without value and default by what `missing` gives. */
function replaceVariables<Spec extends ServerSpec>(
  spec: Spec,
  env: Environment,
  missing: (name: string) => string,
): Spec {
  if (spec.origin === "flag" || spec.transport === "embedded") return spec;
  const expand = (text: string) =>
    text.replace(VARIABLE, (_, name: string, fallback: string | undefined) => {
      const value = env.get(name);
      if (value !== undefined && value !== "") return value;
      return fallback ?? missing(name);
    });
  const expandAll = (values: Readonly<Record<string, Secret>>) =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.map(expand)]));
  if (spec.transport === "http") {
    return { ...spec, url: spec.url.map(expand), headers: expandAll(spec.headers) };
  }
  return {
    ...spec,
    command: expand(spec.command),
    args: spec.args.map(expand),
    env: expandAll(spec.env),
    ...(spec.cwd !== undefined && { cwd: expand(spec.cwd) }),
  };
}
