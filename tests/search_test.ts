import assert from "node:assert/strict";
import type { ServerName, ToolName } from "../src/names.ts";
import { type SearchableTool, searchTools } from "../src/search.ts";

function tool(path: string, summary = ""): SearchableTool {
  const [server, name] = path.split("/");
  return { server: server as ServerName, tool: name as ToolName, signature: "", summary };
}

function found(tools: readonly SearchableTool[], query: string, limit = 10): string[] {
  return searchTools(tools, query, limit).map((item) => `${item.server}/${item.tool}`);
}

const TOOLS = [
  tool("github/create_issue", "Open a new issue in a repository"),
  tool("github/list_issues", "List issues of a repository"),
  tool("github/mergePullRequest", "Merge a pull request"),
  tool("files/read_file", "Read the contents of one file"),
  tool("files/list_directory", "Names in a folder, with a note whether each is a file"),
  tool("weather/getForecast", "Weather for the coming days"),
];

Deno.test("searchTools ranks a word in the name above one in the summary", () => {
  assert.deepEqual(found(TOOLS, "file"), ["files/read_file", "files/list_directory"]);
  assert.equal(found(TOOLS, "list")[0], "github/list_issues");
});

Deno.test("searchTools ranks tools with more of the words first", () => {
  assert.equal(found(TOOLS, "create issue")[0], "github/create_issue");
  assert.equal(found(TOOLS, "issue create please")[0], "github/create_issue");
  assert.equal(found(TOOLS, "list the issues")[0], "github/list_issues");
});

Deno.test("searchTools counts no verb beside the one that it stands for", () => {
  const tools = [
    tool("a/list_issues", "Lists the issues of one project."),
    tool("a/list_projects", "Lists all projects with their counts of issues."),
    tool("a/get_issue", "Gives one issue."),
    tool("a/link_issues", "Says in issues that they belong together."),
    tool("a/update_issue", "Changes an issue."),
  ];
  assert.equal(found(tools, "list issues")[0], "a/list_issues");
  assert.equal(found(tools, "fetch issue")[0], "a/get_issue");
});

Deno.test("searchTools splits names at case, digits and punctuation, and ignores case", () => {
  for (const query of ["forecast", "FORECAST", "get-forecast", "getForecast"]) {
    assert.equal(found(TOOLS, query)[0], "weather/getForecast", query);
  }
  assert.equal(found(TOOLS, "pull_request")[0], "github/mergePullRequest");
  assert.deepEqual(found([tool("a/to2Words"), tool("a/other")], "words"), ["a/to2Words"]);
});

Deno.test("searchTools takes singular and plural for the same word", () => {
  assert.deepEqual(found(TOOLS, "repositories"), []);
  assert.equal(found(TOOLS, "issues").length, 2);
  assert.equal(found(TOOLS, "day")[0], "weather/getForecast");
  // Short words keep their s: "is" is not a plural of "i".
  assert.deepEqual(found([tool("a/is"), tool("a/i")], "i"), ["a/i"]);
});

Deno.test("searchTools finds tools by their server", () => {
  assert.deepEqual(found(TOOLS, "weather"), ["weather/getForecast"]);
  assert.equal(found(TOOLS, "github").length, 3);
});

Deno.test("searchTools finds words of any script", () => {
  const tools = [tool("a/x", "Größe der Straße"), tool("a/y", "検索 する"), tool("a/z", "другой")];
  assert.deepEqual(found(tools, "straße"), ["a/x"]);
  assert.deepEqual(found(tools, "検索"), ["a/y"]);
  assert.deepEqual(found(tools, "ДРУГОЙ"), ["a/z"]);
});

Deno.test("searchTools gives nothing for nothing, and nothing it was not asked for", () => {
  for (const query of ["", "   ", "?!", "zebra", "__proto__", "constructor"]) {
    assert.deepEqual(found(TOOLS, query), [], query);
  }
  assert.deepEqual(found([], "issue"), []);
});

Deno.test("searchTools gives at most as many as asked for", () => {
  assert.equal(found(TOOLS, "issue repository file", 2).length, 2);
  assert.deepEqual(found(TOOLS, "issue", 0), []);
});

Deno.test("searchTools orders equal ranks by tool, then server, whatever came first", () => {
  const tools = ["b/same", "a/same", "c/same", "a/also"].map((path) => tool(path, "one word"));
  const expected = ["a/also", "a/same", "b/same", "c/same"];
  assert.deepEqual(found(tools, "word"), expected);
  assert.deepEqual(found([...tools].reverse(), "word"), expected);
});

Deno.test("searchTools looks only at the beginning of an endless question", () => {
  const endless = Array.from({ length: 200_000 }, (_, index) => `w${index}`).join(" ");
  assert.deepEqual(found(TOOLS, `issue ${endless}`).length, 2);
  assert.deepEqual(found(TOOLS, `${endless} issue`), []);
});
