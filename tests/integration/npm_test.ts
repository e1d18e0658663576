// The npm package as a person meets it: run by npx from the packed file, in an empty folder. Needs
// Node and a package registry that has Deno.

import { deepStrictEqual as equal, match, ok } from "node:assert/strict";
import { build } from "../../scripts/build.ts";
import { release } from "../../scripts/release.ts";
import { VERSION } from "../../src/version.ts";

const PACKAGE = `mcp-exec-${VERSION}.tgz`;
const decoder = new TextDecoder();

interface Installed {
  /** An empty folder but for the package. */
  readonly folder: string;
  readonly env: Record<string, string>;
  /** The launcher as npx installed it. */
  readonly bin: string;
  /** What npx printed for `demo`. */
  readonly demo: { readonly code: number; readonly out: string; readonly error: string };
}

let base = "";
let installed: Promise<Installed> | undefined;

Deno.test.afterAll(async () => {
  if (base !== "") await Deno.remove(base, { recursive: true });
});

/** The package made, and installed by the first run of npx. */
function install(): Promise<Installed> {
  return installed ??= (async () => {
    base = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-npm-" }));
    const folder = `${base}/empty`;
    await Deno.mkdir(folder);
    await build({ out: `${base}/dist` });
    await release({
      out: `${base}/release`,
      bundle: `${base}/dist`,
      binaries: new Map(),
      denos: new Map(),
      repository: "mcp-exec/mcp-exec",
      seconds: 1_700_000_000,
    });
    await Deno.rename(`${base}/release/${PACKAGE}`, `${folder}/${PACKAGE}`);
    // What was downloaded before is used, but nothing that npx installs stays.
    const { stdout } = await new Deno.Command("npm", { args: ["config", "get", "cache"] }).output();
    const kept = `${decoder.decode(stdout).trim()}/_cacache`;
    await Deno.mkdir(kept, { recursive: true });
    await Deno.mkdir(`${base}/npm`);
    await Deno.symlink(kept, `${base}/npm/_cacache`);
    const env = {
      NO_COLOR: "1",
      XDG_CONFIG_HOME: `${base}/config`,
      XDG_DATA_HOME: `${base}/data`,
      DENO_DIR: `${base}/deno`,
      npm_config_cache: `${base}/npm`,
      npm_config_ignore_scripts: "true",
      npm_config_update_notifier: "false",
    };
    const demo = await run(["npx", "--yes", `./${PACKAGE}`, "demo"], { folder, env });
    const [installation] = await Array.fromAsync(Deno.readDir(`${base}/npm/_npx`));
    const bin = `${base}/npm/_npx/${installation!.name}/node_modules/.bin/mcp-exec`;
    return { folder, env, bin, demo };
  })();
}

function start(
  [command, ...args]: readonly string[],
  { folder, env }: Pick<Installed, "folder" | "env">,
): Deno.ChildProcess {
  return new Deno.Command(command!, {
    args,
    cwd: folder,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function run(
  command: readonly string[],
  place: Pick<Installed, "folder" | "env">,
  input = "",
): Promise<{ code: number; out: string; error: string }> {
  const child = start(command, place);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, out: decoder.decode(stdout), error: decoder.decode(stderr) };
}

Deno.test("npx runs the demo from the packed package in an empty folder", async () => {
  const { folder, demo } = await install();
  equal(demo.code, 0, demo.error);
  match(demo.out, /\n {2}saved +\d\d\.\d %\n$/);
  equal((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), [PACKAGE]);
});

Deno.test("the npm launcher passes arguments, exit codes and messages through", async () => {
  const place = await install();
  const version = await run([place.bin, "--version"], place);
  equal(version, { code: 0, out: `${VERSION}\n`, error: "" });
  const usage = await run([place.bin, "nonsense", "a b", "$HOME"], place);
  equal([usage.code, usage.out], [2, ""]);
  match(usage.error, /^error: Command "nonsense" is not known\n/);
  const failed = await run([place.bin, "execute", "-e", "throw new Error('x y')"], place);
  equal(failed.code, 5);
  match(failed.error, /x y/);
});

Deno.test("the npm launcher passes standard input through", async () => {
  const place = await install();
  const { code, out, error } = await run(
    [place.bin, "execute", "-", "--quiet"],
    place,
    "export default 'é'.repeat(3)\n",
  );
  equal([code, out], [0, "ééé\n"], error);
});

Deno.test("the npm launcher is quiet when nobody reads", async () => {
  const place = await install();
  const child = start([place.bin, "--help"], place);
  await child.stdout.cancel();
  await child.stdin.close();
  const [{ code }, error] = await Promise.all([child.status, new Response(child.stderr).text()]);
  equal([code, error], [0, ""]);
});

/** Starts a run that ends only when it is told to; gives it once its server has been started. */
async function startEndless(place: Installed): Promise<Deno.ChildProcess> {
  const sign = `${base}/started`;
  await Deno.remove(sign).catch(() => {});
  const server = `sh -c "touch ${sign}; exec sleep 60"`;
  const child = start([place.bin, "introspect", "--stdio", server], place);
  for (let waited = 0; !await Deno.stat(sign).then(() => true, () => false); waited += 20) {
    ok(waited < 30_000, "no server was started");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return child;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test({
    name: `the npm launcher ends with 130 on ${signal}, and the program with it`,
    ignore: Deno.build.os === "windows",
    async fn() {
      const place = await install();
      const child = await startEndless(place);
      child.kill(signal);
      const [{ code }, error] = await Promise.all([
        child.status,
        // Ends only when nobody holds it any more.
        new Response(child.stderr).text(),
        child.stdout.cancel(),
        child.stdin.close().catch(() => {}),
      ]);
      equal(code, 130, error);
      match(error, /^error: [^\n]*nterrupted/m);
    },
  });
}

Deno.test({
  name: "the npm launcher ends with 130 on Ctrl-C in a terminal",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const { folder, env, bin } = await install();
    const sign = `${base}/shown`;
    const line =
      `'${bin}' introspect --stdio 'sh -c "touch ${sign}; exec sleep 60"'; echo "code $?"`;
    const child = start([
      "script",
      "-qfec",
      `bash -c '${line.replaceAll("'", `'\\''`)}'`,
      "/dev/null",
    ], {
      folder,
      env: { ...env, TERM: "dumb" },
    });
    const writer = child.stdin.getWriter();
    for (let waited = 0; !await Deno.stat(sign).then(() => true, () => false); waited += 20) {
      ok(waited < 30_000, "no server was started");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await writer.write(new Uint8Array([3]));
    // The shell that waits is interrupted with its children, and says so with the same code.
    const [{ code }, shown] = await Promise.all([
      child.status,
      new Response(child.stdout).text(),
      child.stderr.cancel(),
    ]);
    await writer.close().catch(() => {});
    ok(code === 130 || shown.includes("code 130"), shown);
    match(shown, /nterrupted/);
  },
});

Deno.test("the npm launcher says what is missing where npm installed no Deno", async () => {
  const { folder, env } = await install();
  const place = `${base}/bare`;
  await Deno.mkdir(place);
  await run(["tar", "-xzf", `${folder}/${PACKAGE}`, "-C", place], { folder, env });
  const { code, error } = await run(["node", `${place}/package/bin/mcp-exec.cjs`, "demo"], {
    folder: place,
    env,
  });
  equal(code, 1);
  match(
    error,
    /^error: npm has installed no Deno for this system \(\w+-\w+\)\n {2}hint: [^\n]+\n$/,
  );
});
