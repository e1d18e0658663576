// deno-lint-ignore-file no-control-regex
// What a person sees on a real terminal. The recordings are in `golden/`, with [WILDLINE] and
// [WILDCARD] for what differs from one time to the next.

import assert from "node:assert/strict";
import { matchesPattern, serverCommand } from "./specs/run.ts";
import { HAS_TERMINAL, onTerminal, screenOf } from "./terminal.ts";

function recording(name: string): string {
  return Deno.readTextFileSync(new URL(`./golden/${name}.txt`, import.meta.url));
}

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !HAS_TERMINAL, fn });
}

function assertRecorded(screen: string, name: string): void {
  assert.ok(matchesPattern(screen, recording(name)), `${name} differs\n${screen}`);
}

Deno.test("screenOf shows what is left after lines were erased and written over", () => {
  assert.equal(screenOf("\r\x1b[K⠋ Connecting\r\x1b[K\x1b[1mdone\x1b[22m\r\n"), "done");
  assert.equal(screenOf("abc\rX\n"), "Xbc");
  assert.throws(() => screenOf("\x1b[2J"));
});

test("mcp-exec prints tools in colour and within the width of a terminal", async () => {
  await onTerminal(["introspect", "demo"], async (terminal) => {
    const { code, screen, raw } = await terminal.end();
    assert.equal(code, 0, raw);
    assert.match(raw, /\x1b\[1mdemo\x1b\[22m/);
    assertRecorded(screen, "terminal_introspect");
    const summaries = screen.split("\n").filter((line) => line.startsWith("  "));
    assert.ok(summaries.every((line) => line.length <= 60), screen);
  }, { columns: 60 });
});

test("mcp-exec writes no colour on a terminal with NO_COLOR or --no-color", async () => {
  for (const [flags, env] of [[["--no-color"], {}], [[], { NO_COLOR: "1" }]] as const) {
    await onTerminal(["server", "list", ...flags], async (terminal) => {
      const { code, raw } = await terminal.end();
      assert.equal(code, 0, raw);
      assert.ok(!raw.includes("\x1b"), JSON.stringify(raw));
    }, { env });
  }
});

test("mcp-exec says on a terminal what takes a while, and leaves nothing of it", async () => {
  const server = `slow=sh -c 'sleep 1; exec ${serverCommand("honest")}'`;
  await onTerminal(["introspect", "--stdio", server], async (terminal) => {
    await terminal.see('Connecting to "slow"');
    const { code, screen, raw } = await terminal.end();
    assert.equal(code, 0, raw);
    assert.match(raw, /\r\x1b\[K\x1b\[2m\S\x1b\[22m Connecting to "slow"/);
    assertRecorded(screen, "terminal_progress");
  });
});

test("mcp-exec says nothing of progress with CI or --quiet", async () => {
  for (const [flags, env] of [[["--quiet"], {}], [[], { CI: "1" }]] as const) {
    const server = `slow=sh -c 'sleep 1; exec ${serverCommand("honest")}'`;
    await onTerminal(["introspect", "--stdio", server, ...flags], async (terminal) => {
      const { code, raw } = await terminal.end();
      assert.equal(code, 0, raw);
      assert.ok(!raw.includes("Connecting") && !raw.includes("\x1b[K"), JSON.stringify(raw));
    }, { env });
  }
});

test("mcp-exec shows a run with its log, result and account on a terminal", async () => {
  const program =
    `console.log("\\u001b[31mred"); return { users: (await callTool("demo", "list_users")).length };`;
  await onTerminal(["execute", "-e", program, "--trace"], async (terminal) => {
    const { code, screen } = await terminal.end();
    assert.equal(code, 0, screen);
    assertRecorded(screen, "terminal_execute");
  });
});

test("mcp-exec asks before it trusts a project's server, and takes no for an answer (A14)", async () => {
  const prepare = async ({ folder }: { folder: string }) => {
    const entry = { command: "false", args: ["--port", "1"], env: { TOKEN: "canary" } };
    await Deno.writeTextFile(
      `${folder}/.mcp.json`,
      JSON.stringify({ mcpServers: { database: entry } }),
    );
  };
  for (const [answer, code] of [["n", 6], ["y", 0]] as const) {
    await onTerminal(["server", "trust", "database"], async (terminal) => {
      await terminal.see("[y/N] ");
      await terminal.type(`${answer}\n`);
      const end = await terminal.end();
      assert.equal(end.code, code, end.raw);
      assert.ok(!end.raw.includes("canary"));
      assertRecorded(end.screen, `terminal_trust_${answer}`);
    }, { prepare });
  }
});

test("config init asks about what is worth a thought, and writes what was said", async () => {
  await initOnTerminal([], "config/mcp-exec/config.json");
});

test("config init asks the same for a file that is named", async () => {
  await initOnTerminal(["--config", "own.json"], "work/own.json");
});

async function initOnTerminal(args: readonly string[], file: string): Promise<void> {
  let home = "";
  await onTerminal(["config", "init", ...args], async (terminal) => {
    for (const answer of ["y", "y", "n", "y"]) {
      await terminal.see("[y/N] ");
      await terminal.type(`${answer}\n`);
    }
    const { code, screen } = await terminal.end();
    assert.equal(code, 0, screen);
    assertRecorded(screen, "terminal_config_init");
    const text = await Deno.readTextFile(`${home}/${file}`);
    assert.match(text, /^ {4}"default": "deny",$/m);
    assert.match(text, /^ {4}\/\/ "payloads": false,$/m);
    assert.match(text, /"docs": \{/);
  }, {
    async prepare({ folder, env }) {
      home = folder.replace(/\/work$/, "");
      await Deno.mkdir(`${env["HOME"]}/.cursor`, { recursive: true });
      const entry = { url: "https://docs.example/mcp" };
      await Deno.writeTextFile(
        `${env["HOME"]}/.cursor/mcp.json`,
        JSON.stringify({ mcpServers: { docs: entry } }),
      );
    },
  });
}

test("server import --move shows the changes and asks before it makes them", async () => {
  let file = "";
  await onTerminal(["server", "import", "docs", "--move"], async (terminal) => {
    await terminal.see("[y/N] ");
    await terminal.type("y\n");
    const { code, screen } = await terminal.end();
    assert.equal(code, 0, screen);
    assertRecorded(screen, "terminal_import");
    assert.ok(!(await Deno.readTextFile(file)).includes("docs.example"));
  }, {
    async prepare({ env }) {
      file = `${env["HOME"]}/.cursor/mcp.json`;
      await Deno.mkdir(`${env["HOME"]}/.cursor`, { recursive: true });
      const docs = { url: "https://docs.example/mcp" };
      await Deno.writeTextFile(file, JSON.stringify({ mcpServers: { docs } }, null, 2));
    },
  });
});

test("mcp-exec ends with 130 on Ctrl-C, leaves no child and no half line (A8)", async () => {
  const program = "await callTool('s', 'wait', { ms: 60000 })";
  const args = ["execute", "-e", program, "--stdio", `s=${serverCommand("honest")}`];
  await onTerminal(args, async (terminal) => {
    await terminal.see("Running code.ts");
    await terminal.type("\x03");
    const { code, screen, left } = await terminal.end();
    assert.equal(code, 130, screen);
    assert.deepEqual(left, []);
    assertRecorded(screen, "terminal_interrupt");
  });
});

test("mcp-exec ends with 130 on Ctrl-C at a question, and does what was asked about not (A8)", async () => {
  let config = "";
  await onTerminal(["config", "init"], async (terminal) => {
    await terminal.see("[y/N] ");
    await terminal.type("\x03");
    const { code, screen } = await terminal.end();
    assert.equal(code, 130, screen);
    await assert.rejects(Deno.lstat(config));
  }, {
    prepare: ({ env }) => {
      config = `${env["XDG_CONFIG_HOME"]}/mcp-exec/config.json`;
      return Promise.resolve();
    },
  });
});
