import assert from "node:assert/strict";
import { manPage, readHelp, rowsOf, serverRows } from "../scripts/man.ts";
import { VERSION } from "../src/version.ts";

const DATE = "2026-01-31";

/** What a tool says of the page, or undefined where it is not installed. */
async function judge(command: string, args: string[], page: string): Promise<string | undefined> {
  const file = await Deno.makeTempFile({ suffix: ".1" });
  try {
    await Deno.writeTextFile(file, page);
    const { stdout, stderr, code } = await new Deno.Command(command, { args: [...args, file] })
      .output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return code === 0 ? said : `exit ${code}\n${said}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  } finally {
    await Deno.remove(file);
  }
}

/** What a reader sees of a line of roff. */
function plain(roff: string): string {
  const signs: Record<string, string> = { "dq": '"', "aq": "'", "ga": "`", "ha": "^", "ti": "~" };
  return roff.replace(/\\\((..)/g, (_, name) => signs[name]!).replaceAll("\\-", "-")
    .replaceAll("\\&", "").replaceAll("\\e", "\\");
}

Deno.test("manPage has every command with its usage, flags and examples, in the table's order", async () => {
  const { commands } = await readHelp();
  const page = await manPage({ date: DATE });
  const lines = page.split("\n").map(plain);
  const headings = lines.filter((line) => line.startsWith(".SS "));
  assert.deepEqual(headings, commands.map(({ words }) => `.SS mcp-exec ${words}`));
  assert.ok(commands.some(({ words }) => words === "server add"));
  const shared = serverRows(commands);
  assert.ok(shared.length >= 4, "the server flags are not found");
  const common = lines.indexOf(".SH SERVER OPTIONS");
  for (const { words, sections } of commands) {
    const usage = sections.get("USAGE")!.split("\n")[0]!.trim();
    assert.ok(lines.includes(`.B ${usage}`), usage);
    const start = lines.indexOf(`.SS mcp-exec ${words}`);
    const end = lines.findIndex((line, index) => index > start && /^\.S[SH] /.test(line));
    const section = lines.slice(start, end);
    // The flags that name servers stand in one place for all commands that have them all.
    const isWhole = section.includes("Takes the server options, too.");
    const known = isWhole ? [...section, ...lines.slice(common)] : section;
    const rows = rowsOf(sections.get("FLAGS") ?? "");
    for (const { name, text } of rows) {
      const at = known.findIndex((line, index) =>
        line === `.B ${name}` && known[index + 1] === text && known[index - 1] === ".TP"
      );
      assert.ok(at > 0, `${name} of ${words} is not there`);
    }
    const takesAll = shared.every(({ name }) => rows.some((row) => row.name === name));
    assert.equal(isWhole, takesAll, words);
    for (const line of (sections.get("EXAMPLES") ?? "").split("\n")) {
      assert.ok(lines.includes(line.trim()), `${words}: ${line}`);
    }
  }
  assert.equal(lines[0], `.TH MCP-EXEC 1 "${DATE}" "mcp-exec ${VERSION}" "User Commands"`);
});

Deno.test("manPage comes out the same twice, in ASCII, with no request that was not meant", async () => {
  const page = await manPage({ date: DATE });
  assert.equal(await manPage({ date: DATE }), page);
  assert.doesNotMatch(page, /[^\n\x20-\x7e]/);
  const requests = page.split("\n").filter((line) => /^[.']/.test(line))
    .map((line) => line.split(" ")[0]!);
  assert.deepEqual(
    [...new Set(requests)].sort(),
    [".B", ".I", ".PP", ".RE", ".RS", ".SH", ".SS", ".TH", ".TP", ".fi", ".nf"],
  );
});

Deno.test("manPage gives man pages that mandoc and groff find nothing wrong with", async () => {
  const page = await manPage({ date: DATE });
  const said = {
    mandoc: await judge("mandoc", ["-Tlint", "-Wwarning"], page),
    groff: await judge("groff", ["-mandoc", "-ww", "-Tutf8", "-z"], page),
  };
  for (const [tool, text] of Object.entries(said)) {
    if (text !== undefined) assert.equal(text, "", tool);
  }
});
