import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import {
  decide,
  decisionText,
  type Effect,
  fits,
  flagPolicy,
  lockingLayer,
  mayBeCalled,
  parsePolicy,
  type PolicyCall,
  type PolicyLayer,
  refusal,
  refusalOfServer,
  toPattern,
} from "../src/policy.ts";
import { assertProportional } from "./growth.ts";

type Place = Parameters<typeof parsePolicy>[1]["name"];

function layer(policy: unknown, name: Place = "user"): PolicyLayer {
  return parsePolicy(policy, {
    name,
    file: `${name}.json`,
    warn: (message) => assert.fail(message),
  });
}

function rules(...list: readonly object[]): PolicyLayer {
  return layer({ rules: list });
}

function call(path: string, more: Partial<PolicyCall> = {}): PolicyCall {
  const [server, ...tool] = path.split("/");
  return { server: server!, tool: tool.join("/"), params: {}, annotations: {}, ...more };
}

function effect(layers: PolicyLayer | readonly PolicyLayer[], asked: PolicyCall): Effect {
  return decide(asked, [layers].flat())!.decide;
}

Deno.test("decide allows what no rule speaks of, unless the default is deny", () => {
  assert.equal(effect([], call("github/get")), "allow");
  assert.equal(effect(rules(), call("github/get")), "allow");
  assert.equal(effect(layer({ default: "deny" }), call("github/get")), "deny");
});

Deno.test("decide goes by the first rule that fits", () => {
  const policy = rules(
    { tool: "github/get_*", decide: "allow" },
    { tool: "github/*", decide: "deny" },
    { server: "git*", decide: "allow" },
  );
  assert.equal(effect(policy, call("github/get_issue")), "allow");
  assert.equal(effect(policy, call("github/delete_repo")), "deny");
  assert.equal(effect(policy, call("gitlab/delete_repo")), "allow");
});

Deno.test("decide refuses a denied tool and not its near twins (B2)", () => {
  const policy = rules({ tool: "github/delete_repo", decide: "deny" });
  assert.equal(effect(policy, call("github/delete_repo")), "deny");
  for (
    const twin of ["delete_repos", "Delete_repo", "delete-repo", "xdelete_repo", "dеlete_repo"]
  ) {
    assert.equal(effect(policy, call(`github/${twin}`)), "allow", twin);
  }
  const only = layer({ default: "deny", rules: [{ tool: "github/get", decide: "allow" }] });
  for (const twin of ["get ", "Get", "gеt", "get\u200b", "get/x"]) {
    assert.equal(effect(only, call(`github/${twin}`)), "deny", twin);
  }
});

Deno.test("decide takes each item of a batch by itself (B3)", () => {
  const policy = rules({ tool: "s/t", arguments: { id: 500 }, decide: "deny" });
  const effects = Array.from(
    { length: 1000 },
    (_, id) => effect(policy, call("s/t", { params: { id } })),
  );
  assert.deepEqual(effects.flatMap((item, id) => item === "deny" ? [id] : []), [500]);
});

Deno.test("decide compares values of arguments, texts as patterns", () => {
  const policy = rules(
    { tool: "fs/write", arguments: { path: ["/tmp/*", "/var/tmp/*"] }, decide: "allow" },
    { tool: "fs/write", decide: "deny" },
    { tool: "db/*", arguments: { force: true }, decide: "deny" },
  );
  const write = (path: unknown) => effect(policy, call("fs/write", { params: { path } }));
  assert.equal(write("/tmp/a"), "allow");
  assert.equal(write("/var/tmp/a"), "allow");
  assert.equal(write("/etc/passwd"), "deny");
  assert.equal(effect(policy, call("fs/write")), "deny");
  assert.equal(effect(policy, call("db/drop", { params: { force: true } })), "deny");
  assert.equal(effect(policy, call("db/drop", { params: { force: false } })), "allow");
  assert.equal(effect(policy, call("db/drop", { params: { other: true } })), "allow");
});

Deno.test("decide reads arguments generously where it denies and narrowly where it allows", () => {
  const denies = rules({ tool: "s/t", arguments: { to: "5", list: "x*" }, decide: "deny" });
  const allows = layer({
    default: "deny",
    rules: [{ tool: "s/t", arguments: { to: "5", list: "x*" }, decide: "allow" }],
  });
  const both = (params: object) => {
    const asked = call("s/t", { params: params as PolicyCall["params"] });
    return [effect(denies, asked), effect(allows, asked)];
  };
  assert.deepEqual(both({ to: "5", list: "x1" }), ["deny", "allow"]);
  assert.deepEqual(both({ to: 5, list: ["y", "x1"] }), ["deny", "deny"]);
  assert.deepEqual(both({ to: "5", list: ["x1", ["x2"]] }), ["deny", "allow"]);
  assert.deepEqual(both({ to: "5", list: [] }), ["allow", "deny"]);
  assert.deepEqual(both({ to: "6", list: "x1" }), ["allow", "deny"]);
  // What every object inherits is no argument.
  const inherited = rules({ tool: "s/t", arguments: { constructor: "*" }, decide: "deny" });
  assert.equal(effect(inherited, call("s/t")), "allow");
});

Deno.test("decide lets annotations deny, with the protocol's defaults for what is not said", () => {
  const policy = rules({ annotations: { destructiveHint: true }, decide: "deny" });
  const given = (annotations: PolicyCall["annotations"]) =>
    effect(policy, call("s/t", { annotations: annotations! }));
  assert.equal(given({}), "deny");
  assert.equal(given({ destructiveHint: "no" }), "deny");
  assert.equal(given({ destructiveHint: false }), "allow");
  assert.equal(given({ readOnlyHint: true }), "allow");
  assert.equal(given({ readOnlyHint: true, destructiveHint: true }), "deny");
  assert.equal(
    effect(rules({ annotations: { readOnlyHint: false }, decide: "deny" }), call("s/t")),
    "deny",
  );
});

Deno.test("decide lets annotations allow only where the server is trusted with them (H26)", () => {
  const policy = layer({
    default: "deny",
    rules: [{ annotations: { readOnlyHint: true }, decide: "allow" }],
  });
  const liar = call("s/delete_all", { annotations: { readOnlyHint: true } });
  assert.equal(effect(policy, liar), "deny");
  assert.equal(effect(policy, { ...liar, trustAnnotations: true }), "allow");
  assert.equal(effect(policy, call("s/t", { trustAnnotations: true })), "deny");
  const error = refusal(decide(liar, [policy])!, `Call of "s/delete_all"`);
  assert.match(error.hint!, /trustAnnotations/);
});

Deno.test("decide waits for annotations only where they matter", () => {
  const policy = rules(
    { tool: "s/open", decide: "allow" },
    { tool: "s/shut", decide: "deny" },
    { server: "s", annotations: { openWorldHint: true }, decide: "deny" },
  );
  const ask = (path: string) => {
    const { annotations: _, ...early } = call(path);
    return decide(early, [policy])?.decide;
  };
  assert.equal(ask("s/open"), "allow");
  assert.equal(ask("s/shut"), "deny");
  assert.equal(ask("s/other"), undefined);
  assert.equal(ask("t/other"), "allow");
  // Another layer's refusal needs no waiting.
  const { annotations: _, ...early } = call("s/other");
  assert.equal(decide(early, [policy, layer({ default: "deny" }, "project")])?.decide, "deny");
});

Deno.test("decide lets every later layer narrow and none widen", () => {
  const managed = layer({ rules: [{ tool: "*/delete_*", decide: "deny" }] }, "managed");
  const user = layer({ rules: [{ tool: "github/*", decide: "allow" }] });
  const project = layer({
    default: "allow",
    rules: [{ tool: "*/delete_*", decide: "allow" }, { server: "slack", decide: "deny" }],
  }, "project");
  const flags = flagPolicy({ allow: ["github/delete_repo", "github/get_*", "slack"] })!;
  const layers = [managed, user, project, flags];
  assert.equal(effect(layers, call("github/delete_repo")), "deny");
  assert.equal(effect(layers, call("github/get_issue")), "allow");
  assert.equal(effect(layers, call("github/create_issue")), "deny");
  assert.equal(effect(layers, call("slack/post")), "deny");
  assert.equal(effect([managed, user, project], call("slack/post")), "deny");
  assert.equal(effect([managed, user], call("slack/post")), "allow");
});

Deno.test("mayBeCalled is false only where no parameters would be allowed", () => {
  const policy = [
    layer({
      default: "deny",
      rules: [
        { tool: "github/get", arguments: { owner: "me" }, decide: "allow" },
        { tool: "github/drop", arguments: { owner: "me" }, decide: "deny" },
        { tool: "github/drop", decide: "allow" },
        { annotations: { readOnlyHint: true }, decide: "allow" },
      ],
    }),
    rules({ annotations: { destructiveHint: true }, server: "wiki", decide: "deny" }),
  ];
  const reads = { readOnlyHint: true };
  const may = (path: string, more: Partial<PolicyCall> = {}) => {
    const { params: _, ...tool } = call(path, more);
    return mayBeCalled(tool, policy);
  };
  assert.ok(may("github/get"));
  assert.ok(may("github/drop"));
  assert.ok(!may("github/other"));
  assert.ok(!may("github/other", { annotations: reads }));
  assert.ok(may("github/other", { annotations: reads, trustAnnotations: true }));
  assert.ok(!may("wiki/write", { trustAnnotations: true }));
  assert.ok(mayBeCalled({ server: "wiki", tool: "write" }, policy));
  assert.ok(mayBeCalled({ server: "wiki", tool: "write" }, []));
});

Deno.test("refusalOfServer names the rule only where no call at all can be allowed (B1)", () => {
  const policy = rules(
    { tool: "a/get_*", decide: "allow" },
    { server: "a", decide: "deny" },
    { tool: "b/delete_*", decide: "deny" },
    { tool: "c/*", decide: "deny" },
    { server: "d", annotations: { readOnlyHint: false }, decide: "deny" },
  );
  const refused = (server: string) => refusalOfServer(server, [policy])?.index;
  assert.equal(refused("a"), undefined);
  assert.equal(refused("b"), undefined);
  assert.equal(refused("c"), 4);
  assert.equal(refused("d"), undefined);
  const flags = flagPolicy({ allow: ["a/get_*"] })!;
  assert.equal(refusalOfServer("a", [flags]), undefined);
  for (const other of ["b", "A", "a ", "a/get_x"]) {
    assert.equal(refusalOfServer(other, [flags])?.decide, "deny", other);
  }
});

Deno.test("flagPolicy lets --deny win over --allow, whatever their order", () => {
  const policy = flagPolicy({ allow: ["github"], deny: ["*/delete_*"] })!;
  assert.equal(effect(policy, call("github/get")), "allow");
  assert.equal(effect(policy, call("github/delete_repo")), "deny");
  assert.equal(effect(policy, call("slack/post")), "deny");
  assert.equal(effect(flagPolicy({ deny: ["slack"] })!, call("github/get")), "allow");
  assert.equal(flagPolicy({}), undefined);
  for (const bad of ["", "/", "/tool", "server/"]) {
    assert.throws(
      () => flagPolicy({ allow: [bad] }),
      (error) => error instanceof AppError && error.kind === "usage",
    );
  }
});

Deno.test("refusal names the layer, the rule's number and its text", () => {
  const policy = rules({ server: "x", decide: "deny" }, {
    tool: "github/delete_*",
    decide: "deny",
  });
  const error = refusal(
    decide(call("github/delete_repo"), [policy])!,
    `Call of "github/delete_repo"`,
  );
  assert.equal(error.kind, "denied");
  assert.equal(error.exitCode, 6);
  assert.equal(error.message, `Call of "github/delete_repo" is refused by rule 2 of "user.json"`);
  assert.deepEqual(error.detail, [`{"tool":"github/delete_*","decide":"deny"}`]);
  const say = (layers: PolicyLayer) => refusal(decide(call("a/b"), [layers])!, "It").message;
  assert.equal(
    say(layer({ default: "deny" })),
    `It is allowed by no rule of "user.json", and its "policy.default" is "deny"`,
  );
  assert.equal(say(flagPolicy({ deny: ["a"] })!), `It is refused by --deny "a"`);
  assert.equal(say(flagPolicy({ allow: ["c"] })!), "It is not among those of --allow");
});

Deno.test("decisionText is short and says which rule it was", () => {
  const policy = rules({ tool: "a/b", decide: "allow" }, { tool: "a/c", decide: "deny" });
  const text = (path: string, layers = [policy]) => decisionText(decide(call(path), layers)!);
  assert.equal(text("a/b"), "allow: user rule 1");
  assert.equal(text("a/c"), "deny: user rule 2");
  assert.equal(text("a/d"), "allow");
  assert.equal(text("a/d", [layer({ default: "deny" }, "managed")]), "deny: managed default");
});

Deno.test("parsePolicy names each bad rule, which then refuses what gets as far as it", () => {
  const warnings: string[] = [];
  const policy = parsePolicy({
    rules: [
      { tool: "a/b", decide: "allow" },
      { tol: "a/*", decide: "deny" },
      { tool: "noslash", decide: "deny" },
      { tool: "a/*", decide: "maybe" },
      "deny",
      { server: "a", tool: "a/b", decide: "deny" },
      { annotations: { safeHint: true }, decide: "allow" },
      { annotations: { readOnlyHint: "yes" }, decide: "allow" },
      { arguments: { a: { b: 1 } }, decide: "allow" },
      { arguments: { a: [] }, decide: "allow" },
      { server: 5, decide: "allow" },
    ],
  }, { name: "user", file: "user.json", warn: (message) => warnings.push(message) });
  assert.equal(warnings.length, 10);
  warnings.forEach((warning, at) =>
    assert.match(warning, new RegExp(`^rule ${at + 2} of "policy.rules" is not valid: `))
  );
  assert.equal(effect(policy, call("a/b")), "allow");
  const error = refusal(decide(call("c/d"), [policy])!, "It");
  assert.match(error.message, /rule 2 of "user.json"/);
  assert.deepEqual(error.detail, [
    `not valid: it has the unknown key "tol" (known are server, tool, annotations, arguments, decide)`,
  ]);
});

Deno.test("parsePolicy denies by default when it did not understand everything", () => {
  for (
    const policy of [
      { defualt: "deny" },
      { default: "dney" },
      { rules: {} },
      "deny",
      null,
      [],
      { rules: Array.from({ length: 1001 }, () => ({ decide: "allow", server: "x" })) },
    ]
  ) {
    const warnings: string[] = [];
    const read = parsePolicy(policy, {
      name: "user",
      file: "f",
      warn: (message) => warnings.push(message),
    });
    assert.equal(effect(read, call("a/b")), "deny", JSON.stringify(policy)?.slice(0, 40));
    assert.equal(warnings.length, 1);
  }
});

Deno.test("lockingLayer is one of the machine or the person, not of a project", () => {
  const locked = layer({ locked: true });
  assert.equal(lockingLayer([layer({}, "managed"), locked]), locked);
  assert.equal(lockingLayer([layer({}), layer({ locked: true }, "project")]), undefined);
  const odd = parsePolicy({ locked: "yes" }, { name: "user", file: "f", warn() {} });
  assert.equal(lockingLayer([odd]), odd);
});

Deno.test("fits takes a star for any characters and everything else as it is", () => {
  for (
    const [pattern, text, expected] of [
      ["a", "a", true],
      ["a", "ab", false],
      ["*", "", true],
      ["a*", "a", true],
      ["*b", "ab", true],
      ["a*b", "ab", true],
      ["a*a", "a", false],
      ["a*b*c", "a-b-c", true],
      ["a*b*c", "a-c-b", false],
      ["a*bc*c", "abc", false],
      ["*x*", "axb", true],
      ["a.c", "abc", false],
      ["[a-z]+", "abc", false],
      ["(a+)+$", "aaaa", false],
      ["**", "anything", true],
    ] as const
  ) assert.equal(fits(toPattern(pattern), text), expected, `${pattern} ${text}`);
});

Deno.test("fits takes time in proportion to the text", () => {
  const pattern = toPattern(`${"*a".repeat(100)}b*`);
  assertProportional(
    [50_000, 800_000],
    (length) => "a".repeat(length),
    (text) => assert.equal(fits(pattern, text), false),
  );
});
