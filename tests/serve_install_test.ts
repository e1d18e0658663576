import assert from "node:assert/strict";
import { entriesOf } from "../src/clients.ts";
import { parseClientText } from "../src/discovery.ts";
import { AppError } from "../src/errors.ts";
import { clientNames, install, planInstallation, stableProgram } from "../src/serve_install.ts";
import { runInOnePlace } from "./specs/run.ts";

const PROGRAM = { command: "/usr/local/bin/mcp-exec", args: ["serve"] };

async function withHome(
  work: (place: Parameters<typeof planInstallation>[0], home: string) => Promise<void>,
): Promise<void> {
  const home = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-install-" }));
  const env = { get: () => undefined, toObject: () => ({}) };
  try {
    await work({
      env,
      cwd: home,
      platform: "linux",
      paths: { home, config: `${home}/.config/mcp-exec`, data: undefined },
    }, home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("install writes an entry that each client's own reader reads back, once", async () => {
  await withHome(async (place) => {
    const clients = clientNames(place);
    for (const name of ["claude-code", "claude-desktop", "cursor", "vscode", "codex", "zed"]) {
      assert.ok(clients.includes(name), name);
    }
    for (const client of clients) {
      const plan = await planInstallation(place, { client, program: PROGRAM });
      assert.ok(plan.diff.join("\n").includes(plan.shownPath), client);
      assert.equal(await install({ now: Date.now }, plan), undefined);
      const text = await Deno.readTextFile(plan.file.path);
      assert.equal(plan.alone, text);
      const document = await parseClientText(text, plan.file.syntax, plan.shownPath);
      const entry = entriesOf(plan.file, document)["mcp-exec"] as Record<string, unknown>;
      assert.deepEqual(entry, plan.entry);
      const read = plan.file.toEntry(entry)!;
      assert.deepEqual([read["command"], read["args"]], [PROGRAM.command, PROGRAM.args], client);
      const again = await planInstallation(place, { client, program: PROGRAM });
      assert.equal(again.alone, text);
      assert.deepEqual(again.diff, [], client);
      const other = { ...PROGRAM, args: ["serve", "--plain"] };
      const changed = await planInstallation(place, { client, program: other });
      const backup = await install({ now: Date.now }, changed);
      assert.equal(await Deno.readTextFile(backup!), text);
      const after = await Deno.readTextFile(plan.file.path);
      assert.equal(after.split("mcp-exec").length, text.split("mcp-exec").length, client);
      assert.ok(after.includes("--plain"));
    }
  });
});

Deno.test("install leaves everything else of a file as it is", async () => {
  const files: readonly [client: string, path: string, text: string, direct: string[]][] = [
    [
      "cursor",
      ".cursor/mcp.json",
      `{\n  // mine\n  "mcpServers": {\n    "github": { "command": "x" }\n  },\n  "other": 1\n}\n`,
      ["github"],
    ],
    [
      "codex",
      ".codex/config.toml",
      `model = "a" # mine\n\n[mcp_servers.github]\ncommand = "x"\n\n[profiles.a]\nb = 1\n`,
      ["github"],
    ],
    [
      "goose",
      ".config/goose/config.yaml",
      "GOOSE_MODEL: a\nextensions:\n  github:\n    type: stdio\n    cmd: x\n    enabled: true\nlast: 1\n",
      ["github"],
    ],
  ];
  await withHome(async (place, home) => {
    for (const [client, path, text, direct] of files) {
      await Deno.mkdir(`${home}/${path.replace(/\/[^/]*$/, "")}`, { recursive: true });
      await Deno.writeTextFile(`${home}/${path}`, text);
      const plan = await planInstallation(place, { client, program: PROGRAM });
      assert.deepEqual(plan.direct, direct);
      await install({ now: Date.now }, plan);
      const after = await Deno.readTextFile(`${home}/${path}`);
      const bare = (text: string) => text.replace(/[\s,{}]+/g, " ").trim();
      for (const line of text.split("\n")) {
        assert.ok(bare(after).includes(bare(line)), `${client}: ${line}`);
      }
    }
  });
});

Deno.test("install writes an entry for OpenCode that either of its versions takes", async () => {
  await withHome(async (place, home) => {
    const folder = `${home}/.config/opencode`;
    await Deno.mkdir(folder, { recursive: true });
    const x = { type: "remote", url: "https://x.example" };
    for (const servers of [{ x }, { servers: { x } }]) {
      await Deno.writeTextFile(`${folder}/opencode.json`, JSON.stringify({ mcp: servers }));
      const plan = await planInstallation(place, { client: "opencode", program: PROGRAM });
      const { mcp } = JSON.parse(plan.after);
      // The switch has another name in each.
      assert.deepEqual((mcp.servers ?? mcp)["mcp-exec"], {
        type: "local",
        command: [PROGRAM.command, ...PROGRAM.args],
      });
    }
  });
});

Deno.test("serve --install says that the entry is there already, and no more", async () => {
  const line = ["serve", "--install", "cursor", "--yes"];
  const [, again] = await runInOnePlace([line, line]);
  assert.deepEqual(again, { code: 0, stdout: "Cursor has the entry already\n", stderr: "" });
});

Deno.test("install names the servers that the client loads, and none that is switched off", async () => {
  const files: readonly [client: string, path: string, text: string][] = [
    ["codex", ".codex/config.toml", `[mcp_servers.off]\nenabled = false\ncommand = "x"\n`],
    [
      "windsurf",
      ".codeium/windsurf/mcp_config.json",
      `{"mcpServers": {"off": {"disabled": true}}}`,
    ],
    [
      "goose",
      ".config/goose/config.yaml",
      "extensions:\n  developer:\n    type: builtin\n    enabled: true\n",
    ],
  ];
  await withHome(async (place, home) => {
    for (const [client, path, text] of files) {
      await Deno.mkdir(`${home}/${path.replace(/\/[^/]*$/, "")}`, { recursive: true });
      await Deno.writeTextFile(`${home}/${path}`, text);
      const plan = await planInstallation(place, { client, program: PROGRAM });
      assert.deepEqual(plan.direct, [], client);
    }
    // What only the client can start is loaded by it all the same.
    await Deno.mkdir(`${home}/.config/Code/User`, { recursive: true });
    const servers = { asks: { command: "x", args: ["${input:token}"] } };
    await Deno.writeTextFile(`${home}/.config/Code/User/mcp.json`, JSON.stringify({ servers }));
    const plan = await planInstallation(place, { client: "vscode", program: PROGRAM });
    assert.deepEqual(plan.direct, ["asks"]);
  });
});

Deno.test("install writes nothing over a broken file, or over one that changed meanwhile", async () => {
  await withHome(async (place, home) => {
    await Deno.mkdir(`${home}/.cursor`);
    const path = `${home}/.cursor/mcp.json`;
    for (const text of ["{", "[]", `{"mcpServers": []}`]) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(
        planInstallation(place, { client: "cursor", program: PROGRAM }),
        AppError,
        text,
      );
      assert.equal(await Deno.readTextFile(path), text);
    }
    await Deno.writeTextFile(path, "{}");
    const plan = await planInstallation(place, { client: "cursor", program: PROGRAM });
    await Deno.writeTextFile(path, `{"a": 1}`);
    const left =
      /^AppError: File ".*mcp\.json" of the client was changed meanwhile, and is left as/;
    await assert.rejects(install({ now: Date.now }, plan), left);
    assert.equal(await Deno.readTextFile(path), `{"a": 1}`);
    // Made since then: its client was started.
    await Deno.remove(path);
    const first = await planInstallation(place, { client: "cursor", program: PROGRAM });
    await Deno.writeTextFile(path, `{"b": 1}`);
    await assert.rejects(install({ now: Date.now }, first), left);
    assert.equal(await Deno.readTextFile(path), `{"b": 1}`);
    await assert.rejects(
      planInstallation(place, { client: "curser", program: PROGRAM }),
      (error: AppError) => /did you mean "cursor"/.test(error.hint ?? ""),
    );
  });
});

Deno.test("stableProgram names the link on the PATH and never where the program was unpacked", async () => {
  await withHome(async (place, home) => {
    const versioned = `${home}/Cellar/mcp-exec/1.2.3/bin/mcp-exec`;
    for (const folder of ["Cellar/mcp-exec/1.2.3/bin", "bin", "other"]) {
      await Deno.mkdir(`${home}/${folder}`, { recursive: true });
    }
    await Deno.writeTextFile(versioned, "");
    await Deno.symlink(versioned, `${home}/bin/mcp-exec`);
    await Deno.writeTextFile(`${home}/other/mcp-exec`, "");
    const env = (path: string) => ({
      get: (name: string) => name === "PATH" ? path : undefined,
      toObject: () => ({}),
    });
    const running = { executable: versioned, isStandalone: true, entry: "/main.js" };
    const given = (path: string, more = {}) =>
      stableProgram({ ...place, env: env(path) }, { ...running, ...more });
    assert.deepEqual(await given(`:${home}/other:${home}/bin`), {
      command: `${home}/bin/mcp-exec`,
      args: ["serve"],
    });
    assert.deepEqual(await given("/nowhere"), { command: versioned, args: ["serve"] });
    const bundled = { executable: "/bin/deno", isStandalone: false };
    assert.equal((await given(`${home}/bin`, bundled)).command, `${home}/bin/mcp-exec`);
    assert.equal((await given("", bundled)).args.at(-2), "/main.js");
    // One beside whatever the client is started for would be anybody's program.
    const relative = `${Deno.cwd().replaceAll(/[^/]+/g, "..").slice(1)}${home}/other`;
    assert.ok((await Deno.stat(`${relative}/mcp-exec`)).isFile);
    assert.equal((await given(relative, bundled)).args.at(-2), "/main.js");
    const source = await given(`${home}/bin`, { ...bundled, entry: "/src/main.ts" });
    assert.deepEqual([source.command, source.args.at(-2)], ["/bin/deno", "/src/main.ts"]);
    // A configuration in a folder above would put its own modules in place of the runtime's.
    assert.ok((await given("", bundled)).args.includes("--no-config"));
    assert.ok(!source.args.includes("--no-config"));
  });
});
