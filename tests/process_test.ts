import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { childEnvironment, spawnGroup } from "../src/process.ts";
import { Secret } from "../src/text.ts";
import { eventually } from "./eventually.ts";
import { ENVIRONMENT, isRunning } from "./servers/start.ts";

const DENO = Deno.execPath();

function run(code: string, more: { args?: string[]; env?: Record<string, string | Secret> } = {}) {
  const { args = [], env = {} } = more;
  return spawnGroup({
    command: DENO,
    args: ["eval", code, ...args],
    env: { ...childEnvironment(ENVIRONMENT, {}, false), ...env },
  });
}

// A process that was killed is seen for a moment longer.
async function gone(pid: number): Promise<void> {
  await eventually(() => !isRunning(pid), () => `process ${pid} still runs`);
}

async function refusal(options: Parameters<typeof spawnGroup>[0]): Promise<AppError> {
  try {
    await spawnGroup(options).stop();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  throw new Error("Nothing was refused");
}

Deno.test("spawnGroup gives the three pipes and the exit code", async () => {
  const group = run(
    "console.log(await new Response(Deno.stdin.readable).text()); console.error('e'); Deno.exit(3);",
  );
  const writer = group.stdin.getWriter();
  await writer.write(new TextEncoder().encode("hello"));
  await writer.close();
  const [out, error, exit] = await Promise.all([
    new Response(group.stdout).text(),
    new Response(group.stderr).text(),
    group.exited,
  ]);
  assert.equal(out, "hello\n");
  assert.equal(error, "e\n");
  assert.deepEqual(exit, { code: 3, signal: null });
  await group.stop();
});

Deno.test("spawnGroup hands on each argument as it is (A16)", async () => {
  const args = ["$(id)", ";", "a b", "`id`", "new\nline", '"', "*"];
  const group = run("console.log(JSON.stringify(Deno.args))", { args });
  assert.deepEqual(JSON.parse(await new Response(group.stdout).text()), args);
  await group.stop();
});

Deno.test("spawnGroup gives the child the given variables and no others", async () => {
  Deno.env.set("MCP_EXEC_TEST_LEAK_TO_CHILD", "1");
  const group = run("console.log(JSON.stringify(Deno.env.toObject()))", {
    env: { TOKEN: new Secret("s3cret") },
  });
  const seen = JSON.parse(await new Response(group.stdout).text());
  Deno.env.delete("MCP_EXEC_TEST_LEAK_TO_CHILD");
  assert.equal(seen.TOKEN, "s3cret");
  assert.equal(seen.MCP_EXEC_TEST_LEAK_TO_CHILD, undefined);
  await group.stop();
});

Deno.test("spawnGroup says what cannot be started and why (H1)", async () => {
  const base = { args: [], env: { PATH: "/usr/bin:/bin" } };
  const missing = await refusal({ ...base, command: "no-such-command-here" });
  assert.equal(missing.kind, "connect");
  assert.equal(missing.message, 'Command "no-such-command-here" was not found');
  assert.match(missing.hint ?? "", /full path/);
  const plain = new URL(import.meta.url).pathname;
  const file = await refusal({ ...base, command: plain });
  assert.match(file.message, /^Command ".*" is not executable$/);
  const folder = await refusal({ ...base, command: DENO, cwd: "/no/such/folder" });
  assert.match(folder.message, /^Folder "\/no\/such\/folder" to start ".*" in does not exist$/);
  const odd = await refusal({ ...base, command: DENO, args: ["a\0b"] });
  assert.match(odd.message, /could not be started$/);
});

Deno.test("spawnGroup cleans the command it names", async () => {
  const error = await refusal({ command: "\x1b[31mx", args: [], env: {} });
  assert.equal(error.message, 'Command "\\u{1b}[31mx" was not found');
});

Deno.test("ChildGroup.stop lets a child end by itself when its input ends", async () => {
  const group = run("console.log(1); for await (const _ of Deno.stdin.readable); Deno.exit(5)");
  // Its start may take longer than the grace.
  const reader = group.stdout.getReader();
  await reader.read();
  await group.stop();
  assert.deepEqual(await group.exited, { code: 5, signal: null });
  await reader.cancel();
});

Deno.test("ChildGroup.stop ends the whole group, deaf to SIGTERM or not (H3)", async () => {
  const deaf = "Deno.addSignalListener('SIGTERM', () => {}); setInterval(() => {}, 1e6);";
  const group = run(
    `${deaf} const child = new Deno.Command(Deno.execPath(), { args: ["eval", ${
      JSON.stringify(`${deaf} console.log(Deno.pid)`)
    }] }).spawn();`,
  );
  const reader = group.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const grandchild = Number((await reader.read()).value);
  assert.ok(isRunning(group.pid) && isRunning(grandchild));
  await Promise.all([group.stop(), group.stop()]);
  assert.equal((await group.exited).signal, "SIGKILL");
  assert.ok(!isRunning(group.pid));
  await gone(grandchild);
  await reader.cancel();
});

Deno.test("ChildGroup.stop ends what a child left behind when it ended", async () => {
  const group = run(
    `const child = new Deno.Command(Deno.execPath(), {
       args: ["eval", "setInterval(() => {}, 1e6)"], stdout: "null", stderr: "null" }).spawn();
     console.log(child.pid); Deno.exit(0);`,
  );
  const left = Number(await new Response(group.stdout).text());
  await group.exited;
  assert.ok(isRunning(left));
  await group.stop();
  await gone(left);
});

Deno.test("spawnGroup leaves no group behind when its process exits", async () => {
  const module = JSON.stringify(import.meta.resolve("../src/process.ts"));
  for (const end of ["Deno.exit(0)", "globalThis.close()"]) {
    const group = run(
      `const { spawnGroup } = await import(${module});
       const child = { command: Deno.execPath(), env: Deno.env.toObject(),
         args: ["eval", "setInterval(() => {}, 1e6)"] };
       const pids = [spawnGroup(child).pid, spawnGroup(child).pid];
       await Deno.stdout.write(new TextEncoder().encode(pids.join(" ")));
       ${end};`,
    );
    const pids = (await new Response(group.stdout).text()).split(" ").map(Number);
    await group.exited;
    assert.equal(pids.length, 2);
    for (const pid of pids) await gone(pid);
    await group.stop();
  }
});

Deno.test("childEnvironment passes on what programs need and no credentials", () => {
  const source = {
    PATH: "/bin",
    HOME: "/home/me",
    LC_ALL: "C.UTF-8",
    XDG_CACHE_HOME: "/cache",
    https_proxy: "http://proxy",
    npm_config_registry: "http://registry",
    GITHUB_TOKEN: "t",
    AWS_SECRET_ACCESS_KEY: "k",
    LD_PRELOAD: "/evil.so",
    NODE_OPTIONS: "--require /evil.js",
    npm_config__auth: "a",
    SHELL: "() { evil; }",
  };
  const environment = {
    get: (name: string) => (source as Record<string, string>)[name],
    toObject: () => source,
  };
  const names = ["HOME", "LC_ALL", "PATH", "XDG_CACHE_HOME", "https_proxy", "npm_config_registry"];
  assert.deepEqual(Object.keys(childEnvironment(environment, {}, false)).sort(), names);
  const own = childEnvironment(environment, { PATH: new Secret("/mine") }, false);
  assert.equal(String(own["PATH"]), "***");
  const all = childEnvironment(environment, {}, true);
  assert.equal(all["GITHUB_TOKEN"], "t");
  assert.equal(all["SHELL"], undefined);
});
