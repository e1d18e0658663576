// The installers of a release, run against a server of its archives as people run them.

import assert from "node:assert/strict";
import { hasShell } from "./live_shell.ts";
import {
  filesIn,
  hasTool,
  HERE,
  makeRelease,
  removeRelease,
  run,
  SECONDS,
  sha256,
  withFolder,
} from "./release_fixture.ts";
import { tarGz } from "../scripts/archive.ts";
import { TARGETS } from "../scripts/release.ts";
import { VERSION } from "../src/version.ts";

const onWindows = Deno.build.os === "windows";

Deno.test.afterAll(removeRelease);

/** Runs `work` while a folder is served over HTTP. */
async function serving(folder: string, work: (url: string) => Promise<void>): Promise<void> {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    try {
      return new Response(await Deno.readFile(`${folder}${pathname}`));
    } catch {
      return new Response("not here", { status: 404 });
    }
  });
  try {
    await work(`http://127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

const SHELLS = ["sh", "bash", "dash"];

for (const shell of SHELLS) {
  Deno.test({
    name: `install.sh installs the program, its man page and completions with ${shell}`,
    ignore: onWindows || !await hasShell(shell),
    async fn() {
      const { out, base } = await makeRelease();
      await withFolder((home) =>
        serving(out, async (url) => {
          const env = {
            PATH: Deno.env.get("PATH")!,
            HOME: home,
            TMPDIR: `${home}/tmp`,
            SHELL: "/bin/bash",
            MCP_EXEC_BASE_URL: url,
            DENO_DIR: `${base}/deno`,
          };
          await Deno.mkdir(`${home}/tmp`);
          const { code, out: said, error } = await run([shell, `${out}/install.sh`], { env });
          assert.equal(code, 0, error);
          assert.deepEqual(said.split("\n").slice(0, 3), [
            `mcp-exec ${VERSION} is installed: ${home}/.local/bin/mcp-exec`,
            "It is not on PATH yet. Add this line to the start-up file of your shell:",
            `  export PATH="${home}/.local/bin:$PATH"`,
          ]);
          assert.deepEqual(await filesIn(home), [
            ".local/bin/mcp-exec",
            ".local/share/bash-completion/completions/mcp-exec",
            ".local/share/fish/vendor_completions.d/mcp-exec.fish",
            ".local/share/man/man1/mcp-exec.1",
            ".local/share/zsh/site-functions/_mcp-exec",
          ]);
          const there = `${home}/.local/bin`;
          const again = await run([shell, `${out}/install.sh`], {
            env: { ...env, PATH: `${env.PATH}:${there}`, MCP_EXEC_INSTALL_DIR: `${there}/` },
          });
          assert.equal(again.code, 0, again.error);
          assert.doesNotMatch(again.out, /PATH/);
        })
      );
    },
  });
}

Deno.test({
  name: "install.sh puts the program into a folder below the one it is run in, whatever its name",
  ignore: onWindows,
  async fn() {
    const { out, base } = await makeRelease();
    await withFolder((home) =>
      serving(out, async (url) => {
        const { code, out: said, error } = await run(["sh", `${out}/install.sh`], {
          cwd: home,
          env: {
            PATH: Deno.env.get("PATH")!,
            HOME: home,
            MCP_EXEC_INSTALL_DIR: "-a b/c",
            MCP_EXEC_BASE_URL: url,
            DENO_DIR: `${base}/deno`,
          },
        });
        assert.equal(code, 0, error);
        assert.ok(said.includes(`  export PATH="${home}/-a b/c:$PATH"\n`), said);
        assert.deepEqual(await filesIn(home), ["-a b/c/mcp-exec"]);
      })
    );
  },
});

for (const [fetcher, summer] of [["curl", "openssl"], ["wget", "shasum"]] as const) {
  Deno.test({
    name: `install.sh makes do with ${fetcher} and ${summer}, and still refuses a wrong sum`,
    ignore: onWindows || !await hasTool(fetcher) || !await findTool(summer),
    async fn() {
      const { out, base } = await makeRelease();
      const name = `mcp-exec-${VERSION}-${HERE}.tar.gz`;
      await withFolder((home) =>
        serving(`${home}/served`, async (url) => {
          for (const folder of ["served", "tools"]) await Deno.mkdir(`${home}/${folder}`);
          const needed = ["uname", "mktemp", "tar", "gzip", "mkdir", "cp", "chmod", "mv", "rm"];
          for (const tool of [...needed, "perl", fetcher, summer]) {
            const place = await findTool(tool);
            if (place !== undefined) await Deno.symlink(place, `${home}/tools/${tool}`);
          }
          const bytes = await Deno.readFile(`${out}/${name}`);
          const install = async (archive: Uint8Array) => {
            await Deno.writeFile(`${home}/served/${name}`, archive);
            return await run(["/bin/sh", `${out}/install.sh`], {
              env: {
                PATH: `${home}/tools`,
                HOME: home,
                MCP_EXEC_INSTALL_DIR: `${home}/bin`,
                MCP_EXEC_BASE_URL: url,
                DENO_DIR: `${base}/deno`,
              },
            });
          };
          const refused = await install(bytes.with(100, bytes[100]! ^ 1));
          assert.deepEqual([refused.code, refused.out], [1, ""], refused.error);
          assert.match(refused.error, /^error: SHA-256 of \S+ is [0-9a-f]{64}, not /);
          const { code, error } = await install(bytes);
          assert.equal(code, 0, error);
          assert.ok((await filesIn(home)).includes("bin/mcp-exec"));
        })
      );
    },
  });
}

/** Where a program of this machine lies. */
async function findTool(name: string): Promise<string | undefined> {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    const place = `${folder}/${name}`;
    if (await Deno.stat(place).then(({ isFile }) => isFile, () => false)) return place;
  }
  return undefined;
}

Deno.test({
  name: "install.sh takes the archive of the system it runs on, and says where there is none",
  ignore: onWindows,
  async fn() {
    const { out } = await makeRelease();
    const systems: readonly (readonly [system: string, machine: string, says: string])[] = [
      ["Linux", "x86_64", "/mcp-exec-V-x86_64-unknown-linux-gnu.tar.gz"],
      ["Linux", "aarch64", "/mcp-exec-V-aarch64-unknown-linux-gnu.tar.gz"],
      ["Darwin", "arm64", "/mcp-exec-V-aarch64-apple-darwin.tar.gz"],
      ["Darwin", "x86_64", "/mcp-exec-V-x86_64-apple-darwin.tar.gz"],
      // A shell for Intel on Apple's own processor.
      ["Darwin, translated", "x86_64", "/mcp-exec-V-aarch64-apple-darwin.tar.gz"],
      ["Linux", "riscv64", "There is no mcp-exec for riscv64-unknown-linux-gnu"],
      ["Linux, musl", "x86_64", "needs glibc, and this system has musl"],
      ["FreeBSD", "amd64", "There is no mcp-exec for x86_64-FreeBSD"],
    ];
    for (const [name, machine, says] of systems) {
      const [system, kind] = name.split(", ");
      await withFolder((home) =>
        serving(`${home}/nothing`, async (url) => {
          const tools = {
            uname: `case $1 in -s) echo ${system} ;; -m) echo ${machine} ;; esac`,
            ldd: kind === "musl" ? "echo 'musl libc' >&2; exit 1" : "echo 'ldd (GNU libc) 2.39'",
            sysctl: kind === "translated" ? "echo 1" : "exit 1",
          };
          await Deno.mkdir(`${home}/tools`);
          for (const [tool, script] of Object.entries(tools)) {
            await Deno.writeTextFile(`${home}/tools/${tool}`, `#!/bin/sh\n${script}\n`, {
              mode: 0o755,
            });
          }
          const { code, error } = await run(["sh", `${out}/install.sh`], {
            env: {
              PATH: `${home}/tools:${Deno.env.get("PATH")}`,
              HOME: home,
              MCP_EXEC_BASE_URL: url,
            },
          });
          assert.equal(code, 1, `${name} ${machine}: ${error}`);
          assert.ok(error.includes(says.replace("V", VERSION)), `${name} ${machine}: ${error}`);
        })
      );
    }
  },
});

Deno.test({
  name:
    "install.sh changes nothing when the sum is wrong, the archive is missing, or it cannot run",
  ignore: onWindows,
  async fn() {
    const { out } = await makeRelease();
    const archive = `mcp-exec-${VERSION}-${HERE}.tar.gz`;
    const script = await Deno.readTextFile(`${out}/install.sh`);
    const broken = await tarGz([{
      path: `mcp-exec-${VERSION}-${HERE}/mcp-exec`,
      data: new TextEncoder().encode("#!/bin/sh\nexit 1\n"),
    }], { seconds: SECONDS });
    const cases = [
      {
        title: "altered by one byte",
        archive: (bytes: Uint8Array<ArrayBuffer>) => bytes.with(100, bytes[100]! ^ 1),
        says: /^error: SHA-256 of \S+ is [0-9a-f]{64}, not [0-9a-f]{64}\n {2}hint: nothing was/,
      },
      {
        title: "cut",
        archive: (bytes: Uint8Array<ArrayBuffer>) => bytes.slice(0, -1),
        says: /SHA/,
      },
      {
        title: "missing",
        archive: () => undefined,
        says: /error: Cannot download \S+\.tar\.gz\n$/,
      },
      {
        title: "that does not run",
        archive: () => broken,
        script: script.replace(/(?<= echo )[0-9a-f]{64}/g, await sha256(broken)),
        says: /^error: mcp-exec does not run on this system/,
      },
      {
        title: "of another system",
        archive: () => broken,
        env: { MCP_EXEC_TARGET: "pdp11-unknown-unix" },
        says: /^error: There is no mcp-exec for pdp11-unknown-unix\n/,
      },
    ];
    for (const item of cases) {
      await withFolder((home) =>
        serving(`${home}/served`, async (url) => {
          await Deno.mkdir(`${home}/served`);
          await Deno.mkdir(`${home}/bin`);
          await Deno.mkdir(`${home}/tmp`);
          const bytes = item.archive(await Deno.readFile(`${out}/${archive}`));
          if (bytes !== undefined) await Deno.writeFile(`${home}/served/${archive}`, bytes);
          await Deno.writeTextFile(`${home}/install.sh`, item.script ?? script);
          await Deno.writeTextFile(`${home}/bin/mcp-exec`, "the one before");
          const { code, error } = await run(["sh", `${home}/install.sh`], {
            env: {
              PATH: Deno.env.get("PATH")!,
              HOME: home,
              TMPDIR: `${home}/tmp`,
              MCP_EXEC_INSTALL_DIR: `${home}/bin`,
              MCP_EXEC_BASE_URL: url,
              ...item.env,
            },
          });
          assert.equal(code, 1, `${item.title}: ${error}`);
          assert.match(error, item.says, item.title);
          assert.deepEqual(await filesIn(`${home}/bin`), ["mcp-exec"], item.title);
          assert.deepEqual(await filesIn(`${home}/tmp`), [], item.title);
          assert.equal(await Deno.readTextFile(`${home}/bin/mcp-exec`), "the one before");
        })
      );
    }
  },
});

Deno.test({
  name: "install.sh is plain shell",
  ignore: onWindows || !await hasTool("shellcheck"),
  async fn() {
    const { out } = await makeRelease();
    // SC2016: the line for PATH is meant to be expanded by the person's shell.
    const { code, out: said } = await run(["shellcheck", "-e", "SC2016", `${out}/install.sh`]);
    assert.equal(code, 0, said);
  },
});

Deno.test("release writes an installer for PowerShell that knows the sums of the archives", async (t) => {
  const { out, sums } = await makeRelease();
  const script = await Deno.readTextFile(`${out}/install.ps1`);
  assert.doesNotMatch(script, /@[A-Z]+@/);
  for (const target of TARGETS.filter((name) => name.includes("windows"))) {
    const sum = sums.get(`mcp-exec-${VERSION}-${target}.zip`)!;
    assert.ok(script.includes(`'${target}' = '${sum}'`));
  }
  assert.ok(
    script.indexOf("-ne $sums[$target]") < script.indexOf("Expand-Archive"),
    "the sum is looked at before anything is unpacked",
  );
  // A line to copy holds the folder in quotes, and a name such as O'Brien ends them.
  const copied = script.split("\n").filter((line) => /Write-Output .*(?:;|\. ')/.test(line));
  assert.equal(copied.length, 2);
  for (const line of copied) assert.ok(line.includes("$quoted") && !line.includes("$folder"), line);
  const depth = (open: string, close: string) =>
    script.split(open).length - script.split(close).length;
  assert.deepEqual([depth("{", "}"), depth("(", ")")], [0, 0]);
  await t.step({
    name: "it is read by PowerShell without a complaint",
    ignore: !await hasTool("pwsh"),
    async fn() {
      const parse = `$errors = $null; [void][Management.Automation.Language.Parser]::ParseFile(` +
        `'${out}/install.ps1', [ref]$null, [ref]$errors); exit $errors.Count`;
      assert.equal((await run(["pwsh", "-NoProfile", "-Command", parse])).code, 0);
    },
  });
});
