import assert from "node:assert/strict";
import { runCli } from "../src/cli.ts";
import type { Context } from "../src/context.ts";
import { serverTable } from "../src/server_views.ts";

const CANARY = "canary5f2e";

// Secrets in every place of an entry where one can stand; nothing listens on these ports.
const SERVERS = {
  web: {
    url: `http://me:${CANARY}@127.0.0.1:2/mcp?key=${CANARY}`,
    headers: { Authorization: CANARY, "x-api-key": CANARY },
  },
  process: {
    command: "false",
    args: ["--token", CANARY, `--api-key=${CANARY}`],
    env: { TOKEN: CANARY },
  },
  broken: { url: `ftp://me:${CANARY}@127.0.0.1/` },
};

async function withHome(
  work: (run: (args: readonly string[]) => Promise<string>, home: string) => Promise<void>,
): Promise<void> {
  const home = await Deno.realPath(await Deno.makeTempDir());
  try {
    await Deno.mkdir(`${home}/code`);
    await Deno.mkdir(`${home}/.cursor`);
    await Deno.mkdir(`${home}/config`);
    const renamed = Object.fromEntries(
      Object.entries(SERVERS).map(([name, entry]) => [`own-${name}`, entry]),
    );
    await Deno.writeTextFile(`${home}/config/config.json`, JSON.stringify({ mcpServers: renamed }));
    await Deno.writeTextFile(`${home}/.cursor/mcp.json`, JSON.stringify({ mcpServers: SERVERS }));
    const planted = Object.fromEntries(
      Object.entries(SERVERS).map(([name, entry]) => [`planted-${name}`, entry]),
    );
    await Deno.writeTextFile(`${home}/code/.mcp.json`, JSON.stringify({ mcpServers: planted }));
    await work(async (args) => {
      let shown = "";
      const context: Context = {
        args,
        env: {
          get: (name) => name === "PATH" ? Deno.env.get(name) : undefined,
          toObject: () => ({}),
        },
        cwd: `${home}/code`,
        platform: "linux",
        paths: { home, config: `${home}/config`, data: `${home}/data` },
        writeOut: (text) => (shown += text) !== "",
        writeError: (text) => void (shown += text),
        readInput: () => Promise.resolve(new Uint8Array()),
        isTerminal: { in: false, out: false, error: false },
        columns: 80,
        signal: new AbortController().signal,
        now: () => Date.now(),
      };
      await runCli(context);
      return shown;
    }, home);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("server and config show no secret of an entry in any format (X1, X2, X3, X4, X5)", async () => {
  await withHome(async (run, home) => {
    const names = [...Object.keys(SERVERS)].flatMap((
      name,
    ) => [name, `own-${name}`, `planted-${name}`]);
    const commands = [
      ["server", "list"],
      ["server", "import", "--dry-run", "--move"],
      ["server", "validate", "--all"],
      ["config", "show"],
      ["config", "get", "mcpServers"],
      ...names.flatMap((name) => [
        ["server", "info", name],
        ["server", "trust", name],
        ["server", "import", name, "--move"],
      ]),
    ];
    for (const command of commands) {
      for (const format of ["text", "json", "pretty"]) {
        const shown = await run([...command, "--format", format, "--verbose"]);
        assert.ok(shown.length > 0, command.join(" "));
        assert.ok(!shown.includes(CANARY), `${command.join(" ")}:\n${shown}`);
      }
    }
    for await (const { name } of Deno.readDir(`${home}/data`)) {
      const bytes = await Deno.readFile(`${home}/data/${name}`);
      assert.ok(!new TextDecoder("latin1").decode(bytes).includes(CANARY), name);
    }
  });
});

Deno.test("server import shows no secret and writes it to our own file alone (X1, X6)", async () => {
  await withHome(async (run, home) => {
    const shown = await run(["server", "import", "process", "--move", "--yes", "--verbose"]);
    assert.ok(!shown.includes(CANARY) && !shown.includes(home), shown);
    const own = await Deno.readTextFile(`${home}/config/config.json`);
    assert.ok(own.includes(CANARY) && own.includes('"process"'));
    assert.ok(!(await Deno.readTextFile(`${home}/.cursor/mcp.json`)).includes('"process"'));
  });
});

Deno.test("serverTable pads its columns and fits the width", () => {
  const lines = serverTable([
    { name: "a", state: "ready", transport: "stdio", origin: "mcp-exec", target: "cat" },
    { name: "longer", state: "unusable", origin: "Cursor", note: "n".repeat(100) },
  ], 60);
  assert.equal(lines[0], "a       stdio  ready     mcp-exec  cat");
  assert.equal(lines[1]!.length, 60);
  assert.match(lines[1]!, /^longer {2}- {6}unusable {2}Cursor {4}n+\.\.\.$/);
});
