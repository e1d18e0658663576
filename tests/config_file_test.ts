import { Ajv2020 } from "ajv/dist/2020.js";
import assert from "node:assert/strict";
import { runCli } from "../src/cli.ts";
import { parseConfig } from "../src/config.ts";
import {
  type ConfigFile,
  editConfig,
  findSetting,
  parseSetting,
  readConfigFile,
  SETTINGS,
} from "../src/config_file.ts";
import type { Context } from "../src/context.ts";
import { AppError } from "../src/errors.ts";
import { setInJson } from "../src/jsonc.ts";

async function withFile(
  text: string | undefined,
  work: (file: ConfigFile, read: () => Promise<string>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/made/config.json`;
  try {
    if (text !== undefined) {
      await Deno.mkdir(`${folder}/made`);
      await Deno.writeTextFile(path, text);
    }
    await work({ path, shownPath: "config.json" }, () => Deno.readTextFile(path));
    for await (const { name } of Deno.readDir(`${folder}/made`)) assert.equal(name, "config.json");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const COMMENTED = `{
    // how long
    "limits": {
        "timeout": "5s", // for tests
        /* the rest is default */
    },
    "mcpServers": { "a": { "command": "cat" } },
}
`;

Deno.test("editConfig keeps comments, indentation and everything else", async () => {
  await withFile(COMMENTED, async (file, read) => {
    const set = (path: string[], value: unknown) =>
      editConfig(file, (text) => setInJson(text, path, value));
    assert.equal(await set(["limits", "timeout"], "9s"), true);
    assert.equal(await read(), COMMENTED.replace("5s", "9s"));
    assert.equal(await set(["limits", "timeout"], "9s"), false);
    await set(["limits", "fuel"], 7);
    await set(["journal", "payloads"], true);
    const text = await read();
    for (const comment of ["// how long", "// for tests", "/* the rest is default */"]) {
      assert.ok(text.includes(comment), text);
    }
    const { document } = await readConfigFile(file);
    assert.deepEqual(document, {
      limits: { timeout: "9s", fuel: 7 },
      mcpServers: { a: { command: "cat" } },
      journal: { payloads: true },
    });
    await set(["limits", "timeout"], undefined);
    assert.deepEqual((await readConfigFile(file)).document["limits"], { fuel: 7 });
  });
});

Deno.test("editConfig makes the file and its folder, for this user only", async () => {
  await withFile(undefined, async (file, read) => {
    await editConfig(file, (text) => setInJson(text, ["limits", "calls"], 5));
    assert.equal(await read(), '{\n  "limits": {\n    "calls": 5\n  }\n}\n');
    if (Deno.build.os !== "windows") {
      assert.equal((await Deno.stat(file.path)).mode! & 0o777, 0o600);
    }
  });
});

Deno.test("editConfig lands both of two changes at once (A20)", async () => {
  await withFile("{}", async (file) => {
    const keys = Array.from({ length: 8 }, (_, index) => `s${index}`);
    await Promise.all(
      keys.map((key) =>
        editConfig(file, (text) => setInJson(text, ["mcpServers", key], { command: key }))
      ),
    );
    const { document } = await readConfigFile(file);
    assert.deepEqual(Object.keys(document["mcpServers"] as object).sort(), keys);
  });
});

Deno.test("editConfig leaves the old file where the disk takes nothing (A19)", async () => {
  await withFile(COMMENTED, async (file, read) => {
    for (const operation of ["open", "rename"] as const) {
      const operations = {
        ...Deno,
        [operation]: (path: string, ...rest: unknown[]) =>
          operation === "open" && !/\.tmp$/.test(path)
            ? Deno.open(path, ...rest as [Deno.OpenOptions])
            : Promise.reject(
              new Deno.errors.PermissionDenied("Read-only file system (os error 30)"),
            ),
      };
      const attempt = editConfig(file, (text) => setInJson(text, ["limits", "fuel"], 7), {
        operations,
      });
      await assert.rejects(attempt, (error) => {
        assert.ok(error instanceof AppError);
        return error.exitCode === 1;
      });
      assert.equal(await read(), COMMENTED);
    }
  });
});

Deno.test("editConfig refuses what would not be used, and a file that is broken (A10)", async () => {
  await withFile(COMMENTED, async (file, read) => {
    for (const value of ["soon", "-1", "0", "1e999", "48h"]) {
      const attempt = editConfig(file, (text) => setInJson(text, ["limits", "timeout"], value));
      await assert.rejects(attempt, {
        kind: "invalid",
        message: /^Not changed: .*limits\.timeout/,
      });
    }
    await assert.rejects(editConfig(file, (text) => setInJson(text, ["limit"], 1)), {
      message: /unknown key "limit"/,
    });
    assert.equal(await read(), COMMENTED);
  });
  await withFile('{ "limits": 5 }', async (file) => {
    await assert.rejects(editConfig(file, (text) => setInJson(text, ["limits", "fuel"], 1)), {
      message: `Value of "limits" is not an object`,
    });
  });
  await withFile("{ broken", async (file, read) => {
    await assert.rejects(editConfig(file, (text) => setInJson(text, ["limits", "fuel"], 1)), {
      kind: "invalid",
    });
    assert.equal(await read(), "{ broken");
  });
});

Deno.test("editConfig never writes through a link", async () => {
  await withFile("{}", async (file, read) => {
    const target = `${file.path}.target`;
    await Deno.rename(file.path, target);
    await Deno.symlink(target, file.path);
    const attempt = editConfig(file, (text) => setInJson(text, ["limits", "fuel"], 1));
    await assert.rejects(attempt, { kind: "denied" });
    assert.equal(await read(), "{}");
    await Deno.remove(target);
  });
});

Deno.test("SETTINGS are all known to the reader of the file, with defaults it takes", async () => {
  for (const { key, fallback } of SETTINGS) {
    const text = await setInJson("{}", key.split("."), fallback);
    const { warnings } = await parseConfig(text, { origin: "user", shownPath: "x" });
    assert.deepEqual(warnings, [], key);
  }
});

Deno.test("SETTINGS have examples that the reader of the file takes", async () => {
  for (const { key, example } of SETTINGS) {
    if (example === undefined) continue;
    const text = await setInJson("{}", key.split("."), example);
    const { warnings } = await parseConfig(text, { origin: "user", shownPath: "x" });
    assert.deepEqual(warnings, [], key);
  }
});

Deno.test("findSetting names the nearest setting for one it does not know", () => {
  assert.equal(findSetting("limits.fuel").kind, "count");
  assert.throws(() => findSetting("limits.timout"), { hint: /^did you mean "limits.timeout"/ });
  assert.throws(() => findSetting("mcpServers.a.env"), { hint: /server add/ });
  assert.throws(() => findSetting("__proto__"), { kind: "usage" });
});

Deno.test("parseSetting takes the kind of value a setting has", () => {
  assert.equal(parseSetting(findSetting("journal.payloads"), "true"), true);
  assert.equal(parseSetting(findSetting("limits.fuel"), "1e9"), 1e9);
  assert.equal(parseSetting(findSetting("limits.timeout"), "2m"), "2m");
  assert.equal(parseSetting(findSetting("policy.default"), "deny"), "deny");
  const tools = findSetting("cache.tools");
  assert.deepEqual(parseSetting(tools, "a/*, b/c"), ["a/*", "b/c"]);
  assert.deepEqual(parseSetting(tools, '["a/b"]'), ["a/b"]);
  assert.deepEqual(parseSetting(findSetting("limits.rate"), '{"perSecond": 5}'), { perSecond: 5 });
  assert.throws(() => parseSetting(findSetting("limits.rate"), "5 a second"), {
    message: /must be JSON/,
    hint: /^such as \[/,
  });
  assert.throws(() => parseSetting(findSetting("policy.rules"), "[".repeat(5_000)), {
    kind: "usage",
  });
  assert.throws(() => parseSetting(findSetting("output.format"), "xml"), { hint: /auto, json/ });
  for (
    const [key, text] of [["journal.payloads", "yes"], ["limits.calls", "-1"], [
      "limits.calls",
      "1.5",
    ]]
  ) {
    assert.throws(() => parseSetting(findSetting(key!), text!), { kind: "usage" });
  }
});

Deno.test("config init leaves a file alone that was made while somebody was asked", async () => {
  await withFile(undefined, async (file, read) => {
    const { code, shown } = await runHere(["config", "init", "--config", file.path], {
      async confirm(question) {
        if (/^Write/.test(question)) await editConfig(file, () => COMMENTED);
        return /^Write/.test(question);
      },
    });
    assert.equal(code, 2, shown);
    assert.match(shown, /^error: Config "[^"]*" is there already$/m);
    assert.equal(await read(), COMMENTED);
  });
});

Deno.test("config set puts every setting in place of its default in a file of config init, unset the default", async () => {
  await withFile(undefined, async (file, read) => {
    const run = async (...args: string[]) => {
      const { code, shown } = await runHere([...args, "--config", file.path], {
        confirm: (question) => Promise.resolve(/^Write/.test(question)),
      });
      assert.equal(code, 0, shown);
    };
    await run("config", "init");
    const before = await read();
    for (const { key, fallback, example, values } of SETTINGS) {
      const value = values?.at(-1) ?? example ?? fallback;
      await run("config", "set", key, typeof value === "string" ? value : JSON.stringify(value));
    }
    const after = await read();
    assert.equal(after.split("\n").length, before.split("\n").length);
    assert.doesNotMatch(after, /^ +\/\/ "(?!name")/m);
    assert.deepEqual((await parseConfig(after, { origin: "user", shownPath: "x" })).warnings, []);
    for (const { key } of SETTINGS) await run("config", "unset", key);
    assert.equal(await read(), before);
  });
});

/** Runs a command line in a place where nothing is. */
async function runHere(args: readonly string[], more: Pick<Context, "confirm">) {
  let shown = "";
  const code = await runCli({
    args,
    env: { get: () => undefined, toObject: () => ({}) },
    cwd: "/nonexistent",
    platform: "linux",
    paths: { home: undefined, config: "/nonexistent/config", data: "/nonexistent/data" },
    writeOut: (text) => (shown += text) !== "",
    writeError: (text) => void (shown += text),
    readInput: () => Promise.resolve(new Uint8Array()),
    isTerminal: { in: true, out: false, error: false },
    columns: 80,
    signal: new AbortController().signal,
    now: () => 0,
    ...more,
  });
  return { code, shown };
}

const SCHEMA = JSON.parse(
  await Deno.readTextFile(new URL("../.github/config.schema.json", import.meta.url)),
);

/** The members of a group, which may be switched off as a whole. */
function propertiesOf(group: string): Record<string, { default?: unknown }> {
  const schema = SCHEMA.properties[group];
  return (schema.oneOf?.at(-1) ?? schema).properties;
}

Deno.test("the schema of the file for editors knows every setting with its default", () => {
  const keys: string[] = [];
  for (const { key, fallback } of SETTINGS) {
    const [group, name] = key.split(".") as [string, string];
    assert.deepEqual(propertiesOf(group)[name]?.default, fallback, key);
    keys.push(key);
  }
  for (const group of new Set(keys.map((key) => key.split(".")[0]!))) {
    const names = Object.keys(propertiesOf(group));
    assert.deepEqual(names.filter((name) => !keys.includes(`${group}.${name}`)), []);
  }
});

Deno.test("the schema of the file for editors agrees with the reader", async () => {
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(SCHEMA);
  const cases: readonly (readonly [value: object, fits: boolean])[] = [
    [{}, true],
    [{ mcpServers: { a: { command: "x", args: ["y"], env: { A: "b" }, timeout: "5s" } } }, true],
    [{ mcpServers: { a: { url: "https://a.example", headers: { A: "b" } } } }, true],
    [{ limits: { timeout: "2m", memory: "512MiB", fuel: 1, calls: 1 } }, true],
    [{ journal: { payloads: true, required: true } }, true],
    [{ limits: { rate: false } }, true],
    [{ limits: { rate: { perSecond: 5, burst: 1 } } }, true],
    [{ limits: { rate: [{ tool: "a/*", perSecond: false }, { perSecond: 0.5 }] } }, true],
    [{ cache: false }, true],
    [{ cache: { tools: ["a/b", { tool: "*/get_*", ttl: "5m" }], entries: 5, size: "1MiB" } }, true],
    [{ policy: { default: "deny", locked: true, rules: [] } }, true],
    [{ policy: { rules: [{ server: "a", decide: "deny" }] } }, true],
    [{ policy: { rules: [{ tool: "a/b*", arguments: { n: [1, "x*"] }, decide: "allow" }] } }, true],
    [{ policy: { rules: [{ annotations: { readOnlyHint: true }, decide: "allow" }] } }, true],
    [{ validate: { ignore: ["tool-name", "a/tool-name", "a/tool-name:b/c:d"] } }, true],
    [{ validate: { ignore: "tool-name" } }, false],
    [{ validate: { ignore: [1] } }, false],
    [{ validate: { ignored: [] } }, false],
    [{ limits: { rate: { perSecond: 0 } } }, false],
    [{ limits: { rate: { perSecond: 5, brust: 1 } } }, false],
    [{ limits: { rate: [{ tool: "a", perSecond: 5 }] } }, false],
    [{ cache: true }, false],
    [{ cache: { tools: ["a"] } }, false],
    [{ cache: { entries: 0 } }, false],
    [{ policy: { defualt: "deny" } }, false],
    [{ policy: { rules: [{ server: "a", tool: "a/b", decide: "deny" }] } }, false],
    [{ policy: { rules: [{ tool: "a/b" }] } }, false],
    [{ policy: { rules: [{ annotations: { safe: true }, decide: "deny" }] } }, false],
    [{ policy: { rules: [{ arguments: { n: [] }, decide: "deny" }] } }, false],
    [{ limit: {} }, false],
    [{ limits: { time: "1s" } }, false],
    [{ limits: { timeout: "soon" } }, false],
    [{ limits: { fuel: 0 } }, false],
    [{ journal: { payloads: "yes" } }, false],
    [{ journal: { required: 1 } }, false],
    [{ mcpServers: { a: {} } }, false],
    [{ mcpServers: { a: { command: "x", args: "y" } } }, false],
    [{ mcpServers: { "a b": { command: "x" } } }, false],
  ];
  for (const [value, fits] of cases) {
    const text = JSON.stringify(value);
    const { warnings } = await parseConfig(text, { origin: "user", shownPath: "x" });
    assert.equal(validate(value), fits, text);
    assert.equal(warnings.length === 0, fits, text);
  }
});
