import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { MAX_WORKSPACE_FILE_BYTES, MAX_WORKSPACE_NAMES } from "../src/limits.ts";
import { openWorkspace, type Workspace } from "../src/workspace.ts";

interface Places {
  readonly folder: string;
  readonly outside: string;
  readonly workspace: Workspace;
}

function test(title: string, body: (places: Places) => Promise<void>, writable = true): void {
  Deno.test(title, async () => {
    const root = await Deno.realPath(await Deno.makeTempDir());
    try {
      const folder = `${root}/inside`;
      const outside = `${root}/outside`;
      await Deno.mkdir(`${folder}/sub`, { recursive: true });
      await Deno.mkdir(outside);
      await Deno.writeTextFile(`${outside}/secret.txt`, "secret-canary");
      await Deno.writeTextFile(`${folder}/a.txt`, "\ufefftext é");
      await Deno.writeTextFile(`${folder}/sub/b.txt`, "b");
      await body({ folder, outside, workspace: await openWorkspace({ folder, writable }) });
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  });
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name);
}

async function refusal(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then((value) => assert.fail(`gave ${value}`), (error) => error);
  assert.ok(error instanceof AppError, String(error));
  return error;
}

test("openWorkspace reads and lists what is in the folder", async ({ workspace }) => {
  assert.equal(await workspace.read("a.txt"), "text é");
  assert.equal(await workspace.read("sub/b.txt"), "b");
  assert.deepEqual(await workspace.list(""), ["a.txt", "sub/"]);
  assert.deepEqual(await workspace.list("sub"), ["b.txt"]);
});

test("openWorkspace says what is wrong with a path, and not where the folder is", async (places) => {
  const { workspace, folder } = places;
  for (const path of ["none.txt", "sub", "a.txt/b", "none/b.txt", ""]) {
    const error = await refusal(workspace.read(path));
    assert.equal(error.kind, "invalid", path);
    assert.ok(!JSON.stringify(error.toJSON()).includes(folder), error.message);
  }
  for (const path of ["none", "a.txt"]) {
    assert.equal((await refusal(workspace.list(path))).kind, "invalid", path);
  }
  await Deno.writeFile(`${folder}/latin.txt`, Uint8Array.of(0x61, 0xff));
  assert.match((await refusal(workspace.read("latin.txt"))).message, /UTF-8/);
  await assert.rejects(openWorkspace({ folder: `${folder}/none`, writable: false }), {
    kind: "invalid",
  });
  await assert.rejects(openWorkspace({ folder: `${folder}/a.txt`, writable: false }), {
    kind: "invalid",
  });
});

test("openWorkspace follows no link, for reading, listing or writing (V8)", async (places) => {
  const { workspace, folder, outside } = places;
  await Deno.symlink(`${outside}/secret.txt`, `${folder}/link.txt`);
  await Deno.symlink(outside, `${folder}/door`);
  await Deno.symlink("a.txt", `${folder}/near.txt`);
  await Deno.symlink(`${folder}/none`, `${folder}/dangling`);
  for (const path of ["link.txt", "door/secret.txt", "near.txt", "dangling"]) {
    assert.equal((await refusal(workspace.read(path))).kind, "denied", path);
    assert.equal((await refusal(workspace.write(path, "x"))).kind, "denied", path);
  }
  assert.equal((await refusal(workspace.list("door"))).kind, "denied");
  assert.deepEqual(await workspace.list(""), ["a.txt", "sub/"]);
  assert.equal(await Deno.readTextFile(`${outside}/secret.txt`), "secret-canary");
  assert.deepEqual(await namesIn(outside), ["secret.txt"]);
});

// Exchanges a folder for a link and back as fast as it can, until it is killed.
const EXCHANGER = `
  const [sub, away, outside] = Deno.args;
  const attempt = (run) => { try { run(); return true; } catch { return false; } };
  for (;;) {
    attempt(() => Deno.renameSync(sub, away));
    // A write may have made the folder again, and may be at work in it.
    attempt(() => Deno.symlinkSync(outside, sub));
    do attempt(() => Deno.removeSync(sub, { recursive: true }));
    while (!attempt(() => Deno.renameSync(away, sub)));
  }`;

test("openWorkspace reaches nothing outside while a folder is exchanged for a link (V8)", async (places) => {
  const { workspace, folder, outside } = places;
  await Deno.writeTextFile(`${folder}/sub/inside.txt`, "inside");
  await Deno.writeTextFile(`${folder}/sub/secret.txt`, "inside");
  await Deno.writeTextFile(`${outside}/other.txt`, "");
  const exchanger = new Deno.Command(Deno.execPath(), {
    args: ["eval", EXCHANGER, `${folder}/sub`, `${folder}/away`, outside],
  }).spawn();
  try {
    let refusals = 0;
    const tell = (error: unknown): undefined => {
      assert.ok(error instanceof AppError, String(error));
      refusals++;
    };
    for (let round = 0; round < 300 || refusals === 0; round++) {
      assert.ok([undefined, "inside"].includes(await workspace.read("sub/secret.txt").catch(tell)));
      const names = await workspace.list("sub").catch(tell) ?? [];
      assert.ok(!names.includes("other.txt"), String(names));
      await workspace.write("sub/new.txt", "mine").catch(tell);
    }
  } finally {
    exchanger.kill("SIGKILL");
    await exchanger.status;
  }
  // A write may leave its lock or temporary file there, never a file of the wanted name.
  const names = (await namesIn(outside)).filter((name) => !name.startsWith(".new.txt."));
  assert.deepEqual(names.sort(), ["other.txt", "secret.txt"]);
  assert.equal(await Deno.readTextFile(`${outside}/secret.txt`), "secret-canary");
});

test("openWorkspace takes no special file for a file", async ({ workspace, folder }) => {
  await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
  assert.equal((await refusal(workspace.read("pipe"))).kind, "denied");
  assert.equal((await refusal(workspace.write("pipe", "x"))).kind, "denied");
});

test("openWorkspace bounds files and folders (V6)", async ({ workspace, folder }) => {
  const file = await Deno.create(`${folder}/large.txt`);
  await file.truncate(MAX_WORKSPACE_FILE_BYTES + 1);
  file.close();
  assert.match((await refusal(workspace.read("large.txt"))).message, /too large/);
  await Deno.mkdir(`${folder}/many`);
  for (let index = 0; index <= MAX_WORKSPACE_NAMES; index++) {
    await Deno.writeTextFile(`${folder}/many/${index}`, "");
  }
  assert.equal((await refusal(workspace.list("many"))).kind, "limit");
  const whole = "x".repeat(MAX_WORKSPACE_FILE_BYTES);
  assert.equal((await refusal(workspace.write("w.txt", `${whole}x`))).limit?.name, "workspace");
  for (let index = 0; index < 8; index++) await workspace.write("w.txt", whole);
  assert.equal((await refusal(workspace.write("w.txt", "x"))).limit?.name, "workspace");
});

test("openWorkspace writes files whole and makes their folders", async ({ workspace, folder }) => {
  await workspace.write("new/deep/c.txt", "é");
  await workspace.write("a.txt", "changed");
  assert.equal(await Deno.readTextFile(`${folder}/new/deep/c.txt`), "é");
  assert.equal(await workspace.read("a.txt"), "changed");
  assert.deepEqual(await workspace.list("new/deep"), ["c.txt"]);
  for (const path of ["", "sub"]) assert.ok(await refusal(workspace.write(path, "x")));
});

test("openWorkspace writes nothing unless it is told to", async ({ workspace, folder }) => {
  const error = await refusal(workspace.write("a.txt", "x"));
  assert.deepEqual([error.kind, error.hint?.includes("--workspace-write")], ["denied", true]);
  assert.equal(await Deno.readTextFile(`${folder}/a.txt`), "\ufefftext é");
}, false);
