import assert from "node:assert/strict";
import { checkLayers, readTree } from "../scripts/layers.ts";

/** The faults of a tree in which every named module holds the given text. */
function faults(tree: Readonly<Record<string, string>>): string[] {
  return checkLayers(
    new Map(
      Object.entries(tree).map(([name, text]) => [
        name === "main" ? "main.ts" : `src/${name}.ts`,
        text,
      ]),
    ),
  );
}

const ROOT = new URL("../", import.meta.url);

Deno.test("checkLayers finds no fault in the program", async () => {
  const files = await readTree(ROOT);
  assert.ok(files.has("main.ts") && files.has("src/cli.ts"));
  assert.ok([...files.keys()].some((path) => path.startsWith("src/commands/")));
  assert.deepEqual(checkLayers(files), []);
});

Deno.test("checkLayers lets a module import from its own row and lower ones", () => {
  assert.deepEqual(
    faults({
      main: `const { main } = await import("./src/cli.ts"); main();`,
      cli: `export const main = () => import("./commands/call.ts");`,
      "commands/call": `import { x } from "../flags.ts"; export * from "../errors.ts"; x();`,
      flags: `export { x } from "./render.ts";`,
      render: `export const x = () => 1;`,
      errors: "",
    }),
    [],
  );
});

Deno.test("checkLayers finds an import from a higher row in each of its forms", () => {
  const forms = [
    `import { x } from "./bridge.ts"; x();`,
    `import type { X } from "./bridge.ts";`,
    `import { type X } from "./bridge.ts";`,
    `import "./bridge.ts";`,
    `export { x } from "./bridge.ts";`,
    `export * from "./bridge.ts";`,
    `export type * from "./bridge.ts";`,
    `const { x } = await import("./bridge.ts");`,
    `let x: import("./bridge.ts").X;`,
    `let x: typeof import("./bridge.ts");`,
    `function f() { if (1) { return () => import("./bridge.ts"); } }`,
  ];
  for (const form of forms) {
    assert.deepEqual(faults({ text: form, bridge: "" }), [
      "text (row 0) imports bridge (row 2)",
    ], form);
  }
});

Deno.test("checkLayers finds modules that stand in no row or do not exist", () => {
  assert.deepEqual(faults({ utils: "" }), [
    "utils stands in no row: add it to scripts/layers.ts",
  ]);
  assert.deepEqual(faults({ text: `import "./hash.ts";` }), [
    "text imports hash, which does not exist",
  ]);
});

Deno.test("checkLayers finds circles, of types too", () => {
  const circle = faults({
    text: `import { a } from "./hash.ts";`,
    hash: `import type { B } from "./names.ts";`,
    names: `export * from "./text.ts";`,
    errors: `import "./text.ts";`,
  });
  assert.deepEqual(circle.sort(), [
    "hash imports itself through others",
    "names imports itself through others",
    "text imports itself through others",
  ]);
});

Deno.test("checkLayers keeps commands apart from each other and from the command line", () => {
  const tree = { cli: "", "commands/call": "", "commands/demo": "", main: "" };
  assert.deepEqual(faults({ ...tree, "commands/call": `import "./demo.ts";` }), [
    "commands/call imports the command commands/demo",
  ]);
  assert.deepEqual(faults({ ...tree, "commands/call": `import "../cli.ts";` }), [
    "commands/call imports cli",
  ]);
  assert.deepEqual(faults({ ...tree, main: `import "./src/commands/call.ts";` }), [
    "main imports the command commands/call",
  ]);
});

/** What only one kind of module may do: the module that may, and code that does. */
const FACTS: readonly (readonly [says: string, owner: string, code: readonly string[]])[] = [
  ["writes files", "disk", [
    `await Deno.writeTextFile("a", "b");`,
    `Deno.writeFileSync("a", b);`,
    `const write = Deno.writeTextFile;`,
    `await globalThis.Deno.remove("a");`,
    `using file = await Deno.open("a");`,
    `await Deno.openKv();`,
    `localStorage.setItem("a", "b");`,
    `import fs from "node:fs";`,
    `import { writeFile } from "node:fs/promises";`,
    `await import("node:fs");`,
    `import { DatabaseSync } from "node:sqlite";`,
  ]],
  ["spawns or kills processes", "process", [
    `new Deno.Command("a").spawn();`,
    `const { pid } = x; Deno.kill(pid);`,
    `Deno.dlopen("a.so", {});`,
    `import { spawn } from "node:child_process";`,
  ]],
  ["reaches the network", "transport", [
    `await fetch("https://example.com");`,
    `const request = fetch;`,
    `const options = { fetch };`,
    `const options = { fetch: globalThis.fetch };`,
    `await self.fetch("x");`,
    `new WebSocket("wss://example.com");`,
    `class Socket extends WebSocket {}`,
    `await Deno.connect({ port: 1 });`,
    `await Deno.connectTls({ port: 1 });`,
    `import { Client } from "@modelcontextprotocol/client";`,
    `import { request } from "node:https";`,
    `import net from "node:net";`,
  ]],
  ["talks over a local socket", "daemon", [
    `await Deno.connect({ transport: "unix", path: "a" });`,
    `Deno.listen({ path: "a", transport: "unix" });`,
  ]],
  ["makes workers", "sandbox", [
    `new Worker(new URL("x", import.meta.url), { type: "module" });`,
    `const Thread = Worker;`,
    `import { Worker as Thread } from "node:worker_threads";`,
  ]],
  ["touches the process", "main", [
    `const home = Deno.env.get("HOME");`,
    `Deno.exit(1);`,
    `Deno.exitCode = 1;`,
    `const first = Deno.args[0];`,
    `console.log("a");`,
    `const { log } = console;`,
    `process.exit(1);`,
    `const path = globalThis.process.env.PATH;`,
    `import process from "node:process";`,
  ]],
  ["unwraps secrets", "text", [
    `secret.reveal();`,
    `secret?.reveal();`,
    `secret["reveal"]();`,
    `const { reveal } = secret;`,
    `const { reveal: show } = secret;`,
  ]],
  ["evaluates text or imports what it computes", "loader", [
    `eval("1");`,
    `new Function("return 1")();`,
    `await import(name);`,
    "await import(`node:${name}`);",
    `import { createRequire } from "node:module";`,
  ]],
  ["hands on a namespace", "disk", [
    `const { Command } = Deno;`,
    `Deno["Command"];`,
    `run(Deno);`,
    `const operations = options.operations ?? Deno;`,
    `const options = { Deno };`,
  ]],
];

for (const [says, owner, code] of FACTS) {
  Deno.test(`checkLayers finds a module that ${says} without being allowed to`, () => {
    for (const text of code) {
      const found = faults({ render: text });
      assert.ok(
        found.some((fault) => fault.startsWith(`render ${says}: `)),
        `${text}: ${found}`,
      );
      const own = faults({ [owner]: text });
      assert.ok(!own.some((fault) => fault.includes(says)), `${text}: ${own}`);
    }
  });
}

/** What Deno has that neither changes anything nor reaches anything but files that are read. */
const HARMLESS = [
  ...["FsFile", "SeekMode", "build", "errors", "version", "noColor", "pid", "ppid", "mainModule"],
  ...["cwd", "execPath", "hostname", "osRelease", "osUptime", "loadavg", "uid", "gid"],
  ...["cpuUsage", "memoryUsage", "systemMemoryInfo", "networkInterfaces", "consoleSize", "isatty"],
  ...["lstat", "stat", "readDir", "readFile", "readLink", "readTextFile", "realPath", "watchFs"],
  ...["stdin", "stdout", "stderr", "addSignalListener", "removeSignalListener"],
  ...["refTimer", "unrefTimer", "inspect", "test", "bench", "lint", "jupyter", "telemetry"],
  "internal",
];

Deno.test("checkLayers knows everything of Deno that is not harmless", () => {
  const names = Object.getOwnPropertyNames(Deno);
  assert.ok(names.includes("writeFile") && names.includes("Command"));
  const unknown = names.filter((name) =>
    !HARMLESS.includes(name.replace(/Sync$/, "")) &&
    faults({ render: `Deno.${name};` }).length === 0
  );
  assert.deepEqual(unknown, []);
  for (const name of HARMLESS) assert.deepEqual(faults({ render: `Deno.${name};` }), [], name);
});

Deno.test("checkLayers finds a module that listens", () => {
  for (const code of [`Deno.serve(() => {});`, `Deno.listen({ port: 1 });`, `Deno.listenTls(x);`]) {
    for (const module of ["transport", "main", "sandbox"]) {
      assert.match(faults({ [module]: code }).join(), new RegExp(`^${module} listens: Deno\\.`));
    }
  }
});

Deno.test("checkLayers lets the daemon and its client use nothing but local sockets", () => {
  for (
    const options of [
      `{ port: 1 }`,
      `options`,
      `{ transport: "tcp", port: 1 }`,
      `{ transport, path: "a" }`,
      `{ transport: "unix", ...options }`,
    ]
  ) {
    assert.deepEqual(faults({ daemon_client: `await Deno.connect(${options});` }), [
      "daemon_client reaches the network: Deno.connect",
    ]);
    assert.deepEqual(faults({ daemon: `Deno.listen(${options});` }), [
      "daemon listens: Deno.listen",
    ]);
  }
});

Deno.test("checkLayers finds a module that hands on the global object", () => {
  for (const code of [`run(globalThis);`, `globalThis["fetch"];`, `const { fetch } = self;`]) {
    assert.deepEqual(faults({ render: code }), ["render hands on a namespace: globalThis"], code);
  }
});

Deno.test("checkLayers takes names of members, types and texts for what they are", () => {
  const code = `
    // fetch("x"); console.log(Deno.env)
    import type { Client } from "@modelcontextprotocol/client";
    export interface Options { fetch: typeof fetch; Worker?: Worker; console: string }
    type Operations = Pick<typeof Deno, "open">;
    let file: Deno.FsFile | undefined;
    const text = "Deno.exit(1); fetch('x')";
    const made = { fetch: 1, Worker() {}, console: 2, eval: 3 };
    class Page { fetch() {} Worker = 1; }
    options.fetch("x"); page.console; this.process.exit(1);
    const { fetch: request } = options;
    const bytes = await Deno.readFile("a");
    globalThis.addEventListener("error", () => {});
  `;
  assert.deepEqual(faults({ render: code }), []);
});

Deno.test("checkLayers finds any chain from the sandbox to what it must not reach", () => {
  assert.deepEqual(
    faults({
      sandbox: `import "./codegen.ts";`,
      codegen: `import type { X } from "./vfs.ts";`,
      vfs: `import "./disk.ts";`,
      disk: "",
    }),
    ["sandbox reaches disk"],
  );
  for (const from of ["guest", "sandbox"]) {
    for (
      const to of ["transport", "http", "stdio", "disk", "lock", "database", "process", "bridge"]
    ) {
      const found = faults({ [from]: `import type { X } from "./${to}.ts";`, [to]: "" });
      assert.deepEqual(found, [`${from} reaches ${to}`]);
    }
  }
  for (const from of ["engine", "prelude", "source"]) {
    const found = faults({ [from]: `import "./disk.ts";`, disk: "" });
    assert.deepEqual(found, [`${from} reaches disk`]);
  }
});
