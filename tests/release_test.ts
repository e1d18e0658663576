// What a release offers, tried the way people get it: unpacked, installed from a server, completed.

import assert from "node:assert/strict";
import { hasShell, typeInto } from "./live_shell.ts";
import { tarGz, zip } from "../scripts/archive.ts";
import { build } from "../scripts/build.ts";
import { changelogSection, readHistory, withSection } from "../scripts/changelog.ts";
import { LAUNCH_FLAGS } from "../scripts/npm.ts";
import { release, type Target, TARGETS } from "../scripts/release.ts";
import { VERSION } from "../src/version.ts";

const SECONDS = 1_700_000_000;
const HERE = Deno.build.target as Target;
const REPOSITORY = "mcp-exec/mcp-exec";
const onWindows = Deno.build.os === "windows";

interface Made {
  /** The folder of the release. */
  readonly out: string;
  readonly bundle: string;
  readonly names: readonly string[];
  readonly sums: ReadonlyMap<string, string>;
}

let base = "";
let made: Promise<Made> | undefined;

Deno.test.afterAll(async () => {
  if (base !== "") await Deno.remove(base, { recursive: true });
});

/** A release of all systems, made once; its executables are scripts that run the bundle. */
function makeRelease(): Promise<Made> {
  return made ??= (async () => {
    base = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-release-" }));
    const [bundle, out] = [`${base}/dist`, `${base}/release`];
    await build({ out: bundle });
    const names = await release({ ...await partsOf(bundle), out });
    const list = await Deno.readTextFile(`${out}/SHA256SUMS`);
    const sums = new Map(
      list.trimEnd().split("\n").map((line) => {
        const [sum, name] = line.split("  ");
        return [name!, sum!];
      }),
    );
    return { out, bundle, names, sums };
  })();
}

async function partsOf(bundle: string) {
  const program = `${base}/stand-in`;
  const started = [Deno.execPath(), "run", ...LAUNCH_FLAGS, `${bundle}/main.js`];
  // Whatever is no question of a shell is only written down, a word in each pair of brackets.
  const script = `#!/bin/sh
case "$1" in
  __complete | completions | --version) exec ${started.map((word) => `'${word}'`).join(" ")} "$@" ;;
  *) printf '[%s]' "$@" >> ran; echo >> ran ;;
esac
`;
  await Deno.writeTextFile(program, script, { mode: 0o755 });
  return {
    bundle,
    binaries: new Map(TARGETS.map((target) => [target, program])),
    denos: new Map([[HERE, Deno.execPath()]]),
    repository: REPOSITORY,
    seconds: SECONDS,
  };
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

async function run(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    clearEnv: options.env !== undefined,
    stdin: "null",
    ...options,
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), error: decode(stderr) };
}

async function hasTool(name: string): Promise<boolean> {
  try {
    await new Deno.Command(name, { args: ["--version"], stdin: "null" }).output();
    return true;
  } catch {
    return false;
  }
}

/** Every file below a folder, sorted. */
async function filesIn(folder: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
    if (isDirectory) found.push(...await filesIn(folder, `${below}${name}/`));
    else found.push(`${below}${name}`);
  }
  return found.sort();
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-place-" }));
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("release writes the same bytes again from the same sources", async () => {
  const { bundle, sums } = await makeRelease();
  const again = `${base}/again`;
  // Without the portable archives, which are made in the same way.
  await release({ ...await partsOf(bundle), denos: new Map(), out: again });
  const names = await filesIn(again);
  assert.deepEqual(
    names.filter((name) => name !== "SHA256SUMS"),
    [...sums.keys()].filter((name) => !name.includes("-portable")),
  );
  for (const name of names) {
    if (name === "SHA256SUMS") continue;
    assert.equal(await sha256(await Deno.readFile(`${again}/${name}`)), sums.get(name), name);
  }
});

Deno.test("release lists the right sum of every file that it writes", async () => {
  const { out, names, sums } = await makeRelease();
  assert.deepEqual(await filesIn(out), [...names].sort());
  assert.deepEqual([...sums.keys(), "SHA256SUMS"].sort(), [...names].sort());
  for (const [name, sum] of sums) {
    assert.equal(await sha256(await Deno.readFile(`${out}/${name}`)), sum, name);
  }
  for (const target of TARGETS) {
    const ending = target.includes("windows") ? "zip" : "tar.gz";
    assert.ok(sums.has(`mcp-exec-${VERSION}-${target}.${ending}`), target);
  }
});

const INSIDE = [
  "LICENSE",
  "THIRD_PARTY_LICENSES",
  "completions/_mcp-exec",
  "completions/mcp-exec.bash",
  "completions/mcp-exec.fish",
  "completions/mcp-exec.ps1",
];

Deno.test("release packs program, licences, completions and man page for each system", async () => {
  const { out } = await makeRelease();
  await withFolder(async (folder) => {
    for (const target of TARGETS.filter((name) => !name.includes("windows"))) {
      const name = `mcp-exec-${VERSION}-${target}`;
      await run(["tar", "-xzf", `${out}/${name}.tar.gz`, "-C", folder]);
      assert.deepEqual(await filesIn(`${folder}/${name}`), [...INSIDE, "mcp-exec", "mcp-exec.1"]);
      const [program, licence] = await Promise.all(
        ["mcp-exec", "LICENSE"].map((file) => Deno.stat(`${folder}/${name}/${file}`)),
      );
      if (!onWindows) {
        assert.deepEqual([program!.mode! & 0o777, licence!.mode! & 0o777], [493, 420]);
      }
      assert.equal(program!.mtime?.getTime(), SECONDS * 1000);
      assert.equal(licence!.mtime?.getTime(), SECONDS * 1000);
    }
  });
});

Deno.test({
  name: "release packs archives for Windows that others can unpack",
  ignore: !await hasTool("unzip"),
  async fn() {
    const { out } = await makeRelease();
    await withFolder(async (folder) => {
      const name = `mcp-exec-${VERSION}-aarch64-pc-windows-msvc`;
      const { code, error } = await run(["unzip", "-q", `${out}/${name}.zip`, "-d", folder], {
        env: { PATH: Deno.env.get("PATH")!, TZ: "UTC" },
      });
      assert.equal(code, 0, error);
      const files = [...INSIDE, "mcp-exec.1", "mcp-exec.exe"];
      assert.deepEqual(await filesIn(`${folder}/${name}`), files);
      const licence = await Deno.readTextFile(`${folder}/${name}/LICENSE`);
      assert.equal(licence, await Deno.readTextFile(new URL("../LICENSE", import.meta.url)));
      const { mtime } = await Deno.stat(`${folder}/${name}/mcp-exec.exe`);
      assert.equal(mtime?.getTime(), SECONDS * 1000);
    });
  },
});

Deno.test("tarGz and zip put entries in order and refuse what they cannot hold", async () => {
  const entry = (path: string) => ({ path, data: new Uint8Array([1, 2, 3]) });
  const options = { seconds: SECONDS };
  for (const pack of [tarGz, zip]) {
    const one = await pack([entry("a"), entry("b/c")], options);
    assert.deepEqual(await pack([entry("b/c"), entry("a")], options), one);
  }
  await assert.rejects(
    async () => await tarGz([entry("x".repeat(101))], options),
    /Path "x+" is longer than 100 bytes/,
  );
});

Deno.test("zip gives the first day that it knows to what is older", async () => {
  const data = new Uint8Array([1]);
  const dates = await Promise.all(
    [0, Date.UTC(1980, 0) / 1000, Date.UTC(1980, 1, 3) / 1000].map(async (seconds) => {
      const archive = await zip([{ path: "a", data }], { seconds });
      return new DataView(archive.buffer).getUint32(10, true);
    }),
  );
  assert.deepEqual(dates, [0x0021_0000, 0x0021_0000, 0x0043_0000]);
});

Deno.test("release names every third party with its licence, and no folder of this machine", async () => {
  const { out } = await makeRelease();
  await withFolder(async (folder) => {
    await run(["tar", "-xzf", `${out}/mcp-exec-${VERSION}.tgz`, "-C", folder]);
    const notices = await Deno.readTextFile(`${folder}/package/THIRD_PARTY_LICENSES`);
    for (
      const part of ["@modelcontextprotocol/client 2", "handlebars 4", "lru-cache 11", "deno 2"]
    ) {
      assert.ok(notices.includes(part), part);
    }
    assert.ok(notices.includes("QuickJS"), "the engine's own licence");
    assert.ok(!notices.includes("typescript 5"), "it is not in the program");
    for (const path of await filesIn(folder)) {
      const text = new TextDecoder().decode(await Deno.readFile(`${folder}/${path}`));
      assert.ok(!text.includes(`${Deno.env.get("HOME")}/`) && !text.includes(base), path);
    }
  });
});

Deno.test("release packs an npm package that runs nothing when installed and knows each system", async () => {
  const { out } = await makeRelease();
  await withFolder(async (folder) => {
    await run(["tar", "-xzf", `${out}/mcp-exec-${VERSION}.tgz`, "-C", folder]);
    const manifest = JSON.parse(await Deno.readTextFile(`${folder}/package/package.json`));
    assert.deepEqual([manifest.name, manifest.version, manifest.type], [
      "mcp-exec",
      VERSION,
      "module",
    ]);
    assert.deepEqual([manifest.scripts, manifest.dependencies], [undefined, undefined]);
    const systems = Object.keys(manifest.optionalDependencies);
    assert.equal(systems.length, TARGETS.length);
    for (const path of [manifest.bin["mcp-exec"], ...manifest.man, "LICENSE", "README.md"]) {
      assert.ok((await Deno.stat(`${folder}/package/${path}`)).isFile, path);
    }
    const launcher = await Deno.readTextFile(`${folder}/package/${manifest.bin["mcp-exec"]}`);
    const flags = LAUNCH_FLAGS.map((flag) => JSON.stringify(flag)).join(", ");
    assert.ok(launcher.includes(`["run", ${flags}, join(`));
    for (const path of await filesIn(`${base}/dist`)) {
      assert.ok((await Deno.stat(`${folder}/package/dist/${path}`)).isFile, path);
    }
  });
});

interface Bill {
  readonly [key: string]: unknown;
  readonly serialNumber: string;
  readonly metadata: { timestamp: string; component: { "bom-ref": string } };
  readonly components: {
    readonly [key: string]: unknown;
    readonly "bom-ref": string;
    readonly name: string;
    readonly version: string;
    readonly scope: string;
    readonly hashes?: readonly { alg: string; content: string }[];
  }[];
  readonly dependencies: { ref: string; dependsOn: string[] }[];
}

Deno.test("release writes a bill of materials as CycloneDX 1.6 has it, of every locked package", async () => {
  const { out } = await makeRelease();
  const bill: Bill = JSON.parse(await Deno.readTextFile(`${out}/mcp-exec-${VERSION}.cdx.json`));
  assert.deepEqual(
    [bill["bomFormat"], bill["specVersion"], bill["version"]],
    ["CycloneDX", "1.6", 1],
  );
  assert.match(
    bill.serialNumber,
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assert.match(bill.metadata.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const lock = JSON.parse(
    await Deno.readTextFile(new URL("../deno.lock", import.meta.url)),
  ) as { npm: Record<string, { integrity: string }> };
  const packages = bill.components.filter((item) => item["bom-ref"].startsWith("pkg:npm/"));
  const keyOf = (item: Bill["components"][number]) =>
    `${item["group"] === undefined ? "" : `${item["group"]}/`}${item.name}@${item.version}`;
  assert.deepEqual(packages.map(keyOf).sort(), Object.keys(lock.npm).sort());
  for (const item of packages) {
    const [hash] = item.hashes!;
    assert.equal(hash!.alg, "SHA-512");
    const sum = atob(lock.npm[keyOf(item)]!.integrity.slice("sha512-".length));
    assert.equal(
      hash!.content,
      Array.from(sum, (letter) => letter.charCodeAt(0).toString(16).padStart(2, "0")).join(""),
    );
    assert.ok(["required", "excluded"].includes(item.scope));
  }
  const scopeOf = (name: string) => packages.find((item) => item.name === name)!.scope;
  assert.deepEqual([scopeOf("zod"), scopeOf("typescript")], ["required", "excluded"]);
  const refs = [
    bill.metadata.component["bom-ref"],
    ...bill.components.map((item) => item["bom-ref"]),
  ];
  assert.equal(new Set(refs).size, refs.length);
  assert.deepEqual(bill.dependencies.map(({ ref }) => ref).sort(), [...refs].sort());
  for (const { dependsOn } of bill.dependencies) {
    assert.ok(dependsOn.every((ref) => refs.includes(ref)));
  }
});

Deno.test("release writes a formula whose class, URLs and sums are those of the archives", async () => {
  const { out, sums } = await makeRelease();
  const formula = await Deno.readTextFile(`${out}/mcp-exec.rb`);
  assert.match(formula, /^class McpExec < Formula\n/);
  assert.doesNotMatch(formula, /@[A-Z]|[ \t]+$|\t|^(?! +url ).{119}/m);
  const pairs = [...formula.matchAll(/^ {6}url "([^"]+)"\n {6}sha256 "([0-9a-f]{64})"$/gm)];
  const places = [...formula.matchAll(/^ +(on_\w+) do$/gm)].map(([, name]) => name);
  assert.deepEqual(places, ["on_macos", "on_arm", "on_intel", "on_linux", "on_arm", "on_intel"]);
  assert.deepEqual(
    pairs.map(([, url]) => url!.split(`-${VERSION}-`)[1]!.replace(".tar.gz", "")),
    [
      "aarch64-apple-darwin",
      "x86_64-apple-darwin",
      "aarch64-unknown-linux-gnu",
      "x86_64-unknown-linux-gnu",
    ],
  );
  for (const [, url, sum] of pairs) {
    const start = `https://github.com/${REPOSITORY}/releases/download/v${VERSION}/`;
    assert.ok(url!.startsWith(start), url);
    assert.equal(sums.get(url!.slice(start.length)), sum);
  }
  const [, desc] = /^ {2}desc "(.*)"$/m.exec(formula)!;
  // What `brew style` asks of a description.
  assert.ok(desc!.length <= 80 && !/^(?:A|An|The)\b|\.$|mcp-exec/i.test(desc!), desc);
  const installed = [...formula.matchAll(/install "([^"]+)"/g)].map(([, path]) => path!);
  assert.deepEqual(
    installed.sort(),
    [...INSIDE.filter((name) => name.startsWith("completions")), "mcp-exec", "mcp-exec.1"].sort(),
  );
  if (await hasTool("ruby")) {
    const { code, out: said, error } = await run(["ruby", "-wc", `${out}/mcp-exec.rb`]);
    assert.equal(`${code} ${said.trim()}${error}`, "0 Syntax OK");
  }
});

Deno.test("release writes an installer for PowerShell that knows the sums of the archives", async () => {
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
  if (await hasTool("pwsh")) {
    const parse = `$errors = $null; [void][Management.Automation.Language.Parser]::ParseFile(` +
      `'${out}/install.ps1', [ref]$null, [ref]$errors); exit $errors.Count`;
    assert.equal((await run(["pwsh", "-NoProfile", "-Command", parse])).code, 0);
  }
});

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
      const { out } = await makeRelease();
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
    const { out } = await makeRelease();
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

/** Unpacks the archive of this system below `folder` and gives an environment with it on PATH. */
async function unpacked(folder: string): Promise<{ place: string; env: Record<string, string> }> {
  const { out } = await makeRelease();
  const name = `mcp-exec-${VERSION}-${HERE}`;
  await run(["tar", "-xzf", `${out}/${name}.tar.gz`, "-C", folder]);
  return {
    place: `${folder}/${name}`,
    env: {
      PATH: `${folder}/${name}:${Deno.env.get("PATH")}`,
      HOME: folder,
      TERM: "dumb",
      DENO_DIR: `${base}/deno`,
    },
  };
}

const TYPED = ["mcp-exec intros\tdem\t--ref\t", "mcp-exec --format=j\tstats tok\t"];
const RAN = ["[introspect][demo][--refresh]", "[--format=json][stats][tokens]"];

Deno.test({
  name: "completions from the archive work in a live bash",
  ignore: onWindows,
  fn: () =>
    withFolder(async (folder) => {
      const { place, env } = await unpacked(folder);
      const setup = `PS1='$ '; source ${place}/completions/mcp-exec.bash`;
      const shell = "bash --norc --noprofile -i";
      assert.deepEqual(await typeInto({ folder, env }, { shell, setup, lines: TYPED }), RAN);
    }),
});

Deno.test({
  name: "completions from the archive work in a live zsh that finds them by itself",
  ignore: !await hasShell("zsh"),
  fn: () =>
    withFolder(async (folder) => {
      const { place, env } = await unpacked(folder);
      const setup = `PS1='$ '; unsetopt PROMPT_SP; fpath=(${place}/completions $fpath); ` +
        `autoload -Uz compinit; compinit -u -D`;
      assert.deepEqual(
        await typeInto({ folder, env }, { shell: "zsh -f -i", setup, lines: TYPED }),
        RAN,
      );
    }),
});

Deno.test({
  name: "completions from the archive work in a live fish that finds them by itself",
  ignore: !await hasShell("fish"),
  fn: () =>
    withFolder(async (folder) => {
      const { place, env } = await unpacked(folder);
      const vendor = `${folder}/share/fish/vendor_completions.d`;
      await Deno.mkdir(vendor, { recursive: true });
      await Deno.copyFile(`${place}/completions/mcp-exec.fish`, `${vendor}/mcp-exec.fish`);
      for (const [line, wanted] of [["intros", "introspect"], ["call dem", "demo"]]) {
        const { out, error } = await run(["fish", "-c", `complete -C 'mcp-exec ${line}'`], {
          cwd: folder,
          env: { ...env, XDG_DATA_DIRS: `${folder}/share:/usr/local/share:/usr/share` },
        });
        assert.equal(`${out.split("\t")[0]}${error}`, wanted);
      }
    }),
});

Deno.test({
  name: "the portable archive runs with an empty home and without Deno on PATH",
  ignore: onWindows,
  async fn() {
    const { out } = await makeRelease();
    await withFolder(async (folder) => {
      const name = `mcp-exec-${VERSION}-${HERE}-portable`;
      await run(["tar", "-xzf", `${out}/${name}.tar.gz`, "-C", folder]);
      const home = `${folder}/home of one`;
      await Deno.mkdir(home);
      const options = { cwd: home, env: { HOME: home, PATH: "/nowhere" } };
      const demo = await run([`${folder}/${name}/mcp-exec`, "demo"], options);
      assert.equal(demo.code, 0, demo.error);
      assert.match(demo.out, /\n {2}saved +\d\d\.\d %\n$/);
      // From a link in another folder, as people put it on their PATH.
      await Deno.symlink(`../../${name}/mcp-exec`, `${home}/first`);
      await Deno.mkdir(`${home}/bin`);
      await Deno.symlink("../../" + name + "/mcp-exec", `${home}/bin/mcp-exec`);
      await Deno.symlink("bin/mcp-exec", `${home}/mx`);
      const linked = await run([`${home}/mx`, "execute", "-e", "throw 1", "--quiet"], {
        ...options,
        env: { HOME: home, PATH: "/usr/bin:/bin" },
      });
      assert.equal(linked.code, 5, linked.error);
      const homeless = await run(
        [`${folder}/${name}/mcp-exec`, "execute", "-e", "return 6 * 7", "--quiet"],
        { cwd: home, env: {} },
      );
      assert.deepEqual([homeless.code, homeless.out], [0, "42\n"], homeless.error);
    });
  },
});

Deno.test("changelogSection groups subjects by their first word and leaves inner ones out", () => {
  const subjects = [
    "Add `x` to y",
    "Fix a_b",
    "Test it",
    "Start 25 ms sooner",
    "Rename z",
    "Fix a_b",
  ];
  const options = { version: "1.2.0", date: "2026-02-01" };
  const section = changelogSection(subjects, options);
  assert.equal(
    section,
    [
      ...["## 1.2.0 (2026-02-01)", "", "### Added", "", "- Add \\`x\\` to y", ""],
      ...["### Fixed", "", "- Fix a\\_b", "", "### Faster", "", "- Start 25 ms sooner", ""],
      ...["### Changed", "", "- Rename z", "", "And 1 of tests, structure and documents.", ""],
    ].join("\n"),
  );
  const first = changelogSection(subjects, { ...options, isFirst: true });
  assert.ok(first.includes("The first release.") && !first.includes("Fixed"));
});

Deno.test("readHistory begins after the last tag before HEAD, or with the first commit", async () => {
  await withFolder(async (folder) => {
    const git = async (...args: string[]) => {
      const { code, error } = await run(["git", ...args], {
        cwd: folder,
        env: {
          PATH: Deno.env.get("PATH")!,
          ...{ GIT_AUTHOR_NAME: "a", GIT_AUTHOR_EMAIL: "a@b", GIT_CONFIG_NOSYSTEM: "1" },
          ...{ GIT_COMMITTER_NAME: "a", GIT_COMMITTER_EMAIL: "a@b", HOME: folder },
        },
      });
      assert.equal(code, 0, error);
    };
    const commit = (subject: string) => git("commit", "-q", "--allow-empty", "-m", subject);
    const history = () => readHistory(new URL(`file://${folder}/`));
    await git("init", "-q");
    await commit("Add one");
    assert.deepEqual(await history(), { subjects: ["Add one"], isFirst: true });
    await commit("Add two");
    await git("tag", "v0.1.0");
    assert.deepEqual(await history(), { subjects: ["Add two", "Add one"], isFirst: true });
    await commit("Add three");
    await git("tag", "other");
    await git("tag", "v0.2.0");
    assert.deepEqual(await history(), { subjects: ["Add three"], isFirst: false });
  });
});

Deno.test("withSection puts a section on top and replaces one of the same version", () => {
  const section = (version: string, text: string) => `## ${version} (2026-01-01)\n\n${text}\n`;
  const one = withSection("", section("0.1.0", "old"));
  assert.equal(one, `# Changelog\n\n${section("0.1.0", "old")}`);
  const two = withSection(one, section("0.2.0", "new"));
  assert.equal(two, `# Changelog\n\n${section("0.2.0", "new")}\n${section("0.1.0", "old")}`);
  assert.equal(withSection(two, section("0.2.0", "new")), two);
});
