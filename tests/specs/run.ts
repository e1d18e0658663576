// Runs one command-line case in a fresh folder with its own home, and says what it left running.

import assert from "node:assert/strict";

/** One case of the declarative tests; lines may be given as an array. */
export interface SpecCase {
  readonly title: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string | readonly string[] | object>>;
  readonly stdin?: string;
  readonly code?: number;
  readonly stdout?: string | readonly string[];
  readonly stderr?: string | readonly string[];
  readonly json?: unknown;
}

/** The checkout. */
export const ROOT = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");

/** How the program is started from source. */
export const PROGRAM = [
  "run",
  "-A",
  `--config=${ROOT}/deno.json`,
  "--unstable-worker-options",
  "--v8-flags=--stack-size=3400",
  `${ROOT}/main.ts`,
];

/** The command line of a fixture server. */
export function serverCommand(name: "honest" | "hostile"): string {
  return `${Deno.execPath()} run -A ${ROOT}/tests/servers/${name}.ts`;
}

/** A folder to work in and the environment of a person who has nothing configured. */
export async function freshPlace(): Promise<{ folder: string; env: Record<string, string> }> {
  const base = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-spec-" }));
  const folder = `${base}/work`;
  await Deno.mkdir(folder);
  const caches = Deno.build.os === "darwin" ? "Library/Caches" : ".cache";
  const denoDir = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/${caches}/deno`;
  return {
    folder,
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: `${base}/home`,
      XDG_CONFIG_HOME: `${base}/config`,
      XDG_DATA_HOME: `${base}/data`,
      DENO_DIR: denoDir,
      DENO_NO_UPDATE_CHECK: "1",
    },
  };
}

/** The processes that work in `folder`, as command lines; none where the system cannot tell. */
export async function processesIn(folder: string): Promise<string[]> {
  if (Deno.build.os !== "linux") return [];
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (!(await Deno.readLink(`/proc/${name}/cwd`)).startsWith(folder)) continue;
      const line = await Deno.readTextFile(`/proc/${name}/cmdline`);
      if (line !== "") found.push(line.replaceAll("\0", " ").trim()); // a zombie has none
    } catch {
      // It ended meanwhile, or is somebody else's.
    }
  }
  return found;
}

/** Ends a child that a failed test may have left, and waits for its end. */
export async function endProcess(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has ended.
  }
  await child.status;
}

/** Runs a case and removes its folder. */
export async function runCase(spec: SpecCase) {
  const { folder, env } = await freshPlace();
  const fill = (text: string) =>
    text.replaceAll("$HONEST", serverCommand("honest"))
      .replaceAll("$HOSTILE", serverCommand("hostile"))
      .replaceAll("$ROOT", ROOT);
  try {
    for (const [path, content] of Object.entries(spec.files ?? {})) {
      const place = `${folder}/${path}`;
      await Deno.mkdir(place.replace(/[^/]*$/, ""), { recursive: true });
      const text = typeof content === "string"
        ? content
        : Array.isArray(content)
        ? content.join("\n")
        : JSON.stringify(content);
      await Deno.writeTextFile(place, fill(text));
    }
    const child = new Deno.Command(Deno.execPath(), {
      args: [...PROGRAM, ...spec.args.map(fill)],
      cwd: folder,
      clearEnv: true,
      env: { ...env, ...mapValues(spec.env ?? {}, fill) },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const input = child.stdin.getWriter();
    await input.write(new TextEncoder().encode(spec.stdin ?? "")).catch(() => {});
    await input.close().catch(() => {});
    const { code, stdout, stderr } = await child.output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return {
      code,
      stdout: decode(stdout),
      stderr: decode(stderr),
      left: await processesIn(folder),
    };
  } finally {
    await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
  }
}

/** Runs the program with each list of arguments in one place; `prepare` gets the place first. */
export async function runInOnePlace(
  lines: readonly (readonly string[])[],
  prepare: (place: { folder: string; env: Record<string, string> }) => void | Promise<void> =
    () => {},
): Promise<{ code: number; stdout: string; stderr: string }[]> {
  const { folder, env } = await freshPlace();
  try {
    await prepare({ folder, env });
    const outputs = [];
    for (const line of lines) {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [...PROGRAM, ...line],
        cwd: folder,
        clearEnv: true,
        env,
        stdin: "null",
      }).output();
      const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      outputs.push({ code, stdout: decode(stdout), stderr: decode(stderr) });
    }
    return outputs;
  } finally {
    await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
  }
}

function mapValues(values: Readonly<Record<string, string>>, map: (text: string) => string) {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, map(value)]));
}

/** Whether the whole of `text` fits `pattern`; both may end in a line feed or not. */
export function matchesPattern(text: string, pattern: string | readonly string[]): boolean {
  const parts = (typeof pattern === "string" ? pattern : pattern.join("\n"))
    .split(/(\[WILDCARD\]|\[WILDLINE\])/);
  const source = parts.map((part) =>
    part === "[WILDCARD]"
      ? "[^]*"
      : part === "[WILDLINE]"
      ? ".*"
      : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  ).join("").replace(/\n$/, "");
  return new RegExp(`^${source}\n?$`).test(text);
}

/** Fails unless `actual` has everything that `wanted` has; arrays must have the same length. */
export function assertHolds(actual: unknown, wanted: unknown, path = "document"): void {
  if (typeof wanted === "string" && typeof actual === "string") {
    assert.ok(matchesPattern(actual, wanted), `${path} is ${JSON.stringify(actual)}`);
  } else if (Array.isArray(wanted)) {
    assert.ok(Array.isArray(actual) && actual.length === wanted.length, `${path} differs`);
    wanted.forEach((item, index) => assertHolds(actual[index], item, `${path}[${index}]`));
  } else if (typeof wanted === "object" && wanted !== null) {
    assert.ok(typeof actual === "object" && actual !== null, `${path} is not an object`);
    for (const [key, value] of Object.entries(wanted)) {
      assert.ok(Object.hasOwn(actual, key), `${path} has no ${key}`);
      assertHolds((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
    }
  } else {
    assert.equal(actual, wanted, path);
  }
}
