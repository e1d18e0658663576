// Executables without the runtime that Deno would fetch: the payload goes into another program's
// file, is read back from there, and runs under what it says about permissions and flags.

import assert from "node:assert/strict";
import { build } from "../scripts/build.ts";
import { compile, type Payload, readPayload } from "../scripts/compile.ts";
import { VERSION } from "../src/version.ts";
import { ROOT } from "./specs/run.ts";

const base = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-compile-" }));
globalThis.addEventListener("unload", () => Deno.removeSync(base, { recursive: true }));
const ignore = Deno.build.os !== "linux";
const bundle = `${base}/dist`;
const runtime = "/bin/true";

async function make(out: string): Promise<Payload> {
  await compile({ bundle, out, runtime });
  return readPayload(await Deno.readFile(out));
}

const files = ignore ? [] : (await build({ out: bundle })).files;
const payload = ignore ? undefined : await make(`${base}/mcp-exec`);

Deno.test({
  name: "compile puts the files of the bundle into the executable, and no others",
  ignore,
  async fn() {
    assert.deepEqual([...payload!.files.keys()].sort(), files.map(({ path }) => path));
    for (const { path } of files) {
      assert.deepEqual(payload!.files.get(path), await Deno.readFile(`${bundle}/${path}`), path);
    }
  },
});

Deno.test({
  name: "compile bakes in permissions without libraries, no prompt and no environment",
  ignore,
  fn() {
    const { permissions, ...rest } = payload!.metadata as {
      permissions: Record<string, unknown>;
      [name: string]: unknown;
    };
    for (const name of ["read", "write", "net", "env", "run", "sys"]) {
      assert.deepEqual(permissions[`allow_${name}`], [], name);
    }
    assert.equal(permissions.allow_ffi, null);
    assert.equal(permissions.prompt, false);
    assert.deepEqual(rest.argv, []);
    assert.deepEqual(rest.env_vars_from_env_file, {});
    assert.equal(rest.ca_data, null);
    assert.equal(rest.app_name, "mcp-exec");
    assert.ok((rest.v8_flags as string[]).includes("--stack-size=3400"));
    assert.ok((rest.unstable_config as { features: string[] }).features.includes("worker-options"));
  },
});

Deno.test({
  name: "compile names no folder of this machine, and gives the same bytes again",
  ignore,
  async fn() {
    const text = new TextDecoder("latin1").decode(payload!.bytes);
    for (const folder of [`${ROOT}/`, `${base}/`, `${Deno.env.get("HOME")}/`, `${bundle}/`]) {
      assert.ok(!text.includes(folder), folder);
    }
    assert.deepEqual((await make(`${base}/again`)).bytes, payload!.bytes);
  },
});

Deno.test({
  name: "compile makes a payload that runs under the permissions and flags it carries",
  ignore,
  async fn() {
    const place = `${base}/extracted`;
    for (const [path, bytes] of payload!.files) {
      await Deno.mkdir(`${place}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeFile(`${place}/${path}`, bytes);
    }
    const { permissions, v8_flags, unstable_config, entrypoint_key } = payload!.metadata as {
      permissions: Record<string, string[] | null>;
      v8_flags: string[];
      unstable_config: { features: string[] };
      entrypoint_key: string;
    };
    const flags = [
      ...["read", "write", "net", "env", "run", "sys", "ffi"].flatMap((name) =>
        permissions[`allow_${name}`] === null ? [] : [`--allow-${name}`]
      ),
      ...unstable_config.features.map((name) => `--unstable-${name}`),
      // The runtime's own stand before ours.
      `--v8-flags=${v8_flags.slice(v8_flags.indexOf("--stack-size=3400")).join()}`,
    ];
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-config", "--no-npm", "--no-remote", "--no-prompt", ...flags]
          .concat(`${place}/${entrypoint_key}`, args),
        cwd: place,
        clearEnv: true,
        env: { HOME: `${base}/home`, DENO_DIR: `${base}/cache`, DENO_NO_UPDATE_CHECK: "1" },
        stdin: "null",
      }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    assert.equal(await run("--version"), `${VERSION}\n`);
    assert.equal(await run("execute", "-e", "export default 6 * 7"), "42\n");
    assert.match(await run("introspect", "demo"), /createIssue\(params: /);
  },
});

Deno.test({
  name: "compile says what is missing where the runtime cannot be had",
  ignore,
  async fn() {
    const missing = `${base}/nothing`;
    await assert.rejects(
      compile({ bundle, out: `${base}/none`, runtime: missing }),
      /Cannot compile for .*\n {2}hint: .*DENORT_BIN/s,
    );
  },
});

Deno.test("readPayload refuses a file that carries none", () => {
  assert.throws(() => readPayload(new Uint8Array(1000)), /carries no payload/);
});
