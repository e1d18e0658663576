import assert from "node:assert/strict";
import { run, withFolder } from "./release_fixture.ts";
import { changelogSection, readHistory, withSection } from "../scripts/changelog.ts";

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
