#!/usr/bin/env node
"use strict";
// Starts mcp-exec on the Deno that npm installed for this system, and stays out of the way: the same
// streams, the same signals, the same exit code. Plain Node, so that nothing has to be built.

const { spawn } = require("node:child_process");
const { accessSync, chmodSync, constants } = require("node:fs");
const { dirname, join } = require("node:path");

// npm installs the one of these packages that is for this system.
function findDeno() {
  const { platform, arch } = process;
  const name = `@deno/${platform}-${arch}${platform === "linux" ? "-glibc" : ""}`;
  const folder = dirname(require.resolve(`${name}/package.json`));
  return join(folder, platform === "win32" ? "deno.exe" : "deno");
}

function makeExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    try {
      chmodSync(file, 0o755);
    } catch {
      // Whoever starts it is told why it cannot be started.
    }
  }
}

function fail(message, hint) {
  process.stderr.write(`error: ${message}\n  hint: ${hint}\n`);
  process.exit(1);
}

let deno;
try {
  deno = findDeno();
} catch {
  fail(
    `npm has installed no Deno for this system (${process.platform}-${process.arch})`,
    "it is an optional dependency: install again without --omit=optional; on Linux glibc is needed",
  );
}

makeExecutable(deno);
const child = spawn(
  deno,
  ["run", "@FLAGS@", join(__dirname, "../dist/main.js"), ...process.argv.slice(2)],
  { stdio: "inherit", env: { ...process.env, DENO_NO_UPDATE_CHECK: "1" } },
);
child.on("error", (error) => fail(`Deno cannot be started: ${error.message}`, `look at ${deno}`));

// On a terminal the program gets Ctrl-C itself, too; a second one of the same means nothing more. On
// Windows it is the only one who gets it, and to pass a signal on would be to kill.
const signals = process.platform === "win32"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];
for (const signal of signals) {
  process.on(signal, () => {
    if (process.platform !== "win32") child.kill(signal);
  });
}
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
