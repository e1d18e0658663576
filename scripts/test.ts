// deno-lint-ignore-file no-console
// The one test command: format, lint, types, structure, templates and every test, closing with a
// plain line `N passed, N failed`. A check that fails counts as one failed test.

/** Flags every start of the program needs: worker permissions, and stack above the engine's own. */
export const RUN_FLAGS = ["--unstable-worker-options", "--v8-flags=--stack-size=3400"];

const ROOT = new URL("../", import.meta.url);

/** How many tests passed and failed. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/** Runs `deno` with `args` in the project's folder, its output shown and given back. */
async function runDeno(args: readonly string[]): Promise<{ success: boolean; output: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const show = async (
    from: ReadableStream<Uint8Array>,
    to: { writeSync(data: Uint8Array): number },
  ) => {
    const decoder = new TextDecoder();
    for await (const chunk of from) {
      output += decoder.decode(chunk, { stream: true });
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(to.writeSync(rest));
    }
  };
  const [status] = await Promise.all([
    child.status,
    show(child.stdout, Deno.stdout),
    show(child.stderr, Deno.stderr),
  ]);
  return { success: status.success, output };
}

/** Runs one check; its failure counts as one failed test. */
async function runCheck(name: string, args: readonly string[]): Promise<Tally> {
  const { success } = await runDeno(args);
  console.log(`${success ? "ok" : "FAILED"}: ${name}`);
  return { passed: success ? 1 : 0, failed: success ? 0 : 1 };
}

/** Runs the tests under `paths`; a run that ends without its closing line counts as failed. */
export async function runTests(paths: readonly string[], ignore: string[] = []): Promise<Tally> {
  const args = ["test", "--allow-all", "--parallel", ...RUN_FLAGS];
  if (ignore.length > 0) args.push(`--ignore=${ignore.join(",")}`);
  const { success, output } = await runDeno([...args, ...paths]);
  const closing = [...output.matchAll(/(\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed/g)].at(-1);
  const passed = Number(closing?.[1] ?? 0);
  const failed = Number(closing?.[2] ?? 0);
  return { passed, failed: success ? failed : Math.max(1, failed) };
}

/** Prints the closing line and ends with 1 when anything failed or nothing ran. */
export function close(tallies: readonly Tally[]): never {
  const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
  const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  Deno.exit(failed > 0 || passed === 0 ? 1 : 0);
}

if (import.meta.main) {
  close([
    await runCheck("format", ["fmt", "--check"]),
    await runCheck("lint", ["lint"]),
    await runCheck("types", ["check", "main.ts", "src", "scripts", "tests", "bench"]),
    await runCheck("layers", ["run", "-A", "scripts/layers.ts"]),
    await runCheck("threats", ["run", "--allow-read", "scripts/threats.ts"]),
    await runCheck("templates", ["run", "-A", "scripts/templates.ts", "--check"]),
    await runCheck("reference", ["run", "-A", "scripts/reference.ts", "--check"]),
    await runTests(["tests"], ["tests/integration"]),
  ]);
}
