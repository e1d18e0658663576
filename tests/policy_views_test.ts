// deno-lint-ignore-file no-control-regex
import assert from "node:assert/strict";
import { digestOf } from "../src/hash.ts";
import { type ToolName, toServerName } from "../src/names.ts";
import { parsePolicy } from "../src/policy.ts";
import {
  callLinesOf,
  explainCall,
  explanationDocument,
  layerLines,
  toolTable,
} from "../src/policy_views.ts";
import { createStyle } from "../src/render.ts";
import type { ServerSpec, ToolDefinition } from "../src/server.ts";

const SPEC: ServerSpec = {
  transport: "stdio",
  name: toServerName("db"),
  origin: "user",
  command: "false",
  args: [],
  env: {},
};

function toolOf(name: string, annotations?: Record<string, boolean>): ToolDefinition {
  return {
    name: name as ToolName,
    inputSchema: { type: "object" },
    digest: digestOf(name),
    ...(annotations && { annotations }),
  };
}

const layerOf = (name: "managed" | "user", policy: unknown) =>
  parsePolicy(policy, { name, file: `${name}.json`, warn: (text) => assert.fail(text) });
const MANAGED = layerOf("managed", { rules: [{ tool: "db/drop_*", decide: "deny" }] });
const USER = layerOf("user", {
  default: "deny",
  rules: [{ annotations: { readOnlyHint: true }, decide: "allow" }],
});

Deno.test("explainCall names the layer and the rule that decide", () => {
  const asked = { spec: SPEC, name: "drop_table", params: {}, tool: toolOf("drop_table") };
  const explained = explainCall(asked, [MANAGED, USER]);
  assert.deepEqual(explanationDocument(explained), {
    decision: "deny",
    text: "deny: managed rule 1",
    layer: "managed",
    file: "managed.json",
    rule: { index: 1, text: '{"tool":"db/drop_*","decide":"deny"}' },
    message: 'Call of "db/drop_table" is refused by rule 1 of "managed.json"',
  });
});

Deno.test("explainCall says that annotations count only where they are trusted (H26)", () => {
  const tool = toolOf("look", { readOnlyHint: true });
  const asked = { spec: SPEC, name: "look", params: {}, tool };
  const explained = explainCall(asked, [USER]);
  assert.equal(explained.text, "deny: user default");
  assert.match(explained.refused!.hint!, /trustAnnotations/);
  const trusting = { ...asked, spec: { ...SPEC, trustAnnotations: true } };
  assert.equal(explainCall(trusting, [USER]).text, "allow: user rule 1");
  assert.equal(explainCall({ ...asked, tool: undefined }, [USER]).decision, "unknown");
});

Deno.test("toolTable judges every tool, and callLinesOf shows what a tool says safely (H22)", () => {
  const tools = [toolOf("drop_a"), toolOf("look\x1b[31m", { "read\u202eOnlyHint": true })];
  const table = toolTable(SPEC, tools, [MANAGED]);
  assert.match(table[0]!, /^ {2}drop_a .* deny: managed rule 1 +\{"tool"/);
  const asked = { spec: SPEC, name: tools[1]!.name, params: {}, tool: tools[1] };
  const lines = callLinesOf(asked, { layers: [], style: createStyle(false) });
  for (const line of [...table, ...lines]) assert.ok(!/[\x1b\u202e]/.test(line), line);
  assert.deepEqual(layerLines([]), ["  layers   none: every call is allowed"]);
});
