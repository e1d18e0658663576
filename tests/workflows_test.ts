// The workflows and documents of the repository, as far as they can be wrong without being run.

import assert from "node:assert/strict";
import { TARGETS } from "../scripts/release.ts";
import { parsePlainYaml } from "../src/plain_yaml.ts";

const ROOT = new URL("../", import.meta.url);
/** The version of Deno that everything here is tried with. */
const DENO = "2.9.6";
const WORKFLOWS = ["dependencies.yml", "release.yml", "test.yml"];

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly "runs-on"?: string;
  readonly "timeout-minutes"?: number;
  readonly uses?: string;
  readonly needs?: string | readonly string[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly defaults?: { readonly run: { readonly shell: string } };
  readonly strategy?: { readonly matrix: { readonly include?: readonly { target: string }[] } };
  readonly steps?: readonly Step[];
}

interface Workflow {
  readonly name: string;
  readonly on: unknown;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

async function readWorkflow(name: string): Promise<Workflow> {
  const text = await Deno.readTextFile(new URL(`.github/workflows/${name}`, ROOT));
  return parsePlainYaml(text, name) as Workflow;
}

async function readTasks(): Promise<string[]> {
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  return Object.keys(config.tasks);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(new URL(path, ROOT)).then(() => true, () => false);
}

/** How many tasks and files of ours are named; fails for one that is not there. */
async function checkNames(text: string, where: string): Promise<number> {
  const tasks = await readTasks();
  let count = 0;
  for (const [, task] of text.matchAll(/\bdeno(?:@[\d.]+)? task ([\w-]+)/g)) {
    assert.ok(tasks.includes(task!), `${where}: there is no task "${task}"`);
    count++;
  }
  const paths = text.matchAll(
    /(?<![\w/.-])((?:src|scripts|tests|bench|templates|\.github)\/[\w./-]+[\w/])/g,
  );
  for (const [, path] of paths) {
    assert.ok(await exists(path!), `${where}: there is no "${path}"`);
    count++;
  }
  return count;
}

Deno.test("workflows are these, whole, and bounded in time", async () => {
  const names = (await Array.fromAsync(Deno.readDir(new URL(".github/workflows/", ROOT))))
    .map(({ name }) => name);
  assert.deepEqual(names.sort(), WORKFLOWS);
  for (const name of WORKFLOWS) {
    const { name: title, on, jobs } = await readWorkflow(name);
    assert.equal(`${title}.yml`, name);
    assert.ok(typeof on === "object" && on !== null);
    for (const [id, job] of Object.entries(jobs)) {
      const where = `${name}, ${id}`;
      for (const need of [job.needs ?? []].flat()) assert.ok(Object.hasOwn(jobs, need), where);
      if (job.uses !== undefined) {
        assert.ok(await exists(job.uses), where);
        continue;
      }
      assert.equal(typeof job["runs-on"], "string", where);
      assert.ok(job["timeout-minutes"]! <= 30, where);
      for (const step of job.steps!) {
        assert.equal(Number("uses" in step) + Number("run" in step), 1, where);
      }
    }
  }
});

Deno.test("workflows run tasks and files that exist, and pin what they use", async () => {
  for (const name of WORKFLOWS) {
    const { jobs } = await readWorkflow(name);
    const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);
    assert.ok(steps.length > 0);
    for (const { run, uses, with: inputs } of steps) {
      if (run !== undefined) await checkNames(run, name);
      if (uses !== undefined) {
        assert.match(uses, /^(?:actions|denoland)\/[\w-]+@(?:v\d+|[0-9a-f]{40})$/);
      }
      if (uses?.startsWith("denoland/")) assert.equal(inputs?.["deno-version"], DENO, name);
    }
  }
  const ci = await Deno.readTextFile(new URL(".ci/run", ROOT));
  const versions = [...ci.matchAll(/\bdeno@([\d.]+)/g)].map(([, version]) => version);
  assert.deepEqual([...new Set(versions)], [DENO]);
});

Deno.test("workflows use each action in one version, and see what fails in a pipe", async () => {
  const used = new Map<string, Set<string>>();
  for (const name of WORKFLOWS) {
    const { jobs } = await readWorkflow(name);
    for (const [id, { steps = [], defaults, "runs-on": system = "" }] of Object.entries(jobs)) {
      for (const { uses, run = "" } of steps) {
        const [action = "", version = ""] = uses?.split("@") ?? [];
        used.set(action, (used.get(action) ?? new Set()).add(version));
        // PowerShell's pipes carry errors by themselves; what `||` asks for is no pipe.
        const hasPipe = /(?<!\|)\|(?!\|)/.test(run) &&
          !/windows|Invoke-Expression/.test(system + run);
        if (hasPipe && !/\bgrep -q/.test(run)) {
          assert.equal(defaults?.run.shell, "bash", `${name}, ${id}: ${run}`);
        }
      }
    }
  }
  for (const [action, versions] of used) assert.equal(versions.size, 1, action);
});

Deno.test("workflows may write only in the jobs that publish, and run no text of others", async () => {
  const writes: string[] = [];
  for (const name of WORKFLOWS) {
    const { permissions, jobs } = await readWorkflow(name);
    assert.deepEqual(permissions, { contents: "read" }, name);
    for (const [id, job] of Object.entries(jobs)) {
      for (const [what, how] of Object.entries(job.permissions ?? {})) {
        if (how === "write") writes.push(`${name} ${id} ${what}`);
      }
      const mayWrite = Object.values(job.permissions ?? {}).includes("write");
      for (const { run = "" } of job.steps ?? []) {
        assert.ok(!run.includes("${{"), `${name} ${id}`);
        if (mayWrite) {
          assert.doesNotMatch(run, /\b(?:npx|npm (?:ci|install|exec)|deno (?:run|task))\b/);
        }
      }
    }
  }
  assert.deepEqual(writes, [
    "dependencies.yml update contents",
    "dependencies.yml update pull-requests",
    "release.yml publish contents",
    "release.yml publish id-token",
    "release.yml publish attestations",
    "release.yml npm id-token",
  ]);
});

Deno.test("the release is tested before it is built, tried on every system, and then published", async () => {
  const { jobs } = await readWorkflow("release.yml");
  assert.equal(jobs["test"]!.uses, "./.github/workflows/test.yml");
  assert.equal(jobs["build"]!.needs, "test");
  assert.deepEqual(jobs["publish"]!.needs, ["smoke-unix", "smoke-windows"]);
  const tried = ["smoke-unix", "smoke-windows"].flatMap((id) => {
    const runs = jobs[id]!.steps!.map(({ run = "" }) => run).join("\n");
    for (const words of ["--version", " demo", "completions"]) assert.ok(runs.includes(words), id);
    return jobs[id]!.strategy!.matrix.include!.map(({ target }) => target);
  });
  assert.deepEqual(tried, TARGETS);
  const used = jobs["publish"]!.steps!.map(({ uses = "" }) => uses.split("@")[0]);
  assert.ok(used.includes("actions/attest-build-provenance"));
});

Deno.test("CONTRIBUTING and SECURITY name files and tasks that exist", async () => {
  for (const name of [".github/CONTRIBUTING.md", ".github/SECURITY.md"]) {
    const text = await Deno.readTextFile(new URL(name, ROOT));
    assert.ok(await checkNames(text.replaceAll("<name>", "call"), name) > 0, name);
    // What stands in code font and is exported somewhere is still called that.
    const sources = await Array.fromAsync(Deno.readDir(new URL("src/", ROOT)));
    const all = (await Promise.all(
      sources.filter((entry) => entry.isFile).map((entry) =>
        Deno.readTextFile(new URL(`src/${entry.name}`, ROOT))
      ),
    )).join("\n") + await Deno.readTextFile(new URL("src/commands/generate.ts", ROOT));
    for (const [, word] of text.matchAll(/`([a-z]+[A-Z]\w+|[A-Z]{2,}S)`/g)) {
      assert.match(all, new RegExp(`\\b${word}\\b`), `${name}: ${word}`);
    }
  }
});
