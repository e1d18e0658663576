import assert from "node:assert/strict";
import { runInOnePlace } from "./specs/run.ts";

const PROGRAM_TEXT = `import { listUsers } from "mcp:demo";
const users = await listUsers({});
await callTool("demo", "nope", {}).catch(() => {});
console.log("\\u001b[31m");
export default "canary-" + JSON.stringify(users).length;`;

Deno.test("stats shows what was run: code, calls, decisions, tokens, in text and as an audit trail", async () => {
  const [ran, text, list, json, overview, tokens, calls, other, reset, after, kept, said, fit] =
    await runInOnePlace([
      ["execute", "-e", PROGRAM_TEXT, "--session", "s1"],
      ["stats", "runs", "last"],
      ["stats", "runs"],
      ["stats", "runs", "--format", "json"],
      ["stats"],
      ["stats", "tokens", "--format", "json"],
      ["stats", "calls", "--session", "s1"],
      ["stats", "--session", "s2"],
      ["stats", "--reset"],
      ["stats", "--format", "json"],
      ["stats", "runs", "--format", "json"],
      ["stats"],
      ["stats", "--session", "s1"],
    ]);
  assert.equal(ran!.code, 0, ran!.stderr);
  const [id] = /(?<=^run )\w{16}/m.exec(ran!.stderr)!;
  assert.match(text!.stdout, new RegExp(`^run ${id}: ok, `));
  assert.match(text!.stdout, /^session {3}s1$/m);
  assert.match(text!.stdout, /^ {2}demo\/list_users +allow +ok +.*received$/m);
  assert.match(
    text!.stdout,
    /^ {2}demo\/nope +allow +invalid +.*received {2}Server "demo" has no/m,
  );
  assert.match(text!.stdout, /^code blake3:[0-9a-f]{64}\n {2}\| import \{ listUsers \} from/m);
  assert.match(list!.stdout, new RegExp(`^run .*\n${id} .*execute .*ok .*2 .*s1\n$`));

  const document = JSON.parse(json!.stdout);
  assert.equal(document.ok, true);
  const [run] = document.runs;
  assert.equal(run.id, id);
  assert.equal(run.code, PROGRAM_TEXT);
  assert.deepEqual(run.calls.map((call: { tool: string }) => call.tool), ["list_users", "nope"]);
  assert.equal(run.end.outcome, "ok");
  const { definitions, results, program, answer } = run.end.tokens;
  assert.ok(definitions > 1_000 && results > 100 && program > 20 && answer > 1);

  assert.match(overview!.stdout, /^runs {4}1: 1 ok\n +p50 .*\ncalls {3}2: 1 failed, 0 refused/);
  const ledger = JSON.parse(tokens!.stdout);
  assert.equal(ledger.tokens.tokenizer, "o200k_base, estimated");
  assert.match(ledger.tokens.formula, /^kept = definitions \+ arguments \+ results/);
  assert.equal(
    ledger.tokens.kept,
    definitions + run.end.tokens.arguments + results - program - answer,
  );
  assert.deepEqual(ledger.runs.map((item: { id: string }) => item.id), [id]);
  assert.match(calls!.stdout, /^demo\/list_users +1 +0 +0 /m);
  assert.equal(other!.stdout, "");
  assert.equal(other!.stderr, "No runs fit\n");
  assert.equal(reset!.code, 0);
  assert.equal(JSON.parse(after!.stdout).runs.count, 0);
  assert.equal(JSON.parse(kept!.stdout).runs.length, 1);
  assert.match(said!.stderr, /^No runs since the figures were reset, 20\S+Z: .*stats runs/);
  assert.equal(fit!.stderr, "No runs fit\n");
  for (const { stdout } of [text!, list!, overview!, calls!]) {
    assert.ok(!stdout.includes("\u001b"));
  }
});

Deno.test("stats shows what was sent and received where the journal keeps it, and nothing of it elsewhere", async () => {
  const [, without, , , kept] = await runInOnePlace([
    ["call", "demo", "get_project", "project=PAY"],
    ["stats", "runs", "last"],
    ["config", "set", "journal.payloads", "true"],
    ["call", "demo", "get_project", "project=PAY"],
    ["stats", "runs", "last"],
  ]);
  assert.doesNotMatch(without!.stdout, /PAY/);
  assert.match(kept!.stdout, /^ {4}sent {6}\{"project":"PAY"\}\n {4}received {2}.*PAY/m);
});

Deno.test("stats counts the tokens of a call as of any other run", async () => {
  const [called, failed, json] = await runInOnePlace([
    ["call", "demo", "get_project", "project=PAY"],
    ["call", "demo", "get_project", "project=NOPE"],
    ["stats", "tokens", "--format", "json"],
  ]);
  assert.equal(called!.code, 0, called!.stderr);
  assert.equal(failed!.code, 3, failed!.stderr);
  const { tokens, runs } = JSON.parse(json!.stdout);
  assert.equal(tokens.runs, 2);
  // The newest first: what failed made use of no definition.
  assert.deepEqual(runs.map((run: { definitions: number }) => run.definitions > 1_000), [
    false,
    true,
  ]);
  assert.equal(runs[0].definitions, 0);
  for (const run of runs) {
    assert.ok(run.arguments > 0 && run.program > run.arguments && run.answer > 0);
  }
  assert.ok(runs[1].results > 50 && runs[1].results === runs[1].answer, JSON.stringify(runs[1]));
});

Deno.test("stats shows what the cache answered and what rates held back", async () => {
  const program = `const ask = (project) => callTool("demo", "get_project", { project });
    await Promise.all([ask("PAY"), ask("PAY")]);
    await ask("PAY");
    const users = () => callTool("demo", "list_users", {});
    return (await Promise.allSettled([users(), users(), users()])).map(({ status }) => status);`;
  const [ran, cache, json, performance, times, overview] = await runInOnePlace([
    ["execute", "-e", program],
    ["stats", "cache"],
    ["stats", "cache", "--format", "json"],
    ["stats", "performance"],
    ["stats", "performance", "--format", "json"],
    ["stats"],
  ], async ({ env }) => {
    const folder = `${env["XDG_CONFIG_HOME"]}/mcp-exec`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(
      `${folder}/config.json`,
      JSON.stringify({
        cache: { tools: ["demo/get_project"] },
        limits: { rate: [{ tool: "demo/list_users", perSecond: 0.01, burst: 1 }] },
      }),
    );
  });
  assert.equal(ran!.stdout, '["fulfilled","rejected","rejected"]\n', ran!.stderr);
  assert.match(
    cache!.stdout,
    /^cache 1 hits, 1 shared, 1 misses; .* not sent again\ntool .*\ndemo\/get_project +1 +1 +1 /,
  );
  const { cache: sums, tools } = JSON.parse(json!.stdout);
  assert.deepEqual([sums.hits, sums.shared, sums.misses], [1, 1, 1]);
  assert.deepEqual(tools, [{ server: "demo", tool: "get_project", ...sums }]);
  assert.match(performance!.stdout, /^rates held back 0 calls and refused 2$/m);
  assert.deepEqual(JSON.parse(times!.stdout).rates, { waited: 0, refused: 2 });
  assert.match(overview!.stdout, /^cache {3}2 calls answered, .* not sent again$/m);
});

Deno.test("stats says of a program that failed by itself that it was the program", async () => {
  const [ran, overview, list, one, json] = await runInOnePlace([
    ["execute", "-e", "throw new Error('mine')"],
    ["stats"],
    ["stats", "runs"],
    ["stats", "runs", "last"],
    ["stats", "runs", "--format", "json"],
  ]);
  assert.equal(ran!.code, 5, ran!.stderr);
  assert.match(overview!.stdout, /^runs {4}1: 1 program$/m);
  assert.match(list!.stdout, /execute +program +0 /);
  assert.match(one!.stdout, /^run \w+: program, /);
  assert.equal(JSON.parse(json!.stdout).runs[0].end.outcome, "guest");
});
