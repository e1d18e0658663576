// What a release offers, tried the way people get it: unpacked, started, completed.

import assert from "node:assert/strict";
import { hasShell, typeInto } from "./live_shell.ts";
import {
  filesIn,
  hasTool,
  HERE,
  makeRelease,
  removeRelease,
  REPOSITORY,
  run,
  SECONDS,
  sha256,
  withFolder,
} from "./release_fixture.ts";
import { LAUNCH_FLAGS } from "../scripts/npm.ts";
import { release, TARGETS } from "../scripts/release.ts";
import { VERSION } from "../src/version.ts";

const onWindows = Deno.build.os === "windows";

Deno.test.afterAll(removeRelease);

Deno.test("release writes the same bytes again from the same sources", async () => {
  const { base, parts, sums } = await makeRelease();
  const again = `${base}/again`;
  // Without the portable archives, which are made in the same way.
  await release({ ...parts, denos: new Map(), out: again });
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

Deno.test("release names every third party with its licence, and no folder of this machine", async () => {
  const { out, base } = await makeRelease();
  await withFolder(async (folder) => {
    await run(["tar", "-xzf", `${out}/mcp-exec-${VERSION}.tgz`, "-C", folder]);
    const notices = await Deno.readTextFile(`${folder}/package/THIRD_PARTY_LICENSES`);
    for (
      const part of ["@modelcontextprotocol/client 2", "handlebars 4", "lru-cache 11", "deno 2"]
    ) {
      assert.ok(notices.includes(part), part);
    }
    assert.ok(notices.includes("QuickJS"), "the engine's own licence");
    const [, other] = /\n@stricli\/core [\d.]+\n\nLicence: Apache-2\.0, .* with (@\S+ [\d.]+)\n/
      .exec(notices)!;
    const part = notices.split(/^-{72}$/m).find((text) => text.trimStart().startsWith(other!));
    assert.ok(part!.includes("Apache License"));
    assert.ok(!notices.includes("typescript 5"), "it is not in the program");
    for (const path of await filesIn(folder)) {
      const text = new TextDecoder().decode(await Deno.readFile(`${folder}/${path}`));
      assert.ok(!text.includes(`${Deno.env.get("HOME")}/`) && !text.includes(base), path);
    }
  });
});

Deno.test("release packs an npm package that runs nothing when installed and knows each system", async () => {
  const { out, parts } = await makeRelease();
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
    for (const path of await filesIn(parts.bundle)) {
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

Deno.test("release writes a formula whose class, URLs and sums are those of the archives", async (t) => {
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
  await t.step({
    name: "it is read by Ruby without a warning",
    ignore: !await hasTool("ruby"),
    async fn() {
      const { code, out: said, error } = await run(["ruby", "-wc", `${out}/mcp-exec.rb`]);
      assert.equal(`${code} ${said.trim()}${error}`, "0 Syntax OK");
    },
  });
});

/** Unpacks the archive of this system below `folder` and gives an environment with it on PATH. */
async function unpacked(folder: string): Promise<{ place: string; env: Record<string, string> }> {
  const { out, base } = await makeRelease();
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
