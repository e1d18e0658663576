import assert from "node:assert/strict";
import { createCatalog } from "../src/catalog.ts";
import { type Database, openDatabase } from "../src/database.ts";
import { digestOfJson } from "../src/hash.ts";
import { toServerName, toToolName } from "../src/names.ts";
import { searchTools } from "../src/search.ts";
import type { ServerInfo, StdioSpec } from "../src/server.ts";
import { fillToolIndex, searchToolIndex } from "../src/tool_index.ts";

async function withDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "mcp-exec-" });
  const database = openDatabase(`${folder}/x.db`, { warn: (text) => assert.fail(text) });
  try {
    await work(database);
  } finally {
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function specOf(name: string, command = name): StdioSpec {
  return {
    name: toServerName(name),
    origin: "user",
    transport: "stdio",
    command,
    args: [],
    env: {},
  };
}

/** A server of these tools, each with the rest of its text as description. */
function infoOf(name: string, tools: readonly string[]): ServerInfo {
  return {
    name: toServerName(name),
    identity: { name, version: "1" },
    protocolVersion: "2025-11-25",
    capabilities: {},
    tools: tools.map((text) => {
      const [tool, ...description] = text.split(" ");
      return {
        name: toToolName(tool!),
        description: description.join(" "),
        inputSchema: { type: "object", properties: { id: { type: "string" } } },
        digest: digestOfJson(tool),
      };
    }),
    warnings: [],
  };
}

const [GITHUB, FILES] = [specOf("github"), specOf("files")];
const GITHUB_TOOLS = [
  "create_issue Open a new issue in a repository",
  "list_issues List issues of a repository",
  "mergePullRequest Merge a pull request",
  "add_label Put a label on an issue",
];
const FILES_TOOLS = ["read_file Read one file", "delete_file Remove a file for good"];

interface Index {
  readonly save: (spec: StdioSpec, tools: readonly string[]) => void;
  /** Fills the index and searches it; names as `server/tool`. */
  readonly find: (query: string, specs?: StdioSpec[], limit?: number) => Promise<string[]>;
  readonly database: Database;
}

async function withIndex(work: (index: Index) => Promise<void>): Promise<void> {
  await withDatabase(async (database) => {
    const catalog = createCatalog(database, { now: () => 1 });
    await work({
      database,
      save: (spec, tools) => catalog.save(spec, infoOf(spec.name, tools)),
      async find(query, specs = [GITHUB, FILES], limit = 10) {
        await fillToolIndex(database, specs, catalog);
        return searchToolIndex(database, specs, { query, limit })
          .map(({ server, tool }) => `${server}/${tool}`);
      },
    });
  });
}

Deno.test("searchToolIndex finds tools by words of name, summary and server, best first", async () => {
  await withIndex(async ({ save, find }) => {
    save(GITHUB, GITHUB_TOOLS);
    save(FILES, FILES_TOOLS);
    assert.equal((await find("merge pull request"))[0], "github/mergePullRequest");
    assert.equal((await find("MERGE pull_requests"))[0], "github/mergePullRequest");
    assert.equal((await find("create issue"))[0], "github/create_issue");
    assert.deepEqual(await find("files"), ["files/read_file", "files/delete_file"]);
    assert.deepEqual(await find("file", [GITHUB]), []);
    assert.equal((await find("issue", [GITHUB, FILES], 1)).length, 1);
    assert.deepEqual(await find('"* OR -'), []);
    assert.deepEqual(await find(""), []);
  });
});

Deno.test("searchToolIndex finds verbs that mean the same, behind the word itself", async () => {
  await withIndex(async ({ save, find }) => {
    save(FILES, ["read_file Read one file", "delete_page Burn a page", "remove_lock Free a page"]);
    assert.deepEqual(await find("erase"), ["files/delete_page", "files/remove_lock"]);
    assert.deepEqual(await find("remove"), ["files/remove_lock", "files/delete_page"]);
    assert.deepEqual(await find("fetch"), ["files/read_file"]);
  });
});

Deno.test("searchToolIndex begins where searchTools begins", async () => {
  await withIndex(async ({ save, find }) => {
    save(GITHUB, GITHUB_TOOLS);
    save(FILES, FILES_TOOLS);
    const all = [["github", GITHUB_TOOLS], ["files", FILES_TOOLS]] as const;
    const tools = all.flatMap(([server, texts]) =>
      texts.map((text) => ({
        server: toServerName(server),
        tool: toToolName(text.split(" ")[0]!),
        signature: "",
        summary: text.split(" ").slice(1).join(" "),
      }))
    );
    for (const query of ["merge", "label issue", "remove file", "list issues", "read"]) {
      const [first] = searchTools(tools, query, 1);
      assert.equal((await find(query))[0], `${first!.server}/${first!.tool}`, query);
    }
  });
});

Deno.test("searchToolIndex gives pages that neither repeat nor skip a tool, up to a bound", async () => {
  await withIndex(async ({ save, find, database }) => {
    save(GITHUB, Array.from({ length: 300 }, (_, index) => `label_issue_${index} Label ${index}`));
    await find("label");
    const seen = new Set<string>();
    for (let offset = 0; offset < 300; offset += 30) {
      const page = searchToolIndex(database, [GITHUB], { query: "label", limit: 30, offset });
      for (const { tool } of page) {
        assert.ok(!seen.has(tool), `${tool} comes twice`);
        seen.add(tool);
      }
    }
    assert.equal(seen.size, 200);
  });
});

Deno.test("fillToolIndex follows what the catalog holds: new listings, other ways, lost servers", async () => {
  await withIndex(async ({ save, find, database }) => {
    const rows = () =>
      database.get<{ tools: number; words: number }>(
        `select (select count(*) from indexed_tools) as tools,
           (select count(*) from tool_words) as words`,
      );
    save(GITHUB, GITHUB_TOOLS);
    assert.equal((await find("label")).length, 1);
    save(GITHUB, ["create_issue Open an issue", "set_milestone Put an issue into a milestone"]);
    assert.deepEqual(await find("label"), []);
    assert.deepEqual(await find("milestone"), ["github/set_milestone"]);
    assert.deepEqual({ ...rows() }, { tools: 2, words: 2 });
    assert.deepEqual(await find("milestone", [specOf("github", "other")]), []);
    database.run("delete from servers");
    save(FILES, FILES_TOOLS);
    assert.equal((await find("file")).length, 2);
    assert.deepEqual({ ...rows() }, { tools: 2, words: 2 });
  });
});

Deno.test("fillToolIndex names the servers of which nothing is known", async () => {
  await withDatabase(async (database) => {
    const catalog = createCatalog(database, { now: () => 1 });
    catalog.save(GITHUB, infoOf("github", GITHUB_TOOLS));
    assert.deepEqual(await fillToolIndex(database, [GITHUB, FILES], catalog), [FILES]);
    assert.deepEqual(await fillToolIndex(database, [GITHUB, FILES], catalog), [FILES]);
    assert.deepEqual(await fillToolIndex(database, [], catalog), []);
  });
});

Deno.test("searchToolIndex finds a server's tools among thousands that fit better", async () => {
  await withIndex(async ({ save, find }) => {
    const crowd = specOf("crowd");
    save(crowd, Array.from({ length: 600 }, (_, index) => `label_issue_${index} Label an issue`));
    save(GITHUB, GITHUB_TOOLS);
    assert.equal((await find("label issue", [crowd, GITHUB])).length, 10);
    assert.equal((await find("label issue", [crowd, GITHUB]))[0]!.split("/")[0], "crowd");
    const [first, ...others] = await find("label issue", [GITHUB]);
    assert.equal(first, "github/add_label");
    assert.deepEqual(others.sort(), ["github/create_issue", "github/list_issues"]);
  });
});
