// deno-lint-ignore-file no-console
// Tokens that an agent reads before its first call: every definition of a server, as clients load
// them, against its SKILL.md and the signatures of three tools. By recorded server, and for a person
// who has them all. The recordings are read from ../shared/corpus.
//   deno task bench disclosure

import { disclosureOf, overallDisclosure } from "../tests/disclosure.ts";
import { recordedServers } from "../tests/server_fixtures.ts";
import { TOKENIZER } from "../src/stats.ts";

const GATE = 0.98;

const percent = (share: number) => `${(share * 100).toFixed(1)} %`.padStart(8);
const number = (value: number) => String(Math.round(value)).padStart(8);

const servers = [...recordedServers()].map(disclosureOf);
if (servers.length === 0) {
  console.log("There are no recorded servers beside this checkout");
  Deno.exit(0);
}
console.log(`tokens (${TOKENIZER})`);
console.log(
  "server".padEnd(22) + ["tools", "definit.", "SKILL.md", "3 signat", "saving"]
    .map((title) => title.padStart(9)).join(""),
);
for (const { name, tools, definitions, skill, signatures } of servers) {
  const saving = 1 - (skill + signatures) / definitions;
  console.log(
    name.padEnd(22) +
      [number(tools), number(definitions), number(skill), number(signatures), percent(saving)]
        .map((cell) => ` ${cell}`).join(""),
  );
}
const all = overallDisclosure(servers);
console.log(`
each server by itself, added up: ${number(all.definitions).trim()} against ${
  number(all.separate).trim()
}, saving${percent(1 - all.separate / all.definitions)}
all servers at once: ${number(all.definitions).trim()} in every definition, against
  ${number(all.offered).trim()} in names and descriptions of all skills, which clients load,
  ${number(all.skill).trim()} in SKILL.md and ${
  number(all.signatures).trim()
} in signatures of the server that is used, on average
  saving${percent(all.saving)}, gate ${percent(GATE).trim()} ${
  all.saving >= GATE ? "met" : "MISSED"
}
  saving${percent(all.worst)} when it is the server with the longest SKILL.md`);
if (all.saving < GATE) Deno.exit(1);
