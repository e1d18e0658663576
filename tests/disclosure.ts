// What an agent reads of a server before its first call, in tokens: shared by a test and a bench.

import { generateSkill, skillNameOf } from "../src/documents.ts";
import { planServer } from "../src/plan.ts";
import type { ServerInfo } from "../src/server.ts";
import { estimateTokens } from "../src/stats.ts";

/** Tokens of one server. */
export interface Disclosure {
  readonly name: string;
  readonly tools: number;
  /** Name, description and input schema of every tool: what clients hand to a model. */
  readonly definitions: number;
  /** Name and description of the skill: what clients load of every skill. */
  readonly offered: number;
  /** SKILL.md whole. */
  readonly skill: number;
  /** Signatures of three tools of average length. */
  readonly signatures: number;
}

/** What it takes to read the definitions of `info`, or its skill instead. */
export function disclosureOf(info: ServerInfo): Disclosure {
  const { files } = generateSkill(info, { name: skillNameOf(info.name) });
  const { tools } = planServer(info);
  const text = files.get("SKILL.md")!;
  const signatures = tools.reduce((sum, tool) => sum + estimateTokens(tool.signature), 0);
  return {
    name: info.name,
    tools: tools.length,
    definitions: estimateTokens(JSON.stringify(
      info.tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
    )),
    offered: estimateTokens(text.slice(0, text.indexOf("\n---\n"))),
    skill: estimateTokens(text),
    signatures: Math.min(3, tools.length) * signatures / tools.length,
  };
}

/** Tokens and savings over several servers; savings are shares of 1. */
export function overallDisclosure(servers: readonly Disclosure[]) {
  const sum = (value: (server: Disclosure) => number) =>
    servers.reduce((total, server) => total + value(server), 0);
  const definitions = sum((server) => server.definitions);
  const offered = sum((server) => server.offered);
  const skill = sum((server) => server.skill) / servers.length;
  const signatures = sum((server) => server.signatures) / servers.length;
  const used = servers.map((server) => server.skill + server.signatures);
  return {
    definitions,
    offered,
    skill,
    signatures,
    /** Every skill read whole, with three signatures of each. */
    separate: sum((server) => server.skill + server.signatures),
    saving: 1 - (offered + skill + signatures) / definitions,
    worst: 1 - (offered + Math.max(...used)) / definitions,
  };
}
